//! [`TableSchema`]: what the columns of a table are, and their statistics.

use super::columns::{TableColumns, TextColumn};
use crate::error::DataError;
use crate::labels::LabelType;
use crate::sources::{Column, SourceKind, SourceOptions};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// A category that fewer rows have is one of those that are not known, so that what stands for these is learned.
const FEWEST_ROWS: usize = 2;

/// The columns that a network takes, by name. Stored with the saved model; all of it comes from the training part alone.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TableSchema {
    /// The columns, in the order of the training file.
    pub columns: Vec<ColumnSchema>,
    /// The column of labels, for data to measure the model on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<LabelColumn>,
}

/// The column of labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LabelColumn {
    /// Its name, or its number where the file has no names.
    pub name: String,
    /// What labels are.
    pub labels: LabelType,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum ColumnSchema {
    /// Numbers; `true` and `false` are 1 and 0.
    Number(NumberColumn),
    /// One of several names.
    Category(CategoryColumn),
}

/// A column of numbers. With `x` its value, or the median where it is missing, the network takes `z = (x − mean) / std`; behind that, for
/// the bounds b₀ < b₁ < … < bₙ, the numbers `clamp((x − bᵢ₋₁) / (bᵢ − bᵢ₋₁), 0, 1)` for i from 1 to n (piecewise linear encoding;
/// Gorishniy, Rubachev and Babenko, *On embeddings for numerical features in tabular deep learning*, 2022); and behind all columns, where
/// values were missing in training, 1 for a missing value and 0 for others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NumberColumn {
    /// Its name.
    pub name: String,
    /// Mean of the training values.
    pub mean: f64,
    /// Their standard deviation; 1 where they are all the same.
    pub std: f64,
    /// Their median.
    pub median: f64,
    /// Whether values were missing in training.
    pub has_missing: bool,
    /// Quantiles of the training values, ascending, each different from the next; none where there are no bins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bounds: Vec<f64>,
}

/// A column of categories. The network takes an index: 0 for a category that is not known, 1 where none is given, and from 2 on those
/// known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CategoryColumn {
    /// Its name.
    pub name: String,
    /// The categories known: those that at least two training rows have, in the order of their texts.
    pub values: Vec<String>,
}

impl CategoryColumn {
    /// Number of indices.
    pub fn indices(&self) -> usize {
        self.values.len() + 2
    }
}

impl ColumnSchema {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            ColumnSchema::Number(column) => &column.name,
            ColumnSchema::Category(column) => &column.name,
        }
    }
}

impl TableSchema {
    /// The schema of the rows `ids`; no other row is looked at, but for whether a column's texts are numbers. `bins` is the number of bins of
    /// like many rows that a number's place is told among beside its value; 0 for none.
    ///
    /// Left out are columns in which nothing is known of these rows, and columns of texts of which no two rows have the same.
    ///
    /// # Errors
    /// No column that is left.
    pub fn fit(place: &str, table: &TableColumns, ids: &[u64], bins: usize) -> Result<TableSchema, DataError> {
        let columns: Vec<ColumnSchema> =
            table.columns().iter().filter_map(|column| fit_column(column, ids, bins)).collect();
        if columns.is_empty() {
            let expected = "a column of numbers, or of texts that repeat";
            return Err(DataError::setting(format!("columns of {place}"), expected, "none"));
        }
        Ok(TableSchema { columns, label: None })
    }

    /// How a file of such a table is read; of a schema without columns nothing is known but that it is a table.
    pub fn source_options(&self) -> SourceOptions {
        if self.columns.is_empty() {
            return SourceOptions { kind: Some(SourceKind::Table), ..SourceOptions::default() };
        }
        let label = self.label.as_ref();
        let column = |name: &str| name.parse().map_or_else(|_| Column::Name(name.to_owned()), Column::Index);
        SourceOptions {
            kind: Some(SourceKind::Table),
            label: label.map(|label| column(&label.name)),
            labels: label.map(|label| label.labels),
            // Columns without names are called by their numbers.
            header: Some(self.columns.iter().any(|column| column.name().parse::<usize>().is_err())),
            ..SourceOptions::default()
        }
    }

    /// The columns of numbers.
    pub fn numbers(&self) -> impl Iterator<Item = &NumberColumn> + Clone {
        self.columns.iter().filter_map(|column| match column {
            ColumnSchema::Number(column) => Some(column),
            ColumnSchema::Category(_) => None,
        })
    }

    /// The columns of categories.
    pub fn categories(&self) -> impl Iterator<Item = &CategoryColumn> + Clone {
        self.columns.iter().filter_map(|column| match column {
            ColumnSchema::Category(column) => Some(column),
            ColumnSchema::Number(_) => None,
        })
    }

    /// Numbers that the network takes for a row: of each column its value and its places in bins, then what is missing.
    pub fn number_width(&self) -> usize {
        self.numbers().map(|column| 1 + column.bounds.len().saturating_sub(1) + usize::from(column.has_missing)).sum()
    }

    /// Indices that the network takes for a row.
    pub fn category_width(&self) -> usize {
        self.categories().count()
    }

    /// Different indices: those of each column stand behind those of the columns before it.
    pub fn category_rows(&self) -> usize {
        self.categories().map(CategoryColumn::indices).sum()
    }
}

/// A text as a number: `true` and `false` are 1 and 0.
pub(super) fn number(text: &str) -> Option<f64> {
    match text.parse::<f64>() {
        Ok(number) => Some(number).filter(|number| number.is_finite()),
        Err(_) if text.eq_ignore_ascii_case("true") => Some(1.0),
        Err(_) if text.eq_ignore_ascii_case("false") => Some(0.0),
        Err(_) => None,
    }
}

fn fit_column(column: &TextColumn, ids: &[u64], bins: usize) -> Option<ColumnSchema> {
    let name = column.name().to_owned();
    let numbers: Option<Vec<f64>> = column.values().iter().map(|text| number(text)).collect();
    let Some(numbers) = numbers.filter(|numbers| !numbers.is_empty()) else {
        let mut counts: HashMap<usize, usize> = HashMap::new();
        ids.iter().filter_map(|&id| column.code(id as usize)).for_each(|code| *counts.entry(code).or_default() += 1);
        let often = counts.into_iter().filter(|(_, count)| *count >= FEWEST_ROWS);
        let mut values: Vec<String> = often.map(|(code, _)| column.values()[code].clone()).collect();
        values.sort_unstable();
        return (!values.is_empty()).then_some(ColumnSchema::Category(CategoryColumn { name, values }));
    };
    let mut known: Vec<f64> = ids.iter().filter_map(|&id| column.code(id as usize)).map(|code| numbers[code]).collect();
    if known.is_empty() {
        return None;
    }
    known.sort_unstable_by(f64::total_cmp);
    let count = known.len() as f64;
    let mean = known.iter().sum::<f64>() / count;
    let variance = known.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
    let quantile = |share: f64| {
        let place = share * (count - 1.0);
        let (low, high) = (known[place.floor() as usize], known[place.ceil() as usize]);
        low + (high - low) * place.fract()
    };
    let mut bounds: Vec<f64> = (0..=bins).map(|bin| quantile(bin as f64 / bins.max(1) as f64)).collect();
    bounds.dedup();
    if bins == 0 || bounds.len() < 3 {
        // Of two different values one bin would tell nothing new.
        bounds.clear();
    }
    let std = if variance > 0.0 { variance.sqrt() } else { 1.0 };
    let has_missing = known.len() < ids.len();
    Some(ColumnSchema::Number(NumberColumn { name, mean, std, median: quantile(0.5), has_missing, bounds }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> TableColumns {
        TableColumns::new(vec![
            TextColumn::new("age", ["1", "2", "3", "?", "100", "200"]),
            TextColumn::new("city", ["b", "a", "a", "b", "c", "c"]),
            TextColumn::new("smokes", ["true", "False", "", "true", "true", "true"]),
            TextColumn::new("name", ["p", "q", "r", "s", "t", "t"]),
        ])
    }

    #[test]
    fn statistics_are_those_of_the_given_rows() {
        let schema = TableSchema::fit("t", &table(), &[0, 1, 2, 3], 2).unwrap();
        let [ColumnSchema::Number(age), ColumnSchema::Category(city), ColumnSchema::Number(smokes)] =
            schema.columns.as_slice()
        else {
            panic!("{schema:?}")
        };
        assert_eq!((age.mean, age.median, age.has_missing), (2.0, 2.0, true));
        assert!((age.std - (2.0f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(age.bounds, [1.0, 2.0, 3.0]);
        assert_eq!((city.values.as_slice(), smokes.bounds.len()), (&["a".to_owned(), "b".to_owned()][..], 0));
        assert_eq!((schema.number_width(), schema.category_width(), schema.category_rows()), (6, 1, 4));
        let again: TableSchema = serde_json::from_str(&serde_json::to_string(&schema).unwrap()).unwrap();
        assert_eq!(again, schema);
        let names = TableColumns::new(vec![TextColumn::new("name", ["p", "q"])]);
        assert!(TableSchema::fit("t", &names, &[0, 1], 2).is_err());
    }

    #[test]
    fn rows_outside_of_training_leave_no_trace() {
        let other = |last: &str, city: &str| {
            let mut columns = table().columns()[..3].to_vec();
            columns[0] = TextColumn::new("age", ["1", "2", "3", "?", last, last]);
            columns[1] = TextColumn::new("city", ["b", "a", "a", "b", city, city]);
            TableSchema::fit("t", &TableColumns::new(columns), &[0, 1, 2, 3], 4).unwrap()
        };
        assert_eq!(other("1e9", "z"), other("-5", "y"));
    }
}

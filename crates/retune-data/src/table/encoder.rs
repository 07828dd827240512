//! [`TableEncoder`]: from the rows of a table to what the network takes.

use super::columns::TableColumns;
use super::schema::{CategoryColumn, ColumnSchema, NumberColumn, TableSchema, number};
use crate::error::DataError;

/// A schema at work on one table: each different text of a column is looked up once.
#[derive(Debug)]
pub struct TableEncoder {
    numbers: Vec<Numbers>,
    categories: Vec<Categories>,
    number_width: usize,
}

#[derive(Debug)]
struct Numbers {
    /// The column in the table.
    column: usize,
    schema: NumberColumn,
    /// Of each different text the number; nothing where it is none.
    values: Vec<Option<f64>>,
}

#[derive(Debug)]
struct Categories {
    column: usize,
    /// Of each different text the index.
    indices: Vec<i32>,
    missing: i32,
}

impl TableEncoder {
    /// The encoder of a table. Columns that the schema does not know are left alone.
    ///
    /// # Errors
    /// A column of the schema that the table does not have.
    pub fn new(place: &str, schema: &TableSchema, table: &TableColumns) -> Result<TableEncoder, DataError> {
        let (mut numbers, mut categories, mut offset) = (Vec::new(), Vec::new(), 0);
        for of_schema in &schema.columns {
            let name = of_schema.name();
            let Some(column) = table.columns().iter().position(|column| column.name() == name) else {
                let known: Vec<&str> = table.columns().iter().map(|column| column.name()).collect();
                let expected = format!("a column `{name}`, as the model was trained on");
                return Err(DataError::setting(format!("columns of {place}"), expected, known.join(", ")));
            };
            let texts = table.columns()[column].values();
            match of_schema {
                ColumnSchema::Number(schema) => {
                    let values = texts.iter().map(|text| number(text)).collect();
                    numbers.push(Numbers { column, schema: schema.clone(), values });
                }
                ColumnSchema::Category(schema) => {
                    let CategoryColumn { values, .. } = schema;
                    let index = |text: &String| values.binary_search(text).map_or(0, |place| place + 2);
                    let indices = texts.iter().map(|text| (offset + index(text)) as i32).collect();
                    categories.push(Categories { column, indices, missing: (offset + 1) as i32 });
                    offset += schema.indices();
                }
            }
        }
        Ok(TableEncoder { numbers, categories, number_width: schema.number_width() })
    }

    /// Why a row cannot be used, if so: a text where the schema has numbers.
    pub fn problem(&self, table: &TableColumns, row: usize) -> Option<String> {
        self.numbers.iter().find_map(|numbers| {
            let code = table.columns()[numbers.column].code(row)?;
            let text = &table.columns()[numbers.column].values()[code];
            numbers.values[code]
                .is_none()
                .then(|| format!("column `{}`: expected a number, found `{text}`", numbers.schema.name))
        })
    }

    /// The normalized numbers of a row, one for each column; the median's for those that are missing.
    pub fn normalized(&self, table: &TableColumns, row: usize) -> Vec<f32> {
        let normalized = |numbers: &Numbers| {
            let NumberColumn { mean, std, .. } = numbers.schema;
            ((numbers.value(table, row).unwrap_or(numbers.schema.median) - mean) / std) as f32
        };
        self.numbers.iter().map(normalized).collect()
    }

    /// All that the network takes of a row's numbers, of which `normalized` are those of [`normalized`](Self::normalized), maybe with noise.
    ///
    /// # Panics
    /// `out` of another length than [`TableSchema::number_width`].
    pub fn numbers(&self, table: &TableColumns, row: usize, normalized: &[f32], out: &mut [f32]) {
        assert_eq!(out.len(), self.number_width, "as many numbers as the schema has");
        let mut at = 0;
        let mut push = |value: f32| {
            out[at] = value;
            at += 1;
        };
        for (numbers, &z) in self.numbers.iter().zip(normalized) {
            push(z);
            let x = f64::from(z) * numbers.schema.std + numbers.schema.mean;
            for pair in numbers.schema.bounds.windows(2) {
                push(((x - pair[0]) / (pair[1] - pair[0])).clamp(0.0, 1.0) as f32);
            }
        }
        for numbers in self.numbers.iter().filter(|numbers| numbers.schema.has_missing) {
            push(f32::from(u8::from(numbers.value(table, row).is_none())));
        }
    }

    /// The indices of a row's categories, those of each column behind those of the columns before it.
    pub fn categories<'a>(&'a self, table: &'a TableColumns, row: usize) -> impl Iterator<Item = i32> + 'a {
        self.categories.iter().map(move |categories| {
            let code = table.columns()[categories.column].code(row);
            code.map_or(categories.missing, |code| categories.indices[code])
        })
    }
}

impl Numbers {
    fn value(&self, table: &TableColumns, row: usize) -> Option<f64> {
        table.columns()[self.column].code(row).and_then(|code| self.values[code])
    }
}

#[cfg(test)]
mod tests {
    use super::super::columns::TextColumn;
    use super::*;

    #[test]
    fn what_is_not_known_has_its_own_index() {
        let train = TableColumns::new(vec![
            TextColumn::new("city", ["a", "b", "a", "b"]),
            TextColumn::new("age", ["0", "2", "", "4"]),
            TextColumn::new("size", ["s", "s", "m", "m"]),
        ]);
        let schema = TableSchema::fit("t", &train, &[0, 1, 2, 3], 2).unwrap();
        // Other columns, in another order, with more beside them.
        let other = TableColumns::new(vec![
            TextColumn::new("size", ["m", "xl", "?"]),
            TextColumn::new("id", ["1", "2", "3"]),
            TextColumn::new("age", ["3", "", "old"]),
            TextColumn::new("city", ["c", "", "b"]),
        ]);
        let encoder = TableEncoder::new("t", &schema, &other).unwrap();
        let categories = |row| encoder.categories(&other, row).collect::<Vec<_>>();
        assert_eq!([categories(0), categories(1), categories(2)], [[0, 6], [1, 4], [3, 5]]);
        let numbers = |row| {
            let mut out = vec![9.0; schema.number_width()];
            encoder.numbers(&other, row, &encoder.normalized(&other, row), &mut out);
            out
        };
        let std = (8.0f32 / 3.0).sqrt();
        let close = |found: Vec<f32>, expected: [f32; 4]| {
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{found:?}");
        };
        close(numbers(0), [1.0 / std, 1.0, 0.5, 0.0]);
        close(numbers(1), [0.0, 1.0, 0.0, 1.0]);
        assert_eq!(encoder.problem(&other, 0), None);
        assert_eq!(encoder.problem(&other, 2).unwrap(), "column `age`: expected a number, found `old`");
        let without = TableColumns::new(vec![TextColumn::new("age", ["1"])]);
        let error = TableEncoder::new("t", &schema, &without).unwrap_err().to_string();
        assert!(error.contains("`city`"), "{error}");
    }
}

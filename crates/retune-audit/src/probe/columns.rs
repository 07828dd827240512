//! Features of the rows of a table: numbers brought to mean 0 and variance 1, categories as one column each.

use super::Features;
use crate::collection::Table;
use crate::findings::columns::{Fault, fault, is_none};
use std::collections::BTreeMap;

/// Categories of a column beyond which it is left out: they would be names rather than categories.
const MOST_CATEGORIES: usize = 50;

/// Features of these rows, without the label and without columns that are names of the rows or the label in disguise. A missing number is
/// the mean, and a column beside it says so.
pub fn features(table: &Table, rows: &[usize]) -> Features {
    let mut columns: Vec<Vec<f32>> = Vec::new();
    for column in (0..table.width()).filter(|&column| Some(column) != table.label_column()) {
        if matches!(fault(table, column), None | Some(Fault::MostlyMissing)) {
            let cells: Vec<Option<&str>> =
                rows.iter().map(|&row| table.cell(row, column).filter(|cell| !is_none(cell))).collect();
            columns.extend(numbers(&cells).unwrap_or_else(|| categories(&cells)));
        }
    }
    let width = columns.len();
    let values = (0..rows.len()).flat_map(|row| columns.iter().map(move |column| column[row]));
    Features::dense(width, values.collect())
}

/// The column of numbers, and, where some are missing, that which marks them; `None` where a cell is no number.
fn numbers(cells: &[Option<&str>]) -> Option<Vec<Vec<f32>>> {
    let parse = |cell: &str| cell.parse::<f32>().ok().filter(|number| number.is_finite());
    let numbers: Option<Vec<f32>> = cells.iter().flatten().map(|cell| parse(cell)).collect();
    let numbers = numbers.filter(|numbers| !numbers.is_empty())?;
    let mean = (numbers.iter().map(|&x| f64::from(x)).sum::<f64>() / numbers.len() as f64) as f32;
    let values = cells.iter().map(|cell| cell.and_then(parse).unwrap_or(mean)).collect();
    let missing = cells.iter().map(|cell| f32::from(u8::from(cell.is_none()))).collect();
    Some(if numbers.len() == cells.len() { vec![values] } else { vec![values, missing] })
}

/// A column for each category, which is 1 where the row is of it.
fn categories(cells: &[Option<&str>]) -> Vec<Vec<f32>> {
    let mut columns: BTreeMap<&str, Vec<f32>> = BTreeMap::new();
    for (row, cell) in cells.iter().enumerate() {
        let Some(cell) = cell else { continue };
        columns.entry(cell).or_insert_with(|| vec![0.0; cells.len()])[row] = 1.0;
        if columns.len() > MOST_CATEGORIES {
            return Vec::new();
        }
    }
    columns.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_numbers_are_the_mean_and_marked() {
        assert_eq!(numbers(&[Some("1"), None, Some("3")]), Some(vec![vec![1.0, 2.0, 3.0], vec![0.0, 1.0, 0.0]]));
        assert_eq!(numbers(&[Some("1"), Some("2e1")]), Some(vec![vec![1.0, 20.0]]));
        assert_eq!(numbers(&[Some("1"), Some("red")]), None);
    }

    #[test]
    fn each_category_has_a_column() {
        assert_eq!(categories(&[Some("red"), None, Some("blue"), Some("red")]), [[0., 0., 1., 0.], [1., 0., 0., 1.]]);
        let names: Vec<String> = (0..99).map(|i| i.to_string()).collect();
        assert!(categories(&names.iter().map(|name| Some(name.as_str())).collect::<Vec<_>>()).is_empty());
    }
}

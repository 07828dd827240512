//! [`Features`]: rows of numbers, dense or sparse.

/// A row of numbers for each example.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    width: usize,
    /// Columns of the values, row after row; empty where every row has every column.
    columns: Vec<u32>,
    values: Vec<f32>,
    /// Where each row begins, and the end of the last.
    starts: Vec<usize>,
}

impl Features {
    /// Rows of `width` values each, such as the outputs of a frozen model; each column brought to mean 0 and variance 1.
    /// A column without variance becomes 0.
    pub fn dense(width: usize, values: Vec<f32>) -> Features {
        let rows = values.len().checked_div(width).unwrap_or(0);
        Features::dense_by(width, values, rows)
    }

    /// The same by mean and variance of the first `seen` rows alone, such as those that a probe learns from.
    pub fn dense_by(width: usize, mut values: Vec<f32>, seen: usize) -> Features {
        let rows = values.len().checked_div(width).unwrap_or(0);
        let seen = seen.min(rows);
        for column in 0..width {
            let of = || (0..seen).map(|row| f64::from(values[row * width + column]));
            let mean = of().sum::<f64>() / seen.max(1) as f64;
            let variance = of().map(|value| (value - mean).powi(2)).sum::<f64>() / seen.max(1) as f64;
            let factor = if variance > 1e-12 { variance.sqrt().recip() } else { 0.0 };
            for row in 0..rows {
                let value = &mut values[row * width + column];
                *value = ((f64::from(*value) - mean) * factor) as f32;
            }
        }
        Features { width, columns: Vec::new(), values, starts: (0..=rows).map(|row| row * width).collect() }
    }

    /// Rows of a few columns each, with their values.
    pub fn sparse(width: usize, rows: impl IntoIterator<Item = Vec<(u32, f32)>>) -> Features {
        let mut features = Features { width, columns: Vec::new(), values: Vec::new(), starts: vec![0] };
        for row in rows {
            features.columns.extend(row.iter().map(|entry| entry.0));
            features.values.extend(row.iter().map(|entry| entry.1));
            features.starts.push(features.values.len());
        }
        features
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Whether every row has every column.
    pub fn is_dense(&self) -> bool {
        self.columns.is_empty()
    }

    /// Columns and values of a row.
    pub fn row(&self, row: usize) -> impl Iterator<Item = (usize, f32)> + '_ {
        let range = self.starts[row]..self.starts[row + 1];
        let first = range.start;
        range.map(move |at| (self.columns.get(at).map_or(at - first, |&column| column as usize), self.values[at]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dense_columns_are_standardized() {
        let features = Features::dense(2, vec![1.0, 5.0, 3.0, 5.0]);
        assert_eq!(features.row(0).collect::<Vec<_>>(), [(0, -1.0), (1, 0.0)]);
        assert_eq!(features.row(1).collect::<Vec<_>>(), [(0, 1.0), (1, 0.0)]);
    }

    #[test]
    fn rows_that_are_not_seen_do_not_count() {
        let features = Features::dense_by(1, vec![1.0, 3.0, 100.0], 2);
        assert_eq!(features.row(1).collect::<Vec<_>>(), [(0, 1.0)]);
        assert_eq!(features.row(2).collect::<Vec<_>>(), [(0, 98.0)]);
    }

    #[test]
    fn sparse_rows_keep_their_columns() {
        let features = Features::sparse(10, [vec![(7, 2.0)], vec![], vec![(1, 1.0), (9, 3.0)]]);
        assert_eq!((features.len(), features.row(1).count()), (3, 0));
        assert_eq!(features.row(2).collect::<Vec<_>>(), [(1, 1.0), (9, 3.0)]);
    }
}

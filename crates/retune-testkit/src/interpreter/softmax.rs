//! Softmax and its logarithm over the last axis, and their gradients.

use crate::array::Array;

/// `f` of each row (last axis), the rows of the result joined again.
fn by_row(x: &Array, f: impl Fn(&[f64]) -> Vec<f64>) -> Array {
    Array::new(&x.shape, x.values.chunks(x.rows().1.max(1)).flat_map(f).collect())
}

/// `max + log Σ exp(x − max)` of a row.
pub(super) fn log_sum_exp(row: &[f64]) -> f64 {
    let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    max + row.iter().map(|x| (x - max).exp()).sum::<f64>().ln()
}

pub(super) fn softmax(x: &Array) -> Array {
    log_softmax(x).map(f64::exp)
}

pub(super) fn log_softmax(x: &Array) -> Array {
    by_row(x, |row| {
        let normalizer = log_sum_exp(row);
        row.iter().map(|x| x - normalizer).collect()
    })
}

/// The sum over the last axis, at every place of the row.
fn row_sums(x: &Array) -> Array {
    by_row(x, |row| vec![row.iter().sum(); row.len()])
}

pub(super) fn softmax_grad(y: &Array, dy: &Array) -> Array {
    let sums = row_sums(&y.zip(dy, |y, dy| y * dy));
    y.zip(&dy.zip(&sums, |dy, sum| dy - sum), |y, difference| y * difference)
}

pub(super) fn log_softmax_grad(y: &Array, dy: &Array) -> Array {
    dy.zip(&y.zip(&row_sums(dy), |y, sum| y.exp() * sum), |dy, share| dy - share)
}

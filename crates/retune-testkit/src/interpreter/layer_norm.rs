//! Layer normalization over the last axes, and its gradients.

use retune_graph::ops::{LayerNorm, LayerNormGradInput, LayerNormGradSums, RowMoments};

use crate::array::Array;

/// Number of values of a row made of the last `axes` axes.
fn row_size(x: &Array, axes: usize) -> usize {
    x.shape[x.shape.len() - axes..].iter().product()
}

pub(super) fn moments(op: &RowMoments, x: &Array) -> Array {
    let size = row_size(x, op.axes);
    let mut values = Vec::new();
    for row in x.values.chunks(size) {
        let mean = row.iter().sum::<f64>() / size as f64;
        values.push(mean);
        values.push(row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / size as f64);
    }
    Array::new(&[&x.shape[..x.shape.len() - op.axes], &[2]].concat(), values)
}

/// `x̂ = (x − mean) / √(variance + epsilon)`.
fn standardized(x: &Array, moments: &Array, axes: usize, epsilon: f32) -> Array {
    let size = row_size(x, axes);
    let values = x.values.chunks(size).zip(moments.values.chunks(2)).flat_map(|(row, moments)| {
        row.iter().map(move |x| (x - moments[0]) / (moments[1] + f64::from(epsilon)).sqrt())
    });
    Array::new(&x.shape, values.collect())
}

pub(super) fn normalize(op: &LayerNorm, x: &Array, moments: &Array, gamma: &Array, beta: &Array) -> Array {
    let standardized = standardized(x, moments, op.axes, op.epsilon);
    Array::from_fn(&x.shape, |i| gamma.at_broadcast(i) * standardized.at(i) + beta.at_broadcast(i))
}

pub(super) fn grad_input(op: &LayerNormGradInput, x: &Array, moments: &Array, gamma: &Array, dy: &Array) -> Array {
    let size = row_size(x, op.axes);
    let standardized = standardized(x, moments, op.axes, op.epsilon);
    let mut values = Vec::new();
    for (row, moments) in moments.values.chunks(2).enumerate() {
        let hat = &standardized.values[row * size..][..size];
        let g: Vec<f64> =
            dy.values[row * size..][..size].iter().zip(&gamma.values).map(|(dy, gamma)| dy * gamma).collect();
        let mean_g = g.iter().sum::<f64>() / size as f64;
        let mean_g_hat = g.iter().zip(hat).map(|(g, hat)| g * hat).sum::<f64>() / size as f64;
        let deviation = (moments[1] + f64::from(op.epsilon)).sqrt();
        values.extend(g.iter().zip(hat).map(|(g, hat)| (g - mean_g - hat * mean_g_hat) / deviation));
    }
    Array::new(&x.shape, values)
}

pub(super) fn grad_sums(op: &LayerNormGradSums, x: &Array, moments: &Array, dy: &Array) -> Array {
    let size = row_size(x, op.axes);
    let standardized = standardized(x, moments, op.axes, op.epsilon);
    let mut sums = vec![0.0; 2 * size];
    for (at, (dy, hat)) in dy.values.iter().zip(&standardized.values).enumerate() {
        sums[at % size] += dy * hat;
        sums[size + at % size] += dy;
    }
    Array::new(&[&[2], &x.shape[x.shape.len() - op.axes..]].concat(), sums)
}

//! Batch normalization by the batch's own moments, and its gradients.

use retune_graph::ops::{Activation, BatchNorm, BatchNormGradInput, BatchNormGradSums};

use super::activation::{derivative, value};
use crate::array::Array;

pub(super) fn moments(x: &Array) -> Array {
    let (n, channels) = x.rows();
    let values = |c: usize| (0..n).map(move |row| x.values[row * channels + c]);
    let mean = |c: usize| values(c).sum::<f64>() / n as f64;
    Array::from_fn(&[2, channels], |i| match i[0] {
        0 => mean(i[1]),
        _ => {
            let mean = mean(i[1]);
            values(i[1]).map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64
        }
    })
}

/// `x̂ = (x − mean) / √(variance + epsilon)`.
fn standardized(x: &Array, moments: &Array, epsilon: f32) -> Array {
    Array::from_fn(&x.shape, |i| {
        let c = i[i.len() - 1];
        (x.at(i) - moments.at(&[0, c])) / (moments.at(&[1, c]) + f64::from(epsilon)).sqrt()
    })
}

pub(super) fn normalize(op: &BatchNorm, x: &Array, moments: &Array, gamma: &Array, beta: &Array) -> Array {
    let standardized = standardized(x, moments, op.epsilon);
    let y = Array::from_fn(&x.shape, |i| gamma.at_broadcast(i) * standardized.at(i) + beta.at_broadcast(i));
    match op.activation {
        Some(activation) => y.map(|y| value(activation, y)),
        None => y,
    }
}

/// `dy · f′(gamma · x̂ + beta)`.
fn masked(activation: Option<Activation>, standardized: &Array, gamma: &Array, beta: &Array, dy: &Array) -> Array {
    Array::from_fn(&dy.shape, |i| {
        let argument = gamma.at_broadcast(i) * standardized.at(i) + beta.at_broadcast(i);
        let slope = activation.map_or(1.0, |activation| {
            let saved = if activation.derivative_from_output() { value(activation, argument) } else { argument };
            derivative(activation, saved)
        });
        dy.at(i) * slope
    })
}

pub(super) fn grad_sums(op: &BatchNormGradSums, inputs: &[&Array]) -> Array {
    let &[x, moments, gamma, beta, dy] = inputs else { unreachable!("the shape rule checked the inputs") };
    let standardized = standardized(x, moments, op.epsilon);
    let dz = masked(op.activation, &standardized, gamma, beta, dy);
    let (rows, channels) = x.rows();
    Array::from_fn(&[2, channels], |i| {
        let positions = (0..rows).map(|row| row * channels + i[1]);
        match i[0] {
            0 => positions.map(|at| dz.values[at] * standardized.values[at]).sum(),
            _ => positions.map(|at| dz.values[at]).sum(),
        }
    })
}

pub(super) fn grad_input(op: &BatchNormGradInput, inputs: &[&Array]) -> Array {
    let &[x, moments, gamma, beta, dy, sums] = inputs else { unreachable!("the shape rule checked the inputs") };
    let standardized = standardized(x, moments, op.epsilon);
    let dz = masked(op.activation, &standardized, gamma, beta, dy);
    let n = x.rows().0 as f64;
    Array::from_fn(&x.shape, |i| {
        let c = i[i.len() - 1];
        let scale = gamma.at(&[c]) / (moments.at(&[1, c]) + f64::from(op.epsilon)).sqrt();
        scale * (dz.at(i) - sums.at(&[1, c]) / n - standardized.at(i) * sums.at(&[0, c]) / n)
    })
}

//! Products with a weight matrix.

use retune_graph::ops::Linear;

use super::activation::value;
use crate::array::Array;

pub(super) fn linear(op: &Linear, x: &Array, w: &Array, bias: Option<&Array>) -> Array {
    let (rows, inner) = x.rows();
    let outputs = w.shape[1];
    let x2 = x.reshaped(&[rows, inner]);
    let y = Array::from_fn(&[rows, outputs], |i| {
        let sum: f64 = (0..inner).map(|k| x2.at(&[i[0], k]) * w.at(&[k, i[1]])).sum();
        let sum = sum + bias.map_or(0.0, |bias| bias.at(&[i[1]]));
        op.activation.map_or(sum, |activation| value(activation, sum))
    });
    let mut shape = x.shape.clone();
    shape[x.shape.len() - 1] = outputs;
    y.reshaped(&shape)
}

//! Reductions over axes, and broadcasting.

use retune_graph::ops::Reduce;
use retune_graph::ops::reduce::Reduction;

use crate::array::{Array, for_each_index};

pub(super) fn reduce(op: &Reduce, x: &Array) -> Array {
    let mut shape = x.shape.clone();
    for &axis in &op.axes {
        shape[axis] = 1;
    }
    let start = match op.reduction {
        Reduction::Sum | Reduction::Mean => 0.0,
        Reduction::Max => f64::NEG_INFINITY,
    };
    let mut y = Array::full(&shape, start);
    for_each_index(&x.shape, |index| {
        let target: Vec<usize> = index.iter().zip(&shape).map(|(&i, &size)| if size == 1 { 0 } else { i }).collect();
        let (x, y) = (x.at(index), y.at_mut(&target));
        match op.reduction {
            Reduction::Sum | Reduction::Mean => *y += x,
            Reduction::Max => *y = y.max(x),
        }
    });
    match op.reduction {
        Reduction::Mean => {
            let count: usize = op.axes.iter().map(|&axis| x.shape[axis]).product();
            y.map(|y| y / count as f64)
        }
        Reduction::Sum | Reduction::Max => y,
    }
}

pub(super) fn broadcast_to(x: &Array, shape: &[usize]) -> Array {
    Array::from_fn(shape, |index| x.at_broadcast(index))
}

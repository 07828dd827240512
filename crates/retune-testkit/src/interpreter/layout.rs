//! Operations that move values without computing.

use retune_graph::ops::{Concat, Pad, Reverse, Slice, Transpose};

use crate::array::Array;

/// `index` with another entry for `axis`.
fn with(index: &[usize], axis: usize, entry: usize) -> Vec<usize> {
    let mut index = index.to_vec();
    index[axis] = entry;
    index
}

pub(super) fn transpose(op: &Transpose, x: &Array, shape: &[usize]) -> Array {
    Array::from_fn(shape, |index| {
        let mut source = vec![0; index.len()];
        for (i, &axis) in op.axes.iter().enumerate() {
            source[axis] = index[i];
        }
        x.at(&source)
    })
}

pub(super) fn slice(op: &Slice, x: &Array) -> Array {
    Array::from_fn(&with(&x.shape, op.axis, op.size), |i| x.at(&with(i, op.axis, op.start + i[op.axis])))
}

pub(super) fn pad(op: &Pad, x: &Array) -> Array {
    let shape: Vec<usize> =
        x.shape.iter().zip(&op.padding).map(|(size, (before, after))| before + size + after).collect();
    Array::from_fn(&shape, |index| {
        let source: Option<Vec<usize>> = (0..index.len())
            .map(|axis| index[axis].checked_sub(op.padding[axis].0).filter(|&i| i < x.shape[axis]))
            .collect();
        source.map_or(0.0, |source| x.at(&source))
    })
}

pub(super) fn concat(op: &Concat, parts: &[&Array], shape: &[usize]) -> Array {
    Array::from_fn(shape, |index| {
        let mut at = index[op.axis];
        for part in parts {
            if at < part.shape[op.axis] {
                return part.at(&with(index, op.axis, at));
            }
            at -= part.shape[op.axis];
        }
        unreachable!("the parts fill the axis")
    })
}

pub(super) fn reverse(op: &Reverse, x: &Array) -> Array {
    let last = x.shape[op.axis].saturating_sub(1);
    Array::from_fn(&x.shape, |i| x.at(&with(i, op.axis, last - i[op.axis])))
}

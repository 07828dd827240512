//! Sequences of tokens: pooling of their rows, and which rows belong to which example.

use retune_graph::ops::{SequencePool, SequencePoolGrad, sequence::Pooling};

use crate::array::Array;

/// First row and number of rows of each sequence: by `lengths`, or of `batch` sequences that share the rows evenly.
pub(super) fn sequences(rows: usize, batch: usize, lengths: Option<&Array>) -> Vec<(usize, usize)> {
    let lengths = match lengths {
        Some(lengths) => lengths.values.iter().map(|&length| length as usize).collect(),
        None => vec![rows / batch; batch],
    };
    assert_eq!(lengths.iter().sum::<usize>(), rows, "sequences of lengths {lengths:?}");
    let starts = lengths.iter().scan(0, |end, length| {
        *end += length;
        Some(*end - length)
    });
    starts.zip(lengths.iter().copied()).collect()
}

/// How much of token `place` of `n` is in the pooled row.
fn share(pooling: Pooling, place: usize, n: usize) -> f64 {
    match pooling {
        Pooling::First => f64::from(u8::from(place == 0)),
        Pooling::Last => f64::from(u8::from(place + 1 == n)),
        Pooling::Mean => 1.0 / n as f64,
    }
}

pub(super) fn pool(op: &SequencePool, x: &Array, lengths: &Array) -> Array {
    let sequences = sequences(x.shape[0], lengths.shape[0], Some(lengths));
    Array::from_fn(&[lengths.shape[0], x.shape[1]], |i| {
        let (start, n) = sequences[i[0]];
        (0..n).map(|place| share(op.0, place, n) * x.at(&[start + place, i[1]])).sum()
    })
}

pub(super) fn pool_grad(op: &SequencePoolGrad, dy: &Array, lengths: &Array, shape: &[usize]) -> Array {
    let mut dx = Array::full(shape, 0.0);
    for (index, (start, n)) in sequences(shape[0], lengths.shape[0], Some(lengths)).into_iter().enumerate() {
        for place in 0..n {
            for column in 0..shape[1] {
                *dx.at_mut(&[start + place, column]) = share(op.0, place, n) * dy.at(&[index, column]);
            }
        }
    }
    dx
}

pub(super) fn prompt(x: &Array, prompt: &Array, lengths: &Array) -> Array {
    let mut y = x.clone();
    for (start, n) in sequences(x.shape[0], lengths.shape[0], Some(lengths)) {
        for place in 0..n.min(prompt.shape[0]) {
            for column in 0..x.shape[1] {
                *y.at_mut(&[start + place, column]) = prompt.at(&[place, column]);
            }
        }
    }
    y
}

pub(super) fn prompt_grad(dy: &Array, lengths: &Array, shape: &[usize]) -> Array {
    let sequences = sequences(dy.shape[0], lengths.shape[0], Some(lengths));
    Array::from_fn(shape, |i| {
        let long = sequences.iter().filter(|(_, n)| i[0] < *n);
        long.map(|(start, _)| dy.at(&[start + i[0], i[1]])).sum()
    })
}

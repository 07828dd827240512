//! Functions of single values and of pairs.

use retune_graph::ops::{Affine, Binary, Unary};

use crate::array::Array;

pub(super) fn unary(op: Unary, x: &Array) -> Array {
    x.map(|x| match op {
        Unary::Exp => x.exp(),
        Unary::Log => x.ln(),
        Unary::Sqrt => x.sqrt(),
        Unary::Rsqrt => 1.0 / x.sqrt(),
        Unary::Reciprocal => 1.0 / x,
        Unary::Square => x * x,
        Unary::Abs => x.abs(),
        Unary::Sign => {
            if x > 0.0 {
                1.0
            } else if x < 0.0 {
                -1.0
            } else {
                0.0
            }
        }
    })
}

pub(super) fn affine(op: &Affine, x: &Array) -> Array {
    x.map(|x| f64::from(op.scale) * x + f64::from(op.offset))
}

pub(super) fn binary(op: Binary, x: &Array, y: &Array, shape: &[usize]) -> Array {
    let truth = |condition: bool| if condition { 1.0 } else { 0.0 };
    Array::from_fn(shape, |index| {
        let (x, y) = (x.at_broadcast(index), y.at_broadcast(index));
        match op {
            Binary::Add => x + y,
            Binary::Sub => x - y,
            Binary::Mul => x * y,
            Binary::Div => x / y,
            Binary::Maximum => x.max(y),
            Binary::Minimum => x.min(y),
            Binary::GreaterEqual => truth(x >= y),
            Binary::Equal => truth(x == y),
        }
    })
}

//! Randomness: the gradient must meet the numbers that the value met.

use retune_graph::ops::{Dropout, Random};
use retune_graph::{Dim, Shape, Symbol};

use super::build::{Case, case, input, rows};

pub fn cases() -> Vec<Case> {
    vec![
        case("dropout", |g| {
            let x = input(g, "x", &[12]);
            g.dropout(x, 0.3, 0)
        }),
        case("dropout of rows flattened into the batch", |g| {
            let x = rows(g, "x", 7, &[3]);
            g.dropout(x, 0.5, 4)
        }),
        case("spatial dropout", |g| {
            let x = input(g, "x", &[2, 3, 6]);
            g.push(Dropout { rate: 0.5, stream: 1, shared_axes: vec![1, 2] }.into(), &[x])
        }),
        case("noise that is added", |g| {
            let x = input(g, "x", &[6]);
            let noise = g.random(Shape::batch_of(&[6]), Random::Normal { mean: 0.0, stddev: 0.5, stream: 2 });
            let y = g.add(x, noise)?;
            g.mul(y, y)
        }),
        case("noise that multiplies", |g| {
            let x = rows(g, "x", 2, &[3]);
            let shape = Shape::new([Dim::Scaled(2, Symbol::Batch), Dim::Fixed(3)]);
            let noise = g.random(shape, Random::Uniform { low: 0.5, high: 1.5, stream: 3 });
            g.mul(x, noise)
        }),
    ]
}

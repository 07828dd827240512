//! Small compositions in which a value is used more than once, as attention and gated units use it.

use retune_graph::Shape;
use retune_graph::ops::Activation;

use super::build::{Case, case, input, integers, weight};

pub fn cases() -> Vec<Case> {
    vec![
        case("self-attention", |g| {
            let (x, wq, wk) = (input(g, "x", &[3, 4]), weight(g, &[4, 4]), weight(g, &[4, 4]));
            let (q, k) = (g.linear(x, wq, None)?, g.linear(x, wk, None)?);
            let scores = g.matmul(q, k, false, true)?;
            let scores = g.affine(scores, 0.5, 0.0)?;
            let shares = g.softmax(scores)?;
            g.matmul(shares, x, false, false)
        }),
        case("gated recurrent steps", |g| {
            let (x, w, u) = (input(g, "x", &[3, 2]), weight(g, &[2, 3]), weight(g, &[3, 3]));
            let mut state = g.fill(Shape::batch_of(&[3]), 0.1);
            for step in 0..3 {
                let now = g.slice(x, 1, step, 1)?;
                let now = g.reshape(now, Shape::batch_of(&[2]))?;
                let (from_input, from_state) = (g.linear(now, w, None)?, g.linear(state, u, None)?);
                let sum = g.add(from_input, from_state)?;
                let (gate, value) = (g.activate(sum, Activation::Sigmoid)?, g.activate(sum, Activation::Tanh)?);
                state = g.mul(gate, value)?;
            }
            Ok(state)
        }),
        case("masked embedding", |g| {
            let (table, ids) = (weight(g, &[3, 4]), integers(g, "ids", &[5]));
            let rows = g.gather(table, ids)?;
            let mask = g.push(retune_graph::ops::Cast.into(), &[ids])?;
            let mask = g.reshape(mask, Shape::batch_of(&[5, 1]))?;
            g.mul(rows, mask)
        })
        .batch(3),
    ]
}

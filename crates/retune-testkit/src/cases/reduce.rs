//! Reductions over axes, and broadcasting.

use retune_graph::ops::reduce::Reduction;
use retune_graph::{Dim, Shape, Symbol};

use super::build::{Case, case, input, rows, tokens, weight};

pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        case("broadcast of a vector over the batch", |g| {
            let x = weight(g, &[3]);
            g.broadcast_to(x, &Shape::batch_of(&[2, 3]))
        }),
        case("broadcast of an axis of one", |g| {
            let x = rows(g, "x", 7, &[1, 2]);
            let shape = Shape::new([Dim::Scaled(7, Symbol::Batch), Dim::Fixed(3), Dim::Fixed(2)]);
            g.broadcast_to(x, &shape)
        }),
        case("sum to a smaller shape", |g| {
            let x = input(g, "x", &[3, 2]);
            g.sum_to(x, &Shape::fixed(&[1, 2]))
        }),
    ];
    for reduction in [Reduction::Sum, Reduction::Mean, Reduction::Max] {
        for axes in [&[0][..], &[1], &[2], &[1, 2], &[0, 2], &[0, 1, 2], &[]] {
            cases.push(case(format!("{reduction:?} over {axes:?}"), move |g| {
                let x = input(g, "x", &[3, 4]);
                g.reduce(reduction, x, axes)
            }));
            cases.push(case(format!("{reduction:?} over {axes:?}, removed"), move |g| {
                let x = rows(g, "x", 2, &[2, 3]);
                let y = g.reduce_away(reduction, x, axes)?;
                g.mul(y, y)
            }));
        }
        cases.push(
            case(format!("{reduction:?} over tokens"), move |g| {
                let x = tokens(g, "x", &[3]);
                g.reduce(reduction, x, &[0])
            })
            .tokens(6),
        );
    }
    cases
}

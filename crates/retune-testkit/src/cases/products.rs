//! Matrix products.

use super::build::{Case, case, frozen, input, rows, tokens, weight};

pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        case("linear of vectors", |g| {
            let (x, w, b) = (input(g, "x", &[4]), weight(g, &[4, 3]), weight(g, &[3]));
            g.linear(x, w, Some(b))
        }),
        case("linear without bias, rows flattened into the batch", |g| {
            let (x, w) = (rows(g, "x", 7, &[4]), weight(g, &[4, 3]));
            g.linear(x, w, None)
        }),
        case("linear of three axes", |g| {
            let (x, w, b) = (input(g, "x", &[3, 4]), weight(g, &[4, 2]), weight(g, &[2]));
            g.linear(x, w, Some(b))
        }),
        case("linear of four axes", |g| {
            let (x, w, b) = (input(g, "x", &[2, 2, 3]), weight(g, &[3, 2]), weight(g, &[2]));
            g.linear(x, w, Some(b))
        }),
        case("linear of tokens", |g| {
            let (x, w, b) = (tokens(g, "x", &[4]), weight(g, &[4, 2]), weight(g, &[2]));
            g.linear(x, w, Some(b))
        })
        .tokens(5),
        case("linear with a frozen weight", |g| {
            let (x, w, b) = (input(g, "x", &[4]), frozen(g, &[4, 3]), weight(g, &[3]));
            g.linear(x, w, Some(b))
        }),
    ];
    for (ta, tb) in [(false, false), (false, true), (true, false), (true, true)] {
        cases.push(case(format!("matmul, transposed {ta} {tb}"), move |g| {
            let a = weight(g, if ta { &[4, 3] } else { &[3, 4] });
            let b = weight(g, if tb { &[2, 4] } else { &[4, 2] });
            g.matmul(a, b, ta, tb)
        }));
        cases.push(case(format!("batched matmul, transposed {ta} {tb}"), move |g| {
            let a = input(g, "a", if ta { &[2, 4, 3] } else { &[2, 3, 4] });
            let b = input(g, "b", if tb { &[2, 5, 4] } else { &[2, 4, 5] });
            g.matmul(a, b, ta, tb)
        }));
    }
    cases
}

//! Functions of single values and of pairs.

use retune_graph::ops::{Binary, Unary};
use retune_graph::{DType, Graph, Shape};

use super::build::{Built, Case, case, input, rows, tokens, weight};

/// Functions with a gradient.
const BINARY: [Binary; 6] = [Binary::Add, Binary::Sub, Binary::Mul, Binary::Div, Binary::Maximum, Binary::Minimum];

fn unary(f: Unary) -> impl Fn(&mut Graph) -> Built {
    move |g| {
        let x = input(g, "x", &[12]);
        g.unary(f, x)
    }
}

/// `f(x, y)` and `f(y, x)` of an input of rows and a weight, added.
fn both_ways(f: Binary, x_dims: &'static [usize], y_dims: &'static [usize]) -> impl Fn(&mut Graph) -> Built {
    move |g| {
        let (x, y) = (input(g, "x", x_dims), weight(g, y_dims));
        let (one, other) = (g.binary(f, x, y)?, g.binary(f, y, x)?);
        let other = g.affine(other, 3.0, 1.0)?;
        g.add(one, other)
    }
}

pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        case("affine", |g| {
            let x = input(g, "x", &[4]);
            g.affine(x, -1.5, 0.25)
        }),
        case("a value used twice", |g| {
            let x = input(g, "x", &[4]);
            g.mul(x, x)
        }),
        case("sign passes no gradient", |g| {
            let x = input(g, "x", &[4]);
            let sign = g.unary(Unary::Sign, x)?;
            g.mul(sign, x)
        }),
        case("comparisons pass no gradient", |g| {
            let (x, y) = (input(g, "x", &[4]), input(g, "y", &[4]));
            let (larger, equal) = (g.binary(Binary::GreaterEqual, x, y)?, g.binary(Binary::Equal, x, y)?);
            let mask = g.add(larger, equal)?;
            let (left, right) = (g.mul(mask, x)?, g.mul(y, y)?);
            g.add(left, right)
        }),
        case("a batch of vectors and a column", |g| {
            let (x, y) = (rows(g, "x", 7, &[3]), rows(g, "y", 7, &[1]));
            g.mul(x, y)
        }),
        case("a token axis", |g| {
            let (x, y) = (tokens(g, "x", &[3]), weight(g, &[3]));
            g.div(x, y)
        })
        .tokens(5)
        .range(0.5, 2.0),
        case("a scalar", |g| {
            let (x, y) = (input(g, "x", &[3]), weight(g, &[]));
            g.mul(x, y)
        }),
        case("a row for the whole batch", |g| {
            let (x, y) = (g.input("x", Shape::fixed(&[1, 3]), DType::F32), input(g, "y", &[3]));
            g.mul(y, x)
        }),
    ];
    for f in [Unary::Exp, Unary::Square] {
        cases.push(case(format!("{f:?}"), unary(f)));
    }
    for f in [Unary::Log, Unary::Sqrt, Unary::Rsqrt, Unary::Reciprocal] {
        cases.push(case(format!("{f:?}"), unary(f)).range(0.5, 3.0));
    }
    cases.push(case("Abs", unary(Unary::Abs)).kinks(&[0.0]));
    for f in BINARY {
        // Divisors stay away from zero, and with this seed no value of x comes near one of y, where a maximum has a kink.
        for (x, y) in [
            (&[3, 4][..], &[3, 4][..]),
            (&[3, 4], &[4]),
            (&[3, 4], &[3, 1]),
            (&[3, 1], &[1, 4]),
            (&[1, 4], &[3, 1]),
            (&[3, 4], &[1]),
        ] {
            cases.push(case(format!("{f:?} of {x:?} and {y:?}"), both_ways(f, x, y)).range(0.5, 2.0).seed(1));
        }
    }
    cases
}

//! Operations that move values.

use retune_graph::{Dim, Shape, Symbol};

use super::build::{Case, case, input, rows, weight};

pub fn cases() -> Vec<Case> {
    vec![
        case("reshape into the batch and back", |g| {
            let x = input(g, "x", &[7, 2]);
            let rows = g.reshape(x, Shape::new([Dim::Scaled(7, Symbol::Batch), Dim::Fixed(2)]))?;
            let squared = g.mul(rows, rows)?;
            g.reshape(squared, Shape::batch_of(&[2, 7]))
        }),
        case("transpose of three axes", |g| {
            let x = input(g, "x", &[2, 3]);
            g.transpose(x, &[2, 0, 1])
        }),
        case("transpose of four axes", |g| {
            let x = input(g, "x", &[2, 3, 4]);
            g.transpose(x, &[0, 3, 1, 2])
        }),
        case("transpose of a matrix", |g| {
            let x = weight(g, &[2, 3]);
            g.transpose(x, &[1, 0])
        }),
        case("slice", |g| {
            let x = input(g, "x", &[5, 2]);
            g.slice(x, 1, 1, 3)
        }),
        case("slices that tile", |g| {
            let x = input(g, "x", &[5, 2]);
            let (a, b) = (g.slice(x, 1, 0, 2)?, g.slice(x, 1, 2, 3)?);
            let (a, b) = (g.mul(a, a)?, g.affine(b, 2.0, 1.0)?);
            g.concat(&[b, a], 1)
        }),
        case("slices with gaps", |g| {
            let x = input(g, "x", &[7]);
            let (a, b) = (g.slice(x, 1, 4, 2)?, g.slice(x, 1, 1, 2)?);
            g.mul(a, b)
        }),
        case("slices that overlap", |g| {
            let x = input(g, "x", &[4]);
            let (a, b) = (g.slice(x, 1, 0, 3)?, g.slice(x, 1, 1, 3)?);
            g.mul(a, b)
        }),
        case("slices along two axes, and the whole", |g| {
            let x = input(g, "x", &[4, 4]);
            let (a, b) = (g.slice(x, 1, 0, 2)?, g.slice(x, 1, 2, 2)?);
            let (c, d) = (g.slice(x, 2, 0, 2)?, g.slice(x, 2, 2, 2)?);
            let (rows, columns) = (g.mul(a, b)?, g.mul(c, d)?);
            let columns = g.transpose(columns, &[0, 2, 1])?;
            let both = g.mul(rows, columns)?;
            let part = g.slice(x, 1, 1, 2)?;
            g.add(both, part)
        }),
        case("pad", |g| {
            let x = input(g, "x", &[2, 3]);
            g.pad(x, &[(0, 0), (1, 2), (3, 0)])
        }),
        case("concatenation along the last axis", |g| {
            let (x, y) = (rows(g, "x", 7, &[2]), rows(g, "y", 7, &[3]));
            g.concat(&[x, y, x], 1)
        }),
        case("concatenation with a weight", |g| {
            let (x, y) = (weight(g, &[2, 3]), weight(g, &[1, 3]));
            g.concat(&[y, x], 0)
        }),
        case("reverse", |g| {
            let x = input(g, "x", &[4, 2]);
            let reversed = g.reverse(x, 1)?;
            g.mul(reversed, x)
        }),
    ]
}

//! Batch normalization and layer normalization.

use retune_graph::ops::reduce::Reduction;
use retune_graph::{Graph, NodeId, Shape};

use super::build::{Built, Case, case, frozen, input, rows, tokens, weight};

fn batch_norm(g: &mut Graph, x: NodeId, channels: usize, epsilon: f32) -> Built {
    let (gamma, beta) = (weight(g, &[channels]), weight(g, &[channels]));
    Ok(g.batch_norm(x, gamma, beta, epsilon)?.0)
}

fn layer_norm(g: &mut Graph, x: NodeId, row: &[usize], epsilon: f32) -> Built {
    let (gamma, beta) = (weight(g, row), weight(g, row));
    g.layer_norm(x, gamma, beta, row.len(), epsilon)
}

pub fn cases() -> Vec<Case> {
    vec![
        case("batch norm of images", |g| {
            let x = input(g, "x", &[2, 3, 2]);
            batch_norm(g, x, 2, 1e-3)
        }),
        case("batch norm of vectors", |g| {
            let x = rows(g, "x", 3, &[4]);
            batch_norm(g, x, 4, 1e-5)
        }),
        case("batch norm with a frozen scale", |g| {
            let (x, gamma, beta) = (input(g, "x", &[3, 2]), frozen(g, &[2]), weight(g, &[2]));
            Ok(g.batch_norm(x, gamma, beta, 1e-3)?.0)
        }),
        case("batch norm of data, of which only scale and shift are trained", |g| {
            let x = frozen(g, &[6, 2]);
            batch_norm(g, x, 2, 1e-3)
        }),
        case("layer norm over one axis", |g| {
            let x = input(g, "x", &[3, 5]);
            layer_norm(g, x, &[5], 1e-3)
        }),
        case("layer norm over two axes", |g| {
            let x = input(g, "x", &[3, 4]);
            layer_norm(g, x, &[3, 4], 1e-5)
        }),
        case("layer norm of tokens", |g| {
            let x = tokens(g, "x", &[4]);
            layer_norm(g, x, &[4], 1e-12)
        })
        .tokens(5),
        case("layer norm with a frozen scale", |g| {
            let (x, gamma, beta) = (input(g, "x", &[4]), frozen(g, &[4]), weight(g, &[4]));
            g.layer_norm(x, gamma, beta, 1, 1e-3)
        }),
        case("group norm, as layers build it", |g| {
            let (x, gamma, beta) = (input(g, "x", &[2, 2, 4]), weight(g, &[4]), weight(g, &[4]));
            let groups = g.reshape(x, Shape::batch_of(&[4, 2, 2]))?;
            let groups = g.transpose(groups, &[0, 2, 1, 3])?;
            let mean = g.reduce(Reduction::Mean, groups, &[2, 3])?;
            let centred = g.sub(groups, mean)?;
            let squared = g.mul(centred, centred)?;
            let variance = g.reduce(Reduction::Mean, squared, &[2, 3])?;
            let variance = g.affine(variance, 1.0, 1e-3)?;
            let scale = g.unary(retune_graph::ops::Unary::Rsqrt, variance)?;
            let normal = g.mul(centred, scale)?;
            let normal = g.transpose(normal, &[0, 2, 1, 3])?;
            let normal = g.reshape(normal, Shape::batch_of(&[2, 2, 4]))?;
            let scaled = g.mul(normal, gamma)?;
            g.add(scaled, beta)
        }),
    ]
}

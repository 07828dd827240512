//! Vectors of whole texts: their length, and the angle between two.

use retune_graph::ops::Unary;
use retune_graph::ops::reduce::Reduction;
use retune_graph::{Dim, NodeId, Shape};

use crate::error::Result;
use crate::torch::builder::Builder;

/// Added to the square of a length before its root is taken, as in `torch.nn.functional.normalize` (whose bound is 1e-12).
const LENGTH_EPSILON: f32 = 1e-24;

/// Rows divided by their length: `x / ‖x‖`.
pub(super) fn unit_length(b: &mut Builder<'_>, x: NodeId) -> Result<NodeId> {
    let squares = b.graph.unary(Unary::Square, x)?;
    let sums = b.graph.reduce(Reduction::Sum, squares, &[1])?;
    let sums = b.graph.affine(sums, 1.0, LENGTH_EPSILON)?;
    let scale = b.graph.unary(Unary::Rsqrt, sums)?;
    Ok(b.graph.mul(x, scale)?)
}

/// `u · v / (‖u‖ ‖v‖)` of the two rows of each example: `[2 · Batch, width]` to `[Batch, 1]`.
pub(super) fn cosine(b: &mut Builder<'_>, rows: NodeId) -> Result<NodeId> {
    let rows = unit_length(b, rows)?;
    let width = b.graph.shape(rows)[1];
    let pairs = b.graph.reshape(rows, Shape::new([Dim::BATCH, Dim::Fixed(2), width]))?;
    let (first, second) = (b.graph.slice(pairs, 1, 0, 1)?, b.graph.slice(pairs, 1, 1, 1)?);
    let products = b.graph.mul(first, second)?;
    Ok(b.graph.reduce_away(Reduction::Sum, products, &[2])?)
}

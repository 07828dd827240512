//! Windows of tokens: how they are cut, shifted, masked, and what is added to their scores.

use retune_graph::ops::Binary;
use retune_graph::{Dim, NodeId, Shape};

use crate::error::Result;
use crate::initializer::Initializer;
use crate::torch::builder::{Builder, Spec};
use crate::torch::layout::TorchLayout;

/// What the mask adds to the scores of tokens that must not see each other.
const MASKED: f32 = -100.0;

/// A square of tokens and how it falls into windows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    pub(super) window: usize,
    pub(super) shift: usize,
}

impl Grid {
    /// Windows along height and width; those at the far edges may reach beyond the image.
    pub(super) fn windows(&self) -> [usize; 2] {
        [self.height, self.width].map(|size| size.div_ceil(self.window))
    }
}

/// What is added to the scores: `[windows or 1, heads, tokens, tokens]`.
pub(super) fn biases(b: &mut Builder<'_>, layer: &str, grid: Grid, heads: usize) -> Result<NodeId> {
    let window = grid.window;
    let (side, tokens) = (2 * window - 1, window * window);
    let initializer = Initializer::TruncatedNormal { mean: 0.0, stddev: 0.02 };
    let shape = [side * side, heads];
    let spec = Spec { shape: &shape, layout: TorchLayout::Same, decays: false, initializer, class: "Parameter" };
    let table = b.weight(layer, "relative_position_bias_table", spec);
    // Row (w − 1 + y − y′)·(2w − 1) + (w − 1 + x − x′) is that of a query at (y, x) and a key at (y′, x′): from back to
    // front, the keys of one query are a square of the table.
    let table = b.graph.reshape(table, Shape::fixed(&[side, side, heads]))?;
    let table = b.graph.reverse(table, 0)?;
    let table = b.graph.reverse(table, 1)?;
    let mut columns = Vec::with_capacity(window);
    for x in 0..window {
        let keys = b.graph.slice(table, 1, window - 1 - x, window)?;
        columns.push(b.graph.reshape(keys, Shape::fixed(&[side, 1, window, heads]))?);
    }
    let columns = b.graph.concat(&columns, 1)?;
    let mut rows = Vec::with_capacity(window);
    for y in 0..window {
        let keys = b.graph.slice(columns, 0, window - 1 - y, window)?;
        rows.push(b.graph.reshape(keys, Shape::fixed(&[1, window, window, window, heads]))?);
    }
    // [y, y′, x, x′, head] → [head, y, x, y′, x′]
    let all = b.graph.concat(&rows, 0)?;
    let all = b.graph.transpose(all, &[4, 0, 2, 1, 3])?;
    let bias = b.graph.reshape(all, Shape::fixed(&[1, heads, tokens, tokens]))?;
    if grid.shift == 0 {
        return Ok(bias);
    }
    let mask = mask(b, grid)?;
    Ok(b.graph.add(bias, mask)?)
}

/// `[factor · Batch, sizes…]`.
pub(super) fn batches(factor: usize, sizes: &[usize]) -> Shape {
    Shape::new([Dim::BATCH.times(factor)]).followed_by(&sizes.iter().map(|&size| size.into()).collect::<Vec<_>>())
}

/// Every place `(y, x)` takes the value of `(y + shift, x + shift)`, around the edges.
pub(super) fn rolled(b: &mut Builder<'_>, x: NodeId, shift: usize) -> Result<NodeId> {
    rolled_by(b, x, [shift, shift])
}

/// The same with its own shift for each axis.
pub(super) fn rolled_by(b: &mut Builder<'_>, mut x: NodeId, shifts: [usize; 2]) -> Result<NodeId> {
    for (axis, shift) in [(1, shifts[0]), (2, shifts[1])] {
        if shift > 0 {
            let size = b.size(x, axis);
            let parts = [b.graph.slice(x, axis, shift, size - shift)?, b.graph.slice(x, axis, 0, shift)?];
            x = b.graph.concat(&parts, axis)?;
        }
    }
    Ok(x)
}

/// [`MASKED`] for pairs of tokens of a window that come from opposite edges of the image, else 0: `[windows, 1, tokens, tokens]`.
fn mask(b: &mut Builder<'_>, grid: Grid) -> Result<NodeId> {
    let (window, [down, across]) = (grid.window, grid.windows());
    let rows = opposite(b, grid, down)?;
    let rows = b.graph.reshape(rows, Shape::fixed(&[down, 1, window, 1, window, 1]))?;
    let columns = opposite(b, grid, across)?;
    let columns = b.graph.reshape(columns, Shape::fixed(&[1, across, 1, window, 1, window]))?;
    let either = b.graph.binary(Binary::Maximum, rows, columns)?;
    let tokens = window * window;
    let either = b.graph.reshape(either, Shape::fixed(&[down * across, 1, tokens, tokens]))?;
    Ok(b.graph.affine(either, MASKED, 0.0)?)
}

/// For each of `count` windows along an axis, 1 where one of two places lies before the edge of the image and the other
/// behind it: `[count, window, window]`. Only the last window has such places.
fn opposite(b: &mut Builder<'_>, grid: Grid, count: usize) -> Result<NodeId> {
    let (window, shift) = (grid.window, grid.shift);
    let before = window - shift;
    let ones = |b: &mut Builder<'_>, rows: usize, columns: usize| b.graph.fill(Shape::fixed(&[1, rows, columns]), 1.0);
    let above = ones(b, before, shift);
    let above = b.graph.pad(above, &[(0, 0), (0, 0), (before, 0)])?;
    let below = ones(b, shift, before);
    let below = b.graph.pad(below, &[(0, 0), (0, 0), (0, shift)])?;
    let last = b.graph.concat(&[above, below], 1)?;
    Ok(b.graph.pad(last, &[(count - 1, 0), (0, 0), (0, 0)])?)
}

//! Huber's loss: with e = y − t, `e² / 2` where `|e| ≤ δ`, else `δ |e| − δ² / 2`; the mean over the outputs of an example.
//! Keras and PyTorch agree (PyTorch's `SmoothL1Loss` divides by δ). Huber, 1964.

use retune_graph::ops::{Activation, Unary};
use retune_graph::{Graph, GraphError, NodeId};

/// Output and targets `[Batch, …]`, result of the same shape.
pub fn huber(graph: &mut Graph, output: NodeId, targets: NodeId, delta: f32) -> Result<NodeId, GraphError> {
    let error = graph.sub(output, targets)?;
    // With c = e cut to [−δ, δ], both branches are c · e − c² / 2, and so are their derivatives.
    let cut = graph.activate(error, Activation::Clip { min: -delta, max: delta })?;
    let product = graph.mul(cut, error)?;
    let square = graph.unary(Unary::Square, cut)?;
    let half_square = graph.affine(square, 0.5, 0.0)?;
    graph.sub(product, half_square)
}

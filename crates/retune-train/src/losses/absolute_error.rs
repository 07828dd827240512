//! Mean absolute error: `|t − y|`, the mean over the outputs of an example. Keras and PyTorch agree; the gradient at 0 is 0.

use retune_graph::ops::Unary;
use retune_graph::{Graph, GraphError, NodeId};

/// Output and targets `[Batch, …]`, result of the same shape.
pub fn absolute_error(graph: &mut Graph, output: NodeId, targets: NodeId) -> Result<NodeId, GraphError> {
    let error = graph.sub(output, targets)?;
    graph.unary(Unary::Abs, error)
}

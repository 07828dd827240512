//! Mean squared error: `(t − y)²`, the mean over the outputs of an example. Keras and PyTorch agree.

use retune_graph::ops::Unary;
use retune_graph::{Graph, GraphError, NodeId};

/// Output and targets `[Batch, …]`, result of the same shape.
pub fn squared_error(graph: &mut Graph, output: NodeId, targets: NodeId) -> Result<NodeId, GraphError> {
    let error = graph.sub(output, targets)?;
    graph.unary(Unary::Square, error)
}

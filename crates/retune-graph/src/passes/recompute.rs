//! Computes normalized values anew where gradients read them, instead of keeping them until then.
//!
//! A gradient of a weight reads what its operation was given, often the result of a normalization. The normalization's own gradients
//! read its input, so that is kept anyway; its result follows from it by a few operations a value. Keeping both doubles the memory of a step,
//! and costs the time of writing and reading what costs less to compute. Chen et al., *Training Deep Nets with Sublinear Memory Cost*, 2016,
//! keep less and compute more; here nothing costly is computed twice.

use super::rewrite::{Rewritten, rewrite};
use crate::error::GraphError;
use crate::graph::{Graph, Node, NodeId};
use crate::ops::Op;

/// Repeats each batch normalization among the first `forward` nodes, of which [`crate::gradients`] made the others, just before the first
/// gradient that reads its result. The values are the same to the bit.
pub fn recompute_normalization(old: &Graph, outputs: &[NodeId], forward: usize) -> Result<Rewritten, GraphError> {
    let is_kept = |id: NodeId| !matches!(old.node(id).op, Op::BatchNorm(_)) || outputs.contains(&id);
    let mut repeated: Vec<Option<NodeId>> = vec![None; forward];
    rewrite(old, outputs, |graph, id, node, inputs| {
        if id.0 < forward {
            return Ok(None);
        }
        let mut inputs = inputs.to_vec();
        for (input, &read) in inputs.iter_mut().zip(&node.inputs) {
            if read.0 < forward && !is_kept(read) {
                let again = repeated[read.0].unwrap_or_else(|| {
                    let normalization = graph.node(*input).clone();
                    graph.append(normalization)
                });
                repeated[read.0] = Some(again);
                *input = again;
            }
        }
        Ok(Some(graph.append(Node { inputs, ..node.clone() })))
    })
}

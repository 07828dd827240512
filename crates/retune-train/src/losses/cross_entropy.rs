//! Cross-entropy over classes that exclude one another: `−Σₖ tₖ log pₖ`.
//!
//! From logits, p is their softmax. From probabilities, Keras's formulas: sparse takes `p / Σp` after clipping p to
//! `[1e-7, 1 − 1e-7]`, categorical clips after dividing. With label smoothing ε the target is `t (1 − ε) + ε / classes`
//! (PyTorch agrees; Keras's sparse loss has none). Szegedy et al., *Rethinking the Inception architecture*, 2016.

use super::{Ending, Output, clipped};
use retune_graph::ops::Unary;
use retune_graph::ops::reduce::Reduction;
use retune_graph::{Graph, GraphError, NodeId};

/// The logits to take the loss from, if the output are logits or shows them.
fn logits(output: Output, from_logits: bool) -> Option<NodeId> {
    match (from_logits, output.ending) {
        (true, _) => Some(output.node),
        (false, Ending::Softmax) => output.logits,
        (false, _) => None,
    }
}

/// Against class indices: output `[…, classes]`, targets `[…]`, result `[…]`.
pub fn sparse(
    graph: &mut Graph,
    output: Output,
    targets: NodeId,
    from_logits: bool,
    smoothing: f32,
) -> Result<NodeId, GraphError> {
    let logits = match logits(output, from_logits) {
        Some(logits) => logits,
        None => {
            let probabilities = clipped(graph, output.node)?;
            graph.unary(Unary::Log, probabilities)?
        }
    };
    graph.softmax_cross_entropy(logits, targets, smoothing)
}

/// Against probabilities: output and targets `[…, classes]`, result `[…]`.
pub fn categorical(
    graph: &mut Graph,
    output: Output,
    targets: NodeId,
    from_logits: bool,
    smoothing: f32,
) -> Result<NodeId, GraphError> {
    if let Some(logits) = logits(output, from_logits) {
        return graph.softmax_cross_entropy(logits, targets, smoothing);
    }
    let last = graph.shape(output.node).rank().saturating_sub(1);
    let classes = graph.shape(output.node).last().and_then(|dim| dim.fixed()).unwrap_or(1);
    let total = graph.reduce(Reduction::Sum, output.node, &[last])?;
    let probabilities = graph.div(output.node, total)?;
    let probabilities = clipped(graph, probabilities)?;
    let logs = graph.unary(Unary::Log, probabilities)?;
    let targets = graph.affine(targets, 1.0 - smoothing, smoothing / classes as f32)?;
    let products = graph.mul(targets, logs)?;
    let sums = graph.reduce_away(Reduction::Sum, products, &[last])?;
    graph.affine(sums, -1.0, 0.0)
}

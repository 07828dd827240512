//! Cross-entropy of independent yes/no outputs: `−t log p − (1 − t) log(1 − p)`, the mean over the outputs of an example.
//!
//! From logits x: `log(1 + eˣ) − x t`. From probabilities, p is first clipped to `[1e-7, 1 − 1e-7]` (Keras; PyTorch limits the
//! logarithms to −100 instead). With label smoothing ε the target is `t (1 − ε) + ε / 2`.

use super::{Ending, Output, clipped};
use retune_graph::ops::{Activation, Unary};
use retune_graph::{Graph, GraphError, NodeId};

/// Output and targets `[Batch, …]`, result of the same shape.
pub fn binary(
    graph: &mut Graph,
    output: Output,
    targets: NodeId,
    from_logits: bool,
    smoothing: f32,
) -> Result<NodeId, GraphError> {
    let targets = graph.affine(targets, 1.0 - smoothing, 0.5 * smoothing)?;
    let logits = match (from_logits, output.ending) {
        (true, _) => Some(output.node),
        (false, Ending::Sigmoid) => output.logits,
        (false, _) => None,
    };
    if let Some(x) = logits {
        let softplus = graph.activate(x, Activation::Softplus)?;
        let product = graph.mul(x, targets)?;
        return graph.sub(softplus, product);
    }
    let p = clipped(graph, output.node)?;
    let log_yes = graph.unary(Unary::Log, p)?;
    let no = graph.affine(p, -1.0, 1.0)?;
    let log_no = graph.unary(Unary::Log, no)?;
    let yes = graph.mul(targets, log_yes)?;
    let not_targets = graph.affine(targets, -1.0, 1.0)?;
    let no = graph.mul(not_targets, log_no)?;
    let sum = graph.add(yes, no)?;
    graph.affine(sum, -1.0, 0.0)
}

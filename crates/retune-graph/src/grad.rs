//! Reverse-mode differentiation: gradients as more nodes of the same graph.
//!
//! Only what some requested node needs is made: an operation whose inputs depend on no requested node gets no gradient
//! at all, and of a convolution whose input is frozen only the weight's gradient exists.

use crate::error::GraphError;
use crate::graph::{Graph, NodeId};
use crate::ops::Op;
use crate::ops::layout::Pad;

/// What an operation's gradient rule sees and fills in: the vector-Jacobian product of one node.
pub struct Backward<'a> {
    /// The graph, to append to.
    pub graph: &'a mut Graph,
    /// The node that is differentiated.
    pub node: NodeId,
    /// Gradient of the loss with respect to the node's output, of the output's shape.
    pub dy: NodeId,
    needed: Vec<bool>,
    grads: Vec<Option<NodeId>>,
}

impl Backward<'_> {
    /// Input number `index` of the node.
    pub fn input(&self, index: usize) -> NodeId {
        self.graph.node(self.node).inputs[index]
    }

    /// Number of the node's inputs.
    pub fn input_count(&self) -> usize {
        self.needed.len()
    }

    /// Whether the gradient with respect to this input is asked for.
    pub fn needs(&self, index: usize) -> bool {
        self.needed.get(index).copied().unwrap_or(false)
    }

    /// Gives the gradient with respect to an input.
    pub fn give(&mut self, index: usize, grad: NodeId) {
        debug_assert_eq!(self.graph.shape(grad), self.graph.shape(self.input(index)), "gradient of input {index}");
        self.grads[index] = Some(grad);
    }

    /// Refuses, with the reason.
    pub fn refuse(&self, reason: &'static str) -> GraphError {
        let node = self.graph.node(self.node);
        GraphError::NoGradient { layer: self.graph.layer_name(node.layer).to_owned(), op: node.op.name(), reason }
    }
}

/// Appends to `graph` the gradients of `Σᵢ ⟨outputᵢ, cotangentᵢ⟩` with respect to each node of `wrt`.
///
/// `seeds` pairs outputs with their cotangents (for a scalar loss: a [`Graph::fill`] of 1). The result is in the order
/// of `wrt`; `None` where no output depends on the node.
pub fn gradients(
    graph: &mut Graph,
    seeds: &[(NodeId, NodeId)],
    wrt: &[NodeId],
) -> Result<Vec<Option<NodeId>>, GraphError> {
    let count = graph.nodes().len();
    let mut wanted = vec![false; count];
    for id in wrt {
        wanted[id.0] = true;
    }
    for id in 0..count {
        wanted[id] |= graph.nodes()[id].inputs.iter().any(|input| wanted[input.0]);
    }

    let mut contributions: Vec<Vec<NodeId>> = vec![Vec::new(); count];
    for &(output, cotangent) in seeds {
        contributions[output.0].push(cotangent);
    }
    let mut result: Vec<Option<NodeId>> = vec![None; count];
    for id in (0..count).rev() {
        if !wanted[id] || contributions[id].is_empty() {
            continue;
        }
        let (layer, inputs) = (graph.nodes()[id].layer, graph.nodes()[id].inputs.clone());
        graph.set_layer(layer);
        let dy = sum(graph, std::mem::take(&mut contributions[id]))?;
        result[id] = Some(dy);
        if inputs.is_empty() {
            continue;
        }
        let op = graph.nodes()[id].op.clone();
        let needed = inputs.iter().map(|input| wanted[input.0]).collect();
        let mut backward = Backward { graph, node: NodeId(id), dy, needed, grads: vec![None; inputs.len()] };
        op.grad(&mut backward)?;
        for (input, grad) in inputs.iter().zip(backward.grads) {
            if let Some(grad) = grad.filter(|_| wanted[input.0]) {
                contributions[input.0].push(grad);
            }
        }
    }
    graph.set_layer(0);
    Ok(wrt.iter().map(|id| result[id.0]).collect())
}

/// The sum of all contributions to one gradient. Slices of one tensor contribute zero-padded pieces; where these tile an
/// axis they are concatenated, so that the gradient of a sequence cut into its steps costs one copy, not a sum per step.
fn sum(graph: &mut Graph, mut terms: Vec<NodeId>) -> Result<NodeId, GraphError> {
    while let Some(merged) = concatenate_tiles(graph, &terms)? {
        terms = merged;
    }
    let mut terms = terms.into_iter();
    let first = terms.next().expect("a gradient has at least one contribution");
    terms.try_fold(first, |total, term| graph.add(total, term))
}

/// Replaces, if it can, pads that tile one axis by their concatenation.
fn concatenate_tiles(graph: &mut Graph, terms: &[NodeId]) -> Result<Option<Vec<NodeId>>, GraphError> {
    /// The single axis along which a pad adds zeros, and where its piece starts.
    fn piece(graph: &Graph, id: NodeId) -> Option<(usize, usize, NodeId)> {
        let node = graph.node(id);
        let Op::Pad(Pad { padding }) = &node.op else { return None };
        let mut axes = padding.iter().enumerate().filter(|(_, p)| **p != (0, 0));
        let (axis, &(before, _)) = axes.next()?;
        axes.next().is_none().then_some((axis, before, node.inputs[0]))
    }

    let Some((axis, ..)) = terms.iter().find_map(|&id| piece(graph, id)) else { return Ok(None) };
    let (mut pieces, mut rest) = (Vec::new(), Vec::new());
    for &term in terms {
        match piece(graph, term) {
            Some((a, start, part)) if a == axis => pieces.push((start, part)),
            _ => rest.push(term),
        }
    }
    pieces.sort_by_key(|&(start, _)| start);
    let mut end = 0;
    for &(start, part) in &pieces {
        let Some(size) = graph.shape(part)[axis].fixed() else { return Ok(None) };
        if start < end {
            return Ok(None);
        }
        end = start + size;
    }
    if pieces.len() < 2 {
        return Ok(None);
    }
    let Some(total) = graph.shape(terms[0])[axis].fixed() else { return Ok(None) };
    let mut parts = Vec::new();
    let mut at = 0;
    for (start, part) in pieces {
        if start > at {
            let gap = graph.shape(part).with(axis, (start - at).into());
            parts.push(graph.fill(gap, 0.0));
        }
        at = start + graph.shape(part)[axis].fixed().expect("checked above");
        parts.push(part);
    }
    if at < total {
        let gap = graph.shape(parts[0]).with(axis, (total - at).into());
        parts.push(graph.fill(gap, 0.0));
    }
    rest.push(graph.concat(&parts, axis)?);
    Ok(Some(rest))
}

//! Leaves dropout and stochastic depth out of the frozen part of a graph, whose layers then compute what they do in the finished model.
//!
//! A frozen layer learns nothing from noise in its own values; without the noise they are the same in every epoch, so that they can
//! be kept. Left alone are: dropout behind something trainable; dropout of an input, where no weight was used before; and dropout that
//! a trainable layer is given directly, which regularizes that layer, such as the one in front of a classifier.

use super::dependence::{Dependence, dependence_on};
use super::rewrite::{Rewritten, rewrite};
use crate::error::GraphError;
use crate::graph::{Graph, Node, NodeId};
use crate::ops::{Attention, Binary, Op};
use crate::weights::WeightId;

/// The graph of `outputs` without dropout in its frozen part. `is_learned` tells which weights are trainable or moving statistics.
pub fn without_frozen_dropout(
    graph: &Graph,
    outputs: &[NodeId],
    is_learned: impl Fn(WeightId) -> bool,
) -> Result<Rewritten, GraphError> {
    let depends = dependence_on(graph, is_learned);
    let is_weighted = uses_weights(graph);
    let is_given = given_to_learned(graph, outputs, &depends, &is_weighted);
    rewrite(graph, outputs, |new, id, node, inputs| {
        let is_left_out = !depends[id.0].learned && is_weighted[id.0] && !is_given[id.0];
        match &node.op {
            Op::Dropout(_) if is_left_out => Ok(Some(inputs[0])),
            // Stochastic depth: a branch times dropout of ones.
            Op::Binary(Binary::Mul) if is_left_out => {
                Ok((0..2).find(|&i| is_mask(graph, node.inputs[i])).map(|mask| inputs[1 - mask]))
            }
            Op::Attention(attention) if is_left_out && attention.dropout.is_some() => {
                let op = Op::Attention(Attention { dropout: None, ..*attention });
                Ok(Some(new.append(Node { op, inputs: inputs.to_vec(), ..node.clone() })))
            }
            _ => Ok(None),
        }
    })
}

/// Whether a node is dropout of ones.
fn is_mask(graph: &Graph, id: NodeId) -> bool {
    let node = graph.node(id);
    matches!(node.op, Op::Dropout(_)) && matches!(graph.node(node.inputs[0]).op, Op::Fill(1.0))
}

/// Whether each node depends on a weight.
fn uses_weights(graph: &Graph) -> Vec<bool> {
    let mut result: Vec<bool> = Vec::with_capacity(graph.nodes().len());
    for node in graph.nodes() {
        result.push(matches!(node.op, Op::Weight(_)) || node.inputs.iter().any(|input| result[input.0]));
    }
    result
}

/// Whether each frozen node reaches something trainable, or an output, by operations that neither apply a frozen weight nor add another
/// computed value, as a residual connection does.
fn given_to_learned(graph: &Graph, outputs: &[NodeId], depends: &[Dependence], is_weighted: &[bool]) -> Vec<bool> {
    let reached = graph.reachable(outputs);
    let mut given = vec![false; graph.nodes().len()];
    outputs.iter().for_each(|output| given[output.0] = true);
    for id in graph.ids().rev().filter(|id| reached[id.0]) {
        let node = graph.node(id);
        let applies_weight = node.inputs.iter().any(|input| is_weighted[input.0] && !depends[input.0].input);
        let computed = node.inputs.iter().filter(|input| is_weighted[input.0] && depends[input.0].input).count();
        let is_residual = matches!(node.op, Op::Binary(_)) && computed > 1;
        let passes = depends[id.0].learned || (given[id.0] && !applies_weight && !is_residual);
        if passes {
            node.inputs.iter().for_each(|input| given[input.0] = true);
        }
    }
    given
}

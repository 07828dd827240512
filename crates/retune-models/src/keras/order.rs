//! The order of layers and calls that Keras derives from a functional model's connections.
//!
//! Keras 3 numbers layers of one class in a file by this order, and legacy files list weights in it, so it must be
//! Keras's own: layers by their greatest distance from an output, the farthest first, and at equal distance in the order
//! in which a depth-first walk from the outputs meets them. Calls run in the same way.

use indexmap::IndexMap;

use super::calls::TensorRef;
use super::config::{KerasModel, damaged};
use super::layers::Layer;
use crate::error::Result;

/// A call of a layer.
type Node = (usize, usize);

/// The order of a functional model.
pub(crate) struct Order {
    /// Indices of the layers that the model consists of.
    pub(crate) layers: Vec<usize>,
    /// `(layer, call)` as they are run, input layers left out.
    pub(crate) calls: Vec<Node>,
}

/// Finds the order, or the cycle that there is.
pub(crate) fn keras_order(model: &KerasModel, place: &str) -> Result<Order> {
    let is_input = |layer: usize| matches!(model.layers[layer].layer, Layer::Input(_));
    let parents = |node: Node| -> Vec<Node> {
        match model.layers[node.0].calls.get(node.1) {
            Some(call) if !is_input(node.0) => call.all_tensors().iter().map(|r| (r.layer, r.call)).collect(),
            _ => Vec::new(),
        }
    };
    let (finished, first_met) =
        walk(&model.outputs.tensors(), &parents).ok_or_else(|| damaged(place, "connections without a cycle", None))?;

    let mut node_depths: IndexMap<Node, usize> = IndexMap::new();
    let mut layer_depths: IndexMap<usize, usize> = IndexMap::new();
    for &node in finished.iter().rev() {
        let depth = *node_depths.entry(node).or_insert(0);
        let depth = depth.max(layer_depths.get(&node.0).copied().unwrap_or(0));
        layer_depths.insert(node.0, depth);
        node_depths.insert(node, depth);
        for parent in parents(node) {
            let known = node_depths.get(&parent).copied().unwrap_or(0);
            node_depths.insert(parent, known.max(depth + 1));
        }
    }
    // Inputs that no output depends on belong to the model all the same.
    let mut met: IndexMap<usize, i64> = first_met.iter().enumerate().map(|(i, &layer)| (layer, i as i64)).collect();
    for input in model.inputs.tensors() {
        if !layer_depths.contains_key(&input.layer) {
            layer_depths.insert(input.layer, 0);
            met.insert(input.layer, -1);
        }
    }
    let mut layers: Vec<usize> = layer_depths.keys().copied().collect();
    layers.sort_by_key(|layer| (std::cmp::Reverse(layer_depths[layer]), met[layer]));
    let mut calls: Vec<Node> = node_depths.keys().copied().filter(|node| !is_input(node.0)).collect();
    calls.sort_by_key(|node| std::cmp::Reverse(node_depths[node]));
    Ok(Order { layers, calls })
}

/// Walks depth first from the outputs towards the inputs: the nodes in the order in which they are finished, and the layers
/// in the order in which they are first met. `None` if there is a cycle.
fn walk(outputs: &[&TensorRef], parents: &impl Fn(Node) -> Vec<Node>) -> Option<(Vec<Node>, Vec<usize>)> {
    #[derive(PartialEq)]
    enum State {
        InProgress,
        Finished,
    }
    let mut states: IndexMap<Node, State> = IndexMap::new();
    let mut met: indexmap::IndexSet<usize> = indexmap::IndexSet::new();
    let mut finished = Vec::new();
    for output in outputs {
        let mut stack = vec![((output.layer, output.call), None::<std::vec::IntoIter<Node>>)];
        while let Some((node, pending)) = stack.last_mut() {
            let node = *node;
            match pending {
                None => match states.get(&node) {
                    Some(State::Finished) => {
                        stack.pop();
                    }
                    Some(State::InProgress) => return None,
                    None => {
                        states.insert(node, State::InProgress);
                        met.insert(node.0);
                        *pending = Some(parents(node).into_iter());
                    }
                },
                Some(rest) => match rest.next() {
                    Some(parent) => stack.push((parent, None)),
                    None => {
                        states.insert(node, State::Finished);
                        finished.push(node);
                        stack.pop();
                    }
                },
            }
        }
    }
    Some((finished, met.into_iter().collect()))
}

//! Cuts a graph in two: what depends on no trainable weight, moving statistic or randomness, and the rest.
//!
//! The first part gives the same values for an example in every epoch, so they are computed once and kept; training then runs the
//! second part alone, whose inputs are those values.

use super::dependence::dependence_on;
use super::rewrite::rewrite;
use crate::error::GraphError;
use crate::graph::{Graph, Node, NodeId};
use crate::ops::Op;
use crate::shape::{DType, Dim, Shape};
use crate::weights::WeightId;

/// A graph in two parts.
#[derive(Debug, Clone)]
pub struct Cut {
    /// The frozen part; its inputs are those of the whole.
    pub prefix: Graph,
    /// What the frozen part gives, node for node the inputs of the rest.
    pub features: Vec<NodeId>,
    /// The rest, with the inputs of [`Cut::names`] and those of the whole that it reads itself.
    pub rest: Graph,
    /// Names of the rest's inputs that are the features.
    pub names: Vec<String>,
    /// The outputs asked for, in the rest.
    pub outputs: Vec<NodeId>,
}

impl Cut {
    /// Shapes of the features.
    pub fn shapes(&self) -> Vec<Shape> {
        self.features.iter().map(|&node| self.prefix.shape(node).clone()).collect()
    }
}

/// The name of input number `index` of the rest.
fn name(index: usize) -> String {
    format!("feature {index}")
}

/// Cuts the graph of `outputs` where the frozen part ends; `None` where nothing worth keeping is frozen. The features are those
/// frozen values with an axis of examples or tokens that something unfrozen reads, inputs themselves excepted. `is_learned` tells
/// which weights are trainable or moving statistics: in a graph for inference no role says so.
pub fn cut_frozen_prefix(
    graph: &Graph,
    outputs: &[NodeId],
    is_learned: impl Fn(WeightId) -> bool,
) -> Result<Option<Cut>, GraphError> {
    let depends = dependence_on(graph, is_learned);
    let reached = graph.reachable(outputs);
    let is_feature = |id: NodeId| {
        let node = graph.node(id);
        let has_examples = matches!(node.shape.dims().first(), Some(Dim::Scaled(..)));
        let depends = depends[id.0];
        let is_computed = !matches!(node.op, Op::Input(_));
        is_computed && depends.input && depends.is_frozen() && has_examples && node.dtype == DType::F32
    };
    let mut features: Vec<NodeId> = Vec::new();
    let mut add = |id: NodeId| {
        if is_feature(id) && !features.contains(&id) {
            features.push(id);
        }
    };
    for id in graph.ids().filter(|id| reached[id.0] && !depends[id.0].is_frozen()) {
        graph.node(id).inputs.iter().copied().for_each(&mut add);
    }
    outputs.iter().copied().for_each(&mut add);
    if features.is_empty() {
        return Ok(None);
    }
    let prefix = rewrite(graph, &features, |_, _, _, _| Ok(None))?;
    // Features become inputs, and the first pass over the rest no longer reaches what made them.
    let mut replaced = Graph::like(graph);
    for id in graph.ids() {
        let node = graph.node(id).clone();
        replaced.append(match features.iter().position(|&feature| feature == id) {
            Some(index) => Node { op: Op::Input(name(index)), inputs: Vec::new(), ..node },
            None => node,
        });
    }
    let rest = rewrite(&replaced, outputs, |_, _, _, _| Ok(None))?;
    Ok(Some(Cut {
        features: features.iter().map(|&id| prefix.id(id)).collect(),
        names: (0..features.len()).map(name).collect(),
        outputs: outputs.iter().map(|&id| rest.id(id)).collect(),
        prefix: prefix.graph,
        rest: rest.graph,
    }))
}

//! What each node depends on. Nodes that depend on nothing that changes are computed once; nodes that depend on the input
//! but on no trainable weight, moving statistic or randomness are the frozen prefix.

use crate::graph::Graph;
use crate::ops::Op;
use crate::weights::{Role, WeightId};

/// What a node's value can change with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dependence {
    /// Some input of the run.
    pub input: bool,
    /// Some trainable weight or moving statistic.
    pub learned: bool,
    /// Some random number.
    pub random: bool,
}

impl Dependence {
    /// Whether the value never changes while training: it follows from frozen weights and constants alone.
    pub fn is_constant(self) -> bool {
        self == Dependence::default()
    }

    /// Whether the value is the same in every epoch for the same example.
    pub fn is_frozen(self) -> bool {
        !self.learned && !self.random
    }
}

/// The dependence of every node; a weight is learned unless its role says that it is frozen.
pub fn dependence(graph: &Graph) -> Vec<Dependence> {
    dependence_on(graph, |id| graph.weight_info(id).role != Role::Frozen)
}

/// The dependence of every node, where `is_learned` tells which weights are trainable or moving statistics.
pub fn dependence_on(graph: &Graph, is_learned: impl Fn(WeightId) -> bool) -> Vec<Dependence> {
    let mut result: Vec<Dependence> = Vec::with_capacity(graph.nodes().len());
    for node in graph.nodes() {
        let own = Dependence {
            input: matches!(node.op, Op::Input(_)),
            learned: matches!(node.op, Op::Weight(id) if is_learned(id)),
            random: node.op.is_random(),
        };
        result.push(node.inputs.iter().map(|i| result[i.0]).fold(own, |a, b| Dependence {
            input: a.input || b.input,
            learned: a.learned || b.learned,
            random: a.random || b.random,
        }));
    }
    result
}

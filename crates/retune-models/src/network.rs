//! A model as a graph, ready to be run or differentiated.

use retune_graph::passes::{round_products, without_frozen_dropout};
use retune_graph::{DType, Graph, NodeId, Op, Role, Shape, WeightId, ops::Activation};

use crate::error::Result;

/// How a network is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Dropout drops, batch normalization of trainable layers uses the batch's moments and updates its statistics.
    Training,
    /// What the finished model computes.
    Inference,
}

/// A model as a graph. Weight `i` of the graph is weight `i` of the model in every build.
#[derive(Debug, Clone)]
pub struct Network {
    /// The computation.
    pub graph: Graph,
    /// What a run is given, in the model's order.
    pub inputs: Vec<NetworkInput>,
    /// What a run gives, in the model's order.
    pub outputs: Vec<NetworkOutput>,
    /// Statistics and the nodes that hold their values after this step.
    pub updates: Vec<(WeightId, NodeId)>,
}

impl Network {
    /// The same network with products of bfloat16 ([`retune_graph::passes::round_products()`]).
    ///
    /// # Errors
    /// None that a network which was built could meet.
    pub fn with_rounded_products(mut self) -> Result<Network> {
        let rounded = round_products(&self.graph, &self.nodes())?;
        self.renumber(|node| rounded.id(node));
        self.graph = rounded.graph;
        Ok(self)
    }

    /// The same network, built for training, without dropout in its frozen part ([`retune_graph::passes::frozen_dropout`]).
    ///
    /// # Errors
    /// None that a network which was built could meet.
    pub fn without_frozen_dropout(mut self) -> Result<Network> {
        let is_learned = |id: WeightId| self.graph.weight_info(id).role != Role::Frozen;
        let rewritten = without_frozen_dropout(&self.graph, &self.nodes(), is_learned)?;
        self.renumber(|node| rewritten.id(node));
        self.graph = rewritten.graph;
        Ok(self)
    }

    /// Number of operations that draw random numbers.
    pub fn random_operations(&self) -> usize {
        let reached = self.graph.reachable(&self.nodes());
        self.graph.nodes().iter().zip(reached).filter(|(node, reached)| *reached && node.op.is_random()).count()
    }

    /// Gives every node that the network names the number that it has after a pass.
    pub(crate) fn renumber(&mut self, id: impl Fn(NodeId) -> NodeId) {
        for input in &mut self.inputs {
            input.node = id(input.node);
        }
        for output in &mut self.outputs {
            output.node = id(output.node);
            output.logits = output.logits.map(&id);
        }
        for (_, node) in &mut self.updates {
            *node = id(*node);
        }
    }

    /// Every node that the network names.
    pub(crate) fn nodes(&self) -> Vec<NodeId> {
        let outputs = self.outputs.iter().flat_map(|output| [Some(output.node), output.logits]).flatten();
        let updates = self.updates.iter().map(|(_, node)| *node);
        outputs.chain(updates).chain(self.inputs.iter().map(|input| input.node)).collect()
    }
}

/// An input of a network.
#[derive(Debug, Clone)]
pub struct NetworkInput {
    /// Its name, by which runs are given it.
    pub name: String,
    /// Its node.
    pub node: NodeId,
    /// Its shape, the first axis being the batch.
    pub shape: Shape,
    /// The type of its values.
    pub dtype: DType,
}

/// An output of a network.
#[derive(Debug, Clone)]
pub struct NetworkOutput {
    /// Name of the layer that makes it.
    pub name: String,
    /// Its node.
    pub node: NodeId,
    /// The argument of the final activation, if that is a softmax over the last axis or a sigmoid: losses take it instead
    /// of the probabilities, for accuracy.
    pub logits: Option<NodeId>,
    /// The final activation.
    pub final_activation: FinalActivation,
}

/// What the last operation of an output is, as far as losses care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinalActivation {
    /// Neither of the others: scores or values.
    None,
    /// Softmax over the last axis: class probabilities.
    Softmax,
    /// Sigmoid: independent probabilities.
    Sigmoid,
}

impl NetworkOutput {
    /// Describes an output by looking at the operation that makes it.
    pub(crate) fn new(graph: &Graph, name: String, node: NodeId) -> NetworkOutput {
        let maker = graph.node(node);
        let final_activation = match &maker.op {
            Op::Softmax(_) => FinalActivation::Softmax,
            Op::Activate(a) if a.0 == Activation::Sigmoid => FinalActivation::Sigmoid,
            _ => FinalActivation::None,
        };
        let logits = (final_activation != FinalActivation::None).then(|| maker.inputs[0]);
        NetworkOutput { name, node, logits, final_activation }
    }
}

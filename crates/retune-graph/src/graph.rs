//! The graph: an append-only list of nodes in topological order.

use crate::error::GraphError;
use crate::ops::{Op, Operand};
use crate::shape::{DType, Shape};
use crate::weights::{WeightId, WeightInfo};

/// Index of a node in its graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub usize);

/// One operation applied to earlier nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The operation with its attributes.
    pub op: Op,
    /// Its inputs, all of them earlier nodes.
    pub inputs: Vec<NodeId>,
    /// Shape of its one output.
    pub shape: Shape,
    /// Type of its output.
    pub dtype: DType,
    /// The layer of the model that it belongs to (index into [`Graph::layer_name`]).
    pub layer: usize,
}

/// A computation: nodes in topological order, and the table of the weights that they refer to.
#[derive(Debug, Clone)]
pub struct Graph {
    nodes: Vec<Node>,
    weights: Vec<WeightInfo>,
    layers: Vec<String>,
    layer: usize,
}

impl Default for Graph {
    fn default() -> Graph {
        Graph { nodes: Vec::new(), weights: Vec::new(), layers: vec![String::new()], layer: 0 }
    }
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Graph {
        Graph::default()
    }

    /// An empty graph with the weights and layer names of `other`, for a pass to fill.
    pub(crate) fn like(other: &Graph) -> Graph {
        Graph { nodes: Vec::new(), weights: other.weights.clone(), layers: other.layers.clone(), layer: 0 }
    }

    /// Nodes appended from now on belong to this layer; errors name it.
    pub fn enter_layer(&mut self, name: &str) {
        self.layer = self.layers.iter().position(|layer| layer == name).unwrap_or_else(|| {
            self.layers.push(name.to_owned());
            self.layers.len() - 1
        });
    }

    pub(crate) fn set_layer(&mut self, layer: usize) {
        self.layer = layer;
    }

    /// Name of a layer; empty for nodes outside of any.
    pub fn layer_name(&self, layer: usize) -> &str {
        &self.layers[layer]
    }

    /// Every node, in topological order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// One node.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// Shape of a node's output.
    pub fn shape(&self, id: NodeId) -> &Shape {
        &self.nodes[id.0].shape
    }

    /// The ids of all nodes, in topological order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + use<> {
        (0..self.nodes.len()).map(NodeId)
    }

    /// The table of weights.
    pub fn weights(&self) -> &[WeightInfo] {
        &self.weights
    }

    /// One weight's description.
    pub fn weight_info(&self, id: WeightId) -> &WeightInfo {
        &self.weights[id.0]
    }

    /// Adds a weight to the table and a node that reads it.
    pub fn weight(&mut self, info: WeightInfo) -> (WeightId, NodeId) {
        let id = WeightId(self.weights.len());
        let shape = info.shape.clone();
        self.weights.push(info);
        let node = Node { op: Op::Weight(id), inputs: Vec::new(), shape, dtype: DType::F32, layer: self.layer };
        (id, self.append(node))
    }

    /// The node that reads a weight of the table, new if there is none yet.
    pub fn read_weight(&mut self, id: WeightId) -> NodeId {
        if let Some(node) = self.nodes.iter().position(|node| node.op == Op::Weight(id)) {
            return NodeId(node);
        }
        let shape = self.weights[id.0].shape.clone();
        self.append(Node { op: Op::Weight(id), inputs: Vec::new(), shape, dtype: DType::F32, layer: self.layer })
    }

    /// Adds an input that every run is given: the name, its shape (with symbols) and its type.
    pub fn input(&mut self, name: &str, shape: Shape, dtype: DType) -> NodeId {
        let op = Op::Input(name.to_owned());
        self.append(Node { op, inputs: Vec::new(), shape, dtype, layer: self.layer })
    }

    /// A tensor of `shape` with every value equal to `value`.
    pub fn fill(&mut self, shape: Shape, value: f32) -> NodeId {
        let op = Op::Fill(value);
        self.append(Node { op, inputs: Vec::new(), shape, dtype: DType::F32, layer: self.layer })
    }

    /// A random tensor of `shape`; see [`crate::ops::random`].
    pub fn random(&mut self, shape: Shape, random: crate::ops::random::Random) -> NodeId {
        let op = Op::Random(random);
        self.append(Node { op, inputs: Vec::new(), shape, dtype: DType::F32, layer: self.layer })
    }

    /// Appends `op` applied to `inputs`, after checking its shape rule.
    pub fn push(&mut self, op: Op, inputs: &[NodeId]) -> Result<NodeId, GraphError> {
        let operands: Vec<Operand<'_>> =
            inputs.iter().map(|id| Operand { shape: &self.nodes[id.0].shape, dtype: self.nodes[id.0].dtype }).collect();
        let (shape, dtype) = op.infer(&operands).map_err(|rule| GraphError::Shape {
            layer: self.layers[self.layer].clone(),
            op: op.name(),
            inputs: operands.iter().map(|o| o.shape.clone()).collect(),
            rule,
        })?;
        Ok(self.append(Node { op, inputs: inputs.to_vec(), shape, dtype, layer: self.layer }))
    }

    pub(crate) fn append(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        NodeId(self.nodes.len() - 1)
    }

    /// Which nodes `outputs` depend on, themselves included.
    pub fn reachable(&self, outputs: &[NodeId]) -> Vec<bool> {
        let mut reached = vec![false; self.nodes.len()];
        for output in outputs {
            reached[output.0] = true;
        }
        for id in (0..self.nodes.len()).rev() {
            if reached[id] {
                for input in &self.nodes[id].inputs {
                    reached[input.0] = true;
                }
            }
        }
        reached
    }
}

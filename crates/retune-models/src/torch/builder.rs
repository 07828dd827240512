//! Nodes and weights of a network, layer by layer.
//!
//! A network's function says what weights it needs while it appends its nodes: a first pass collects them, later ones find them
//! by name. So the shapes of weights are stated once, where they are used, and a weight that is used twice is one.

use std::collections::HashMap;

use retune_graph::ops::Sequences;
use retune_graph::{DType, Graph, NodeId, Role, Shape, WeightId, WeightInfo};

use super::layout::TorchLayout;
use crate::error::Result;
use crate::initializer::Initializer;
use crate::network::{Mode, NetworkInput};
use crate::weight::Weight;

/// The names of the statistics of batch normalization in its layer.
pub(crate) const RUNNING_MEAN: &str = "running_mean";
pub(crate) const RUNNING_VARIANCE: &str = "running_var";

/// Whether a weight is a statistic of batch normalization, which follows the data without a gradient.
pub(crate) fn is_statistic(name: &str) -> bool {
    matches!(name.rsplit_once('.'), Some((_, RUNNING_MEAN | RUNNING_VARIANCE)))
}

/// A weight that a network declared in the collecting pass.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) layout: TorchLayout,
    pub(crate) decays: bool,
    pub(crate) initializer: Initializer,
    pub(crate) layer: String,
    pub(crate) class: &'static str,
}

/// What a network says about a weight.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spec<'a> {
    pub(crate) shape: &'a [usize],
    pub(crate) layout: TorchLayout,
    pub(crate) decays: bool,
    pub(crate) initializer: Initializer,
    /// PyTorch's class of the layer.
    pub(crate) class: &'static str,
}

/// A pass over a network.
pub(crate) struct Builder<'a> {
    pub(crate) graph: Graph,
    mode: Mode,
    known: Option<&'a [Weight]>,
    declared: Vec<Declared>,
    nodes: HashMap<String, (WeightId, NodeId)>,
    inputs: Vec<NetworkInput>,
    streams: u32,
    /// Statistics and the nodes that hold their values after this step.
    pub(crate) updates: Vec<(WeightId, NodeId)>,
    /// Standard deviation of fresh matrices.
    pub(crate) stddev: f32,
}

impl<'a> Builder<'a> {
    fn start(mode: Mode, known: Option<&'a [Weight]>) -> Builder<'a> {
        Builder {
            graph: Graph::new(),
            mode,
            known,
            declared: Vec::new(),
            nodes: HashMap::new(),
            inputs: Vec::new(),
            streams: 0,
            updates: Vec::new(),
            stddev: 0.02,
        }
    }

    /// A pass that collects the weights.
    pub(crate) fn collecting() -> Builder<'a> {
        Builder::start(Mode::Inference, None)
    }

    /// A pass over known weights; weight `i` of the graph is `weights[i]`.
    pub(crate) fn with_weights(mode: Mode, weights: &'a [Weight]) -> Builder<'a> {
        let mut builder = Builder::start(mode, Some(weights));
        for weight in weights {
            builder.graph.enter_layer(&weight.layer);
            let shape = Shape::fixed(weight.value.shape());
            let info = WeightInfo { name: weight.name.clone(), shape, role: weight.role(mode), decays: weight.decays };
            let ids = builder.graph.weight(info);
            builder.nodes.insert(weight.name.clone(), ids);
        }
        builder
    }

    /// The declared weights, in the order of their first use.
    pub(crate) fn collected(self) -> Vec<Declared> {
        self.declared
    }

    /// The graph and its inputs.
    pub(crate) fn finish(self) -> (Graph, Vec<NetworkInput>) {
        (self.graph, self.inputs)
    }

    /// An input of every run.
    pub(crate) fn input(&mut self, name: &str, shape: Shape, dtype: DType) -> NodeId {
        let node = self.graph.input(name, shape.clone(), dtype);
        self.inputs.push(NetworkInput { name: name.to_owned(), node, shape, dtype });
        node
    }

    /// The weight `layer.part`.
    pub(crate) fn weight(&mut self, layer: &str, part: &str, spec: Spec<'_>) -> NodeId {
        self.weight_ids(layer, part, spec).1
    }

    /// The weight `layer.part`, or `part` of no layer, and its number.
    pub(crate) fn weight_ids(&mut self, layer: &str, part: &str, spec: Spec<'_>) -> (WeightId, NodeId) {
        let name = if layer.is_empty() { part.to_owned() } else { format!("{layer}.{part}") };
        if let Some(&ids) = self.nodes.get(&name) {
            return ids;
        }
        debug_assert!(self.known.is_none(), "`{name}` was not declared in the collecting pass");
        let Spec { shape, layout, decays, initializer, class } = spec;
        let (layer, shape) = (if layer.is_empty() { part } else { layer }.to_owned(), shape.to_vec());
        let info = WeightInfo { name: name.clone(), shape: Shape::fixed(&shape), role: Role::Frozen, decays };
        self.declared.push(Declared { name: name.clone(), shape, layout, decays, initializer, layer, class });
        let ids = self.graph.weight(info);
        self.nodes.insert(name, ids);
        ids
    }

    /// The weight of this name, if it is there: one that an adapter brought.
    pub(crate) fn known(&self, name: &str) -> Option<NodeId> {
        self.nodes.get(name).map(|(_, node)| *node)
    }

    /// Whether this run trains the weight, or moves it if it is a statistic.
    pub(crate) fn changes(&self, id: WeightId) -> bool {
        let weight = self.known.and_then(|known| known.get(id.0));
        self.mode == Mode::Training && weight.is_some_and(|weight| weight.trainable || weight.statistic)
    }

    /// `nn.Linear`: `x · weight + bias`.
    pub(crate) fn linear(&mut self, layer: &str, x: NodeId, inputs: usize, outputs: usize) -> Result<NodeId> {
        self.product(layer, "weight", Some("bias"), x, [inputs, outputs])
    }

    /// The same with other names of the layer's weights, or without a bias.
    pub(crate) fn product(
        &mut self,
        layer: &str,
        weight: &str,
        bias: Option<&str>,
        x: NodeId,
        shape: [usize; 2],
    ) -> Result<NodeId> {
        self.graph.enter_layer(layer);
        let class = "Linear";
        let initializer = Initializer::Normal { mean: 0.0, stddev: self.stddev };
        let matrix = Spec { shape: &shape, layout: TorchLayout::Linear, decays: true, initializer, class };
        let initializer = Initializer::ZEROS;
        let vector = Spec { shape: &shape[1..], layout: TorchLayout::Same, decays: false, initializer, class };
        let w = self.weight(layer, weight, matrix);
        let bias = bias.map(|bias| self.weight(layer, bias, vector));
        Ok(self.graph.linear(x, w, bias)?)
    }

    /// `nn.LayerNorm` over the last axis.
    pub(crate) fn layer_norm(&mut self, layer: &str, x: NodeId, width: usize, epsilon: f32) -> Result<NodeId> {
        self.layer_norm_with(layer, x, width, epsilon, true)
    }

    /// The same with or without a shift.
    pub(crate) fn layer_norm_with(
        &mut self,
        layer: &str,
        x: NodeId,
        width: usize,
        epsilon: f32,
        has_bias: bool,
    ) -> Result<NodeId> {
        self.graph.enter_layer(layer);
        let shape = [width];
        let spec = |initializer| Spec {
            shape: &shape,
            layout: TorchLayout::Same,
            decays: false,
            initializer,
            class: "LayerNorm",
        };
        let gamma = self.weight(layer, "weight", spec(Initializer::ONES));
        let beta = match has_bias {
            true => self.weight(layer, "bias", spec(Initializer::ZEROS)),
            false => self.graph.fill(Shape::fixed(&shape), 0.0),
        };
        Ok(self.graph.layer_norm(x, gamma, beta, 1, epsilon)?)
    }

    /// The table of `nn.Embedding`.
    pub(crate) fn table(&mut self, layer: &str, rows: usize, width: usize) -> NodeId {
        self.graph.enter_layer(layer);
        let initializer = Initializer::Normal { mean: 0.0, stddev: self.stddev };
        let shape = &[rows, width];
        let spec = Spec { shape, layout: TorchLayout::Same, decays: true, initializer, class: "Embedding" };
        self.weight(layer, "weight", spec)
    }

    /// A number for a stream of random numbers that nothing else uses.
    pub(crate) fn stream(&mut self) -> u32 {
        self.streams += 1;
        self.streams - 1
    }

    /// The rate and stream of dropout, if there is any.
    pub(crate) fn random(&mut self, rate: f32) -> Option<(f32, u32)> {
        let stream = self.stream();
        (rate > 0.0 && self.mode == Mode::Training).then_some((rate, stream))
    }

    /// Dropout of rows of tokens in training.
    pub(crate) fn dropout(&mut self, x: NodeId, sequences: Sequences, rate: f32) -> Result<NodeId> {
        match self.random(rate) {
            Some((rate, stream)) => Ok(self.graph.sequence_dropout(x, sequences, rate, stream)?),
            None => Ok(x),
        }
    }
}

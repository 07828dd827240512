//! Losses: nodes put onto a network's output that give one loss per example.
//!
//! | file | loss |
//! | --- | --- |
//! | [`cross_entropy`] | sparse and categorical cross-entropy, label smoothing |
//! | [`binary_cross_entropy`] | cross-entropy of independent yes/no outputs |
//! | [`squared_error`] | mean squared error |
//! | [`absolute_error`] | mean absolute error |
//! | [`huber`] | squared near 0, absolute beyond |
//!
//! A batch's loss is `Σᵢ wᵢ · lossᵢ / n` over its n examples with their weights w (class weight times sample weight, 1 by
//! default): Keras's reduction `sum_over_batch_size`, which divides by the number of examples, not by the sum of weights.
//! Where an output has more axes than batch and classes, the loss of an example is the mean over them.

pub mod absolute_error;
pub mod binary_cross_entropy;
pub mod cross_entropy;
pub mod huber;
pub mod squared_error;

use retune_graph::ops::Activation;
use retune_graph::ops::reduce::Reduction;
use retune_graph::{DType, Graph, GraphError, NodeId};
use serde::Serialize;

/// Probabilities are kept this far from 0 and 1 before a logarithm is taken (Keras's `epsilon`).
pub const PROBABILITY_MARGIN: f32 = 1e-7;

/// A loss with its settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Loss {
    /// Against one class index per example. See [`cross_entropy`].
    SparseCategoricalCrossEntropy {
        /// Whether the network's output are logits, not probabilities.
        from_logits: bool,
        /// ε, share of the target spread over all classes, in `[0, 1)`.
        label_smoothing: f32,
    },
    /// Against one probability per class (one-hot labels). See [`cross_entropy`].
    CategoricalCrossEntropy {
        /// Whether the network's output are logits, not probabilities.
        from_logits: bool,
        /// ε, share of the target spread over all classes, in `[0, 1)`.
        label_smoothing: f32,
    },
    /// Against 0 or 1 per output. See [`binary_cross_entropy`].
    BinaryCrossEntropy {
        /// Whether the network's output are logits, not probabilities.
        from_logits: bool,
        /// ε: targets become `t (1 − ε) + ε / 2`, in `[0, 1)`.
        label_smoothing: f32,
    },
    /// See [`squared_error`].
    MeanSquaredError,
    /// See [`absolute_error`].
    MeanAbsoluteError,
    /// See [`huber`].
    Huber {
        /// Error beyond which the loss grows linearly. Default 1.
        delta: f32,
    },
}

/// The function at the end of a network, as far as losses know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Softmax over the last axis: probabilities of classes that exclude one another.
    Softmax,
    /// Sigmoid: independent probabilities.
    Sigmoid,
    /// Anything else.
    Other,
}

/// What a loss is put onto.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// The network's output.
    pub node: NodeId,
    /// Its last function.
    pub ending: Ending,
    /// That function's argument, where it is known.
    pub logits: Option<NodeId>,
}

impl Output {
    /// An output about which nothing more is known than its node, or what its node shows.
    pub fn of(graph: &Graph, node: NodeId) -> Output {
        use retune_graph::Op;
        use retune_graph::ops::Activate;
        let made = graph.node(node);
        let (ending, logits) = match &made.op {
            Op::Softmax(_) => (Ending::Softmax, Some(made.inputs[0])),
            Op::Activate(Activate(Activation::Sigmoid)) => (Ending::Sigmoid, Some(made.inputs[0])),
            _ => (Ending::Other, None),
        };
        Output { node, ending, logits }
    }
}

/// What a loss takes as targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetForm {
    /// `i32` class indices: the output's shape without its last axis.
    ClassIndex,
    /// `f32` probabilities over classes: the output's shape.
    ClassProbabilities,
    /// `f32` 0 or 1 per output: the output's shape.
    Binary,
    /// `f32` values: the output's shape.
    Values,
}

impl Loss {
    /// Every loss's name in recipes.
    pub const NAMES: &[&str] = &[
        "sparse-categorical-cross-entropy",
        "categorical-cross-entropy",
        "binary-cross-entropy",
        "mean-squared-error",
        "mean-absolute-error",
        "huber",
    ];

    /// The name in recipes.
    pub fn name(&self) -> &'static str {
        match self {
            Loss::SparseCategoricalCrossEntropy { .. } => "sparse-categorical-cross-entropy",
            Loss::CategoricalCrossEntropy { .. } => "categorical-cross-entropy",
            Loss::BinaryCrossEntropy { .. } => "binary-cross-entropy",
            Loss::MeanSquaredError => "mean-squared-error",
            Loss::MeanAbsoluteError => "mean-absolute-error",
            Loss::Huber { .. } => "huber",
        }
    }

    /// Whether it takes the network's output as logits; `None` for losses that know no logits.
    pub fn from_logits(&self) -> Option<bool> {
        match *self {
            Loss::SparseCategoricalCrossEntropy { from_logits, .. }
            | Loss::CategoricalCrossEntropy { from_logits, .. }
            | Loss::BinaryCrossEntropy { from_logits, .. } => Some(from_logits),
            _ => None,
        }
    }

    /// What it takes as targets.
    pub fn target_form(&self) -> TargetForm {
        match self {
            Loss::SparseCategoricalCrossEntropy { .. } => TargetForm::ClassIndex,
            Loss::CategoricalCrossEntropy { .. } => TargetForm::ClassProbabilities,
            Loss::BinaryCrossEntropy { .. } => TargetForm::Binary,
            Loss::MeanSquaredError | Loss::MeanAbsoluteError | Loss::Huber { .. } => TargetForm::Values,
        }
    }

    /// Appends the input `targets` that fits `output`.
    pub fn targets(&self, graph: &mut Graph, output: NodeId, name: &str) -> NodeId {
        let shape = graph.shape(output).clone();
        match self.target_form() {
            TargetForm::ClassIndex => graph.input(name, shape.leading(shape.rank().min(1)), DType::I32),
            _ => graph.input(name, shape, DType::F32),
        }
    }

    /// Appends the loss of each example, `[Batch]`.
    ///
    /// Where the output is a softmax or sigmoid whose argument is known, cross-entropies are taken from that argument, as Keras
    /// does too: the same value, without overflow or clipping.
    ///
    /// # Errors
    /// Targets or an output of another shape than the loss takes.
    pub fn per_example(&self, graph: &mut Graph, output: Output, targets: NodeId) -> Result<NodeId, GraphError> {
        let losses = match *self {
            Loss::SparseCategoricalCrossEntropy { from_logits, label_smoothing } => {
                cross_entropy::sparse(graph, output, targets, from_logits, label_smoothing)?
            }
            Loss::CategoricalCrossEntropy { from_logits, label_smoothing } => {
                cross_entropy::categorical(graph, output, targets, from_logits, label_smoothing)?
            }
            Loss::BinaryCrossEntropy { from_logits, label_smoothing } => {
                binary_cross_entropy::binary(graph, output, targets, from_logits, label_smoothing)?
            }
            Loss::MeanSquaredError => squared_error::squared_error(graph, output.node, targets)?,
            Loss::MeanAbsoluteError => absolute_error::absolute_error(graph, output.node, targets)?,
            Loss::Huber { delta } => huber::huber(graph, output.node, targets, delta)?,
        };
        mean_per_example(graph, losses)
    }
}

/// The mean over all axes but the batch, `[Batch]`.
fn mean_per_example(graph: &mut Graph, x: NodeId) -> Result<NodeId, GraphError> {
    match graph.shape(x).rank() {
        0 | 1 => Ok(x),
        rank => graph.reduce_away(Reduction::Mean, x, &(1..rank).collect::<Vec<_>>()),
    }
}

/// Probabilities kept off 0 and 1, so that their logarithm exists. No gradient flows where they are cut.
fn clipped(graph: &mut Graph, probabilities: NodeId) -> Result<NodeId, GraphError> {
    graph.activate(probabilities, Activation::Clip { min: PROBABILITY_MARGIN, max: 1.0 - PROBABILITY_MARGIN })
}

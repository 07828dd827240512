//! BatchNormalization over all axes but one.
//!
//! In training: `y = gamma · (x − mean) / √(variance + epsilon) + beta` by the batch's own mean and biased variance, and
//! `moving = momentum · moving + (1 − momentum) · batch's` (Keras's momentum; PyTorch's is one minus it, and PyTorch keeps
//! the unbiased variance). In inference, and in training if the layer or a model around it is frozen: the same by the moving
//! values, as a scale and a shift of each channel.

use retune_graph::NodeId;
use retune_graph::ops::Unary;
use retune_graph::ops::reduce::Reduction;

use super::super::calls::Arguments;
use super::super::fields::Fields;
use super::super::lowering::{Lowering, Value, WeightKind, WeightSpec};
use super::Lower;
use super::dense::WeightOptions;
use crate::error::Result;
use crate::initializer::Initializer;

/// What Keras adds to a divisor that could be 0.
const KERAS_EPSILON: f32 = 1e-7;

/// See the file's documentation.
#[derive(Debug, Clone)]
pub(crate) struct BatchNormalization {
    axis: i64,
    momentum: f32,
    epsilon: f32,
    gamma: Option<WeightOptions>,
    beta: Option<WeightOptions>,
    moving_mean: Initializer,
    moving_variance: Initializer,
}

impl BatchNormalization {
    pub(crate) fn read(f: &Fields<'_>) -> Result<BatchNormalization> {
        if f.flag("renorm", false)? {
            return Err(f.unsupported("batch renormalization", "use plain batch normalization"));
        }
        for unused in ["renorm_clipping", "renorm_momentum", "synchronized"] {
            f.get(unused);
        }
        let gamma = WeightOptions::read(f, "gamma", Initializer::ONES)?;
        let beta = WeightOptions::read(f, "beta", Initializer::ZEROS)?;
        Ok(BatchNormalization {
            axis: f.integer("axis", Some(-1))?,
            momentum: f.number("momentum", Some(0.99))?,
            epsilon: f.number("epsilon", Some(1e-3))?,
            gamma: f.flag("scale", true)?.then_some(gamma),
            beta: f.flag("center", true)?.then_some(beta),
            moving_mean: f.initializer("moving_mean_initializer", Initializer::ZEROS)?,
            moving_variance: f.initializer("moving_variance_initializer", Initializer::ONES)?,
        })
    }
}

impl Lower for BatchNormalization {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let mask = b.mask(arguments)?;
        let x = b.one(&Arguments::on(arguments.tensors().into_iter().copied().take(1)))?;
        let axis = b.axis(x, self.axis)?;
        let (x, back) = b.axis_last(x, axis)?;
        let channels = [b.fixed(x, b.graph.shape(x).rank() - 1)?];
        let norm = WeightKind::NoDecay;
        let gamma = self.gamma.as_ref().map(|gamma| gamma.weight(b, "gamma", &channels, norm)).transpose()?;
        let beta = self.beta.as_ref().map(|beta| beta.weight(b, "beta", &channels, norm)).transpose()?;
        let mut statistic = |name, initializer| {
            let kind = WeightKind::Statistic;
            b.weight_ids(WeightSpec { name, shape: &channels, options: &WeightOptions::plain(initializer), kind })
        };
        let moving_mean = statistic("moving_mean", self.moving_mean)?;
        let moving_variance = statistic("moving_variance", self.moving_variance)?;

        // The layer is trainable, but what trains it may still freeze it: adapters, or a stage of the run.
        let y = if b.is_training() && b.moves(moving_mean.0) {
            let (y, mean, variance) = match mask {
                None => {
                    let gamma = gamma.unwrap_or_else(|| b.graph.fill(retune_graph::Shape::fixed(&channels), 1.0));
                    let beta = beta.unwrap_or_else(|| b.graph.fill(retune_graph::Shape::fixed(&channels), 0.0));
                    let (y, moments) = b.graph.batch_norm(x, gamma, beta, self.epsilon)?;
                    let mut row = |row| {
                        let row = b.graph.slice(moments, 0, row, 1)?;
                        b.reshape_fixed(row, &channels)
                    };
                    (y, row(0)?, row(1)?)
                }
                Some(mask) => {
                    let (mean, variance) = masked_moments(b, x, mask, &channels)?;
                    (normalize(b, x, mean, variance, self.epsilon, gamma, beta)?, mean, variance)
                }
            };
            for (moving, new) in [(moving_mean, mean), (moving_variance, variance)] {
                let kept = b.statistic(moving);
                let kept = b.graph.affine(kept, self.momentum, 0.0)?;
                let new = b.graph.affine(new, 1.0 - self.momentum, 0.0)?;
                let sum = b.graph.add(kept, new)?;
                b.update(moving.0, sum);
            }
            y
        } else {
            normalize(b, x, moving_mean.1, moving_variance.1, self.epsilon, gamma, beta)?
        };
        Ok(vec![b.graph.transpose(y, &back)?.into()])
    }
}

/// `x · s + t` with `s = gamma / √(variance + epsilon)` and `t = beta − mean · s`, both `[channels]`.
fn normalize(
    b: &mut Lowering<'_>,
    x: NodeId,
    mean: NodeId,
    variance: NodeId,
    epsilon: f32,
    gamma: Option<NodeId>,
    beta: Option<NodeId>,
) -> Result<NodeId> {
    let mut scale = b.rsqrt(variance, epsilon)?;
    if let Some(gamma) = gamma {
        scale = b.graph.mul(gamma, scale)?;
    }
    let shift = b.graph.mul(mean, scale)?;
    let shift = match beta {
        Some(beta) => b.graph.sub(beta, shift)?,
        None => b.graph.affine(shift, -1.0, 0.0)?,
    };
    let y = b.graph.mul(x, scale)?;
    Ok(b.graph.add(y, shift)?)
}

/// Mean and biased variance over the steps that count; the mask lacks the last axis of `x`.
fn masked_moments(b: &mut Lowering<'_>, x: NodeId, mask: NodeId, channels: &[usize]) -> Result<(NodeId, NodeId)> {
    let rank = b.graph.shape(x).rank();
    if b.graph.shape(mask).rank() != rank - 1 {
        return Err(b.wrong_inputs("a mask with one axis less than the input", b.graph.shape(mask).to_string()));
    }
    let axes: Vec<usize> = (0..rank - 1).collect();
    let mask = b.expand(mask, rank - 1)?;
    let count = b.graph.reduce(Reduction::Sum, mask, &axes)?;
    let count = b.graph.affine(count, 1.0, KERAS_EPSILON)?;
    let masked = b.graph.mul(x, mask)?;
    let sum = b.graph.reduce(Reduction::Sum, masked, &axes)?;
    let mean = b.graph.div(sum, count)?;
    let difference = b.graph.sub(x, mean)?;
    let difference = b.graph.mul(difference, mask)?;
    let squared = b.graph.unary(Unary::Square, difference)?;
    let sum = b.graph.reduce(Reduction::Sum, squared, &axes)?;
    let variance = b.graph.div(sum, count)?;
    Ok((b.reshape_fixed(mean, channels)?, b.reshape_fixed(variance, channels)?))
}

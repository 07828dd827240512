//! Normalization within each example: LayerNormalization, RMSNormalization, GroupNormalization, UnitNormalization.

use retune_graph::ops::reduce::Reduction;
use retune_graph::ops::{Binary, Unary};
use retune_graph::{NodeId, Shape};

use super::super::calls::Arguments;
use super::super::fields::Fields;
use super::super::lowering::{Lowering, Value, WeightKind};
use super::Lower;
use super::dense::WeightOptions;
use crate::error::Result;
use crate::initializer::Initializer;

/// The scale and shift that a normalization may have.
#[derive(Debug, Clone)]
struct ScaleAndShift {
    gamma: Option<WeightOptions>,
    beta: Option<WeightOptions>,
}

impl ScaleAndShift {
    fn read(f: &Fields<'_>) -> Result<ScaleAndShift> {
        let gamma = WeightOptions::read(f, "gamma", Initializer::ONES)?;
        let beta = WeightOptions::read(f, "beta", Initializer::ZEROS)?;
        Ok(ScaleAndShift {
            gamma: f.flag("scale", true)?.then_some(gamma),
            beta: f.flag("center", true)?.then_some(beta),
        })
    }

    fn weights(&self, b: &mut Lowering<'_>, shape: &[usize]) -> Result<[Option<NodeId>; 2]> {
        let gamma =
            self.gamma.as_ref().map(|gamma| gamma.weight(b, "gamma", shape, WeightKind::NoDecay)).transpose()?;
        let beta = self.beta.as_ref().map(|beta| beta.weight(b, "beta", shape, WeightKind::NoDecay)).transpose()?;
        Ok([gamma, beta])
    }
}

/// `x` with `axes` moved behind all others, and how to move them back.
fn axes_last(b: &mut Lowering<'_>, x: NodeId, axes: &[usize]) -> Result<(NodeId, Vec<usize>)> {
    let rank = b.graph.shape(x).rank();
    let order: Vec<usize> = (0..rank).filter(|axis| !axes.contains(axis)).chain(axes.iter().copied()).collect();
    let mut back = vec![0; rank];
    for (i, &axis) in order.iter().enumerate() {
        back[axis] = i;
    }
    Ok((b.graph.transpose(x, &order)?, back))
}

/// `gamma · (x − mean) / √(variance + epsilon) + beta`, moments over `axes` of each example; gamma and beta have the sizes of
/// these axes.
#[derive(Debug, Clone)]
pub(crate) struct LayerNormalization {
    axes: Vec<i64>,
    epsilon: f32,
    weights: ScaleAndShift,
    /// Keras's deprecated form `gamma · x / √(variance + epsilon)`: the mean is left in, and there is no shift.
    rms_scaling: bool,
}

impl LayerNormalization {
    pub(crate) fn read(f: &Fields<'_>) -> Result<LayerNormalization> {
        let rms_scaling = f.flag("rms_scaling", false)?;
        let mut weights = ScaleAndShift::read(f)?;
        if rms_scaling {
            weights.beta = None;
            weights.gamma = Some(WeightOptions::read(f, "gamma", Initializer::ONES)?);
        }
        Ok(LayerNormalization {
            axes: f.integers("axis", Some(&[-1]))?,
            epsilon: f.number("epsilon", Some(1e-3))?,
            weights,
            rms_scaling,
        })
    }
}

impl Lower for LayerNormalization {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let x = b.one(arguments)?;
        let axes = b.axes(x, &self.axes)?;
        let sizes = axes.iter().map(|&axis| b.fixed(x, axis)).collect::<Result<Vec<usize>>>()?;
        let [gamma, beta] = self.weights.weights(b, &sizes)?;
        let (x, back) = axes_last(b, x, &axes)?;
        let gamma = gamma.unwrap_or_else(|| b.graph.fill(Shape::fixed(&sizes), 1.0));
        let beta = beta.unwrap_or_else(|| b.graph.fill(Shape::fixed(&sizes), 0.0));
        let y = if self.rms_scaling {
            let rank = b.graph.shape(x).rank();
            let last: Vec<usize> = (rank - axes.len()..rank).collect();
            let mean = b.graph.reduce(Reduction::Mean, x, &last)?;
            let centred = b.graph.sub(x, mean)?;
            let squared = b.graph.unary(Unary::Square, centred)?;
            let variance = b.graph.reduce(Reduction::Mean, squared, &last)?;
            let factor = b.rsqrt(variance, self.epsilon)?;
            let scaled = b.graph.mul(x, factor)?;
            b.graph.mul(scaled, gamma)?
        } else {
            b.graph.layer_norm(x, gamma, beta, axes.len(), self.epsilon)?
        };
        Ok(vec![b.graph.transpose(y, &back)?.into()])
    }
}

/// `scale · x / √(mean(x²) + epsilon)` over `axes`.
#[derive(Debug, Clone)]
pub(crate) struct RmsNormalization {
    axes: Vec<i64>,
    epsilon: f32,
}

impl RmsNormalization {
    pub(crate) fn read(f: &Fields<'_>) -> Result<RmsNormalization> {
        Ok(RmsNormalization { axes: f.integers("axis", Some(&[-1]))?, epsilon: f.number("epsilon", Some(1e-6))? })
    }
}

impl Lower for RmsNormalization {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let x = b.one(arguments)?;
        let axes = b.axes(x, &self.axes)?;
        let sizes = axes.iter().map(|&axis| b.fixed(x, axis)).collect::<Result<Vec<usize>>>()?;
        let options = WeightOptions::plain(Initializer::ONES);
        let scale = options.weight(b, "scale", &sizes, WeightKind::NoDecay)?;
        let (x, back) = axes_last(b, x, &axes)?;
        let rank = b.graph.shape(x).rank();
        let last: Vec<usize> = (rank - axes.len()..rank).collect();
        let squared = b.graph.unary(Unary::Square, x)?;
        let mean = b.graph.reduce(Reduction::Mean, squared, &last)?;
        let factor = b.rsqrt(mean, self.epsilon)?;
        let y = b.graph.mul(x, factor)?;
        let y = b.graph.mul(y, scale)?;
        Ok(vec![b.graph.transpose(y, &back)?.into()])
    }
}

/// Layer normalization of each of `groups` equal parts of the channels by itself, over all axes but the batch; gamma and beta
/// `[channels]`. Wu and He, 2018. `groups = -1` gives every channel its own group.
#[derive(Debug, Clone)]
pub(crate) struct GroupNormalization {
    groups: i64,
    axis: i64,
    epsilon: f32,
    weights: ScaleAndShift,
}

impl GroupNormalization {
    pub(crate) fn read(f: &Fields<'_>) -> Result<GroupNormalization> {
        Ok(GroupNormalization {
            groups: f.integer("groups", Some(32))?,
            axis: f.integer("axis", Some(-1))?,
            epsilon: f.number("epsilon", Some(1e-3))?,
            weights: ScaleAndShift::read(f)?,
        })
    }
}

impl Lower for GroupNormalization {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let x = b.one(arguments)?;
        let axis = b.axis(x, self.axis)?;
        let (x, back) = b.axis_last(x, axis)?;
        let sizes = b.sizes_from(x, 1)?;
        let channels = sizes.last().copied().unwrap_or(1);
        let groups = if self.groups == -1 { channels } else { usize::try_from(self.groups).unwrap_or(0) };
        if groups == 0 || channels % groups != 0 {
            return Err(
                b.wrong_inputs(format!("channels that divide into {} groups", self.groups), channels.to_string())
            );
        }
        let [gamma, beta] = self.weights.weights(b, &[channels])?;
        let places: usize = sizes[..sizes.len() - 1].iter().product();
        let row = [places, channels / groups];
        let split = b.reshape_rows(x, &[places, groups, channels / groups])?;
        let rows = b.graph.transpose(split, &[0, 2, 1, 3])?;
        let (ones, zeros) = (b.graph.fill(Shape::fixed(&row), 1.0), b.graph.fill(Shape::fixed(&row), 0.0));
        let rows = b.graph.layer_norm(rows, ones, zeros, 2, self.epsilon)?;
        let y = b.graph.transpose(rows, &[0, 2, 1, 3])?;
        let mut y = b.reshape_rows(y, &sizes)?;
        if let Some(gamma) = gamma {
            y = b.graph.mul(y, gamma)?;
        }
        if let Some(beta) = beta {
            y = b.graph.add(y, beta)?;
        }
        Ok(vec![b.graph.transpose(y, &back)?.into()])
    }
}

/// `x / √max(Σx², epsilon)` over `axes`.
pub(crate) fn unit_length(b: &mut Lowering<'_>, x: NodeId, axes: &[usize], epsilon: f32) -> Result<NodeId> {
    let squared = b.graph.unary(Unary::Square, x)?;
    let sum = b.graph.reduce(Reduction::Sum, squared, axes)?;
    let least = b.graph.fill(b.graph.shape(sum).clone(), epsilon);
    let sum = b.graph.binary(Binary::Maximum, sum, least)?;
    let factor = b.graph.unary(Unary::Rsqrt, sum)?;
    Ok(b.graph.mul(x, factor)?)
}

/// To Euclidean length 1 over `axes`.
#[derive(Debug, Clone)]
pub(crate) struct UnitNormalization {
    axes: Vec<i64>,
}

impl UnitNormalization {
    pub(crate) fn read(f: &Fields<'_>) -> Result<UnitNormalization> {
        Ok(UnitNormalization { axes: f.integers("axis", Some(&[-1]))? })
    }
}

impl Lower for UnitNormalization {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let x = b.one(arguments)?;
        let axes = b.axes(x, &self.axes)?;
        Ok(vec![unit_length(b, x, &axes, 1e-12)?.into()])
    }
}

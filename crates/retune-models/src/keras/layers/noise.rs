//! Layers that are random in training and the identity in inference.

use retune_graph::ops::random::Random;
use retune_graph::ops::{self, Binary};
use retune_graph::{Dim, NodeId, Shape};

use super::super::calls::Arguments;
use super::super::fields::Fields;
use super::super::lowering::{Lowering, Value};
use super::Lower;
use crate::error::Result;

/// Reads a rate in `[0, 1)`.
pub(crate) fn rate(f: &Fields<'_>, name: &str, default: Option<f32>) -> Result<f32> {
    let rate = f.number(name, default)?;
    if (0.0..1.0).contains(&rate) { Ok(rate) } else { Err(f.wrong(name, "a rate from 0 up to, but not including, 1")) }
}

/// Reads `noise_shape`: sizes of the drawn tensor, 1 along shared axes.
fn noise_shape(f: &Fields<'_>) -> Result<Option<Vec<Option<usize>>>> {
    let wrong = || f.wrong("noise_shape", "a shape");
    f.get("noise_shape").map(|value| super::super::config::shape(value).ok_or_else(wrong)).transpose()
}

/// The axes that a noise shape shares.
fn shared_axes(b: &Lowering<'_>, x: NodeId, noise_shape: Option<&[Option<usize>]>) -> Result<Vec<usize>> {
    let Some(noise_shape) = noise_shape else { return Ok(Vec::new()) };
    let shape = b.graph.shape(x);
    if noise_shape.len() != shape.rank() || noise_shape.first() == Some(&Some(1)) {
        return Err(b.unsupported("a noise shape that is the same for all examples", "leave `noise_shape` out"));
    }
    let shared = (1..shape.rank()).filter(|&axis| noise_shape[axis] == Some(1) && shape[axis] != Dim::Fixed(1));
    Ok(shared.collect())
}

/// Dropout, SpatialDropout1D, SpatialDropout2D: values become 0 with probability `rate`, all others `x / (1 − rate)`.
#[derive(Debug, Clone)]
pub(crate) struct Dropout {
    rate: f32,
    noise_shape: Option<Vec<Option<usize>>>,
    /// Number of spatial axes over which whole channels are dropped; 0 for plain dropout.
    spatial: usize,
}

impl Dropout {
    pub(crate) fn read(f: &Fields<'_>) -> Result<Dropout> {
        Ok(Dropout { rate: rate(f, "rate", None)?, noise_shape: noise_shape(f)?, spatial: 0 })
    }

    pub(crate) fn spatial(f: &Fields<'_>, spatial: usize) -> Result<Dropout> {
        f.channels_last()?;
        f.get("noise_shape");
        Ok(Dropout { rate: rate(f, "rate", None)?, noise_shape: None, spatial })
    }
}

impl Lower for Dropout {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let x = b.one(arguments)?;
        if !b.is_training() || self.rate == 0.0 {
            return Ok(vec![x.into()]);
        }
        let shared_axes = match self.spatial {
            0 => shared_axes(b, x, self.noise_shape.as_deref())?,
            spatial => (1..=spatial).collect(),
        };
        let op = ops::Dropout { rate: self.rate, stream: b.stream(), shared_axes };
        Ok(vec![b.graph.push(op.into(), &[x])?.into()])
    }
}

/// 1 with probability `1 − rate`, else 0, of this shape.
pub(crate) fn keep_mask(b: &mut Lowering<'_>, shape: Shape, rate: f32) -> Result<NodeId> {
    let stream = b.stream();
    let uniform = b.graph.random(shape.clone(), Random::Uniform { low: 0.0, high: 1.0, stream });
    let rate = b.graph.fill(shape, rate);
    Ok(b.graph.binary(Binary::GreaterEqual, uniform, rate)?)
}

/// Dropout that keeps mean and variance of SELU's outputs: dropped values become `α' = −1.7580993`, and all are then scaled
/// by `a = ((1 − rate)(1 + rate · α'²))^−½` and shifted by `−a · α' · rate`. Klambauer et al., 2017.
#[derive(Debug, Clone)]
pub(crate) struct AlphaDropout {
    rate: f32,
    noise_shape: Option<Vec<Option<usize>>>,
}

impl AlphaDropout {
    pub(crate) fn read(f: &Fields<'_>) -> Result<AlphaDropout> {
        Ok(AlphaDropout { rate: rate(f, "rate", None)?, noise_shape: noise_shape(f)? })
    }
}

impl Lower for AlphaDropout {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        const SATURATION: f32 = -1.758_099_3;
        let x = b.one(arguments)?;
        if !b.is_training() || self.rate == 0.0 {
            return Ok(vec![x.into()]);
        }
        let shared = shared_axes(b, x, self.noise_shape.as_deref())?;
        let shape = shared.iter().fold(b.graph.shape(x).clone(), |shape, &axis| shape.with(axis, Dim::Fixed(1)));
        let keep = keep_mask(b, shape, self.rate)?;
        let dropped = b.select_or(keep, x, SATURATION)?;
        let scale = ((1.0 - self.rate) * (1.0 + self.rate * SATURATION * SATURATION)).powf(-0.5);
        Ok(vec![b.graph.affine(dropped, scale, -scale * SATURATION * self.rate)?.into()])
    }
}

/// `x · n` with n normal of mean 1 and standard deviation `√(rate / (1 − rate))`.
#[derive(Debug, Clone)]
pub(crate) struct GaussianDropout {
    rate: f32,
}

impl GaussianDropout {
    pub(crate) fn read(f: &Fields<'_>) -> Result<GaussianDropout> {
        Ok(GaussianDropout { rate: rate(f, "rate", None)? })
    }
}

impl Lower for GaussianDropout {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let x = b.one(arguments)?;
        if !b.is_training() || self.rate == 0.0 {
            return Ok(vec![x.into()]);
        }
        let (shape, stream) = (b.graph.shape(x).clone(), b.stream());
        let stddev = (self.rate / (1.0 - self.rate)).sqrt();
        let noise = b.graph.random(shape, Random::Normal { mean: 1.0, stddev, stream });
        Ok(vec![b.graph.mul(x, noise)?.into()])
    }
}

/// `x + n` with n normal of mean 0.
#[derive(Debug, Clone)]
pub(crate) struct GaussianNoise {
    stddev: f32,
}

impl GaussianNoise {
    pub(crate) fn read(f: &Fields<'_>) -> Result<GaussianNoise> {
        Ok(GaussianNoise { stddev: f.number("stddev", None)? })
    }
}

impl Lower for GaussianNoise {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let x = b.one(arguments)?;
        if !b.is_training() || self.stddev == 0.0 {
            return Ok(vec![x.into()]);
        }
        let (shape, stream) = (b.graph.shape(x).clone(), b.stream());
        let noise = b.graph.random(shape, Random::Normal { mean: 0.0, stddev: self.stddev, stream });
        Ok(vec![b.graph.add(x, noise)?.into()])
    }
}

//! Layers that apply an activation function.

use retune_graph::ops;
use retune_graph::ops::reduce::Reduction;

use super::super::calls::Arguments;
use super::super::fields::Fields;
use super::super::lowering::{Lowering, Value, WeightKind};
use super::super::values::ActivationFunction;
use super::Lower;
use super::dense::WeightOptions;
use crate::error::Result;
use crate::initializer::Initializer;

/// Activation, ReLU, LeakyReLU, ELU.
#[derive(Debug, Clone)]
pub(crate) struct Activation(ActivationFunction);

impl Activation {
    pub(crate) fn read(f: &Fields<'_>) -> Result<Activation> {
        f.activation("activation", "linear").map(Activation)
    }

    pub(crate) fn relu(f: &Fields<'_>) -> Result<Activation> {
        Ok(Activation(ActivationFunction::Values(ops::Activation::Relu {
            max_value: f.optional_number("max_value")?,
            negative_slope: f.number("negative_slope", Some(0.0))?,
            threshold: f.number("threshold", Some(0.0))?,
        })))
    }

    pub(crate) fn leaky_relu(f: &Fields<'_>) -> Result<Activation> {
        Ok(Activation(ActivationFunction::Values(ops::Activation::Relu {
            max_value: None,
            negative_slope: f.number("negative_slope", Some(0.3))?,
            threshold: 0.0,
        })))
    }

    pub(crate) fn elu(f: &Fields<'_>) -> Result<Activation> {
        let alpha = f.number("alpha", Some(1.0))?;
        Ok(Activation(ActivationFunction::Values(ops::Activation::Elu { alpha })))
    }
}

impl Lower for Activation {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let x = b.one(arguments)?;
        Ok(vec![self.0.apply(b, x)?.into()])
    }
}

/// `max(0, x) − alpha · max(0, −x)` with a learned alpha for each value of an example; `shared_axes` share one. He et al.,
/// 2015.
#[derive(Debug, Clone)]
pub(crate) struct PRelu {
    alpha: WeightOptions,
    shared_axes: Vec<i64>,
}

impl PRelu {
    pub(crate) fn read(f: &Fields<'_>) -> Result<PRelu> {
        Ok(PRelu {
            alpha: WeightOptions::read(f, "alpha", Initializer::ZEROS)?,
            shared_axes: f.integers("shared_axes", Some(&[]))?,
        })
    }
}

impl Lower for PRelu {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let x = b.one(arguments)?;
        let shared = b.axes(x, &self.shared_axes)?;
        let rank = b.graph.shape(x).rank();
        let shape = (1..rank)
            .map(|axis| if shared.contains(&axis) { Ok(1) } else { b.fixed(x, axis) })
            .collect::<Result<Vec<usize>>>()?;
        let alpha = self.alpha.weight(b, "alpha", &shape, WeightKind::NoDecay)?;
        let positive = b.graph.activate(x, ops::Activation::RELU)?;
        let negative = b.graph.affine(x, -1.0, 0.0)?;
        let negative = b.graph.activate(negative, ops::Activation::RELU)?;
        let negative = b.graph.mul(negative, alpha)?;
        Ok(vec![b.graph.sub(positive, negative)?.into()])
    }
}

/// Softmax over one axis or several together; masked places get 0.
#[derive(Debug, Clone)]
pub(crate) struct Softmax {
    axes: Vec<i64>,
}

/// What takes the place of a masked logit.
pub(crate) const MASKED_LOGIT: f32 = -1e9;

impl Softmax {
    pub(crate) fn read(f: &Fields<'_>) -> Result<Softmax> {
        Ok(Softmax { axes: f.integers("axis", Some(&[-1]))? })
    }
}

impl Lower for Softmax {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let mask = b.mask(arguments)?;
        let mut x = b.one(&Arguments::on(arguments.tensors().into_iter().copied().take(1)))?;
        if let Some(mask) = mask {
            x = b.select_or(mask, x, MASKED_LOGIT)?;
        }
        let axes = b.axes(x, &self.axes)?;
        let y = if let [axis] = axes[..] {
            let (last, back) = b.axis_last(x, axis)?;
            let y = b.graph.softmax(last)?;
            b.graph.transpose(y, &back)?
        } else {
            let largest = b.graph.reduce(Reduction::Max, x, &axes)?;
            let shifted = b.graph.sub(x, largest)?;
            let exponentials = b.graph.unary(ops::Unary::Exp, shifted)?;
            let sum = b.graph.reduce(Reduction::Sum, exponentials, &axes)?;
            b.graph.div(exponentials, sum)?
        };
        let y = match mask {
            Some(mask) => b.graph.mul(y, mask)?,
            None => y,
        };
        Ok(vec![y.into()])
    }
}

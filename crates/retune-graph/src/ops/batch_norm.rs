//! Batch normalization by the batch's own moments (training). By moving statistics (inference, frozen layers) it is a
//! scale and a shift per channel, which [`fold_scale`](crate::passes::fold_scale()) folds into the convolution before it.
//! Ioffe and Szegedy, *Batch normalization*, 2015.

use super::activation::Activation;
use super::{Operand, Operation, Sizes, exactly, require, require_f32};
use crate::error::{GraphError, Rule};
use crate::grad::Backward;
use crate::graph::{Graph, NodeId};
use crate::shape::{DType, Dim, Shape};

/// Row 0: mean of x over all axes but the last; row 1: its biased variance. Output `[2, channels]`.
///
/// No gradient flows through it: [`BatchNorm`]'s gradient is the whole one. What else is made of it cannot be differentiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchMoments;

impl Operation for BatchMoments {
    fn name(&self) -> &'static str {
        "batch_moments"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [x] = exactly(inputs)?;
        require_f32(inputs)?;
        Ok((Shape::new([Dim::Fixed(2), channels(x.shape)?]), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        Err(b.refuse("its moments have a gradient only inside batch normalization; build others from reduce_mean"))
    }

    fn flops(&self, Sizes { inputs, .. }: Sizes<'_>) -> u64 {
        4 * inputs[0].iter().product::<usize>() as u64
    }
}

/// `y = f(gamma · (x − mean) / √(variance + epsilon) + beta)`; inputs `(x, moments of x, gamma, beta)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchNorm {
    /// Added to the variance; 1e-3 in Keras, 1e-5 in PyTorch.
    pub epsilon: f32,
    /// Applied to the result while it is in cache. Gradients compute its argument anew from x, so neither is stored for them.
    pub activation: Option<Activation>,
}

impl Operation for BatchNorm {
    fn name(&self) -> &'static str {
        "batch_norm"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [x, moments, gamma, beta] = exactly(inputs)?;
        require_f32(inputs)?;
        check_parameters(x.shape, [moments.shape, gamma.shape, beta.shape])?;
        Ok((x.shape.clone(), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        let [x, moments, gamma, beta] = [0, 1, 2, 3].map(|index| b.input(index));
        let (BatchNorm { epsilon, activation }, dy) = (*self, b.dy);
        let op = BatchNormGradSums { epsilon, activation };
        let sums = b.graph.push(op.into(), &[x, moments, gamma, beta, dy])?;
        if b.needs(0) {
            let op = BatchNormGradInput { epsilon, activation };
            let dx = b.graph.push(op.into(), &[x, moments, gamma, beta, dy, sums])?;
            b.give(0, dx);
        }
        for (index, row) in [(2, 0), (3, 1)] {
            if b.needs(index) {
                let shape = b.graph.shape(b.input(index)).clone();
                let grad = b.graph.slice(sums, 0, row, 1)?;
                let grad = b.graph.reshape(grad, shape)?;
                b.give(index, grad);
            }
        }
        Ok(())
    }

    fn flops(&self, Sizes { output, .. }: Sizes<'_>) -> u64 {
        2 * output.iter().product::<usize>() as u64
    }
}

/// Row 0: `Σ dz · x̂` (the gradient of gamma); row 1: `Σ dz` (of beta), with `x̂ = (x − mean) / √(variance + epsilon)` and
/// `dz = dy · f′(gamma · x̂ + beta)`; inputs `(x, moments, gamma, beta, dy)`, output `[2, channels]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchNormGradSums {
    /// As in [`BatchNorm`].
    pub epsilon: f32,
    /// f, none by default.
    pub activation: Option<Activation>,
}

impl Operation for BatchNormGradSums {
    fn name(&self) -> &'static str {
        "batch_norm_grad_sums"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [x, moments, gamma, beta, dy] = exactly(inputs)?;
        require_f32(inputs)?;
        check_parameters(x.shape, [moments.shape, gamma.shape, beta.shape])?;
        require(x.shape == dy.shape, || "dy must have the shape of x".to_owned())?;
        Ok((moments.shape.clone(), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        Err(b.refuse("second derivatives are not provided"))
    }

    fn flops(&self, Sizes { inputs, .. }: Sizes<'_>) -> u64 {
        5 * inputs[0].iter().product::<usize>() as u64
    }
}

/// `dx = gamma / √(variance + epsilon) · (dz − Σdz / n − x̂ · Σ(dz · x̂) / n)`, n values a channel, dz as in
/// [`BatchNormGradSums`]; inputs `(x, moments, gamma, beta, dy, sums)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchNormGradInput {
    /// As in [`BatchNorm`].
    pub epsilon: f32,
    /// f, none by default.
    pub activation: Option<Activation>,
}

impl Operation for BatchNormGradInput {
    fn name(&self) -> &'static str {
        "batch_norm_grad_input"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [x, moments, gamma, beta, dy, sums] = exactly(inputs)?;
        require_f32(inputs)?;
        check_parameters(x.shape, [moments.shape, gamma.shape, beta.shape])?;
        require(x.shape == dy.shape, || "dy must have the shape of x".to_owned())?;
        require(moments.shape == sums.shape, || "sums must be [2, channels]".to_owned())?;
        Ok((x.shape.clone(), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        Err(b.refuse("second derivatives are not provided"))
    }

    fn flops(&self, Sizes { output, .. }: Sizes<'_>) -> u64 {
        5 * output.iter().product::<usize>() as u64
    }
}

fn channels(x: &Shape) -> Result<Dim, Rule> {
    x.last().filter(|_| x.rank() >= 2).ok_or_else(|| "it takes at least two axes, channels last".to_owned())
}

fn check_parameters(x: &Shape, [moments, gamma, beta]: [&Shape; 3]) -> Result<(), Rule> {
    let channels = channels(x)?;
    require(moments.dims() == [Dim::Fixed(2), channels], || format!("moments must be [2, {channels}]"))?;
    require(gamma.dims() == [channels] && beta.dims() == [channels], || format!("gamma and beta must be [{channels}]"))
}

impl Graph {
    /// `x` normalized by the batch's own moments, and the moments `[2, channels]`.
    pub fn batch_norm(
        &mut self,
        x: NodeId,
        gamma: NodeId,
        beta: NodeId,
        epsilon: f32,
    ) -> Result<(NodeId, NodeId), GraphError> {
        let moments = self.push(BatchMoments.into(), &[x])?;
        let y = self.push(BatchNorm { epsilon, activation: None }.into(), &[x, moments, gamma, beta])?;
        Ok((y, moments))
    }
}

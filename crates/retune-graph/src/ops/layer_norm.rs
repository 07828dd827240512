//! Layer normalization over the last axes. Ba, Kiros and Hinton, *Layer normalization*, 2016.

use super::{Operand, Operation, Sizes, exactly, require, require_f32};
use crate::error::{GraphError, Rule};
use crate::grad::Backward;
use crate::graph::{Graph, NodeId};
use crate::shape::{DType, Dim, Shape};

/// For each row, a row being the last `axes` axes: its mean and biased variance. Output `[leading axes…, 2]`.
///
/// No gradient flows through it: [`LayerNorm`]'s gradient is the whole one. What else is made of it cannot be differentiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowMoments {
    /// How many trailing axes make a row.
    pub axes: usize,
}

impl Operation for RowMoments {
    fn name(&self) -> &'static str {
        "row_moments"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [x] = exactly(inputs)?;
        require_f32(inputs)?;
        Ok((moments_shape(x.shape, self.axes)?, DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        Err(b.refuse("its moments have a gradient only inside layer normalization; build others from reduce_mean"))
    }

    fn flops(&self, Sizes { inputs, .. }: Sizes<'_>) -> u64 {
        4 * inputs[0].iter().product::<usize>() as u64
    }
}

/// `y = gamma · (x − mean) / √(variance + epsilon) + beta`; inputs `(x, row moments of x, gamma, beta)`, gamma and beta of
/// the shape of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerNorm {
    /// How many trailing axes make a row.
    pub axes: usize,
    /// Added to the variance; 1e-3 in Keras, 1e-5 in PyTorch, 1e-12 in BERT.
    pub epsilon: f32,
}

impl Operation for LayerNorm {
    fn name(&self) -> &'static str {
        "layer_norm"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [x, moments, gamma, beta] = exactly(inputs)?;
        require_f32(inputs)?;
        let expected = moments_shape(x.shape, self.axes)?;
        require(*moments.shape == expected, || format!("moments must be {expected}"))?;
        let row = &x.shape.dims()[x.shape.rank() - self.axes..];
        require(gamma.shape.dims() == row && beta.shape.dims() == row, || {
            format!("gamma and beta must be {}", Shape::new(row))
        })?;
        Ok((x.shape.clone(), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        let (x, moments, gamma, dy) = (b.input(0), b.input(1), b.input(2), b.dy);
        let LayerNorm { axes, epsilon } = *self;
        if b.needs(0) {
            let dx = b.graph.push(LayerNormGradInput { axes, epsilon }.into(), &[x, moments, gamma, dy])?;
            b.give(0, dx);
        }
        if b.needs(2) || b.needs(3) {
            let sums = b.graph.push(LayerNormGradSums { axes, epsilon }.into(), &[x, moments, dy])?;
            for (index, row) in [(2, 0), (3, 1)] {
                if b.needs(index) {
                    let shape = b.graph.shape(b.input(index)).clone();
                    let grad = b.graph.slice(sums, 0, row, 1)?;
                    let grad = b.graph.reshape(grad, shape)?;
                    b.give(index, grad);
                }
            }
        }
        Ok(())
    }

    fn flops(&self, Sizes { output, .. }: Sizes<'_>) -> u64 {
        4 * output.iter().product::<usize>() as u64
    }
}

/// `dx = (g − mean(g) − x̂ · mean(g · x̂)) / √(variance + epsilon)` with `g = dy · gamma`, means over the row;
/// inputs `(x, moments, gamma, dy)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerNormGradInput {
    /// As in [`LayerNorm`].
    pub axes: usize,
    /// As in [`LayerNorm`].
    pub epsilon: f32,
}

impl Operation for LayerNormGradInput {
    fn name(&self) -> &'static str {
        "layer_norm_grad_input"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [x, _moments, _gamma, dy] = exactly(inputs)?;
        require_f32(inputs)?;
        require(x.shape == dy.shape, || "dy must have the shape of x".to_owned())?;
        Ok((x.shape.clone(), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        Err(b.refuse("second derivatives are not provided"))
    }

    fn flops(&self, Sizes { output, .. }: Sizes<'_>) -> u64 {
        8 * output.iter().product::<usize>() as u64
    }
}

/// Row 0: `Σ dy · x̂` (the gradient of gamma); row 1: `Σ dy` (of beta), over all rows; inputs `(x, moments, dy)`,
/// output `[2, row axes…]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerNormGradSums {
    /// As in [`LayerNorm`].
    pub axes: usize,
    /// As in [`LayerNorm`].
    pub epsilon: f32,
}

impl Operation for LayerNormGradSums {
    fn name(&self) -> &'static str {
        "layer_norm_grad_sums"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [x, _moments, dy] = exactly(inputs)?;
        require_f32(inputs)?;
        require(x.shape == dy.shape, || "dy must have the shape of x".to_owned())?;
        let row = &x.shape.dims()[x.shape.rank() - self.axes..];
        Ok((Shape::new([Dim::Fixed(2)]).followed_by(row), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        Err(b.refuse("second derivatives are not provided"))
    }

    fn flops(&self, Sizes { inputs, .. }: Sizes<'_>) -> u64 {
        5 * inputs[0].iter().product::<usize>() as u64
    }
}

fn moments_shape(x: &Shape, axes: usize) -> Result<Shape, Rule> {
    require(axes >= 1 && axes <= x.rank(), || format!("the input must have at least {axes} axes"))?;
    Ok(x.leading(axes).followed_by(&[Dim::Fixed(2)]))
}

impl Graph {
    /// `x` normalized over its last `axes` axes.
    pub fn layer_norm(
        &mut self,
        x: NodeId,
        gamma: NodeId,
        beta: NodeId,
        axes: usize,
        epsilon: f32,
    ) -> Result<NodeId, GraphError> {
        let moments = self.push(RowMoments { axes }.into(), &[x])?;
        self.push(LayerNorm { axes, epsilon }.into(), &[x, moments, gamma, beta])
    }
}

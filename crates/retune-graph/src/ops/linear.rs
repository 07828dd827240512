//! Products with a weight matrix.

use super::activation::fused_gradient;
use super::{Activation, MatMul, Operand, Operation, Sizes, require, require_f32};
use crate::error::{GraphError, Rule};
use crate::grad::Backward;
use crate::graph::{Graph, NodeId};
use crate::ops::matmul::Precision;
use crate::ops::reduce::Reduction;
use crate::shape::{DType, Dim, Shape};

/// `y[…, j] = f(Σₖ x[…, k] · w[k, j] + bias[j])`; inputs `(x, w)` or `(x, w, bias)`, `w` of shape `[in, out]` as Keras's
/// `Dense` stores it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Linear {
    /// Applied to the result while it is in cache. Only functions whose derivative follows from their value.
    pub activation: Option<Activation>,
    /// How precisely x and w are read.
    pub precision: Precision,
}

impl Operation for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        require(inputs.len() == 2 || inputs.len() == 3, || "it takes x, weight and perhaps bias".to_owned())?;
        require_f32(inputs)?;
        let (x, w) = (inputs[0].shape, inputs[1].shape);
        require(x.rank() >= 2 && w.rank() == 2, || {
            "it takes x of at least two axes and a weight [in, out]".to_owned()
        })?;
        require(x.last() == Some(w[0]), || format!("the last axis of x must be the weight's {} inputs", w[0]))?;
        require(inputs.get(2).is_none_or(|b| b.shape.dims() == [w[1]]), || format!("the bias must be [{}]", w[1]))?;
        Ok((x.with(x.rank() - 1, w[1]), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        let (x, w) = (b.input(0), b.input(1));
        let dy = match self.activation {
            Some(activation) => fused_gradient(b, activation)?,
            None => b.dy,
        };
        let product = |transpose_a, transpose_b| MatMul { transpose_a, transpose_b, precision: self.precision };
        if b.needs(0) {
            let op = product(false, true).into();
            let dx = if b.graph.shape(dy).rank() == 2 {
                b.graph.push(op, &[dy, w])?
            } else {
                let rows = b.graph.flatten_rows(dy)?;
                let dx = b.graph.push(op, &[rows, w])?;
                let shape = b.graph.shape(x).clone();
                b.graph.reshape(dx, shape)?
            };
            b.give(0, dx);
        }
        if b.needs(1) {
            let (x, dy) = (b.graph.flatten_rows(x)?, b.graph.flatten_rows(dy)?);
            let dw = b.graph.push(product(true, false).into(), &[x, dy])?;
            b.give(1, dw);
        }
        if b.needs(2) {
            let db = b.graph.sum_leading(dy)?;
            b.give(2, db);
        }
        Ok(())
    }

    fn flops(&self, Sizes { inputs, output, .. }: Sizes<'_>) -> u64 {
        2 * (inputs[1][0] * output.iter().product::<usize>()) as u64
    }
}

impl Graph {
    /// `x · w + bias`, `w` of shape `[in, out]`.
    pub fn linear(&mut self, x: NodeId, w: NodeId, bias: Option<NodeId>) -> Result<NodeId, GraphError> {
        let inputs: Vec<NodeId> = [x, w].into_iter().chain(bias).collect();
        self.push(Linear::default().into(), &inputs)
    }

    /// `x` as a matrix `[rows, last axis]`.
    pub fn flatten_rows(&mut self, x: NodeId) -> Result<NodeId, GraphError> {
        let shape = self.shape(x).clone();
        let rows = shape.leading(1).dims().iter().copied().reduce(product).unwrap_or(Dim::Fixed(1));
        let last = shape.last().unwrap_or(Dim::Fixed(1));
        self.reshape(x, Shape::new([rows, last]))
    }

    /// The sum over all axes but the last: `[last axis]`.
    pub fn sum_leading(&mut self, x: NodeId) -> Result<NodeId, GraphError> {
        let axes: Vec<usize> = (0..self.shape(x).rank() - 1).collect();
        self.reduce_away(Reduction::Sum, x, &axes)
    }
}

/// The product of two sizes, at most one of which has a symbol.
fn product(a: Dim, b: Dim) -> Dim {
    match (a, b) {
        (Dim::Fixed(a), b) => b.times(a),
        (a, Dim::Fixed(b)) => a.times(b),
        (a, _) => a,
    }
}

//! Reductions over axes, and broadcasting as their reverse.

use super::{Operand, Operation, Sizes, exactly, require, require_f32};
use crate::error::{GraphError, Rule};
use crate::grad::Backward;
use crate::graph::{Graph, NodeId};
use crate::ops::Binary;
use crate::shape::{DType, Dim, Shape};

/// What a reduction computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    /// Sum.
    Sum,
    /// Arithmetic mean.
    Mean,
    /// Largest value; where several are equal, the gradient is shared between them (TensorFlow's rule).
    Max,
}

/// Reduces over `axes`, which stay as axes of size 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reduce {
    /// What is computed.
    pub reduction: Reduction,
    /// The axes reduced, ascending.
    pub axes: Vec<usize>,
}

impl Operation for Reduce {
    fn name(&self) -> &'static str {
        match self.reduction {
            Reduction::Sum => "reduce_sum",
            Reduction::Mean => "reduce_mean",
            Reduction::Max => "reduce_max",
        }
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [x] = exactly(inputs)?;
        require_f32(inputs)?;
        require(self.axes.iter().all(|&a| a < x.shape.rank()), || format!("axes {:?} must exist", self.axes))?;
        let shape = self.axes.iter().fold(x.shape.clone(), |shape, &axis| shape.with(axis, Dim::Fixed(1)));
        Ok((shape, DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        let (x, y, dy) = (b.input(0), b.node, b.dy);
        let g = &mut *b.graph;
        let shape = g.shape(x).clone();
        let dx = match self.reduction {
            Reduction::Sum => g.broadcast_to(dy, &shape)?,
            Reduction::Mean => {
                // The mean's divisor may hold a symbol, so it is taken as the mean of ones over the summed axes.
                let ones = g.fill(shape.clone(), 1.0);
                let count = g.reduce(Reduction::Sum, ones, &self.axes)?;
                let share = g.div(dy, count)?;
                g.broadcast_to(share, &shape)?
            }
            Reduction::Max => {
                let ties = g.binary(Binary::Equal, x, y)?;
                let count = g.reduce(Reduction::Sum, ties, &self.axes)?;
                let share = g.div(dy, count)?;
                g.mul(ties, share)?
            }
        };
        b.give(0, dx);
        Ok(())
    }

    fn flops(&self, Sizes { inputs, .. }: Sizes<'_>) -> u64 {
        inputs[0].iter().product::<usize>() as u64
    }
}

/// Stretches axes of size 1 (and adds leading axes) to a larger shape, by numpy's rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BroadcastTo {
    /// The shape to reach.
    pub shape: Shape,
}

impl Operation for BroadcastTo {
    fn name(&self) -> &'static str {
        "broadcast_to"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [x] = exactly(inputs)?;
        require_f32(inputs)?;
        require(x.shape.broadcast(&self.shape).as_ref() == Some(&self.shape), || {
            format!("it must broadcast to {}", self.shape)
        })?;
        Ok((self.shape.clone(), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        let shape = b.graph.shape(b.input(0)).clone();
        let dx = b.graph.sum_to(b.dy, &shape)?;
        b.give(0, dx);
        Ok(())
    }
}

impl Graph {
    /// Reduces over `axes`, which stay as axes of size 1.
    pub fn reduce(&mut self, reduction: Reduction, x: NodeId, axes: &[usize]) -> Result<NodeId, GraphError> {
        self.push(Reduce { reduction, axes: axes.to_vec() }.into(), &[x])
    }

    /// Reduces over `axes` and removes them.
    pub fn reduce_away(&mut self, reduction: Reduction, x: NodeId, axes: &[usize]) -> Result<NodeId, GraphError> {
        let kept = self.shape(x).dims().iter().enumerate().filter(|(axis, _)| !axes.contains(axis));
        let shape: Shape = kept.map(|(_, dim)| *dim).collect();
        let reduced = self.reduce(reduction, x, axes)?;
        self.reshape(reduced, shape)
    }

    /// Stretches `x` to `shape`.
    pub fn broadcast_to(&mut self, x: NodeId, shape: &Shape) -> Result<NodeId, GraphError> {
        if self.shape(x) == shape {
            return Ok(x);
        }
        self.push(BroadcastTo { shape: shape.clone() }.into(), &[x])
    }

    /// The reverse of broadcasting: sums `x` over the axes along which `shape` would have been stretched to it.
    pub fn sum_to(&mut self, x: NodeId, shape: &Shape) -> Result<NodeId, GraphError> {
        let full = self.shape(x).clone();
        if full == *shape {
            return Ok(x);
        }
        let extra = full.rank() - shape.rank();
        let axes: Vec<usize> = (0..full.rank())
            .filter(|&axis| axis < extra || (shape[axis - extra] == Dim::Fixed(1) && full[axis] != Dim::Fixed(1)))
            .collect();
        let summed = self.reduce(Reduction::Sum, x, &axes)?;
        self.reshape(summed, shape.clone())
    }
}

//! Softmax and its logarithm over the last axis.

use super::{Operand, Operation, Sizes, exactly, require, require_f32, same_shape};
use crate::error::{GraphError, Rule};
use crate::grad::Backward;
use crate::graph::{Graph, NodeId};
use crate::shape::{DType, Shape};

/// `y[…, j] = exp(x[…, j] − max) / Σₖ exp(x[…, k] − max)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Softmax;

/// `y[…, j] = x[…, j] − max − log Σₖ exp(x[…, k] − max)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSoftmax;

/// `dx = y · (dy − Σₖ dyₖ yₖ)`; inputs `(y, dy)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SoftmaxGrad;

/// `dx = dy − eʸ · Σₖ dyₖ`; inputs `(y, dy)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSoftmaxGrad;

fn row_function(inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
    let [x] = exactly(inputs)?;
    require_f32(inputs)?;
    require(x.shape.rank() >= 1, || "it takes at least one axis".to_owned())?;
    Ok((x.shape.clone(), DType::F32))
}

fn row_gradient(inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
    exactly::<2>(inputs)?;
    same_shape(inputs)
}

macro_rules! row_operations {
    ($($forward:ident $name:literal, $backward:ident $grad_name:literal;)*) => {$(
        impl Operation for $forward {
            fn name(&self) -> &'static str {
                $name
            }

            fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
                row_function(inputs)
            }

            fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
                let dx = b.graph.push($backward.into(), &[b.node, b.dy])?;
                b.give(0, dx);
                Ok(())
            }

            fn flops(&self, Sizes { output, .. }: Sizes<'_>) -> u64 {
                10 * output.iter().product::<usize>() as u64
            }
        }

        impl Operation for $backward {
            fn name(&self) -> &'static str {
                $grad_name
            }

            fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
                row_gradient(inputs)
            }

            fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
                Err(b.refuse("second derivatives are not provided"))
            }

            fn flops(&self, Sizes { output, .. }: Sizes<'_>) -> u64 {
                4 * output.iter().product::<usize>() as u64
            }
        }
    )*};
}

row_operations! {
    Softmax "softmax", SoftmaxGrad "softmax_grad";
    LogSoftmax "log_softmax", LogSoftmaxGrad "log_softmax_grad";
}

impl Graph {
    /// Softmax over the last axis.
    pub fn softmax(&mut self, x: NodeId) -> Result<NodeId, GraphError> {
        self.push(Softmax.into(), &[x])
    }

    /// The logarithm of softmax over the last axis.
    pub fn log_softmax(&mut self, x: NodeId) -> Result<NodeId, GraphError> {
        self.push(LogSoftmax.into(), &[x])
    }
}

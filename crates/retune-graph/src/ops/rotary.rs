//! Rotary position embedding. Su et al., *RoFormer*, 2021.

use super::{Operand, Operation, Sizes, exactly, require};
use crate::error::{GraphError, Rule};
use crate::grad::Backward;
use crate::graph::{Graph, NodeId};
use crate::shape::{DType, Shape};

/// Turns the pairs of values of each head by angles that grow with the position of the token, so that a product of two rows
/// depends on the distance between them.
///
/// Inputs `x [rows, heads · head size]` and `positions [rows] i32`, output of the shape of x. Pairs are values c and
/// `c + head size / 2` of a head, as in GPT-NeoX and transformers; their angle is `a = position · theta^(−2c / head size)`:
/// `y_c = x_c cos a − x_{c + half} sin a`, `y_{c + half} = x_{c + half} cos a + x_c sin a`. The gradient is the same turn back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rotary {
    /// Values of a head, an even number.
    pub head_size: usize,
    /// The base of the angles, above 0.
    pub theta: f32,
    /// Whether pairs are turned back.
    pub inverse: bool,
}

impl Rotary {
    /// The angle of pair `c` for a step of 1. In 32 bits, as where the weights were trained.
    pub fn frequency(&self, c: usize) -> f32 {
        1.0 / self.theta.powf((2 * c) as f32 / self.head_size as f32)
    }
}

impl Operation for Rotary {
    fn name(&self) -> &'static str {
        "rotary"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [x, positions] = exactly(inputs)?;
        require(x.dtype == DType::F32 && x.shape.rank() == 2, || "it takes f32 rows [rows, width]".to_owned())?;
        require(positions.dtype == DType::I32 && positions.shape.dims() == &x.shape.dims()[..1], || {
            "positions must be i32 [rows]".to_owned()
        })?;
        let width = x.shape[1].fixed().unwrap_or(0);
        require(
            self.head_size > 0 && self.head_size.is_multiple_of(2) && width.is_multiple_of(self.head_size),
            || format!("a width of {width} does not divide into heads of {} values in pairs", self.head_size),
        )?;
        require(self.theta > 0.0, || format!("the base of the angles must be above 0, found {}", self.theta))?;
        Ok((x.shape.clone(), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        let back = Rotary { inverse: !self.inverse, ..*self };
        let dx = b.graph.push(back.into(), &[b.dy, b.input(1)])?;
        b.give(0, dx);
        Ok(())
    }

    fn flops(&self, Sizes { output, .. }: Sizes<'_>) -> u64 {
        3 * output.iter().product::<usize>() as u64
    }
}

impl Graph {
    /// Rows of tokens, turned by their positions.
    pub fn rotary(&mut self, x: NodeId, positions: NodeId, head_size: usize, theta: f32) -> Result<NodeId, GraphError> {
        self.push(Rotary { head_size, theta, inverse: false }.into(), &[x, positions])
    }
}

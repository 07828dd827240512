//! Pooling over windows, NHWC. One-dimensional pooling runs as height 1.

use super::conv2d::{ConvGeometry, spatial};
use super::{Operand, Operation, Sizes, exactly, require, require_f32};
use crate::error::{GraphError, Rule};
use crate::grad::Backward;
use crate::graph::{Graph, NodeId};
use crate::shape::{DType, Shape};

/// What is taken of each window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// The largest value; padding never wins. The gradient goes to the first of equal values in reading order.
    Max,
    /// The mean over the values inside the image (padding is not counted, as in TensorFlow).
    Average,
}

/// Pools windows of `window` (height, width) of images `[batch, height, width, channels]`, each channel by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool2d {
    /// What is taken of each window.
    pub pooling: Pooling,
    /// Height and width of the window.
    pub window: [usize; 2],
    /// Strides, padding and dilation.
    pub geometry: ConvGeometry,
}

impl Operation for Pool2d {
    fn name(&self) -> &'static str {
        match self.pooling {
            Pooling::Max => "max_pool2d",
            Pooling::Average => "average_pool2d",
        }
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [x] = exactly(inputs)?;
        require_f32(inputs)?;
        let [height, width] = spatial(x.shape)?;
        let oh = self.geometry.output(0, height, self.window[0])?;
        let ow = self.geometry.output(1, width, self.window[1])?;
        Ok((Shape::new([x.shape[0], oh.into(), ow.into(), x.shape[3]]), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        let (x, y, dy) = (b.input(0), b.node, b.dy);
        let dx = match self.pooling {
            Pooling::Max => b.graph.push(Pool2dGrad::Max(*self).into(), &[dy, x, y])?,
            Pooling::Average => {
                let input_size = spatial(b.graph.shape(x)).expect("the shape rule checked it");
                b.graph.push(Pool2dGrad::Average(*self, input_size).into(), &[dy])?
            }
        };
        b.give(0, dx);
        Ok(())
    }

    fn flops(&self, Sizes { output, .. }: Sizes<'_>) -> u64 {
        (self.window[0] * self.window[1] * output.iter().product::<usize>()) as u64
    }
}

/// The gradient of [`Pool2d`]: inputs `(dy, x, y)` of maxima, `(dy)` of means, which know the input's height and width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool2dGrad {
    /// Of [`Pooling::Max`].
    Max(Pool2d),
    /// Of [`Pooling::Average`], with the input's height and width.
    Average(Pool2d, [usize; 2]),
}

impl Operation for Pool2dGrad {
    fn name(&self) -> &'static str {
        "pool2d_grad"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        require_f32(inputs)?;
        match self {
            Pool2dGrad::Max(_) => {
                let [dy, x, y] = exactly(inputs)?;
                require(dy.shape == y.shape, || "dy must have the shape of y".to_owned())?;
                Ok((x.shape.clone(), DType::F32))
            }
            Pool2dGrad::Average(_, [height, width]) => {
                let [dy] = exactly(inputs)?;
                Ok((dy.shape.with(1, (*height).into()).with(2, (*width).into()), DType::F32))
            }
        }
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        Err(b.refuse("second derivatives are not provided"))
    }
}

impl Graph {
    /// Pools windows of images.
    pub fn pool2d(
        &mut self,
        x: NodeId,
        pooling: Pooling,
        window: [usize; 2],
        geometry: ConvGeometry,
    ) -> Result<NodeId, GraphError> {
        self.push(Pool2d { pooling, window, geometry }.into(), &[x])
    }
}

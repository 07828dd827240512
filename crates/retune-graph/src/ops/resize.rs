//! Resizing of images, NHWC.

use super::conv2d::spatial;
use super::{Operand, Operation, Sizes, exactly, require_f32};
use crate::error::{GraphError, Rule};
use crate::grad::Backward;
use crate::graph::{Graph, NodeId};
use crate::shape::{DType, Shape};

/// How values between pixels are taken. Pixel centres are at half integers and nothing is antialiased
/// (TensorFlow 2's and Keras's `resize`; PyTorch's `align_corners=False`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interpolation {
    /// The pixel whose area holds the point: index `⌊(i + ½) · input / output⌋`.
    Nearest,
    /// Linear between the four pixels around the point, the border repeated.
    Bilinear,
}

/// Images `[batch, height, width, channels]` to height and width `size`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resize {
    /// Height and width of the output.
    pub size: [usize; 2],
    /// How values between pixels are taken.
    pub interpolation: Interpolation,
}

impl Operation for Resize {
    fn name(&self) -> &'static str {
        "resize"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [x] = exactly(inputs)?;
        require_f32(inputs)?;
        spatial(x.shape)?;
        Ok((x.shape.with(1, self.size[0].into()).with(2, self.size[1].into()), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        let input_size = spatial(b.graph.shape(b.input(0))).expect("the shape rule checked it");
        let dx = b.graph.push(ResizeGrad { input_size, interpolation: self.interpolation }.into(), &[b.dy])?;
        b.give(0, dx);
        Ok(())
    }

    fn flops(&self, Sizes { output, .. }: Sizes<'_>) -> u64 {
        8 * output.iter().product::<usize>() as u64
    }
}

/// The gradient of [`Resize`] with respect to the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResizeGrad {
    /// Height and width of the image before resizing.
    pub input_size: [usize; 2],
    /// As in [`Resize`].
    pub interpolation: Interpolation,
}

impl Operation for ResizeGrad {
    fn name(&self) -> &'static str {
        "resize_grad"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [dy] = exactly(inputs)?;
        require_f32(inputs)?;
        spatial(dy.shape)?;
        Ok((dy.shape.with(1, self.input_size[0].into()).with(2, self.input_size[1].into()), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        Err(b.refuse("second derivatives are not provided"))
    }
}

impl Graph {
    /// Images to another height and width.
    pub fn resize(&mut self, x: NodeId, size: [usize; 2], interpolation: Interpolation) -> Result<NodeId, GraphError> {
        self.push(Resize { size, interpolation }.into(), &[x])
    }
}

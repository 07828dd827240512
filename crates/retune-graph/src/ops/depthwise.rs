//! Depthwise convolution, NHWC: every channel has filters of its own.

use super::conv2d::{ConvGeometry, kernel_sizes, spatial};
use super::{Operand, Operation, Sizes, exactly, require, require_f32};
use crate::error::{GraphError, Rule};
use crate::grad::Backward;
use crate::graph::{Graph, NodeId};
use crate::shape::{DType, Dim, Shape};

/// `y[n, i, j, c·m + k] = Σ x[n, i·s − p + u·d, j·s − p + v·d, c] · w[u, v, c, k]`;
/// inputs x `[batch, height, width, channels]`, w `[kernel height, kernel width, channels, multiplier m]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DepthwiseConv2d {
    /// Strides, padding and dilation.
    pub geometry: ConvGeometry,
}

impl Operation for DepthwiseConv2d {
    fn name(&self) -> &'static str {
        "depthwise_conv2d"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [x, w] = exactly(inputs)?;
        require_f32(inputs)?;
        let ([height, width], [kh, kw, c, m]) = (spatial(x.shape)?, kernel_sizes(w.shape)?);
        require(x.shape[3] == Dim::Fixed(c), || {
            format!("the kernel takes {c} channels, the input has {}", x.shape[3])
        })?;
        let (oh, ow) = (self.geometry.output(0, height, kh)?, self.geometry.output(1, width, kw)?);
        Ok((Shape::new([x.shape[0], oh.into(), ow.into(), (c * m).into()]), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        let (x, w) = (b.input(0), b.input(1));
        if b.needs(0) {
            let input_size = spatial(b.graph.shape(x)).expect("the shape rule checked it");
            let op = DepthwiseConv2dGradInput { geometry: self.geometry, input_size };
            let dx = b.graph.push(op.into(), &[b.dy, w])?;
            b.give(0, dx);
        }
        if b.needs(1) {
            let [kh, kw, ..] = kernel_sizes(b.graph.shape(w)).expect("the shape rule checked it");
            let op = DepthwiseConv2dGradWeight { geometry: self.geometry, kernel: [kh, kw] };
            let dw = b.graph.push(op.into(), &[x, b.dy])?;
            b.give(1, dw);
        }
        Ok(())
    }

    fn flops(&self, Sizes { inputs, output, .. }: Sizes<'_>) -> u64 {
        2 * (inputs[1][0] * inputs[1][1] * output.iter().product::<usize>()) as u64
    }
}

/// The gradient of [`DepthwiseConv2d`] with respect to x; inputs `(dy, w)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DepthwiseConv2dGradInput {
    /// Geometry of the convolution.
    pub geometry: ConvGeometry,
    /// Height and width of the convolution's input.
    pub input_size: [usize; 2],
}

impl Operation for DepthwiseConv2dGradInput {
    fn name(&self) -> &'static str {
        "depthwise_conv2d_grad_input"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [dy, w] = exactly(inputs)?;
        require_f32(inputs)?;
        let [_, _, c, m] = kernel_sizes(w.shape)?;
        require(dy.shape.rank() == 4 && dy.shape[3] == Dim::Fixed(c * m), || {
            format!("dy must have {} channels", c * m)
        })?;
        let [height, width] = self.input_size;
        Ok((Shape::new([dy.shape[0], height.into(), width.into(), c.into()]), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        Err(b.refuse("second derivatives are not provided"))
    }

    fn flops(&self, Sizes { inputs, .. }: Sizes<'_>) -> u64 {
        2 * (inputs[1][0] * inputs[1][1] * inputs[0].iter().product::<usize>()) as u64
    }
}

/// The gradient of [`DepthwiseConv2d`] with respect to w; inputs `(x, dy)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DepthwiseConv2dGradWeight {
    /// Geometry of the convolution.
    pub geometry: ConvGeometry,
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
}

impl Operation for DepthwiseConv2dGradWeight {
    fn name(&self) -> &'static str {
        "depthwise_conv2d_grad_weight"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [x, dy] = exactly(inputs)?;
        require_f32(inputs)?;
        let c = x.shape.last().and_then(Dim::fixed).ok_or("channels must be known")?;
        let cm = dy.shape.last().and_then(Dim::fixed).ok_or("channels must be known")?;
        require(c > 0 && cm % c == 0, || format!("{cm} is no multiple of {c} channels"))?;
        let [kh, kw] = self.kernel;
        Ok((Shape::fixed(&[kh, kw, c, cm / c]), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        Err(b.refuse("second derivatives are not provided"))
    }

    fn flops(&self, Sizes { inputs, .. }: Sizes<'_>) -> u64 {
        2 * (self.kernel[0] * self.kernel[1] * inputs[1].iter().product::<usize>()) as u64
    }
}

impl Graph {
    /// A depthwise convolution, NHWC; see [`DepthwiseConv2d`] for the shapes.
    pub fn depthwise_conv2d(&mut self, x: NodeId, w: NodeId, geometry: ConvGeometry) -> Result<NodeId, GraphError> {
        self.push(DepthwiseConv2d { geometry }.into(), &[x, w])
    }
}

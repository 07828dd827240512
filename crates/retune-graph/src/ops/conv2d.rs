//! Two-dimensional convolution, NHWC, and its two gradients. One-dimensional convolutions run as height 1.

use super::activation::fused_gradient;
use super::{Activation, Operand, Operation, Sizes, exactly, require, require_f32};
use crate::error::{GraphError, Rule};
use crate::grad::Backward;
use crate::graph::{Graph, NodeId};
use crate::shape::{DType, Dim, Shape};

/// Where a sliding window goes: strides, zeros around the image, spacing of its taps. Each pair is (height, width).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConvGeometry {
    /// Step of the window.
    pub strides: [usize; 2],
    /// Zeros before and behind.
    pub padding: [(usize, usize); 2],
    /// Distance between neighbouring taps; 1 is a plain convolution.
    pub dilation: [usize; 2],
}

/// The most taps of a kernel along one axis.
pub const MAX_TAPS: usize = 256;

impl Default for ConvGeometry {
    fn default() -> ConvGeometry {
        ConvGeometry { strides: [1, 1], padding: [(0, 0); 2], dilation: [1, 1] }
    }
}

impl ConvGeometry {
    /// The size that `kernel` taps cover along an axis.
    pub fn extent(&self, axis: usize, kernel: usize) -> usize {
        (kernel - 1) * self.dilation[axis] + 1
    }

    /// Output size along an axis: `⌊(input + padding − extent) / stride⌋ + 1`.
    pub fn output(&self, axis: usize, input: usize, kernel: usize) -> Result<usize, Rule> {
        require(kernel > 0 && self.strides[axis] > 0 && self.dilation[axis] > 0, || {
            "kernel, strides and dilation must be positive".to_owned()
        })?;
        require(kernel <= MAX_TAPS, || format!("a kernel has at most {MAX_TAPS} taps along an axis, found {kernel}"))?;
        let padded = input + self.padding[axis].0 + self.padding[axis].1;
        let extent = self.extent(axis, kernel);
        require(padded >= extent, || {
            format!("the window covers {extent} values along spatial axis {axis}, the padded input has {padded}")
        })?;
        Ok((padded - extent) / self.strides[axis] + 1)
    }

    /// TensorFlow's `same` padding for one axis: the output has `⌈input / stride⌉` values, and the odd zero comes behind.
    pub fn same(input: usize, kernel: usize, stride: usize, dilation: usize) -> (usize, usize) {
        let extent = (kernel - 1) * dilation + 1;
        let total = ((input.div_ceil(stride) - 1) * stride + extent).saturating_sub(input);
        (total / 2, total - total / 2)
    }
}

/// The fixed spatial sizes of an NHWC shape.
pub(crate) fn spatial(shape: &Shape) -> Result<[usize; 2], Rule> {
    require(shape.rank() == 4, || "images must be [batch, height, width, channels]".to_owned())?;
    match (shape[1].fixed(), shape[2].fixed()) {
        (Some(height), Some(width)) => Ok([height, width]),
        _ => Err("height and width must be known".to_owned()),
    }
}

/// A weight's four fixed sizes.
pub(crate) fn kernel_sizes(shape: &Shape) -> Result<[usize; 4], Rule> {
    let sizes: Option<Vec<usize>> = shape.dims().iter().map(|d| d.fixed()).collect();
    sizes
        .and_then(|s| <[usize; 4]>::try_from(s).ok())
        .ok_or_else(|| "the kernel must have four fixed sizes: height, width, in, out".to_owned())
}

/// `y[n, i, j, o] = f(Σ x[n, i·s − p + u·d, j·s − p + v·d, c] · w[u, v, c, o] + bias[o])`;
/// inputs `(x, w)` or `(x, w, bias)`: x `[batch, height, width, in]`, w `[kernel height, kernel width, in / groups, out]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conv2d {
    /// Strides, padding and dilation.
    pub geometry: ConvGeometry,
    /// Input and output channels fall into this many groups that do not see each other.
    pub groups: usize,
    /// Applied to the result while it is in cache. Only functions whose derivative follows from their value.
    pub activation: Option<Activation>,
}

impl Operation for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        require(inputs.len() == 2 || inputs.len() == 3, || "it takes x, kernel and perhaps bias".to_owned())?;
        require_f32(inputs)?;
        let (x, [kh, kw, ci, co]) = (inputs[0].shape, kernel_sizes(inputs[1].shape)?);
        let [height, width] = spatial(x)?;
        require(self.groups > 0 && co % self.groups == 0, || {
            format!("{co} filters do not divide into {} groups", self.groups)
        })?;
        require(x[3] == Dim::Fixed(ci * self.groups), || {
            format!("the kernel takes {} channels, the input has {}", ci * self.groups, x[3])
        })?;
        require(inputs.get(2).is_none_or(|b| b.shape.dims() == [Dim::Fixed(co)]), || {
            format!("the bias must be [{co}]")
        })?;
        let (oh, ow) = (self.geometry.output(0, height, kh)?, self.geometry.output(1, width, kw)?);
        Ok((Shape::new([x[0], oh.into(), ow.into(), co.into()]), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        let (x, w) = (b.input(0), b.input(1));
        let dy = match self.activation {
            Some(activation) => fused_gradient(b, activation)?,
            None => b.dy,
        };
        if b.needs(0) {
            let size = spatial(b.graph.shape(x)).expect("the shape rule checked it");
            let op = Conv2dGradInput { geometry: self.geometry, groups: self.groups, input_size: size };
            let dx = b.graph.push(op.into(), &[dy, w])?;
            b.give(0, dx);
        }
        if b.needs(1) {
            let [kh, kw, ..] = kernel_sizes(b.graph.shape(w)).expect("the shape rule checked it");
            let op = Conv2dGradWeight { geometry: self.geometry, groups: self.groups, kernel: [kh, kw] };
            let dw = b.graph.push(op.into(), &[x, dy])?;
            b.give(1, dw);
        }
        if b.needs(2) {
            let db = b.graph.sum_leading(dy)?;
            b.give(2, db);
        }
        Ok(())
    }

    fn flops(&self, Sizes { inputs, output, .. }: Sizes<'_>) -> u64 {
        2 * (inputs[1][..3].iter().product::<usize>() * output.iter().product::<usize>()) as u64
    }
}

/// The gradient of [`Conv2d`] with respect to x, and the forward of Keras's `Conv2DTranspose`;
/// inputs `(dy, w)` with shapes as in [`Conv2d`], output `[batch, input_size…, in]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv2dGradInput {
    /// Geometry of the convolution.
    pub geometry: ConvGeometry,
    /// Groups of the convolution.
    pub groups: usize,
    /// Height and width of the convolution's input.
    pub input_size: [usize; 2],
}

impl Operation for Conv2dGradInput {
    fn name(&self) -> &'static str {
        "conv2d_grad_input"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [dy, w] = exactly(inputs)?;
        require_f32(inputs)?;
        let [kh, kw, ci, co] = kernel_sizes(w.shape)?;
        require(dy.shape.rank() == 4 && dy.shape[3] == Dim::Fixed(co), || {
            format!("the kernel gives {co} channels to images [batch, height, width, channels]")
        })?;
        let [height, width] = self.input_size;
        let expected = [self.geometry.output(0, height, kh)?, self.geometry.output(1, width, kw)?];
        require(spatial(dy.shape)? == expected, || {
            format!("a convolution of {height}×{width} gives {}×{}", expected[0], expected[1])
        })?;
        Ok((Shape::new([dy.shape[0], height.into(), width.into(), (ci * self.groups).into()]), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        let (x, w) = (b.input(0), b.input(1));
        if b.needs(0) {
            let op = Conv2d { geometry: self.geometry, groups: self.groups, activation: None };
            let dx = b.graph.push(op.into(), &[b.dy, w])?;
            b.give(0, dx);
        }
        if b.needs(1) {
            let [kh, kw, ..] = kernel_sizes(b.graph.shape(w)).expect("the shape rule checked it");
            let op = Conv2dGradWeight { geometry: self.geometry, groups: self.groups, kernel: [kh, kw] };
            let dw = b.graph.push(op.into(), &[b.dy, x])?;
            b.give(1, dw);
        }
        Ok(())
    }

    fn flops(&self, Sizes { inputs, .. }: Sizes<'_>) -> u64 {
        2 * (inputs[1][..3].iter().product::<usize>() * inputs[0].iter().product::<usize>()) as u64
    }
}

/// The gradient of [`Conv2d`] with respect to w; inputs `(x, dy)`, output `[kernel height, kernel width, in / groups, out]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv2dGradWeight {
    /// Geometry of the convolution.
    pub geometry: ConvGeometry,
    /// Groups of the convolution.
    pub groups: usize,
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
}

impl Operation for Conv2dGradWeight {
    fn name(&self) -> &'static str {
        "conv2d_grad_weight"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [x, dy] = exactly(inputs)?;
        require_f32(inputs)?;
        let ([height, width], out) = (spatial(x.shape)?, spatial(dy.shape)?);
        let expected =
            [self.geometry.output(0, height, self.kernel[0])?, self.geometry.output(1, width, self.kernel[1])?];
        require(out == expected && x.shape[0] == dy.shape[0], || {
            format!("a convolution of {height}×{width} gives {}×{}", expected[0], expected[1])
        })?;
        let (ci, co) = (x.shape[3].fixed().ok_or("channels must be known")?, dy.shape[3]);
        require(ci % self.groups == 0, || format!("{ci} channels do not divide into {} groups", self.groups))?;
        let [kh, kw] = self.kernel;
        Ok((Shape::new([kh.into(), kw.into(), (ci / self.groups).into(), co]), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        Err(b.refuse("second derivatives are not provided"))
    }

    fn flops(&self, Sizes { inputs, output, .. }: Sizes<'_>) -> u64 {
        2 * (output[..3].iter().product::<usize>() * inputs[1].iter().product::<usize>()) as u64
    }
}

impl Graph {
    /// A convolution, NHWC; see [`Conv2d`] for the shapes.
    pub fn conv2d(
        &mut self,
        x: NodeId,
        w: NodeId,
        bias: Option<NodeId>,
        geometry: ConvGeometry,
        groups: usize,
    ) -> Result<NodeId, GraphError> {
        let inputs: Vec<NodeId> = [x, w].into_iter().chain(bias).collect();
        self.push(Conv2d { geometry, groups, activation: None }.into(), &inputs)
    }
}

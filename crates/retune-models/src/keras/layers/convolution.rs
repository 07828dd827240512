//! Conv1D and Conv2D. One-dimensional ones run as images of height 1.
//!
//! Kernel `[kernel…, channels / groups, filters]`, bias `[filters]`.

use retune_graph::NodeId;
use retune_graph::ops::ConvGeometry;

use super::super::calls::Arguments;
use super::super::fields::Fields;
use super::super::lowering::{Lowering, Value, WeightKind};
use super::super::values::ActivationFunction;
use super::Lower;
use super::dense::{Bias, WeightOptions};
use crate::error::Result;
use crate::initializer::Initializer;

/// How the border is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Padding {
    /// Only whole windows.
    Valid,
    /// Zeros around, so that stride 1 keeps the size; the odd one behind.
    Same,
    /// Zeros before only, so that no output sees a later input.
    Causal,
}

/// A sliding window as attributes state it, for images; sequences have height 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    /// 1 for sequences, 2 for images.
    pub(crate) rank: usize,
    pub(crate) size: [usize; 2],
    pub(crate) strides: [usize; 2],
    pub(crate) dilation: [usize; 2],
    pub(crate) padding: Padding,
}

/// The attribute `name` for height and width.
pub(crate) fn spatial(f: &Fields<'_>, name: &str, rank: usize, default: Option<usize>) -> Result<[usize; 2]> {
    if rank == 2 {
        return f.sizes(name, default.map(|n| [n; 2]));
    }
    let [width] = f.sizes(name, default.map(|n| [n]))?;
    Ok([1, width])
}

impl Window {
    /// Reads strides, dilation and padding; `size` names the attribute with the window's own size.
    pub(crate) fn read(f: &Fields<'_>, rank: usize, size_name: &str, default: Option<usize>) -> Result<Window> {
        f.channels_last()?;
        let size = spatial(f, size_name, rank, default)?;
        let strides = match (size_name, f.get("strides")) {
            // Pools step by their own size unless told otherwise.
            ("pool_size", None) => size,
            _ => spatial(f, "strides", rank, Some(1))?,
        };
        let dilation = spatial(f, "dilation_rate", rank, Some(1))?;
        let padding = match f.text("padding", "valid")? {
            "valid" => Padding::Valid,
            "same" => Padding::Same,
            "causal" if rank == 1 => Padding::Causal,
            _ => return Err(f.wrong("padding", "`valid`, `same`, or in one dimension `causal`")),
        };
        if size.contains(&0) || strides.contains(&0) || dilation.contains(&0) {
            return Err(f.wrong(size_name, "windows, strides and dilations of at least 1"));
        }
        Ok(Window { rank, size, strides, dilation, padding })
    }

    /// The geometry for an image of this height and width.
    pub(crate) fn geometry(&self, image: [usize; 2]) -> ConvGeometry {
        let mut padding = [(0, 0); 2];
        for axis in 0..2 {
            let (size, stride, dilation) = (self.size[axis], self.strides[axis], self.dilation[axis]);
            padding[axis] = match self.padding {
                Padding::Valid => (0, 0),
                Padding::Same => ConvGeometry::same(image[axis].max(1), size, stride, dilation),
                Padding::Causal => ((size - 1) * dilation, 0),
            };
        }
        ConvGeometry { strides: self.strides, padding, dilation: self.dilation }
    }

    /// The input of a call as an image.
    pub(crate) fn image(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<NodeId> {
        let x = b.one(arguments)?;
        let axes = if self.rank == 1 { "[batch, steps, channels]" } else { "[batch, height, width, channels]" };
        if b.graph.shape(x).rank() != self.rank + 2 {
            return Err(b.wrong_inputs(axes, b.graph.shape(x).to_string()));
        }
        if self.rank == 1 { b.expand(x, 1) } else { Ok(x) }
    }

    /// An image as what the layer gives: a sequence without its height.
    pub(crate) fn output(&self, b: &mut Lowering<'_>, y: NodeId) -> Result<NodeId> {
        if self.rank == 1 { b.squeeze(y, 1) } else { Ok(y) }
    }

    /// The window's sizes as a weight's shape states them.
    pub(crate) fn kernel_shape(&self, channels: [usize; 2]) -> Vec<usize> {
        self.size[2 - self.rank..].iter().copied().chain(channels).collect()
    }

    /// A kernel of a sequence as one of height 1.
    pub(crate) fn kernel(&self, b: &mut Lowering<'_>, kernel: NodeId) -> Result<NodeId> {
        if self.rank == 1 { b.expand(kernel, 0) } else { Ok(kernel) }
    }
}

/// The height, width and channels of an image.
pub(crate) fn image_sizes(b: &Lowering<'_>, x: NodeId) -> Result<[usize; 3]> {
    Ok([b.fixed(x, 1)?, b.fixed(x, 2)?, b.fixed(x, 3)?])
}

/// See the file's documentation.
#[derive(Debug, Clone)]
pub(crate) struct Convolution {
    filters: usize,
    window: Window,
    groups: usize,
    kernel: WeightOptions,
    bias: Bias,
    activation: ActivationFunction,
}

impl Convolution {
    pub(crate) fn read(f: &Fields<'_>, rank: usize) -> Result<Convolution> {
        Ok(Convolution {
            filters: f.size("filters", None)?,
            window: Window::read(f, rank, "kernel_size", None)?,
            groups: f.size("groups", Some(1))?,
            kernel: WeightOptions::read(f, "kernel", Initializer::GLOROT_UNIFORM)?,
            bias: Bias::read(f)?,
            activation: f.activation("activation", "linear")?,
        })
    }
}

impl Lower for Convolution {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let x = self.window.image(b, arguments)?;
        let [height, width, channels] = image_sizes(b, x)?;
        if channels % self.groups != 0 {
            return Err(
                b.wrong_inputs(format!("channels that divide into {} groups", self.groups), channels.to_string())
            );
        }
        let shape = self.window.kernel_shape([channels / self.groups, self.filters]);
        let kernel = self.kernel.weight(b, "kernel", &shape, WeightKind::Kernel)?;
        let bias = self.bias.weight(b, &[self.filters])?;
        let kernel = self.window.kernel(b, kernel)?;
        let y = b.graph.conv2d(x, kernel, bias, self.window.geometry([height, width]), self.groups)?;
        let y = self.activation.apply(b, y)?;
        Ok(vec![self.window.output(b, y)?.into()])
    }
}

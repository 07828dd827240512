//! DepthwiseConv1D/2D and SeparableConv1D/2D.
//!
//! Depthwise kernel `[kernel…, channels, multiplier]`; pointwise kernel `[1…, channels · multiplier, filters]`.

use retune_graph::ops::ConvGeometry;

use super::super::calls::Arguments;
use super::super::fields::Fields;
use super::super::lowering::{Lowering, Value, WeightKind};
use super::super::values::ActivationFunction;
use super::Lower;
use super::convolution::{Window, image_sizes};
use super::dense::{Bias, WeightOptions};
use crate::error::Result;
use crate::initializer::Initializer;

/// Filters of its own for every channel.
#[derive(Debug, Clone)]
pub(crate) struct Depthwise {
    window: Window,
    multiplier: usize,
    kernel: WeightOptions,
    bias: Bias,
    activation: ActivationFunction,
}

fn depthwise_options(f: &Fields<'_>) -> Result<WeightOptions> {
    WeightOptions::read(f, "depthwise", Initializer::GLOROT_UNIFORM)
}

impl Depthwise {
    pub(crate) fn read(f: &Fields<'_>, rank: usize) -> Result<Depthwise> {
        Ok(Depthwise {
            window: Window::read(f, rank, "kernel_size", None)?,
            multiplier: f.size("depth_multiplier", Some(1))?,
            kernel: depthwise_options(f)?,
            bias: Bias::read(f)?,
            activation: f.activation("activation", "linear")?,
        })
    }
}

impl Lower for Depthwise {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let x = self.window.image(b, arguments)?;
        let [height, width, channels] = image_sizes(b, x)?;
        let shape = self.window.kernel_shape([channels, self.multiplier]);
        let kernel = self.kernel.weight(b, "kernel", &shape, WeightKind::Kernel)?;
        let bias = self.bias.weight(b, &[channels * self.multiplier])?;
        let kernel = self.window.kernel(b, kernel)?;
        let mut y = b.graph.depthwise_conv2d(x, kernel, self.window.geometry([height, width]))?;
        if let Some(bias) = bias {
            y = b.graph.add(y, bias)?;
        }
        let y = self.activation.apply(b, y)?;
        Ok(vec![self.window.output(b, y)?.into()])
    }
}

/// A depthwise convolution and a 1×1 convolution after it.
#[derive(Debug, Clone)]
pub(crate) struct Separable {
    filters: usize,
    window: Window,
    multiplier: usize,
    depthwise: WeightOptions,
    pointwise: WeightOptions,
    bias: Bias,
    activation: ActivationFunction,
}

impl Separable {
    pub(crate) fn read(f: &Fields<'_>, rank: usize) -> Result<Separable> {
        let pointwise = WeightOptions::read(f, "pointwise", Initializer::GLOROT_UNIFORM)?;
        Ok(Separable {
            filters: f.size("filters", None)?,
            window: Window::read(f, rank, "kernel_size", None)?,
            multiplier: f.size("depth_multiplier", Some(1))?,
            depthwise: depthwise_options(f)?,
            pointwise,
            bias: Bias::read(f)?,
            activation: f.activation("activation", "linear")?,
        })
    }
}

impl Lower for Separable {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let x = self.window.image(b, arguments)?;
        let [height, width, channels] = image_sizes(b, x)?;
        let between = channels * self.multiplier;
        let shape = self.window.kernel_shape([channels, self.multiplier]);
        let depthwise = self.depthwise.weight(b, "depthwise_kernel", &shape, WeightKind::Kernel)?;
        let one = Window { size: [1, 1], ..self.window };
        let pointwise = self.pointwise.weight(
            b,
            "pointwise_kernel",
            &one.kernel_shape([between, self.filters]),
            WeightKind::Kernel,
        )?;
        let bias = self.bias.weight(b, &[self.filters])?;
        let (depthwise, pointwise) = (self.window.kernel(b, depthwise)?, self.window.kernel(b, pointwise)?);
        let y = b.graph.depthwise_conv2d(x, depthwise, self.window.geometry([height, width]))?;
        let y = b.graph.conv2d(y, pointwise, bias, ConvGeometry::default(), 1)?;
        let y = self.activation.apply(b, y)?;
        Ok(vec![self.window.output(b, y)?.into()])
    }
}

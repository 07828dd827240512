//! Conv1DTranspose and Conv2DTranspose: the gradient of a convolution with respect to its input, used forwards.
//!
//! Kernel `[kernel…, filters, channels]`, bias `[filters]`.

use retune_graph::ops::Conv2dGradInput;

use super::super::calls::Arguments;
use super::super::fields::Fields;
use super::super::lowering::{Lowering, Value, WeightKind};
use super::super::values::ActivationFunction;
use super::Lower;
use super::convolution::{Padding, Window, image_sizes, spatial};
use super::dense::{Bias, WeightOptions};
use crate::error::Result;
use crate::initializer::Initializer;

/// See the file's documentation.
#[derive(Debug, Clone)]
pub(crate) struct Transposed {
    filters: usize,
    window: Window,
    output_padding: Option<[usize; 2]>,
    kernel: WeightOptions,
    bias: Bias,
    activation: ActivationFunction,
}

impl Transposed {
    pub(crate) fn read(f: &Fields<'_>, rank: usize) -> Result<Transposed> {
        let window = Window::read(f, rank, "kernel_size", None)?;
        let output_padding = match f.get("output_padding") {
            None => None,
            Some(_) if rank == 1 => Some([0, spatial(f, "output_padding", 1, None)?[1]]),
            Some(_) => Some(spatial(f, "output_padding", 2, None)?),
        };
        if f.size("groups", Some(1))? != 1 {
            return Err(f.unsupported("a transposed convolution in groups", "use one group"));
        }
        if window.padding == Padding::Causal {
            return Err(f.wrong("padding", "`valid` or `same`"));
        }
        Ok(Transposed {
            filters: f.size("filters", None)?,
            window,
            output_padding,
            kernel: WeightOptions::read(f, "kernel", Initializer::GLOROT_UNIFORM)?,
            bias: Bias::read(f)?,
            activation: f.activation("activation", "linear")?,
        })
    }

    /// Output size along an axis, by Keras's rule.
    fn output_size(&self, axis: usize, input: usize) -> usize {
        let (stride, window) = (self.window.strides[axis], self.window.size[axis]);
        let extent = (window - 1) * self.window.dilation[axis] + 1;
        if self.window.rank == 1 && axis == 0 {
            return 1;
        }
        match (self.output_padding, self.window.padding) {
            (None, Padding::Same) => input * stride,
            (None, _) => input * stride + extent.saturating_sub(stride),
            (Some(extra), padding) => {
                let cut = if padding == Padding::Same { 2 * (extent / 2) } else { 0 };
                ((input - 1) * stride + extent + extra[axis]).saturating_sub(cut)
            }
        }
    }
}

impl Lower for Transposed {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let x = self.window.image(b, arguments)?;
        let [height, width, channels] = image_sizes(b, x)?;
        let shape = self.window.kernel_shape([self.filters, channels]);
        let kernel = self.kernel.weight(b, "kernel", &shape, WeightKind::Kernel)?;
        let bias = self.bias.weight(b, &[self.filters])?;
        let kernel = self.window.kernel(b, kernel)?;
        let input_size = [self.output_size(0, height), self.output_size(1, width)];
        let op = Conv2dGradInput { geometry: self.window.geometry(input_size), groups: 1, input_size };
        let mut y = b.graph.push(op.into(), &[x, kernel])?;
        if let Some(bias) = bias {
            y = b.graph.add(y, bias)?;
        }
        let y = self.activation.apply(b, y)?;
        Ok(vec![self.window.output(b, y)?.into()])
    }
}

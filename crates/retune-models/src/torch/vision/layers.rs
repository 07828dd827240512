//! Layers of networks for images, NHWC: convolution, batch normalization, squeeze and excitation, stochastic depth.

use retune_graph::ops::pool::Pooling;
use retune_graph::ops::reduce::Reduction;
use retune_graph::ops::{Activation, Binary, ConvGeometry, Unary};
use retune_graph::{Dim, NodeId, Shape};

use crate::error::{ModelError, Result};
use crate::initializer::{Distribution, Fan, Initializer};
use crate::torch::builder::{Builder, RUNNING_MEAN, RUNNING_VARIANCE, Spec};
use crate::torch::layout::TorchLayout;

/// He et al., *Delving deep into rectifiers*, 2015, with the outputs counted, as torchvision draws fresh kernels.
const HE: Initializer = Initializer::VarianceScaling { scale: 2.0, fan: Fan::Out, distribution: Distribution::Normal };

/// The widest patch of a network that is recognized by its tensors.
pub(crate) const MAX_PATCH: usize = 64;

/// What stands around an image before a window slides over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Padding {
    /// Nothing.
    None,
    /// `⌊kernel / 2⌋` zeros on each side, PyTorch's usual choice.
    Half,
    /// TensorFlow's `same`: as many zeros as give `⌈size / stride⌉` outputs, the odd one behind.
    Same,
}

/// A convolution.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conv {
    pub(crate) outputs: usize,
    /// Height and width of the kernel.
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) padding: Padding,
    /// Groups of channels that do not see each other.
    pub(crate) groups: usize,
    pub(crate) bias: bool,
}

impl Conv {
    /// A convolution without bias and groups, with padding of half the kernel.
    pub(crate) fn plain(outputs: usize, kernel: usize, stride: usize) -> Conv {
        Conv { outputs, kernel, stride, padding: Padding::Half, groups: 1, bias: false }
    }

    /// A convolution of patches that do not overlap, with bias.
    pub(crate) fn patches(outputs: usize, kernel: usize) -> Conv {
        Conv { padding: Padding::None, bias: true, ..Conv::plain(outputs, kernel, kernel) }
    }
}

/// Settings of batch normalization.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Norm {
    /// Added to variances.
    pub(crate) epsilon: f32,
    /// The share of a batch's moments in the running ones.
    pub(crate) momentum: f32,
}

impl Norm {
    /// The defaults of `nn.BatchNorm2d`.
    pub(crate) const PYTORCH: Norm = Norm { epsilon: 1e-5, momentum: 0.1 };
    /// Those of networks that come from TensorFlow.
    pub(crate) const TENSORFLOW: Norm = Norm { epsilon: 1e-3, momentum: 0.01 };
}

impl Builder<'_> {
    /// The size of an image's axis, 1 for the height, 2 for the width, 3 for the channels.
    pub(crate) fn size(&self, x: NodeId, axis: usize) -> usize {
        self.graph.shape(x).dims().get(axis).and_then(|dim| dim.fixed()).unwrap_or(0)
    }

    /// `nn.Conv2d`.
    pub(crate) fn conv(&mut self, layer: &str, x: NodeId, conv: Conv) -> Result<NodeId> {
        self.graph.enter_layer(layer);
        let Conv { outputs, kernel, stride, padding, groups, bias } = conv;
        let channels = self.size(x, 3);
        let around = |axis: usize| match padding {
            Padding::None => (0, 0),
            Padding::Half => (kernel / 2, kernel / 2),
            Padding::Same => ConvGeometry::same(self.size(x, axis), kernel, stride, 1),
        };
        let geometry =
            ConvGeometry { strides: [stride; 2], padding: [around(1), around(2)], ..ConvGeometry::default() };
        let is_depthwise = groups > 1 && groups == channels && groups == outputs;
        let (shape, layout) = if is_depthwise {
            ([kernel, kernel, channels, 1], TorchLayout::Depthwise)
        } else {
            ([kernel, kernel, channels / groups.max(1), outputs], TorchLayout::Convolution)
        };
        let class = "Conv2d";
        let w = self.weight(layer, "weight", Spec { shape: &shape, layout, decays: true, initializer: HE, class });
        let bias = bias.then(|| {
            let spec = Spec {
                shape: &[outputs],
                layout: TorchLayout::Same,
                decays: false,
                initializer: Initializer::ZEROS,
                class,
            };
            self.weight(layer, "bias", spec)
        });
        if !is_depthwise {
            return Ok(self.graph.conv2d(x, w, bias, geometry, groups)?);
        }
        let y = self.graph.depthwise_conv2d(x, w, geometry)?;
        match bias {
            Some(bias) => Ok(self.graph.add(y, bias)?),
            None => Ok(y),
        }
    }

    /// `nn.BatchNorm2d`: in training by the batch's moments, which move the running ones (the variance is then the unbiased
    /// one); in inference, and where the layer is frozen, by the running ones.
    pub(crate) fn batch_norm(&mut self, layer: &str, x: NodeId, norm: Norm) -> Result<NodeId> {
        self.graph.enter_layer(layer);
        let Norm { epsilon, momentum } = norm;
        let shape = [self.size(x, 3)];
        let spec = |initializer| Spec {
            shape: &shape,
            layout: TorchLayout::Same,
            decays: false,
            initializer,
            class: "BatchNorm2d",
        };
        let (gamma_id, gamma) = self.weight_ids(layer, "weight", spec(Initializer::ONES));
        let (beta_id, beta) = self.weight_ids(layer, "bias", spec(Initializer::ZEROS));
        let (mean_id, mean) = self.weight_ids(layer, RUNNING_MEAN, spec(Initializer::ZEROS));
        let (variance_id, variance) = self.weight_ids(layer, RUNNING_VARIANCE, spec(Initializer::ONES));
        if !(self.changes(mean_id) && (self.changes(gamma_id) || self.changes(beta_id))) {
            let shifted = self.graph.affine(variance, 1.0, epsilon)?;
            let scale = self.graph.unary(Unary::Rsqrt, shifted)?;
            let scale = self.graph.mul(gamma, scale)?;
            let shift = self.graph.mul(mean, scale)?;
            let shift = self.graph.sub(beta, shift)?;
            let y = self.graph.mul(x, scale)?;
            return Ok(self.graph.add(y, shift)?);
        }
        let (y, moments) = self.graph.batch_norm(x, gamma, beta, epsilon)?;
        let unbias = self.unbiasing_factor(x)?;
        for (row, id, kept) in [(0, mean_id, mean), (1, variance_id, variance)] {
            let new = self.graph.slice(moments, 0, row, 1)?;
            let mut new = self.graph.reshape(new, Shape::fixed(&shape))?;
            if row == 1 {
                new = self.graph.mul(new, unbias)?;
            }
            let kept = self.graph.affine(kept, 1.0 - momentum, 0.0)?;
            let new = self.graph.affine(new, momentum, 0.0)?;
            let moved = self.graph.add(kept, new)?;
            self.updates.push((id, moved));
        }
        Ok(y)
    }

    /// `n / (n − 1)`, `[1]`, of the n values that each channel of `x` has; 1 where there is one value alone.
    fn unbiasing_factor(&mut self, x: NodeId) -> Result<NodeId> {
        let places = self.size(x, 1) * self.size(x, 2);
        let ones = self.graph.fill(Shape::new([Dim::BATCH]), places as f32);
        let n = self.graph.reduce(Reduction::Sum, ones, &[0])?;
        let less = self.graph.affine(n, 1.0, -1.0)?;
        let one = self.graph.fill(Shape::fixed(&[1]), 1.0);
        let less = self.graph.binary(Binary::Maximum, less, one)?;
        Ok(self.graph.div(n, less)?)
    }

    /// A convolution, batch normalization, and perhaps an activation.
    pub(crate) fn conv_norm(
        &mut self,
        [conv_layer, norm_layer]: [&str; 2],
        x: NodeId,
        conv: Conv,
        norm: Norm,
        activation: Option<Activation>,
    ) -> Result<NodeId> {
        let y = self.conv(conv_layer, x, conv)?;
        let y = self.batch_norm(norm_layer, y, norm)?;
        match activation {
            Some(activation) => Ok(self.graph.activate(y, activation)?),
            None => Ok(y),
        }
    }

    /// `nn.MaxPool2d` with padding of half the window.
    pub(crate) fn max_pool(&mut self, x: NodeId, window: usize, stride: usize) -> Result<NodeId> {
        let around = (window / 2, window / 2);
        let geometry = ConvGeometry { strides: [stride; 2], padding: [around; 2], ..ConvGeometry::default() };
        Ok(self.graph.pool2d(x, Pooling::Max, [window; 2], geometry)?)
    }

    /// The mean over height and width, `[Batch, channels]`.
    pub(crate) fn mean_of_places(&mut self, x: NodeId) -> Result<NodeId> {
        Ok(self.graph.reduce_away(Reduction::Mean, x, &[1, 2])?)
    }

    /// Squeeze and excitation: `x · gate(expand(f(reduce(mean of x))))`. Hu et al., 2017.
    pub(crate) fn squeeze_excite(
        &mut self,
        [reduce, expand]: [&str; 2],
        x: NodeId,
        width: usize,
        activation: Activation,
        gate: Activation,
    ) -> Result<NodeId> {
        let channels = self.size(x, 3);
        let conv = |outputs| Conv { bias: true, ..Conv::plain(outputs, 1, 1) };
        let s = self.graph.reduce(Reduction::Mean, x, &[1, 2])?;
        let s = self.conv(reduce, s, conv(width))?;
        let s = self.graph.activate(s, activation)?;
        let s = self.conv(expand, s, conv(channels))?;
        let s = self.graph.activate(s, gate)?;
        Ok(self.graph.mul(x, s)?)
    }

    /// Dropout of single values in training.
    pub(crate) fn drop_values(&mut self, x: NodeId, rate: f32) -> Result<NodeId> {
        match self.random(rate) {
            Some((rate, stream)) => Ok(self.graph.dropout(x, rate, stream)?),
            None => Ok(x),
        }
    }

    /// Stochastic depth: in training, `x` of an example is left out with probability `rate`, else divided by `1 − rate`. The
    /// first axis of `x` is that of examples. Huang et al., 2016.
    pub(crate) fn drop_path(&mut self, x: NodeId, rate: f32) -> Result<NodeId> {
        let Some((rate, stream)) = self.random(rate) else { return Ok(x) };
        let mut sizes = vec![Dim::Fixed(1); self.graph.shape(x).rank()];
        sizes[0] = Dim::BATCH;
        let ones = self.graph.fill(Shape::new(sizes), 1.0);
        let kept = self.graph.dropout(ones, rate, stream)?;
        Ok(self.graph.mul(x, kept)?)
    }

    /// Refuses images that are not of `expected` height and width.
    pub(crate) fn require_size(&self, x: NodeId, expected: [usize; 2]) -> Result<()> {
        let found = [self.size(x, 1), self.size(x, 2)];
        if found == expected {
            return Ok(());
        }
        Err(ModelError::Inputs {
            layer: "images".to_owned(),
            class: "Input".to_owned(),
            expected: format!("images of {}×{}, for which the model has positions", expected[0], expected[1]),
            found: format!("{}×{}", found[0], found[1]),
        })
    }
}

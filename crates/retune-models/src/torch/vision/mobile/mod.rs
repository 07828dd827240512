//! Networks of inverted residuals: MobileNetV2 (Sandler et al., 2018), MobileNetV3 (Howard et al., 2019), EfficientNet (Tan and
//! Le, 2019) and its Lite variants.
//!
//! A block widens its input by a 1×1 convolution, filters each channel by itself, weighs the channels by squeeze and
//! excitation, narrows by a 1×1 convolution without activation, and adds its input where the shapes agree.
//!
//! | file | what it holds |
//! | --- | --- |
//! | [`names`] | what torchvision, timm and efficientnet_pytorch call the layers |
//! | [`recognize`] | the network of a file, by its tensors |
//! | [`transformers`] | the network of a folder of transformers, by its `config.json` |

pub(crate) mod names;
pub(crate) mod recognize;
mod transformers;

use retune_graph::NodeId;
use retune_graph::ops::Activation;
use retune_graph::ops::reduce::Reduction;

use super::Features;
use super::layers::{Conv, Norm, Padding};
use crate::error::Result;
use crate::torch::builder::Builder;
use names::{BlockNames, Style};

const RELU6: Activation = Activation::Relu { max_value: Some(6.0), negative_slope: 0.0, threshold: 0.0 };
const HARD_SIGMOID: Activation = Activation::HardSigmoid { slope: 1.0 / 6.0, offset: 0.5 };

/// The networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    MobileNetV2,
    MobileNetV3,
    EfficientNet,
    /// Without squeeze and excitation, with ReLU6.
    EfficientNetLite,
}

/// One block.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) names: BlockNames,
    /// Channels inside.
    pub(crate) inner: usize,
    pub(crate) outputs: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    /// Whether the input is added to the result.
    pub(crate) residual: bool,
    pub(crate) activation: Activation,
    /// Width of squeeze and excitation, if there is any.
    pub(crate) squeeze: Option<usize>,
}

/// A network of inverted residuals.
#[derive(Debug, Clone)]
pub(crate) struct Mobile {
    pub(crate) kind: Kind,
    pub(crate) style: Style,
    pub(crate) stem: usize,
    /// The activation of stem and last convolution.
    pub(crate) activation: Activation,
    pub(crate) blocks: Vec<Block>,
    /// The convolution behind the blocks, and its normalization.
    pub(crate) last: ([String; 2], usize),
    /// Width of MobileNetV3's product between the mean over the image and the head.
    pub(crate) hidden: Option<usize>,
    pub(crate) padding: Padding,
    pub(crate) norm: Norm,
    /// Settings of the normalization behind convolutions that widen.
    pub(crate) expand_norm: Norm,
    /// Dropout before the head.
    pub(crate) dropout: f32,
    /// Stochastic depth of the last block; it grows evenly from the first, which has none.
    pub(crate) drop_path: f32,
}

impl Mobile {
    pub(crate) fn kind(&self) -> &'static str {
        match self.kind {
            Kind::MobileNetV2 => "mobilenet_v2",
            Kind::MobileNetV3 => "mobilenet_v3",
            Kind::EfficientNet => "efficientnet",
            Kind::EfficientNetLite => "efficientnet_lite",
        }
    }

    pub(crate) fn base(&self) -> &'static str {
        match self.style {
            Style::TransformersV2 => "mobilenet_v2",
            Style::TransformersEfficientNet => "efficientnet",
            _ => "",
        }
    }

    pub(crate) fn head(&self) -> &'static str {
        self.style.head(self.kind)
    }

    pub(crate) fn unused(&self) -> &'static [&'static str] {
        &[]
    }

    pub(crate) fn class(&self) -> &'static str {
        match self.kind {
            Kind::MobileNetV2 => "MobileNetV2",
            Kind::MobileNetV3 => "MobileNetV3",
            Kind::EfficientNet | Kind::EfficientNetLite => "EfficientNet",
        }
    }

    /// The 1×1 convolutions of the blocks.
    pub(crate) fn lora_targets(&self) -> Vec<String> {
        let layers = |block: &Block| [block.names.expand.clone(), Some(block.names.project.clone())];
        self.blocks.iter().flat_map(layers).flatten().map(|[conv, _]| conv).collect()
    }

    pub(crate) fn groups(&self) -> Vec<Vec<String>> {
        let [conv, norm] = self.style.stem();
        let stem = vec![format!("{conv}."), format!("{norm}.")];
        let blocks = self.blocks.iter().map(|block| vec![format!("{}.", block.names.block)]);
        std::iter::once(stem).chain(blocks).collect()
    }

    /// The activations inside and at the end of squeeze and excitation.
    fn squeeze_activations(&self) -> [Activation; 2] {
        match self.kind {
            Kind::MobileNetV3 => [Activation::RELU, HARD_SIGMOID],
            _ => [Activation::Silu, Activation::Sigmoid],
        }
    }

    fn conv(&self, outputs: usize, kernel: usize, stride: usize) -> Conv {
        Conv { padding: self.padding, ..Conv::plain(outputs, kernel, stride) }
    }

    pub(crate) fn features(&self, b: &mut Builder<'_>, images: NodeId) -> Result<Features> {
        let act = Some(self.activation);
        let mut x = b.conv_norm(self.style.stem(), images, self.conv(self.stem, 3, 2), self.norm, act)?;
        for (index, block) in self.blocks.iter().enumerate() {
            let drop_path = self.drop_path * index as f32 / self.blocks.len() as f32;
            x = self.block(b, x, block, drop_path)?;
        }
        let (names, outputs) = &self.last;
        x = b.conv_norm(pair(names), x, self.conv(*outputs, 1, 1), self.norm, act)?;
        if let (Some(hidden), Style::Timm) = (self.hidden, self.style) {
            // timm's product is a convolution of the one pixel that is left.
            let mean = b.graph.reduce(Reduction::Mean, x, &[1, 2])?;
            let y = b.conv("conv_head", mean, Conv { bias: true, ..self.conv(hidden, 1, 1) })?;
            let y = b.graph.activate(y, Activation::HardSilu)?;
            return Ok(Features { pooled: b.mean_of_places(y)? });
        }
        let pooled = b.mean_of_places(x)?;
        match self.hidden {
            Some(hidden) => {
                let y = b.linear("classifier.0", pooled, *outputs, hidden)?;
                Ok(Features { pooled: b.graph.activate(y, Activation::HardSilu)? })
            }
            None => Ok(Features { pooled }),
        }
    }

    fn block(&self, b: &mut Builder<'_>, x: NodeId, block: &Block, drop_path: f32) -> Result<NodeId> {
        let (names, act) = (&block.names, Some(block.activation));
        let mut y = x;
        if let Some(expand) = &names.expand {
            y = b.conv_norm(pair(expand), y, self.conv(block.inner, 1, 1), self.expand_norm, act)?;
        }
        let depthwise = Conv { groups: block.inner, ..self.conv(block.inner, block.kernel, block.stride) };
        y = b.conv_norm(pair(&names.depthwise), y, depthwise, self.norm, act)?;
        if let Some(width) = block.squeeze {
            let [activation, gate] = self.squeeze_activations();
            y = b.squeeze_excite(pair(&names.squeeze), y, width, activation, gate)?;
        }
        y = b.conv_norm(pair(&names.project), y, self.conv(block.outputs, 1, 1), self.norm, None)?;
        if !block.residual {
            return Ok(y);
        }
        let y = b.drop_path(y, drop_path)?;
        Ok(b.graph.add(y, x)?)
    }

    pub(crate) fn scores(&self, b: &mut Builder<'_>, pooled: NodeId, outputs: usize) -> Result<NodeId> {
        let width = self.hidden.unwrap_or(self.last.1);
        let x = b.drop_values(pooled, self.dropout)?;
        b.linear(self.head(), x, width, outputs)
    }
}

fn pair(names: &[String; 2]) -> [&str; 2] {
    names.each_ref().map(String::as_str)
}

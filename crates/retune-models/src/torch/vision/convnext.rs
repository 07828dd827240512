//! ConvNeXt. Liu et al., *A ConvNet for the 2020s*, 2022.
//!
//! A block filters each channel by itself with 7×7 taps, normalizes each pixel, and passes it through a product of two with
//! GELU; the result is scaled by channel and added to the input.

use retune_graph::NodeId;
use retune_graph::ops::Activation;

use super::Features;
use super::layers::{Conv, MAX_PATCH};
use super::preprocessing::Preparation;
use super::recognize::{Found, Hint};
use super::tensors::Tensors;
use crate::error::Result;
use crate::initializer::Initializer;
use crate::torch::builder::{Builder, Spec};
use crate::torch::config::Config;
use crate::torch::layout::TorchLayout;

/// Added to variances, but for the last one in transformers.
const EPSILON: f32 = 1e-6;

/// Whose names the layers have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Transformers,
    Timm,
    Torchvision,
}

/// Sizes of a ConvNeXt.
#[derive(Debug, Clone)]
pub(crate) struct ConvNext {
    style: Style,
    patch: usize,
    /// Blocks of each stage.
    depths: Vec<usize>,
    widths: Vec<usize>,
    activation: Activation,
    /// Fresh value of the factors of channels; `None` where there are none.
    scale: Option<f32>,
    /// Added to the last variance.
    epsilon: f32,
    /// Stochastic depth of the last block; it grows evenly from the first, which has none.
    drop_path: f32,
}

impl ConvNext {
    /// The network of a folder of transformers.
    pub(crate) fn read(config: &Config<'_>) -> Result<ConvNext> {
        let scale = config.number_or("layer_scale_init_value", 1e-6)?;
        Ok(ConvNext {
            style: Style::Transformers,
            patch: config.size_if_any("patch_size")?.unwrap_or(4),
            depths: config.sizes("depths", &[3, 3, 9, 3])?,
            widths: config.sizes("hidden_sizes", &[96, 192, 384, 768])?,
            activation: config.activation_or("hidden_act", Activation::Gelu { approximate: false })?,
            scale: (scale > 0.0).then_some(scale),
            epsilon: config.number_or("layer_norm_eps", 1e-12)?,
            drop_path: config.rate_or("drop_path_rate", 0.0)?,
        })
    }

    /// The network of a file with timm's or torchvision's names.
    pub(crate) fn recognize(tensors: &Tensors, _hint: Hint<'_>) -> Option<Found<ConvNext>> {
        let (style, stem) = if tensors.has("stages.0.blocks.0.conv_dw.weight") {
            (Style::Timm, "stem.0")
        } else if tensors.has("features.1.0.layer_scale") {
            (Style::Torchvision, "features.0.0")
        } else {
            return None;
        };
        let [_, 3, patch @ 1..=MAX_PATCH, _] = tensors.kernel(stem)? else { return None };
        let stages = match style {
            Style::Timm => tensors.count("stages."),
            _ => tensors.count("features.") / 2,
        };
        let mut net = ConvNext {
            style,
            patch,
            depths: Vec::new(),
            widths: Vec::new(),
            activation: Activation::Gelu { approximate: false },
            scale: None,
            epsilon: EPSILON,
            drop_path: 0.0,
        };
        for stage in 0..stages {
            let first = net.block_name(stage, 0);
            net.depths.push(tensors.count(first.strip_suffix('0')?));
            net.widths.push(tensors.kernel(&net.part(&first, "conv"))?[0]);
        }
        let factors = format!("{}.{}", net.block_name(0, 0), net.scale_name());
        net.scale = tensors.has(&factors).then_some(1e-6);
        let size = match (net.depths.get(2), net.widths.first()) {
            (Some(9), _) => "Tiny",
            (_, Some(96)) => "Small",
            (_, Some(128)) => "Base",
            (_, Some(192)) => "Large",
            (_, Some(256)) => "XLarge",
            _ => "of its own size",
        };
        let preparation = if style == Style::Torchvision {
            net.drop_path = match size {
                "Tiny" => 0.1,
                "Small" => 0.4,
                _ => 0.5,
            };
            Preparation::square(224, 224.0 / if size == "Tiny" { 236.0 } else { 232.0 })
        } else {
            Preparation::square(224, 0.875).bicubic()
        };
        let why = format!(
            "`{stem}` and {} blocks such as `{}`",
            net.depths.iter().map(usize::to_string).collect::<Vec<_>>().join(", "),
            net.block_name(0, 0)
        );
        Some(Found { name: format!("ConvNeXt {size}"), net, preparation, why })
    }

    pub(crate) fn kind(&self) -> &'static str {
        "convnext"
    }

    pub(crate) fn base(&self) -> &'static str {
        if self.style == Style::Transformers { "convnext" } else { "" }
    }

    pub(crate) fn head(&self) -> &'static str {
        match self.style {
            Style::Transformers => "classifier",
            Style::Timm => "head.fc",
            Style::Torchvision => "classifier.2",
        }
    }

    pub(crate) fn unused(&self) -> &'static [&'static str] {
        &[]
    }

    pub(crate) fn class(&self) -> &'static str {
        "ConvNext"
    }

    /// The products of the blocks.
    pub(crate) fn lora_targets(&self) -> Vec<String> {
        let targets = match self.style {
            Style::Transformers => ["pwconv1", "pwconv2"],
            Style::Timm => ["fc1", "fc2"],
            Style::Torchvision => ["block.3", "block.5"],
        };
        targets.map(str::to_owned).to_vec()
    }

    pub(crate) fn groups(&self) -> Vec<Vec<String>> {
        let mut groups = vec![self.stem().map(|layer| format!("{layer}.")).to_vec()];
        for (stage, &depth) in self.depths.iter().enumerate() {
            for index in 0..depth {
                let mut group = vec![format!("{}.", self.block_name(stage, index))];
                if stage > 0 && index == 0 {
                    group.extend(self.downsampling(stage).map(|layer| format!("{layer}.")));
                }
                groups.push(group);
            }
        }
        groups
    }

    /// The first convolution and its normalization.
    fn stem(&self) -> [&'static str; 2] {
        match self.style {
            Style::Transformers => ["convnext.embeddings.patch_embeddings", "convnext.embeddings.layernorm"],
            Style::Timm => ["stem.0", "stem.1"],
            Style::Torchvision => ["features.0.0", "features.0.1"],
        }
    }

    /// The normalization and the convolution before a stage.
    fn downsampling(&self, stage: usize) -> [String; 2] {
        let layer = match self.style {
            Style::Transformers => format!("convnext.encoder.stages.{stage}.downsampling_layer"),
            Style::Timm => format!("stages.{stage}.downsample"),
            Style::Torchvision => format!("features.{}", 2 * stage),
        };
        [format!("{layer}.0"), format!("{layer}.1")]
    }

    fn block_name(&self, stage: usize, index: usize) -> String {
        match self.style {
            Style::Transformers => format!("convnext.encoder.stages.{stage}.layers.{index}"),
            Style::Timm => format!("stages.{stage}.blocks.{index}"),
            Style::Torchvision => format!("features.{}.{index}", 2 * stage + 1),
        }
    }

    /// A layer of a block: `conv`, `norm`, `up` or `down`.
    fn part(&self, block: &str, part: &str) -> String {
        let names = match self.style {
            Style::Transformers => ["dwconv", "layernorm", "pwconv1", "pwconv2"],
            Style::Timm => ["conv_dw", "norm", "mlp.fc1", "mlp.fc2"],
            Style::Torchvision => ["block.0", "block.2", "block.3", "block.5"],
        };
        let index = ["conv", "norm", "up", "down"].iter().position(|known| *known == part).unwrap_or(0);
        format!("{block}.{}", names[index])
    }

    fn scale_name(&self) -> &'static str {
        match self.style {
            Style::Transformers => "layer_scale_parameter",
            Style::Timm => "gamma",
            Style::Torchvision => "layer_scale",
        }
    }

    pub(crate) fn features(&self, b: &mut Builder<'_>, images: NodeId) -> Result<Features> {
        let [conv, norm] = self.stem();
        let x = b.conv(conv, images, Conv::patches(self.widths[0], self.patch))?;
        let mut x = b.layer_norm(norm, x, self.widths[0], EPSILON)?;
        let total = self.depths.iter().sum::<usize>();
        let mut number = 0;
        for (stage, (&depth, &width)) in self.depths.iter().zip(&self.widths).enumerate() {
            if stage > 0 {
                let [norm, conv] = self.downsampling(stage);
                let y = b.layer_norm(&norm, x, self.widths[stage - 1], EPSILON)?;
                x = b.conv(&conv, y, Conv::patches(width, 2))?;
            }
            for index in 0..depth {
                let drop_path = self.drop_path * number as f32 / total.saturating_sub(1).max(1) as f32;
                x = self.block(b, x, &self.block_name(stage, index), width, drop_path)?;
                number += 1;
            }
        }
        let pooled = b.mean_of_places(x)?;
        let norm = match self.style {
            Style::Transformers => "convnext.layernorm",
            Style::Timm => "head.norm",
            Style::Torchvision => "classifier.0",
        };
        let width = self.widths[self.widths.len() - 1];
        Ok(Features { pooled: b.layer_norm(norm, pooled, width, self.epsilon)? })
    }

    fn block(&self, b: &mut Builder<'_>, x: NodeId, block: &str, width: usize, drop_path: f32) -> Result<NodeId> {
        let filters = Conv { groups: width, bias: true, ..Conv::plain(width, 7, 1) };
        let y = b.conv(&self.part(block, "conv"), x, filters)?;
        let y = b.layer_norm(&self.part(block, "norm"), y, width, EPSILON)?;
        let y = b.linear(&self.part(block, "up"), y, width, 4 * width)?;
        let y = b.graph.activate(y, self.activation)?;
        let mut y = b.linear(&self.part(block, "down"), y, 4 * width, width)?;
        if let Some(scale) = self.scale {
            let shape: &[usize] = if self.style == Style::Torchvision { &[width, 1, 1] } else { &[width] };
            b.graph.enter_layer(block);
            let initializer = Initializer::Constant(scale);
            let spec = Spec { shape, layout: TorchLayout::Same, decays: false, initializer, class: "Parameter" };
            let factors = b.weight(block, self.scale_name(), spec);
            let factors = b.graph.reshape(factors, retune_graph::Shape::fixed(&[width]))?;
            y = b.graph.mul(y, factors)?;
        }
        let y = b.drop_path(y, drop_path)?;
        Ok(b.graph.add(y, x)?)
    }

    pub(crate) fn scores(&self, b: &mut Builder<'_>, pooled: NodeId, outputs: usize) -> Result<NodeId> {
        b.linear(self.head(), pooled, self.widths[self.widths.len() - 1], outputs)
    }
}

//! ResNet. He et al., *Deep residual learning*, 2015, with the stride of a bottleneck at its 3×3 convolution as torchvision
//! has it, and the networks for CIFAR of the same paper, whose shortcuts have no weights.

use retune_graph::NodeId;
use retune_graph::ops::pool::Pooling;
use retune_graph::ops::{Activation, ConvGeometry};

use super::Features;
use super::layers::{Conv, Norm};
use super::preprocessing::Preparation;
use super::recognize::Found;
use super::tensors::Tensors;
use crate::error::Result;
use crate::torch::builder::Builder;
use crate::torch::config::Config;

/// Whose names the layers have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// torchvision's and timm's: `layer1.0.conv1`, head `fc`.
    Torchvision,
    /// Those of transformers: `resnet.encoder.stages.0.layers.0.layer.0.convolution`, head `classifier.1`.
    Transformers,
    /// torchvision's with three stages of weightless shortcuts, head `linear`.
    Cifar,
}

/// Layers with one width.
#[derive(Debug, Clone, Copy)]
struct Stage {
    blocks: usize,
    /// Width inside of a block.
    inner: usize,
    outputs: usize,
    stride: usize,
}

/// Sizes of a ResNet.
#[derive(Debug, Clone)]
pub(crate) struct ResNet {
    style: Style,
    stem: usize,
    bottleneck: bool,
    /// Whether the 1×1 convolution of a bottleneck has the stride, as in the paper.
    stride_first: bool,
    /// Groups of the 3×3 convolutions; above 1 in ResNeXt.
    groups: usize,
    stages: Vec<Stage>,
    activation: Activation,
}

impl ResNet {
    /// The network of a file with torchvision's names.
    pub(crate) fn recognize(tensors: &Tensors) -> Option<Found<ResNet>> {
        let [stem, 3, size, _] = tensors.kernel("conv1")? else { return None };
        let style = match size {
            7 if tensors.has("layer4.0.conv1.weight") => Style::Torchvision,
            3 if tensors.has("layer3.0.conv1.weight") && !tensors.has("layer4.0.conv1.weight") => Style::Cifar,
            _ => return None,
        };
        let bottleneck = tensors.has("layer1.0.conv3.weight");
        let mut groups = 1;
        let mut stages = Vec::new();
        for number in 1..=if style == Style::Cifar { 3 } else { 4 } {
            let block = format!("layer{number}.0");
            let [inner, _, _, _] = tensors.kernel(&format!("{block}.conv1"))?;
            let [second, per_group, _, _] = tensors.kernel(&format!("{block}.conv2"))?;
            groups = if per_group > 0 && inner % per_group == 0 { inner / per_group } else { return None };
            let outputs = if bottleneck { tensors.outputs(&format!("{block}.conv3"))? } else { second };
            let blocks = tensors.count(&format!("layer{number}."));
            stages.push(Stage { blocks, inner, outputs, stride: if number == 1 { 1 } else { 2 } });
        }
        let net = ResNet { style, stem, bottleneck, stride_first: false, groups, stages, activation: Activation::RELU };
        let preparation = match style {
            Style::Cifar => Preparation { crop: None, ..Preparation::square(32, 1.0) },
            _ => Preparation::square(224, 0.875),
        };
        let name = net.title();
        let why = format!(
            "`conv1` of {size}×{size}, and {} blocks of {} convolutions in the stages `layer1` to `layer{}`",
            net.depths().iter().map(usize::to_string).collect::<Vec<_>>().join(", "),
            if bottleneck { 3 } else { 2 },
            net.stages.len(),
        );
        Some(Found { net, preparation, name, why })
    }

    /// The network of a folder of transformers.
    pub(crate) fn read(config: &Config<'_>) -> Result<ResNet> {
        let depths = config.sizes("depths", &[3, 4, 6, 3])?;
        let widths = config.sizes("hidden_sizes", &[256, 512, 1024, 2048])?;
        let bottleneck = config.text_if_any("layer_type")?.is_none_or(|kind| kind == "bottleneck");
        let strided = config.flag_or("downsample_in_first_stage", false)?;
        let stage = |(index, (&blocks, &outputs)): (usize, (&usize, &usize))| Stage {
            blocks,
            inner: if bottleneck { (outputs / 4).max(1) } else { outputs },
            outputs,
            stride: if index == 0 && !strided { 1 } else { 2 },
        };
        Ok(ResNet {
            style: Style::Transformers,
            stem: config.size_if_any("embedding_size")?.unwrap_or(64),
            bottleneck,
            stride_first: config.flag_or("downsample_in_bottleneck", false)?,
            groups: 1,
            stages: depths.iter().zip(&widths).enumerate().map(stage).collect(),
            activation: config.activation_or("hidden_act", Activation::RELU)?,
        })
    }

    fn depths(&self) -> Vec<usize> {
        self.stages.iter().map(|stage| stage.blocks).collect()
    }

    /// `ResNet-18`: convolutions one after the other, and the head.
    fn title(&self) -> String {
        let per_block = if self.bottleneck { 3 } else { 2 };
        let kind = if self.groups > 1 { "ResNeXt" } else { "ResNet" };
        format!("{kind}-{}", self.depths().iter().sum::<usize>() * per_block + 2)
    }

    pub(crate) fn kind(&self) -> &'static str {
        "resnet"
    }

    pub(crate) fn base(&self) -> &'static str {
        if self.style == Style::Transformers { "resnet" } else { "" }
    }

    pub(crate) fn head(&self) -> &'static str {
        match self.style {
            Style::Torchvision => "fc",
            Style::Transformers => "classifier.1",
            Style::Cifar => "linear",
        }
    }

    /// Layers of files that no task uses.
    pub(crate) fn unused(&self) -> &'static [&'static str] {
        &[]
    }

    pub(crate) fn class(&self) -> &'static str {
        "ResNet"
    }

    pub(crate) fn lora_targets(&self) -> Vec<String> {
        let targets: &[&str] = match self.style {
            Style::Transformers => &["convolution"],
            _ if self.bottleneck => &["conv1", "conv2", "conv3"],
            _ => &["conv1", "conv2"],
        };
        targets.iter().map(|target| (*target).to_owned()).collect()
    }

    pub(crate) fn groups(&self) -> Vec<Vec<String>> {
        let stem = match self.style {
            Style::Transformers => vec!["resnet.embedder.".to_owned()],
            _ => vec!["conv1.".to_owned(), "bn1.".to_owned()],
        };
        let blocks = (0..self.stages.len()).flat_map(|stage| (0..self.stages[stage].blocks).map(move |i| (stage, i)));
        let blocks = blocks.map(|(stage, index)| vec![format!("{}.", self.block_name(stage, index))]);
        std::iter::once(stem).chain(blocks).collect()
    }

    fn block_name(&self, stage: usize, index: usize) -> String {
        match self.style {
            Style::Transformers => format!("resnet.encoder.stages.{stage}.layers.{index}"),
            _ => format!("layer{}.{index}", stage + 1),
        }
    }

    /// Convolution number `index` of a block and its normalization.
    fn conv_names(&self, block: &str, index: usize) -> [String; 2] {
        match self.style {
            Style::Transformers => ["convolution", "normalization"].map(|part| format!("{block}.layer.{index}.{part}")),
            _ => ["conv", "bn"].map(|part| format!("{block}.{part}{}", index + 1)),
        }
    }

    pub(crate) fn features(&self, b: &mut Builder<'_>, images: NodeId) -> Result<Features> {
        let act = Some(self.activation);
        let mut x = match self.style {
            Style::Cifar => b.conv_norm(["conv1", "bn1"], images, Conv::plain(self.stem, 3, 1), Norm::PYTORCH, act)?,
            style => {
                let embedder = ["resnet.embedder.embedder.convolution", "resnet.embedder.embedder.normalization"];
                let names = if style == Style::Transformers { embedder } else { ["conv1", "bn1"] };
                let x = b.conv_norm(names, images, Conv::plain(self.stem, 7, 2), Norm::PYTORCH, act)?;
                b.max_pool(x, 3, 2)?
            }
        };
        for (number, stage) in self.stages.iter().enumerate() {
            for index in 0..stage.blocks {
                let stride = if index == 0 { stage.stride } else { 1 };
                x = self.block(b, x, &self.block_name(number, index), *stage, stride)?;
            }
        }
        Ok(Features { pooled: b.mean_of_places(x)? })
    }

    fn block(&self, b: &mut Builder<'_>, x: NodeId, name: &str, stage: Stage, stride: usize) -> Result<NodeId> {
        let act = Some(self.activation);
        let convs: Vec<(Conv, Option<Activation>)> = if self.bottleneck {
            let (first, second) = if self.stride_first { (stride, 1) } else { (1, stride) };
            vec![
                (Conv::plain(stage.inner, 1, first), act),
                (Conv { groups: self.groups, ..Conv::plain(stage.inner, 3, second) }, act),
                (Conv::plain(stage.outputs, 1, 1), None),
            ]
        } else {
            vec![(Conv::plain(stage.inner, 3, stride), act), (Conv::plain(stage.outputs, 3, 1), None)]
        };
        let mut y = x;
        for (index, (conv, activation)) in convs.into_iter().enumerate() {
            let [conv_name, norm_name] = self.conv_names(name, index);
            y = b.conv_norm([&conv_name, &norm_name], y, conv, Norm::PYTORCH, activation)?;
        }
        let shortcut = self.shortcut(b, x, name, stage.outputs, stride)?;
        b.graph.enter_layer(name);
        let sum = b.graph.add(y, shortcut)?;
        Ok(b.graph.activate(sum, self.activation)?)
    }

    fn shortcut(&self, b: &mut Builder<'_>, x: NodeId, block: &str, outputs: usize, stride: usize) -> Result<NodeId> {
        let channels = b.size(x, 3);
        if stride == 1 && channels == outputs {
            return Ok(x);
        }
        let [conv, norm] = match self.style {
            Style::Cifar => return weightless_shortcut(b, x, outputs, stride),
            Style::Torchvision => ["downsample.0", "downsample.1"],
            Style::Transformers => ["shortcut.convolution", "shortcut.normalization"],
        };
        let names = [format!("{block}.{conv}"), format!("{block}.{norm}")];
        b.conv_norm([&names[0], &names[1]], x, Conv::plain(outputs, 1, stride), Norm::PYTORCH, None)
    }

    pub(crate) fn scores(&self, b: &mut Builder<'_>, pooled: NodeId, outputs: usize) -> Result<NodeId> {
        let width = self.stages.last().map_or(self.stem, |stage| stage.outputs);
        b.linear(self.head(), pooled, width, outputs)
    }
}

/// Every `stride`-th pixel of each axis, with channels of zeros before and behind (option A of the paper).
fn weightless_shortcut(b: &mut Builder<'_>, x: NodeId, outputs: usize, stride: usize) -> Result<NodeId> {
    let geometry = ConvGeometry { strides: [stride; 2], ..ConvGeometry::default() };
    let channels = b.size(x, 3);
    // A window of one pixel takes the pixel itself.
    let x = b.graph.pool2d(x, Pooling::Average, [1, 1], geometry)?;
    let new = outputs.saturating_sub(channels);
    Ok(b.graph.pad(x, &[(0, 0), (0, 0), (0, 0), (new / 2, new - new / 2)])?)
}

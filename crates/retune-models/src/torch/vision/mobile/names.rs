//! What torchvision, timm and efficientnet_pytorch call the layers of networks of inverted residuals.

use super::Kind;
use crate::torch::vision::tensors::Tensors;

/// Whose names the layers have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// `features.1.conv.0.0`: torchvision's MobileNetV2.
    TorchvisionV2,
    /// `features.1.block.0.0`, with all blocks numbered on: torchvision's MobileNetV3.
    TorchvisionFlat,
    /// `features.1.0.block.0.0`, by stage and block: torchvision's EfficientNet.
    TorchvisionStages,
    /// `_blocks.0._depthwise_conv`: efficientnet_pytorch.
    EfficientNetPytorch,
    /// `blocks.0.0.conv_dw`: timm.
    Timm,
    /// `layer.0.conv_3x3.convolution`: MobileNetV2 of transformers.
    TransformersV2,
    /// `encoder.blocks.0.depthwise_conv`: EfficientNet of transformers.
    TransformersEfficientNet,
}

impl Style {
    /// The style of a file.
    pub(super) fn of(tensors: &Tensors) -> Option<Style> {
        let marks = [
            ("features.1.conv.0.0.weight", Style::TorchvisionV2),
            ("features.1.block.0.0.weight", Style::TorchvisionFlat),
            ("features.1.0.block.0.0.weight", Style::TorchvisionStages),
            ("_blocks.0._depthwise_conv.weight", Style::EfficientNetPytorch),
            ("blocks.0.0.conv_dw.weight", Style::Timm),
        ];
        marks.into_iter().find(|(mark, _)| tensors.has(mark)).map(|(_, style)| style)
    }

    /// The first convolution and its normalization.
    pub(crate) fn stem(self) -> [&'static str; 2] {
        match self {
            Style::EfficientNetPytorch => ["_conv_stem", "_bn0"],
            Style::Timm => ["conv_stem", "bn1"],
            Style::TransformersV2 => {
                ["mobilenet_v2.conv_stem.first_conv.convolution", "mobilenet_v2.conv_stem.first_conv.normalization"]
            }
            Style::TransformersEfficientNet => {
                ["efficientnet.embeddings.convolution", "efficientnet.embeddings.batchnorm"]
            }
            _ => ["features.0.0", "features.0.1"],
        }
    }

    pub(crate) fn head(self, kind: Kind) -> &'static str {
        match self {
            Style::EfficientNetPytorch => "_fc",
            Style::Timm | Style::TransformersV2 | Style::TransformersEfficientNet => "classifier",
            _ if kind == Kind::MobileNetV3 => "classifier.3",
            _ => "classifier.1",
        }
    }

    /// The convolution behind the blocks and its normalization.
    pub(super) fn last(self, tensors: &Tensors) -> [String; 2] {
        match self {
            Style::EfficientNetPytorch => ["_conv_head", "_bn1"].map(str::to_owned),
            Style::Timm => {
                let stage = tensors.count("blocks.").saturating_sub(1);
                // MobileNetV3 has it as a stage of its own.
                let own = format!("blocks.{stage}.0.conv");
                match tensors.outputs(&own) {
                    Some(_) => [own, format!("blocks.{stage}.0.bn1")],
                    None => ["conv_head", "bn2"].map(str::to_owned),
                }
            }
            _ => {
                let number = tensors.count("features.").saturating_sub(1);
                [format!("features.{number}.0"), format!("features.{number}.1")]
            }
        }
    }

    /// The blocks from input to output, each with its stage where the names say it.
    pub(super) fn blocks(self, tensors: &Tensors) -> Vec<(Option<usize>, BlockNames)> {
        let flat = |first: usize, prefix: &str| -> Vec<(Option<usize>, String)> {
            (first..first + tensors_from(tensors, prefix, first)).map(|i| (None, format!("{prefix}{i}"))).collect()
        };
        let staged = |first: usize, prefix: &str| -> Vec<(Option<usize>, String)> {
            let stages = first..first + tensors_from(tensors, prefix, first);
            let of_stage = |stage: usize| {
                let count = tensors.count(&format!("{prefix}{stage}."));
                (0..count).map(move |i| (Some(stage - first), format!("{prefix}{stage}.{i}")))
            };
            stages.flat_map(of_stage).collect()
        };
        let names = match self {
            Style::EfficientNetPytorch => flat(0, "_blocks."),
            Style::TorchvisionV2 | Style::TorchvisionFlat => flat(1, "features."),
            Style::TorchvisionStages => staged(1, "features."),
            Style::Timm => staged(0, "blocks."),
            // Folders of transformers say their sizes in `config.json`.
            Style::TransformersV2 | Style::TransformersEfficientNet => Vec::new(),
        };
        names.into_iter().filter_map(|(stage, block)| Some((stage, self.block(tensors, block)?))).collect()
    }

    /// The layers of a block; `None` if it is no inverted residual.
    fn block(self, tensors: &Tensors, block: String) -> Option<BlockNames> {
        let pair = |a: &str, b: &str| [format!("{block}.{a}"), format!("{block}.{b}")];
        let has = |layer: &str| tensors.has(&format!("{block}.{layer}.weight"));
        let (expand, depthwise, squeeze, project) = match self {
            Style::TorchvisionV2 if has("conv.2") && has("conv.1.0") => (
                Some(pair("conv.0.0", "conv.0.1")),
                pair("conv.1.0", "conv.1.1"),
                pair("", ""),
                pair("conv.2", "conv.3"),
            ),
            Style::TorchvisionV2 => (None, pair("conv.0.0", "conv.0.1"), pair("", ""), pair("conv.1", "conv.2")),
            Style::TorchvisionFlat | Style::TorchvisionStages => {
                // Layers are numbered on; a depthwise convolution has one input channel a filter.
                let is_depthwise = |i: usize| {
                    tensors.kernel(&format!("{block}.block.{i}.0")).is_some_and(|[_, per_group, ..]| per_group == 1)
                };
                let at = (0..2).find(|&i| is_depthwise(i))?;
                let layer = |i: usize| pair(&format!("block.{i}.0"), &format!("block.{i}.1"));
                let squeeze = pair(&format!("block.{}.fc1", at + 1), &format!("block.{}.fc2", at + 1));
                let behind = if tensors.outputs(&squeeze[0]).is_some() { at + 2 } else { at + 1 };
                ((at == 1).then(|| layer(0)), layer(at), squeeze, layer(behind))
            }
            Style::EfficientNetPytorch => (
                has("_expand_conv").then(|| pair("_expand_conv", "_bn0")),
                pair("_depthwise_conv", "_bn1"),
                pair("_se_reduce", "_se_expand"),
                pair("_project_conv", "_bn2"),
            ),
            Style::Timm => {
                let squeeze = pair("se.conv_reduce", "se.conv_expand");
                if has("conv_pwl") {
                    let expand = Some(pair("conv_pw", "bn1"));
                    (expand, pair("conv_dw", "bn2"), squeeze, pair("conv_pwl", "bn3"))
                } else {
                    (None, pair("conv_dw", "bn1"), squeeze, pair("conv_pw", "bn2"))
                }
            }
            Style::TransformersV2 | Style::TransformersEfficientNet => return None,
        };
        // What follows the blocks is numbered on with them.
        tensors.outputs(&depthwise[0])?;
        tensors.outputs(&project[0])?;
        Some(BlockNames { block, expand, depthwise, squeeze, project })
    }
}

/// How many modules `prefix{first}`, `prefix{first + 1}`, … follow one another.
fn tensors_from(tensors: &Tensors, prefix: &str, first: usize) -> usize {
    tensors.count(prefix).saturating_sub(first)
}

/// The layers of a block: convolutions, each with its normalization.
#[derive(Debug, Clone)]
pub(crate) struct BlockNames {
    pub(crate) block: String,
    /// The 1×1 convolution that widens, if there is one.
    pub(crate) expand: Option<[String; 2]>,
    pub(crate) depthwise: [String; 2],
    /// The two convolutions of squeeze and excitation, if the file has them.
    pub(crate) squeeze: [String; 2],
    /// The 1×1 convolution that narrows.
    pub(crate) project: [String; 2],
}

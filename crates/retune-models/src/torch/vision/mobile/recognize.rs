//! The network of inverted residuals that a file holds. Strides and activations leave no trace in the tensors: they follow
//! from the published tables, by stage.

use retune_graph::ops::Activation;

use super::names::{BlockNames, Style};
use super::{Block, Kind, Mobile, RELU6};
use crate::torch::vision::layers::{Norm, Padding};
use crate::torch::vision::preprocessing::{HALF, Preparation};
use crate::torch::vision::recognize::{Found, Hint};
use crate::torch::vision::tensors::Tensors;

/// Strides of the stages of MobileNetV2 and EfficientNet.
const STRIDES: &[usize] = &[1, 2, 2, 2, 1, 2, 1];
/// Kernels of the stages of EfficientNet.
const KERNELS: &[usize] = &[3, 3, 5, 3, 5, 5, 3];
/// Blocks of the stages of MobileNetV2, whose narrow variants have neighbouring stages of one width.
const MOBILENET_V2_BLOCKS: &[usize] = &[1, 2, 3, 4, 3, 3, 1];

/// A variant of MobileNetV3: blocks and strides of its stages, and how many stages have ReLU.
#[derive(Clone, Copy)]
struct Variant {
    name: &'static str,
    blocks: &'static [usize],
    strides: &'static [usize],
    relu_stages: usize,
}

const MOBILENET_V3: &[Variant] = &[
    Variant { name: "MobileNetV3-Large", blocks: &[1, 2, 3, 4, 2, 3], strides: &[1, 2, 2, 2, 1, 2], relu_stages: 3 },
    Variant { name: "MobileNetV3-Small", blocks: &[1, 2, 3, 2, 3], strides: &[2, 2, 2, 1, 2], relu_stages: 2 },
];

/// What the tensors say of a block.
struct Raw {
    names: BlockNames,
    stage: Option<usize>,
    inner: usize,
    outputs: usize,
    kernel: usize,
    squeeze: Option<usize>,
}

impl Mobile {
    /// The network of a file.
    pub(crate) fn recognize(tensors: &Tensors, hint: Hint<'_>) -> Option<Found<Mobile>> {
        let style = Style::of(tensors)?;
        let [stem, 3, 3, 3] = tensors.kernel(style.stem()[0])? else { return None };
        let raw: Option<Vec<Raw>> =
            style.blocks(tensors).into_iter().map(|(stage, names)| raw(tensors, stage, names)).collect();
        let raw = raw.filter(|blocks| !blocks.is_empty())?;
        let last = style.last(tensors);
        let last_width = tensors.outputs(&last[0])?;
        let hidden = match style {
            Style::TorchvisionFlat => tensors.outputs("classifier.0"),
            Style::Timm if last[0] != "conv_head" => tensors.outputs("conv_head"),
            _ => None,
        };
        let (count, widest) = (raw.len(), raw.last()?.outputs);
        let Identity { kind, name, stages, strides, relu_stages } =
            if hidden.is_some() { mobilenet_v3(&raw)? } else { seven_stages(&raw)? };
        let size = variant(count, widest);
        let from_tensorflow = style == Style::EfficientNetPytorch || style == Style::Timm && hint.0.starts_with("tf_");
        let activation = match kind {
            Kind::MobileNetV3 => Activation::HardSilu,
            Kind::EfficientNet => Activation::Silu,
            Kind::MobileNetV2 | Kind::EfficientNetLite => RELU6,
        };
        let (mut previous, mut before) = (None, stem);
        let blocks = raw
            .into_iter()
            .zip(stages)
            .map(|(block, stage)| {
                let is_first = previous.replace(stage) != Some(stage);
                let activation = if stage < relu_stages { Activation::RELU } else { activation };
                let Raw { names, inner, outputs, kernel, squeeze, .. } = block;
                let stride = if is_first { strides[stage] } else { 1 };
                let inputs = std::mem::replace(&mut before, outputs);
                let residual = stride == 1 && inputs == outputs;
                Block { names, inner, outputs, kernel, stride, residual, activation, squeeze }
            })
            .collect();
        let (dropout, drop_path) = rates(kind, style, size);
        let norm = norm(kind, style, size, from_tensorflow);
        let net = Mobile {
            kind,
            style,
            stem,
            activation,
            blocks,
            last: (last, last_width),
            hidden,
            padding: if from_tensorflow { Padding::Same } else { Padding::Half },
            norm,
            expand_norm: norm,
            dropout,
            drop_path,
        };
        let convention = match style {
            _ if from_tensorflow => "with the padding of TensorFlow",
            Style::Timm => {
                "with PyTorch's padding, which timm's names do not tell (models that it calls `tf_…` have another)"
            }
            _ => "with PyTorch's padding",
        };
        let why =
            format!("`{}` and {count} blocks such as `{}`, {convention}", style.stem()[0], net.blocks[0].names.block);
        Some(Found { preparation: preparation(kind, style, size), net, name, why })
    }
}

/// Which network it is, and what follows from that: the stage of each block, the stages' strides, and how many stages have
/// ReLU.
struct Identity {
    kind: Kind,
    name: String,
    stages: Vec<usize>,
    strides: &'static [usize],
    relu_stages: usize,
}

/// MobileNetV3, by the number of its blocks.
fn mobilenet_v3(raw: &[Raw]) -> Option<Identity> {
    let variant = MOBILENET_V3.iter().find(|variant| variant.blocks.iter().sum::<usize>() == raw.len())?;
    // The variants without squeeze and excitation have other activations.
    raw.iter().find(|block| block.squeeze.is_some())?;
    let Variant { name, blocks, strides, relu_stages } = *variant;
    Some(Identity { kind: Kind::MobileNetV3, name: name.to_owned(), stages: by_table(blocks), strides, relu_stages })
}

/// MobileNetV2, EfficientNet and its Lite variants, by kernels, and by squeeze and excitation.
fn seven_stages(raw: &[Raw]) -> Option<Identity> {
    let squeezed = raw.iter().filter(|block| block.squeeze.is_some()).count();
    let is_v2 = squeezed == 0 && raw.iter().all(|block| block.kernel == 3);
    let stages = match raw.first()?.stage {
        Some(_) => raw.iter().filter_map(|block| block.stage).collect(),
        None if is_v2 && raw.len() == 17 => by_table(MOBILENET_V2_BLOCKS),
        None => by_width(raw),
    };
    if stages.last() != Some(&6) {
        return None;
    }
    let fits = raw.iter().zip(&stages).all(|(block, &stage)| block.kernel == KERNELS[stage]);
    let size = variant(raw.len(), raw.last()?.outputs);
    let (kind, name) = match squeezed {
        0 if is_v2 => (Kind::MobileNetV2, "MobileNetV2".to_owned()),
        0 if fits => (Kind::EfficientNetLite, format!("EfficientNet-Lite{size}")),
        squeezed if fits && squeezed == raw.len() => (Kind::EfficientNet, format!("EfficientNet-B{size}")),
        _ => return None,
    };
    Some(Identity { kind, name, stages, strides: STRIDES, relu_stages: 0 })
}

fn raw(tensors: &Tensors, stage: Option<usize>, names: BlockNames) -> Option<Raw> {
    let [inner, 1, kernel, _] = tensors.kernel(&names.depthwise[0])? else { return None };
    let outputs = tensors.outputs(&names.project[0])?;
    let squeeze = tensors.outputs(&names.squeeze[0]);
    Some(Raw { stage, inner, outputs, kernel, squeeze, names })
}

/// The stage of each block where the stages have these numbers of blocks.
fn by_table(blocks: &[usize]) -> Vec<usize> {
    blocks.iter().enumerate().flat_map(|(stage, &count)| std::iter::repeat_n(stage, count)).collect()
}

/// The stage of each block where a stage begins with a block of another width than the one before.
fn by_width(blocks: &[Raw]) -> Vec<usize> {
    let mut stage = 0;
    let mut stages = vec![stage];
    for pair in blocks.windows(2) {
        stage += usize::from(pair[0].outputs != pair[1].outputs);
        stages.push(stage);
    }
    stages
}

/// The number of an EfficientNet, by its blocks and its last width.
fn variant(blocks: usize, widest: usize) -> usize {
    match widest {
        0..=320 => usize::from(blocks > 16),
        321..=352 => 2,
        353..=384 => 3,
        385..=448 => 4,
        449..=512 => 5,
        513..=576 => 6,
        _ => 7,
    }
}

/// Dropout and stochastic depth of the published training.
fn rates(kind: Kind, style: Style, size: usize) -> (f32, f32) {
    const DROPOUT: [f32; 8] = [0.2, 0.2, 0.3, 0.3, 0.4, 0.4, 0.5, 0.5];
    match (kind, style) {
        // timm's models have none unless they are asked for.
        (_, Style::Timm) => (0.0, 0.0),
        (Kind::EfficientNet | Kind::EfficientNetLite, _) => (DROPOUT[size], 0.2),
        _ => (0.2, 0.0),
    }
}

fn norm(kind: Kind, style: Style, size: usize, from_tensorflow: bool) -> Norm {
    match style {
        Style::EfficientNetPytorch | Style::TorchvisionFlat => Norm::TENSORFLOW,
        Style::TorchvisionStages if kind == Kind::EfficientNet && size >= 5 => Norm::TENSORFLOW,
        Style::Timm if from_tensorflow => Norm { epsilon: Norm::TENSORFLOW.epsilon, ..Norm::PYTORCH },
        _ => Norm::PYTORCH,
    }
}

/// What the authors of torchvision, timm and efficientnet_pytorch published.
fn preparation(kind: Kind, style: Style, size: usize) -> Preparation {
    // Side, then torchvision's resized side.
    const TORCHVISION: [(usize, usize); 8] =
        [(224, 256), (240, 256), (288, 288), (300, 320), (380, 384), (456, 456), (528, 528), (600, 600)];
    const CROPS: [f32; 8] = [0.875, 0.882, 0.89, 0.904, 0.922, 0.934, 0.942, 0.949];
    const SIDES: [usize; 8] = [224, 240, 260, 300, 380, 456, 528, 600];
    const LITE_SIDES: [usize; 5] = [224, 240, 260, 280, 300];
    match (kind, style) {
        (Kind::EfficientNet, Style::TorchvisionStages) => {
            let (side, resized) = TORCHVISION[size];
            Preparation::square(side, side as f32 / resized as f32).bicubic()
        }
        (Kind::EfficientNet, _) => Preparation::square(SIDES[size], CROPS[size]).bicubic(),
        (Kind::EfficientNetLite, style) => {
            let size = size.min(LITE_SIDES.len() - 1);
            let usual = Preparation::square(LITE_SIDES[size], CROPS[size]).bicubic();
            let original = ([127.0 / 255.0; 3], [128.0 / 255.0; 3]);
            usual.normalized(if style == Style::Timm { HALF } else { original })
        }
        (_, Style::Timm) => Preparation::square(224, 0.875).bicubic(),
        _ => Preparation::square(224, 0.875),
    }
}

//! Which network a file of weights or a folder holds.

use serde_json::Value;

use super::convnext::ConvNext;
use super::mobile::Mobile;
use super::preprocessing::{HALF, Preparation};
use super::resnet::ResNet;
use super::swin::Swin;
use super::tensors::Tensors;
use super::vit::Vit;
use super::{Net, Vision};
use crate::error::{ModelError, Result};
use crate::report::edit_distance;
use crate::torch::config::Config;
use crate::torch::task::{Task, numbered_labels};
use retune_graph::ops::sequence::Pooling;

/// The values of `model_type` that are read here.
pub(crate) const KINDS: &[&str] = &["resnet", "vit", "deit", "mobilenet_v2", "efficientnet", "convnext", "swin"];

/// A network that was recognized by its tensors.
#[derive(Debug)]
pub(crate) struct Found<T> {
    pub(crate) net: T,
    pub(crate) preparation: Preparation,
    /// `ResNet-18`.
    pub(crate) name: String,
    /// What it was recognized by.
    pub(crate) why: String,
}

impl<T> Found<T> {
    fn map(self, wrap: fn(T) -> Net) -> Found<Net> {
        Found { net: wrap(self.net), preparation: self.preparation, name: self.name, why: self.why }
    }
}

/// Names of tensors by which the networks are told apart, for the message where none fits.
const MARKS: &[(&str, &str)] = &[
    ("layer1.0.conv1.weight", "ResNet (torchvision, timm; CIFAR variants with `linear`)"),
    ("features.1.conv.0.0.weight", "MobileNetV2 (torchvision, timm)"),
    ("features.1.block.0.0.weight", "MobileNetV3 (torchvision, timm)"),
    ("features.1.0.block.0.0.weight", "EfficientNet and EfficientNet-Lite (torchvision, timm, efficientnet_pytorch)"),
    ("blocks.0.attn.qkv.weight", "ViT and DeiT (timm, torchvision)"),
    ("stages.0.blocks.0.conv_dw.weight", "ConvNeXt (timm, torchvision)"),
    ("layers.0.blocks.0.attn.relative_position_bias_table", "Swin (timm, the authors' files)"),
];

/// What beside tensors is known of a file: the name of its architecture in timm, or the file's own name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hint<'a>(pub(crate) &'a str);

impl Hint<'_> {
    /// The side of images, where the name tells it as timm's names do: `swin_tiny_patch4_window7_224`.
    pub(crate) fn image_side(self) -> Option<usize> {
        let mut numbers = self.0.split(['_', '-', '.']).filter_map(|part| part.parse::<usize>().ok());
        numbers.find(|side| (64..=1024).contains(side))
    }
}

/// The network that the tensors of a file belong to.
pub(crate) fn recognize(tensors: &Tensors, hint: Hint<'_>) -> Result<Found<Net>> {
    if let Some(found) = ResNet::recognize(tensors) {
        return Ok(found.map(Net::ResNet));
    }
    if let Some(found) = Mobile::recognize(tensors, hint) {
        return Ok(found.map(Net::Mobile));
    }
    if let Some(found) = Vit::recognize(tensors, hint) {
        return Ok(found.map(|vit| Net::Vit(Box::new(vit))));
    }
    if let Some(found) = ConvNext::recognize(tensors, hint) {
        return Ok(found.map(Net::ConvNext));
    }
    if let Some(found) = Swin::recognize(tensors, hint) {
        return Ok(found.map(|swin| Net::Swin(Box::new(swin))));
    }
    Err(unknown(tensors))
}

fn unknown(tensors: &Tensors) -> ModelError {
    let distance = |mark: &str| tensors.names().take(1000).map(|name| edit_distance(mark, name)).min();
    let nearest = MARKS.iter().filter_map(|(mark, network)| Some((distance(mark)?, mark.len(), *network)));
    let nearest = nearest.filter(|(distance, length, _)| distance * 2 <= *length).min();
    ModelError::UnknownWeights {
        first: tensors.names().take(3).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
        known: MARKS.iter().map(|(_, network)| *network).collect::<Vec<_>>().join("; "),
        nearest: nearest.map(|(_, _, network)| network),
    }
}

/// The network of a folder of transformers; `None` if the `model_type` is none of [`KINDS`].
pub(crate) fn read(kind: &str, config: &Config<'_>, processor: Option<&Value>) -> Result<Option<Vision>> {
    let (net, preparation) = match kind {
        "resnet" => (Net::ResNet(ResNet::read(config)?), Preparation::square(224, 0.875)),
        "convnext" => (Net::ConvNext(ConvNext::read(config)?), Preparation::square(224, 0.875).bicubic()),
        "mobilenet_v2" => {
            let side = config.size_if_any("image_size")?.unwrap_or(224);
            (Net::Mobile(Mobile::read_mobilenet_v2(config)?), Preparation::square(side, 0.875).normalized(HALF))
        }
        "efficientnet" => {
            let side = config.size_if_any("image_size")?.unwrap_or(600);
            let usual = Preparation { crop: None, ..Preparation::square(side, 1.0) };
            (Net::Mobile(Mobile::read_efficientnet(config)?), usual.bicubic())
        }
        "swin" => {
            let swin = Swin::read(config)?;
            let usual = Preparation { size: swin.image, ..Preparation::square(224, 0.9) }.bicubic();
            (Net::Swin(Box::new(swin)), usual)
        }
        "vit" | "deit" => {
            let vit = Vit::read(kind, config)?;
            let usual = Preparation { size: vit.image, crop: None, ..Preparation::square(224, 1.0) };
            (Net::Vit(Box::new(vit)), if kind == "vit" { usual.normalized(HALF) } else { usual.bicubic() })
        }
        _ => return Ok(None),
    };
    let preparation = match processor {
        Some(processor) => preparation.with_processor(processor),
        None => preparation,
    };
    Ok(Some(Vision { net, preparation }))
}

/// The task of a file: one of as many labels as its head has scores, or none without a head.
pub(crate) fn task(vision: &Vision, tensors: &Tensors, names: Option<Vec<String>>) -> Task {
    match tensors.outputs(vision.head()) {
        Some(count) => {
            let labels = names.filter(|names| names.len() == count).unwrap_or_else(|| numbered_labels(count));
            Task::Classification { labels }
        }
        None => Task::Embedding { pooling: Pooling::Mean, normalize: false },
    }
}

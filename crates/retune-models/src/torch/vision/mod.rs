//! Networks for images. Each is one graph, whose layers have the names of torchvision, timm or transformers.
//!
//! | file | what it holds |
//! | --- | --- |
//! | [`tensors`] | names and shapes of a file, from which a network is recognized |
//! | [`recognize`] | which network a file or a folder holds |
//! | [`preprocessing`] | what images must be made into for a network |
//! | [`layers`] | convolution, batch normalization, squeeze and excitation |
//! | [`resnet`] | ResNet, and its variants for CIFAR |
//! | [`mobile`] | MobileNetV2 and V3, EfficientNet and its Lite variants |
//! | [`vit`] | ViT and DeiT |
//! | [`convnext`] | ConvNeXt |
//! | [`swin`] | Swin |

pub(crate) mod convnext;
pub(crate) mod layers;
pub(crate) mod mobile;
pub(crate) mod preprocessing;
pub(crate) mod recognize;
pub(crate) mod resnet;
pub(crate) mod swin;
pub(crate) mod tensors;
pub(crate) mod vit;

use retune_graph::ops::Activation;
use retune_graph::{DType, Dim, NodeId, Shape};

use super::Lowered;
use super::builder::Builder;
use super::task::Task;
use crate::error::{ModelError, Result};
use convnext::ConvNext;
use mobile::Mobile;
use preprocessing::Preparation;
use resnet::ResNet;
use swin::Swin;
use vit::Vit;

/// Colour channels of images.
const CHANNELS: usize = 3;

/// A network for images, and what its images must be.
#[derive(Debug, Clone)]
pub(crate) struct Vision {
    pub(crate) net: Net,
    pub(crate) preparation: Preparation,
}

/// The networks.
#[derive(Debug, Clone)]
pub(crate) enum Net {
    ResNet(ResNet),
    Mobile(Mobile),
    Vit(Box<Vit>),
    ConvNext(ConvNext),
    Swin(Box<Swin>),
}

macro_rules! each_net {
    ($net:expr, $each:ident => $result:expr) => {
        match $net {
            Net::ResNet($each) => $result,
            Net::Mobile($each) => $result,
            Net::Vit($each) => $result,
            Net::ConvNext($each) => $result,
            Net::Swin($each) => $result,
        }
    };
}

/// What the layers before the head give.
pub(crate) struct Features {
    /// `[Batch, width]`.
    pub(crate) pooled: NodeId,
}

/// Whether no result depends on a tensor of a file: counters of batches, and indices that follow from the sizes.
pub(crate) fn is_buffer(name: &str) -> bool {
    const BUFFERS: &[&str] = &["num_batches_tracked", "relative_position_index", "attn_mask", "position_ids"];
    BUFFERS.contains(&name.rsplit_once('.').map_or(name, |(_, part)| part))
}

impl Vision {
    /// Whether a tensor is left out without a word of complaint: the head of a task that has none, a pooler.
    pub(crate) fn is_other_head(&self, name: &str) -> bool {
        let starts = |prefix: &str| name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.'));
        starts(self.head()) || each_net!(&self.net, net => net.unused()).iter().any(|prefix| starts(prefix))
    }

    /// What the names of all weights but the head's begin with; empty where they have nothing in common.
    pub(crate) fn base(&self) -> &'static str {
        each_net!(&self.net, net => net.base())
    }

    /// The architecture's name: `resnet`.
    pub(crate) fn kind(&self) -> &'static str {
        each_net!(&self.net, net => net.kind())
    }

    /// The layer that gives the scores.
    pub(crate) fn head(&self) -> &'static str {
        each_net!(&self.net, net => net.head())
    }

    /// The class in transformers without the task: `ResNet`.
    pub(crate) fn class(&self, task: &Task) -> String {
        let suffix = if task.outputs().is_some() { "ForImageClassification" } else { "Model" };
        let base = each_net!(&self.net, net => net.class());
        format!("{base}{suffix}")
    }

    /// Names, or last parts of names, of the layers that get LoRA by default.
    pub(crate) fn lora_targets(&self) -> Vec<String> {
        each_net!(&self.net, net => net.lora_targets())
    }

    /// The network's blocks from input to output, as prefixes of names of weights; the head comes after them.
    pub(crate) fn groups(&self) -> Vec<Vec<String>> {
        each_net!(&self.net, net => net.groups())
    }

    /// Appends the network's nodes. `size` is the height and width of images where it is not the usual one.
    pub(crate) fn lower(&self, b: &mut Builder<'_>, task: &Task, size: Option<[usize; 2]>) -> Result<Lowered> {
        let [height, width] = size.unwrap_or(self.preparation.size);
        let shape = Shape::new([Dim::BATCH, height.into(), width.into(), CHANNELS.into()]);
        let images = b.input("images", shape, DType::F32);
        let Features { pooled } = each_net!(&self.net, net => net.features(b, images)?);
        let (name, output) = match task {
            Task::Embedding { .. } => ("features".to_owned(), pooled),
            Task::TokenClassification { .. } | Task::Similarity { .. } => {
                return Err(ModelError::WrongKind {
                    what: "a task of texts",
                    hint: "a network for images takes one of the tasks of whole images",
                });
            }
            _ => {
                let outputs = task.outputs().unwrap_or(0);
                let scores = each_net!(&self.net, net => net.scores(b, pooled, outputs)?);
                let output = match task {
                    Task::Classification { .. } => b.graph.softmax(scores)?,
                    Task::MultiLabel { .. } => b.graph.activate(scores, Activation::Sigmoid)?,
                    _ => scores,
                };
                (self.head().to_owned(), output)
            }
        };
        Ok(Lowered { outputs: vec![(name, output)], updates: std::mem::take(&mut b.updates) })
    }
}

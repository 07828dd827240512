//! Architectures whose weights carry PyTorch's names: those of Hugging Face transformers, timm and torchvision.
//!
//! The way of a model folder: [`config`] reads `config.json`, [`Family`] chooses the architecture by its `model_type`, the
//! family's file appends its nodes and declares its weights through [`builder`], [`files`] gives the weights the values of the
//! file and writes a folder that transformers loads. A file of weights alone says nothing of its network, which is recognized
//! by the names and shapes of its tensors instead ([`weights_file`]).
//!
//! | file | what it holds |
//! | --- | --- |
//! | [`config`] | strict access to `config.json` |
//! | [`builder`] | nodes and weights of a network, layer by layer |
//! | [`layout`] | how PyTorch arranges the axes of a weight |
//! | [`task`] | what a network is for: its head, its labels |
//! | [`text`] | encoders of text |
//! | [`vision`] | networks for images |
//! | [`sentence`] | how sentence-transformers makes vectors of texts |
//! | [`files`] | values of a folder → weights, and the other way round |
//! | [`card`] | model cards |
//! | [`weights_file`] | the same for a file of weights alone |
//! | [`structure`] | what fine-tuning wants to know of a network: head, groups of layers, targets of adapters |
//! | [`surgery`] | freezing, groups and new heads |

pub(crate) mod builder;
pub mod card;
pub(crate) mod config;
pub(crate) mod files;
pub(crate) mod layout;
pub(crate) mod sentence;
pub mod structure;
pub(crate) mod surgery;
pub mod task;
pub(crate) mod text;
pub(crate) mod vision;
pub(crate) mod weights_file;

use retune_graph::ops::sequence::Pooling;
use retune_graph::{NodeId, WeightId};
use retune_tensor::Tensor;
use serde_json::Value;

use crate::error::{ModelError, Result};
use builder::Builder;
use config::Config;
use task::Task;
use text::Text;
use vision::Vision;

/// A model with PyTorch's names, without its weights.
#[derive(Debug, Clone)]
pub(crate) struct TorchModel {
    pub(crate) origin: Origin,
    /// `config.json` as a whole; null for a file of weights alone.
    pub(crate) config: Value,
    pub(crate) family: Family,
    pub(crate) task: Task,
    /// How a classifier of texts makes one row of a text's tokens, which dropout and a product give the scores of. `None`: the
    /// architecture's own head, such as BERT's pooler of the first token.
    pub(crate) pooling: Option<Pooling>,
    /// Files beside the weights that belong to the model, such as its tokenizer: name and contents.
    pub(crate) companions: Vec<(String, Vec<u8>)>,
    /// Tensors that no result depends on, such as counters of batches, or a pooler where texts are pooled otherwise: written back
    /// as they were.
    pub(crate) carried: Vec<(String, Tensor)>,
    /// Names of the file's tensors in their order.
    pub(crate) order: Vec<String>,
    /// The card of the folder.
    pub(crate) card: Option<String>,
}

/// What a model was read from, and is written as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A folder of transformers.
    Transformers,
    /// A folder of timm, whose `config.json` names the `architecture`.
    Timm,
    /// A file of weights alone.
    File {
        /// The key of the dictionary of tensors, where it is inside of another: `state_dict`.
        wrapper: Option<String>,
        /// What stands before every name: `module.`.
        prefix: &'static str,
    },
}

/// The architectures.
#[derive(Debug, Clone)]
pub(crate) enum Family {
    /// An encoder of text.
    Text(Text),
    /// A network for images.
    Vision(Vision),
}

/// What the nodes of a network end in.
pub(crate) struct Lowered {
    pub(crate) outputs: Vec<(String, NodeId)>,
    pub(crate) updates: Vec<(WeightId, NodeId)>,
}

impl Family {
    /// The architecture that `config.json` of transformers describes, with `preprocessor_config.json` if there is one.
    pub(crate) fn read(config: &Config<'_>, processor: Option<&Value>) -> Result<Family> {
        let kind = config.text("model_type")?;
        if let Some(text) = Text::read(&kind, config)? {
            return Ok(Family::Text(text));
        }
        if let Some(vision) = vision::recognize::read(&kind, config, processor)? {
            return Ok(Family::Vision(vision));
        }
        let known = [text::KINDS, vision::recognize::KINDS].concat().join(", ");
        Err(ModelError::UnknownArchitecture { kind, known })
    }

    /// What the names of all weights but the head's begin with; empty where they have nothing in common.
    pub(crate) fn base(&self) -> &'static str {
        match self {
            Family::Text(text) => text.base(),
            Family::Vision(vision) => vision.base(),
        }
    }

    /// The architecture's name.
    pub(crate) fn name(&self) -> &str {
        match self {
            Family::Text(text) => text.name(),
            Family::Vision(vision) => vision.kind(),
        }
    }

    /// A tensor's name in a file as the architecture has it: with the base's before it, which files of the bare base leave
    /// out, and with the present names of scales and shifts.
    pub(crate) fn present_name(&self, name: &str) -> String {
        let name = match (self, name.rsplit_once('.')) {
            (Family::Text(_), Some((layer, "gamma"))) => format!("{layer}.weight"),
            (Family::Text(_), Some((layer, "beta"))) => format!("{layer}.bias"),
            _ => name.to_owned(),
        };
        let base = self.base();
        let is_based = base.is_empty() || name.starts_with(&format!("{base}.")) || self.is_other_head(&name);
        if is_based { name } else { format!("{base}.{name}") }
    }

    /// Whether a tensor of the pretraining or of another task's head is left out without a word of complaint.
    pub(crate) fn is_other_head(&self, name: &str) -> bool {
        match self {
            Family::Text(text) => text.is_other_head(name),
            Family::Vision(vision) => vision.is_other_head(name),
        }
    }

    /// Whether no result depends on a tensor that is not one of the weights.
    pub(crate) fn is_carried(&self, name: &str) -> bool {
        match self {
            Family::Text(text) => text.is_pooler(name),
            Family::Vision(_) => vision::is_buffer(name),
        }
    }

    /// Whether a weight that the file lacks is drawn anew: the head's, and a pooler that was never trained.
    pub(crate) fn is_new_where_missing(&self, name: &str) -> bool {
        self.is_head(name) || matches!(self, Family::Text(_)) && name.contains(".pooler.")
    }

    /// Whether a weight belongs to the head of the task.
    pub(crate) fn is_head(&self, name: &str) -> bool {
        match self {
            Family::Text(text) => !name.starts_with(&format!("{}.", text.base())),
            Family::Vision(vision) => name.strip_prefix(vision.head()).is_some_and(|rest| rest.starts_with('.')),
        }
    }

    /// The class of transformers that a model of this task is, with the architecture's own head.
    fn class(&self, task: &Task) -> String {
        match self {
            Family::Text(text) => text.class(task),
            Family::Vision(vision) => vision.class(task),
        }
    }

    /// The preprocessing of the network's authors, as the model's `retune` entry holds it.
    pub(crate) fn metadata(&self) -> Option<Value> {
        match self {
            Family::Text(_) => None,
            Family::Vision(vision) => Some(vision.preparation.metadata()),
        }
    }

    /// The layer that gives the scores.
    pub(crate) fn head(&self) -> &'static str {
        match self {
            Family::Text(text) => text.head(),
            Family::Vision(vision) => vision.head(),
        }
    }

    /// The encoder of text, if it is one.
    pub(crate) fn text(&self) -> Option<&Text> {
        match self {
            Family::Text(text) => Some(text),
            Family::Vision(_) => None,
        }
    }

    /// Most tokens of a sequence.
    pub(crate) fn max_tokens(&self) -> Option<usize> {
        match self {
            Family::Text(text) => Some(text.max_tokens()),
            Family::Vision(_) => None,
        }
    }
}

impl TorchModel {
    /// Appends the network's nodes. `size` is the height and width of images, where it is not the usual one.
    pub(crate) fn lower(&self, b: &mut Builder<'_>, size: Option<[usize; 2]>) -> Result<Lowered> {
        match &self.family {
            Family::Text(text) => text.lower(b, &self.task, self.pooling),
            Family::Vision(vision) => vision.lower(b, &self.task, size),
        }
    }

    /// The pooling of a head that stands on nothing else; `None` for the architecture's own head, and without a head for texts.
    pub(crate) fn pooled_head(&self) -> Option<Pooling> {
        let is_of_texts = self.task.outputs().is_some() && !matches!(self.task, Task::TokenClassification { .. });
        self.pooling.filter(|_| is_of_texts)
    }

    /// The class of transformers that the model is; of one with a pooled head, that of its encoder.
    pub(crate) fn class(&self) -> String {
        match self.pooled_head() {
            Some(pooling) => self.family.class(&Task::Embedding { pooling, normalize: false }),
            None => self.family.class(&self.task),
        }
    }
}

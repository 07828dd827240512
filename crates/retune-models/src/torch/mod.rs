//! Architectures whose weights carry PyTorch's names: those of Hugging Face transformers.
//!
//! The way of a model folder: [`config`] reads `config.json`, [`Family`] chooses the architecture by its `model_type`, the
//! family's file appends its nodes and declares its weights through [`builder`], [`files`] gives the weights the values of the
//! file and writes a folder that transformers loads.
//!
//! | file | what it holds |
//! | --- | --- |
//! | [`config`] | strict access to `config.json` |
//! | [`builder`] | nodes and weights of a network, layer by layer |
//! | [`layout`] | how PyTorch arranges the axes of a weight |
//! | [`task`] | what a network is for: its head, its labels |
//! | [`text`] | encoders of text |
//! | [`files`] | values of a folder → weights, and the other way round |
//! | [`surgery`] | freezing, groups and new heads |

pub(crate) mod builder;
pub(crate) mod config;
pub(crate) mod files;
pub(crate) mod layout;
pub(crate) mod surgery;
pub mod task;
pub(crate) mod text;

use retune_graph::{NodeId, WeightId};
use serde_json::Value;

use crate::error::{ModelError, Result};
use builder::Builder;
use config::Config;
use task::Task;
use text::encoder::Encoder;

/// A model in the layout of the Hugging Face Hub, without its weights.
#[derive(Debug, Clone)]
pub(crate) struct TorchModel {
    /// `config.json` as a whole.
    pub(crate) config: Value,
    pub(crate) family: Family,
    pub(crate) task: Task,
    /// Files beside the weights that belong to the model, such as its tokenizer: name and contents.
    pub(crate) companions: Vec<(String, Vec<u8>)>,
}

/// The architectures.
#[derive(Debug, Clone)]
pub(crate) enum Family {
    /// BERT and what is built like it.
    Encoder(Encoder),
}

/// What the nodes of a network end in.
pub(crate) struct Lowered {
    pub(crate) outputs: Vec<(String, NodeId)>,
    pub(crate) updates: Vec<(WeightId, NodeId)>,
}

impl Family {
    /// The architecture that `config.json` describes.
    pub(crate) fn read(config: &Config<'_>) -> Result<Family> {
        let kind = config.text("model_type")?;
        match Encoder::read(&kind, config)? {
            Some(encoder) => Ok(Family::Encoder(encoder)),
            None => Err(ModelError::UnknownArchitecture { kind, known: text::encoder::KINDS.join(", ") }),
        }
    }

    /// What the names of all weights but the head's begin with.
    pub(crate) fn base(&self) -> &'static str {
        match self {
            Family::Encoder(encoder) => encoder.names.base,
        }
    }

    /// Whether a tensor of the pretraining or of another task's head is left out without a word of complaint.
    pub(crate) fn is_other_head(&self, name: &str) -> bool {
        match self {
            Family::Encoder(encoder) => encoder.is_other_head(name),
        }
    }

    /// Whether a weight that the file lacks is drawn anew: the head's, and a pooler that was never trained.
    pub(crate) fn is_new_where_missing(&self, name: &str) -> bool {
        self.is_head(name) || name.contains(".pooler.")
    }

    /// Whether a weight belongs to the head of the task.
    pub(crate) fn is_head(&self, name: &str) -> bool {
        !name.starts_with(&format!("{}.", self.base()))
    }

    /// The class of transformers that a model of this task is.
    pub(crate) fn class(&self, task: &Task) -> String {
        match self {
            Family::Encoder(encoder) => encoder.class(task),
        }
    }

    /// Most tokens of a sequence.
    pub(crate) fn max_tokens(&self) -> Option<usize> {
        match self {
            Family::Encoder(encoder) => Some(encoder.max_tokens()),
        }
    }

    /// Appends the network's nodes.
    pub(crate) fn lower(&self, b: &mut Builder<'_>, task: &Task) -> Result<Lowered> {
        match self {
            Family::Encoder(encoder) => encoder.lower(b, task),
        }
    }
}

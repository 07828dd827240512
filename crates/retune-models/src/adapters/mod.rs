//! Adapters: small trainable weights beside frozen ones.
//!
//! An adapter declares its weights once; freezing, counting, saving and merging follow from the declaration. The names of the
//! base's weights never change, and the head is trained, saved and restored with the adapter.
//!
//! | file | what it holds |
//! | --- | --- |
//! | [`methods`] | LoRA, DoRA, (IA)³ and bottleneck adapters: their settings, and the weights they declare |
//! | [`virtual_tokens`] | prompt tuning and prefix tuning |
//! | [`targets`] | which layers get them |
//! | [`principal`] | PiSSA: the principal part of a weight as the first values of a term |
//! | [`mod@attach`] | adapters into graphs |
//! | [`merge`] | adapters into the weights of the base |
//! | [`peft`] | folders of PEFT, in and out |
//! | [`folder`] | whole models from folders of adapters |

mod attach;
pub(crate) mod folder;
mod merge;
pub mod methods;
mod peft;
mod principal;
mod targets;
pub mod virtual_tokens;

pub(crate) use attach::attach;
pub use folder::{AdapterBase, adapter_base};
pub use methods::{Bottleneck, Ia3, Lora, LoraInit};
use targets::{ALL_LINEAR, names};
pub use virtual_tokens::{Prefix, Prompt, PromptInit};

use retune_graph::ops::Activation;
use retune_tensor::{Key, Purpose, Tensor};

use crate::error::{ModelError, Result};
use crate::initializer::Initializer;
use crate::model::{Architecture, Model};
use crate::torch::layout::TorchLayout;
use crate::weight::Weight;

/// A term beside the products with one weight, and the weights that it brings.
#[derive(Debug, Clone, PartialEq)]
pub struct Adapter {
    /// Name of the weight whose products get the term; of a prompt the table of words, of a prefix the encoder.
    pub target: String,
    /// What the term is.
    pub kind: AdapterKind,
    /// Names of its weights, in the order in which [`AdapterKind`] lists them.
    pub weights: Vec<String>,
    /// Of a term that began with the principal part of its weight: the two factors at first. The frozen weight lacks their product.
    pub initial: Option<[Tensor; 2]>,
}

/// The kinds of terms; see [`retune_graph::passes::Term`] for the formulas.
#[derive(Debug, Clone, PartialEq)]
pub enum AdapterKind {
    /// Two factors of small rank; weights `lora_A [in, rank]`, `lora_B [rank, out]`, and with `decomposed` (DoRA)
    /// `lora_magnitude_vector [out]`.
    LowRank {
        /// Width between the factors.
        rank: usize,
        /// Numerator of the term's factor, which is `alpha / rank`, or `alpha / √rank` if rank-stabilized.
        alpha: f32,
        /// Whether the factor divides by the root of the rank. Kalajdzievski, *rsLoRA*, 2023.
        rank_stabilized: bool,
        /// Share of the input that is dropped in training.
        dropout: f32,
        /// Whether length and direction of the weight's columns are trained apart.
        decomposed: bool,
    },
    /// Factors of the output's columns; weights `ia3_l [out]`.
    ScaleOutput,
    /// Factors of the input's columns; weights `ia3_l [in]`.
    ScaleInput,
    /// Two products with an activation between, around a product's output; weights `adapter_down [out, size]`,
    /// `adapter_down_bias`, `adapter_up [size, out]`, `adapter_up_bias`.
    Bottleneck {
        /// Width between the products.
        size: usize,
        /// The activation.
        activation: Activation,
    },
    /// Virtual tokens before every text; weights `prompt_embeddings [tokens, width of the table of words]`.
    Prompt {
        /// How many.
        tokens: usize,
    },
    /// Keys and values before those of every sequence; weights `prefix_embeddings [tokens, layers · 2 · width]`, for each layer
    /// the keys and then the values.
    Prefix {
        /// How many of each.
        tokens: usize,
    },
}

impl AdapterKind {
    /// The factor of a low-rank term.
    pub fn scale(&self) -> f32 {
        match *self {
            AdapterKind::LowRank { rank, alpha, rank_stabilized: false, .. } => alpha / rank as f32,
            AdapterKind::LowRank { rank, alpha, rank_stabilized: true, .. } => alpha / (rank as f32).sqrt(),
            _ => 1.0,
        }
    }

    /// Whether weights of the base can stand for it: [`Model::merged`].
    pub fn merges(&self) -> bool {
        match self {
            AdapterKind::LowRank { .. } | AdapterKind::ScaleOutput | AdapterKind::ScaleInput => true,
            AdapterKind::Bottleneck { .. } | AdapterKind::Prompt { .. } | AdapterKind::Prefix { .. } => false,
        }
    }
}

/// A weight that an adapter brings.
struct Declared {
    part: &'static str,
    shape: Vec<usize>,
    layout: TorchLayout,
    decays: bool,
    initializer: Initializer,
}

impl Model {
    /// The adapters, in the order in which they were added.
    pub fn adapters(&self) -> &[Adapter] {
        &self.adapters
    }

    /// Freezes all weights but those of the head and of adapters.
    fn freeze_base(&mut self) {
        let head: Vec<bool> = match &self.architecture {
            Architecture::Torch(torch) => self.weights.iter().map(|w| torch.family.is_head(&w.name)).collect(),
            Architecture::Keras(_) => {
                let last = self.products().last().map(|(_, layer)| (*layer).to_owned());
                self.weights.iter().map(|w| Some(&w.layer) == last.as_ref()).collect()
            }
        };
        for (weight, is_head) in self.weights.iter_mut().zip(head) {
            let is_adapter = self.adapters.iter().any(|adapter| adapter.weights.contains(&weight.name));
            if !is_head && !is_adapter {
                weight.trainable = false;
                weight.statistic = false;
            }
        }
    }

    /// Adds a term beside the weight number `target`; its weights are drawn from `seed`.
    fn add_adapter(&mut self, target: usize, kind: AdapterKind, seed: u64) -> Result<()> {
        let weight = &self.weights[target];
        if let Some(other) = self.adapters.iter().find(|adapter| adapter.target == weight.name) {
            return Err(ModelError::Surgery {
                what: format!("`{}` has an adapter already", other.target),
                hint: "merge it before another is added".to_owned(),
            });
        }
        let (layer, mark) = match self.architecture {
            Architecture::Keras(_) => (weight.layer.clone(), '/'),
            Architecture::Torch(_) => (weight.layer.clone(), '.'),
        };
        let target = weight.name.clone();
        let mut names = Vec::new();
        for declared in methods::declared(&kind, &weight.value) {
            let name = format!("{layer}{mark}{}", declared.part);
            let stream = u32::try_from(self.weights.len()).unwrap_or(u32::MAX);
            let mut value = declared.initializer.tensor(&declared.shape, Key::new(seed).with(Purpose::Init(stream)));
            if declared.part == methods::MAGNITUDE {
                let target = self.weights.iter().find(|weight| weight.name == target);
                value = merge::column_norms(&target.expect("found above").value);
            }
            names.push(name.clone());
            self.weights.push(Weight {
                name,
                value,
                trainable: true,
                decays: declared.decays,
                statistic: false,
                regularizer: None,
                constraint: None,
                group: 0,
                layer: layer.clone(),
                class: "Adapter",
                keras_path: String::new(),
                torch_layout: declared.layout,
                initializer: declared.initializer,
                integer: false,
            });
        }
        self.adapters.push(Adapter { target, kind, weights: names, initial: None });
        Ok(())
    }

    /// Number of values that training changes.
    pub fn trainable_parameters(&self) -> usize {
        self.weights.iter().filter(|weight| weight.trainable).map(|weight| weight.value.len()).sum()
    }
}

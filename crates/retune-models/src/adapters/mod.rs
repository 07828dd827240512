//! Adapters: small trainable weights beside frozen ones.
//!
//! An adapter declares its weights once; freezing, counting, saving and merging follow from the declaration. The names of the
//! base's weights never change, and the head is trained, saved and restored with the adapter.
//!
//! | file | what it holds |
//! | --- | --- |
//! | [`methods`] | LoRA, DoRA, (IA)³ and bottleneck adapters: their settings, and the weights they declare |
//! | [`mod@attach`] | adapters into graphs |
//! | [`merge`] | adapters into the weights of the base |
//! | [`peft`] | folders of PEFT, in and out |

mod attach;
mod merge;
pub mod methods;
mod peft;

pub(crate) use attach::attach;
pub use methods::{Bottleneck, Ia3, Lora};

use retune_graph::ops::Activation;
use retune_tensor::{Key, Purpose};

use crate::error::{ModelError, Result};
use crate::initializer::Initializer;
use crate::model::{Architecture, Model};
use crate::report::nearest;
use crate::torch;
use crate::torch::layout::TorchLayout;
use crate::weight::Weight;

/// A term beside the products with one weight, and the weights that it brings.
#[derive(Debug, Clone, PartialEq)]
pub struct Adapter {
    /// Name of the weight whose products get the term.
    pub target: String,
    /// What the term is.
    pub kind: AdapterKind,
    /// Names of its weights, in the order in which [`AdapterKind`] lists them.
    pub weights: Vec<String>,
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
}

/// A weight that an adapter brings.
struct Declared {
    part: &'static str,
    shape: Vec<usize>,
    layout: TorchLayout,
    decays: bool,
    initializer: Initializer,
}

/// Whether a pattern names a layer: as [`Model::set_trainable`] takes it, or as the last parts of the name.
fn names(pattern: &str, layer: &str) -> bool {
    layer.strip_suffix(pattern).is_some_and(|rest| rest.is_empty() || rest.ends_with(['.', '/']))
        || torch::surgery::matches(pattern, layer)
        || crate::surgery::matches(pattern, layer)
}

impl Model {
    /// The adapters, in the order in which they were added.
    pub fn adapters(&self) -> &[Adapter] {
        &self.adapters
    }

    /// The weights that layers of products use, by the layer's path.
    fn products(&self) -> Vec<(usize, &str)> {
        let is_product = |weight: &Weight| {
            weight.value.shape().len() == 2
                && match self.architecture {
                    Architecture::Keras(_) => weight.name.ends_with("/kernel"),
                    Architecture::Torch(_) => weight.class == "Linear",
                }
        };
        let all = self.weights.iter().enumerate().filter(|(_, weight)| is_product(weight));
        all.map(|(index, weight)| (index, weight.layer.as_str())).collect()
    }

    /// The products whose layer one of the patterns names, in the order of the model: patterns as for
    /// [`Model::set_trainable`], the last parts of a name (PEFT's rule), or `all-linear` for every product but the head's.
    fn targets(&self, patterns: &[String]) -> Result<Vec<usize>> {
        let products = self.products();
        let is_head = |layer: &str| match &self.architecture {
            Architecture::Torch(torch) => torch.family.is_head(layer),
            Architecture::Keras(_) => products.last().is_some_and(|(_, last)| *last == layer),
        };
        let names = |pattern: &str, layer: &str| match pattern {
            "all-linear" => !is_head(layer),
            _ => names(pattern, layer),
        };
        for pattern in patterns {
            if !products.iter().any(|(_, layer)| names(pattern, layer)) {
                let nearest = nearest(pattern, products.iter().map(|(_, layer)| *layer));
                return Err(ModelError::NoSuchLayer { pattern: pattern.clone(), nearest });
            }
        }
        let is_target = |layer: &str| patterns.iter().any(|pattern| names(pattern, layer));
        Ok(products.iter().filter(|(_, layer)| is_target(layer)).map(|(index, _)| *index).collect())
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
        self.adapters.push(Adapter { target, kind, weights: names });
        Ok(())
    }

    /// Number of values that training changes.
    pub fn trainable_parameters(&self) -> usize {
        self.weights.iter().filter(|weight| weight.trainable).map(|weight| weight.value.len()).sum()
    }
}

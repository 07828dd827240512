//! What fine-tuning wants to know of a network: its head, its layers in groups, which weights adapters take.

use super::{Family, TorchModel};
use crate::model::{Architecture, Model};

/// What architectures call keys, values and the second product of a layer, as PEFT's own lists have them.
/// ModernBERT's are one product with the queries.
const KEYS: &[&str] = &["key", "k_lin", "k_proj", "k", "key_proj", "Wqkv"];
const VALUES: &[&str] = &["value", "v_lin", "v_proj", "v", "value_proj"];
const INNER: &[&str] = &["output.dense", "ffn.lin2", "ffn_output", "fc2", "mlp.Wo"];

/// What architectures call the product that ends attention.
const ATTENTION_OUTPUTS: &[&str] = &[
    "attention.output.dense",
    "attention.out_lin",
    "attention.dense",
    "attention.attn.o",
    "self_attention.out_proj",
    "attn.proj",
    "attn.Wo",
];

/// Whether a layer of this name is the product that ends attention.
pub(crate) fn ends_attention(layer: &str) -> bool {
    ATTENTION_OUTPUTS.iter().any(|part| layer.ends_with(&format!(".{part}")))
}

/// Whether a layer of this name is the product that ends a layer behind attention.
pub(crate) fn ends_feed_forward(layer: &str) -> bool {
    !ends_attention(layer) && INNER.iter().any(|part| layer.ends_with(&format!(".{part}")))
}

/// The places of a network where fine-tuning takes hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Structure {
    /// The layer that gives the scores, which a new task replaces.
    pub head: String,
    /// Names of weights from input to output: stem or embeddings, each block, the head. What stands between the last block and the
    /// head, such as a norm or a pooler, belongs to that block, as in timm's `group_matcher`. Rates that decay by layer fall from
    /// group to group.
    pub groups: Vec<Vec<String>>,
    /// The layers that get LoRA by default: their names or the last parts of them, as PEFT's `target_modules`.
    pub lora_targets: Vec<String>,
    /// Keys and values of attention, the last parts of their names: what (IA)³ scales.
    pub keys_and_values: Vec<String>,
    /// The second product of each layer, whose inputs are the inner activations that (IA)³ scales.
    pub inner_products: Vec<String>,
    /// Weights without decay: biases, scales and shifts of norms, and others that the network's authors left out.
    pub no_decay: Vec<String>,
}

impl Model {
    /// Where fine-tuning takes hold; `None` for models of Keras, whose layers have no fixed roles.
    pub fn structure(&self) -> Option<Structure> {
        let Architecture::Torch(torch) = &self.architecture else { return None };
        let (head, targets) = match &torch.family {
            Family::Text(text) => (text.head(), text.lora_targets()),
            Family::Vision(vision) => (vision.head(), vision.lora_targets()),
        };
        let without = self.weights.iter().filter(|weight| !weight.decays && !weight.name.contains(".running_"));
        let no_decay = without.map(|weight| weight.name.clone()).collect();
        Some(Structure {
            head: head.to_owned(),
            groups: self.grouped(torch),
            lora_targets: targets,
            keys_and_values: self.present(&[KEYS, VALUES]),
            inner_products: self.present(&[INNER]),
            no_decay,
        })
    }

    /// Those names that end the name of a product; convolutions of the same names, as in squeezing and exciting, do not count.
    fn present(&self, lists: &[&[&str]]) -> Vec<String> {
        let is_there =
            |part: &str| self.weights.iter().any(|w| w.class == "Linear" && w.layer.ends_with(&format!(".{part}")));
        lists.iter().copied().flatten().filter(|part| is_there(part)).map(|part| (*part).to_owned()).collect()
    }

    /// Every weight in the group whose prefix its name has; those of no group are in the last before the head.
    fn grouped(&self, torch: &TorchModel) -> Vec<Vec<String>> {
        let prefixes = match &torch.family {
            Family::Text(text) => text.groups(),
            Family::Vision(vision) => vision.groups(),
        };
        let mut groups = vec![Vec::new(); prefixes.len() + 1];
        for weight in &self.weights {
            let starts = |group: &Vec<String>| group.iter().any(|prefix| weight.name.starts_with(prefix.as_str()));
            let place = match prefixes.iter().position(starts) {
                _ if torch.family.is_head(&weight.name) => prefixes.len(),
                Some(place) => place,
                None => prefixes.len() - 1,
            };
            groups[place].push(weight.name.clone());
        }
        groups.retain(|group| !group.is_empty());
        groups
    }
}

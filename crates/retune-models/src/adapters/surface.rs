//! Where adapters go by default: the layers that the papers and PEFT name, found by what architectures call them.

use crate::model::Model;

/// The layers that methods act on where the user names none: last parts of layers' names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surface {
    /// Queries and values of attention; every product where there is no attention.
    pub lora_targets: Vec<String>,
    /// Keys and values of attention.
    pub keys_and_values: Vec<String>,
    /// The second product of each layer, whose inputs are the inner activations.
    pub inner_products: Vec<String>,
    /// The products that end attention and the layer.
    pub block_ends: Vec<String>,
}

const QUERIES: &[&str] = &["query", "q_lin", "q_proj", "qkv", "in_proj"];
const KEYS: &[&str] = &["key", "k_lin", "k_proj"];
const VALUES: &[&str] = &["value", "v_lin", "v_proj"];
const INNER: &[&str] = &["output.dense", "ffn.lin2", "ffn_output", "fc2"];
const ENDS: &[&str] =
    &["output.dense", "attention.out_lin", "ffn.lin2", "attention.dense", "ffn_output", "proj", "fc2"];

impl Model {
    /// Where adapters go by default.
    pub fn surface(&self) -> Surface {
        let is_there = |part: &str| self.weights.iter().any(|w| w.layer.ends_with(&format!(".{part}")));
        let present = |lists: &[&[&str]]| -> Vec<String> {
            lists.iter().copied().flatten().filter(|part| is_there(part)).map(|part| (*part).to_owned()).collect()
        };
        let lora_targets = present(&[QUERIES, VALUES]);
        Surface {
            lora_targets: if lora_targets.is_empty() { vec!["all-linear".to_owned()] } else { lora_targets },
            keys_and_values: present(&[KEYS, VALUES]),
            inner_products: present(&[INNER]),
            block_ends: present(&[ENDS]),
        }
    }
}

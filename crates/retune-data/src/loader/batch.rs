//! [`Batch`]: what one training step takes.

use super::keep::KeptRows;
use crate::text::TokenInputs;
use retune_tensor::{Tensor, Values};
use serde::{Deserialize, Serialize};

/// A place in the stream of batches: an epoch and how many of its examples have gone by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Cursor {
    /// The epoch, from 0.
    pub epoch: u64,
    /// Examples of the epoch's order before this place.
    pub position: u64,
}

/// What the network is to give for each example.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Targets {
    /// Nothing is known (data to predict on).
    None,
    /// One class index per example.
    ClassIndex(Vec<i32>),
    /// One class index per token: that of a word for its first token, −1 for tokens that have none.
    TokenClasses(Vec<i32>),
    /// `f32` `[batch, ...]`: one-hot or multi-hot rows, or real values.
    Dense(Tensor),
}

impl Targets {
    /// The class indices, if these are.
    pub fn class_indices(&self) -> Option<&[i32]> {
        if let Targets::ClassIndex(indices) = self { Some(indices) } else { None }
    }

    /// The dense tensor, if this is one.
    pub fn dense(&self) -> Option<&Tensor> {
        if let Targets::Dense(tensor) = self { Some(tensor) } else { None }
    }
}

/// What a network takes in of a batch.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum BatchInputs {
    /// One tensor per input of the network, in their order: `f32` `[batch, height, width, channels]` for images, `f32` or `i32`
    /// `[batch, ...]` for features.
    Dense(Vec<Tensor>),
    /// Tokens of texts, for the inputs named in [`TokenInputs::NAMES`].
    Tokens(Box<TokenInputs>),
}

impl BatchInputs {
    /// The tensors in the order of the network's inputs; none for tokens, whose inputs have names.
    pub fn dense(&self) -> &[Tensor] {
        if let BatchInputs::Dense(tensors) = self { tensors } else { &[] }
    }

    /// Those of the examples at `places`, in this order.
    pub fn select(&self, places: &[usize]) -> BatchInputs {
        match self {
            BatchInputs::Dense(tensors) => {
                BatchInputs::Dense(tensors.iter().map(|tensor| select_rows(tensor, places)).collect())
            }
            BatchInputs::Tokens(tokens) => BatchInputs::Tokens(Box::new(tokens.select(places))),
        }
    }

    /// The tokens, if these are some.
    pub fn tokens(&self) -> Option<&TokenInputs> {
        if let BatchInputs::Tokens(tokens) = self { Some(tokens) } else { None }
    }
}

/// How large a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BatchSize {
    /// Number of examples.
    pub examples: usize,
    /// Number of tokens of all examples; 0 where examples are no texts.
    pub tokens: usize,
}

/// What one step takes: prepared inputs, targets, weights, and where they come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// What the network takes in; see [`KeptRows::partial`] for batches of which values are kept.
    pub inputs: BatchInputs,
    /// What the network is to give.
    pub targets: Targets,
    /// Weight of each example in the loss, or of each token that has a target; `None` where all weigh 1.
    pub sample_weights: Option<Vec<f32>>,
    /// Ids of the examples. Fewer than the batch size in an epoch's last batch, and where unreadable examples were
    /// skipped.
    pub example_ids: Vec<u64>,
    /// What is kept of the examples, where a [`Keeper`](super::Keeper) was given.
    pub kept: Option<KeptRows>,
    /// Where this batch stands.
    pub cursor: Cursor,
    /// Where the batch after it stands: the place to resume at.
    pub next: Cursor,
}

impl Batch {
    /// Number of examples.
    pub fn len(&self) -> usize {
        self.example_ids.len()
    }

    /// Whether there are no examples; never for a batch that a loader gave.
    pub fn is_empty(&self) -> bool {
        self.example_ids.is_empty()
    }
}

/// Rows of a tensor of `f32` or `i32`; none of another type, which no input has.
fn select_rows(tensor: &Tensor, places: &[usize]) -> Tensor {
    fn rows<T: Copy>(values: &[T], width: usize, places: &[usize]) -> Vec<T> {
        places.iter().flat_map(|&place| &values[place * width..(place + 1) * width]).copied().collect()
    }
    let (_, one) = tensor.shape().split_first().expect("the first axis of an input is the batch");
    let width = one.iter().product();
    let shape = [&[places.len()], one].concat();
    let selected = match tensor.values() {
        Values::I32(values) => Tensor::new(shape, rows(values, width, places)),
        _ => Tensor::new(shape, rows(tensor.as_f32().unwrap_or(&[]), width, places)),
    };
    selected.expect("a row was appended for each place")
}

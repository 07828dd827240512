//! [`Batch`]: what one training step takes.

use retune_tensor::Tensor;
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

/// What one step takes: prepared inputs, targets, weights, and where they come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// One tensor per input of the network: `f32` `[batch, height, width, channels]` for images, `f32` or `i32`
    /// `[batch, ...]` for features.
    pub inputs: Vec<Tensor>,
    /// What the network is to give.
    pub targets: Targets,
    /// Weight of each example in the loss; `None` where all weigh 1.
    pub sample_weights: Option<Vec<f32>>,
    /// Ids of the examples. Fewer than the batch size in an epoch's last batch, and where unreadable examples were
    /// skipped.
    pub example_ids: Vec<u64>,
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

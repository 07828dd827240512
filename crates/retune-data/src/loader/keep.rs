//! Values that are made of examples and kept, so that the examples need not be prepared again.
//!
//! A [`Keeper`] is asked for each example of a batch before it is decoded. It knows examples by a key: the hash of the input as
//! stored, of all that preprocessing does to it, and of the augmentation that is drawn. So other pixels, another size or another
//! mean are another key.

use crate::hash::ContentHash;
use std::fmt::Debug;

/// Who keeps values of examples. Called from several threads.
pub trait Keeper: Debug + Send + Sync {
    /// The values kept of the example with this key.
    fn kept(&self, key: &ContentHash) -> Option<Vec<f32>>;

    /// Whether examples of which values are kept need no inputs, so that they are neither read nor decoded. Tokens, which are in
    /// memory, are given always.
    fn replaces_inputs(&self) -> bool;
}

/// What is kept of a batch's examples.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptRows {
    /// The key of each example.
    pub keys: Vec<ContentHash>,
    /// The values of each example, where some are kept.
    pub values: Vec<Option<Vec<f32>>>,
    /// Whether the batch's inputs are those of the examples without values alone, in their order; otherwise those of all.
    pub partial: bool,
}

impl KeptRows {
    /// Places in the batch of the examples without values.
    pub fn missing(&self) -> Vec<usize> {
        (0..self.values.len()).filter(|&place| self.values[place].is_none()).collect()
    }
}

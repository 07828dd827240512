//! [`TokenInputs`]: the tokens of one batch as a network takes them.

use super::sequences::TokenSequences;
use retune_tensor::{Tensor, Values};

/// The tokens of one batch: its examples one after the other, without padding.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenInputs {
    /// `i32` `[tokens]`: indices in the vocabulary.
    pub token_ids: Tensor,
    /// `i32` `[tokens]`: mostly 0 for tokens of the first text of an example, 1 for those of the second.
    pub token_types: Tensor,
    /// `i32` `[tokens]`: place of each token in its sequence, from 0.
    pub positions: Tensor,
    /// `i32` `[batch]`: number of tokens of each sequence; `[2 · batch]` where the texts of pairs stand apart.
    pub lengths: Tensor,
    /// Sequences of an example: 2 where the texts of pairs stand apart.
    pub per_example: usize,
}

impl TokenInputs {
    /// Names of the inputs, as networks have them.
    pub const NAMES: [&str; 4] = ["token_ids", "token_types", "positions", "lengths"];

    /// The tokens of the examples at `indices`, in this order.
    pub(crate) fn gather(sequences: &TokenSequences, indices: &[usize]) -> TokenInputs {
        let lengths: Vec<usize> = indices.iter().flat_map(|&index| sequences.lengths(index)).collect();
        let tokens = lengths.iter().sum();
        let mut ids = Vec::with_capacity(tokens);
        let mut types = Vec::with_capacity(tokens);
        let mut positions = Vec::with_capacity(tokens);
        for &index in indices {
            ids.extend_from_slice(sequences.token_ids(index));
            types.extend(sequences.token_types(index).iter().map(|&kind| i32::from(kind)));
        }
        lengths.iter().for_each(|&length| positions.extend(0..length as i32));
        TokenInputs {
            token_ids: vector(ids),
            token_types: vector(types),
            positions: vector(positions),
            lengths: vector(lengths.into_iter().map(|length| length as i32).collect()),
            per_example: sequences.per_example(),
        }
    }

    /// Those of the examples at `places`, in this order.
    ///
    /// # Panics
    /// A place that no example has.
    pub fn select(&self, places: &[usize]) -> TokenInputs {
        let of = |tensor: &Tensor| match tensor.values() {
            Values::I32(values) => values.clone(),
            _ => unreachable!("tokens are made as `i32`"),
        };
        let lengths = of(&self.lengths);
        let ends: Vec<usize> = lengths
            .iter()
            .scan(0, |end, &length| {
                *end += length as usize;
                Some(*end)
            })
            .collect();
        let sequences: Vec<usize> =
            places.iter().flat_map(|place| place * self.per_example..(place + 1) * self.per_example).collect();
        let tokens = |tensor: &Tensor| {
            let values = of(tensor);
            let range = |&place: &usize| ends[place] - lengths[place] as usize..ends[place];
            vector(sequences.iter().flat_map(|place| &values[range(place)]).copied().collect())
        };
        TokenInputs {
            token_ids: tokens(&self.token_ids),
            token_types: tokens(&self.token_types),
            positions: tokens(&self.positions),
            lengths: vector(sequences.iter().map(|&place| lengths[place]).collect()),
            per_example: self.per_example,
        }
    }

    /// The input of this name; `None` for a name that is not of [`NAMES`](Self::NAMES).
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        match name {
            "token_ids" => Some(&self.token_ids),
            "token_types" => Some(&self.token_types),
            "positions" => Some(&self.positions),
            "lengths" => Some(&self.lengths),
            _ => None,
        }
    }

    /// Number of sequences.
    pub fn sequences(&self) -> usize {
        self.lengths.len()
    }

    /// Number of tokens of all examples.
    pub fn tokens(&self) -> usize {
        self.token_ids.len()
    }
}

fn vector(values: Vec<i32>) -> Tensor {
    Tensor::new([values.len()], Values::I32(values)).expect("a vector has as many values as its length")
}

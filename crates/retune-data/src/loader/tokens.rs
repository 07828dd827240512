//! The tokens of a loader's examples: encoded once, so that lengths are known before the first batch, and batches only copy.

use crate::dataset::{Dataset, Texts};
use crate::error::{BadExample, DataError};
use crate::hash::ContentHash;
use crate::labels::Labels;
use crate::text::{TextEncoder, TokenInputs, TokenSequences};

/// Tokens of the examples of a loader, by id.
#[derive(Debug)]
pub(super) struct Tokens {
    sequences: TokenSequences,
    /// Index in `sequences` by id; of other ids anything.
    slots: Vec<u32>,
    /// Numbers of tokens, ascending.
    sorted_lengths: Vec<usize>,
}

impl Tokens {
    /// Encodes the texts of `ids`, and lists those of which no token remains.
    pub(super) fn new(
        data: &Dataset,
        texts: &Texts,
        ids: &[u64],
        encoder: &TextEncoder,
    ) -> Result<(Tokens, Vec<BadExample>), DataError> {
        let text = |index: usize| texts.get(ids[index] as usize).expect("ids are checked against the data");
        let words = |index: usize| data.words_of(ids[index]).unwrap_or_default();
        let sequences = match data.words() {
            Some(_) => encoder.encode_all_words(ids.len(), words),
            None => encoder.encode_all(ids.len(), text),
        };
        let sequences = sequences.map_err(|(index, error)| match error {
            DataError::Tokenizer { reason } => {
                DataError::Tokenizer { reason: format!("{}: {reason}", data.place(ids[index])) }
            }
            other => other,
        })?;
        let mut slots = vec![0; data.total()];
        let mut bad = Vec::new();
        for (index, &id) in ids.iter().enumerate() {
            slots[id as usize] = index as u32;
            let has_words = data.words().is_none() || sequences.words(index).iter().any(|&word| word >= 0);
            if !has_words || sequences.lengths(index).any(|length| length == 0) {
                bad.push(BadExample { id, place: data.place(id), reason: "the text has no tokens".into() });
            }
        }
        let mut sorted_lengths: Vec<usize> = (0..ids.len()).map(|index| sequences.length(index)).collect();
        sorted_lengths.sort_unstable();
        Ok((Tokens { sequences, slots, sorted_lengths }, bad))
    }

    pub(super) fn sequences(&self) -> &TokenSequences {
        &self.sequences
    }

    /// Numbers of tokens of the examples, ascending.
    pub(super) fn sorted_lengths(&self) -> &[usize] {
        &self.sorted_lengths
    }

    /// Number of tokens of an example.
    pub(super) fn length(&self, id: u64) -> usize {
        self.sequences.length(self.slots[id as usize] as usize)
    }

    /// The hash of an example's tokens, of their types and of the lengths of its sequences.
    pub(super) fn hash(&self, id: u64) -> ContentHash {
        let slot = self.slots[id as usize] as usize;
        let tokens = bytemuck::cast_slice(self.sequences.token_ids(slot));
        let lengths: Vec<u64> = self.sequences.lengths(slot).map(|length| length as u64).collect();
        ContentHash::of_parts(&[b"tokens", tokens, self.sequences.token_types(slot), bytemuck::cast_slice(&lengths)])
    }

    /// For each token of an example the word that begins with it, −1 for others; nothing where texts are not given as words.
    pub(super) fn words(&self, id: u64) -> &[i32] {
        self.sequences.words(self.slots[id as usize] as usize)
    }

    /// For each token of a batch the class of the word that begins with it, −1 for others.
    pub(super) fn classes(&self, ids: &[u64], labels: &Labels) -> Vec<i32> {
        let of_example = |&id: &u64| {
            let classes = labels.word_classes(id as usize).unwrap_or(&[]);
            let class =
                |&word: &i32| usize::try_from(word).ok().and_then(|word| classes.get(word)).copied().unwrap_or(-1);
            self.words(id).iter().map(class).collect::<Vec<_>>()
        };
        ids.iter().flat_map(of_example).collect()
    }

    /// The tokens of a batch.
    pub(super) fn batch(&self, ids: &[u64]) -> TokenInputs {
        let indices: Vec<usize> = ids.iter().map(|&id| self.slots[id as usize] as usize).collect();
        TokenInputs::gather(&self.sequences, &indices)
    }
}

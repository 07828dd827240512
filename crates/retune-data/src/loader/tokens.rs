//! The tokens of a loader's examples.
//!
//! Texts in memory are encoded once, so that batches only copy. Texts on disk are encoded by the worker threads whenever a batch needs them:
//! their tokens would not fit into memory either. What is known of them before are lengths: of all of them where batches are planned by
//! them, else of a few thousand, by which memory and time are estimated.

use crate::dataset::{Dataset, Texts};
use crate::error::{BadExample, DataError};
use crate::hash::ContentHash;
use crate::labels::Labels;
use crate::text::{TextEncoder, TokenInputs, TokenSequences, TokenStatistics};
use std::borrow::Cow;
use std::sync::Arc;

/// Examples whose lengths tell those of all.
const SAMPLE: usize = 2000;
/// Examples that are encoded at a time to learn their lengths.
const CHUNK: usize = 1 << 14;

/// Tokens of the examples of a loader, by id.
#[derive(Debug)]
pub(super) struct Tokens {
    source: Source,
    /// Index among the encoded examples by id; of other ids anything. Empty where lengths are not known.
    slots: Vec<u32>,
    /// Numbers of tokens, ascending; `None` where they are not known.
    sorted_lengths: Option<Vec<usize>>,
    statistics: Option<TokenStatistics>,
}

/// Where the tokens of a batch come from.
#[derive(Debug)]
enum Source {
    /// They are kept.
    Kept(TokenSequences),
    /// They are made for each batch.
    Made {
        encoder: Arc<TextEncoder>,
        /// Tokens of each example, where batches are planned by them.
        lengths: Option<Vec<u32>>,
    },
}

impl Tokens {
    /// Encodes the texts of `ids`, and lists those of which no token remains; texts on disk only as far as lengths are needed.
    /// `plans_by_length`: whether batches are planned by them.
    ///
    /// # Errors
    /// A text that cannot be encoded.
    pub(super) fn new(
        data: &Dataset,
        texts: &Texts,
        ids: &[u64],
        encoder: &Arc<TextEncoder>,
        plans_by_length: bool,
    ) -> Result<(Tokens, Vec<BadExample>), DataError> {
        if !texts.are_on_disk() || data.words().is_some() {
            return Tokens::kept(data, ids, encoder);
        }
        // Without a limit, the longest text tells how much memory a batch may take.
        if plans_by_length || encoder.max_tokens().is_none() {
            return Tokens::made_by_length(data, ids, encoder);
        }
        let step = ids.len().div_ceil(SAMPLE).max(1);
        let sample: Vec<u64> = ids.iter().copied().step_by(step).collect();
        let statistics = encoded(data, &sample, encoder)?.statistics().map(|sample| sample.of_sample(ids.len()));
        let source = Source::Made { encoder: encoder.clone(), lengths: None };
        Ok((Tokens { source, slots: Vec::new(), sorted_lengths: None, statistics }, Vec::new()))
    }

    fn kept(data: &Dataset, ids: &[u64], encoder: &TextEncoder) -> Result<(Tokens, Vec<BadExample>), DataError> {
        let sequences = encoded(data, ids, encoder)?;
        let bad = without_tokens(data, ids, &sequences);
        let mut sorted_lengths: Vec<usize> = (0..ids.len()).map(|index| sequences.length(index)).collect();
        sorted_lengths.sort_unstable();
        let (statistics, slots) = (sequences.statistics(), slots(data, ids));
        Ok((Tokens { source: Source::Kept(sequences), slots, sorted_lengths: Some(sorted_lengths), statistics }, bad))
    }

    fn made_by_length(
        data: &Dataset,
        ids: &[u64],
        encoder: &Arc<TextEncoder>,
    ) -> Result<(Tokens, Vec<BadExample>), DataError> {
        let (mut lengths, mut bad, mut truncated) = (Vec::with_capacity(ids.len()), Vec::new(), 0);
        for ids in ids.chunks(CHUNK) {
            let sequences = encoded(data, ids, encoder)?;
            bad.extend(without_tokens(data, ids, &sequences));
            lengths.extend((0..ids.len()).map(|index| sequences.length(index) as u32));
            truncated += sequences.statistics().map_or(0, |statistics| statistics.truncated);
        }
        let mut sorted_lengths: Vec<usize> = lengths.iter().map(|&length| length as usize).collect();
        sorted_lengths.sort_unstable();
        let statistics = TokenStatistics::of_lengths(&sorted_lengths, truncated, 0);
        let source = Source::Made { encoder: encoder.clone(), lengths: Some(lengths) };
        Ok((Tokens { source, slots: slots(data, ids), sorted_lengths: Some(sorted_lengths), statistics }, bad))
    }

    /// Whether tokens are made for each batch.
    pub(super) fn are_made(&self) -> bool {
        matches!(self.source, Source::Made { .. })
    }

    /// How long the examples are.
    pub(super) fn statistics(&self) -> Option<TokenStatistics> {
        self.statistics
    }

    /// Bytes in memory.
    pub(super) fn size_bytes(&self) -> usize {
        let own = match &self.source {
            Source::Kept(sequences) => sequences.size_bytes(),
            Source::Made { lengths, .. } => lengths.as_ref().map_or(0, |lengths| size_of_val(lengths.as_slice())),
        };
        own + size_of_val(self.slots.as_slice())
    }

    /// Numbers of tokens of the examples, ascending; `None` where they are not known.
    pub(super) fn sorted_lengths(&self) -> Option<&[usize]> {
        self.sorted_lengths.as_deref()
    }

    /// Tokens of the longest example that there may be.
    pub(super) fn most(&self) -> usize {
        match (&self.source, &self.sorted_lengths) {
            (_, Some(lengths)) => lengths.last().copied().unwrap_or(0),
            (Source::Made { encoder, .. }, None) => encoder.longest().unwrap_or(0),
            (Source::Kept(_), None) => 0,
        }
    }

    /// Number of tokens of an example; 0 where it is not known.
    pub(super) fn length(&self, id: u64) -> usize {
        let slot = self.slots.get(id as usize).map_or(0, |&slot| slot as usize);
        match &self.source {
            Source::Kept(sequences) => sequences.length(slot),
            Source::Made { lengths, .. } => lengths.as_ref().map_or(0, |lengths| lengths[slot] as usize),
        }
    }

    /// For each token of an example the word that begins with it, −1 for others; nothing where texts are not given as words.
    pub(super) fn words(&self, id: u64) -> &[i32] {
        match &self.source {
            Source::Kept(sequences) => sequences.words(self.slots[id as usize] as usize),
            Source::Made { .. } => &[],
        }
    }

    /// The tokens of a batch. Of examples without any token, which are noted in `skipped`, there are none.
    ///
    /// # Errors
    /// A text that cannot be encoded.
    pub(super) fn batch(
        &self,
        data: &Dataset,
        ids: &[u64],
        skipped: &mut Vec<BadExample>,
    ) -> Result<BatchTokens<'_>, DataError> {
        match &self.source {
            Source::Kept(sequences) => {
                let places = ids.iter().map(|&id| self.slots[id as usize] as usize).collect();
                Ok(BatchTokens { sequences: Cow::Borrowed(sequences), places, ids: ids.to_vec() })
            }
            Source::Made { encoder, .. } => {
                let sequences = encoded(data, ids, encoder)?;
                let bad = without_tokens(data, ids, &sequences);
                let is_usable = |place: &usize| !bad.iter().any(|bad| bad.id == ids[*place]);
                let places: Vec<usize> = (0..ids.len()).filter(is_usable).collect();
                let ids = places.iter().map(|&place| ids[place]).collect();
                skipped.extend(bad);
                Ok(BatchTokens { sequences: Cow::Owned(sequences), places, ids })
            }
        }
    }
}

/// Index in `ids` by id; of other ids anything.
fn slots(data: &Dataset, ids: &[u64]) -> Vec<u32> {
    let mut slots = vec![0; data.total()];
    ids.iter().zip(0..).for_each(|(&id, index)| slots[id as usize] = index);
    slots
}

/// The tokens of examples.
fn encoded(data: &Dataset, ids: &[u64], encoder: &TextEncoder) -> Result<TokenSequences, DataError> {
    let texts = data.texts().expect("tokens are those of texts");
    let text = |index: usize| texts.get(ids[index] as usize).expect("ids are checked against the data");
    let words = |index: usize| data.words_of(ids[index]).unwrap_or_default();
    let sequences = match data.words() {
        Some(_) => encoder.encode_all_words(ids.len(), words),
        None => encoder.encode_all(ids.len(), text),
    };
    sequences.map_err(|(index, error)| match error {
        DataError::Tokenizer { reason } => {
            DataError::Tokenizer { reason: format!("{}: {reason}", data.place(ids[index])) }
        }
        other => other,
    })
}

/// The examples without tokens, of words without one that begins a word.
fn without_tokens(data: &Dataset, ids: &[u64], sequences: &TokenSequences) -> Vec<BadExample> {
    let is_usable = |index: usize| {
        let has_words = data.words().is_none() || sequences.words(index).iter().any(|&word| word >= 0);
        has_words && sequences.lengths(index).all(|length| length > 0)
    };
    let bad = (0..ids.len()).filter(|&index| !is_usable(index)).map(|index| ids[index]);
    bad.map(|id| BadExample { id, place: data.place(id), reason: "the text has no tokens".into() }).collect()
}

/// The tokens of the examples of a batch, by their places in it.
#[derive(Debug)]
pub(super) struct BatchTokens<'a> {
    sequences: Cow<'a, TokenSequences>,
    /// Where each example stands in `sequences`.
    places: Vec<usize>,
    /// The examples that have tokens.
    pub(super) ids: Vec<u64>,
}

impl BatchTokens<'_> {
    /// What a network takes.
    pub(super) fn inputs(&self) -> TokenInputs {
        TokenInputs::gather(&self.sequences, &self.places)
    }

    /// The hash of an example's tokens, of their types and of the lengths of its sequences.
    pub(super) fn hash(&self, place: usize) -> ContentHash {
        let at = self.places[place];
        let tokens = bytemuck::cast_slice(self.sequences.token_ids(at));
        let lengths: Vec<u64> = self.sequences.lengths(at).map(|length| length as u64).collect();
        ContentHash::of_parts(&[b"tokens", tokens, self.sequences.token_types(at), bytemuck::cast_slice(&lengths)])
    }

    /// For each token of an example the class of the word that begins with it, −1 for others.
    pub(super) fn classes(&self, place: usize, id: u64, labels: &Labels) -> impl Iterator<Item = i32> {
        let classes = labels.word_classes(id as usize).unwrap_or(&[]);
        let class = |&word: &i32| usize::try_from(word).ok().and_then(|word| classes.get(word)).copied().unwrap_or(-1);
        self.sequences.words(self.places[place]).iter().map(class)
    }
}

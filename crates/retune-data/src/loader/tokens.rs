//! The tokens of a loader's examples.
//!
//! Texts that are never changed are encoded once, so that batches only copy. Texts that are changed at random are encoded anew whenever a
//! batch needs them; what is known of them before are the lengths of the unchanged ones, by which batches are planned.

use crate::augment::{Drawn, TextAugmenter};
use crate::dataset::{Dataset, Texts};
use crate::error::{BadExample, DataError};
use crate::hash::ContentHash;
use crate::labels::Labels;
use crate::text::{TextEncoder, TokenInputs, TokenSequences, TokenStatistics};
use std::borrow::Cow;
use std::sync::Arc;

/// Tokens of the examples of a loader, by id.
#[derive(Debug)]
pub(super) struct Tokens {
    source: Source,
    /// Index among the encoded examples by id; of other ids anything.
    slots: Vec<u32>,
    /// Numbers of tokens, ascending; of texts that are changed, before.
    sorted_lengths: Vec<usize>,
    statistics: Option<TokenStatistics>,
}

/// Where the tokens of a batch come from.
#[derive(Debug)]
enum Source {
    /// They are kept.
    Kept(TokenSequences),
    /// Texts are changed, then encoded.
    Changed {
        encoder: Arc<TextEncoder>,
        augmenter: Arc<TextAugmenter>,
        /// Tokens of the unchanged examples.
        lengths: Vec<u32>,
    },
}

impl Tokens {
    /// Encodes the texts of `ids`, and lists those of which no token remains.
    ///
    /// # Errors
    /// A text that cannot be encoded; changes that labels of words do not allow.
    pub(super) fn new(
        data: &Dataset,
        texts: &Texts,
        ids: &[u64],
        encoder: &Arc<TextEncoder>,
        augmenter: Option<Arc<TextAugmenter>>,
    ) -> Result<(Tokens, Vec<BadExample>), DataError> {
        let augmenter = augmenter.filter(|augmenter| !augmenter.list().is_empty());
        let augmenter = augmenter
            .map(|augmenter| TextAugmenter::clone(&augmenter).with_mask_token(encoder.mask_token()).map(Arc::new))
            .transpose()?;
        if let (Some(augmenter), Some(_)) = (&augmenter, data.words()) {
            augmenter.check_words()?;
        }
        let text = |index: usize| texts.get(ids[index] as usize).expect("ids are checked against the data");
        let words = |index: usize| data.words_of(ids[index]).unwrap_or_default();
        let sequences = match data.words() {
            Some(_) => encoder.encode_all_words(ids.len(), words),
            None => encoder.encode_all(ids.len(), text),
        };
        let sequences = sequences.map_err(|(index, error)| at_example(data, ids[index], error))?;
        let mut slots = vec![0; data.total()];
        let mut bad = Vec::new();
        for (index, &id) in ids.iter().enumerate() {
            slots[id as usize] = index as u32;
            if !is_usable(&sequences, index, data) {
                bad.push(BadExample { id, place: data.place(id), reason: "the text has no tokens".into() });
            }
        }
        let mut sorted_lengths: Vec<usize> = (0..ids.len()).map(|index| sequences.length(index)).collect();
        let statistics = sequences.statistics();
        let source = match augmenter {
            None => Source::Kept(sequences),
            Some(augmenter) => {
                let lengths = sorted_lengths.iter().map(|&length| length as u32).collect();
                Source::Changed { encoder: encoder.clone(), augmenter, lengths }
            }
        };
        sorted_lengths.sort_unstable();
        Ok((Tokens { source, slots, sorted_lengths, statistics }, bad))
    }

    /// Whether texts are changed, so that lengths are those before the change.
    pub(super) fn are_changed(&self) -> bool {
        matches!(self.source, Source::Changed { .. })
    }

    /// How long the examples are.
    pub(super) fn statistics(&self) -> Option<TokenStatistics> {
        self.statistics
    }

    /// Bytes in memory.
    pub(super) fn size_bytes(&self) -> usize {
        match &self.source {
            Source::Kept(sequences) => sequences.size_bytes(),
            Source::Changed { lengths, .. } => size_of_val(lengths.as_slice()),
        }
    }

    /// Numbers of tokens of the examples, ascending.
    pub(super) fn sorted_lengths(&self) -> &[usize] {
        &self.sorted_lengths
    }

    /// Number of tokens of an example.
    pub(super) fn length(&self, id: u64) -> usize {
        let slot = self.slots[id as usize] as usize;
        match &self.source {
            Source::Kept(sequences) => sequences.length(slot),
            Source::Changed { lengths, .. } => lengths[slot] as usize,
        }
    }

    /// For each token of an example the word that begins with it, −1 for others; nothing where texts are not given as words, or are
    /// changed.
    pub(super) fn words(&self, id: u64) -> &[i32] {
        match &self.source {
            Source::Kept(sequences) => sequences.words(self.slots[id as usize] as usize),
            Source::Changed { .. } => &[],
        }
    }

    /// An example's text, or the two of a pair, as it is cut into tokens; of words with a space between.
    pub(super) fn text(&self, data: &Dataset, id: u64, drawn: Drawn) -> Option<(String, Option<String>)> {
        let (first, second) = data.texts()?.get(id as usize)?;
        Some(match (&self.source, data.words_of(id)) {
            (Source::Kept(_), _) => (first.to_owned(), second.map(str::to_owned)),
            (Source::Changed { augmenter, .. }, Some(words)) => (augmenter.words(&words, drawn).join(" "), None),
            (Source::Changed { augmenter, .. }, None) => augmenter.texts(first, second, drawn),
        })
    }

    /// The tokens of a batch; `drawn` tells by which random numbers an example is changed.
    ///
    /// # Errors
    /// A changed text that cannot be encoded.
    pub(super) fn batch(
        &self,
        data: &Dataset,
        ids: &[u64],
        drawn: impl Fn(u64) -> Drawn,
    ) -> Result<BatchTokens<'_>, DataError> {
        match &self.source {
            Source::Kept(sequences) => {
                let places = ids.iter().map(|&id| self.slots[id as usize] as usize).collect();
                Ok(BatchTokens { sequences: Cow::Borrowed(sequences), places })
            }
            Source::Changed { encoder, augmenter, .. } => {
                let mut all: Option<TokenSequences> = None;
                for &id in ids {
                    let one = changed(data, id, encoder, augmenter, drawn(id));
                    let one = one.map_err(|error| at_example(data, id, error))?;
                    match &mut all {
                        None => all = Some(one),
                        Some(all) => all.append(&one),
                    }
                }
                let sequences = all.unwrap_or_else(|| TokenSequences::new(1));
                Ok(BatchTokens { places: (0..sequences.len()).collect(), sequences: Cow::Owned(sequences) })
            }
        }
    }
}

/// The tokens of one example whose text is changed; of the unchanged text where none would remain.
fn changed(
    data: &Dataset,
    id: u64,
    encoder: &TextEncoder,
    augmenter: &TextAugmenter,
    drawn: Drawn,
) -> Result<TokenSequences, DataError> {
    let unindexed = |(_, error): (usize, DataError)| error;
    if let Some(words) = data.words_of(id) {
        let new = augmenter.words(&words, drawn);
        let encoded = encoder.encode_all_words(1, |_| new.iter().map(String::as_str).collect()).map_err(unindexed)?;
        return match is_usable(&encoded, 0, data) {
            true => Ok(encoded),
            false => encoder.encode_all_words(1, |_| words.clone()).map_err(unindexed),
        };
    }
    let (first, second) = data.texts().and_then(|texts| texts.get(id as usize)).unwrap_or_default();
    let (new_first, new_second) = augmenter.texts(first, second, drawn);
    let encoded = encoder.encode_all(1, |_| (&new_first, new_second.as_deref())).map_err(unindexed)?;
    match is_usable(&encoded, 0, data) {
        true => Ok(encoded),
        false => encoder.encode_all(1, |_| (first, second)).map_err(unindexed),
    }
}

/// Whether an example has tokens, of words also one that begins a word.
fn is_usable(sequences: &TokenSequences, index: usize, data: &Dataset) -> bool {
    let has_words = data.words().is_none() || sequences.words(index).iter().any(|&word| word >= 0);
    has_words && sequences.lengths(index).all(|length| length > 0)
}

fn at_example(data: &Dataset, id: u64, error: DataError) -> DataError {
    match error {
        DataError::Tokenizer { reason } => DataError::Tokenizer { reason: format!("{}: {reason}", data.place(id)) },
        other => other,
    }
}

/// The tokens of the examples of a batch, by their places in it.
#[derive(Debug)]
pub(super) struct BatchTokens<'a> {
    sequences: Cow<'a, TokenSequences>,
    /// Where each example stands in `sequences`.
    places: Vec<usize>,
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

//! The tokens of a loader's examples.
//!
//! Texts in memory that are never changed are encoded once, so that batches only copy. Texts that are changed at random, and texts on disk,
//! whose tokens would not fit into memory either, are encoded by the worker threads whenever a batch needs them. What is known of these
//! before are their lengths, without changes: of all where batches are cut by length, else, when there are very many, of a sample, for a
//! pass over all of them would take minutes before the first step. Those without tokens are found in either case, by a sample only among
//! texts without any letter or digit; one of letters that the tokenizer knows none of is skipped, and listed, when its batch is made.

use crate::augment::{Drawn, TextAugmenter};
use crate::dataset::{Dataset, Texts};
use crate::error::{BadExample, DataError};
use crate::hash::ContentHash;
use crate::labels::Labels;
use crate::text::{TextEncoder, TokenInputs, TokenSequences, TokenStatistics};
use rayon::prelude::*;
use std::borrow::Cow;
use std::sync::Arc;

/// Examples that are encoded at a time to learn their lengths.
const CHUNK: usize = 1 << 14;

/// Examples whose lengths are enough to tell what those of all are like.
const SAMPLE: usize = 1 << 16;

/// Tokens of the examples of a loader, by id.
#[derive(Debug)]
pub(super) struct Tokens {
    source: Source,
    /// Index among the encoded examples by id; of other ids anything.
    slots: Vec<u32>,
    /// Numbers of tokens, ascending, of a sample where not all are known; of texts that are changed, before.
    sorted_lengths: Vec<usize>,
    statistics: Option<TokenStatistics>,
}

/// Which examples' lengths are needed before the first batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lengths {
    /// Those of all: batches are cut by them.
    All,
    /// As many as tell how much memory a batch takes.
    Some,
}

/// Where the tokens of a batch come from.
#[derive(Debug)]
enum Source {
    /// They are kept.
    Kept(TokenSequences),
    /// They are made for each batch.
    Made {
        encoder: Arc<TextEncoder>,
        /// What changes the texts before, if anything does.
        augmenter: Option<Arc<TextAugmenter>>,
        /// Tokens of each unchanged example; `None` where only some of them were encoded.
        lengths: Option<Vec<u32>>,
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
        augmenter: Option<&TextAugmenter>,
        needed: Lengths,
    ) -> Result<(Tokens, Vec<BadExample>), DataError> {
        let augmenter = augmenter.filter(|augmenter| !augmenter.list().is_empty());
        let augmenter = augmenter
            .map(|augmenter| augmenter.clone().with_mask_token(encoder.mask_token()).map(Arc::new))
            .transpose()?;
        if let (Some(augmenter), Some(_)) = (&augmenter, data.words()) {
            augmenter.check_words()?;
        }
        let are_on_disk = texts.are_on_disk() && data.words().is_none();
        match augmenter {
            None if !are_on_disk => Tokens::kept(data, ids, encoder),
            augmenter if needed == Lengths::All || ids.len() <= SAMPLE || data.words().is_some() => {
                Tokens::made(data, ids, encoder, augmenter)
            }
            augmenter => Tokens::made_by_sample(data, texts, ids, encoder, augmenter),
        }
    }

    fn kept(data: &Dataset, ids: &[u64], encoder: &TextEncoder) -> Result<(Tokens, Vec<BadExample>), DataError> {
        let sequences = encoded(data, ids, encoder)?;
        let bad = without_tokens(data, ids, &sequences);
        let mut sorted_lengths: Vec<usize> = (0..ids.len()).map(|index| sequences.length(index)).collect();
        sorted_lengths.sort_unstable();
        let (statistics, slots) = (sequences.statistics(), slots(data, ids));
        Ok((Tokens { source: Source::Kept(sequences), slots, sorted_lengths, statistics }, bad))
    }

    fn made(
        data: &Dataset,
        ids: &[u64],
        encoder: &Arc<TextEncoder>,
        augmenter: Option<Arc<TextAugmenter>>,
    ) -> Result<(Tokens, Vec<BadExample>), DataError> {
        let Measured { lengths, sorted_lengths, statistics, bad } = measured(data, ids, encoder)?;
        let source = Source::Made { encoder: encoder.clone(), augmenter, lengths: Some(lengths) };
        Ok((Tokens { source, slots: slots(data, ids), sorted_lengths, statistics }, bad))
    }

    /// Encodes examples that lie evenly among `ids`, and those that may be without tokens.
    fn made_by_sample(
        data: &Dataset,
        texts: &Texts,
        ids: &[u64],
        encoder: &Arc<TextEncoder>,
        augmenter: Option<Arc<TextAugmenter>>,
    ) -> Result<(Tokens, Vec<BadExample>), DataError> {
        let sample: Vec<u64> = (0..SAMPLE).map(|place| ids[place * ids.len() / SAMPLE]).collect();
        let Measured { sorted_lengths, statistics, .. } = measured(data, &sample, encoder)?;
        let statistics = statistics.map(|statistics| statistics.of_more(ids.len()));
        let has_word = |text: &str| text.chars().any(char::is_alphanumeric);
        let may_be_empty = |&id: &u64| {
            let (first, second) = texts.get(id as usize).unwrap_or_default();
            !has_word(&first) || second.is_some_and(|second| !has_word(&second))
        };
        let doubtful: Vec<u64> = ids.par_iter().copied().filter(may_be_empty).collect();
        let bad = measured(data, &doubtful, encoder)?.bad;
        let source = Source::Made { encoder: encoder.clone(), augmenter, lengths: None };
        Ok((Tokens { source, slots: Vec::new(), sorted_lengths, statistics }, bad))
    }

    /// Whether what is known of lengths is an estimate: texts are changed, or only some were looked at.
    pub(super) fn are_estimated(&self) -> bool {
        self.are_changed() || matches!(self.source, Source::Made { lengths: None, .. })
    }

    /// Whether texts are changed, so that lengths are those before the change.
    pub(super) fn are_changed(&self) -> bool {
        matches!(self.source, Source::Made { augmenter: Some(_), .. })
    }

    /// How long the examples are.
    pub(super) fn statistics(&self) -> Option<TokenStatistics> {
        self.statistics
    }

    /// Bytes in memory.
    pub(super) fn size_bytes(&self) -> usize {
        let own = match &self.source {
            Source::Kept(sequences) => sequences.size_bytes(),
            Source::Made { lengths, .. } => lengths.as_deref().map_or(0, size_of_val),
        };
        own + size_of_val(self.slots.as_slice())
    }

    /// Numbers of tokens of the examples, or of a sample of them, ascending.
    pub(super) fn sorted_lengths(&self) -> &[usize] {
        &self.sorted_lengths
    }

    /// Number of tokens of an example.
    ///
    /// # Panics
    /// Where [all lengths](Lengths::All) were not asked for.
    pub(super) fn length(&self, id: u64) -> usize {
        let slot = || self.slots[id as usize] as usize;
        match &self.source {
            Source::Kept(sequences) => sequences.length(slot()),
            Source::Made { lengths, .. } => lengths.as_ref().expect("lengths were asked for")[slot()] as usize,
        }
    }

    /// An example's text, or the two of a pair, as it is cut into tokens; of words with a space between.
    pub(super) fn text(&self, data: &Dataset, id: u64, drawn: Drawn) -> Option<(String, Option<String>)> {
        let (first, second) = data.texts()?.get(id as usize)?;
        Some(match (&self.source, data.words_of(id)) {
            (Source::Made { augmenter: Some(augmenter), .. }, Some(words)) => {
                (augmenter.words(&words, drawn).join(" "), None)
            }
            (Source::Made { augmenter: Some(augmenter), .. }, None) => {
                augmenter.texts(&first, second.as_deref(), drawn)
            }
            _ => (first.into_owned(), second.map(Cow::into_owned)),
        })
    }

    /// For each token of an example the word that begins with it, −1 for others; nothing where texts are not given as words, or are
    /// changed.
    pub(super) fn words(&self, id: u64) -> &[i32] {
        match &self.source {
            Source::Kept(sequences) => sequences.words(self.slots[id as usize] as usize),
            Source::Made { .. } => &[],
        }
    }

    /// The tokens of a batch; `drawn` tells by which random numbers an example is changed. Of examples without any token, which are noted
    /// in `skipped`, there are none.
    ///
    /// # Errors
    /// A text that cannot be encoded.
    pub(super) fn batch(
        &self,
        data: &Dataset,
        ids: &[u64],
        drawn: impl Fn(u64) -> Drawn,
        skipped: &mut Vec<BadExample>,
    ) -> Result<BatchTokens<'_>, DataError> {
        match &self.source {
            Source::Kept(sequences) => {
                let places = ids.iter().map(|&id| self.slots[id as usize] as usize).collect();
                Ok(BatchTokens { sequences: Cow::Borrowed(sequences), places, ids: ids.to_vec() })
            }
            Source::Made { encoder, augmenter, .. } => {
                let sequences = match augmenter {
                    None => encoded(data, ids, encoder)?,
                    Some(augmenter) => {
                        let of = |&id: &u64| changed(data, id, encoder, augmenter, drawn(id));
                        let mut each = ids.iter().map(of);
                        let mut all = each.next().transpose()?.unwrap_or_else(|| TokenSequences::new(1));
                        each.try_for_each(|one| one.map(|one| all.append(&one)))?;
                        all
                    }
                };
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

/// What encoding examples tells of them.
struct Measured {
    /// Tokens of each.
    lengths: Vec<u32>,
    /// The same, ascending.
    sorted_lengths: Vec<usize>,
    statistics: Option<TokenStatistics>,
    /// Those without tokens.
    bad: Vec<BadExample>,
}

/// Encodes examples, some at a time, and keeps no tokens.
fn measured(data: &Dataset, ids: &[u64], encoder: &TextEncoder) -> Result<Measured, DataError> {
    let (mut lengths, mut bad) = (Vec::with_capacity(ids.len()), Vec::new());
    let (mut truncated, mut words_cut) = (0, 0);
    for ids in ids.chunks(CHUNK) {
        let sequences = encoded(data, ids, encoder)?;
        bad.extend(without_tokens(data, ids, &sequences));
        lengths.extend((0..ids.len()).map(|index| sequences.length(index) as u32));
        if let Some(statistics) = sequences.statistics() {
            truncated += statistics.truncated;
            words_cut += statistics.words_cut;
        }
    }
    let mut sorted_lengths: Vec<usize> = lengths.iter().map(|&length| length as usize).collect();
    sorted_lengths.sort_unstable();
    let statistics = TokenStatistics::of_lengths(&sorted_lengths, truncated, words_cut);
    Ok(Measured { lengths, sorted_lengths, statistics, bad })
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
    sequences.map_err(|(index, error)| at_example(data, ids[index], error))
}

/// The tokens of one example whose text is changed; of the unchanged text where none would remain.
fn changed(
    data: &Dataset,
    id: u64,
    encoder: &TextEncoder,
    augmenter: &TextAugmenter,
    drawn: Drawn,
) -> Result<TokenSequences, DataError> {
    let new = match data.words_of(id) {
        Some(words) => encoder.encode_all_words(1, |_| augmenter.words(&words, drawn)),
        None => {
            let (first, second) = data.texts().and_then(|texts| texts.get(id as usize)).unwrap_or_default();
            let (first, second) = augmenter.texts(&first, second.as_deref(), drawn);
            encoder.encode_all(1, |_| (Cow::Borrowed(first.as_str()), second.as_deref().map(Cow::Borrowed)))
        }
    };
    let new = new.map_err(|(_, error)| at_example(data, id, error))?;
    if without_tokens(data, &[id], &new).is_empty() { Ok(new) } else { encoded(data, &[id], encoder) }
}

fn at_example(data: &Dataset, id: u64, error: DataError) -> DataError {
    match error {
        DataError::Tokenizer { reason } => DataError::Tokenizer { reason: format!("{}: {reason}", data.place(id)) },
        other => other,
    }
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

//! [`TextEncoder`]: a tokenizer at work. The crate `tokenizers` reads the file and cuts texts into tokens; what is done about
//! length is done here.

use super::sequences::TokenSequences;
use super::settings::{TextSettings, Truncation};
use crate::error::DataError;
use rayon::prelude::*;
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;
use tokenizers::{Encoding, PostProcessor, PreTokenizerWrapper, Tokenizer, TruncationDirection};

/// Examples that a thread encodes at a time.
const CHUNK: usize = 256;

/// Cuts texts into tokens: a `tokenizer.json` with [`TextSettings`].
///
/// Padding that the file asks for is never done, truncation that it asks for is replaced by that of the settings.
pub struct TextEncoder {
    tokenizer: Tokenizer,
    settings: TextSettings,
    most: usize,
    is_apart: bool,
    virtual_tokens: usize,
}

/// The tokens of one sequence.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Encoded {
    /// Indices in the vocabulary.
    pub token_ids: Vec<i32>,
    /// For each token the part of the sequence it belongs to: mostly 0 for the first text, 1 for the second.
    pub token_types: Vec<u8>,
    /// Whether there were more tokens than may be.
    pub is_truncated: bool,
    /// For each token the word that begins with it, −1 for all other tokens; nothing where a text was given as a whole.
    pub words: Vec<i32>,
    /// Words that are not there because there were more tokens than may be.
    pub words_cut: usize,
}

impl Encoded {
    /// What is kept of the tokenizer's answer, behind so many virtual tokens.
    fn of(whole: &Encoding, is_truncated: bool, virtual_tokens: usize) -> Result<Encoded, DataError> {
        let (mut token_ids, mut token_types) = (vec![0; virtual_tokens], vec![0; virtual_tokens]);
        for (&id, &kind) in whole.get_ids().iter().zip(whole.get_type_ids()) {
            let numbers = i32::try_from(id).ok().zip(u8::try_from(kind).ok());
            let (id, kind) = numbers.ok_or_else(|| DataError::Tokenizer {
                reason: format!("expected indices below 2^31 and types below 256, found {id} and {kind}"),
            })?;
            token_ids.push(id);
            token_types.push(kind);
        }
        Ok(Encoded { token_ids, token_types, is_truncated, ..Encoded::default() })
    }
}

impl fmt::Debug for TextEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextEncoder")
            .field("vocabulary_size", &self.vocabulary_size())
            .field("settings", &self.settings)
            .field("most", &self.most)
            .field("is_apart", &self.is_apart)
            .field("virtual_tokens", &self.virtual_tokens)
            .finish_non_exhaustive()
    }
}

impl TextEncoder {
    /// An encoder by the bytes of a `tokenizer.json`. `limit` is the most tokens that the network takes, where it has a limit.
    ///
    /// # Errors
    /// Bytes that are no tokenizer, and a maximum that is 0, above the limit, or leaves no room for the text.
    pub fn new(tokenizer_json: &[u8], settings: TextSettings, limit: Option<usize>) -> Result<TextEncoder, DataError> {
        settings.check()?;
        let mut tokenizer =
            Tokenizer::from_bytes(tokenizer_json).map_err(|e| DataError::Tokenizer { reason: e.to_string() })?;
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|e| DataError::Tokenizer { reason: e.to_string() })?;
        let most = settings.max_tokens.or(limit).unwrap_or(usize::MAX);
        if let Some(limit) = limit.filter(|&limit| most > limit) {
            return Err(DataError::setting("max-tokens", format!("at most {limit}, as the network takes"), most));
        }
        let encoder = TextEncoder { tokenizer, settings, most, is_apart: false, virtual_tokens: 0 };
        let marks = encoder.marks(false);
        if most <= marks {
            let expected = format!("more than the {marks} tokens that mark beginning and end");
            return Err(DataError::setting("max-tokens", expected, most));
        }
        Ok(encoder)
    }

    /// The same, but the two texts of a pair are a sequence each, as networks take them that compare texts by their vectors.
    /// Each may have the most tokens.
    pub fn apart(self) -> TextEncoder {
        TextEncoder { is_apart: true, ..self }
    }

    /// The same, with so many more tokens before every sequence, which the network replaces by vectors that it learned (a prompt). They
    /// have index 0 and type 0, and do not count among the most tokens of an example.
    pub fn with_virtual_tokens(self, count: usize) -> TextEncoder {
        TextEncoder { virtual_tokens: count, ..self }
    }

    /// The same for texts that are given as words. Where the file's tokens have the space before a word in them, each word has
    /// one, as it has in a text (`add_prefix_space` of transformers).
    ///
    /// # Errors
    /// Never for a tokenizer that could be read.
    pub fn of_words(mut self) -> Result<TextEncoder, DataError> {
        let Some(pre_tokenizer) = self.tokenizer.get_pre_tokenizer() else { return Ok(self) };
        let reason = |error: serde_json::Error| DataError::Tokenizer { reason: error.to_string() };
        let mut form = serde_json::to_value(pre_tokenizer).map_err(reason)?;
        add_prefix_space(&mut form);
        let pre_tokenizer: PreTokenizerWrapper = serde_json::from_value(form).map_err(reason)?;
        self.tokenizer.with_pre_tokenizer(Some(pre_tokenizer));
        Ok(self)
    }

    /// How texts become tokens.
    pub fn settings(&self) -> &TextSettings {
        &self.settings
    }

    /// Most tokens of an example; `None` where nothing limits them.
    pub fn max_tokens(&self) -> Option<usize> {
        Some(self.most).filter(|&most| most != usize::MAX)
    }

    /// Number of tokens that there are: every index is below it.
    pub fn vocabulary_size(&self) -> usize {
        let added = self.tokenizer.get_added_tokens_decoder();
        let beyond = added.keys().max().map_or(0, |&id| id as usize + 1);
        self.tokenizer.get_vocab_size(true).max(beyond)
    }

    /// The token that stands for a hidden one, as it is written in texts: the special token of the file with `mask` in its name, such as
    /// `[MASK]` or `<mask>`. `None` where it has none.
    pub fn mask_token(&self) -> Option<String> {
        let mut tokens: Vec<_> = self.tokenizer.get_added_tokens_decoder().into_iter().collect();
        tokens.sort_by_key(|(id, _)| *id);
        let is_mask = |token: &tokenizers::AddedToken| token.special && token.content.to_lowercase().contains("mask");
        tokens.into_iter().map(|(_, token)| token).find(is_mask).map(|token| token.content)
    }

    /// Tokens added to a text, or to a pair, to mark beginning and end.
    fn marks(&self, is_pair: bool) -> usize {
        self.tokenizer.get_post_processor().map_or(0, |post| post.added_tokens(is_pair))
    }

    /// The tokens of one sequence, a text or a pair of texts.
    ///
    /// # Errors
    /// A text that the tokenizer has no token for, not even one for the unknown.
    pub fn encode(&self, first: &str, second: Option<&str>) -> Result<Encoded, DataError> {
        let reason = |error: tokenizers::Error| DataError::Tokenizer { reason: error.to_string() };
        let mut first = self.sequence(first).map_err(reason)?;
        let mut second = second.map(|text| self.sequence(text)).transpose().map_err(reason)?;
        let room = self.most - self.marks(second.is_some()).min(self.most);
        let is_truncated = match &mut second {
            None => keep(&mut first, room),
            Some(second) => {
                let (a, b) = self.lengths(first.len(), second.len(), room);
                // Both, whatever became of the first.
                keep(&mut first, a) | keep(second, b)
            }
        };
        if let Some(second) = &mut second {
            let ones = vec![1; second.len()];
            second.set_type_ids(ones);
        }
        let whole = self.tokenizer.post_process(first, second, true).map_err(reason)?;
        Encoded::of(&whole, is_truncated, self.virtual_tokens)
    }

    /// The tokens of one text that is given as words, with the word that begins with each.
    ///
    /// # Errors
    /// As for [`encode`](Self::encode).
    pub fn encode_words(&self, words: &[impl AsRef<str>]) -> Result<Encoded, DataError> {
        let reason = |error: tokenizers::Error| DataError::Tokenizer { reason: error.to_string() };
        let before: Vec<&str> = self.settings.prefix.split_whitespace().collect();
        let all: Vec<&str> = before.iter().copied().chain(words.iter().map(AsRef::as_ref)).collect();
        let mut text = self.tokenizer.encode(all.as_slice(), false).map_err(reason)?;
        let whole_words = beginnings(&text, before.len()).filter(|&word| word >= 0).count();
        let is_truncated = keep(&mut text, self.most - self.marks(false).min(self.most));
        let whole = self.tokenizer.post_process(text, None, true).map_err(reason)?;
        let encoded = Encoded::of(&whole, is_truncated, self.virtual_tokens)?;
        let virtual_tokens = std::iter::repeat_n(-1, self.virtual_tokens);
        let words: Vec<i32> = virtual_tokens.chain(beginnings(&whole, before.len())).collect();
        let words_cut = whole_words - words.iter().filter(|&&word| word >= 0).count();
        Ok(Encoded { words, words_cut, ..encoded })
    }

    /// The tokens of many texts that are given as words, in their order; see [`encode_all`](Self::encode_all).
    ///
    /// # Errors
    /// The first text, in order, that cannot be encoded, with its index.
    pub fn encode_all_words(
        &self,
        count: usize,
        words: impl Fn(usize) -> Vec<String> + Sync,
    ) -> Result<TokenSequences, (usize, DataError)> {
        all(count, 1, |index| Ok(vec![self.encode_words(&words(index))?]))
    }

    /// The sequences of one example: one, or one for each text of a pair.
    fn sequences(&self, first: &str, second: Option<&str>) -> Result<Vec<Encoded>, DataError> {
        match second {
            Some(second) if self.is_apart => Ok(vec![self.encode(first, None)?, self.encode(second, None)?]),
            second => Ok(vec![self.encode(first, second)?]),
        }
    }

    /// One text without its marks.
    fn sequence(&self, text: &str) -> tokenizers::Result<Encoding> {
        match self.settings.prefix.as_str() {
            "" => self.tokenizer.encode_fast(text, false),
            prefix => self.tokenizer.encode_fast(format!("{prefix}{text}"), false),
        }
    }

    /// Tokens kept of each text of a pair, so that both together have at most `room`.
    fn lengths(&self, first: usize, second: usize, room: usize) -> (usize, usize) {
        if first + second <= room {
            return (first, second);
        }
        match self.settings.truncation {
            Truncation::LongestFirst => {
                // The shorter one is whole while the longer one can give the difference; else each has half, the longer
                // one the odd token.
                let shorter = first.min(second);
                let (short, long) =
                    if 2 * shorter <= room { (shorter, room - shorter) } else { (room / 2, room - room / 2) };
                if first <= second { (short, long) } else { (long, short) }
            }
            Truncation::OnlyFirst => (room.saturating_sub(second), second.min(room)),
            Truncation::OnlySecond => (first.min(room), room.saturating_sub(first)),
        }
    }

    /// The tokens of many examples, in their order, all of them pairs or none. Encoded by all threads; the result does not depend on their number.
    ///
    /// # Errors
    /// The first example, in order, that cannot be encoded, with its index.
    pub fn encode_all<'a>(
        &self,
        count: usize,
        text: impl Fn(usize) -> (Cow<'a, str>, Option<Cow<'a, str>>) + Sync,
    ) -> Result<TokenSequences, (usize, DataError)> {
        let per_example = if self.is_apart && count > 0 && text(0).1.is_some() { 2 } else { 1 };
        all(count, per_example, |index| {
            let (first, second) = text(index);
            self.sequences(&first, second.as_deref())
        })
    }
}

/// The tokens of `count` examples of so many sequences each.
fn all(
    count: usize,
    per_example: usize,
    encode: impl Fn(usize) -> Result<Vec<Encoded>, DataError> + Sync,
) -> Result<TokenSequences, (usize, DataError)> {
    let chunks: Vec<Result<TokenSequences, (usize, DataError)>> = (0..count.div_ceil(CHUNK))
        .into_par_iter()
        .map(|chunk| {
            let mut sequences = TokenSequences::new(per_example);
            for index in chunk * CHUNK..count.min((chunk + 1) * CHUNK) {
                sequences.push(&encode(index).map_err(|error| (index, error))?);
            }
            Ok(sequences)
        })
        .collect();
    let mut all = TokenSequences::new(per_example);
    for chunk in chunks {
        all.append(&chunk?);
    }
    Ok(all)
}

/// For each token the word that begins with it, −1 for others; the first words are not counted.
fn beginnings(encoding: &Encoding, uncounted: usize) -> impl Iterator<Item = i32> {
    let mut last = None;
    encoding.get_word_ids().iter().map(move |&word| match word {
        Some(word) if last.replace(word) != Some(word) => {
            (word as usize).checked_sub(uncounted).map_or(-1, |word| word as i32)
        }
        _ => -1,
    })
}

/// Makes every `ByteLevel` in the description of a pre-tokenizer put a space before a text that has none.
fn add_prefix_space(form: &mut Value) {
    match form {
        Value::Object(fields) => {
            if fields.get("type").is_some_and(|kind| kind == "ByteLevel") {
                fields.insert("add_prefix_space".to_owned(), Value::Bool(true));
            }
            fields.values_mut().for_each(add_prefix_space);
        }
        Value::Array(items) => items.iter_mut().for_each(add_prefix_space),
        _ => (),
    }
}

/// Cuts a text after `most` tokens; whether it was longer.
fn keep(encoding: &mut Encoding, most: usize) -> bool {
    let is_longer = encoding.len() > most;
    if is_longer {
        encoding.truncate(most, 0, TruncationDirection::Right);
        encoding.take_overflowing();
    }
    is_longer
}

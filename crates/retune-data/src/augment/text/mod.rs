//! Random changes to training texts, before they are cut into tokens.
//!
//! Each is a pure function of (seed, epoch, example), like those of images: the numbers of augmentation `i` of the list come from
//! [`Drawn::key`]`(i)`, first for the first text of a pair, then for the second.
//!
//! - [`pieces`]: a text as words and what stands between them; [`Amount`], how much is changed;
//! - [`word_list`]: [`WordList`], the words of Chinese;
//! - [`sentence_shuffling`], [`word_swap`], [`word_deletion`], [`synonyms`], [`span_masking`]: sentences and words;
//! - [`characters`], [`typos`], [`case`]: within words.
//!
//! A text that is not empty never becomes empty: of words, one stays, and of a word's characters, one stays.

pub mod case;
pub mod characters;
pub mod pieces;
pub mod sentence_shuffling;
pub mod span_masking;
pub mod synonyms;
pub mod typos;
pub mod word_deletion;
pub mod word_list;
pub mod word_swap;

pub use case::CaseChange;
pub use characters::{CharacterNoise, CharacterOperation};
pub use pieces::Amount;
pub use sentence_shuffling::SentenceShuffling;
pub use span_masking::SpanMasking;
pub use synonyms::{SynonymReplacement, Synonyms};
pub use typos::Typos;
pub use word_deletion::WordDeletion;
pub use word_list::WordList;
pub use word_swap::WordSwap;

use super::Drawn;
use super::draws::Draws;
use crate::error::DataError;
use pieces::{Piece, Unit, has_word, joined, pieces};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One augmentation of texts with its settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum TextAugmentation {
    /// Sentences in another order.
    SentenceShuffling(SentenceShuffling),
    /// Words replaced by others that mean the same.
    Synonyms(SynonymReplacement),
    /// Words left out.
    WordDeletion(WordDeletion),
    /// Words in each other's place.
    WordSwap(WordSwap),
    /// Characters put in, left out, swapped, replaced.
    CharacterNoise(CharacterNoise),
    /// Neighbouring keys hit.
    Typos(Typos),
    /// Words in other letters.
    Case(CaseChange),
    /// Words hidden behind the mask token.
    SpanMasking(SpanMasking),
}

impl TextAugmentation {
    /// Its key in a recipe.
    pub fn name(&self) -> &'static str {
        match self {
            TextAugmentation::SentenceShuffling(_) => "sentence-shuffling",
            TextAugmentation::Synonyms(_) => "synonyms",
            TextAugmentation::WordDeletion(_) => "word-deletion",
            TextAugmentation::WordSwap(_) => "word-swap",
            TextAugmentation::CharacterNoise(_) => "character-noise",
            TextAugmentation::Typos(_) => "typos",
            TextAugmentation::Case(_) => "case",
            TextAugmentation::SpanMasking(_) => "span-masking",
        }
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// A setting that is outside what it may be.
    pub fn check(&self) -> Result<(), DataError> {
        match self {
            TextAugmentation::SentenceShuffling(a) => a.check(),
            TextAugmentation::Synonyms(a) => a.amount.check("synonyms"),
            TextAugmentation::WordDeletion(a) => a.amount.check("word-deletion"),
            TextAugmentation::WordSwap(a) => a.amount.check("word-swap"),
            TextAugmentation::CharacterNoise(a) => a.check(),
            TextAugmentation::Typos(a) => a.amount.check("typos"),
            TextAugmentation::Case(a) => a.amount.check("case"),
            TextAugmentation::SpanMasking(a) => a.check(),
        }
    }

    /// Whether every word stays one word at its place, so that labels of words stay right.
    pub fn keeps_words(&self) -> bool {
        match self {
            TextAugmentation::SentenceShuffling(_)
            | TextAugmentation::WordDeletion(_)
            | TextAugmentation::WordSwap(_) => false,
            TextAugmentation::Synonyms(_)
            | TextAugmentation::CharacterNoise(_)
            | TextAugmentation::Typos(_)
            | TextAugmentation::Case(_)
            | TextAugmentation::SpanMasking(_) => true,
        }
    }

    /// What it counts in Chinese.
    fn unit(&self) -> Unit {
        match self {
            TextAugmentation::CharacterNoise(_) | TextAugmentation::Typos(_) => Unit::Run,
            _ => Unit::Word,
        }
    }
}

/// Augmentations of texts with what they need: words of Chinese, synonyms, the mask token.
#[derive(Debug, Clone, Default)]
pub struct TextAugmenter {
    list: Vec<TextAugmentation>,
    words: Arc<WordList>,
    synonyms: Arc<Synonyms>,
    mask: String,
}

impl TextAugmenter {
    /// An augmenter of these augmentations, in their order. `words` are the words of Chinese, which is cut into characters where there are
    /// none; those of `synonyms` are added.
    ///
    /// # Errors
    /// A setting that is outside what it may be; synonyms to be put in and none given.
    pub fn new(
        list: Vec<TextAugmentation>,
        mut words: WordList,
        synonyms: Option<Synonyms>,
    ) -> Result<TextAugmenter, DataError> {
        list.iter().try_for_each(TextAugmentation::check)?;
        if synonyms.is_none() && list.iter().any(|a| matches!(a, TextAugmentation::Synonyms(_))) {
            return Err(DataError::setting("synonyms", "a dictionary, as `synonyms-file`", "none"));
        }
        let synonyms = synonyms.unwrap_or_default();
        words.extend(synonyms.entries());
        Ok(TextAugmenter { list, words: Arc::new(words), synonyms: Arc::new(synonyms), mask: String::new() })
    }

    /// The same with the mask token of a tokenizer.
    ///
    /// # Errors
    /// Words to be hidden, and a tokenizer without such a token.
    pub fn with_mask_token(self, mask: Option<String>) -> Result<TextAugmenter, DataError> {
        match mask {
            Some(mask) => Ok(TextAugmenter { mask, ..self }),
            None if self.list.iter().any(|a| matches!(a, TextAugmentation::SpanMasking(_))) => {
                let expected = "a tokenizer with a mask token, such as `[MASK]` or `<mask>`";
                Err(DataError::setting("span-masking", expected, "a tokenizer without"))
            }
            None => Ok(self),
        }
    }

    /// The augmentations, in order.
    pub fn list(&self) -> &[TextAugmentation] {
        &self.list
    }

    /// An error where an augmentation would leave labels of words without their words.
    ///
    /// # Errors
    /// Such an augmentation.
    pub fn check_words(&self) -> Result<(), DataError> {
        match self.list.iter().find(|a| !a.keeps_words()) {
            None => Ok(()),
            Some(one) => Err(DataError::setting(
                one.name(),
                "texts with one label each; labels of words need every word at its place, as `synonyms`, `character-noise`, \
                 `typos`, `case` and `span-masking` leave them",
                "labels of words",
            )),
        }
    }

    /// A text, or the two of a pair, changed.
    pub fn texts(&self, first: &str, second: Option<&str>, drawn: Drawn) -> (String, Option<String>) {
        let (mut first, mut second) = (first.to_owned(), second.map(str::to_owned));
        for (i, augmentation) in self.list.iter().enumerate() {
            let mut draws = Draws::new(drawn.key(i));
            for text in std::iter::once(&mut first).chain(&mut second) {
                self.change(augmentation, &mut draws, text);
            }
        }
        (first, second)
    }

    fn change(&self, augmentation: &TextAugmentation, draws: &mut Draws, text: &mut String) {
        if let TextAugmentation::SentenceShuffling(shuffling) = augmentation {
            shuffling.apply(draws, text);
            return;
        }
        let mut pieces = pieces(text, augmentation.unit(), &self.words);
        match augmentation {
            TextAugmentation::WordDeletion(deletion) => deletion.apply(draws, &mut pieces),
            TextAugmentation::WordSwap(swap) => swap.apply(draws, &mut pieces),
            other => self.change_words(other, draws, &mut pieces),
        }
        *text = joined(&pieces);
    }

    /// The words of a text that is given as words, changed, as many as before. Augmentations that do not
    /// [keep words](TextAugmentation::keeps_words) do nothing.
    pub fn words(&self, words: &[impl AsRef<str>], drawn: Drawn) -> Vec<String> {
        let piece = |word: &str| Piece { text: word.to_owned(), is_word: has_word(word) };
        let mut pieces: Vec<Piece> = words.iter().map(|word| piece(word.as_ref())).collect();
        for (i, augmentation) in self.list.iter().enumerate() {
            self.change_words(augmentation, &mut Draws::new(drawn.key(i)), &mut pieces);
        }
        pieces.into_iter().map(|piece| piece.text).collect()
    }

    /// What acts within words.
    fn change_words(&self, augmentation: &TextAugmentation, draws: &mut Draws, pieces: &mut [Piece]) {
        match augmentation {
            TextAugmentation::Synonyms(replacement) => replacement.apply(draws, pieces, &self.synonyms),
            TextAugmentation::CharacterNoise(noise) => noise.apply(draws, pieces),
            TextAugmentation::Typos(typos) => typos.apply(draws, pieces),
            TextAugmentation::Case(case) => case.apply(draws, pieces),
            TextAugmentation::SpanMasking(masking) => masking.apply(draws, pieces, &self.mask),
            TextAugmentation::SentenceShuffling(_)
            | TextAugmentation::WordDeletion(_)
            | TextAugmentation::WordSwap(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn every_kind(share: f32, probability: f32) -> Vec<TextAugmentation> {
        let amount = Amount { share, probability };
        vec![
            TextAugmentation::SentenceShuffling(SentenceShuffling { probability: share.min(probability) }),
            TextAugmentation::Synonyms(SynonymReplacement { amount }),
            TextAugmentation::WordDeletion(WordDeletion { amount }),
            TextAugmentation::WordSwap(WordSwap { amount }),
            TextAugmentation::CharacterNoise(CharacterNoise { amount, ..CharacterNoise::default() }),
            TextAugmentation::Typos(Typos { amount }),
            TextAugmentation::Case(CaseChange { amount }),
            TextAugmentation::SpanMasking(SpanMasking { amount, ..SpanMasking::default() }),
        ]
    }

    fn augmenter(list: Vec<TextAugmentation>) -> TextAugmenter {
        let synonyms = Synonyms::of_lines(&["good fine great", "好吃 美味 可口"]);
        let words = WordList::of_lines(&["这家 100", "酒店 80", "很 300"]);
        TextAugmenter::new(list, words, Some(synonyms)).unwrap().with_mask_token(Some("[MASK]".into())).unwrap()
    }

    fn drawn(example: u64) -> Drawn {
        Drawn { seed: 3, epoch: 1, example }
    }

    fn texts() -> impl Strategy<Value = String> {
        let alphabet = "[a-cA-C é\u{301}。！.?! \n这家酒店很好吃👩‍👩‍👧0-2'\u{200b}-]{0,40}";
        prop_oneof![alphabet, ".{0,30}"]
    }

    proptest! {
        #[test]
        fn texts_are_never_emptied_and_keep_at_share_0(text in texts(), share in 0.0f32..1.0, example: u64) {
            for one in every_kind(share, 1.0) {
                let (changed, _) = augmenter(vec![one.clone()]).texts(&text, None, drawn(example));
                prop_assert_eq!(changed.trim().is_empty(), text.trim().is_empty(), "{:?} {:?}", one, changed);
                prop_assert_eq!(has_word(&changed), has_word(&text), "{:?} {:?}", one, changed);
            }
            let all = augmenter(every_kind(share, 1.0));
            let (changed, second) = all.texts(&text, Some(&text), drawn(example));
            prop_assert_eq!(all.texts(&text, Some(&text), drawn(example)), (changed, second), "nothing else decides");
            for never in [every_kind(0.0, 1.0), every_kind(share, 0.0)] {
                let (changed, second) = augmenter(never).texts(&text, Some("a b"), drawn(example));
                prop_assert_eq!((changed.as_str(), second.as_deref()), (text.as_str(), Some("a b")));
            }
        }

        #[test]
        fn words_with_labels_stay_as_many(words in prop::collection::vec("[a-c好吃!]{1,5}", 0..9), example: u64) {
            let list: Vec<_> = every_kind(0.6, 1.0).into_iter().filter(TextAugmentation::keeps_words).collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let changed = augmenter(list).words(&words, drawn(example));
            prop_assert_eq!(changed.len(), words.len());
            prop_assert!(changed.iter().all(|word| !word.trim().is_empty()));
        }
    }

    #[test]
    fn the_epoch_the_seed_and_the_example_decide() {
        let all = augmenter(every_kind(0.3, 1.0));
        let text = "This is a good film. The story was long! Nobody slept? 这家酒店很好吃。";
        let changed = |seed, epoch, example| all.texts(text, None, Drawn { seed, epoch, example }).0;
        let first = changed(1, 2, 3);
        assert_ne!(first, text);
        for other in [changed(2, 2, 3), changed(1, 3, 3), changed(1, 2, 4)] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn what_is_needed_is_asked_for() {
        let synonyms = TextAugmentation::Synonyms(SynonymReplacement { amount: Amount::default() });
        let masking = TextAugmentation::SpanMasking(SpanMasking::default());
        let new = |one| TextAugmenter::new(vec![one], WordList::default(), None);
        assert!(new(synonyms).unwrap_err().to_string().contains("synonyms-file"));
        let error = new(masking).unwrap().with_mask_token(None).unwrap_err();
        assert!(error.to_string().contains("mask token"), "{error}");
        let deletion = augmenter(vec![TextAugmentation::WordDeletion(WordDeletion { amount: Amount::default() })]);
        assert!(deletion.check_words().unwrap_err().to_string().contains("word-deletion"));
        let wrong = TextAugmentation::Typos(Typos { amount: Amount { share: 1.5, probability: 1.0 } });
        assert!(wrong.check().is_err());
    }
}

//! Characters put in, left out, swapped, replaced.

use super::pieces::{Amount, Piece};
use crate::augment::draws::Draws;
use crate::error::DataError;
use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

/// One way to get a character wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CharacterOperation {
    /// Another character is put before it.
    Insert,
    /// It is left out.
    Delete,
    /// It changes places with the next one of its word.
    Swap,
    /// Another character stands in its place.
    Replace,
}

impl CharacterOperation {
    /// All of them.
    pub const ALL: [CharacterOperation; 4] =
        [CharacterOperation::Insert, CharacterOperation::Delete, CharacterOperation::Swap, CharacterOperation::Replace];
}

/// Each character of a word is got wrong with a probability, in one of several ways alike (Belinkov and Bisk, *Synthetic and natural noise
/// both break neural machine translation*, 2018). For a letter of ASCII comes another of its size, for a digit another digit, for any
/// other character one of the same text. A character is what a reader takes for one (a grapheme cluster of UAX #29). The last one of a
/// word is never left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct CharacterNoise {
    /// How many characters.
    pub amount: Amount,
    /// The ways. Default: all four.
    pub operations: Vec<CharacterOperation>,
}

impl Default for CharacterNoise {
    fn default() -> CharacterNoise {
        CharacterNoise { amount: Amount::default(), operations: CharacterOperation::ALL.to_vec() }
    }
}

impl CharacterNoise {
    pub(crate) fn check(&self) -> Result<(), DataError> {
        self.amount.check("character-noise")?;
        if self.operations.is_empty() {
            let expected = "at least one of `insert`, `delete`, `swap`, `replace`";
            return Err(DataError::setting("character-noise, operations", expected, "none"));
        }
        Ok(())
    }

    pub(crate) fn apply(&self, draws: &mut Draws, pieces: &mut [Piece]) {
        if !self.amount.acts(draws) {
            return;
        }
        let known: Vec<String> = pieces
            .iter()
            .filter(|piece| piece.is_word)
            .flat_map(|piece| piece.text.graphemes(true))
            .filter(|character| character.chars().all(char::is_alphanumeric))
            .map(str::to_owned)
            .collect();
        for piece in pieces.iter_mut().filter(|piece| piece.is_word) {
            let mut characters: Vec<String> = piece.text.graphemes(true).map(str::to_owned).collect();
            let mut at = 0;
            while at < characters.len() {
                if draws.happens(self.amount.share) {
                    let operation = self.operations[draws.below(self.operations.len())];
                    at += change(operation, draws, &mut characters, at, &known);
                } else {
                    at += 1;
                }
            }
            piece.text = characters.concat();
        }
    }
}

/// Changes one character of a word; how many characters the place of the next one is further.
fn change(
    operation: CharacterOperation,
    draws: &mut Draws,
    characters: &mut Vec<String>,
    at: usize,
    known: &[String],
) -> usize {
    match operation {
        CharacterOperation::Insert => {
            let other = another(draws, &characters[at], known);
            characters.insert(at, other);
            2
        }
        CharacterOperation::Delete => {
            let others = characters.iter().enumerate().filter(|(place, _)| *place != at);
            // What remains must still be a word.
            if others.map(|(_, character)| character).any(|c| c.chars().any(char::is_alphanumeric)) {
                characters.remove(at);
                0
            } else {
                1
            }
        }
        CharacterOperation::Swap => {
            if at + 1 < characters.len() {
                characters.swap(at, at + 1);
            }
            2
        }
        CharacterOperation::Replace => {
            characters[at] = another(draws, &characters[at], known);
            1
        }
    }
}

/// A character for another.
fn another(draws: &mut Draws, character: &str, known: &[String]) -> String {
    let from = |draws: &mut Draws, first: u8, count: usize| char::from(first + draws.below(count) as u8).to_string();
    match character.as_bytes() {
        [b'a'..=b'z'] => from(draws, b'a', 26),
        [b'A'..=b'Z'] => from(draws, b'A', 26),
        [b'0'..=b'9'] => from(draws, b'0', 10),
        _ if known.is_empty() => character.to_owned(),
        _ => known[draws.below(known.len())].clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::pieces::{Unit, joined, pieces};
    use super::*;
    use crate::augment::text::WordList;
    use retune_tensor::{Key, Purpose};

    fn noisy(text: &str, operation: CharacterOperation, share: f32, example: u64) -> String {
        let mut parts = pieces(text, Unit::Run, &WordList::default());
        let noise = CharacterNoise { amount: Amount { share, probability: 1.0 }, operations: vec![operation] };
        noise.apply(&mut Draws::new(Key::new(1).with(Purpose::Test(0)).at(0, example)), &mut parts);
        joined(&parts)
    }

    #[test]
    fn each_way_does_what_it_says() {
        let text = "Hello wonderful world 房间很大";
        let sorted = |text: &str| {
            let mut characters: Vec<char> = text.chars().collect();
            characters.sort_unstable();
            characters
        };
        for example in 0..50 {
            let len = text.chars().count();
            let changed = |operation| noisy(text, operation, 0.3, example);
            assert!(changed(CharacterOperation::Insert).chars().count() >= len);
            assert!(changed(CharacterOperation::Delete).chars().count() <= len);
            assert_eq!(sorted(&changed(CharacterOperation::Swap)), sorted(text));
            let replaced = changed(CharacterOperation::Replace);
            assert_eq!(replaced.chars().count(), len);
            let kind = |c: char| (c.is_ascii_uppercase(), c.is_ascii_lowercase(), c == ' ');
            for (old, new) in text.chars().zip(replaced.chars()).filter(|(old, _)| old.is_ascii()) {
                assert_eq!(kind(old), kind(new), "{replaced}");
            }
        }
    }

    #[test]
    fn about_the_share_is_changed_and_a_word_never_vanishes() {
        let text = "a".repeat(1000);
        let gone: usize = (0..20).map(|i| 1000 - noisy(&text, CharacterOperation::Delete, 0.2, i).len()).sum();
        assert!((gone as f64 / 20_000.0 - 0.2).abs() < 0.02, "{gone}");
        assert_eq!(noisy("a bc 好", CharacterOperation::Delete, 1.0, 0).split(' ').count(), 3);
    }
}

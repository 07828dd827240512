//! Words in each other's place.

use super::pieces::{Amount, Piece};
use crate::augment::draws::Draws;

/// Each word changes places with another one of its text with a probability (Wei and Zou 2019, *EDA*).
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct WordSwap {
    /// How many words.
    pub amount: Amount,
}

impl WordSwap {
    pub(crate) fn apply(&self, draws: &mut Draws, pieces: &mut [Piece]) {
        if !self.amount.acts(draws) {
            return;
        }
        let words: Vec<usize> = (0..pieces.len()).filter(|&at| pieces[at].is_word).collect();
        if words.len() < 2 {
            return;
        }
        for (place, &word) in words.iter().enumerate() {
            if draws.happens(self.amount.share) {
                // Any but itself.
                let other = (place + 1 + draws.below(words.len() - 1)) % words.len();
                pieces.swap(word, words[other]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::pieces::{Unit, joined, pieces};
    use super::*;
    use crate::augment::text::WordList;
    use retune_tensor::{Key, Purpose};

    #[test]
    fn words_stay_and_marks_keep_their_places() {
        let mut seen = std::collections::BTreeSet::new();
        for example in 0..30 {
            let mut parts = pieces("a b, c d!", Unit::Word, &WordList::default());
            let key = Key::new(1).with(Purpose::Test(0)).at(0, example);
            let amount = Amount { share: 0.5, probability: 1.0 };
            WordSwap { amount }.apply(&mut Draws::new(key), &mut parts);
            let mut words: Vec<&str> = parts.iter().filter(|p| p.is_word).map(|p| p.text.as_str()).collect();
            words.sort_unstable();
            assert_eq!(words, ["a", "b", "c", "d"]);
            let changed = joined(&parts);
            assert_eq!((&changed[3..5], &changed[8..]), (", ", "!"));
            seen.insert(changed);
        }
        assert!(seen.len() > 8);
    }
}

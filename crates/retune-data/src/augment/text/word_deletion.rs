//! Words left out.

use super::pieces::{Amount, Piece};
use crate::augment::draws::Draws;

/// Each word is left out with a probability, with the space before it (Wei and Zou, *EDA: easy data augmentation techniques for boosting
/// performance on text classification tasks*, 2019). Where all would go, one of them stays.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct WordDeletion {
    /// How many words.
    pub amount: Amount,
}

impl WordDeletion {
    pub(crate) fn apply(&self, draws: &mut Draws, pieces: &mut Vec<Piece>) {
        if !self.amount.acts(draws) {
            return;
        }
        let words: Vec<usize> = (0..pieces.len()).filter(|&at| pieces[at].is_word).collect();
        let mut gone: Vec<usize> = words.iter().copied().filter(|_| draws.happens(self.amount.share)).collect();
        if !gone.is_empty() && gone.len() == words.len() {
            gone.remove(draws.below(gone.len()));
        }
        let is_space = |piece: Option<&Piece>| piece.is_some_and(|piece| piece.text.trim().is_empty());
        for &at in gone.iter().rev() {
            pieces.remove(at);
            // The space before it goes too; where there is none, the one behind it, unless that parts it from a word.
            let follows_word = at > 0 && pieces[at - 1].is_word;
            if at > 0 && is_space(pieces.get(at - 1)) {
                pieces.remove(at - 1);
            } else if is_space(pieces.get(at)) && !follows_word {
                pieces.remove(at);
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
    fn spaces_go_with_words() {
        let text = "one two three, four five";
        let (mut kept, mut total) = (0, 0);
        for example in 0..300 {
            let mut parts = pieces(text, Unit::Word, &WordList::default());
            let key = Key::new(1).with(Purpose::Test(0)).at(0, example);
            let amount = Amount { share: 0.4, probability: 1.0 };
            WordDeletion { amount }.apply(&mut Draws::new(key), &mut parts);
            let changed = joined(&parts);
            assert!(!["  ", " ,"].iter().any(|odd| changed.contains(odd)) && changed.trim() == changed, "{changed:?}");
            kept += parts.iter().filter(|piece| piece.is_word).count();
            total += 5;
        }
        let share = kept as f64 / f64::from(total);
        assert!((share - 0.6).abs() < 0.05, "{share}");
    }
}

//! Words in other letters.

use super::pieces::{Amount, Piece};
use crate::augment::draws::Draws;

/// Each word is written, with a probability, in small letters, in large ones, or in small ones behind a capital; which of the three is
/// drawn once for a text. Scripts without such letters stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CaseChange {
    /// How many words.
    pub amount: Amount,
}

impl CaseChange {
    pub(crate) fn apply(&self, draws: &mut Draws, pieces: &mut [Piece]) {
        if !self.amount.acts(draws) {
            return;
        }
        let form = draws.below(3);
        for piece in pieces.iter_mut().filter(|piece| piece.is_word) {
            if !draws.happens(self.amount.share) {
                continue;
            }
            piece.text = match form {
                0 => piece.text.to_lowercase(),
                1 => piece.text.to_uppercase(),
                _ => {
                    let mut characters = piece.text.chars();
                    let first: String = characters.next().into_iter().flat_map(char::to_uppercase).collect();
                    first + &characters.as_str().to_lowercase()
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retune_tensor::{Key, Purpose};

    #[test]
    fn three_forms() {
        let changed = |example| {
            let mut pieces = ["iPhone", "好"].map(|text| Piece { text: text.into(), is_word: true });
            let amount = Amount { share: 1.0, probability: 1.0 };
            let key = Key::new(1).with(Purpose::Test(0)).at(0, example);
            CaseChange { amount }.apply(&mut Draws::new(key), &mut pieces);
            pieces.map(|piece| piece.text).join(" ")
        };
        let seen: std::collections::BTreeSet<String> = (0..30).map(changed).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["IPHONE 好", "Iphone 好", "iphone 好"]);
    }
}

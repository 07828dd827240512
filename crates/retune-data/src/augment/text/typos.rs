//! Neighbouring keys hit.

use super::pieces::{Amount, Piece};
use crate::augment::draws::Draws;

/// Each letter or digit of ASCII is replaced, with a probability, by a neighbour on a QWERTY keyboard of the United States, in its size.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Typos {
    /// How many letters and digits.
    pub amount: Amount,
}

/// Rows of keys, and how far each is shifted to the right, in quarters of a key.
const ROWS: [(&str, i32); 4] = [("1234567890", 0), ("qwertyuiop", 2), ("asdfghjkl", 3), ("zxcvbnm", 5)];

impl Typos {
    pub(crate) fn apply(&self, draws: &mut Draws, pieces: &mut [Piece]) {
        if !self.amount.acts(draws) {
            return;
        }
        for piece in pieces.iter_mut().filter(|piece| piece.is_word) {
            let hit = |c: char| {
                if !c.is_ascii_alphanumeric() || !draws.happens(self.amount.share) {
                    return c;
                }
                let near = neighbours(c.to_ascii_lowercase());
                let other = near[draws.below(near.len())];
                if c.is_ascii_uppercase() { other.to_ascii_uppercase() } else { other }
            };
            piece.text = piece.text.chars().map(hit).collect();
        }
    }
}

/// Where a key is, in quarters of a key and in rows.
fn place(key: char) -> Option<(i32, i32)> {
    ROWS.iter().zip(0..).find_map(|((keys, shift), row)| {
        keys.chars().position(|other| other == key).map(|column| (4 * column as i32 + shift, row))
    })
}

/// The letters around a letter, the digits beside a digit.
fn neighbours(key: char) -> Vec<char> {
    let Some((x, y)) = place(key) else { return vec![key] };
    let all = ROWS.iter().flat_map(|(keys, _)| keys.chars());
    let same = all.filter(|other| other.is_ascii_digit() == key.is_ascii_digit() && *other != key);
    // Keys that touch: less than one and a quarter keys aside, at most one row up or down.
    same.filter(|&other| place(other).is_some_and(|(u, v)| (u - x).abs() < 5 && (v - y).abs() < 2)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use retune_tensor::{Key, Purpose};

    #[test]
    fn neighbours_touch() {
        let of = |key| neighbours(key).into_iter().collect::<String>();
        assert_eq!(
            (of('g'), of('q'), of('m'), of('1'), of('0')),
            ("tyfhvb".into(), "wa".into(), "jkn".into(), "2".into(), "9".into())
        );
        assert!(
            ('a'..='z')
                .chain('0'..='9')
                .all(|key| neighbours(key).iter().all(|&other| neighbours(other).contains(&key)))
        );
    }

    #[test]
    fn size_and_length_stay() {
        let mut pieces = [Piece { text: "Größe Q9 好".into(), is_word: true }];
        let amount = Amount { share: 1.0, probability: 1.0 };
        Typos { amount }.apply(&mut Draws::new(Key::new(1).with(Purpose::Test(0))), &mut pieces);
        let changed: Vec<char> = pieces[0].text.chars().collect();
        assert!(
            changed[0].is_ascii_uppercase()
                && changed[0] != 'G'
                && changed[2] == 'ö'
                && matches!(changed[7], '8' | '0')
        );
        assert_eq!(changed.len(), 10);
    }
}

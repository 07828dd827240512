//! A text as pieces: words, and what stands between them.

use super::word_list::WordList;
use crate::augment::check_probability;
use crate::augment::draws::Draws;
use crate::error::DataError;
use serde::{Deserialize, Deserializer, Serialize};
use unicode_segmentation::UnicodeSegmentation;

/// How much is changed. In a recipe a number is the share, in all texts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Amount {
    /// Share of a text's words or characters that are changed, 0 to 1: each of them with this probability.
    pub share: f32,
    /// Share of texts in which any are, 0 to 1. Default 1.
    pub probability: f32,
}

impl Default for Amount {
    /// A tenth, in all texts.
    fn default() -> Amount {
        Amount { share: 0.1, probability: 1.0 }
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Amount, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
        struct Table {
            share: f32,
            probability: f32,
        }
        impl Default for Table {
            fn default() -> Table {
                let Amount { share, probability } = Amount::default();
                Table { share, probability }
            }
        }
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected a share such as `0.1`, or `{ share = 0.1, probability = 0.5 }`")]
        enum Form {
            Share(f32),
            Table(Table),
        }
        Ok(match Form::deserialize(deserializer)? {
            Form::Share(share) => Amount { share, probability: 1.0 },
            Form::Table(Table { share, probability }) => Amount { share, probability },
        })
    }
}

impl Amount {
    /// Checks both shares.
    ///
    /// # Errors
    /// A share outside of 0 to 1.
    pub(crate) fn check(&self, name: &str) -> Result<(), DataError> {
        check_probability(&format!("{name}, share"), self.share)?;
        check_probability(&format!("{name}, probability"), self.probability)
    }

    /// Whether a text is changed at all.
    pub(crate) fn acts(&self, draws: &mut Draws) -> bool {
        self.share > 0.0 && draws.happens(self.probability)
    }
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) text: String,
    /// Whether it is a word; otherwise spaces, marks and symbols.
    pub(crate) is_word: bool,
}

/// What a word is in Chinese, where no spaces tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// What the list of words says, else a single character.
    Word,
    /// As many characters as stand together.
    Run,
}

/// Cuts a text into pieces, which make up the text again: at the boundaries of words of Unicode (UAX #29), and Chinese as `unit` says.
pub(crate) fn pieces(text: &str, unit: Unit, words: &WordList) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut run = String::new();
    let cut = |run: &mut String, pieces: &mut Vec<Piece>| match unit {
        _ if run.is_empty() => {}
        Unit::Run => pieces.push(Piece { text: std::mem::take(run), is_word: true }),
        Unit::Word => {
            let piece = |word: &str| Piece { text: word.to_owned(), is_word: has_word(word) };
            pieces.extend(words.cut(run).into_iter().map(piece));
            run.clear();
        }
    };
    for part in text.split_word_bounds() {
        if part.chars().next().is_some_and(is_han) {
            run.push_str(part);
            continue;
        }
        cut(&mut run, &mut pieces);
        pieces.push(Piece { text: part.to_owned(), is_word: has_word(part) });
    }
    cut(&mut run, &mut pieces);
    pieces
}

/// The text that pieces make up.
pub(crate) fn joined(pieces: &[Piece]) -> String {
    pieces.iter().map(|piece| piece.text.as_str()).collect()
}

/// Whether a text has a letter, a digit or an ideograph.
pub(crate) fn has_word(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}

/// Whether a character is a Chinese one (Unicode's CJK unified ideographs, their extensions and compatibility forms).
pub(crate) fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_between_what_is_none() {
        let words = WordList::of_lines(&["酒店"]);
        let cut = |text: &str, unit| {
            let pieces = pieces(text, unit, &words);
            assert_eq!(joined(&pieces), text);
            pieces.into_iter().filter(|piece| piece.is_word).map(|piece| piece.text).collect::<Vec<_>>()
        };
        assert_eq!(cut("It can't be 3.5!", Unit::Word), ["It", "can't", "be", "3.5"]);
        assert_eq!(cut("酒店很好, ok。", Unit::Word), ["酒店", "很", "好", "ok"]);
        assert_eq!(cut("酒店很好, ok。", Unit::Run), ["酒店很好", "ok"]);
        assert!(cut(" …! ", Unit::Word).is_empty());
    }

    #[test]
    fn an_amount_is_a_number_or_a_table() {
        let read = |text: &str| serde_json::from_str::<Amount>(text);
        assert_eq!(read("0.2").unwrap(), Amount { share: 0.2, probability: 1.0 });
        assert_eq!(read(r#"{"probability":0.5}"#).unwrap(), Amount { share: 0.1, probability: 0.5 });
        assert!(read(r#"{"p":0.5}"#).is_err());
    }
}

//! Words replaced by others that mean the same, from a dictionary of the user.

use super::pieces::{Amount, Piece};
use crate::augment::draws::Draws;
use crate::error::DataError;
use std::collections::HashMap;
use std::path::Path;

/// Groups of words that mean the same: one group a line, its words between tabs or, where a line has no tab, between spaces. Lines that
/// begin with `#` are left out. Letters may be large or small. A word in several groups has the words of all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Synonyms {
    groups: Vec<Vec<String>>,
    /// The groups of a word, in small letters.
    places: HashMap<String, Vec<u32>>,
}

impl Synonyms {
    /// Reads a file of groups.
    ///
    /// # Errors
    /// A file that cannot be read, and what [`parse`](Self::parse) refuses.
    pub fn read(path: &Path) -> Result<Synonyms, DataError> {
        let text = std::fs::read_to_string(path).map_err(DataError::io(path))?;
        Synonyms::parse(&text).map_err(|(line, found)| DataError::Malformed {
            path: path.to_path_buf(),
            place: format!("line {line}"),
            expected: "two or more words that mean the same, between tabs or spaces".into(),
            found,
            hint: "one group a line, such as `good fine decent`; lines that begin with `#` are comments",
        })
    }

    /// Reads the text of such a file.
    ///
    /// # Errors
    /// A group of a single word, with its line and text.
    pub fn parse(text: &str) -> Result<Synonyms, (usize, String)> {
        let mut synonyms = Synonyms::default();
        for (line, number) in text.trim_start_matches('\u{feff}').lines().zip(1..) {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let words: Vec<&str> = match line.contains('\t') {
                true => line.split('\t').map(str::trim).filter(|word| !word.is_empty()).collect(),
                false => line.split_whitespace().collect(),
            };
            let mut group: Vec<String> = Vec::new();
            for word in words {
                if !group.iter().any(|known| known == word) {
                    group.push(word.to_owned());
                }
            }
            if group.len() < 2 {
                return Err((number, format!("`{}`", line.trim())));
            }
            for word in &group {
                synonyms.places.entry(word.to_lowercase()).or_default().push(synonyms.groups.len() as u32);
            }
            synonyms.groups.push(group);
        }
        Ok(synonyms)
    }

    /// All words.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().flatten().map(String::as_str)
    }

    /// The words that may stand for one.
    fn of(&self, word: &str) -> Vec<&str> {
        let lower = word.to_lowercase();
        let groups = self.places.get(&lower).map_or(&[][..], Vec::as_slice);
        let others = groups.iter().flat_map(|&group| &self.groups[group as usize]);
        others.map(String::as_str).filter(|other| other.to_lowercase() != lower).collect()
    }
}

/// Each word that has synonyms is replaced by one of them with a probability; one that begins with a capital keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SynonymReplacement {
    /// How many of the words that have synonyms.
    pub amount: Amount,
}

impl SynonymReplacement {
    pub(crate) fn apply(&self, draws: &mut Draws, pieces: &mut [Piece], synonyms: &Synonyms) {
        if !self.amount.acts(draws) {
            return;
        }
        for piece in pieces.iter_mut().filter(|piece| piece.is_word) {
            let others = synonyms.of(&piece.text);
            if !others.is_empty() && draws.happens(self.amount.share) {
                piece.text = in_case_of(&piece.text, others[draws.below(others.len())]);
            }
        }
    }
}

/// A word in the letters of another: all large, or the first one.
fn in_case_of(model: &str, word: &str) -> String {
    let mut letters = model.chars().filter(|c| c.is_alphabetic());
    let is_capital = letters.next().is_some_and(char::is_uppercase);
    let (mut rest, mut own) = (letters.peekable(), word.chars());
    match own.next() {
        Some(first) if is_capital && rest.peek().is_some() && rest.all(char::is_uppercase) => {
            first.to_uppercase().chain(own.flat_map(char::to_uppercase)).collect()
        }
        Some(first) if is_capital => first.to_uppercase().chain(own).collect(),
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::pieces::{Unit, joined, pieces};
    use super::*;
    use crate::augment::text::WordList;
    use retune_tensor::{Key, Purpose};

    #[test]
    fn only_words_of_the_dictionary_change() {
        let synonyms = Synonyms::parse("# groups\ngood\tfine\tvery good\nfilm movie\n好吃 美味\n").unwrap();
        let mut words = WordList::default();
        words.extend(synonyms.entries());
        let replaced = |text: &str, example| {
            let mut parts = pieces(text, Unit::Word, &words);
            let key = Key::new(1).with(Purpose::Test(0)).at(0, example);
            let amount = Amount { share: 1.0, probability: 1.0 };
            SynonymReplacement { amount }.apply(&mut Draws::new(key), &mut parts, &synonyms);
            joined(&parts)
        };
        let found: std::collections::BTreeSet<String> = (0..20).map(|i| replaced("A Good FILM, 很好吃!", i)).collect();
        let expected = ["A Fine MOVIE, 很美味!", "A Very good MOVIE, 很美味!"];
        assert_eq!(found.into_iter().collect::<Vec<_>>(), expected);
        assert_eq!(Synonyms::parse("a b\n\nalone\n").unwrap_err(), (3, "`alone`".to_owned()));
    }
}

//! Words replaced by others that mean the same, from a dictionary of the user.

use super::pieces::{Amount, Piece};
use crate::augment::draws::Draws;
use crate::error::DataError;
use crate::sources::each_line;
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
    /// A file that cannot be read, and a group of a single word.
    pub fn read(path: &Path) -> Result<Synonyms, DataError> {
        let mut synonyms = Synonyms::default();
        let expected = "two or more words that mean the same, between tabs or spaces";
        let hint = "one group a line, such as `good fine decent`; lines that begin with `#` are comments";
        each_line(path, expected, hint, |line| synonyms.add(line))?;
        Ok(synonyms)
    }

    /// Adds the group of a line.
    ///
    /// # Errors
    /// A group of a single word, which is given.
    fn add(&mut self, line: &str) -> Result<(), String> {
        if line.trim().is_empty() || line.starts_with('#') {
            return Ok(());
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
            return Err(format!("`{}`", line.trim()));
        }
        for word in &group {
            self.places.entry(word.to_lowercase()).or_default().push(self.groups.len() as u32);
        }
        self.groups.push(group);
        Ok(())
    }

    /// Of lines without mistakes.
    #[cfg(test)]
    pub(crate) fn of_lines(lines: &[&str]) -> Synonyms {
        let mut synonyms = Synonyms::default();
        lines.iter().for_each(|line| synonyms.add(line).unwrap());
        synonyms
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
        let synonyms = Synonyms::of_lines(&["# groups", "good\tfine\tvery good", "film movie", "好吃 美味"]);
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
        assert_eq!(Synonyms::default().add("alone").unwrap_err(), "`alone`");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "\u{feff}a b\r\n\nalone\n").unwrap();
        let error = Synonyms::read(file.path()).unwrap_err().to_string();
        assert!(error.contains("line 3: expected two or more words") && error.contains("found `alone`"), "{error}");
        std::fs::write(file.path(), encoding_rs::GB18030.encode("好吃 美味\n这家 那家\n").0).unwrap();
        assert_eq!(Synonyms::read(file.path()).unwrap(), Synonyms::of_lines(&["好吃 美味", "这家 那家"]));
    }
}

//! [`WordList`]: the words of Chinese, and cutting by them.
//!
//! One word a line, with its frequency behind a space or tab where it is known; what follows is not looked at, so that jieba's `dict.txt`
//! can be used as it is. Of all ways to cut, the most probable is taken: the product of the words' relative frequencies is largest (as
//! jieba does without its hidden Markov model). Without frequencies that is the way with the fewest words. What is in no word is cut
//! into single characters, each of which counts as a tenth of a word.

use crate::error::DataError;
use crate::sources::each_line;
use std::collections::HashMap;
use std::path::Path;
use unicode_segmentation::UnicodeSegmentation;

/// The frequency of a character that is no word.
const UNKNOWN: f64 = 0.1;

/// Words with their frequencies.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WordList {
    counts: HashMap<Box<str>, f64>,
    total: f64,
    /// Characters of the longest word.
    longest: usize,
}

impl WordList {
    /// Reads a file of words.
    ///
    /// # Errors
    /// A file that cannot be read, and a frequency that is no number above 0.
    pub fn read(path: &Path) -> Result<WordList, DataError> {
        let mut list = WordList::default();
        let hint = "one word a line, such as `酒店` or `酒店 3410`";
        each_line(path, "a word, and behind a space its frequency", hint, |line| list.add_line(line))?;
        Ok(list)
    }

    /// Adds the word of a line.
    ///
    /// # Errors
    /// A frequency that is no number above 0; the line is given.
    fn add_line(&mut self, line: &str) -> Result<(), String> {
        let mut fields = line.split_whitespace();
        let Some(word) = fields.next() else { return Ok(()) };
        let count = match fields.next() {
            None => 1.0,
            Some(count) => match count.parse::<f64>() {
                Ok(count) if count >= 0.0 && count.is_finite() => count.max(1.0),
                _ => return Err(format!("`{line}`")),
            },
        };
        self.add(word, count);
        Ok(())
    }

    /// Of lines without mistakes.
    #[cfg(test)]
    pub(crate) fn of_lines(lines: &[&str]) -> WordList {
        let mut list = WordList::default();
        lines.iter().for_each(|line| list.add_line(line).unwrap());
        list
    }

    /// Adds words that are not there yet, as rare ones.
    pub fn extend<'a>(&mut self, words: impl IntoIterator<Item = &'a str>) {
        for word in words {
            if !self.counts.contains_key(word) {
                self.add(word, 1.0);
            }
        }
    }

    fn add(&mut self, word: &str, count: f64) {
        self.total += count - self.counts.insert(word.into(), count).unwrap_or(0.0);
        self.longest = self.longest.max(word.chars().count());
    }

    /// Whether there are no words.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The words that a text without spaces is made of.
    pub fn cut<'a>(&self, text: &'a str) -> Vec<&'a str> {
        let starts: Vec<usize> = text.grapheme_indices(true).map(|(at, _)| at).chain([text.len()]).collect();
        let count = starts.len() - 1;
        let log_total = self.total.max(1.0).ln();
        // Of each place the best score from there to the end, and where the first word ends; later words are tried first, so that of
        // equal ways the one with the longest first word is taken.
        let mut best = vec![(0.0f64, count); count + 1];
        for start in (0..count).rev() {
            best[start] = (f64::NEG_INFINITY, start + 1);
            for end in (start + 1..=count.min(start + self.longest.max(1))).rev() {
                let word = &text[starts[start]..starts[end]];
                let Some(frequency) = self.counts.get(word).copied().or((end == start + 1).then_some(UNKNOWN)) else {
                    continue;
                };
                let score = frequency.ln() - log_total + best[end].0;
                if score > best[start].0 {
                    best[start] = (score, end);
                }
            }
        }
        let mut words = Vec::new();
        let mut start = 0;
        while start < count {
            let end = best[start].1;
            words.push(&text[starts[start]..starts[end]]);
            start = end;
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_probable_way_is_taken() {
        let list = WordList::of_lines(&["研究 100 v", "研究生 10 n", "生命 80", "命 5", "", "起源 50"]);
        assert_eq!(list.cut("研究生命起源"), ["研究", "生命", "起源"]);
        assert_eq!(list.cut("大研究生"), ["大", "研究生"]);
        let plain = WordList::of_lines(&["研究", "研究生", "生命"]);
        assert_eq!(plain.cut("研究生命"), ["研究", "生命"], "fewest words");
        assert_eq!(WordList::default().cut("研究"), ["研", "究"]);
        assert!(WordList::default().cut("").is_empty());
    }

    #[test]
    fn a_wrong_frequency_is_told_with_its_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "\u{feff}酒店\r\n很 多\n").unwrap();
        let error = WordList::read(file.path()).unwrap_err().to_string();
        assert!(error.contains("line 2: expected a word") && error.contains("found `很 多`"), "{error}");
        std::fs::write(file.path(), "\u{feff}酒店 3\r\n").unwrap();
        assert_eq!(WordList::read(file.path()).unwrap(), WordList::of_lines(&["酒店 3"]));
    }
}

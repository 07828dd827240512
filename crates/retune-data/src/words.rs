//! [`Words`]: where the words of texts begin and end, for labels of single words.

use crate::hash::ContentHash;
use std::ops::Range;

/// The words of each text of a data set. A text is its words with a space between.
///
/// A word is whatever the source calls one: of Chinese often a single character. It may have spaces within.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Words {
    /// Where each word ends in its text, in bytes.
    ends: Vec<usize>,
    /// Where the words of each text end in `ends`.
    texts: Vec<usize>,
}

impl Words {
    /// Adds a text by its words, and returns the text.
    pub fn push(&mut self, words: &[impl AsRef<str>]) -> String {
        let mut text = String::new();
        for (index, word) in words.iter().enumerate() {
            if index > 0 {
                text.push(' ');
            }
            text.push_str(word.as_ref());
            self.ends.push(text.len());
        }
        self.texts.push(self.ends.len());
        text
    }

    /// Number of texts.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there are no texts.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Places of a text's words among those of all texts.
    ///
    /// # Panics
    /// An index that no text has.
    pub fn range(&self, index: usize) -> Range<usize> {
        index.checked_sub(1).map_or(0, |before| self.texts[before])..self.texts[index]
    }

    /// The words of `text`, which is the one that [`push`](Self::push) returned for `index`.
    ///
    /// # Panics
    /// An index that no text has, or another text.
    pub fn of<'a>(&self, index: usize, text: &'a str) -> Vec<&'a str> {
        let mut start = 0;
        let word = |&end: &usize| &text[std::mem::replace(&mut start, end + 1)..end];
        self.ends[self.range(index)].iter().map(word).collect()
    }

    /// Bytes that they take in memory.
    pub fn size_bytes(&self) -> usize {
        size_of_val(self.ends.as_slice()) + size_of_val(self.texts.as_slice())
    }

    /// The hash of all boundaries.
    pub(crate) fn hash(&self) -> ContentHash {
        let bytes =
            |places: &[usize]| places.iter().flat_map(|place| (*place as u64).to_le_bytes()).collect::<Vec<_>>();
        ContentHash::of_parts(&[&bytes(&self.ends), &bytes(&self.texts)])
    }
}

/// The words of a text that nobody has cut: what stands between white space, marks of punctuation before and behind it by
/// themselves, and each Chinese character by itself.
///
/// ```
/// let words = retune_data::words::split("Mrs. O'Neil (Paris) 在北京");
/// assert_eq!(words, ["Mrs", ".", "O'Neil", "(", "Paris", ")", "在", "北", "京"]);
/// ```
pub fn split(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for mut rest in text.split_whitespace() {
        let mut behind = Vec::new();
        while let Some(mark) = rest.chars().next_back().filter(|c| is_mark(*c)) {
            let (before, mark) = rest.split_at(rest.len() - mark.len_utf8());
            behind.push(mark);
            rest = before;
        }
        while let Some(mark) = rest.chars().next().filter(|c| is_mark(*c)) {
            let (mark, after) = rest.split_at(mark.len_utf8());
            words.push(mark);
            rest = after;
        }
        while let Some(first) = rest.chars().next() {
            let alone = |c: char| is_ideograph(c) || is_wide_mark(c);
            let end = if alone(first) { first.len_utf8() } else { rest.find(alone).unwrap_or(rest.len()) };
            let (word, after) = rest.split_at(end);
            words.push(word);
            rest = after;
        }
        words.extend(behind.into_iter().rev());
    }
    words
}

/// Punctuation that stands at the beginning or end of words.
fn is_mark(c: char) -> bool {
    c.is_ascii_punctuation()
        || is_wide_mark(c)
        || ('\u{2010}'..='\u{205e}').contains(&c)
        || matches!(c, '«' | '»' | '¿' | '¡')
}

/// Punctuation of Chinese and Japanese, which has no space beside it.
fn is_wide_mark(c: char) -> bool {
    matches!(c, '\u{3000}'..='\u{303f}' | '\u{ff01}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}' | '\u{ff3b}'..='\u{ff40}' | '\u{ff5b}'..='\u{ff65}')
}

/// The blocks of ideographs that BERT's tokenizer takes apart.
fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{2ceaf}' | '\u{2f800}'..='\u{2fa1f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_again_in_their_text() {
        let mut words = Words::default();
        let first = words.push(&["New York", "is", "large"]);
        assert_eq!((words.push(&[""; 0]).as_str(), first.as_str()), ("", "New York is large"));
        let third = words.push(&["北", "京"]);
        assert_eq!(words.of(0, &first), ["New York", "is", "large"]);
        assert_eq!((words.of(1, ""), words.of(2, &third)), (vec![], vec!["北", "京"]));
        assert_eq!((words.len(), words.range(2)), (3, 3..5));
        let mut other = Words::default();
        other.push(&["New", "York", "is", "large"]);
        assert_ne!(words.hash(), other.hash());
    }

    #[test]
    fn texts_are_cut_into_words() {
        assert_eq!(split("  \"Well,\" he said… don't!  "), ["\"", "Well", ",", "\"", "he", "said", "…", "don't", "!"]);
        assert_eq!(split("在Paris，很好。"), ["在", "Paris", "，", "很", "好", "。"]);
        assert_eq!(split("... U.S."), [".", ".", ".", "U.S", "."]);
        assert!(split(" \n").is_empty());
    }
}

//! Texts of one line each, with or without a label in front, as TREC's and the Stanford sentiment files have it.

use super::examples::{RawExample, RawLabel, Rows};

/// `label text` lines. Empty lines are none.
pub(super) fn read_labelled(text: &str) -> Rows {
    let mut rows = Rows::new("a label and a text a line", false);
    for (line, number) in numbered(text) {
        let row = match line.split_once(char::is_whitespace) {
            Some((label, text)) if !text.trim().is_empty() => Ok(RawExample {
                first: text.trim().to_owned(),
                second: None,
                label: Some(RawLabel::One(label.to_owned())),
                side: Vec::new(),
            }),
            _ => Err("expected a label and a text with a space between, found one word".to_owned()),
        };
        rows.rows.push((number..number + 1, row));
    }
    rows
}

/// A text a line. Empty lines are none.
pub(super) fn read_alone(text: &str) -> Rows {
    let mut rows = Rows::new("a text a line", false);
    let row = |line: &str| RawExample { first: line.to_owned(), second: None, label: None, side: Vec::new() };
    rows.rows.extend(numbered(text).map(|(line, number)| (number..number + 1, Ok(row(line)))));
    rows
}

/// Lines that are not empty, trimmed, with their numbers from 1.
pub(super) fn numbered(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.split('\n').map(str::trim).zip(1..).filter(|(line, _)| !line.is_empty())
}

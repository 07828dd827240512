//! The report as text.

use super::Report;
use super::words::Words;
use crate::collection::Place;
use crate::findings::{Example, Finding, Remedy};
use crate::language::{Language, Said};
use crate::normalize::is_ideograph;
use std::fmt::Write;

/// Examples of a finding that a terminal shows.
const EXAMPLES: usize = 3;
/// Columns of a line.
const WIDTH: usize = 100;

pub(super) fn page(report: &Report, language: Language) -> String {
    let words = Words::of(language);
    let mut out = String::new();
    for part in &report.parts {
        let split = part.split.word();
        let split = split.of(language);
        let described = Said::looked_up(&part.description);
        let _ = writeln!(out, "{split}{}{}", " ".repeat(11usize.saturating_sub(width(split))), described.of(language));
    }
    let _ = writeln!(out, "\n{}", words.count(report.findings.len()));
    for (number, finding) in (1..).zip(&report.findings) {
        out.push('\n');
        describe(report, number, finding, language, &mut out);
    }
    out
}

fn describe(report: &Report, number: usize, finding: &Finding, language: Language, out: &mut String) {
    let severity = finding.severity.word();
    let (severity, colon) = (severity.of(language), Words::of(language).colon);
    wrapped(&format!("{number}. {severity}{colon}{}", finding.title.of(language)), "", "   ", out);
    wrapped(finding.why.of(language), "   ", "   ", out);
    finding.details.iter().for_each(|detail| wrapped(detail.of(language), "   - ", "     ", out));
    finding.examples.iter().take(EXAMPLES).for_each(|example| show(example, language, out));
    match (&finding.remedy, report.command(finding)) {
        (Remedy::Advice(words), _) => wrapped(words.of(language), "   → ", "     ", out),
        // A command is one line, to be copied.
        (_, Some(command)) => {
            let _ = writeln!(out, "   → {command}");
        }
        (_, None) => {}
    }
}

fn show(example: &Example, language: Language, out: &mut String) {
    let mut indent = "   · ";
    if !example.note.is_empty() {
        let _ = writeln!(out, "   · {}", example.note.of(language));
        indent = "     ";
    }
    for place in &example.places {
        let line = [place_text(place), place.label.clone().unwrap_or_default(), place.excerpt.clone()];
        let line: Vec<String> = line.into_iter().filter(|part| !part.is_empty()).collect();
        let _ = writeln!(out, "{indent}{}", cut(&line.join("  "), WIDTH + 20));
        indent = "     ";
    }
}

/// `train.tsv:17`
pub(super) fn place_text(place: &Place) -> String {
    match place.row {
        Some(row) => format!("{}:{row}", place.file),
        None => place.file.clone(),
    }
}

/// At most so many columns of a text.
fn cut(text: &str, width: usize) -> String {
    let mut taken = 0;
    for (at, c) in text.char_indices() {
        taken += columns(c);
        if taken > width {
            return format!("{}…", &text[..at]);
        }
    }
    text.to_owned()
}

/// Columns that a character takes in a terminal.
fn columns(c: char) -> usize {
    if is_ideograph(c) || is_full_width_mark(c) { 2 } else { 1 }
}

/// Columns that a text takes.
fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

/// Punctuation of Chinese.
fn is_full_width_mark(c: char) -> bool {
    matches!(c, '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ff60}')
}

/// Whether a line may not begin with the character: a mark that closes what stands before it.
fn is_closing(c: char) -> bool {
    "，。；：？！、）》」".contains(c)
}

/// Words in lines, the first begun with one indent, the others with another. Chinese, which has no spaces, is also broken between any
/// two of its characters, but not before a mark that belongs to the one before.
fn wrapped(text: &str, first: &str, others: &str, out: &mut String) {
    let mut line = first.to_owned();
    let mut is_begun = false;
    let mut space = "";
    for piece in pieces(text) {
        let word = piece.trim_end_matches(' ');
        if is_begun && width(&line) + space.len() + width(word) > WIDTH {
            out.push_str(&line);
            out.push('\n');
            line = others.to_owned();
            space = "";
        }
        line.push_str(space);
        line.push_str(word);
        is_begun = true;
        space = if word.len() < piece.len() { " " } else { "" };
    }
    out.push_str(&line);
    out.push('\n');
}

/// What stays together on a line, each piece with the space behind it.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut characters = rest.char_indices().peekable();
        let mut end = rest.len();
        while let Some((_, c)) = characters.next() {
            let Some(&(at, next)) = characters.peek() else { break };
            let is_chinese = |c: char| is_ideograph(c) || is_full_width_mark(c);
            let between =
                (is_chinese(c) || is_chinese(next)) && next != ' ' && !is_closing(next) && !"（《「".contains(c);
            if (c == ' ' && next != ' ') || between {
                end = at;
                break;
            }
        }
        let (piece, after) = rest.split_at(end);
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_wrapped_and_cut() {
        let mut out = String::new();
        wrapped(&"word ".repeat(30), "- ", "  ", &mut out);
        assert!(out.lines().all(|line| line.chars().count() <= WIDTH) && out.lines().count() == 2, "{out}");
        assert!(out.starts_with("- word") && out.lines().nth(1).unwrap().starts_with("  word"));
        assert_eq!((cut("猫猫猫", 4), cut("abc", 4)), ("猫猫…".to_owned(), "abc".to_owned()));
        let mut out = String::new();
        let text = "请用 `retune` 查看，（它们）。".repeat(20);
        wrapped(&text, "- ", "  ", &mut out);
        assert!(out.lines().count() > 3 && out.lines().all(|line| width(line) <= WIDTH + 2), "{out}");
        assert!(!out.lines().any(|line| line.trim_start().starts_with(is_closing)), "{out}");
        let joined: String = out.split_whitespace().collect();
        assert_eq!(joined.trim_start_matches('-'), text.replace(' ', ""));
    }
}

//! The report as text.

use super::Report;
use crate::collection::Place;
use crate::findings::{Example, Finding, Remedy, Severity, counted};
use std::fmt::Write;

/// Examples of a finding that a terminal shows.
const EXAMPLES: usize = 3;
/// Columns of a line.
const WIDTH: usize = 100;

pub(super) fn page(report: &Report) -> String {
    let mut out = String::new();
    for part in &report.parts {
        let _ = writeln!(out, "{:<11}{}", part.split.to_string(), part.description);
    }
    match report.findings.len() {
        0 => out.push_str("\nnothing wrong was found\n"),
        n => {
            let _ = writeln!(out, "\n{}, the most important first", counted(n, ("finding", "findings")));
        }
    }
    for (number, finding) in (1..).zip(&report.findings) {
        out.push('\n');
        describe(report, number, finding, &mut out);
    }
    out
}

fn describe(report: &Report, number: usize, finding: &Finding, out: &mut String) {
    let severity = match finding.severity {
        Severity::Problem => "problem",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    wrapped(&format!("{number}. {severity}: {}", finding.title), "", "   ", out);
    wrapped(&finding.why, "   ", "   ", out);
    finding.details.iter().for_each(|detail| wrapped(detail, "   - ", "     ", out));
    finding.examples.iter().take(EXAMPLES).for_each(|example| show(example, out));
    match (&finding.remedy, report.command(finding)) {
        (Remedy::Advice(words), _) => wrapped(words, "   → ", "     ", out),
        // A command is one line, to be copied.
        (_, Some(command)) => {
            let _ = writeln!(out, "   → {command}");
        }
        (_, None) => {}
    }
}

fn show(example: &Example, out: &mut String) {
    let mut indent = "   · ";
    if !example.note.is_empty() {
        let _ = writeln!(out, "   · {}", example.note);
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
        taken += if crate::normalize::is_ideograph(c) { 2 } else { 1 };
        if taken > width {
            return format!("{}…", &text[..at]);
        }
    }
    text.to_owned()
}

/// Words in lines, the first begun with one indent, the others with another.
fn wrapped(text: &str, first: &str, others: &str, out: &mut String) {
    let mut line = first.to_owned();
    let mut is_begun = false;
    for word in text.split(' ') {
        if is_begun && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(&line);
            out.push('\n');
            line = others.to_owned();
            is_begun = false;
        }
        if is_begun {
            line.push(' ');
        }
        line.push_str(word);
        is_begun = true;
    }
    out.push_str(&line);
    out.push('\n');
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
    }
}

//! [`Report`]: all findings in one structure, written in three forms.
//!
//! - [`Report::text`] for a terminal (`text`);
//! - [`Report::html`], one file that needs nothing else (`html`, `markup`, `style.css`);
//! - [`Report::json`] for programs.
//!
//! `words` holds the words of the first two.

mod html;
mod markup;
mod text;
mod words;

use crate::clean::Rule;
use crate::collection::{Collection, Noun, SplitName};
use crate::facts::Facts;
use crate::findings::label_errors::ModelFeatures;
use crate::findings::{self, Finding, Remedy};
use crate::language::Language;
use serde::Serialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What was found in a data set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The data, as it was named.
    pub data: String,
    /// Its parts.
    pub parts: Vec<PartSummary>,
    /// What was found, the most important first.
    pub findings: Vec<Finding>,
    /// How the command line names the data: path and options.
    #[serde(skip)]
    pub arguments: String,
    /// What a cleaned copy is called in the commands.
    #[serde(skip)]
    pub output: PathBuf,
}

/// A part of the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartSummary {
    /// What it is for.
    pub split: SplitName,
    /// What it is, in words.
    pub description: String,
    /// Number of examples, unusable ones included.
    pub examples: usize,
    /// What an example is called.
    pub noun: Noun,
}

impl Report {
    /// Looks for everything. `arguments` name the data on the command line; at most `examples` of each finding are kept; labels are
    /// judged by the features of a `model` where some are given.
    pub fn new(
        collection: &Collection,
        facts: &Facts,
        model: Option<&ModelFeatures>,
        arguments: impl Into<String>,
        examples: usize,
    ) -> Report {
        let parts = collection.parts().iter().map(|part| PartSummary {
            split: part.split,
            description: part.description(),
            examples: part.len(),
            noun: part.noun(),
        });
        let first = &collection.parts()[0].path;
        Report {
            data: first.display().to_string(),
            parts: parts.collect(),
            findings: findings::all(collection, facts, model, examples),
            arguments: arguments.into(),
            output: cleaned_name(first),
        }
    }

    /// The command that deals with a finding.
    pub fn command(&self, finding: &Finding) -> Option<String> {
        match &finding.remedy {
            Remedy::Clean(rule) => Some(self.clean_command(&[*rule])),
            Remedy::Repair => Some(format!("{} --repair", self.clean_command(&Rule::DEFAULT))),
            Remedy::Setting(command) => Some(command.clone()),
            Remedy::Advice(_) => None,
        }
    }

    /// The command that applies rules.
    pub fn clean_command(&self, rules: &[Rule]) -> String {
        let output = quoted(&self.output.display().to_string());
        let rules: Vec<&str> = rules.iter().map(|rule| rule.name()).collect();
        format!("retune clean {} --output {output} --drop {}", self.arguments, rules.join(","))
    }

    /// The report as JSON: the structure itself, each finding with its command; its words are English.
    pub fn json(&self) -> Value {
        let mut value = json!(self);
        if let Some(Value::Array(findings)) = value.get_mut("findings") {
            for (object, finding) in findings.iter_mut().zip(&self.findings) {
                object["command"] = json!(self.command(finding));
            }
        }
        value
    }

    /// The report as people read it in a terminal.
    pub fn text(&self, language: Language) -> String {
        text::page(self, language)
    }

    /// The report as one HTML file that needs nothing else. Pictures are taken from the collection.
    pub fn html(&self, collection: &Collection, language: Language) -> String {
        html::page(self, collection, language)
    }
}

/// `reviews-clean.tsv` for `reviews.tsv`, `photos-clean` for `photos`.
fn cleaned_name(path: &Path) -> PathBuf {
    let name = path.file_name().map_or_else(|| "data".to_owned(), |name| name.to_string_lossy().into_owned());
    match name.split_once('.').filter(|(stem, _)| !stem.is_empty() && !path.is_dir()) {
        Some((stem, extensions)) => path.with_file_name(format!("{stem}-clean.{extensions}")),
        None => path.with_file_name(format!("{name}-clean")),
    }
}

/// An argument as a shell takes it.
pub fn quoted(argument: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./,:=+@%".contains(c);
    if !argument.is_empty() && argument.chars().all(is_plain) {
        argument.to_owned()
    } else {
        format!("'{}'", argument.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_named_after_the_data() {
        assert_eq!(cleaned_name(Path::new("a/reviews.tsv.gz")), Path::new("a/reviews-clean.tsv.gz"));
        assert_eq!(cleaned_name(Path::new("photos")), Path::new("photos-clean"));
        assert_eq!((quoted("a b'c"), quoted("a/b.tsv")), ("'a b'\\''c'".into(), "a/b.tsv".into()));
    }
}

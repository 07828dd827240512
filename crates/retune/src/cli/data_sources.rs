//! Data to look at by itself: how it is stored, and which columns hold what.

use super::parts::PartsArguments;
use super::{Result, paths};
use retune::audit::report::quoted;
use retune::audit::{Collection, Facts, Sources};
use retune::data::sources::Column;
use retune::data::sources::text::TextEncoding;
use retune::data::{SourceKind, SourceOptions};
use std::fmt::Write;
use std::path::Path;

/// How data are stored, and which columns hold what.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Data by itself")]
pub struct DataArguments {
    /// Column or field of the texts, by name or number [default: found]
    #[arg(long, value_name = "COLUMN")]
    pub text: Option<String>,
    /// Column or field of the labels, by name or number [default: found]
    #[arg(long, value_name = "COLUMN")]
    pub label: Option<String>,
    /// How texts are stored: utf-8, utf-16, latin-1 or gb18030 [default: found]
    #[arg(long, value_name = "NAME", value_parser = encoding)]
    pub encoding: Option<TextEncoding>,
    /// Share of their short pieces that two texts have in common to be near duplicates, from 0.5 to 1 [default: 0.8]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub similarity: Option<f32>,
}

/// Texts are near duplicates from this similarity on.
const SIMILARITY: f32 = 0.8;

impl DataArguments {
    /// Whether any of them is given.
    pub fn are_given(&self) -> bool {
        let DataArguments { text, label, encoding, similarity } = self;
        text.is_some() || label.is_some() || encoding.is_some() || similarity.is_some()
    }

    /// The sources that they and paths name.
    pub fn sources(&self, data: &Path, parts: &PartsArguments) -> Sources {
        let column = |name: &String| match name.parse() {
            Ok(index) => Column::Index(index),
            Err(_) => Column::Name(name.clone()),
        };
        let has_texts = self.text.is_some() || self.encoding.is_some();
        Sources {
            data: data.to_owned(),
            validation: parts.validation.clone(),
            test: parts.test.clone(),
            most: None,
            options: SourceOptions {
                kind: has_texts.then_some(SourceKind::Text),
                text: self.text.as_ref().map(column),
                label: self.label.as_ref().map(column),
                encoding: self.encoding,
                ..SourceOptions::default()
            },
        }
    }

    /// Opens the data, of parts of more than `most` examples so many.
    pub fn open(&self, data: &Path, parts: &PartsArguments, most: Option<usize>) -> Result<Collection> {
        paths::must_exist(data)?;
        parts.must_exist()?;
        Ok(Collection::open(&Sources { most, ..self.sources(data, parts) })?)
    }

    /// Measures every example.
    pub fn measure(&self, collection: &Collection) -> Facts {
        Facts::gather(collection, self.similarity.unwrap_or(SIMILARITY))
    }

    /// The data as it is named on a command line.
    pub fn command_line(&self, data: &Path, parts: &PartsArguments) -> String {
        let mut line = quoted(&data.display().to_string());
        let mut add = |flag: &str, value: Option<String>| {
            if let Some(value) = value {
                let _ = write!(line, " --{flag} {}", quoted(&value));
            }
        };
        for (name, path) in parts.given() {
            add(name, Some(path.display().to_string()));
        }
        add("text", self.text.clone());
        add("label", self.label.clone());
        add("encoding", self.encoding.map(|encoding| encoding.to_string()));
        add("similarity", self.similarity.map(|share| share.to_string()));
        line
    }
}

fn share(text: &str) -> Result<f32, String> {
    text.parse()
        .ok()
        .filter(|share| (0.5..=1.0).contains(share))
        .ok_or_else(|| "expected a number from 0.5 to 1".into())
}

fn encoding(name: &str) -> Result<TextEncoding, String> {
    serde_json::from_value(name.into()).map_err(|_| "expected utf-8, utf-16, latin-1 or gb18030".into())
}

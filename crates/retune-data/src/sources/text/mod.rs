//! Texts with their labels.
//!
//! | file | form |
//! | --- | --- |
//! | tables | `.csv`, `.tsv`, `.jsonl`, `.json`, `.parquet`, `.arrow`: columns by name or number |
//! | `conll` | `.conll`, `.bio`, `.iob2` and the like: a word and its label a line, an empty line behind each text |
//! | `word_lists` | tables with a list of words and one of labels in each row |
//! | `lines` | anything else: `label text` lines, or texts alone |
//! | `folder` | one sub-folder per class, one text a `.txt` file |
//! | `sentences` | texts whose words have labels, as they come out of `conll` and `word_lists` one by one |
//!
//! Files of text may be packed as `.gz`. A folder of `train.tsv`, `dev.tsv`, `test.tsv` and the like is divided so.

mod conll;
mod folder;
mod lines;
mod sentences;
pub(super) mod word_lists;

pub use super::records::TextEncoding;
pub(super) use folder::is_text_folder;

use super::records::Look;
use super::records::lines::Lines;
use super::{Parts, SourceKind, SourceOptions, TEST, TRAIN, VALIDATION, list_folder, name_of, parts, tables};
use crate::dataset::Dataset;
use crate::error::DataError;
use crate::labels::LabelType;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Lines that tell the form of a file.
const SAMPLE: usize = 2000;

/// Extensions of files of a word a line.
const CONLL_EXTENSIONS: &[&str] =
    &["conll", "conll03", "conllu", "bio", "iob", "iob1", "iob2", "bioes", "iobes", "bmes"];

/// Forms of files of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TextFormat {
    /// Columns between commas, tabs or semicolons.
    Csv,
    /// One JSON object a line.
    Jsonl,
    /// An array of JSON objects, or an object with one such array; one object a line is told from it.
    Json,
    /// Parquet.
    Parquet,
    /// Arrow's IPC format, file or stream.
    Arrow,
    /// A label, white space and a text a line.
    LabelText,
    /// A text a line, without label.
    Lines,
    /// A word and its label a line, an empty line behind each text.
    Conll,
}

impl TextFormat {
    /// The form that a file's name tells, see [`of_table`](Self::of_table); `.conll` and its like; else lines.
    fn of(name: &str, unlabelled: bool) -> TextFormat {
        TextFormat::of_table(name).unwrap_or(match () {
            _ if extension(name).is_some_and(|extension| CONLL_EXTENSIONS.contains(&extension.as_str())) => {
                TextFormat::Conll
            }
            _ if unlabelled => TextFormat::Lines,
            _ => TextFormat::LabelText,
        })
    }

    /// The form of table that a file's name tells: `.csv` and `.tsv`, `.jsonl`, `.ndjson` and `.json`, `.parquet`, `.arrow` and
    /// `.feather`.
    pub(super) fn of_table(name: &str) -> Option<TextFormat> {
        match extension(name)?.as_str() {
            "csv" | "tsv" => Some(TextFormat::Csv),
            "jsonl" | "ndjson" => Some(TextFormat::Jsonl),
            "json" => Some(TextFormat::Json),
            "parquet" => Some(TextFormat::Parquet),
            "arrow" | "feather" => Some(TextFormat::Arrow),
            _ => None,
        }
    }

    /// Whether it has columns.
    pub(super) fn is_table(self) -> bool {
        match self {
            TextFormat::Csv | TextFormat::Jsonl | TextFormat::Json | TextFormat::Parquet | TextFormat::Arrow => true,
            TextFormat::LabelText | TextFormat::Lines | TextFormat::Conll => false,
        }
    }
}

/// A name's ending in lower case, that of what is packed in a `.gz`.
fn extension(name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    plain.rsplit_once('.').map(|(_, extension)| extension.to_owned())
}

/// Whether a file is surely one of texts by its name, though no table.
pub(super) fn is_text_name(name: &str) -> bool {
    extension(name).is_some_and(|end| end == "txt" || CONLL_EXTENSIONS.contains(&end.as_str()))
}

pub(super) fn open(path: &Path, options: &SourceOptions) -> Result<Parts, DataError> {
    if !path.is_dir() {
        return Ok(read(&[path.to_path_buf()], options)?.into());
    }
    if parts::has_tables(path) {
        let files = parts::files(path)?;
        let train = read(&files.train, options)?;
        let options = options.like(&train);
        let other = |files: Vec<PathBuf>| (!files.is_empty()).then(|| read(&files, &options)).transpose();
        return Ok(Parts { validation: other(files.validation)?, test: other(files.test)?, train });
    }
    let entries = list_folder(path)?;
    let part = |names: &[&str]| -> Option<&PathBuf> {
        entries.iter().find(|entry| {
            let name = name_of(entry).to_ascii_lowercase();
            names.contains(&name.split('.').next().unwrap_or_default())
        })
    };
    let one = |path: &PathBuf, options: &SourceOptions| {
        if path.is_dir() { folder::read(path, options) } else { read(std::slice::from_ref(path), options) }
    };
    let Some(train) = part(TRAIN) else { return Ok(folder::read(path, options)?.into()) };
    let train = one(train, options)?;
    let options = options.like(&train);
    let other = |names: &[&str]| part(names).map(|path| one(path, &options)).transpose();
    Ok(Parts { validation: other(VALIDATION)?, test: other(TEST)?, train })
}

/// The first lines of a file; `None` where they hold control characters, as other files do.
fn beginning(path: &Path, options: &SourceOptions) -> Option<Vec<String>> {
    let mut lines = Lines::open(path, options.encoding, Look::Glance).ok()?;
    let mut first = Vec::new();
    while first.len() < SAMPLE {
        match lines.next().ok()? {
            Some(line) => first.push(line.text),
            None => break,
        }
    }
    let is_control = |c: char| c.is_ascii_control() && !matches!(c, '\n' | '\r' | '\t');
    (!first.is_empty() && !first.iter().any(|line| line.contains(is_control))).then_some(first)
}

/// Whether a file holds lines of several words.
pub(super) fn looks_like_lines(path: &Path) -> bool {
    let first = beginning(path, &SourceOptions::default()).unwrap_or_default();
    let mut lines = first.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).peekable();
    lines.peek().is_some() && lines.all(|line| line.contains(char::is_whitespace))
}

/// Whether a file holds a word a line: because words are to have labels and its name tells nothing better, or because its lines look like it.
fn holds_words(path: &Path, by_name: TextFormat, options: &SourceOptions) -> bool {
    let is_open =
        options.format.is_none() && matches!(by_name, TextFormat::Csv | TextFormat::LabelText | TextFormat::Lines);
    if !is_open || options.unlabelled {
        return options.format.unwrap_or(by_name) == TextFormat::Conll;
    }
    match options.labels {
        Some(LabelType::WordClass) => true,
        Some(_) => false,
        None => options.text.is_none() && conll::looks_like(&beginning(path, options).unwrap_or_default().concat()),
    }
}

/// Reads one part: a file, or several tables.
fn read(files: &[PathBuf], options: &SourceOptions) -> Result<Dataset, DataError> {
    let Some(path) = files.first() else { return Err(DataError::NoExamples { place: "no files".to_owned() }) };
    let by_name = TextFormat::of(&name_of(path), options.unlabelled);
    let format = options.format.unwrap_or(by_name);
    match format {
        _ if holds_words(path, by_name, options) => conll::read(path, options),
        format if format.is_table() => match word_lists::open(path, options)? {
            Some(_) if files.len() == 1 => word_lists::read(path, options),
            Some(_) => {
                Err(DataError::setting("path", "one file of words for each part", format!("{} files", files.len())))
            }
            None => tables::read(files, SourceKind::Text, options),
        },
        TextFormat::Lines => lines::read(path, false, options),
        _ => lines::read(path, true, options),
    }
}

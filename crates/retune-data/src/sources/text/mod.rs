//! Texts with their labels.
//!
//! | file | form |
//! | --- | --- |
//! | `delimited` | `.csv`, `.tsv`: columns by name or number |
//! | `json_lines` | `.jsonl`, or `.json` of one object a line: fields by name |
//! | `conll` | `.conll`, `.bio`, `.iob2` and the like: a word and its label a line, an empty line behind each text |
//! | `word_lists` | `.jsonl` with a list of words and one of labels in each object |
//! | `lines` | anything else: `label text` lines, or texts alone |
//! | `folder` | one sub-folder per class, one text a `.txt` file |
//! | `charset` | UTF-8, Latin-1 or GB18030, given or found |
//! | `examples` | what they give: rows, of which bad ones are set aside with line and reason |
//! | `sentences` | the same for texts whose words have labels |
//!
//! Files may be packed as `.gz`. A folder of `train.tsv`, `dev.tsv`, `test.tsv` and the like is divided so.

mod charset;
mod conll;
mod delimited;
mod examples;
mod folder;
mod json_lines;
mod lines;
mod sentences;
mod word_lists;

pub use charset::TextEncoding;
pub(super) use folder::is_text_folder;

use super::table::reader;
use super::{Parts, SourceOptions, TEST, TRAIN, VALIDATION, list_folder, name_of};
use crate::dataset::Dataset;
use crate::error::DataError;
use crate::labels::{LabelKind, LabelType};
use examples::Rows;
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Most text that is read, after unpacking.
const MAX_BYTES: u64 = 1 << 34;
/// Names of fields that hold the text, or the first of two.
const TEXT_NAMES: &[&str] = &["text", "sentence", "text_a", "sentence1", "content", "review", "comment"];
/// Names of fields that hold the second text, beside the first one of the same form.
const PAIRS: &[(&str, &str)] = &[("text_a", "text_b"), ("sentence1", "sentence2")];
/// Names of fields that hold the label.
const LABEL_NAMES: &[&str] = &["label", "class", "target", "y", "score"];

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
    /// A label, white space and a text a line.
    LabelText,
    /// A text a line, without label.
    Lines,
    /// A word and its label a line, an empty line behind each text.
    Conll,
}

impl TextFormat {
    /// The form that a file's name tells: `.csv` and `.tsv`, `.jsonl`, `.ndjson` and `.json`, `.conll` and its like, else lines.
    fn of(name: &str, unlabelled: bool) -> TextFormat {
        let name = name.to_ascii_lowercase();
        let plain = name.strip_suffix(".gz").unwrap_or(&name);
        match plain.rsplit_once('.').map(|(_, extension)| extension) {
            Some("csv" | "tsv") => TextFormat::Csv,
            Some("jsonl" | "ndjson" | "json") => TextFormat::Jsonl,
            Some(extension) if CONLL_EXTENSIONS.contains(&extension) => TextFormat::Conll,
            _ if unlabelled => TextFormat::Lines,
            _ => TextFormat::LabelText,
        }
    }
}

/// Whether a file is surely one of texts by its name.
pub(super) fn is_text_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    plain
        .rsplit_once('.')
        .is_some_and(|(_, end)| ["jsonl", "ndjson", "json", "txt"].contains(&end) || CONLL_EXTENSIONS.contains(&end))
}

pub(super) fn open(path: &Path, options: &SourceOptions) -> Result<Parts, DataError> {
    if !path.is_dir() {
        return Ok(read(path, options)?.into());
    }
    let entries = list_folder(path)?;
    let part = |names: &[&str]| -> Option<&PathBuf> {
        entries.iter().find(|entry| {
            let name = name_of(entry).to_ascii_lowercase();
            names.contains(&name.split('.').next().unwrap_or_default())
        })
    };
    let one = |path: &Path, options: &SourceOptions| {
        if path.is_dir() { folder::read(path, options) } else { read(path, options) }
    };
    let Some(train) = part(TRAIN) else { return Ok(folder::read(path, options)?.into()) };
    let train = one(train, options)?;
    let options = like(&train, options);
    let other = |names: &[&str]| part(names).map(|path| one(path, &options)).transpose();
    Ok(Parts { validation: other(VALIDATION)?, test: other(TEST)?, train })
}

/// Options for another part, whose labels are to mean the same as those of the training part.
pub(super) fn like(train: &Dataset, options: &SourceOptions) -> SourceOptions {
    let labels = match train.label_kind() {
        LabelKind::Real { .. } => Some(LabelType::Real),
        LabelKind::MultiHot { .. } => Some(LabelType::MultiHot),
        LabelKind::WordClasses { .. } => Some(LabelType::WordClass),
        LabelKind::None => options.labels,
        _ => Some(LabelType::Class),
    };
    SourceOptions {
        labels,
        class_names: options.class_names.clone().or_else(|| train.class_names().map(<[String]>::to_vec)),
        ..options.with_classes_of(train)
    }
}

/// The beginning of a file as text; `None` where it holds control characters, as other files do.
fn beginning(path: &Path) -> Option<String> {
    /// Bytes that are looked at.
    const SAMPLE_BYTES: u64 = 1 << 16;
    let mut bytes = Vec::new();
    reader(path).ok()?.take(SAMPLE_BYTES).read_to_end(&mut bytes).ok()?;
    if bytes.len() as u64 == SAMPLE_BYTES {
        // The last line may be cut off.
        bytes.truncate(bytes.iter().rposition(|&byte| byte == b'\n')? + 1);
    }
    let text = charset::decode(bytes, None).text;
    let is_control = |c: char| c.is_ascii_control() && !matches!(c, '\n' | '\r' | '\t');
    (!text.is_empty() && !text.contains(is_control)).then_some(text)
}

/// Whether a table holds texts: a column of them, and at most one of numbers, which can be the label.
pub(super) fn looks_like_table(path: &Path) -> bool {
    beginning(path).is_some_and(|text| delimited::holds_texts(&name_of(path), &text))
}

/// Whether a file holds lines of several words.
pub(super) fn looks_like_lines(path: &Path) -> bool {
    beginning(path).is_some_and(|text| lines::numbered(&text).all(|(line, _)| line.contains(char::is_whitespace)))
}

/// A word a line where words are to have labels and the file's name tells nothing better, or where its lines look like it.
fn words_format(by_name: TextFormat, text: &str, options: &SourceOptions) -> Option<TextFormat> {
    let is_open = options.format.is_none() && !matches!(by_name, TextFormat::Jsonl | TextFormat::Conll);
    let is_meant = match options.labels {
        Some(LabelType::WordClass) => !options.unlabelled,
        Some(_) => false,
        None => !options.unlabelled && options.text.is_none() && conll::looks_like(text),
    };
    (is_open && is_meant).then_some(TextFormat::Conll)
}

/// Reads one file.
fn read(path: &Path, options: &SourceOptions) -> Result<Dataset, DataError> {
    let mut bytes = Vec::new();
    reader(path)?.take(MAX_BYTES).read_to_end(&mut bytes).map_err(DataError::io(path))?;
    let decoded = charset::decode(bytes, options.encoding);
    let format = options.format.unwrap_or_else(|| TextFormat::of(&name_of(path), options.unlabelled));
    let format = words_format(format, &decoded.text, options).unwrap_or(format);
    if format == TextFormat::Conll || word_lists::are_meant(format, &decoded.text, options) {
        let mut sentences = match format {
            TextFormat::Conll => conll::read(&decoded.text, options)?,
            _ => word_lists::read(path, &decoded.text, options)?,
        };
        sentences.refuse_lines(&decoded.bad_lines, decoded.encoding);
        return sentences.into_dataset(path, options);
    }
    let mut rows: Rows = match format {
        TextFormat::Csv => delimited::read(path, &decoded.text, options)?,
        TextFormat::Jsonl => json_lines::read(path, &decoded.text, options)?,
        TextFormat::LabelText => lines::read_labelled(&decoded.text),
        TextFormat::Lines | TextFormat::Conll => lines::read_alone(&decoded.text),
    };
    rows.refuse_lines(&decoded.bad_lines, decoded.encoding);
    if decoded.encoding != TextEncoding::Utf8 {
        rows.form.push_str(&format!(", {}", decoded.encoding));
    }
    rows.into_dataset(path, options)
}

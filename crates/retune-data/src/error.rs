//! What can be wrong with data, said with the place, what was expected, what was found, and what to do.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

/// One example that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BadExample {
    /// Index of the example in its source.
    pub id: u64,
    /// Where it stands: a file's path, or a file and its row.
    pub place: String,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for BadExample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.place, self.reason)
    }
}

/// How many bad examples a message lists before it only counts them.
const LISTED: usize = 10;

fn list(bad: &[BadExample]) -> String {
    let mut text: String = bad.iter().take(LISTED).map(|b| format!("\n  {b}")).collect();
    if bad.len() > LISTED {
        text.push_str(&format!("\n  … and {} more", bad.len() - LISTED));
    }
    text
}

/// An error in data, or in how it is to be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The operating system refused.
    #[error("cannot read `{}`: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Data that do not fit into memory cannot be put on disk.
    #[error(
        "cannot keep data in `{}`: {source}\nhint: name a folder with room for them with `spool-folder`, or keep them in memory \
         with `storage = \"memory\"`",
        folder.display()
    )]
    Spool {
        /// Where a file was to be made.
        folder: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// An array or pickle file cannot be read.
    #[error(transparent)]
    Format(Box<retune_formats::FormatError>),
    /// One example cannot be read.
    #[error("cannot read `{place}`: {reason}")]
    Unreadable {
        /// Where it stands.
        place: String,
        /// Why not.
        reason: String,
    },
    /// Nothing tells what kind of data this is.
    #[error(
        "cannot tell what kind of data `{}` holds: {found}\nhint: expected a folder with one sub-folder of images per \
         class, CIFAR-10 batches, IDX files, `.npy`/`.npz`, `.csv`, `.json`, `.jsonl`, `.parquet` or `.arrow`; or name the kind \
         explicitly",
        path.display()
    )]
    UnknownKind {
        /// The file or folder.
        path: PathBuf,
        /// What stands there.
        found: String,
    },
    /// A file does not have the form of its kind.
    #[error("`{}`, {place}: expected {expected}, found {found}\nhint: {hint}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where in the file.
        place: String,
        /// What the format asks for.
        expected: String,
        /// What stands there.
        found: String,
        /// What to do.
        hint: &'static str,
    },
    /// More bad examples than the user tolerates.
    #[error(
        "{} of {total} examples of `{origin}` cannot be used ({tolerance} tolerated):{}\nhint: mend or remove them, \
         or set the tolerance to at least {}",
        bad.len(), list(bad), bad.len()
    )]
    BadExamples {
        /// Description of the data.
        origin: String,
        /// Examples in the source, the bad ones included.
        total: usize,
        /// The number of bad examples the user tolerates.
        tolerance: usize,
        /// Every bad example.
        bad: Vec<BadExample>,
    },
    /// A class label that no class has.
    #[error(
        "{place}: expected a label in 0..{classes}, found {label}\nhint: labels are counted from 0; check the number of \
         classes"
    )]
    LabelOutOfRange {
        /// The example.
        place: String,
        /// The label.
        label: i64,
        /// The number of classes.
        classes: usize,
    },
    /// A score outside of the range of scores.
    #[error(
        "{place}: expected a score from {low} to {high}, found {score}\nhint: check the score, or give the lowest and the highest \
         one with `score-range`"
    )]
    ScoreOutOfRange {
        /// The example.
        place: String,
        /// The score.
        score: f32,
        /// The lowest score there may be.
        low: f32,
        /// The highest.
        high: f32,
    },
    /// A class without examples.
    #[error("class `{class}` of {place} has no examples\nhint: add examples, or remove the class")]
    EmptyClass {
        /// The folder, file or part.
        place: String,
        /// The class.
        class: String,
    },
    /// A table, and nothing that says what its columns are.
    #[error(
        "{place}: nothing says what the columns of this table are\nhint: train a model for tables, with `kind = \"table\"` in `[model]`, or \
         fine-tune one"
    )]
    NoSchema {
        /// Description of the data.
        place: String,
    },
    /// A split of other data.
    #[error(
        "`{}` divides other data: expected {expected}, found {found}\nhint: give the data that the split was made of, or divide these \
         anew without `split.path`",
        path.display()
    )]
    OtherData {
        /// The file of the split.
        path: PathBuf,
        /// The data that it divides.
        expected: String,
        /// The data at hand.
        found: String,
    },
    /// There is nothing to learn from.
    #[error("{place} holds no examples")]
    NoExamples {
        /// The folder, file or part.
        place: String,
    },
    /// An input or label does not have the shape wanted.
    #[error("{place}: expected shape {expected}, found {found}\nhint: {hint}")]
    WrongShape {
        /// The file, example or setting.
        place: String,
        /// The shape wanted.
        expected: String,
        /// The shape there.
        found: String,
        /// What to do.
        hint: &'static str,
    },
    /// Inputs and labels do not belong together.
    #[error("{place}: {inputs} inputs but {labels} labels\nhint: each input needs exactly one label")]
    CountMismatch {
        /// The files or keys.
        place: String,
        /// Number of inputs.
        inputs: usize,
        /// Number of labels.
        labels: usize,
    },
    /// A part of the data has a class that the training part lacks.
    #[error("{place} has the class `{class}`, which the training part lacks\nhint: known classes are {}", known.join(", "))]
    UnknownClass {
        /// The folder or file.
        place: String,
        /// The class.
        class: String,
        /// Classes of the training part.
        known: Vec<String>,
    },
    /// A class has fewer examples than asked for.
    #[error("class `{class}` has {found} examples, {expected} were asked for\nhint: ask for at most {found} per class")]
    TooFewExamples {
        /// The class.
        class: String,
        /// Examples asked for.
        expected: usize,
        /// Examples there.
        found: usize,
    },
    /// No column, array or key has this name.
    #[error("`{}` has no {what} `{name}`\nhint: it has {}", path.display(), known.join(", "))]
    UnknownName {
        /// The file.
        path: PathBuf,
        /// Column or array.
        what: &'static str,
        /// The name asked for.
        name: String,
        /// The names there.
        known: Vec<String>,
    },
    /// An example id outside the data, a bad example's id, or one given twice.
    #[error("example {id} {problem} (the data has {len} examples)\nhint: was this list made for other data?")]
    BadId {
        /// The id.
        id: u64,
        /// What is wrong with it.
        problem: &'static str,
        /// Examples in the data.
        len: usize,
    },
    /// A setting outside what it may be.
    #[error("`{name}`: expected {expected}, found {found}")]
    Setting {
        /// The setting.
        name: String,
        /// What it may be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A tokenizer's file cannot be used, or not for these texts.
    #[error(
        "the tokenizer cannot be used: {reason}\nhint: `tokenizer.json` must be as Hugging Face's `tokenizers` writes it"
    )]
    Tokenizer {
        /// What is wrong with it, as the crate `tokenizers` says it.
        reason: String,
    },
    /// Texts are to be loaded, but nothing says how to cut them into tokens.
    #[error("{place} holds texts, and there is no tokenizer for them\nhint: use a model with a `tokenizer.json`")]
    NoTokenizer {
        /// Description of the data.
        place: String,
    },
    /// A file cannot be written.
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Rows of a file cannot be copied.
    #[error("cannot copy the rows of `{}`: {reason}", path.display())]
    Copy {
        /// The file.
        path: PathBuf,
        /// What reading or writing its form met.
        reason: String,
    },
    /// A file changed while it was read.
    #[error("`{}` has other rows than a moment ago\nhint: start again when nothing writes to it", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A thread that prepares batches panicked: a defect of this crate.
    #[error("preparing a batch panicked: {message}\nhint: this is a defect; please report it")]
    Panicked {
        /// The panic's message.
        message: String,
    },
}

impl From<retune_formats::FormatError> for DataError {
    fn from(error: retune_formats::FormatError) -> DataError {
        DataError::Format(Box::new(error))
    }
}

impl DataError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> DataError {
        let path = path.to_path_buf();
        move |source| DataError::Io { path, source }
    }

    pub(crate) fn setting(name: impl Into<String>, expected: impl Into<String>, found: impl ToString) -> DataError {
        DataError::Setting { name: name.into(), expected: expected.into(), found: found.to_string() }
    }
}

/// Formats a shape as `[28, 28, 1]`.
pub(crate) fn shape_text(shape: &[usize]) -> String {
    format!("{shape:?}")
}

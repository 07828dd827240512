//! What can go wrong.

use retune_data::DataError;
use std::path::{Path, PathBuf};

/// An error while data is checked or cleaned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The data cannot be read at all.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The operating system refused.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was to be done.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// More examples than can be numbered.
    #[error("expected at most {most} examples, found {found}\nhint: check the data in several pieces")]
    TooMany {
        /// The most that are taken.
        most: usize,
        /// The number there is.
        found: usize,
    },
    /// A table without rows or with a label column that it does not have.
    #[error("`{}`: expected {expected}, found {found}", path.display())]
    Table {
        /// The table.
        path: PathBuf,
        /// What was looked for.
        expected: String,
        /// What there is.
        found: String,
    },
    /// The output stands there already.
    #[error("`{}` exists already and is not overwritten\nhint: choose another name", path.display())]
    OutputExists {
        /// The output.
        path: PathBuf,
    },
    /// The output would lie within the data, or the data within it.
    #[error("the output `{}` and the data `{}` lie within each other\nhint: choose a folder beside the data", output.display(), data.display())]
    Nested {
        /// The output.
        output: PathBuf,
        /// The data.
        data: PathBuf,
    },
    /// Data of a form that is not written.
    #[error("`{}` cannot be cleaned: it holds {found}\nhint: tables, JSON, Parquet, Arrow, lines of texts, and folders of texts or images can be", path.display())]
    Unsupported {
        /// The data.
        path: PathBuf,
        /// What it holds.
        found: &'static str,
    },
    /// Nothing would be left of a part.
    #[error("nothing would be left of `{}`: the rules drop all of its {rows} rows\nhint: name fewer rules with `--drop`", path.display())]
    NothingLeft {
        /// The part.
        path: PathBuf,
        /// Its rows.
        rows: usize,
    },
    /// The rows of a table name image files, which would not be found from the new one.
    #[error("`{}` names image files relative to its folder, and `{}` lies in another\nhint: write the new table beside the old one, or clean the whole folder", path.display(), output.display())]
    NamesFiles {
        /// The table.
        path: PathBuf,
        /// The new table.
        output: PathBuf,
    },
}

impl AuditError {
    /// Wraps an error of the operating system.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> AuditError {
        let path = path.to_path_buf();
        move |source| AuditError::Io { action, path, source }
    }
}

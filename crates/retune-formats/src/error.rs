//! What can be wrong with a file, and where.

use std::fmt;
use std::path::{Path, PathBuf};

use retune_tensor::TensorError;

/// A file that cannot be read or written: which file, which place inside it, and what is wrong there.
///
/// Its text names all three; where the user can do something about it, a second line says what (`hint: …`).
#[derive(Debug)]
pub struct FormatError {
    /// The file, if the data came from one.
    pub path: Option<PathBuf>,
    /// The place inside the file: an HDF5 path, a zip member, a tensor's name, a byte offset. Empty for the whole file.
    pub place: String,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong at a place of a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The operating system refused.
    #[error("{0}")]
    Io(#[source] std::io::Error),
    /// The bytes are not of the format expected here.
    #[error("expected {expected}, found {found}")]
    Mismatch {
        /// What belongs here.
        expected: String,
        /// What stands here instead.
        found: String,
    },
    /// Something that the format requires is absent.
    #[error("{what} is missing")]
    Missing {
        /// What is absent.
        what: String,
    },
    /// The file ends too early, or a part claims to reach past its end.
    #[error("the data is cut off: {needed} bytes needed, {available} left")]
    Truncated {
        /// Bytes that the file's own header asks for.
        needed: u64,
        /// Bytes that are there.
        available: u64,
    },
    /// A size beyond what [`Limits`](crate::Limits) permits.
    #[error("{what} is {found}, the limit is {limit}")]
    TooLarge {
        /// The quantity, with its unit.
        what: &'static str,
        /// Its value in the file.
        found: u64,
        /// The largest value permitted.
        limit: u64,
    },
    /// Two things have one name.
    #[error("the name `{name}` occurs twice")]
    Duplicate {
        /// The repeated name.
        name: String,
    },
    /// A name that could point outside the place it belongs to.
    #[error("the name `{name}` is not permitted: it is absolute, empty or climbs with `..`")]
    UnsafeName {
        /// The name.
        name: String,
    },
    /// Correct data that this crate does not read or write.
    #[error("{what} is not supported")]
    Unsupported {
        /// The feature.
        what: String,
        /// What the user can do.
        hint: &'static str,
    },
    /// A pickle asks for a Python object that is not on the list of harmless ones; it was not created.
    #[error("the pickle refers to the Python object `{module}.{name}`, which is not permitted")]
    ForbiddenGlobal {
        /// Python module.
        module: String,
        /// Name in the module.
        name: String,
    },
    /// Text that is not JSON.
    #[error("not valid JSON: {0}")]
    Json(#[source] serde_json::Error),
    /// The HDF5 structure is damaged.
    #[error("damaged HDF5: {0}")]
    Hdf5(#[source] hdf5_pure::Error),
    /// The zip structure is damaged.
    #[error("damaged zip archive: {0}")]
    Zip(#[source] zip::result::ZipError),
    /// The `.safetensors` header is damaged.
    #[error("damaged safetensors header: {0}")]
    Safetensors(#[source] ::safetensors::SafeTensorError),
    /// Shape and values disagree.
    #[error("{0}")]
    Tensor(#[source] TensorError),
}

impl Problem {
    /// A [`Problem::Mismatch`] of two displayable things.
    pub(crate) fn mismatch(expected: impl fmt::Display, found: impl fmt::Display) -> Problem {
        Problem::Mismatch { expected: expected.to_string(), found: found.to_string() }
    }

    /// A [`Problem::Missing`].
    pub(crate) fn missing(what: impl fmt::Display) -> Problem {
        Problem::Missing { what: what.to_string() }
    }

    /// What the user can do, if anything.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Problem::Unsupported { hint, .. } => Some(hint),
            Problem::Truncated { .. }
            | Problem::Safetensors(
                ::safetensors::SafeTensorError::HeaderTooSmall
                | ::safetensors::SafeTensorError::InvalidHeaderLength
                | ::safetensors::SafeTensorError::MetadataIncompleteBuffer,
            ) => Some("the copy or download was probably cut short: copy or download the file again"),
            Problem::TooLarge { .. } => Some("if you trust the file, read it with larger limits"),
            Problem::ForbiddenGlobal { .. } => Some(
                "nothing of the file was executed; save data alone: a model's `state_dict()`, plain arrays, `.npz` or \
                     `.safetensors`",
            ),
            _ => None,
        }
    }

    /// This problem at a place of a file not yet named.
    pub fn at(self, place: impl fmt::Display) -> FormatError {
        FormatError { path: None, place: place.to_string(), problem: self }
    }
}

impl FormatError {
    /// The same error, naming the file unless one is named already.
    pub fn in_file(mut self, path: &Path) -> FormatError {
        self.path.get_or_insert_with(|| path.to_path_buf());
        self
    }

    /// The same error with `outer` before its place, joined by `/`.
    pub fn within(mut self, outer: &str) -> FormatError {
        self.place = match (outer, self.place.as_str()) {
            ("", _) => self.place,
            (_, "") => outer.to_owned(),
            _ => format!("{outer}/{}", self.place),
        };
        self
    }
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.path, self.place.as_str()) {
            (Some(path), "") => write!(f, "`{}`: ", path.display())?,
            (Some(path), place) => write!(f, "`{}`, at `{place}`: ", path.display())?,
            (None, "") => {}
            (None, place) => write!(f, "at `{place}`: ")?,
        }
        write!(f, "{}", self.problem)?;
        match self.problem.hint() {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for FormatError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.problem)
    }
}

impl From<Problem> for FormatError {
    fn from(problem: Problem) -> FormatError {
        problem.at("")
    }
}

impl From<std::io::Error> for FormatError {
    fn from(error: std::io::Error) -> FormatError {
        Problem::Io(error).into()
    }
}

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Problem {
        Problem::Io(error)
    }
}

impl From<serde_json::Error> for Problem {
    fn from(error: serde_json::Error) -> Problem {
        Problem::Json(error)
    }
}

impl From<hdf5_pure::Error> for Problem {
    fn from(error: hdf5_pure::Error) -> Problem {
        Problem::Hdf5(error)
    }
}

impl From<zip::result::ZipError> for Problem {
    fn from(error: zip::result::ZipError) -> Problem {
        Problem::Zip(error)
    }
}

impl From<TensorError> for Problem {
    fn from(error: TensorError) -> Problem {
        Problem::Tensor(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_names_file_place_problem_and_hint() {
        let error =
            Problem::Truncated { needed: 8, available: 3 }.at("kernel").within("dense").in_file(Path::new("m.h5"));
        assert_eq!(
            error.to_string(),
            "`m.h5`, at `dense/kernel`: the data is cut off: 8 bytes needed, 3 left\n\
             hint: the copy or download was probably cut short: copy or download the file again"
        );
        let error = FormatError::from(Problem::mismatch("a zip archive", "`abc`"));
        assert_eq!(error.to_string(), "expected a zip archive, found `abc`");
    }
}

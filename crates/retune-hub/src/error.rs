//! What can go wrong on the way to a model.

use std::path::PathBuf;

/// Why a model of the Hub could not be had. Where the user can do something, the text's second line says what.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// Text that is no address.
    #[error("`{text}` is not an address of a model\nhint: write `hf://org/name` or `hf://org/name@revision`")]
    Address {
        /// The text.
        text: String,
    },
    /// The Hub knows no such repository, revision or file (404).
    #[error("`{what}` is not on the hub\nhint: check the spelling; a private model needs a token in `HF_TOKEN`")]
    NotFound {
        /// Repository, revision or file.
        what: String,
    },
    /// The Hub wants to know who asks (401).
    #[error(
        "the hub refuses access to `{repository}` without a valid token\nhint: set `HF_TOKEN` to a token that may read it, and check the spelling"
    )]
    Unauthorized {
        /// The repository.
        repository: String,
    },
    /// The model is given only to those who accepted its conditions (403).
    #[error(
        "access to `{repository}` is gated\nhint: accept its conditions on its page at `{page}`, then set `HF_TOKEN`"
    )]
    Gated {
        /// The repository.
        repository: String,
        /// Where its conditions are.
        page: String,
    },
    /// Another status than success.
    #[error("`{url}` answers with status {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// No answer, or a broken one.
    #[error(
        "`{url}` cannot be reached: {source}\nhint: check the connection, `HF_ENDPOINT` and the proxy; with `HF_HUB_OFFLINE=1` models in the cache are used"
    )]
    Network {
        /// What was asked for.
        url: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An answer that makes no sense.
    #[error("the answer of `{url}` has no valid {what}")]
    Reply {
        /// What was asked for.
        url: String,
        /// What is wrong with the answer.
        what: &'static str,
    },
    /// A file of another length than the Hub announced.
    #[error("`{file}` has {found} bytes, the hub announced {expected}\nhint: try again later; the file is not used")]
    WrongLength {
        /// The file's name in the repository.
        file: String,
        /// Announced length.
        expected: u64,
        /// Length received.
        found: u64,
    },
    /// A file of another content than the Hub announced.
    #[error(
        "`{file}` has the checksum {found}, the hub announced {expected}\nhint: try again later; the file is not used"
    )]
    Checksum {
        /// The file's name in the repository.
        file: String,
        /// Announced SHA-256, hexadecimal.
        expected: String,
        /// SHA-256 of what was received.
        found: String,
    },
    /// Offline, and not in the cache.
    #[error(
        "`{what}` is not in the cache at `{cache}`, and the hub may not be asked\nhint: unset `HF_HUB_OFFLINE` once to fetch it"
    )]
    Offline {
        /// Address or file.
        what: String,
        /// The cache.
        cache: PathBuf,
    },
    /// The operating system refused.
    #[error("`{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

impl HubError {
    pub(crate) fn io(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> HubError {
        move |source| HubError::Io { path: path.to_path_buf(), source }
    }
}

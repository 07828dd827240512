//! Addresses of repositories of models.

use std::fmt;
use std::str::FromStr;

use crate::error::HubError;

const SCHEME: &str = "hf://";
const DEFAULT_REVISION: &str = "main";

/// `hf://org/name[@revision]`: a model on the Hub, and a branch, tag or commit of it (default `main`).
///
/// Old models have no organization: `hf://bert-base-uncased`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HubAddress {
    repository: String,
    revision: String,
}

impl HubAddress {
    /// Whether `text` is meant as such an address, right or wrong.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    /// `org/name`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Branch, tag or commit.
    pub fn revision(&self) -> &str {
        &self.revision
    }
}

impl FromStr for HubAddress {
    type Err = HubError;

    fn from_str(text: &str) -> Result<HubAddress, HubError> {
        let malformed = || HubError::Address { text: text.to_owned() };
        let rest = text.strip_prefix(SCHEME).ok_or_else(malformed)?;
        let (repository, revision) = rest.split_once('@').unwrap_or((rest, DEFAULT_REVISION));
        if repository.split('/').count() > 2 || !is_plain_path(repository) || !is_plain_path(revision) {
            return Err(malformed());
        }
        Ok(HubAddress { repository: repository.to_owned(), revision: revision.to_owned() })
    }
}

impl fmt::Display for HubAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}@{}", self.repository, self.revision)
    }
}

/// Whether `path` consists of names with `/` between, none of which could lead elsewhere in a folder or a URL.
pub(crate) fn is_plain_path(path: &str) -> bool {
    path.len() <= 500 && path.split('/').all(is_plain_name)
}

/// Whether `name` can be a file's name on every system, and the part of a URL as it is.
pub(crate) fn is_plain_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && name.len() <= 200 && name.chars().all(is_plain) && name != "." && name != ".."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let address: HubAddress = "hf://org/name".parse().unwrap();
        assert_eq!((address.repository(), address.revision()), ("org/name", "main"));
        let address: HubAddress = "hf://bert-base-uncased@refs/pr/7".parse().unwrap();
        assert_eq!((address.repository(), address.revision()), ("bert-base-uncased", "refs/pr/7"));
        assert_eq!(address.to_string(), "hf://bert-base-uncased@refs/pr/7");
        for text in
            ["org/name", "hf://", "hf://a/b/c", "hf://../x", "hf://a/..", "hf://a/b@", "hf://a/b@../c", "hf://a b"]
        {
            let error = text.parse::<HubAddress>().unwrap_err();
            assert!(error.to_string().contains("hf://org/name"), "{error}");
        }
    }
}

//! How much a reader may spend on one file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{FormatError, Problem};

/// Bounds on what reading one file may cost, whatever the file claims.
///
/// Sizes in a file are checked against these before memory is reserved for them. The defaults admit any model that
/// fits on one machine and keep a small hostile file from costing more than a moderate multiple of its own size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Size of the file itself, in bytes (default 64 GiB).
    pub max_file_bytes: u64,
    /// Sum of the sizes of all decoded tensors, in bytes (default 64 GiB).
    pub max_tensor_bytes: u64,
    /// Unpacked size per byte of the file, of archives and compressed data (default 100; Keras does not compress, and
    /// deflate cannot exceed 1032). The first [`Limits::FREE_EXPANSION_BYTES`] are free.
    pub max_expansion: u64,
    /// Number of groups, data sets, zip members, tensors, or pickled objects (default 1,000,000).
    pub max_objects: u64,
    /// Depth of nested groups or values (default 64).
    pub max_depth: usize,
    /// Size of one JSON text, in bytes (default 64 MiB).
    pub max_json_bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_file_bytes: 64 << 30,
            max_tensor_bytes: 64 << 30,
            max_expansion: 100,
            max_objects: 1_000_000,
            max_depth: 64,
            max_json_bytes: 64 << 20,
        }
    }
}

impl Limits {
    /// Unpacked bytes that every file may have whatever its own size (64 MiB).
    pub const FREE_EXPANSION_BYTES: u64 = 64 << 20;

    /// The most bytes that data unpacked from a file of `file_bytes` may take.
    pub fn unpacked_bytes(&self, file_bytes: u64) -> u64 {
        file_bytes.saturating_mul(self.max_expansion).max(Limits::FREE_EXPANSION_BYTES).min(self.max_tensor_bytes)
    }

    /// The whole file, if it is within [`Limits::max_file_bytes`].
    pub fn read_file(&self, path: &Path) -> Result<Vec<u8>, FormatError> {
        let read = || -> Result<Vec<u8>, Problem> {
            let file = File::open(path)?;
            let mut bytes = Vec::new();
            let length = file.metadata()?.len();
            check("the file's size in bytes", length, self.max_file_bytes)?;
            bytes.try_reserve_exact(length as usize).map_err(|_| Problem::TooLarge {
                what: "the file's size in bytes",
                found: length,
                limit: self.max_file_bytes,
            })?;
            file.take(self.max_file_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
            check("the file's size in bytes", bytes.len() as u64, self.max_file_bytes)?;
            Ok(bytes)
        };
        read().map_err(|problem| FormatError::from(problem).in_file(path))
    }
}

/// [`Problem::TooLarge`] if `found > limit`.
pub(crate) fn check(what: &'static str, found: u64, limit: u64) -> Result<(), Problem> {
    if found > limit { Err(Problem::TooLarge { what, found, limit }) } else { Ok(()) }
}

/// A quantity that reading uses up.
#[derive(Debug)]
pub(crate) struct Budget {
    what: &'static str,
    spent: u64,
    limit: u64,
}

impl Budget {
    /// A budget of `limit`, named `what` in errors.
    pub(crate) fn new(what: &'static str, limit: u64) -> Budget {
        Budget { what, spent: 0, limit }
    }

    /// Takes `amount`, or says by how much the file exceeds the limit.
    pub(crate) fn spend(&mut self, amount: u64) -> Result<(), Problem> {
        self.spent = self.spent.saturating_add(amount);
        check(self.what, self.spent, self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budget_refuses_what_exceeds_it() {
        let mut budget = Budget::new("objects", 3);
        assert!(budget.spend(3).is_ok());
        assert!(matches!(budget.spend(1), Err(Problem::TooLarge { found: 4, limit: 3, .. })));
        assert!(budget.spend(u64::MAX).is_err());
    }

    #[test]
    fn small_files_may_expand_to_the_free_amount_and_large_ones_in_proportion() {
        let limits = Limits::default();
        assert_eq!(limits.unpacked_bytes(10), 64 << 20);
        assert_eq!(limits.unpacked_bytes(1 << 20), 100 << 20);
        assert_eq!(limits.unpacked_bytes(u64::MAX), 64 << 30);
    }
}

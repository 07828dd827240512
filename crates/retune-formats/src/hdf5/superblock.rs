//! The superblock, an HDF5 file's first structure: where it stands, and how long it says the file is.
//!
//! HDF5 scatters a file's parts freely and mostly puts attributes last, so a file cut short can open and merely lack
//! something. Only the superblock's end-of-file address tells that bytes are missing.

use crate::error::{FormatError, Problem};

const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";

/// Where the superblock may stand first after a user block; each further place is twice as far.
const FIRST_USER_BLOCK_BYTES: usize = 512;

/// The place named in errors.
const PLACE: &str = "superblock";

/// The byte at which the superblock's signature stands, if `bytes` are an HDF5 file: 0, or 512, 1024, 2048, … behind a
/// user block.
pub(super) fn find(bytes: &[u8]) -> Option<usize> {
    let user_blocks = std::iter::successors(Some(FIRST_USER_BLOCK_BYTES), |bytes| bytes.checked_mul(2));
    std::iter::once(0)
        .chain(user_blocks.take_while(|&start| start < bytes.len()))
        .find(|&start| bytes.get(start..).is_some_and(|rest| rest.starts_with(SIGNATURE)))
}

/// Refuses a file of `length` bytes, its superblock at byte `start`, that is shorter than its superblock says.
///
/// The end-of-file address counts the user block, as the base address does. Their difference, counted from where the
/// superblock really stands, holds also if a user block was put before the file or taken away later. A longer file is
/// in order: others may append to it, and HDF5 reserves space.
pub(super) fn check_length(file: &hdf5_pure::File, start: usize, length: usize) -> Result<(), FormatError> {
    let superblock = file.superblock();
    let (needed, available) = (
        superblock.eof_address.saturating_sub(superblock.base_address.get()).saturating_add(start as u64),
        length as u64,
    );
    if available < needed { Err(Problem::Truncated { needed, available }.at(PLACE)) } else { Ok(()) }
}

/// What is wrong with a file of `length` bytes whose superblock, at byte `start`, `error` keeps from being read.
pub(super) fn unreadable(error: hdf5_pure::Error, start: usize, length: usize) -> FormatError {
    let problem = match error {
        // The superblock itself is cut; the library counts from its start.
        hdf5_pure::Error::Format(hdf5_pure::FormatError::UnexpectedEof { expected, .. }) => {
            Problem::Truncated { needed: start.saturating_add(expected) as u64, available: length as u64 }
        }
        error => error.into(),
    };
    problem.at(PLACE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn found_at_the_start_and_behind_a_user_block() {
        assert_eq!(find(SIGNATURE), Some(0));
        for start in [512, 1024, 4096] {
            assert_eq!(find(&[&vec![0; start], SIGNATURE].concat()), Some(start));
        }
        for other in [&[][..], &SIGNATURE[1..], &[&[0; 256], SIGNATURE].concat(), &[0; 5000]] {
            assert_eq!(find(other), None);
        }
    }
}

//! The bytes of a file, mapped into memory or at hand.

use std::fs::File;
use std::ops::Deref;
use std::path::Path;

use memmap2::Mmap;

use crate::error::{FormatError, Problem};
use crate::limits::{Limits, check};

/// The bytes of a file: mapped, so that only the parts that are looked at take memory, or owned.
#[derive(Debug)]
pub(crate) enum FileBytes {
    Mapped(Mmap),
    Owned(Vec<u8>),
}

impl FileBytes {
    /// Maps the file at `path`, which must not change while the value lives; an empty file is not mapped.
    pub(crate) fn map(path: &Path, limits: &Limits) -> Result<FileBytes, FormatError> {
        let map = || -> Result<FileBytes, Problem> {
            let file = File::open(path)?;
            let metadata = file.metadata()?;
            if !metadata.is_file() {
                return Err(Problem::mismatch("a file", "a folder or device"));
            }
            check("the file's size in bytes", metadata.len(), limits.max_file_bytes)?;
            if metadata.len() == 0 {
                return Ok(FileBytes::Owned(Vec::new()));
            }
            // SAFETY: the map is private to this process and only read. A file that another process changes meanwhile
            // gives other bytes, which every reader here treats as hostile anyway; one that is cut shorter ends the
            // process by a signal, as it does every program that maps files.
            let map = unsafe { Mmap::map(&file)? };
            Ok(FileBytes::Mapped(map))
        };
        map().map_err(|problem| FormatError::from(problem).in_file(path))
    }

    /// Tells the operating system that the whole pages of `part`, a part of these bytes, are not needed soon, so that
    /// a large file read once from end to end does not stay in this process's memory. They are read again on demand.
    pub(crate) fn release(&self, part: &[u8]) {
        #[cfg(unix)]
        if let FileBytes::Mapped(map) = self {
            const PAGE_BYTES: usize = 1 << 16;
            let start = (part.as_ptr() as usize).wrapping_sub(map.as_ptr() as usize);
            if start > map.len() || part.len() > map.len() - start {
                return;
            }
            let first = start.next_multiple_of(PAGE_BYTES);
            let end = (start + part.len()) / PAGE_BYTES * PAGE_BYTES;
            if first < end {
                // SAFETY: the map is of a file, shared and never written, so that dropped pages are read again from
                // the file with the same contents; the range lies within the map.
                let released =
                    unsafe { map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, first, end - first) };
                // Only a hint: without it the pages stay until they are needed for something else.
                let _ = released;
            }
        }
        #[cfg(not(unix))]
        let _ = part;
    }
}

impl Deref for FileBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            FileBytes::Mapped(map) => map,
            FileBytes::Owned(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn released_pages_are_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let bytes: Vec<u8> = (0..1_000_000u32).map(|i| (i % 253) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let mapped = FileBytes::map(&path, &Limits::default()).unwrap();
        assert!(*mapped == *bytes);
        mapped.release(&mapped[70_000..900_000]);
        mapped.release(&[1, 2, 3]);
        assert!(*mapped == *bytes);
    }

    #[test]
    fn empty_files_folders_and_large_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, b"").unwrap();
        assert!(FileBytes::map(&path, &Limits::default()).unwrap().is_empty());
        assert!(FileBytes::map(folder.path(), &Limits::default()).is_err());
        std::fs::write(&path, b"12345").unwrap();
        let limits = Limits { max_file_bytes: 4, ..Limits::default() };
        let error = FileBytes::map(&path, &limits).unwrap_err();
        assert!(matches!(error.problem, Problem::TooLarge { found: 5, limit: 4, .. }));
    }
}

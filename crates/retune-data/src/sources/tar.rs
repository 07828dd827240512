//! Files inside of a `.tar.gz`, read in memory: nothing is unpacked to disk, and no name in the archive becomes a path.
//!
//! The format is POSIX.1-1988's `ustar` and what GNU tar and the older V7 tar write of it: headers of 512 bytes with name, size
//! in octal digits and a checksum, each followed by the contents in whole blocks of 512 bytes. Entries that are no plain
//! files (folders, links, longer names) are passed over.

use crate::error::DataError;
use flate2::read::GzDecoder;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

const BLOCK: usize = 512;
/// Most bytes of an archive after unpacking.
const MAX_BYTES: u64 = 1 << 31;
/// Most entries of an archive.
const MAX_ENTRIES: usize = 10_000;

/// Whether a file's name says that it is such an archive.
pub(super) fn is_archive_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with(".tar.gz") || name.ends_with(".tgz")
}

/// What is done with the files that come after one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// They are read.
    Read,
    /// They are not looked at.
    Stop,
}

/// Reads the plain files of the archive at `path` in its order. `wants` is told the last part of each name, and says how many
/// bytes such a file may have, if it is wanted; `each` is given its contents.
///
/// # Errors
/// An archive that is damaged or of absurd size, a wanted file that is too long, and errors of `each`.
pub(super) fn read(
    path: &Path,
    wants: impl Fn(&str) -> Option<u64>,
    mut each: impl FnMut(&str, Vec<u8>) -> Result<Next, DataError>,
) -> Result<(), DataError> {
    let malformed = |place: String, expected: &str, found: String| DataError::Malformed {
        path: path.to_path_buf(),
        place,
        expected: expected.to_owned(),
        found,
        hint: "the download may have been cut short; fetch it again",
    };
    let file = BufReader::new(File::open(path).map_err(DataError::io(path))?);
    let mut archive = GzDecoder::new(file).take(MAX_BYTES);
    let damaged =
        |error: std::io::Error, place: &str| malformed(place.to_owned(), "a whole .tar.gz", error.to_string());
    for entry in 0..MAX_ENTRIES {
        let mut header = [0; BLOCK];
        let place = || format!("entry {entry}");
        archive.read_exact(&mut header).map_err(|error| damaged(error, &place()))?;
        // Two blocks of zeros end an archive.
        if header.iter().all(|&byte| byte == 0) {
            return Ok(());
        }
        let header = Header::read(&header)
            .ok_or_else(|| malformed(place(), "the header of a tar entry", "no such header".to_owned()))?;
        let padding = header.size.next_multiple_of(BLOCK as u64) - header.size;
        let most = wants(&header.name).filter(|_| header.is_file);
        let Some(most) = most else {
            pass_over(&mut archive, header.size + padding).map_err(|error| damaged(error, &place()))?;
            continue;
        };
        if header.size > most {
            let found = format!("{} bytes", header.size);
            return Err(malformed(format!("`{}`", header.name), &format!("at most {most} bytes"), found));
        }
        let mut contents = Vec::new();
        archive.by_ref().take(header.size).read_to_end(&mut contents).map_err(|error| damaged(error, &header.name))?;
        if contents.len() as u64 != header.size {
            let (expected, found) = (format!("{} bytes", header.size), format!("{} bytes", contents.len()));
            return Err(malformed(format!("`{}`", header.name), &expected, found));
        }
        pass_over(&mut archive, padding).map_err(|error| damaged(error, &place()))?;
        if each(&header.name, contents)? == Next::Stop {
            return Ok(());
        }
    }
    Err(malformed("whole file".to_owned(), &format!("at most {MAX_ENTRIES} entries"), "more".to_owned()))
}

/// Reads so many bytes and forgets them.
fn pass_over(archive: &mut impl Read, bytes: u64) -> std::io::Result<()> {
    match std::io::copy(&mut archive.take(bytes), &mut std::io::sink())? {
        passed if passed == bytes => Ok(()),
        _ => Err(std::io::ErrorKind::UnexpectedEof.into()),
    }
}

/// What is used of an entry's header.
struct Header {
    /// The last part of the name.
    name: String,
    size: u64,
    is_file: bool,
}

impl Header {
    /// `None` where the checksum or the size is none.
    fn read(block: &[u8; BLOCK]) -> Option<Header> {
        // The checksum counts its own field as spaces.
        let sum: u64 = (0..BLOCK).map(|i| if (148..156).contains(&i) { 32 } else { u64::from(block[i]) }).sum();
        if octal(&block[148..156])? != sum {
            return None;
        }
        let name = block[..100].split(|&byte| byte == 0).next().unwrap_or_default();
        let name = String::from_utf8_lossy(name);
        let last = name.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        Some(Header {
            name: last.to_owned(),
            size: octal(&block[124..136])?,
            is_file: matches!(block[156], 0 | b'0') && !name.ends_with('/'),
        })
    }
}

/// A number in octal digits, with spaces before and spaces or zeros behind.
fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?.trim_matches([' ', '\0']);
    if text.is_empty() { Some(0) } else { u64::from_str_radix(text, 8).ok() }
}

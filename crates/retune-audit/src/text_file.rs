//! Whole files as bytes or text, unpacked where their names end in `.gz`.

use crate::error::AuditError;
use encoding_rs::UTF_8;
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Most bytes that are read, after unpacking.
const MAX_BYTES: u64 = 1 << 34;

/// Whether a file is packed, by its name.
pub(crate) fn is_packed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"))
}

/// A file's bytes, unpacked.
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>, AuditError> {
    let failed = |error| AuditError::io("read", path)(error);
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    let result = if is_packed(path) {
        MultiGzDecoder::new(file).take(MAX_BYTES).read_to_end(&mut bytes)
    } else {
        file.take(MAX_BYTES).read_to_end(&mut bytes)
    };
    result.map_err(failed)?;
    Ok(bytes)
}

/// A file's text: UTF-16 where its mark says so, else UTF-8; without the mark, and other bytes as `U+FFFD`.
pub(crate) fn read(path: &Path) -> Result<String, AuditError> {
    Ok(UTF_8.decode(&read_bytes(path)?).0.into_owned())
}

/// A file's bytes with the places of its lines.
#[derive(Debug)]
pub(crate) struct Lines {
    bytes: Vec<u8>,
    /// Where each line begins, and the end of the file.
    starts: Vec<usize>,
}

impl Lines {
    /// Reads a file. In UTF-16 a line ends with that encoding's line feed.
    pub(crate) fn read(path: &Path) -> Result<Lines, AuditError> {
        let bytes = read_bytes(path)?;
        let mut starts = vec![0];
        match utf16_order(&bytes) {
            None => starts.extend(bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(i, _)| i + 1)),
            Some(line_feed) => {
                let units = bytes.chunks_exact(2).enumerate();
                starts.extend(units.filter(|(_, unit)| *unit == line_feed).map(|(i, _)| 2 * i + 2));
            }
        }
        if starts.last() != Some(&bytes.len()) {
            starts.push(bytes.len());
        }
        Ok(Lines { bytes, starts })
    }

    /// Number of lines.
    pub(crate) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// The bytes of lines, counted from 1, line ends included; `None` where they begin after the file's end or nowhere.
    pub(crate) fn get(&self, lines: std::ops::Range<u64>) -> Option<&[u8]> {
        let start = *self.starts.get(usize::try_from(lines.start.checked_sub(1)?).ok()?)?;
        let end = usize::try_from(lines.end.checked_sub(1)?).ok()?.min(self.len());
        self.bytes.get(start..*self.starts.get(end)?)
    }
}

/// The line feed of UTF-16 in the byte order that the file's mark tells.
fn utf16_order(bytes: &[u8]) -> Option<[u8; 2]> {
    match bytes {
        [0xff, 0xfe, ..] => Some([b'\n', 0]),
        [0xfe, 0xff, ..] => Some([0, b'\n']),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Lines {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        std::fs::write(&path, bytes).unwrap();
        Lines::read(&path).unwrap()
    }

    #[test]
    fn lines_are_cut_with_their_ends() {
        let file = lines(b"a\r\nbc\n\nd");
        assert_eq!(file.len(), 4);
        assert_eq!(file.get(1..2), Some(&b"a\r\n"[..]));
        assert_eq!(file.get(2..4), Some(&b"bc\n\n"[..]));
        assert_eq!(file.get(4..9), Some(&b"d"[..]));
        assert_eq!((file.get(0..1), file.get(9..10)), (None, None));
        assert_eq!(lines(b"a\n").len(), 1);
    }

    #[test]
    fn wide_characters_hold_no_line_feed() {
        // `ਊ` is 0x0A0A.
        let mut bytes = vec![0xff, 0xfe];
        bytes.extend("aਊ\nb".encode_utf16().flat_map(u16::to_le_bytes));
        let file = lines(&bytes);
        assert_eq!((file.len(), file.get(2..3)), (2, Some(&b"b\0"[..])));
    }
}

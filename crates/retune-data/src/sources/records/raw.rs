//! Rows of a file of lines as the bytes that they are, line ends included.

use super::charset::TextEncoding;
use super::lines::{Lines, Look, read_line, reader};
use crate::error::DataError;
use std::io::BufRead;
use std::ops::Range;
use std::path::Path;

/// Gives the bytes of each row to `each`, with its index; before them those of the lines before the first row, with `None`. `rows` gives the
/// lines of each row, counted from 1.
///
/// # Errors
/// A file that cannot be read, [`DataError::Changed`] where it has other rows, and errors of `each`.
pub fn raw_rows(
    source: &Path,
    encoding: Option<TextEncoding>,
    count: usize,
    rows: &dyn Fn(usize) -> Option<Range<u64>>,
    mut each: impl FnMut(Option<usize>, &[u8]) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let changed = || DataError::Changed { path: source.to_path_buf() };
    // The width of a line feed is all that matters of the encoding, and the beginning tells it.
    let line_feed = Lines::open(source, encoding, Look::Glance)?.charset().line_feed();
    let mut input = reader(source)?;
    let (mut bytes, mut at) = (Vec::new(), 1);
    let mut read_to = |end: u64, bytes: &mut Vec<u8>| -> Result<u64, DataError> {
        bytes.clear();
        while at < end {
            let before = bytes.len();
            read_line(&mut input, bytes, line_feed, usize::MAX).map_err(DataError::io(source))?;
            if bytes.len() == before {
                break;
            }
            at += 1;
        }
        Ok(at)
    };
    let first = if count == 0 { u64::MAX } else { rows(0).ok_or_else(changed)?.start };
    let mut next = read_to(first, &mut bytes)?;
    each(None, &bytes)?;
    for index in 0..count {
        let range = rows(index).filter(|range| range.start == next).ok_or_else(changed)?;
        next = read_to(range.end, &mut bytes)?;
        if bytes.is_empty() {
            return Err(changed());
        }
        each(Some(index), &bytes)?;
    }
    if input.fill_buf().map_err(DataError::io(source))?.is_empty() { Ok(()) } else { Err(changed()) }
}

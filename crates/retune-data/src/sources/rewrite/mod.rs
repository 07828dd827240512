//! Copies of files without some of their rows, in the form that the file has; the texts of some rows written as they were meant.
//!
//! | file | what it copies |
//! | --- | --- |
//! | `lines` | files whose rows are lines, byte for byte |
//! | `elements` | JSON arrays, with what stands around them, byte for byte |
//! | `parquet` | Parquet: schema, metadata, packing and row groups as they are, values by their bits |
//! | `arrow` | Arrow's IPC format, file or stream: schema, metadata, packing and batches as they are |
//!
//! A file of any size takes the memory of its largest row, page or batch.

mod arrow;
mod elements;
mod lines;
mod parquet;

use super::name_of;
use super::records::columnar::without_panic;
use super::text::TextEncoding;
use crate::error::DataError;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::ops::Range;
use std::path::Path;

/// What becomes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is copied as it is.
    Copied,
    /// Its texts are written as they were meant. Where none of them can be, it is copied, and becomes [`Fate::Copied`].
    Repaired,
    /// It is left out.
    Dropped,
}

/// What a text was meant to be; `None` where it is as it should be.
pub type Meant<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Fate {
    /// The bytes that are written of a row: none, the same, or those of what its text was meant to be.
    fn apply<'a>(&mut self, bytes: &'a [u8], meant: Meant<'_>) -> Option<std::borrow::Cow<'a, [u8]>> {
        let repaired = match self {
            Fate::Dropped => return None,
            Fate::Copied => None,
            Fate::Repaired => std::str::from_utf8(bytes).ok().and_then(meant),
        };
        Some(match repaired {
            Some(text) => text.into_bytes().into(),
            None => {
                *self = Fate::Copied;
                bytes.into()
            }
        })
    }
}

/// Copies a file whose rows are lines; `rows` gives the lines of each, counted from 1. Those before the first row are a header and stay.
///
/// # Errors
/// A file that cannot be read or written, and [`DataError::Changed`] where it has other rows.
pub fn lines(
    source: &Path,
    target: &Path,
    encoding: Option<TextEncoding>,
    rows: &dyn Fn(usize) -> Option<Range<u64>>,
    fates: &mut [Fate],
    meant: Meant<'_>,
) -> Result<(), DataError> {
    packed_like(source, target, |out| lines::copy(source, out, encoding, rows, fates, meant))
}

/// Copies a JSON array, or an object with one, whose elements are the rows.
///
/// # Errors
/// As for [`lines`].
pub fn elements(
    source: &Path,
    target: &Path,
    encoding: Option<TextEncoding>,
    fates: &mut [Fate],
    meant: Meant<'_>,
) -> Result<(), DataError> {
    packed_like(source, target, |out| elements::copy(source, out, encoding, fates, meant))
}

/// Copies a file of Parquet or Arrow.
///
/// # Errors
/// As for [`lines`].
pub fn columns(source: &Path, target: &Path, fates: &mut [Fate], meant: Meant<'_>) -> Result<(), DataError> {
    let mut magic = Vec::new();
    let file = File::open(source).map_err(DataError::io(source))?;
    (&file).take(parquet::MAGIC.len() as u64).read_to_end(&mut magic).map_err(DataError::io(source))?;
    let mut out = BufWriter::new(File::create(target).map_err(not_written(target))?);
    let copied = without_panic(|| match magic == parquet::MAGIC {
        true => parquet::copy(file, &mut out, fates, meant).map_err(|error| error.to_string()),
        false => arrow::copy(file, &mut out, fates, meant).map_err(|error| error.to_string()),
    });
    let has_same_rows = copied.map_err(|reason| DataError::Copy { path: source.to_path_buf(), reason })?;
    if !has_same_rows {
        return Err(changed(source));
    }
    out.flush().and_then(|()| out.get_ref().sync_all()).map_err(not_written(target))
}

/// Lets `copy` write a file, packed where the source is.
fn packed_like(
    source: &Path,
    target: &Path,
    copy: impl FnOnce(&mut dyn Write) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let mut out = BufWriter::new(File::create(target).map_err(not_written(target))?);
    if name_of(source).to_ascii_lowercase().ends_with(".gz") {
        let mut packed = GzEncoder::new(&mut out, Compression::default());
        copy(&mut packed)?;
        packed.finish().map_err(not_written(target))?;
    } else {
        copy(&mut out)?;
    }
    out.flush().and_then(|()| out.get_ref().sync_all()).map_err(not_written(target))
}

/// An error while a copy of a file is written.
fn not_copied(source: &Path) -> impl Fn(io::Error) -> DataError {
    move |error| DataError::Copy { path: source.to_path_buf(), reason: error.to_string() }
}

fn not_written(target: &Path) -> impl Fn(io::Error) -> DataError {
    move |error| DataError::Write { path: target.to_path_buf(), source: error }
}

fn changed(source: &Path) -> DataError {
    DataError::Changed { path: source.to_path_buf() }
}

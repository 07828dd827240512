//! Files whose rows are lines.

use super::{Fate, Meant, not_copied};
use crate::error::DataError;
use crate::sources::raw_rows;
use crate::sources::text::TextEncoding;
use std::io::Write;
use std::ops::Range;
use std::path::Path;

pub(super) fn copy(
    source: &Path,
    out: &mut dyn Write,
    encoding: Option<TextEncoding>,
    rows: &dyn Fn(usize) -> Option<Range<u64>>,
    fates: &mut [Fate],
    meant: Meant<'_>,
) -> Result<(), DataError> {
    raw_rows(source, encoding, fates.len(), rows, |index, bytes| {
        let left = match index {
            Some(index) => fates[index].apply(bytes, meant).unwrap_or_default(),
            None => bytes.into(),
        };
        out.write_all(&left).map_err(not_copied(source))
    })
}

//! Zip archives within limits: the container of `.keras` and `.npz`.

use std::io::{Cursor, Read, Seek, Write};

use indexmap::IndexMap;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::error::{FormatError, Problem};
use crate::limits::{Limits, check};

/// Every member of the archive `bytes` by name, unpacked, in the archive's order; folders are passed over.
///
/// # Errors
/// If the archive is damaged (a checksum differs too), has a name twice or one that is absolute or climbs with `..`,
/// or unpacks to more than the limits permit.
pub(crate) fn read_members(bytes: &[u8], limits: &Limits) -> Result<IndexMap<String, Vec<u8>>, FormatError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(Problem::from)?;
    if archive.has_duplicate_names() {
        return Err(Problem::mismatch("zip members of distinct names", "a name that occurs twice").into());
    }
    check("the number of zip members", archive.len() as u64, limits.max_objects).map_err(FormatError::from)?;
    let mut left = limits.unpacked_bytes(bytes.len() as u64);
    let limit = left;
    let mut members = IndexMap::new();
    for index in 0..archive.len() {
        let member = archive.by_index(index).map_err(Problem::from)?;
        let name = member.name().map_err(Problem::from)?.into_owned();
        if member.is_dir() {
            continue;
        }
        if !is_plain(&name) {
            return Err(Problem::UnsafeName { name }.into());
        }
        // The size that the header claims is not believed, only used to refuse early and to reserve within reason.
        let claimed = member.size();
        let too_large =
            |found| Problem::TooLarge { what: "the archive's unpacked size in bytes", found, limit }.at(&name);
        if claimed > left {
            return Err(too_large(limit - left + claimed));
        }
        let mut data = Vec::with_capacity(usize::try_from(claimed.min(bytes.len() as u64)).unwrap_or(0));
        member.take(left + 1).read_to_end(&mut data).map_err(|error| Problem::Io(error).at(&name))?;
        if data.len() as u64 > left {
            return Err(too_large(limit + 1));
        }
        left -= data.len() as u64;
        members.insert(name, data);
    }
    Ok(members)
}

/// Writes `members`, in their order, without compression: the member's bytes can then be mapped into memory, and
/// weights hardly compress.
///
/// # Errors
/// If `writer` fails, or a name is absolute or climbs with `..`.
pub(crate) fn write_members<'m>(
    members: impl IntoIterator<Item = (&'m str, &'m [u8])>,
    writer: impl Write + Seek,
) -> Result<(), FormatError> {
    let mut zip = ZipWriter::new(writer);
    for (name, data) in members {
        if !is_plain(name) {
            return Err(Problem::UnsafeName { name: name.to_owned() }.into());
        }
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(data.len() as u64 >= u64::from(u32::MAX));
        zip.start_file(name, options).map_err(|error| Problem::from(error).at(name))?;
        zip.write_all(data).map_err(|error| Problem::Io(error).at(name))?;
    }
    zip.finish().map_err(Problem::from)?.flush().map_err(Problem::from)?;
    Ok(())
}

/// Whether a member's name is a relative path that stays below the archive's root on every system.
fn is_plain(name: &str) -> bool {
    let plain_part = |part: &str| !matches!(part, "" | "." | "..");
    !name.contains(['\\', '\0', ':']) && name.split('/').all(plain_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_leave_the_archive_are_not_plain() {
        for name in ["", "/etc/passwd", "../x", "a/../../x", "a\\b", "C:x", "a//b", "./a", "a\0b"] {
            assert!(!is_plain(name), "{name:?}");
        }
        assert!(is_plain("assets/vocabulary.txt"));
    }
}

//! The zip archive that PyTorch writes since version 1.6.

use std::io::{Cursor, Read};
use std::ops::Range;

use indexmap::IndexMap;
use zip::{CompressionMethod, ZipArchive};

use crate::bytes::ByteOrder;
use crate::error::{FormatError, Problem};
use crate::limits::{Limits, check};

const PICKLE: &str = "data.pkl";

/// The contents of a member of the archive.
#[derive(Debug)]
pub(super) enum Data {
    /// As it stands in the file.
    At(Range<usize>),
    /// Unpacked, where the archive is compressed. PyTorch does not do so; other programs may.
    Unpacked(Vec<u8>),
}

impl Data {
    pub(super) fn get<'d>(&'d self, file: &'d [u8]) -> &'d [u8] {
        match self {
            Data::At(range) => &file[range.clone()],
            Data::Unpacked(bytes) => bytes,
        }
    }
}

/// The members of an archive, below its root folder.
#[derive(Debug)]
pub(super) struct Members {
    members: IndexMap<String, (Data, u32)>,
}

impl Members {
    /// Where the members of the archive `file` are.
    pub(super) fn find(file: &[u8], limits: &Limits) -> Result<Members, FormatError> {
        let mut archive = ZipArchive::new(Cursor::new(file)).map_err(Problem::from)?;
        if archive.has_duplicate_names() {
            return Err(Problem::mismatch("zip members of distinct names", "a name that occurs twice").into());
        }
        check("the number of zip members", archive.len() as u64, limits.max_objects).map_err(FormatError::from)?;
        let root = root(&archive)?;
        let limit = limits.unpacked_bytes(file.len() as u64);
        let mut left = limit;
        let mut members = IndexMap::new();
        for index in 0..archive.len() {
            let member = archive.by_index_raw(index).map_err(Problem::from)?;
            let name = member.name().map_err(Problem::from)?.into_owned();
            let Some(inner) = name.strip_prefix(root.as_str()).map(str::to_owned) else { continue };
            let crc = member.crc32();
            let at = |problem: Problem| problem.at(&name);
            if member.encrypted() {
                let hint = "unpack the archive, and pack it without a password";
                return Err(at(Problem::Unsupported { what: "an encrypted archive".into(), hint }));
            }
            if member.compression() == CompressionMethod::Stored {
                let available = file.len() as u64;
                let start = member.data_start().unwrap_or(available);
                let end = start.saturating_add(member.size());
                if end > available || member.size() != member.compressed_size() {
                    return Err(at(Problem::Truncated { needed: end, available }));
                }
                members.insert(inner, (Data::At(start as usize..end as usize), crc));
                continue;
            }
            drop(member);
            let member = archive.by_index(index).map_err(|error| at(error.into()))?;
            let mut unpacked = Vec::new();
            member.take(left + 1).read_to_end(&mut unpacked).map_err(|error| at(error.into()))?;
            let too_large =
                || Problem::TooLarge { what: "the archive's unpacked size in bytes", found: limit + 1, limit };
            left = left.checked_sub(unpacked.len() as u64).ok_or_else(|| at(too_large()))?;
            members.insert(inner, (Data::Unpacked(unpacked), crc));
        }
        Ok(Members { members })
    }

    /// The pickle of the object that was saved.
    pub(super) fn pickle<'d>(&'d self, file: &'d [u8]) -> Result<&'d [u8], FormatError> {
        let (data, crc) = self.members.get(PICKLE).ok_or_else(|| Problem::missing(format_args!("`{PICKLE}`")))?;
        let pickle = data.get(file);
        verify(pickle, *crc).map_err(|problem| problem.at(PICKLE))?;
        Ok(pickle)
    }

    /// Whether the archive holds a program and not only data.
    pub(super) fn is_script(&self) -> bool {
        self.members.contains_key("constants.pkl")
    }

    /// The order of bytes in storages; little-endian where the archive does not tell (before PyTorch 2.1).
    pub(super) fn byte_order(&self, file: &[u8]) -> Result<ByteOrder, FormatError> {
        match self.members.get("byteorder").map(|(data, _)| data.get(file)) {
            None | Some(b"little") => Ok(ByteOrder::Little),
            Some(b"big") => Ok(ByteOrder::Big),
            Some(other) => {
                let found = format!("`{}`", other.get(..16).unwrap_or(other).escape_ascii());
                Err(Problem::mismatch("`little` or `big`", found).at("byteorder"))
            }
        }
    }

    /// The bytes of the storage `key`, and their checksum.
    pub(super) fn take_storage(&mut self, key: &str) -> Option<(Data, u32)> {
        self.members.swap_remove(&format!("data/{key}"))
    }
}

/// The folder, with its `/`, in which the pickle is.
fn root(archive: &ZipArchive<Cursor<&[u8]>>) -> Result<String, FormatError> {
    let roots: Vec<String> = archive
        .file_names()
        .filter_map(|name| Some(name.ok()?.strip_suffix(PICKLE)?.to_owned()))
        .filter(|root| root.ends_with('/') && root.matches('/').count() == 1)
        .collect();
    match roots.as_slice() {
        [root] => Ok(root.clone()),
        [] => {
            Err(Problem::mismatch("an archive of PyTorch, with a member `<folder>/data.pkl`", "another archive").into())
        }
        _ => Err(Problem::mismatch("one member `<folder>/data.pkl`", "several").into()),
    }
}

/// Checks bytes against their checksum; 0 means that none was computed (an option of PyTorch).
pub(super) fn verify(bytes: &[u8], crc: u32) -> Result<(), Problem> {
    if crc == 0 {
        return Ok(());
    }
    let found = crc32fast::hash(bytes);
    if found != crc {
        return Err(Problem::mismatch(format_args!("the checksum {crc:08x}"), format_args!("{found:08x}")));
    }
    Ok(())
}

//! A file of kept values.
//!
//! ```text
//! header   "retune features\0", version, key of the part, checksum              64 bytes
//! record   key of the example, bytes of values, checksums of both and of the values    48 bytes
//!          values, padded with zeros to a multiple of 16 bytes
//! record   …
//! ```
//!
//! Numbers are little-endian, checksums CRC-32. One process appends, under a lock; a record is whole or not there, as its checksums
//! tell, so whoever reads meanwhile, or after the machine stopped, finds all records before it. Values are checked at every reading.

use memmap2::Mmap;
use retune_data::ContentHash;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Version of the layout, a part of every key.
pub const VERSION: u32 = 1;
/// Extension of the files.
pub const EXTENSION: &str = "features";

const MAGIC: &[u8; 16] = b"retune features\0";
const HEADER_BYTES: usize = 64;
const RECORD_BYTES: usize = 48;
const ALIGNMENT: u64 = 16;
/// Bytes that are read of a file before its pages are given back, so that a large file does not fill the process's memory.
pub const RELEASE_BYTES: u64 = 16 << 20;

/// Where a record's values stand in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    offset: u64,
    bytes: u64,
    checksum: u32,
}

/// A file, open to be read.
#[derive(Debug)]
pub struct Segment {
    path: PathBuf,
    file: File,
    /// As much of the file as there was when it was last mapped.
    map: Mutex<Option<Arc<Mmap>>>,
    read_bytes: AtomicU64,
}

/// A file as it was found.
#[derive(Debug)]
pub struct Scanned {
    /// The file.
    pub segment: Segment,
    /// Its records in their order.
    pub records: Vec<(ContentHash, Location)>,
    /// Bytes up to the end of the last whole record.
    pub whole_bytes: u64,
    /// Whether nothing stands behind it.
    pub is_whole: bool,
}

impl Segment {
    /// Opens a file and lists its records up to the first that is not whole; `None` where the file is none of this part.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn scan(path: &Path, part: &ContentHash) -> io::Result<Option<Scanned>> {
        let file = File::open(path)?;
        let segment = Segment { path: path.to_owned(), file, map: Mutex::new(None), read_bytes: AtomicU64::new(0) };
        let Some(map) = segment.mapped(0)? else { return Ok(None) };
        if map.get(..HEADER_BYTES) != Some(&header(part)) {
            return Ok(None);
        }
        let (mut records, mut end) = (Vec::new(), HEADER_BYTES as u64);
        while let Some((key, location)) = record_at(&map, end) {
            records.push((key, location));
            end = location.end();
        }
        let is_whole = end == map.len() as u64;
        release(&map);
        drop(map);
        Ok(Some(Scanned { segment, records, whole_bytes: end, is_whole }))
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Stored values; `None` where they are damaged or not there.
    pub fn read<T>(&self, location: Location, decode: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let end = location.offset.checked_add(location.bytes)?;
        let map = self.mapped(end).ok()??;
        let bytes = map.get(location.offset as usize..end as usize)?;
        if crc32fast::hash(bytes) != location.checksum {
            return None;
        }
        let decoded = decode(bytes);
        if self.read_bytes.fetch_add(location.bytes, Ordering::Relaxed) + location.bytes > RELEASE_BYTES {
            self.read_bytes.store(0, Ordering::Relaxed);
            release(&map);
        }
        Some(decoded)
    }

    /// The file's bytes, mapped anew where fewer than `end` are mapped; `None` for an empty file.
    fn mapped(&self, end: u64) -> io::Result<Option<Arc<Mmap>>> {
        let mut map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        if map.as_ref().is_none_or(|map| (map.len() as u64) < end) {
            if self.file.metadata()?.len() == 0 {
                return Ok(None);
            }
            // SAFETY: the map is only read, and what it shows is checked against checksums each time. Files are appended to and
            // unlinked, never cut shorter; one that somebody cuts all the same ends the process by a signal, as it does every
            // program that maps files.
            *map = Some(Arc::new(unsafe { Mmap::map(&self.file)? }));
        }
        Ok(map.clone())
    }
}

impl Location {
    /// Where the record after this one begins.
    fn end(self) -> u64 {
        self.offset + self.bytes.next_multiple_of(ALIGNMENT)
    }
}

/// Gives the pages of a map back; they are read again on demand.
fn release(map: &Mmap) {
    #[cfg(unix)]
    {
        // SAFETY: the map is of a file, shared and never written, so dropped pages are read again with the same contents.
        let released = unsafe { map.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) };
        // Only a hint: without it the pages stay until they are needed for something else.
        let _ = released;
    }
    #[cfg(not(unix))]
    let _ = map;
}

fn header(part: &ContentHash) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..16].copy_from_slice(MAGIC);
    header[16..20].copy_from_slice(&VERSION.to_le_bytes());
    header[20..52].copy_from_slice(&part.0);
    let checksum = crc32fast::hash(&header[..52]);
    header[52..56].copy_from_slice(&checksum.to_le_bytes());
    header
}

/// The record that begins at `offset`, if it is whole.
fn record_at(bytes: &[u8], offset: u64) -> Option<(ContentHash, Location)> {
    let start = usize::try_from(offset).ok()?;
    let head = bytes.get(start..start.checked_add(RECORD_BYTES)?)?;
    let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    if crc32fast::hash(&head[..44]) != number(44) {
        return None;
    }
    let mut key = [0; 32];
    key.copy_from_slice(&head[..32]);
    let size = u64::from(number(32)) | u64::from(number(36)) << 32;
    let location = Location { offset: offset + RECORD_BYTES as u64, bytes: size, checksum: number(40) };
    let padded = size.checked_next_multiple_of(ALIGNMENT)?;
    let end = location.offset.checked_add(padded)?;
    (end <= bytes.len() as u64).then_some((ContentHash(key), location))
}

/// A file, open and locked to be appended to.
#[derive(Debug)]
pub struct Appender {
    file: File,
    end: u64,
    unsynced: u64,
}

/// Bytes after which what was appended is brought to the disk.
const SYNC_BYTES: u64 = 64 << 20;

impl Appender {
    /// A new file of a part.
    ///
    /// # Errors
    /// A file of this name, or one that cannot be made.
    pub fn create(path: &Path, part: &ContentHash) -> io::Result<Appender> {
        let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        // Nobody else appends to a file without records, so the lock is there to be taken.
        file.lock()?;
        file.write_all(&header(part))?;
        Ok(Appender { file, end: HEADER_BYTES as u64, unsynced: 0 })
    }

    /// Goes on with a file that ends after `whole_bytes`; `None` where another process appends to it, or has done so since.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn resume(path: &Path, whole_bytes: u64) -> io::Result<Option<Appender>> {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        match file.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        if file.seek(SeekFrom::End(0))? != whole_bytes {
            return Ok(None);
        }
        Ok(Some(Appender { file, end: whole_bytes, unsynced: 0 }))
    }

    /// Bytes that a record of so many bytes of values takes.
    pub fn record_bytes(value_bytes: usize) -> u64 {
        RECORD_BYTES as u64 + (value_bytes as u64).next_multiple_of(ALIGNMENT)
    }

    /// Appends a record.
    ///
    /// # Errors
    /// A file that cannot be written, also when the disk is full; the file must then not be appended to again.
    pub fn append(&mut self, key: &ContentHash, values: &[u8]) -> io::Result<Location> {
        let location = Location {
            offset: self.end + RECORD_BYTES as u64,
            bytes: values.len() as u64,
            checksum: crc32fast::hash(values),
        };
        let mut record = Vec::with_capacity((location.end() - self.end) as usize);
        record.extend_from_slice(&key.0);
        record.extend_from_slice(&location.bytes.to_le_bytes());
        record.extend_from_slice(&location.checksum.to_le_bytes());
        let checksum = crc32fast::hash(&record);
        record.extend_from_slice(&checksum.to_le_bytes());
        record.extend_from_slice(values);
        record.resize((location.end() - self.end) as usize, 0);
        self.file.write_all(&record)?;
        self.end = location.end();
        self.unsynced += record.len() as u64;
        if self.unsynced > SYNC_BYTES {
            self.file.sync_data()?;
            self.unsynced = 0;
        }
        Ok(location)
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        // What does not reach the disk is computed again.
        let _ = self.file.sync_data();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u8) -> ContentHash {
        ContentHash([number; 32])
    }

    fn written(path: &Path) -> Vec<Vec<u8>> {
        let values: Vec<Vec<u8>> = (0..4).map(|n| (0..10 + 20 * n).collect()).collect();
        let mut appender = Appender::create(path, &key(9)).unwrap();
        for (number, values) in values.iter().enumerate() {
            appender.append(&key(number as u8), values).unwrap();
        }
        values
    }

    fn read(scanned: &Scanned) -> Vec<Option<Vec<u8>>> {
        scanned.records.iter().map(|(_, location)| scanned.segment.read(*location, <[u8]>::to_vec)).collect()
    }

    #[test]
    fn records_are_found_again_and_appended_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let values = written(&path);
        let scanned = Segment::scan(&path, &key(9)).unwrap().unwrap();
        assert!(scanned.is_whole);
        assert_eq!(read(&scanned), values.into_iter().map(Some).collect::<Vec<_>>());
        let keys: Vec<ContentHash> = scanned.records.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, (0..4).map(key).collect::<Vec<_>>());
        // Of another part, and no such file at all.
        assert!(Segment::scan(&path, &key(8)).unwrap().is_none());
        assert!(Segment::scan(&folder.path().join("y"), &key(9)).is_err());

        let mut appender = Appender::resume(&path, scanned.whole_bytes).unwrap().unwrap();
        assert!(Appender::resume(&path, scanned.whole_bytes).unwrap().is_none(), "another process has it");
        let location = appender.append(&key(5), b"more").unwrap();
        assert_eq!(scanned.segment.read(location, <[u8]>::to_vec).unwrap(), b"more");
        drop(appender);
        assert!(Appender::resume(&path, scanned.whole_bytes).unwrap().is_none(), "it grew since it was read");
        assert_eq!(Segment::scan(&path, &key(9)).unwrap().unwrap().records.len(), 5);
    }

    /// Every place at which the machine may stop, and every byte that may flip.
    #[test]
    fn damage_never_gives_other_values() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let values = written(&path);
        let bytes = std::fs::read(&path).unwrap();
        for length in 0..bytes.len() {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let Some(scanned) = Segment::scan(&path, &key(9)).unwrap() else {
                assert!(length < HEADER_BYTES);
                continue;
            };
            assert!(scanned.whole_bytes as usize <= length);
            assert_eq!(scanned.is_whole, scanned.whole_bytes as usize == length);
            for (found, expected) in read(&scanned).into_iter().zip(&values) {
                assert_eq!(found.as_ref(), Some(expected));
            }
        }
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 0x40;
            std::fs::write(&path, &damaged).unwrap();
            let Some(scanned) = Segment::scan(&path, &key(9)).unwrap() else { continue };
            for (found, (found_key, _)) in read(&scanned).into_iter().zip(&scanned.records) {
                assert!(found.is_none_or(|found| found == values[found_key.0[0] as usize]), "byte {place}");
            }
        }
    }
}

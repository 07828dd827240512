//! Event files as TensorBoard reads them: records of `Event` messages in protocol buffers.
//!
//! A record is the length (u64, little-endian), its masked CRC-32C, the message, and its masked CRC-32C. The messages here have
//! only the fields that scalars need: `wall_time = 1` (double), `step = 2` (varint), `file_version = 3` (string), `summary = 5`, in it
//! `value = 1`, in it `tag = 1` (string) and `simple_value = 2` (float).

use super::log::{open_at_end, truncate};
use crate::error::TrainError;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// An open event file.
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl EventFile {
    /// Opens or makes the file, to write at its end.
    ///
    /// # Errors
    /// A file that cannot be opened or written.
    pub fn open(path: &Path) -> Result<EventFile, TrainError> {
        let (file, bytes) = open_at_end(path)?;
        let mut events = EventFile { path: path.to_owned(), file, bytes };
        events.begin()?;
        Ok(events)
    }

    /// Length of the file.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Cuts the file.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn truncate(&mut self, bytes: u64) -> Result<(), TrainError> {
        self.bytes = truncate(&mut self.file, bytes).map_err(TrainError::write(&self.path))?;
        self.begin()
    }

    /// An empty file begins with the version of the format.
    fn begin(&mut self) -> Result<(), TrainError> {
        if self.bytes > 0 {
            return Ok(());
        }
        let mut event = Vec::new();
        double(&mut event, 1, now());
        bytes_field(&mut event, 3, b"brain.Event:2");
        self.record(&event)
    }

    /// Scalars of one step.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn scalars(&mut self, step: u64, values: &[(&str, f64)]) -> Result<(), TrainError> {
        let mut summary = Vec::new();
        for (tag, value) in values {
            let mut entry = Vec::new();
            bytes_field(&mut entry, 1, tag.as_bytes());
            entry.push(2 << 3 | 5);
            entry.extend_from_slice(&(*value as f32).to_le_bytes());
            bytes_field(&mut summary, 1, &entry);
        }
        let mut event = Vec::new();
        double(&mut event, 1, now());
        event.push(2 << 3);
        varint(&mut event, step);
        bytes_field(&mut event, 5, &summary);
        self.record(&event)
    }

    fn record(&mut self, event: &[u8]) -> Result<(), TrainError> {
        let length = (event.len() as u64).to_le_bytes();
        let mut record = length.to_vec();
        record.extend_from_slice(&masked_crc(&length).to_le_bytes());
        record.extend_from_slice(event);
        record.extend_from_slice(&masked_crc(event).to_le_bytes());
        self.file.write_all(&record).map_err(TrainError::write(&self.path))?;
        self.bytes += record.len() as u64;
        Ok(())
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn double(out: &mut Vec<u8>, field: u8, value: f64) {
    out.push(field << 3 | 1);
    out.extend_from_slice(&value.to_le_bytes());
}

fn bytes_field(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.push(field << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// TensorFlow's mask of a checksum, so that checksums of data that holds checksums stay good.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xA282_EAD8)
}

/// CRC-32C (Castagnoli), reflected polynomial 0x82F63B78.
fn crc32c(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0u32; 256];
        let mut i = 0;
        while i < 256 {
            let mut crc = i as u32;
            let mut bit = 0;
            while bit < 8 {
                crc = crc >> 1 ^ (0x82F6_3B78 * (crc & 1));
                bit += 1;
            }
            table[i] = crc;
            i += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |crc, &byte| crc >> 8 ^ TABLE[((crc ^ u32::from(byte)) & 0xFF) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers of RFC 3720, appendix B.4.
    #[test]
    fn checksums_are_castagnolis() {
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
        assert_eq!(crc32c(&[0xFF; 32]), 0x62A8_AB43);
    }

    #[test]
    fn records_can_be_walked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        let mut events = EventFile::open(&path).unwrap();
        let first = events.bytes();
        events.scalars(300, &[("a/b", 0.5)]).unwrap();
        drop(events);
        let bytes = std::fs::read(&path).unwrap();
        let mut rest = bytes.as_slice();
        let mut messages = Vec::new();
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            assert_eq!(masked_crc(&rest[..8]).to_le_bytes(), rest[8..12]);
            let message = &rest[12..12 + length];
            assert_eq!(masked_crc(message).to_le_bytes(), rest[12 + length..16 + length]);
            messages.push(message.to_vec());
            rest = &rest[16 + length..];
        }
        assert_eq!(messages.len(), 2);
        assert!(messages[0].ends_with(b"brain.Event:2"));
        let mut expected = vec![2 << 3, 0xAC, 0x02, 5 << 3 | 2, 12, 1 << 3 | 2, 10, 1 << 3 | 2, 3];
        expected.extend_from_slice(b"a/b");
        expected.push(2 << 3 | 5);
        expected.extend_from_slice(&0.5f32.to_le_bytes());
        assert_eq!(messages[1][9..], expected);
        let mut events = EventFile::open(&path).unwrap();
        events.truncate(first).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), first);
    }
}

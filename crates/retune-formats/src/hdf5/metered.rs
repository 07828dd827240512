//! Bounds the work that a file can cause by counting the bytes read from it.

use std::sync::atomic::{AtomicU64, Ordering};

use hdf5_pure::{FormatError as Hdf5FormatError, Source};

/// What one read costs besides its bytes, so that endless empty reads end too.
const READ_OVERHEAD_BYTES: u64 = 64;

/// Bytes of a file, with a bound on how many may be read in total.
///
/// HDF5 lets many places refer to one object: a few kilobytes can name the same heap entry thousands of times, or link
/// groups in a circle. Each visit reads the bytes again, so a bound on reading bounds time and memory together.
pub(super) struct MeteredBytes {
    bytes: Vec<u8>,
    left: AtomicU64,
}

impl MeteredBytes {
    /// The total may reach `READS_PER_BYTE` times the file's size and this.
    const FREE_BYTES: u64 = 64 << 20;
    /// How often every byte of an honest file may be read: tensors once, names and headers a few times.
    const READS_PER_BYTE: u64 = 16;

    pub(super) fn new(bytes: Vec<u8>) -> MeteredBytes {
        let left = (bytes.len() as u64).saturating_mul(Self::READS_PER_BYTE).saturating_add(Self::FREE_BYTES);
        MeteredBytes { bytes, left: AtomicU64::new(left) }
    }
}

impl Source for MeteredBytes {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Hdf5FormatError> {
        let cost = (buffer.len() as u64).saturating_add(READ_OVERHEAD_BYTES);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(cost)).map_err(|_| {
            Hdf5FormatError::Source("the same bytes are read too often: objects refer to each other".into())
        })?;
        let slice = usize::try_from(offset)
            .ok()
            .and_then(|start| self.bytes.get(start..start.checked_add(buffer.len())?))
            .ok_or(Hdf5FormatError::UnexpectedEof {
                expected: usize::try_from(offset).unwrap_or(usize::MAX).saturating_add(buffer.len()),
                available: self.bytes.len(),
            })?;
        buffer.copy_from_slice(slice);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_end_with_the_budget() {
        let source = MeteredBytes { bytes: vec![7; 10], left: AtomicU64::new(200) };
        let mut buffer = [0; 4];
        assert!(source.read_at(6, &mut buffer).is_ok());
        assert_eq!(buffer, [7; 4]);
        assert!(matches!(source.read_at(7, &mut buffer), Err(Hdf5FormatError::UnexpectedEof { .. })));
        assert!(matches!(source.read_at(0, &mut buffer), Err(Hdf5FormatError::Source(_))));
        assert!(source.read_at(u64::MAX, &mut []).is_err());
    }
}

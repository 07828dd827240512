//! Cache-line aligned memory for the buffers of plans.

#[cfg(target_os = "linux")]
use memmap2::Advice;
use memmap2::MmapMut;

use crate::error::CpuError;

/// Alignment in bytes: a cache line, and an AVX-512 register.
const ALIGN: usize = 64;

/// Bytes from which on large pages are asked for.
const LARGE: usize = 1 << 22;

/// A growing block of `f32` values. Untouched pages cost nothing.
#[derive(Debug, Default)]
pub(crate) struct Memory(Option<MmapMut>);

impl Memory {
    /// Grows to at least `len` values, all zero; what was held is lost if it grows.
    pub fn reserve(&mut self, len: usize) -> Result<(), CpuError> {
        if len <= self.len() {
            return Ok(());
        }
        // The old block goes first, so that both never exist together.
        self.0 = None;
        let bytes = len.saturating_mul(size_of::<f32>());
        let block = MmapMut::map_anon(bytes).map_err(|_| CpuError::OutOfMemory { bytes })?;
        // Buffers are streamed through, so translating addresses counts. Without large pages all works, a little slower.
        #[cfg(target_os = "linux")]
        if bytes >= LARGE {
            let _ = block.advise(Advice::HugePage);
        }
        self.0 = Some(block);
        Ok(())
    }

    fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |block| block.len() / size_of::<f32>())
    }

    /// Address of the value at `offset`.
    pub fn at(&mut self, offset: usize) -> *mut f32 {
        assert!(offset <= self.len(), "an offset lies inside of its memory");
        let start =
            self.0.as_mut().map_or(std::ptr::without_provenance_mut(ALIGN), |block| block.as_mut_ptr().cast::<f32>());
        // SAFETY: inside of the block by the assertion.
        unsafe { start.add(offset) }
    }

    /// `len` values from `offset`.
    pub fn slice(&self, offset: usize, len: usize) -> &[f32] {
        assert!(offset.checked_add(len).is_some_and(|end| end <= self.len()), "a buffer lies inside of its memory");
        let Some(block) = &self.0 else { return &[] };
        // SAFETY: inside of the block by the assertion. A block starts at a page, so values are aligned, and it was zeroed, so
        // every value is initialized.
        unsafe { std::slice::from_raw_parts(block.as_ptr().cast::<f32>().add(offset), len) }
    }
}

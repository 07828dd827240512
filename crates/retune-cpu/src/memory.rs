//! Cache-line aligned memory for the buffers of plans.

use std::alloc::{Layout, alloc_zeroed, dealloc};

use crate::error::CpuError;

/// Alignment in bytes: a cache line, and an AVX-512 register.
const ALIGN: usize = 64;

/// A growing block of `f32` values. Untouched pages cost nothing.
#[derive(Debug)]
pub(crate) struct Memory {
    data: *mut f32,
    len: usize,
}

// SAFETY: the block is owned, and `&Memory` only reads.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Default for Memory {
    fn default() -> Memory {
        Memory { data: std::ptr::without_provenance_mut(ALIGN), len: 0 }
    }
}

impl Memory {
    /// Grows to at least `len` values; what was held is lost if it grows.
    pub fn reserve(&mut self, len: usize) -> Result<(), CpuError> {
        if len <= self.len {
            return Ok(());
        }
        let out_of_memory = CpuError::OutOfMemory { bytes: len.saturating_mul(4) };
        let layout = layout(len).ok_or(out_of_memory.clone())?;
        // The old block goes first, so that both never exist together.
        *self = Memory::default();
        // SAFETY: the layout's size is not zero, because `len > self.len >= 0`.
        let data = unsafe { alloc_zeroed(layout) };
        if data.is_null() {
            return Err(out_of_memory);
        }
        *self = Memory { data: data.cast(), len };
        Ok(())
    }

    /// Address of the value at `offset`.
    pub fn at(&mut self, offset: usize) -> *mut f32 {
        assert!(offset <= self.len, "an offset lies inside of its memory");
        // SAFETY: inside of the block by the assertion.
        unsafe { self.data.add(offset) }
    }

    /// `len` values from `offset`.
    pub fn slice(&self, offset: usize, len: usize) -> &[f32] {
        assert!(offset.checked_add(len).is_some_and(|end| end <= self.len), "a buffer lies inside of its memory");
        // SAFETY: inside of the block by the assertion; the block was zeroed, so every value is initialized.
        unsafe { std::slice::from_raw_parts(self.data.add(offset), len) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if self.len > 0
            && let Some(layout) = layout(self.len)
        {
            // SAFETY: allocated by `reserve` with the same layout.
            unsafe { dealloc(self.data.cast(), layout) };
        }
    }
}

fn layout(len: usize) -> Option<Layout> {
    Layout::from_size_align(len.checked_mul(4)?, ALIGN).ok()
}

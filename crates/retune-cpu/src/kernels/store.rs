//! Stores to memory that no core's cache keeps.
//!
//! A usual store first reads the line that it writes to. What will not be read before it has left the cache again is better stored past
//! it: the processor gathers a line and writes it.

/// `to = from`, past the cache where the processor can; see [`finish_stores`].
pub(crate) fn copy_past_cache(from: &[f32], to: &mut [f32]) {
    assert_eq!(from.len(), to.len(), "as many values are stored as there are");
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_mm_loadu_ps, _mm_stream_ps};
        const REGISTER: usize = 4;
        let before = to.as_ptr().align_offset(REGISTER * size_of::<f32>()).min(to.len());
        let (from_before, from) = from.split_at(before);
        let (to_before, to) = to.split_at_mut(before);
        to_before.copy_from_slice(from_before);
        let ((from, from_behind), (to, to_behind)) = (from.as_chunks::<REGISTER>(), to.as_chunks_mut::<REGISTER>());
        for (from, to) in from.iter().zip(to) {
            // SAFETY: every x86-64 processor has the instructions; `to` is aligned from its start on.
            unsafe { _mm_stream_ps(to.as_mut_ptr(), _mm_loadu_ps(from.as_ptr())) };
        }
        to_behind.copy_from_slice(from_behind);
    }
    #[cfg(not(target_arch = "x86_64"))]
    to.copy_from_slice(from);
}

/// Makes what this thread has stored past the cache visible before all that it does next.
pub(crate) fn finish_stores() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has the instruction.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_stored_wherever_it_lies() {
        let from: Vec<f32> = (0..100).map(|i| i as f32).collect();
        for (start, len) in [(0, 100), (1, 99), (3, 50), (2, 1), (5, 0)] {
            let mut to = vec![-1.0; 107];
            copy_past_cache(&from[start..start + len], &mut to[start + 3..start + 3 + len]);
            finish_stores();
            assert_eq!(&to[start + 3..start + 3 + len], &from[start..start + len]);
            assert!(to[..start + 3].iter().chain(&to[start + 3 + len..]).all(|x| *x == -1.0));
        }
    }
}

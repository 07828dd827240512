//! Products by AVX512-BF16: each value of a register takes two steps of the sum at a time.

use super::{COLUMNS, Tile};
use crate::kernels::gemm::MAX_ROWS;

/// Rows of C.
pub(super) const ROWS: usize = MAX_ROWS;

/// Whether this machine has the instructions.
pub(super) fn is_available() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        is_x86_feature_detected!("avx512bf16")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// # Safety
/// The instructions are there. C is valid for the tile's rows, `c_row` apart, and columns, and nobody else uses them meanwhile.
#[cfg(target_arch = "x86_64")]
pub(super) unsafe fn compute(tile: &Tile<'_>, c: *mut f32, c_row: usize) {
    assert!(tile.fits(ROWS, tile.count), "a tile fits");
    macro_rules! choose {
        ($($rows:literal)*) => {
            // SAFETY: by the assertion and the caller's promise.
            unsafe {
                match (tile.count, tile.columns <= COLUMNS / 2) {
                    $(($rows, true) => x86::tile::<$rows, 1>(tile, c, c_row),
                    ($rows, false) => x86::tile::<$rows, 2>(tile, c, c_row),)*
                    _ => {}
                }
            }
        };
    }
    choose!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) unsafe fn compute(_: &Tile<'_>, _: *mut f32, _: usize) {
    unreachable!("`is_available` is false here")
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m512, __m512bh, __m512i, _mm512_dpbf16_ps, _mm512_loadu_si512, _mm512_set1_epi32, _mm512_setzero_ps,
    };

    use super::{COLUMNS, Tile};
    use crate::kernels::gemm::Store;
    use crate::kernels::vector::Vector;

    /// Values of a register.
    const LANES: usize = 16;

    /// # Safety
    /// As [`super::compute`], whose assertions hold; the processor has AVX512-BF16.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,bmi2")]
    pub(super) unsafe fn tile<const ROWS: usize, const VECTORS: usize>(tile: &Tile<'_>, c: *mut f32, c_row: usize) {
        // SAFETY: all accesses to A and B lie inside by the assertions, those to C by the caller's promise; a register of
        // integers and one of bfloat16 are the same bits.
        unsafe {
            let mut sums = [[_mm512_setzero_ps(); VECTORS]; ROWS];
            let (mut a, mut b) = (tile.a.as_ptr().cast::<i32>(), tile.b.as_ptr());
            for _ in 0..tile.steps {
                let mut columns = [_mm512_set1_epi32(0); VECTORS];
                for v in 0..VECTORS {
                    columns[v] = _mm512_loadu_si512(b.add(v * LANES).cast());
                }
                for m in 0..ROWS {
                    let value = _mm512_set1_epi32(a.add(m * tile.a_row).read_unaligned());
                    for v in 0..VECTORS {
                        sums[m][v] = _mm512_dpbf16_ps(sums[m][v], pairs(value), pairs(columns[v]));
                    }
                }
                a = a.add(1);
                b = b.add(COLUMNS);
            }
            // The last register of a row may be used in part.
            let used = |v: usize| if v + 1 == VECTORS { tile.columns - v * LANES } else { LANES };
            for m in 0..ROWS {
                for v in 0..VECTORS {
                    let c = c.add(m * c_row + v * LANES);
                    let other = match tile.store {
                        Store::Set => __m512::splat(0.0),
                        Store::Add => __m512::load_first(c, used(v)),
                        Store::Bias(bias) => __m512::load_first(bias.as_ptr().add(v * LANES), used(v)),
                    };
                    sums[m][v].add(other).store_first(c, used(v));
                }
            }
        }
    }

    /// # Safety
    /// None: the same bits.
    #[inline(always)]
    unsafe fn pairs(words: __m512i) -> __m512bh {
        // SAFETY: both are 64 bytes of any bits.
        unsafe { std::mem::transmute(words) }
    }
}

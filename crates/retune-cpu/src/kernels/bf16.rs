//! Matrix products of factors rounded to bfloat16, summed in `f32`, on processors that multiply pairs of such numbers
//! (AVX512-BF16): twice the speed of `f32`.
//!
//! Neighbouring steps of the sum lie in one 32-bit word, the earlier in its lower half: an odd step at the end is joined by zeros.
//! Both factors are rounded before the product, the right one into panels as in [`super::gemm`]; a right factor that never changes
//! is rounded once, before the first step.

use super::gemm::{MAX_ROWS, Store};
use super::matmul::Product;
use super::pack::pack_panel;
use crate::cpu::Cpu;
use crate::multiversion;

/// Words of a panel's row: two registers.
const COLUMNS: usize = 32;

/// Rows of a tile.
const ROWS: usize = MAX_ROWS;

/// Words of a row that change places with columns at a time.
const BLOCK: usize = 16;

/// Words of the left factor that are rounded by one task.
const WORDS_PER_TASK: usize = 1 << 14;

/// Steps, in pairs, that are done at a time where the left factor is read across its rows.
const STEPS: usize = 128;

/// Whether this machine has the instructions.
pub(crate) fn is_available() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        is_x86_feature_detected!("avx512bf16")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// Scratch values of a product: both factors, rounded.
pub(super) fn scratch_len(m: usize, n: usize, k: usize) -> usize {
    k.div_ceil(2) * m + right_len(n, k)
}

/// Words of the right factor, rounded.
pub(super) fn right_len(n: usize, k: usize) -> usize {
    k.div_ceil(2) * n.next_multiple_of(COLUMNS)
}

/// `x` rounded to the nearest bfloat16, ties to even, in the lower half of a word. NaN stays NaN.
#[inline(always)]
fn round(x: f32) -> u32 {
    let bits = x.to_bits();
    let rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    if x.is_nan() { (bits >> 16) | 0x40 } else { rounded }
}

/// Two neighbouring steps in one word, kept as the bits of an `f32`.
#[inline(always)]
fn pair(first: f32, second: f32) -> f32 {
    f32::from_bits(round(first) | round(second) << 16)
}

multiversion! {
    /// `y[i] = (x[2i], x[2i + 1])`, zero behind the end of x.
    fn pair_neighbours(x: &[f32], y: &mut [f32]) {
        let pairs = x.chunks_exact(2);
        let rest = pairs.remainder();
        for (y, x) in y.iter_mut().zip(pairs) {
            *y = pair(x[0], x[1]);
        }
        if let ([x], Some(y)) = (rest, y.last_mut()) {
            *y = pair(*x, 0.0);
        }
    }

    /// `y[i] = (first[i], second[i])`.
    fn pair_rows(first: &[f32], second: &[f32], y: &mut [f32]) {
        for ((y, first), second) in y.iter_mut().zip(first).zip(second) {
            *y = pair(*first, *second);
        }
    }

    /// `y[i] = (first[i], 0)`.
    fn pair_with_zeros(first: &[f32], y: &mut [f32]) {
        for (y, first) in y.iter_mut().zip(first) {
            *y = pair(*first, 0.0);
        }
    }
}

/// Row pair `p` of a matrix whose rows are `stride` values apart, `k` in number: columns `start..start + used`.
fn pair_of_rows(cpu: &Cpu, x: &[f32], (stride, k): (usize, usize), p: usize, start: usize, y: &mut [f32]) {
    let first = &x[2 * p * stride + start..][..y.len()];
    if 2 * p + 1 < k {
        pair_rows(cpu.level(), first, &x[(2 * p + 1) * stride + start..][..y.len()], y);
    } else {
        pair_with_zeros(cpu.level(), first, y);
    }
}

/// Rounds the right factor into panels `[pairs, COLUMNS]`.
pub(super) fn pack_right(cpu: &Cpu, product: &Product, b: &[f32], right: &mut [f32]) {
    let Product { n, k, b: distances, .. } = *product;
    let pairs = k.div_ceil(2);
    if pairs == 0 {
        return;
    }
    cpu.for_chunks(right, pairs * COLUMNS, |index, panel| {
        let start = index * COLUMNS;
        let used = COLUMNS.min(n - start);
        if distances.1 == 1 {
            if used < COLUMNS {
                panel.fill(0.0);
            }
            for (p, panel) in panel.chunks_exact_mut(COLUMNS).enumerate() {
                pair_of_rows(cpu, b, (distances.0, k), p, start, &mut panel[..used]);
            }
            return;
        }
        // Some steps of all columns are rounded side by side, then change places.
        let mut words = [0.0; COLUMNS * BLOCK];
        for p0 in (0..pairs).step_by(BLOCK) {
            let count = BLOCK.min(pairs - p0);
            for (column, words) in words.chunks_exact_mut(BLOCK).enumerate().take(used) {
                let row = &b[(start + column) * distances.1..][..k];
                pair_neighbours(cpu.level(), &row[2 * p0..k.min(2 * (p0 + count))], &mut words[..count]);
            }
            let block = &mut panel[p0 * COLUMNS..(p0 + count) * COLUMNS];
            pack_panel(cpu.level(), &words, (1, BLOCK), count, 0, used, block);
        }
    });
}

/// Runs a product on all threads. `right` is the right factor as [`pack_right`] makes it, if that was done before. `finish` sees
/// every finished part of a row of C.
pub(super) fn run(
    cpu: &Cpu,
    product: &Product,
    a: &[f32],
    (b, right): (&[f32], Option<&[f32]>),
    bias: Option<&[f32]>,
    c: &mut [f32],
    scratch: &mut [f32],
    finish: impl Fn(&mut [f32]) + Sync,
) {
    let Product { m, n, k, .. } = *product;
    if m == 0 || n == 0 {
        return;
    }
    let pairs = k.div_ceil(2);
    let (left, rest) = scratch.split_at_mut(pairs * m);
    // Left: `[m, pairs]` where a row's steps are neighbours, else `[pairs, m]`.
    let is_by_row = product.a.1 == 1;
    if pairs > 0 && is_by_row {
        let rows_per_task = (WORDS_PER_TASK / pairs).max(1);
        cpu.for_chunks(left, rows_per_task * pairs, |task, left| {
            for (row, left) in left.chunks_exact_mut(pairs).enumerate() {
                pair_neighbours(cpu.level(), &a[(task * rows_per_task + row) * product.a.0..][..k], left);
            }
        });
    } else if pairs > 0 {
        let per_task = (WORDS_PER_TASK / m).max(1);
        cpu.for_chunks(left, per_task * m, |task, left| {
            for (index, left) in left.chunks_exact_mut(m).enumerate() {
                pair_of_rows(cpu, a, (product.a.1, k), task * per_task + index, 0, left);
            }
        });
    }
    let right = right.unwrap_or_else(|| {
        let right = &mut rest[..right_len(n, k)];
        pack_right(cpu, product, b, right);
        right
    });
    let left = &*left;
    let (a_row, a_step) = if is_by_row { (pairs, 1) } else { (1, m) };
    let steps_at_once = if is_by_row { pairs.max(1) } else { STEPS };
    product.for_each_task(cpu, ROWS, COLUMNS, c, |rows, columns, c| {
        for step in (0..pairs.max(1)).step_by(steps_at_once) {
            let steps = steps_at_once.min(pairs - step);
            for m0 in rows.clone().step_by(ROWS) {
                let count = ROWS.min(rows.end - m0);
                for panel in columns.clone() {
                    let n0 = panel * COLUMNS;
                    let used = COLUMNS.min(n - n0);
                    let tile = Tile {
                        a: &left[m0 * a_row + step * a_step..],
                        a_row,
                        a_step,
                        b: &right[(panel * pairs + step) * COLUMNS..][..steps * COLUMNS],
                        steps,
                        columns: used,
                        store: match bias {
                            _ if step > 0 => Store::Add,
                            Some(bias) => Store::Bias(&bias[n0..n0 + used]),
                            None => Store::Set,
                        },
                    };
                    // SAFETY: the tile's rows and columns lie inside of C and belong to this task alone.
                    unsafe { compute(&tile, count, c.at(m0 * n + n0), n) };
                }
            }
        }
        let (n0, n1) = (columns.start * COLUMNS, n.min(columns.end * COLUMNS));
        for row in rows {
            // SAFETY: this part of the row belongs to this task alone.
            finish(unsafe { c.slice(row * n + n0, n1 - n0) });
        }
    });
}

/// One tile; words hold pairs of steps.
struct Tile<'a> {
    /// Word `(m, p)` is `a[m · a_row + p · a_step]`.
    a: &'a [f32],
    a_row: usize,
    a_step: usize,
    /// `[steps, COLUMNS]`.
    b: &'a [f32],
    steps: usize,
    columns: usize,
    store: Store<'a>,
}

/// # Safety
/// C is valid for `count` rows of `tile.columns` values that are `c_row` apart, and nobody else uses them meanwhile.
#[cfg(target_arch = "x86_64")]
unsafe fn compute(tile: &Tile<'_>, count: usize, c: *mut f32, c_row: usize) {
    assert!(count <= ROWS && tile.columns <= COLUMNS && tile.b.len() == tile.steps * COLUMNS, "a tile fits");
    if tile.steps > 0 && count > 0 {
        let last = (count - 1) * tile.a_row + (tile.steps - 1) * tile.a_step;
        assert!(last < tile.a.len(), "the rows lie inside of A");
    }
    macro_rules! choose {
        ($($rows:literal)*) => {
            // SAFETY: `Product::run_at` asked `is_available`; bounds hold by the assertions and the caller's promise.
            unsafe {
                match (count, tile.columns <= COLUMNS / 2) {
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
unsafe fn compute(_: &Tile<'_>, _: usize, _: *mut f32, _: usize) {
    unreachable!("`is_available` is false here")
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m512, __m512bh, __m512i, _mm512_dpbf16_ps, _mm512_loadu_si512, _mm512_set1_epi32, _mm512_setzero_ps,
    };

    use super::{COLUMNS, Store, Tile};
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
                a = a.wrapping_add(tile.a_step);
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

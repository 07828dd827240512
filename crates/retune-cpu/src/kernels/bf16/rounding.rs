//! Rounding of both factors of a product to the nearest bfloat16, ties to even, two neighbouring steps of the sum to a word. NaN stays
//! NaN; what is too small for a normal number becomes zero, as in the products themselves.

use std::ops::Range;

use super::{BLOCK, COLUMNS, words};
use crate::cpu::Cpu;
use crate::kernels::matmul::Product;
use crate::kernels::pack::{LINE, prefetch};

/// Columns of the right factor that are read side by side where they are contiguous.
const COLUMNS_AT_ONCE: usize = 4 * COLUMNS;

/// How many words ahead rows that lie pages apart are asked for.
const AHEAD: usize = 8;

/// Loops that only processors with a unit for products run, so that what rounds is part of them.
macro_rules! rounding {
    ($($(#[$doc:meta])* fn $name:ident($($argument:ident: $kind:ty),* $(,)?) $body:block)*) => {
        $($(#[$doc])*
        pub(in crate::kernels) fn $name($($argument: $kind),*) {
            // SAFETY: only processors with a unit round.
            #[cfg(target_arch = "x86_64")]
            unsafe {
                on_processor::$name($($argument),*)
            }
            #[cfg(not(target_arch = "x86_64"))]
            {
                let _ = ($($argument),*);
                unreachable!("no unit is available here")
            }
        })*

        #[cfg(target_arch = "x86_64")]
        mod on_processor {
            use super::*;

            $(#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512bf16")]
            pub(super) fn $name($($argument: $kind),*) $body)*
        }
    };
}

rounding! {
    /// Rounds `count` rows of `k` values, `stride` apart, into rows of [`words`].
    fn round_rows(x: &[f32], stride: usize, count_and_k: (usize, usize), left: &mut [f32]) {
        let (count, k) = count_and_k;
        if k == 0 {
            return;
        }
        for (m, left) in left.chunks_exact_mut(words(k)).enumerate().take(count) {
            let row = &x[m * stride..][..k];
            for (block, words) in left.as_chunks_mut().0.iter_mut().enumerate() {
                *words = registers::neighbours(row, 2 * BLOCK * block);
            }
        }
    }

    /// Rounds columns of rows that are `stride` values apart into rows of words along the steps.
    fn round_columns(
        x: &[f32],
        stride: usize,
        steps: Range<usize>,
        columns: Range<usize>,
        left: &mut [f32],
    ) {
        let words = words(steps.len());
        for (block, step) in steps.clone().step_by(2 * BLOCK).enumerate() {
            for column in columns.clone().step_by(BLOCK) {
                let used = BLOCK.min(columns.end - column);
                let mut square = [[0.0; BLOCK]; BLOCK];
                for (p, square) in square.iter_mut().enumerate() {
                    *square = registers::word_of_rows(x, stride, step + 2 * p..steps.end, column, used);
                }
                registers::transpose(&mut square);
                for (row, square) in square.iter().enumerate().take(used) {
                    let start = (column - columns.start + row) * words + block * BLOCK;
                    left[start..][..BLOCK].copy_from_slice(square);
                }
            }
        }
    }

    /// Rounds columns of a right factor of `n` from `start` on, whose value at `(k, n)` is `b[k · distances.0 + n · distances.1]`, into panels.
    fn round_panels(
        b: &[f32],
        distances: (usize, usize),
        n: usize,
        steps: Range<usize>,
        start: usize,
        panels: &mut [f32],
    ) {
        let (step_distance, column_distance) = distances;
        let words = words(steps.len());
        if column_distance == 1 {
            for p in 0..words {
                let rows = steps.start + 2 * p..steps.end;
                for (half, column) in (start..).step_by(BLOCK).take(panels.len() / words / BLOCK).enumerate() {
                    let used = BLOCK.min(n.saturating_sub(column));
                    let place = (half / 2 * words + p) * COLUMNS + half % 2 * BLOCK;
                    let rounded = registers::word_of_rows(b, step_distance, rows.clone(), column, used);
                    panels[place..][..BLOCK].copy_from_slice(&rounded);
                }
            }
            return;
        }
        for (panel, first) in panels.chunks_exact_mut((words * COLUMNS).max(1)).zip((start..).step_by(COLUMNS)) {
            for (half, column) in [first, first + BLOCK].into_iter().enumerate() {
                for (block, rows) in panel.chunks_exact_mut(BLOCK * COLUMNS).enumerate() {
                    let mut square = [[0.0; BLOCK]; BLOCK];
                    for (column, square) in (column..n).zip(&mut square) {
                        let column = &b[column * column_distance..][..steps.end];
                        *square = registers::neighbours(column, steps.start + 2 * BLOCK * block);
                    }
                    registers::transpose(&mut square);
                    for (row, square) in rows.chunks_exact_mut(COLUMNS).zip(&square) {
                        row[half * BLOCK..][..BLOCK].copy_from_slice(square);
                    }
                }
            }
        }
    }
}

/// Rounds these steps of the right factor into panels of words, `[words, COLUMNS]`.
pub(in crate::kernels) fn round_right(cpu: &Cpu, product: &Product, b: &[f32], steps: Range<usize>, right: &mut [f32]) {
    let words = words(steps.len());
    if words > 0 {
        cpu.for_chunks(right, words * COLUMNS_AT_ONCE, |index, panels| {
            round_panels(b, product.b, product.n, steps.clone(), index * COLUMNS_AT_ONCE, panels);
        });
    }
}

/// Sixteen words at a time, as part of the loops above.
#[cfg(target_arch = "x86_64")]
mod registers {
    use std::arch::x86_64::{
        __m512, __m512bh, __m512i, _mm512_cvtne2ps_pbh, _mm512_loadu_epi16, _mm512_maskz_loadu_ps,
        _mm512_permutexvar_epi16, _mm512_storeu_ps,
    };

    use super::{AHEAD, BLOCK, LINE, Range, prefetch};
    use crate::kernels::vector::Vector;

    /// The first two of these rows, `stride` values apart, rounded: `used` columns from `column` on, zeros behind them and where
    /// there are no rows.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub(super) fn word_of_rows(
        x: &[f32],
        stride: usize,
        rows: Range<usize>,
        column: usize,
        used: usize,
    ) -> [f32; BLOCK] {
        let row = |step: usize| if step < rows.end && used > 0 { &x[step * stride + column..][..used] } else { &[] };
        for line in (0..used).step_by(LINE) {
            prefetch(x, (rows.start + 2 * AHEAD) * stride + column + line);
            prefetch(x, (rows.start + 2 * AHEAD + 1) * stride + column + line);
        }
        pairs(row(rows.start), row(rows.start + 1))
    }

    /// Steps `start..start + 32` of a row; zeros behind its end.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub(super) fn neighbours(row: &[f32], start: usize) -> [f32; BLOCK] {
        let [low, high] = [start, start + BLOCK].map(|start| load(row.get(start..).unwrap_or(&[])));
        store(_mm512_cvtne2ps_pbh(high, low))
    }

    /// A value of the first row and one of the second to each word; zeros behind their ends.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub(super) fn pairs(first: &[f32], second: &[f32]) -> [f32; BLOCK] {
        const PLACES: [i16; 2 * BLOCK] = {
            let mut places = [0; 2 * BLOCK];
            let mut i = 0;
            while i < BLOCK {
                (places[2 * i], places[2 * i + 1]) = (i as i16, (BLOCK + i) as i16);
                i += 1;
            }
            places
        };
        let rounded = _mm512_cvtne2ps_pbh(load(second), load(first));
        // SAFETY: there are as many places as the register has numbers; both types are 64 bytes of any bits.
        unsafe {
            let places = _mm512_loadu_epi16(PLACES.as_ptr());
            let words = std::mem::transmute::<__m512bh, __m512i>(rounded);
            store(std::mem::transmute::<__m512i, __m512bh>(_mm512_permutexvar_epi16(places, words)))
        }
    }

    /// The first sixteen values, zeros behind the end.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn load(values: &[f32]) -> __m512 {
        let mask = if values.len() >= BLOCK { u16::MAX } else { (1 << values.len()) - 1 };
        // SAFETY: what is not in the mask is not read.
        unsafe { _mm512_maskz_loadu_ps(mask, values.as_ptr()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn store(words: __m512bh) -> [f32; BLOCK] {
        let mut to = [0.0; BLOCK];
        // SAFETY: both registers are 64 bytes of any bits, and there is room for them.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), std::mem::transmute::<__m512bh, __m512>(words)) };
        to
    }

    /// Rows become columns.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(super) fn transpose(square: &mut [[f32; BLOCK]; BLOCK]) {
        let values = square.as_mut_ptr().cast();
        // SAFETY: all is read before anything is written.
        unsafe { __m512::transpose((values, BLOCK), (values, BLOCK)) };
    }
}

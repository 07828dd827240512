//! Rounding of both factors of a product to bfloat16, two neighbouring steps of the sum to a word.

use super::{BLOCK, COLUMNS, words};
use crate::cpu::Cpu;
use crate::kernels::matmul::Product;
use crate::kernels::pack::{LINE, pack_panel, prefetch, transpose_square};
use crate::multiversion;

/// Words of the left factor that are rounded by one task, roughly.
const WORDS_PER_TASK: usize = 1 << 14;

/// Rows of the left factor that are read side by side where the sum runs across them.
const ROWS_ACROSS: usize = 64;

/// Columns of the right factor that are read side by side where they are contiguous.
const COLUMNS_AT_ONCE: usize = 4 * COLUMNS;

/// How far ahead rows that lie pages apart are asked for.
const WORDS_AHEAD: usize = 8;

/// Side of the squares of words that are transposed in registers.
const SQUARE: usize = 4;

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
        let (y, zeros) = y.split_at_mut(x.len().div_ceil(2));
        let pairs = x.chunks_exact(2);
        let rest = pairs.remainder();
        for (y, x) in y.iter_mut().zip(pairs) {
            *y = pair(x[0], x[1]);
        }
        if let ([x], Some(y)) = (rest, y.last_mut()) {
            *y = pair(*x, 0.0);
        }
        zeros.fill(0.0);
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

    /// `[BLOCK, ROWS_ACROSS]` words as the first words of so many rows that are `row` apart.
    fn transpose(words: &[f32], row: usize, rows: &mut [f32]) {
        let count = rows.len().div_ceil(row);
        let whole = count / SQUARE * SQUARE;
        for m in (0..whole).step_by(SQUARE) {
            for p in (0..BLOCK).step_by(SQUARE) {
                transpose_square(&words[p * ROWS_ACROSS + m..], ROWS_ACROSS, &mut rows[m * row + p..], row);
            }
        }
        for m in whole..count {
            for p in 0..BLOCK {
                rows[m * row + p] = words[p * ROWS_ACROSS + m];
            }
        }
    }
}

/// Word `p` of the columns `start..` of a matrix of `k` rows that are `stride` values apart.
fn pair_of_rows(cpu: &Cpu, x: &[f32], (stride, k): (usize, usize), p: usize, start: usize, y: &mut [f32]) {
    let row = |step: usize| &x[step * stride + start..][..y.len()];
    for step in [2 * (p + WORDS_AHEAD), 2 * (p + WORDS_AHEAD) + 1] {
        for line in (0..y.len()).step_by(LINE) {
            prefetch(x, step * stride + start + line);
        }
    }
    if 2 * p + 1 < k {
        pair_rows(cpu.level(), row(2 * p), row(2 * p + 1), y);
    } else if 2 * p < k {
        pair_with_zeros(cpu.level(), row(2 * p), y);
    } else {
        y.fill(0.0);
    }
}

/// Rounds the left factor into rows of words.
pub(super) fn round_left(cpu: &Cpu, product: &Product, a: &[f32], left: &mut [f32]) {
    let Product { m, k, a: distances, .. } = *product;
    let words = words(k);
    if words == 0 {
        return;
    }
    let left = &mut left[..m * words];
    if distances.1 == 1 {
        let rows_per_task = (WORDS_PER_TASK / words).max(1);
        return cpu.for_chunks(left, rows_per_task * words, |task, left| {
            for (row, left) in left.chunks_exact_mut(words).enumerate() {
                pair_neighbours(cpu.level(), &a[(task * rows_per_task + row) * distances.0..][..k], left);
            }
        });
    }
    cpu.for_chunks(left, ROWS_ACROSS * words, |task, left| {
        let start = task * ROWS_ACROSS;
        let count = ROWS_ACROSS.min(m - start);
        let mut block = [0.0; BLOCK * ROWS_ACROSS];
        for word in (0..words).step_by(BLOCK) {
            for (p, block) in block.chunks_exact_mut(ROWS_ACROSS).enumerate() {
                pair_of_rows(cpu, a, (distances.1, k), word + p, start, &mut block[..count]);
            }
            transpose(cpu.level(), &block, words, &mut left[word..][..(count - 1) * words + BLOCK]);
        }
    });
}

/// Rounds the right factor into panels of words, `[words, COLUMNS]`.
pub(in crate::kernels) fn round_right(cpu: &Cpu, product: &Product, b: &[f32], right: &mut [f32]) {
    let Product { n, k, b: distances, .. } = *product;
    let words = words(k);
    if words == 0 {
        return;
    }
    if distances.1 == 1 {
        return cpu.for_chunks(right, words * COLUMNS_AT_ONCE, |index, panels| {
            let start = index * COLUMNS_AT_ONCE;
            // Columns beyond the last stay zero.
            let mut row = [0.0; COLUMNS_AT_ONCE];
            let used = COLUMNS_AT_ONCE.min(n - start);
            for p in 0..words {
                pair_of_rows(cpu, b, (distances.0, k), p, start, &mut row[..used]);
                for (panel, row) in panels.chunks_exact_mut(words * COLUMNS).zip(row.as_chunks::<COLUMNS>().0) {
                    panel[p * COLUMNS..][..COLUMNS].copy_from_slice(row);
                }
            }
        });
    }
    cpu.for_chunks(right, words * COLUMNS, |index, panel| {
        let start = index * COLUMNS;
        let used = COLUMNS.min(n - start);
        // Some steps of all columns are rounded side by side, then change places.
        let mut block = [0.0; COLUMNS * BLOCK];
        for (index, panel) in panel.chunks_exact_mut(BLOCK * COLUMNS).enumerate() {
            let step = 2 * BLOCK * index;
            for (column, block) in block.chunks_exact_mut(BLOCK).enumerate().take(used) {
                let column = &b[(start + column) * distances.1..][..k];
                pair_neighbours(cpu.level(), &column[step.min(k)..k.min(step + 2 * BLOCK)], block);
            }
            pack_panel(cpu.level(), &block, (1, BLOCK), BLOCK, 0, used, panel);
        }
    });
}

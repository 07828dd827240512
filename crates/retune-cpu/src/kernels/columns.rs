//! Sums down the columns of a matrix, such as sums over all pixels for each channel.
//!
//! Rows shorter than a few registers are joined: `k` rows of `c` columns are read as one wide row of `k·c` columns, whose
//! sums are folded at the end. Blocks of rows are summed by tasks of their own; inside of a block, eight rows at a time are
//! added as a tree. So errors grow with the logarithm of the number of rows rather than with the number, and
//! the order of additions depends on the sizes alone.

use crate::cpu::{Cpu, Parts};
use crate::kernels::stream::Map2;
use crate::multiversion;

/// Columns of a wide row that are summed at a time: they stay in the L1 cache.
pub(crate) const TILE: usize = 256;

/// Values of a block, where there are not more than [`MOST_BLOCKS`].
const BLOCK: usize = 1 << 15;
const MOST_BLOCKS: usize = 64;

/// How a matrix of `rows × columns` is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blocks {
    /// Columns of a wide row.
    pub width: usize,
    /// Wide rows.
    pub rows: usize,
    /// Values behind the last wide row.
    pub rest: usize,
    /// Wide rows of a block (the last has fewer).
    pub block_rows: usize,
    /// Number of blocks, at least one.
    pub count: usize,
}

impl Blocks {
    /// How a matrix of `rows × columns` is cut; there is at least one column.
    pub fn new(rows: usize, columns: usize) -> Blocks {
        let joined = (TILE / columns).max(1);
        Blocks { rest: rows % joined * columns, ..Blocks::of_whole_rows(rows / joined, joined * columns) }
    }

    /// The same for rows that are not joined, whatever their length.
    pub fn of_whole_rows(rows: usize, width: usize) -> Blocks {
        let smallest = (BLOCK / width).max(1).next_multiple_of(8);
        let block_rows = rows.div_ceil(MOST_BLOCKS).next_multiple_of(8).max(smallest);
        Blocks { width, rows, rest: 0, block_rows, count: rows.div_ceil(block_rows).max(1) }
    }

    /// The values of block `index`, from and to.
    pub fn range(&self, index: usize) -> (usize, usize) {
        let first = index * self.block_rows;
        (first * self.width, (first + self.block_rows).min(self.rows) * self.width)
    }

    /// The values behind the last wide row, from and to.
    pub fn rest_range(&self) -> (usize, usize) {
        (self.rows * self.width, self.rows * self.width + self.rest)
    }

    /// Calls `task(block, its `parts` rows of `width` values in scratch)` for each block, in parallel. Afterwards scratch
    /// holds `count × parts` rows of `width`.
    pub fn run(&self, cpu: &Cpu, scratch: &mut [f32], parts: usize, task: impl Fn(usize, &mut [f32]) + Sync) {
        let scratch = Parts::new(&mut scratch[..self.count * parts * self.width]);
        cpu.run(self.count, |index| {
            // SAFETY: each block has rows of its own.
            task(index, unsafe { scratch.slice(index * parts * self.width, parts * self.width) });
        });
    }

    /// Scratch values that [`Blocks::run`] needs.
    pub fn scratch_len(&self, parts: usize) -> usize {
        self.count * parts * self.width
    }
}

multiversion! {
    /// `sums[j] = f(sums[j], rows[0][j], rows[1][j], …)` for rows of `width` values from column `column` on, eight rows
    /// at a time as a tree.
    pub(crate) fn fold_rows[F: Map2](f: F, rows: &[f32], width: usize, column: usize, sums: &mut [f32]) {
        let len = sums.len();
        let mut groups = rows.chunks_exact(8 * width);
        for group in &mut groups {
            let row = |index: usize| &group[index * width + column..][..len];
            let (r0, r1, r2, r3, r4, r5, r6, r7) = (row(0), row(1), row(2), row(3), row(4), row(5), row(6), row(7));
            for j in 0..len {
                let low = f.at(f.at(r0[j], r1[j]), f.at(r2[j], r3[j]));
                let high = f.at(f.at(r4[j], r5[j]), f.at(r6[j], r7[j]));
                sums[j] = f.at(sums[j], f.at(low, high));
            }
        }
        for row in groups.remainder().chunks_exact(width) {
            let row = &row[column..][..len];
            for j in 0..len {
                sums[j] = f.at(sums[j], row[j]);
            }
        }
    }
}

/// `result[c] = f(start, all values of column c)` over a matrix of `result.len()` columns, on all threads. `scratch` is what
/// [`column_scratch_len`] asks for.
pub(crate) fn fold_columns(cpu: &Cpu, f: impl Map2, start: f32, x: &[f32], result: &mut [f32], scratch: &mut [f32]) {
    let columns = result.len();
    let (blocks, level) = (Blocks::new(x.len() / columns, columns), cpu.level());
    blocks.run(cpu, scratch, 1, |index, sums| {
        let (from, to) = blocks.range(index);
        sums.fill(start);
        for column in (0..blocks.width).step_by(TILE) {
            let end = (column + TILE).min(blocks.width);
            fold_rows(level, f, &x[from..to], blocks.width, column, &mut sums[column..end]);
        }
    });
    let (from, to) = blocks.rest_range();
    let (sums, others) = scratch[..blocks.count * blocks.width].split_at_mut(blocks.width);
    fold_rows(level, f, others, blocks.width, 0, sums);
    result.fill(start);
    fold_rows(level, f, sums, columns, 0, result);
    fold_rows(level, f, &x[from..to], columns, 0, result);
}

/// Scratch values of [`fold_columns`].
pub(crate) fn column_scratch_len(rows: usize, columns: usize) -> usize {
    if columns == 0 { 0 } else { Blocks::new(rows, columns).scratch_len(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_everything_once() {
        for (rows, columns) in [(0, 3), (1, 1), (5, 3), (1000, 64), (100_000, 3), (7, 300), (3000, 257), (9, 100_000)] {
            let blocks = Blocks::new(rows, columns);
            let mut end = 0;
            for index in 0..blocks.count {
                let (from, to) = blocks.range(index);
                assert_eq!(from, end);
                end = to;
            }
            assert_eq!(blocks.rest_range(), (end, rows * columns), "{rows} × {columns}");
            assert!(blocks.count <= MOST_BLOCKS && blocks.width.is_multiple_of(columns));
        }
    }
}

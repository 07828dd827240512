//! Products of a band of queries with keys and values, of factors in 32 bits or rounded to bfloat16.

use std::ops::Range;

use crate::dispatch::Level;
use crate::kernels::bf16;
use crate::kernels::gemm::{self, MAX_ROWS, Segment, Store, Tile, TileShape};
use crate::kernels::pack::pack_panel;

/// The widest tile of any level, so that scratch sizes do not depend on it.
pub(super) const WIDEST: usize = 32;

/// A matrix whose rows are `stride` values apart, of which `columns` count.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub values: &'a [f32],
    pub stride: usize,
    pub columns: usize,
}

impl Rows<'_> {
    /// Rows `from..from + count` as panels of the right factor of a product whose sum runs over these rows.
    pub fn pack(&self, level: Level, from: usize, count: usize, panels: &mut [f32]) {
        let wide = TileShape::of(level).columns;
        if count == 0 {
            return;
        }
        for (index, panel) in panels.chunks_exact_mut(count * wide).enumerate().take(self.columns.div_ceil(wide)) {
            let values = &self.values[from * self.stride..];
            pack_panel(level, values, (self.stride, 1), count, index * wide, self.columns, panel);
        }
    }

    /// All rows as panels of the right factor of a product whose sum runs over the columns.
    pub fn pack_transposed(&self, level: Level, count: usize, panels: &mut [f32]) {
        let wide = TileShape::of(level).columns;
        if self.columns == 0 {
            return;
        }
        for (index, panel) in panels.chunks_exact_mut(self.columns * wide).enumerate().take(count.div_ceil(wide)) {
            pack_panel(level, self.values, (1, self.stride), self.columns, index * wide, count, panel);
        }
    }
}

/// A left factor: value `(m, k)` is `values[m · row + k · step]`, one of the distances being 1.
#[derive(Clone, Copy)]
pub(super) struct Left<'a> {
    pub values: &'a [f32],
    pub row: usize,
    pub step: usize,
}

/// A right factor in panels of `steps` rows.
#[derive(Clone, Copy)]
pub(super) struct Panels<'a> {
    pub values: &'a [f32],
    pub steps: usize,
    pub columns: usize,
}

impl<'a> Panels<'a> {
    /// These columns alone, of which the first is a multiple of [`WIDEST`].
    pub fn of_columns(self, columns: Range<usize>) -> Panels<'a> {
        debug_assert!(columns.start.is_multiple_of(WIDEST));
        Panels { values: &self.values[columns.start * self.steps..], steps: self.steps, columns: columns.len() }
    }
}

/// `C[m, n] = Σ A(m, k − sum.start) · B(k, n)` over the steps k of `sum`, for `count` rows of C that are `row` values apart.
///
/// # Safety
/// C is valid for these rows, and nobody else uses their `b.columns` values meanwhile.
pub(super) unsafe fn product(
    level: Level,
    count: usize,
    a: Left<'_>,
    b: Panels<'_>,
    sum: Range<usize>,
    store: Store<'_>,
    (c, row): (*mut f32, usize),
) {
    let TileShape { rows, columns: wide } = TileShape::of(level);
    for first in (0..count).step_by(rows) {
        let used = rows.min(count - first);
        let (mut a_rows, mut c_rows) = ([0; MAX_ROWS], [0; MAX_ROWS]);
        for m in 0..used {
            a_rows[m] = (first + m) * a.row;
            c_rows[m] = (first + m) * row;
        }
        for panel in 0..b.columns.div_ceil(wide) {
            let start = panel * b.steps * wide;
            let tile = Tile {
                a: a.values,
                rows: &a_rows[..used],
                a_step: a.step,
                b: &b.values[start..start + b.steps * wide],
                b_step: wide,
                segments: &[Segment { a: 0, b: sum.start * wide, len: sum.len() }],
                columns: wide.min(b.columns - panel * wide),
                store,
            };
            // SAFETY: by the caller's promise.
            unsafe { gemm::compute(level, &tile, c.add(panel * wide), &c_rows[..used]) };
        }
    }
}

/// How factors are multiplied.
pub(super) enum Products<'s> {
    F32(Level),
    /// Rounded; with room for the left factor of a tile.
    Bf16(bf16::Prepared, &'s mut [f32]),
}

impl<'s> Products<'s> {
    /// Values of scratch for sums of at most so many steps.
    pub fn scratch_len(steps: usize) -> usize {
        bf16::ROWS * bf16::words(steps)
    }

    /// Takes its scratch from the front.
    pub fn new(level: Level, unit: Option<bf16::Unit>, steps: usize, scratch: &mut &'s mut [f32]) -> Products<'s> {
        match unit {
            Some(unit) => Products::Bf16(unit.prepare(), super::take(scratch, Products::scratch_len(steps))),
            None => Products::F32(level),
        }
    }

    /// Values of each column of a right factor of so many steps.
    pub fn depth(&self, steps: usize) -> usize {
        match self {
            Products::F32(_) => steps,
            Products::Bf16(..) => bf16::words(steps),
        }
    }

    /// Packed rows as a right factor.
    pub fn panels<'a>(&self, values: &'a [f32], steps: usize, columns: usize) -> Panels<'a> {
        Panels { values, steps: self.depth(steps), columns }
    }

    /// As [`Rows::pack`].
    pub fn pack(&self, rows: Rows<'_>, from: usize, count: usize, panels: &mut [f32]) {
        match self {
            Products::F32(level) => rows.pack(*level, from, count, panels),
            Products::Bf16(..) => {
                let len = bf16::right_len(rows.columns, count);
                bf16::round_panels(
                    rows.values,
                    (rows.stride, 1),
                    rows.columns,
                    from..from + count,
                    0,
                    &mut panels[..len],
                );
            }
        }
    }

    /// As [`Rows::pack_transposed`].
    pub fn pack_transposed(&self, rows: Rows<'_>, count: usize, panels: &mut [f32]) {
        match self {
            Products::F32(level) => rows.pack_transposed(*level, count, panels),
            Products::Bf16(..) => {
                let len = bf16::right_len(count, rows.columns);
                bf16::round_panels(rows.values, (1, rows.stride), count, 0..rows.columns, 0, &mut panels[..len]);
            }
        }
    }

    /// As [`product`]; the sum starts at a multiple of [`WIDEST`].
    ///
    /// # Safety
    /// As [`product`].
    pub unsafe fn product(
        &mut self,
        count: usize,
        a: Left<'_>,
        b: Panels<'_>,
        sum: Range<usize>,
        store: Store<'_>,
        (c, row): (*mut f32, usize),
    ) {
        match self {
            // SAFETY: by the caller's promise.
            Products::F32(level) => unsafe { product(*level, count, a, b, sum, store, (c, row)) },
            Products::Bf16(prepared, left) => {
                let rows = prepared.rows();
                for first in (0..count).step_by(rows) {
                    let used = rows.min(count - first);
                    if a.step == 1 {
                        bf16::round_rows(&a.values[first * a.row..], a.row, (used, sum.len()), left);
                    } else {
                        bf16::round_columns(a.values, a.step, 0..sum.len(), first..first + used, left);
                    }
                    let panel_len = b.steps * bf16::COLUMNS;
                    let (words, from) = (bf16::words(sum.len()), sum.start / 2 * bf16::COLUMNS);
                    for panel in 0..b.columns.div_ceil(bf16::COLUMNS) {
                        let n0 = panel * bf16::COLUMNS;
                        let tile = bf16::Tile {
                            a: left,
                            a_row: words,
                            b: &b.values[panel * panel_len + from..][..words * bf16::COLUMNS],
                            steps: words,
                            count: used,
                            columns: bf16::COLUMNS.min(b.columns - n0),
                            store,
                        };
                        // SAFETY: by the caller's promise.
                        unsafe { prepared.compute(&tile, c.add(first * row + n0), row) };
                    }
                }
            }
        }
    }
}

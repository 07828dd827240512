//! Matrix products of factors rounded to bfloat16, summed in `f32`, on processors that multiply such numbers: by tiles (AMX) or by pairs
//! (AVX512-BF16).
//!
//! Neighbouring steps of the sum lie in one 32-bit word, the earlier in its lower half. Both factors are rounded before the product
//! ([`rounding`]), the left one row after row, the right one into panels as in [`super::gemm`]; both are joined by zeros to whole blocks of
//! [`BLOCK`] words. A right factor that never changes is rounded once, before the first step.

mod amx;
mod avx512;
mod rounding;

use super::gemm::Store;
use super::matmul::{Grid, Product, steps_at_once};
use crate::cpu::{Cpu, Parts};
pub(super) use rounding::{round_columns, round_panels, round_right, round_rows};

/// Words of a panel's row: two registers of either kind.
pub(super) const COLUMNS: usize = 32;

/// The most rows that are computed at once.
pub(super) const ROWS: usize = amx::ROWS;

/// Words of the sum in one tile of AMX.
const BLOCK: usize = 16;

/// Words of the sum that are done at a time, so that what a tile reads of the left factor stays in the first cache.
const WORDS_AT_ONCE: usize = 256;

/// Rows of C for which the left factor is rounded at once where the sum runs across that one's rows.
const ROWS_AT_ONCE: usize = 64;

/// Words of the right factor that stay in the second cache of a core: more than of `f32`, for each block of them rounds the left factor anew.
const RIGHT_BLOCK: usize = 3 << 17;

/// The instructions that multiply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// AMX: sixteen rows, sixteen columns and thirty-two steps at a time.
    Tiles,
    /// AVX512-BF16: a register of columns and two steps at a time.
    Pairs,
}

impl Unit {
    /// The faster of those that this machine has.
    pub fn detect() -> Option<Unit> {
        [Unit::Tiles, Unit::Pairs].into_iter().find(|unit| unit.is_available())
    }

    fn is_available(self) -> bool {
        match self {
            Unit::Tiles => amx::is_available(),
            Unit::Pairs => avx512::is_available(),
        }
    }

    /// Rows that are computed at once.
    fn rows(self) -> usize {
        match self {
            Unit::Tiles => amx::ROWS,
            Unit::Pairs => avx512::ROWS,
        }
    }

    /// Makes the calling thread ready.
    pub(super) fn prepare(self) -> Prepared {
        match self {
            Unit::Tiles => Prepared::Tiles(amx::Configured::new()),
            Unit::Pairs => {
                assert!(avx512::is_available(), "a unit was detected before");
                Prepared::Pairs
            }
        }
    }
}

/// Words along the sum of `k` steps.
pub(super) fn words(k: usize) -> usize {
    k.div_ceil(2).next_multiple_of(BLOCK)
}

/// Words of the right factor, rounded.
pub(super) fn right_len(n: usize, k: usize) -> usize {
    words(k) * n.next_multiple_of(COLUMNS)
}

/// Words of the sum in each part of a long one.
fn words_at_once(k: usize) -> usize {
    steps_at_once(words(k) / BLOCK, WORDS_AT_ONCE / BLOCK) * BLOCK
}

/// Scratch values of a product: the right factor, and what each thread has of the left one; of a sum across the rows of the left one, a
/// part of both, the left in whole tiles.
pub(super) fn scratch_len(cpu: &Cpu, product: &Product) -> usize {
    let Product { m, n, k, .. } = *product;
    if product.is_across() {
        words_at_once(k) * (n.next_multiple_of(COLUMNS) + m.next_multiple_of(ROWS))
    } else {
        right_len(n, k) + cpu.threads() * ROWS * words(k)
    }
}

/// What there is beside the factors of a product.
pub(super) struct Extras<'a, F> {
    /// The right factor as [`round_right`] makes it, if that was done before.
    pub right: Option<&'a [f32]>,
    pub bias: Option<&'a [f32]>,
    /// Sees every finished part of a row of C.
    pub finish: F,
}

/// Runs a product on all threads.
pub(super) fn run(
    (cpu, unit): (&Cpu, Unit),
    product: &Product,
    [a, b]: [&[f32]; 2],
    c: &mut [f32],
    scratch: &mut [f32],
    extras: Extras<'_, impl Fn(&mut [f32]) + Sync>,
) {
    let Product { m, n, k, .. } = *product;
    if m == 0 || n == 0 {
        return;
    }
    if product.is_across() {
        debug_assert!(extras.bias.is_none() && extras.right.is_none(), "only linear layers have these");
        return run_across((cpu, unit), product, [a, b], c, scratch);
    }
    let Extras { right, bias, finish } = extras;
    let (packed, lefts) = scratch.split_at_mut(if right.is_some() { 0 } else { right_len(n, k) });
    let right = right.unwrap_or_else(|| {
        round_right(cpu, product, b, 0..k, packed);
        packed
    });
    let (words, at_once, rows) = (words(k), words_at_once(k), unit.rows());
    let grid = Grid::of(cpu, (m, rows), (n.div_ceil(COLUMNS), at_once * COLUMNS), RIGHT_BLOCK);
    let (c, lefts) = (Parts::new(c), Parts::new(lefts));
    grid.run(cpu, |thread, task_rows, panels| {
        let prepared = unit.prepare();
        // SAFETY: each thread has its own part.
        let left = unsafe { lefts.slice(thread * ROWS * words, ROWS * words) };
        for m0 in task_rows.clone().step_by(rows) {
            let count = rows.min(task_rows.end - m0);
            round_rows(&a[m0 * k..], k, (count, k), left);
            for word in (0..words.max(1)).step_by(at_once) {
                let steps = at_once.min(words - word);
                for panel in panels.clone() {
                    let n0 = panel * COLUMNS;
                    let columns = COLUMNS.min(n - n0);
                    let tile = Tile {
                        a: &left[word..],
                        a_row: words,
                        b: &right[(panel * words + word) * COLUMNS..][..steps * COLUMNS],
                        steps,
                        count,
                        columns,
                        store: match bias {
                            _ if word > 0 => Store::Add,
                            Some(bias) => Store::Bias(&bias[n0..n0 + columns]),
                            None => Store::Set,
                        },
                    };
                    // SAFETY: these rows and columns of C belong to this task alone.
                    unsafe { prepared.compute(&tile, c.at(m0 * n + n0), n) };
                }
            }
            let (n0, n1) = (panels.start * COLUMNS, n.min(panels.end * COLUMNS));
            for row in m0..m0 + count {
                // SAFETY: as above.
                finish(unsafe { c.slice(row * n + n0, n1 - n0) });
            }
        }
    });
}

/// A product whose sum runs across the rows of the left factor: part of the sum by part, of which both factors are rounded first.
fn run_across((cpu, unit): (&Cpu, Unit), product: &Product, [a, b]: [&[f32]; 2], c: &mut [f32], scratch: &mut [f32]) {
    let Product { m, n, k, .. } = *product;
    if k == 0 {
        return c.fill(0.0);
    }
    let (at_once, panels, rows) = (words_at_once(k), n.div_ceil(COLUMNS), unit.rows());
    let grid = Grid::of(cpu, (m, rows), (panels, at_once * COLUMNS), RIGHT_BLOCK);
    let (right, left) = scratch.split_at_mut(at_once * panels * COLUMNS);
    let c = Parts::new(c);
    for start in (0..k).step_by(2 * at_once) {
        let steps = start..k.min(start + 2 * at_once);
        let words = words(steps.len());
        round_right(cpu, product, b, steps.clone(), &mut right[..words * panels * COLUMNS]);
        cpu.for_chunks(&mut left[..m * words], ROWS_AT_ONCE * words, |index, left| {
            let columns = index * ROWS_AT_ONCE..m.min((index + 1) * ROWS_AT_ONCE);
            round_columns(a, product.a.1, steps.clone(), columns, left);
        });
        let (right, left) = (&*right, &*left);
        grid.run(cpu, |_, task_rows, task_panels| {
            let prepared = unit.prepare();
            for m0 in task_rows.clone().step_by(rows) {
                for panel in task_panels.clone() {
                    let n0 = panel * COLUMNS;
                    let tile = Tile {
                        a: &left[m0 * words..],
                        a_row: words,
                        b: &right[panel * words * COLUMNS..][..words * COLUMNS],
                        steps: words,
                        count: rows.min(task_rows.end - m0),
                        columns: COLUMNS.min(n - n0),
                        store: if start == 0 { Store::Set } else { Store::Add },
                    };
                    // SAFETY: these rows and columns of C belong to this task alone.
                    unsafe { prepared.compute(&tile, c.at(m0 * n + n0), n) };
                }
            }
        });
    }
}

/// One tile; words hold pairs of steps.
pub(super) struct Tile<'a> {
    /// Word `p` of row `m` is `a[m · a_row + p]`.
    pub a: &'a [f32],
    pub a_row: usize,
    /// `[steps, COLUMNS]`.
    pub b: &'a [f32],
    /// Words of the sum, a multiple of [`BLOCK`].
    pub steps: usize,
    /// Rows and columns that are stored.
    pub count: usize,
    pub columns: usize,
    pub store: Store<'a>,
}

impl Tile<'_> {
    /// Whether all that is read lies inside of the factors, where so many rows of the left one are.
    fn fits(&self, most_rows: usize, rows_read: usize) -> bool {
        let bias_fits = !matches!(self.store, Store::Bias(bias) if bias.len() != self.columns);
        let left_fits = self.steps == 0 || (rows_read - 1) * self.a_row + self.steps <= self.a.len();
        (1..=most_rows).contains(&self.count)
            && (1..=COLUMNS).contains(&self.columns)
            && self.b.len() == self.steps * COLUMNS
            && self.steps.is_multiple_of(BLOCK)
            && bias_fits
            && left_fits
    }
}

/// A thread that is ready for products.
pub(super) enum Prepared {
    Tiles(amx::Configured),
    Pairs,
}

impl Prepared {
    /// Rows that are computed at once.
    pub fn rows(&self) -> usize {
        match self {
            Prepared::Tiles(_) => Unit::Tiles.rows(),
            Prepared::Pairs => Unit::Pairs.rows(),
        }
    }

    /// # Safety
    /// C is valid for the tile's rows, `c_row` apart, and columns, and nobody else uses them meanwhile.
    #[inline]
    pub unsafe fn compute(&self, tile: &Tile<'_>, c: *mut f32, c_row: usize) {
        // SAFETY: by the caller's promise; whoever has prepared a thread has found the instructions there.
        unsafe {
            match self {
                Prepared::Tiles(configured) => configured.compute(tile, c, c_row),
                Prepared::Pairs => avx512::compute(tile, c, c_row),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of a matrix, all of them the same in bfloat16: small whole numbers over eight.
    fn values(len: usize, seed: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 37 + seed * 11) % 61) as f32 / 8.0 - 3.5).collect()
    }

    #[test]
    fn units_agree_with_the_definition_to_the_bit() {
        let cpu = Cpu::new(2);
        let units = [Unit::Tiles, Unit::Pairs].into_iter().filter(|unit| unit.is_available());
        for unit in units {
            for (m, n, k) in
                [(1, 1, 1), (5, 40, 7), (33, 33, 33), (64, 96, 64), (70, 10, 1100), (3, 5, 0), (47, 65, 530)]
            {
                for is_across in [false, true] {
                    let a_distances = if is_across { (1, m) } else { (k, 1) };
                    for b_distances in [(n, 1), (1, k)] {
                        let product = Product { m, n, k, a: a_distances, b: b_distances };
                        let (a, b, bias) = (values(m * k, 1), values(k * n, 2), values(n, 3));
                        let mut c = vec![f32::NAN; m * n];
                        let mut scratch = vec![f32::NAN; scratch_len(&cpu, &product)];
                        // Only rows have what follows a product.
                        let factor = if is_across { 1.0 } else { 2.0 };
                        let extras = Extras {
                            right: None,
                            bias: (!is_across).then_some(&*bias),
                            finish: |row: &mut [f32]| row.iter_mut().for_each(|value| *value *= factor),
                        };
                        run((&cpu, unit), &product, [&a, &b], &mut c, &mut scratch, extras);
                        for (i, c) in c.iter().enumerate() {
                            let (row, column) = (i / n, i % n);
                            let sum: f32 = (0..k)
                                .map(|step| {
                                    a[row * product.a.0 + step * product.a.1]
                                        * b[step * product.b.0 + column * product.b.1]
                                })
                                .sum();
                            let expected = factor * if is_across { sum } else { sum + bias[column] };
                            assert_eq!(
                                *c, expected,
                                "{unit:?} {m}×{n}×{k} {is_across} {b_distances:?} at {row}, {column}"
                            );
                        }
                    }
                }
            }
        }
    }
}

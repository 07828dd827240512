//! Packing of the right factor of a product into panels as wide as a tile of [`super::gemm`].

use std::ops::Range;

use super::vector::vectorized;
use crate::dispatch::Level;
use crate::multiversion;

/// Steps and columns that change places at a time: a cache line of the source, and one of the panel.
const BLOCK: usize = 16;

/// Values in a cache line.
pub(super) const LINE: usize = 16;

/// How far ahead the source is asked for: its rows lie pages apart, which the processor does not foresee.
const ROWS_AHEAD: usize = 16;
const BLOCKS_AHEAD: usize = 3;

/// Packs columns `start..` of B, whose value at `(k, n)` is `b[k * distances.0 + n * distances.1]`, into one panel `[k, columns]`; zeros
/// stand where B has no more columns. One of the distances is 1.
pub(crate) fn pack_panel(
    level: Level,
    b: &[f32],
    distances: (usize, usize),
    steps: usize,
    start: usize,
    n: usize,
    panel: &mut [f32],
) {
    let (k_step, n_step) = distances;
    if panel.is_empty() {
        return;
    }
    let columns = panel.len() / steps;
    let used = columns.min(n - start);
    if n_step == 1 {
        return copy_rows(level, &b[start..], k_step, steps, used, columns, panel);
    }
    debug_assert_eq!(k_step, 1, "values lie side by side along the sum or along the columns");
    if used < columns {
        panel.fill(0.0);
    }
    let b = &b[start * n_step..];
    assert!(used > 0 && (used - 1) * n_step + steps <= b.len() && steps * columns <= panel.len(), "a panel of B");
    // SAFETY: by the assertion.
    unsafe { transpose(level, b, n_step, steps, used, columns, panel) };
}

multiversion! {
    /// Rows of `used` values, `step` apart, as rows of `columns`. A loop in blocks, as a call to copy memory costs more than such a row.
    fn copy_rows(b: &[f32], step: usize, steps: usize, used: usize, columns: usize, panel: &mut [f32]) {
        for (k, row) in panel.chunks_exact_mut(columns).enumerate().take(steps) {
            for line in (0..used).step_by(LINE) {
                prefetch(b, (k + ROWS_AHEAD) * step + line);
            }
            let (row, rest) = row.split_at_mut(used);
            let from = &b[k * step..][..used];
            let ((to, to_end), (from, from_end)) = (row.as_chunks_mut::<8>(), from.as_chunks::<8>());
            for (to, from) in to.iter_mut().zip(from) {
                *to = *from;
            }
            for (to, from) in to_end.iter_mut().zip(from_end) {
                *to = *from;
            }
            for to in rest {
                *to = 0.0;
            }
        }
    }
}

vectorized! {
    /// Rows of `steps` values, `step` apart, as the first `used` columns of a panel of so many `columns`.
    ///
    /// # Safety
    /// The rows lie inside of `b`, the steps inside of the panel.
    unsafe fn transpose[V](b: &[f32], step: usize, steps: usize, used: usize, columns: usize, panel: &mut [f32]) {
        let whole_n = used / V::LANES * V::LANES;
        for k0 in (0..steps).step_by(BLOCK) {
            let k1 = (k0 + BLOCK).min(steps);
            for column in 0..used {
                prefetch(b, column * step + k0 + BLOCKS_AHEAD * BLOCK);
            }
            let whole_k = k0 + (k1 - k0) / V::LANES * V::LANES;
            for column in (0..whole_n).step_by(V::LANES) {
                for k in (k0..whole_k).step_by(V::LANES) {
                    // SAFETY: by the caller's promise.
                    unsafe {
                        let from = b.as_ptr().add(column * step + k);
                        V::transpose((from, step), (panel.as_mut_ptr().add(k * columns + column), columns));
                    }
                }
            }
            for column in 0..used {
                // All steps of the last columns, the last steps of the others.
                for k in if column < whole_n { whole_k..k1 } else { k0..k1 } {
                    panel[k * columns + column] = b[column * step + k];
                }
            }
        }
    }
}

multiversion! {
    /// Packs columns `start..` of a matrix of `steps` rows, `row` values apart, into panels `[steps, width]` that follow each other, all at
    /// once: where rows lie pages apart, what is read of one is longer than a panel's row. Zeros stand where there are no more columns.
    pub(crate) fn pack_panels(
        values: &[f32], row: usize, steps: usize, columns: Range<usize>, width: usize, panels: &mut [f32]
    ) {
        match width {
            32 => pack_panels_of::<32>(values, row, steps, columns, panels),
            16 => pack_panels_of::<16>(values, row, steps, columns, panels),
            14 => pack_panels_of::<14>(values, row, steps, columns, panels),
            8 => pack_panels_of::<8>(values, row, steps, columns, panels),
            6 => pack_panels_of::<6>(values, row, steps, columns, panels),
            4 => pack_panels_of::<4>(values, row, steps, columns, panels),
            _ => unreachable!("no tile is {width} wide"),
        }
    }
}

#[inline(always)]
fn pack_panels_of<const WIDTH: usize>(
    values: &[f32],
    row: usize,
    steps: usize,
    columns: Range<usize>,
    panels: &mut [f32],
) {
    let (panels, _) = panels.as_chunks_mut::<WIDTH>();
    for step in 0..steps {
        let (whole, rest) = values[step * row..][columns.clone()].as_chunks::<WIDTH>();
        for line in (0..columns.len()).step_by(LINE) {
            prefetch(values, (step + ROWS_AHEAD) * row + columns.start + line);
        }
        for (panel, values) in whole.iter().enumerate() {
            panels[panel * steps + step] = *values;
        }
        if !rest.is_empty() {
            let last = &mut panels[whole.len() * steps + step];
            last.fill(0.0);
            last[..rest.len()].copy_from_slice(rest);
        }
    }
}

/// Asks for the cache line of a value that is needed soon.
#[inline(always)]
pub(super) fn prefetch(values: &[f32], at: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(value) = values.get(at) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: every x86-64 processor has the instruction, and the value is there.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(value).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (values, at);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Level;

    #[test]
    fn both_layouts_give_the_same_panel() {
        for (steps, n, start, columns) in
            [(1, 1, 0, 8), (37, 45, 32, 32), (16, 64, 32, 32), (5, 3, 0, 16), (0, 4, 0, 8)]
        {
            let value = |k: usize, column: usize| (k * 100 + column) as f32 + 1.0;
            let by_rows: Vec<f32> = (0..steps * n).map(|i| value(i / n, i % n)).collect();
            let by_columns: Vec<f32> = (0..steps * n).map(|i| value(i % steps, i / steps)).collect();
            let expected: Vec<f32> = (0..steps * columns)
                .map(|i| (i / columns, start + i % columns))
                .map(|(k, column)| if column < n { value(k, column) } else { 0.0 })
                .collect();
            for level in Level::available() {
                for (b, distances) in [(&by_rows, (n, 1)), (&by_columns, (1, steps.max(2)))] {
                    let mut panel = vec![f32::NAN; steps * columns];
                    pack_panel(level, b, distances, steps, start, n, &mut panel);
                    assert!(panel == expected, "{level:?}, {steps} steps, columns from {start} of {n}, {distances:?}");
                }
            }
        }
    }

    #[test]
    fn panels_at_once_are_those_packed_one_by_one() {
        let (steps, n) = (37, 75);
        let values: Vec<f32> = (0..steps * n).map(|i| i as f32 + 1.0).collect();
        for level in Level::available() {
            for width in [4, 6, 8, 14, 16, 32] {
                let columns = 5..n;
                let count = columns.len().div_ceil(width);
                let mut panels = vec![f32::NAN; count * steps * width];
                pack_panels(level, &values, n, steps, columns.clone(), width, &mut panels);
                for (index, panel) in panels.chunks_exact(steps * width).enumerate() {
                    let mut expected = vec![f32::NAN; steps * width];
                    let start = columns.start + index * width;
                    pack_panel(level, &values, (n, 1), steps, start, n, &mut expected);
                    assert!(panel == expected, "{level:?}, panel {index} of {width}");
                }
            }
        }
    }
}

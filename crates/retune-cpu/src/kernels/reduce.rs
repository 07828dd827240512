//! Sums, means and maxima over axes.

use retune_graph::ops::Reduce;
use retune_graph::ops::reduce::Reduction;

use crate::kernels::columns::{column_scratch_len, fold_columns, fold_rows};
use crate::kernels::rows::{Add, Larger, fold_row};
use crate::kernels::stream::{Map, Map2, PIECE, map_in_place};
use crate::kernels::strided::{MAX_AXES, Strided, row_major_stride};
use crate::kernels::{CHUNK, Call};

#[derive(Clone, Copy)]
struct DivideBy(f32);

impl Map for DivideBy {
    #[inline(always)]
    fn at(self, x: f32) -> f32 {
        x / self.0
    }
}

/// The axes that are kept and those that are reduced, each as a walk over the input. `width` innermost kept values lie
/// side by side; it is 0 where the innermost axis is reduced.
struct Split {
    kept: Strided<1>,
    reduced: Strided<1>,
    kept_count: usize,
    reduced_count: usize,
    width: usize,
}

impl Split {
    fn new(axes: &[usize], shape: &[usize]) -> Split {
        let count = |reduced: bool| -> usize {
            shape.iter().enumerate().filter(|(axis, _)| axes.contains(axis) == reduced).map(|(_, &size)| size).product()
        };
        let walk = |reduced: bool| {
            let size = |axis: usize| if axes.contains(&axis) == reduced { shape[axis] } else { 1 };
            let mut sizes = [1; MAX_AXES];
            (0..shape.len()).for_each(|axis| sizes[axis] = size(axis));
            Strided::new(&sizes[..shape.len()], [0], |axis| [row_major_stride(shape, axis)])
        };
        let (kept, reduced) = (walk(false), walk(true));
        let innermost_is_kept = kept.run_stride() == [1] && kept.run_len() > 1;
        Split {
            width: if innermost_is_kept { kept.run_len() } else { 0 },
            kept_count: count(false),
            reduced_count: count(true),
            kept,
            reduced,
        }
    }

    /// Whether the reduced axes come before all kept ones, so that the input is a matrix whose columns are reduced.
    fn is_matrix(&self) -> bool {
        self.kept.rank() == 1 && self.kept_count == self.width.max(1) && self.reduced.rank() == 1
    }
}

pub(crate) fn scratch_len(op: &Reduce, inputs: &[&[usize]]) -> usize {
    let split = Split::new(&op.axes, inputs[0]);
    if split.is_matrix() { column_scratch_len(split.reduced_count, split.kept_count) } else { 0 }
}

pub(crate) fn reduce(op: &Reduce, mut call: Call<'_>) {
    let split = Split::new(&op.axes, call.input_shape(0));
    match op.reduction {
        Reduction::Sum => fold(&split, Add, 0.0, &mut call),
        Reduction::Max => fold(&split, Larger, f32::NEG_INFINITY, &mut call),
        Reduction::Mean => {
            fold(&split, Add, 0.0, &mut call);
            map_in_place(call.cpu.level(), DivideBy(split.reduced_count as f32), call.output());
        }
    }
}

fn fold(split: &Split, f: impl Map2, start: f32, call: &mut Call<'_>) {
    let (x, level, output) = (call.input(0), call.cpu.level(), call.output());
    if x.is_empty() {
        output.fill(start);
    } else if split.is_matrix() {
        fold_columns(call.cpu, f, start, x, output, call.scratch());
    } else if split.width > 0 {
        // Rows of `width` values, each the fold of rows that lie apart, or one below the other.
        let (width, reduced) = (split.width, &split.reduced);
        let below = reduced.run_stride() == [width as isize];
        let (runs, rows) = if below { (split.reduced_count / reduced.run_len(), reduced.run_len()) } else { (0, 0) };
        let rows_per_task = (CHUNK / (width * split.reduced_count)).max(1);
        call.cpu.for_chunks(output, rows_per_task * width, |task, output| {
            for (index, sums) in output.chunks_exact_mut(width).enumerate() {
                let [from] = split.kept.run_start(task * rows_per_task + index);
                sums.fill(start);
                for column in (0..width).step_by(PIECE) {
                    let end = (column + PIECE).min(width);
                    if below {
                        for run in 0..runs {
                            let from = (from + reduced.run_start(run)[0]) as usize;
                            fold_rows(level, f, &x[from..][..rows * width], width, column, &mut sums[column..end]);
                        }
                    } else {
                        reduced.for_each_part(0, split.reduced_count, |_, len, [offset]| {
                            let [stride] = reduced.run_stride();
                            for i in 0..len as isize {
                                let from = (from + offset + i * stride) as usize;
                                fold_rows(level, f, &x[from..][..width], width, column, &mut sums[column..end]);
                            }
                        });
                    }
                }
            }
        });
    } else {
        // Each value is the fold of runs of values side by side.
        let (kept, reduced) = (&split.kept, &split.reduced);
        let run_len = if reduced.run_stride() == [1] { reduced.run_len() } else { 1 };
        let values_per_task = (CHUNK / split.reduced_count).max(1);
        call.cpu.for_chunks(output, values_per_task, |task, output| {
            let first = task * values_per_task;
            kept.for_each_part(first, first + output.len(), |at, len, [from]| {
                let [stride] = kept.run_stride();
                for (i, y) in output[at - first..][..len].iter_mut().enumerate() {
                    let from = from + i as isize * stride;
                    *y = start;
                    for run in 0..split.reduced_count / run_len {
                        let [offset] = reduced.run_start(run);
                        *y = f.at(*y, fold_row(level, f, start, &x[(from + offset) as usize..][..run_len]));
                    }
                }
            });
        });
    }
}

//! Operations that move values without computing.

use retune_graph::ops::{Concat, Pad, Reverse, Slice, Transpose};

use crate::cpu::Parts;
use crate::kernels::strided::{Strided, row_major_stride};
use crate::kernels::{CHUNK, Call};

/// Edge of the square tiles in which values are transposed: a tile's rows and columns share their cache lines.
const TILE: usize = 16;

/// Copies input 0 along a walk whose runs have any stride.
fn gather(call: &mut Call<'_>, walk: &Strided<1>) {
    let (x, [stride]) = (call.input(0), walk.run_stride());
    call.cpu.for_chunks(call.output(), CHUNK, |index, output| {
        let start = index * CHUNK;
        walk.for_each_part(start, start + output.len(), |at, len, [from]| {
            let y = &mut output[at - start..][..len];
            if stride == 1 {
                y.copy_from_slice(&x[from as usize..][..len]);
            } else {
                for (i, y) in y.iter_mut().enumerate() {
                    *y = x[(from + i as isize * stride) as usize];
                }
            }
        });
    });
}

pub(crate) fn transpose(op: &Transpose, mut call: Call<'_>) {
    let (shape, x_shape) = (call.shape, call.input_shape(0));
    let walk = Strided::new(shape, [0], |axis| [row_major_stride(x_shape, op.axes[axis])]);
    let rank = walk.rank();
    match (0..rank - 1).rev().find(|&axis| walk.stride(axis) == [1]) {
        Some(axis) if walk.run_stride() != [1] => transpose_tiles(&mut call, &walk, axis),
        _ => gather(&mut call, &walk),
    }
}

/// Where neighbours of the input lie along `near`, an outer axis of the output: each task moves the tiles of a band.
fn transpose_tiles(call: &mut Call<'_>, walk: &Strided<1>, near: usize) {
    let (x, parts) = (call.input(0), Parts::new(call.output()));
    let (rows, columns, [column_stride]) = (walk.size(near), walk.run_len(), walk.run_stride());
    let inner: usize = (near + 1..walk.rank()).map(|axis| walk.size(axis)).product();
    let between = inner / columns;
    // A band is `TILE` rows of the near axis, at one place of all axes but that and the innermost.
    let bands = rows.div_ceil(TILE);
    let count = parts.len() / (rows * columns) * bands;
    let bands_per_task = (CHUNK / (TILE * columns)).max(1);
    call.cpu.run(count.div_ceil(bands_per_task), |task| {
        for band in task * bands_per_task..((task + 1) * bands_per_task).min(count) {
            let (place, first) = (band / bands, band % bands * TILE);
            let (outer, between_index) = (place / between, place % between);
            let start = outer * rows * inner + between_index * columns;
            let [from] = walk.run_start((outer * rows + first) * between + between_index);
            let last = (first + TILE).min(rows);
            for column in (0..columns).step_by(TILE) {
                let end = (column + TILE).min(columns);
                for row in first..last {
                    // SAFETY: bands are disjoint, and so are their rows.
                    let y = unsafe { parts.slice(start + row * inner + column, end - column) };
                    let from = from + (row - first) as isize + column as isize * column_stride;
                    for (i, y) in y.iter_mut().enumerate() {
                        *y = x[(from + i as isize * column_stride) as usize];
                    }
                }
            }
        }
    });
}

pub(crate) fn slice(op: &Slice, mut call: Call<'_>) {
    let (shape, x_shape) = (call.shape, call.input_shape(0));
    let start = op.start as isize * row_major_stride(x_shape, op.axis);
    let walk = Strided::new(shape, [start], |axis| [row_major_stride(x_shape, axis)]);
    gather(&mut call, &walk);
}

pub(crate) fn reverse(op: &Reverse, mut call: Call<'_>) {
    let shape = call.shape;
    let stride = row_major_stride(shape, op.axis);
    let start = (shape[op.axis] as isize - 1).max(0) * stride;
    let walk =
        Strided::new(shape, [start], |axis| [if axis == op.axis { -stride } else { row_major_stride(shape, axis) }]);
    gather(&mut call, &walk);
}

/// The output is a list of rows along the innermost padded axis and all axes behind it.
pub(crate) fn pad(op: &Pad, mut call: Call<'_>) {
    let (x, shape, x_shape) = (call.input(0), call.shape, call.input_shape(0));
    let axis = op.padding.iter().rposition(|&padding| padding != (0, 0)).unwrap_or(0);
    let inner: usize = shape[axis..].iter().skip(1).product();
    let (before, len) = (op.padding[axis].0 * inner, x_shape[axis] * inner);
    let row_len = shape[axis] * inner;
    if row_len == 0 {
        return;
    }
    let rows_per_task = (CHUNK / row_len).max(1);
    call.cpu.for_chunks(call.output(), rows_per_task * row_len, |task, output| {
        for (index, y) in output.chunks_exact_mut(row_len).enumerate() {
            // The input's row, if this one is not in the padding of an outer axis.
            let (mut row, mut source, mut scale) = (task * rows_per_task + index, Some(0), 1);
            for outer in (0..axis).rev() {
                let place = (row % shape[outer]).checked_sub(op.padding[outer].0).filter(|&i| i < x_shape[outer]);
                source = source.zip(place).map(|(source, place)| source + place * scale);
                row /= shape[outer];
                scale *= x_shape[outer];
            }
            match source {
                None => y.fill(0.0),
                Some(source) => {
                    y[..before].fill(0.0);
                    y[before..before + len].copy_from_slice(&x[source * len..][..len]);
                    y[before + len..].fill(0.0);
                }
            }
        }
    });
}

pub(crate) fn concat(op: &Concat, mut call: Call<'_>) {
    let inner: usize = call.shape[op.axis + 1..].iter().product();
    let (row_len, parts) = (call.shape[op.axis] * inner, Parts::new(call.output()));
    let mut offset = 0;
    for index in 0..call.input_count() {
        let (x, len) = (call.input(index), call.input_shape(index)[op.axis] * inner);
        call.cpu.run(x.len().div_ceil(CHUNK), |task| {
            let (mut at, end) = (task * CHUNK, ((task + 1) * CHUNK).min(x.len()));
            while at < end {
                let (row, place) = (at / len, at % len);
                let count = (len - place).min(end - at);
                // SAFETY: every value of every input has a place of its own in the output.
                let y = unsafe { parts.slice(row * row_len + offset + place, count) };
                y.copy_from_slice(&x[at..at + count]);
                at += count;
            }
        });
        offset += len;
    }
}

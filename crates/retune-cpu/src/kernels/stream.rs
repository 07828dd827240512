//! Kernels whose output values depend on the input values at the same place alone.

use crate::kernels::{CHUNK, Call};
use crate::multiversion;

/// Values that a streaming kernel handles at a time: a piece of each operand stays in the L1 cache.
pub(crate) const PIECE: usize = 1 << 11;

/// A function of one value. A trait instead of a closure, so that it is certainly inlined and thus vectorized.
pub(crate) trait Map: Copy + Sync {
    fn at(self, x: f32) -> f32;
}

/// `x · factor`.
#[derive(Clone, Copy)]
pub(crate) struct Scale(pub f32);

impl Map for Scale {
    #[inline(always)]
    fn at(self, x: f32) -> f32 {
        x * self.0
    }
}

/// A function of two values.
pub(crate) trait Map2: Copy + Sync {
    fn at(self, a: f32, b: f32) -> f32;
}

multiversion! {
    /// `y = f(x)`.
    pub(crate) fn map[F: Map](f: F, x: &[f32], y: &mut [f32]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y = f.at(*x);
        }
    }

    /// `y = f(y)`.
    pub(crate) fn map_in_place[F: Map](f: F, y: &mut [f32]) {
        for y in y.iter_mut() {
            *y = f.at(*y);
        }
    }

    /// `y = f(a, b)`.
    pub(crate) fn map2[F: Map2](f: F, a: &[f32], b: &[f32], y: &mut [f32]) {
        for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
            *y = f.at(*a, *b);
        }
    }
}

/// Calls `f(start, pieces of the sources, piece of y)` for pieces that together cover `y`. A missing source is the one that
/// `y` overwrites: its piece is copied aside first, which costs little because the copy stays in the L1 cache.
pub(crate) fn pieces<const N: usize>(
    sources: [Option<&[f32]>; N],
    y: &mut [f32],
    mut f: impl FnMut(usize, [&[f32]; N], &mut [f32]),
) {
    if sources.iter().all(Option::is_some) {
        for (index, y) in y.chunks_mut(PIECE).enumerate() {
            let (start, len) = (index * PIECE, y.len());
            f(start, sources.map(|source| source.map_or(&[][..], |source| &source[start..][..len])), y);
        }
        return;
    }
    let mut aside = [0.0; PIECE];
    for (index, y) in y.chunks_mut(PIECE).enumerate() {
        let (start, len) = (index * PIECE, y.len());
        aside[..len].copy_from_slice(y);
        f(start, sources.map(|source| source.map_or(&aside[..len], |source| &source[start..][..len])), y);
    }
}

/// Calls `f(column, pieces of the inputs, piece of the output)` for pieces that together cover the output, in parallel.
/// `column` is the piece's start modulo `period`, and no piece goes across a multiple of `period`.
///
/// All inputs named have the output's size; the call may run in place on one of them.
pub(crate) fn stream<const N: usize>(
    call: &mut Call<'_>,
    inputs: [usize; N],
    period: usize,
    f: impl Fn(usize, [&[f32]; N], &mut [f32]) + Sync,
) {
    let sources = inputs.map(|index| call.input_unless_in_place(index));
    let period = period.max(1);
    // A task has whole periods, or a period has whole tasks, apart from its end.
    let chunk = if period <= CHUNK { CHUNK / period * period } else { CHUNK };
    call.cpu.for_chunks(call.output(), chunk, |index, output| {
        let mut done = 0;
        while done < output.len() {
            let start = index * chunk + done;
            let column = start % period;
            let len = (period - column).min(output.len() - done);
            let sources = sources.map(|source| source.map(|source| &source[start..][..len]));
            pieces(sources, &mut output[done..][..len], |at, sources, y| f(column + at, sources, y));
            done += len;
        }
    });
}

/// Calls `f(row, the inputs' rows, the output's row)` for each row of `len` values, in parallel. A missing row is the one
/// that the output overwrites.
pub(crate) fn by_rows<const N: usize>(
    call: &mut Call<'_>,
    inputs: [usize; N],
    len: usize,
    f: impl Fn(usize, [Option<&[f32]>; N], &mut [f32]) + Sync,
) {
    let sources = inputs.map(|index| call.input_unless_in_place(index));
    let rows_per_task = (CHUNK / len).max(1);
    call.cpu.for_chunks(call.output(), rows_per_task * len, |task, output| {
        for (index, y) in output.chunks_mut(len).enumerate() {
            let row = task * rows_per_task + index;
            f(row, sources.map(|source| source.map(|source| &source[row * len..][..y.len()])), y);
        }
    });
}

/// `y = f(x)` of input 0.
pub(crate) fn map_call(call: &mut Call<'_>, f: impl Map) {
    let level = call.cpu.level();
    stream(call, [0], usize::MAX, |_, [x], y| map(level, f, x, y));
}

/// `y = f(a, b)` of inputs 0 and 1, both of the output's shape.
pub(crate) fn map2_call(call: &mut Call<'_>, f: impl Map2) {
    let level = call.cpu.level();
    stream(call, [0, 1], usize::MAX, |_, [a, b], y| map2(level, f, a, b, y));
}

//! Softmax and its logarithm over rows, and their gradients.

use crate::kernels::Call;
use crate::kernels::rows::{Add, Larger, dot, fold_row, fold_row_inline, sum_exp};
use crate::kernels::stream::{by_rows, pieces};
use crate::math::{exp, log};
use crate::multiversion;

multiversion! {
    /// `exp(y − max) / Σ exp(y − max)` in place.
    fn softmax_row(y: &mut [f32]) {
        let max = fold_row_inline(Larger, f32::NEG_INFINITY, y);
        for y in y.iter_mut() {
            *y = exp(*y - max);
        }
        let scale = 1.0 / fold_row_inline(Add, 0.0, y);
        for y in y.iter_mut() {
            *y *= scale;
        }
    }

    /// `y − max − log Σ exp(y − max)` in place.
    fn log_softmax_row(y: &mut [f32]) {
        let max = fold_row_inline(Larger, f32::NEG_INFINITY, y);
        let log_sum = log(sum_exp(y, max));
        for y in y.iter_mut() {
            *y = (*y - max) - log_sum;
        }
    }

    /// `dx = y · (dy − sum)`.
    fn softmax_grad_piece(sum: f32, y: &[f32], dy: &[f32], dx: &mut [f32]) {
        for ((dx, y), dy) in dx.iter_mut().zip(y).zip(dy) {
            *dx = y * (dy - sum);
        }
    }

    /// `dx = dy − eʸ · sum`.
    fn log_softmax_grad_piece(sum: f32, y: &[f32], dy: &[f32], dx: &mut [f32]) {
        for ((dx, y), dy) in dx.iter_mut().zip(y).zip(dy) {
            *dx = dy - exp(*y) * sum;
        }
    }
}

fn row_len(call: &Call<'_>) -> usize {
    call.shape.last().copied().unwrap_or(1).max(1)
}

pub(crate) fn softmax(mut call: Call<'_>) {
    let (level, len) = (call.cpu.level(), row_len(&call));
    by_rows(&mut call, [0], len, |_, [x], y| {
        x.into_iter().for_each(|x| y.copy_from_slice(x));
        softmax_row(level, y);
    });
}

pub(crate) fn log_softmax(mut call: Call<'_>) {
    let (level, len) = (call.cpu.level(), row_len(&call));
    by_rows(&mut call, [0], len, |_, [x], y| {
        x.into_iter().for_each(|x| y.copy_from_slice(x));
        log_softmax_row(level, y);
    });
}

pub(crate) fn softmax_grad(mut call: Call<'_>) {
    let (level, len) = (call.cpu.level(), row_len(&call));
    by_rows(&mut call, [0, 1], len, |_, sources, dx| {
        let sum = dot(level, sources[0].unwrap_or(dx), sources[1].unwrap_or(dx));
        pieces(sources, dx, |_, [y, dy], dx| softmax_grad_piece(level, sum, y, dy, dx));
    });
}

pub(crate) fn log_softmax_grad(mut call: Call<'_>) {
    let (level, len) = (call.cpu.level(), row_len(&call));
    by_rows(&mut call, [0, 1], len, |_, sources, dx| {
        let sum = fold_row(level, Add, 0.0, sources[1].unwrap_or(dx));
        pieces(sources, dx, |_, [y, dy], dx| log_softmax_grad_piece(level, sum, y, dy, dx));
    });
}

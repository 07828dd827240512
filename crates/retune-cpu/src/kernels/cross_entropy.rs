//! Cross-entropy of logits, and its gradient.

use retune_graph::ops::{SoftmaxCrossEntropy, SoftmaxCrossEntropyGrad};

use crate::error::CpuError;
use crate::kernels::rows::{Add, Larger, fold_row_inline, sum_exp, sum_terms};
use crate::kernels::{CHUNK, Call};
use crate::math::{exp, log};
use crate::multiversion;

/// Targets of all rows.
#[derive(Clone, Copy)]
enum Targets<'a> {
    Classes(&'a [i32]),
    Probabilities(&'a [f32]),
}

/// Target of one row.
#[derive(Clone, Copy)]
enum Target<'a> {
    Class(usize),
    Probabilities(&'a [f32]),
}

impl<'a> Targets<'a> {
    /// Input 1: indices have the shape of the logits without the last axis. They are checked here, once.
    fn new(call: &Call<'a>) -> Result<Targets<'a>, CpuError> {
        let logits = call.input_shape(0);
        if call.input_shape(1).len() == logits.len() {
            return Ok(Targets::Probabilities(call.input(1)));
        }
        let (ids, classes) = (call.ids(1), logits[logits.len() - 1]);
        match ids.iter().find(|&&id| usize::try_from(id).map_or(true, |id| id >= classes)) {
            Some(&id) => Err(call.index_out_of_range(id, classes)),
            None => Ok(Targets::Classes(ids)),
        }
    }

    fn row(&self, row: usize, classes: usize) -> Target<'a> {
        match *self {
            Targets::Classes(ids) => Target::Class(ids[row] as usize),
            Targets::Probabilities(values) => Target::Probabilities(&values[row * classes..][..classes]),
        }
    }
}

multiversion! {
    /// `−Σ t · log softmax(x)` with the target smoothed by `epsilon`.
    fn loss_row(x: &[f32], target: Target<'_>, epsilon: f32) -> f32 {
        let max = fold_row_inline(Larger, f32::NEG_INFINITY, x);
        let log_sum = log(sum_exp(x, max));
        let hard = match target {
            Target::Class(class) => log_sum - (x[class] - max),
            Target::Probabilities(t) => sum_terms([x, t], |[x, t]| t * (log_sum - (x - max))),
        };
        if epsilon == 0.0 {
            return hard;
        }
        let even = sum_terms([x], |[x]| log_sum - (x - max));
        hard * (1.0 - epsilon) + even * (epsilon / x.len() as f32)
    }

    /// `(softmax(x) · Σ t − t) · dloss` with the target smoothed by `epsilon`.
    fn grad_row(x: &[f32], target: Target<'_>, epsilon: f32, dloss: f32, dx: &mut [f32]) {
        let max = fold_row_inline(Larger, f32::NEG_INFINITY, x);
        for (dx, x) in dx.iter_mut().zip(x) {
            *dx = exp(*x - max);
        }
        let sum = fold_row_inline(Add, 0.0, dx);
        let (keep, even) = (1.0 - epsilon, epsilon / x.len() as f32);
        match target {
            Target::Class(class) => {
                let scale = dloss / sum;
                for dx in dx.iter_mut() {
                    *dx = *dx * scale - even * dloss;
                }
                dx[class] -= keep * dloss;
            }
            Target::Probabilities(t) => {
                let scale = (fold_row_inline(Add, 0.0, t) * keep + epsilon) / sum;
                for (dx, t) in dx.iter_mut().zip(t) {
                    *dx = (*dx * scale - (t * keep + even)) * dloss;
                }
            }
        }
    }
}

pub(crate) fn loss(op: &SoftmaxCrossEntropy, mut call: Call<'_>) -> Result<(), CpuError> {
    let targets = Targets::new(&call)?;
    let (logits, level) = (call.input(0), call.cpu.level());
    let classes = call.input_shape(0).last().copied().unwrap_or(1);
    let rows_per_task = (CHUNK / classes.max(1)).max(1);
    call.cpu.for_chunks(call.output(), rows_per_task, |task, loss| {
        for (index, loss) in loss.iter_mut().enumerate() {
            let row = task * rows_per_task + index;
            let x = &logits[row * classes..][..classes];
            *loss = loss_row(level, x, targets.row(row, classes), op.label_smoothing);
        }
    });
    Ok(())
}

pub(crate) fn grad(op: &SoftmaxCrossEntropyGrad, mut call: Call<'_>) -> Result<(), CpuError> {
    let targets = Targets::new(&call)?;
    let (logits, dloss, level) = (call.input(0), call.input(2), call.cpu.level());
    let classes = call.shape.last().copied().unwrap_or(1).max(1);
    let rows_per_task = (CHUNK / classes).max(1);
    call.cpu.for_chunks(call.output(), rows_per_task * classes, |task, dx| {
        for (index, dx) in dx.chunks_exact_mut(classes).enumerate() {
            let row = task * rows_per_task + index;
            let x = &logits[row * classes..][..classes];
            grad_row(level, x, targets.row(row, classes), op.label_smoothing, dloss[row], dx);
        }
    });
    Ok(())
}

//! Layer normalization over the last axes, and its gradients.

use retune_graph::ops::{LayerNorm, LayerNormGradInput, LayerNormGradSums, RowMoments};

use crate::kernels::columns::{Blocks, fold_rows};
use crate::kernels::rows::{Add, fold_row_inline, sum_terms};
use crate::kernels::stream::{by_rows, pieces};
use crate::kernels::{CHUNK, Call};
use crate::multiversion;

/// Mean of a row, and 1 / √(variance + epsilon).
#[derive(Clone, Copy)]
struct Standard {
    mean: f32,
    scale: f32,
}

impl Standard {
    fn new(moments: &[f32], row: usize, epsilon: f32) -> Standard {
        Standard { mean: moments[2 * row], scale: 1.0 / (moments[2 * row + 1] + epsilon).sqrt() }
    }
}

multiversion! {
    /// Mean and biased variance, in two passes.
    fn moments_of_row(x: &[f32]) -> [f32; 2] {
        let count = x.len() as f32;
        let mean = fold_row_inline(Add, 0.0, x) / count;
        let variance = sum_terms([x], |[x]| (x - mean) * (x - mean)) / count;
        [mean, variance]
    }

    /// `y = x̂ · gamma + beta`.
    fn normalize(standard: Standard, x: &[f32], gamma: &[f32], beta: &[f32], y: &mut [f32]) {
        for (((y, x), gamma), beta) in y.iter_mut().zip(x).zip(gamma).zip(beta) {
            *y = (x - standard.mean) * standard.scale * gamma + beta;
        }
    }

    /// `Σ g` and `Σ g · x̂` with `g = dy · gamma`.
    fn grad_means(standard: Standard, x: &[f32], dy: &[f32], gamma: &[f32]) -> [f32; 2] {
        let sum = sum_terms([dy, gamma], |[dy, gamma]| dy * gamma);
        let product = sum_terms([x, dy, gamma], |[x, dy, gamma]| dy * gamma * (x - standard.mean));
        [sum / x.len() as f32, product * standard.scale / x.len() as f32]
    }

    /// `dx = (g − mean(g) − x̂ · mean(g · x̂)) · scale`.
    fn grad_input_piece(
        standard: Standard,
        means: [f32; 2],
        x: &[f32],
        dy: &[f32],
        gamma: &[f32],
        dx: &mut [f32],
    ) {
        for (((dx, x), dy), gamma) in dx.iter_mut().zip(x).zip(dy).zip(gamma) {
            let x = (x - standard.mean) * standard.scale;
            *dx = ((dy * gamma - means[0]) - x * means[1]) * standard.scale;
        }
    }

    /// Adds `dy · x̂` and `dy` of two rows.
    fn add_two_rows(
        standards: [Standard; 2],
        x: [&[f32]; 2],
        dy: [&[f32]; 2],
        products: &mut [f32],
        sums: &mut [f32],
    ) {
        let len = sums.len();
        let (x0, x1, d0, d1) = (&x[0][..len], &x[1][..len], &dy[0][..len], &dy[1][..len]);
        let products = &mut products[..len];
        let [a, b] = standards;
        for j in 0..len {
            products[j] += d0[j] * ((x0[j] - a.mean) * a.scale) + d1[j] * ((x1[j] - b.mean) * b.scale);
            sums[j] += d0[j] + d1[j];
        }
    }

    /// Adds `dy · x̂` and `dy` of a row.
    fn add_row(standard: Standard, x: &[f32], dy: &[f32], products: &mut [f32], sums: &mut [f32]) {
        for (((product, sum), x), dy) in products.iter_mut().zip(sums).zip(x).zip(dy) {
            *product += dy * ((x - standard.mean) * standard.scale);
            *sum += dy;
        }
    }
}

/// Values of a row of the last `axes` axes.
fn row_len(shape: &[usize], axes: usize) -> usize {
    shape[shape.len() - axes..].iter().product()
}

pub(crate) fn row_moments(op: &RowMoments, mut call: Call<'_>) {
    let (x, level, len) = (call.input(0), call.cpu.level(), row_len(call.input_shape(0), op.axes));
    let rows_per_task = (CHUNK / len.max(1)).max(1);
    call.cpu.for_chunks(call.output(), 2 * rows_per_task, |task, output| {
        for (index, moments) in output.chunks_exact_mut(2).enumerate() {
            let row = task * rows_per_task + index;
            moments.copy_from_slice(&moments_of_row(level, &x[row * len..][..len]));
        }
    });
}

pub(crate) fn layer_norm(op: &LayerNorm, mut call: Call<'_>) {
    let (moments, gamma, beta, level) = (call.input(1), call.input(2), call.input(3), call.cpu.level());
    let (len, epsilon) = (gamma.len(), op.epsilon);
    by_rows(&mut call, [0], len.max(1), |row, sources, y| {
        let standard = Standard::new(moments, row, epsilon);
        pieces(sources, y, |at, [x], y| {
            normalize(level, standard, x, &gamma[at..][..x.len()], &beta[at..][..x.len()], y);
        });
    });
}

pub(crate) fn grad_input(op: &LayerNormGradInput, mut call: Call<'_>) {
    let (moments, gamma, level, epsilon) = (call.input(1), call.input(2), call.cpu.level(), op.epsilon);
    by_rows(&mut call, [0, 3], gamma.len().max(1), |row, sources, dx| {
        let standard = Standard::new(moments, row, epsilon);
        let [x, dy] = sources.map(|source| source.unwrap_or(dx));
        let means = grad_means(level, standard, x, dy, gamma);
        pieces(sources, dx, |at, [x, dy], dx| {
            grad_input_piece(level, standard, means, x, dy, &gamma[at..][..x.len()], dx);
        });
    });
}

fn blocks(input: &[usize], axes: usize) -> Option<Blocks> {
    let len = row_len(input, axes);
    (len > 0).then(|| Blocks::of_whole_rows(input.iter().product::<usize>() / len, len))
}

/// Scratch values of [`grad_sums`].
pub(crate) fn sums_scratch_len(op: &LayerNormGradSums, input: &[usize]) -> usize {
    blocks(input, op.axes).map_or(0, |blocks| blocks.scratch_len(2))
}

pub(crate) fn grad_sums(op: &LayerNormGradSums, mut call: Call<'_>) {
    let (x, moments, dy) = (call.input(0), call.input(1), call.input(2));
    let (output, scratch, level) = (call.output(), call.scratch(), call.cpu.level());
    let Some(blocks) = blocks(call.input_shape(0), op.axes) else { return };
    let len = blocks.width;
    blocks.run(call.cpu, scratch, 2, |index, block| {
        let (from, to) = blocks.range(index);
        block.fill(0.0);
        let (products, sums) = block.split_at_mut(len);
        let standard = |row: usize| Standard::new(moments, row, op.epsilon);
        for row in (from / len..to / len).step_by(2) {
            let at = row * len;
            if at + len < to {
                let (first, second) = (at..at + len, at + len..at + 2 * len);
                let (x, dy) = ([&x[first.clone()], &x[second.clone()]], [&dy[first], &dy[second]]);
                add_two_rows(level, [standard(row), standard(row + 1)], x, dy, products, sums);
            } else {
                add_row(level, standard(row), &x[at..at + len], &dy[at..at + len], products, sums);
            }
        }
    });
    output.fill(0.0);
    fold_rows(level, Add, &scratch[..blocks.scratch_len(2)], 2 * len, 0, output);
}

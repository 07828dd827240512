//! Batch normalization over all axes but the last, and its gradients.

use retune_graph::ops::{BatchNorm, BatchNormGradInput, BatchNormGradSums};

use crate::kernels::Call;
use crate::kernels::activation::{self, GradientVisitor};
use crate::kernels::columns::{Blocks, TILE};
use crate::kernels::stream::{Map2, PIECE, stream};
use crate::multiversion;

/// Wide rows whose moments are taken at once: their values are still in cache when the second pass reads them.
const GROUP: usize = 16;

fn rows_and_channels(shape: &[usize]) -> (usize, usize) {
    let channels = shape[shape.len() - 1];
    (shape.iter().product::<usize>() / channels.max(1), channels)
}

multiversion! {
    /// Adds the moments of `rows` (each `width` long, columns from `column` on) to those of `count` rows before: `mean` and
    /// `squares`, the sum of squared deviations from it. Two passes over the rows at hand, then Chan's formula
    /// (Chan, Golub and LeVeque, 1979). Means are counted from `shift`, so that they stay exact where they are large next to
    /// the deviations.
    fn add_moments(
        rows: &[f32],
        width: usize,
        column: usize,
        shift: &[f32],
        count: usize,
        mean: &mut [f32],
        squares: &mut [f32],
    ) {
        let len = mean.len();
        let shift = &shift[..len];
        let row_count = rows.len() / width;
        let row = |index: usize| &rows[index * width + column..][..len];
        let (mut sum, mut deviations) = ([0.0; TILE], [0.0; TILE]);
        let (sum, deviations) = (&mut sum[..len], &mut deviations[..len]);
        let fours = row_count / 4 * 4;
        for first in (0..fours).step_by(4) {
            let (r0, r1, r2, r3) = (row(first), row(first + 1), row(first + 2), row(first + 3));
            for j in 0..len {
                let s = shift[j];
                sum[j] += ((r0[j] - s) + (r1[j] - s)) + ((r2[j] - s) + (r3[j] - s));
            }
        }
        for first in fours..row_count {
            let r = row(first);
            for j in 0..len {
                sum[j] += r[j] - shift[j];
            }
        }
        let scale = 1.0 / row_count as f32;
        for j in 0..len {
            sum[j] *= scale;
        }
        for first in (0..fours).step_by(4) {
            let (r0, r1, r2, r3) = (row(first), row(first + 1), row(first + 2), row(first + 3));
            for j in 0..len {
                let (s, m) = (shift[j], sum[j]);
                let (d0, d1, d2, d3) = ((r0[j] - s) - m, (r1[j] - s) - m, (r2[j] - s) - m, (r3[j] - s) - m);
                deviations[j] += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3);
            }
        }
        for first in fours..row_count {
            let r = row(first);
            for j in 0..len {
                let d = (r[j] - shift[j]) - sum[j];
                deviations[j] += d * d;
            }
        }
        merge_moments_inline(count, mean, squares, row_count, sum, deviations);
    }

    /// Adds the moments of `other_count` rows to those of `count`.
    fn merge_moments(
        count: usize,
        mean: &mut [f32],
        squares: &mut [f32],
        other_count: usize,
        other_mean: &[f32],
        other_squares: &[f32],
    ) {
        merge_moments_inline(count, mean, squares, other_count, other_mean, other_squares);
    }

    /// `y = (x − mean) · scale + beta`, of a row as long as these and of what follows it: memory gives two places at once faster than one.
    fn normalize(x: &[f32], mean: &[f32], scale: &[f32], beta: &[f32], y: &mut [f32]) {
        let len = mean.len();
        let ((x, next_x), (y, next_y)) = (x.split_at(len), y.split_at_mut(len));
        let both = next_y.len();
        let (x, mean, scale, beta) = (&x[..len], &mean[..len], &scale[..len], &beta[..len]);
        let (next_x, next_y) = (&next_x[..both], &mut next_y[..both]);
        let at = |i: usize, x: f32| (x - mean[i]) * scale[i] + beta[i];
        for i in 0..both.min(len) {
            (y[i], next_y[i]) = (at(i, x[i]), at(i, next_x[i]));
        }
        for i in both.min(len)..len {
            y[i] = at(i, x[i]);
        }
    }

    /// `dx = dz · scale − (x − mean) · slope − shift`, with `dz` the gradient of the activation at `(x − mean) · scale + beta`.
    fn grad_input_piece[G: Map2](
        gradient: G,
        x: &[f32],
        dy: &[f32],
        mean: &[f32],
        scale: &[f32],
        beta: &[f32],
        slope: &[f32],
        shift: &[f32],
        dx: &mut [f32],
    ) {
        let len = dx.len();
        let (x, dy, mean, beta) = (&x[..len], &dy[..len], &mean[..len], &beta[..len]);
        let (scale, slope, shift) = (&scale[..len], &slope[..len], &shift[..len]);
        for i in 0..len {
            let centered = x[i] - mean[i];
            let dz = gradient.at(centered * scale[i] + beta[i], dy[i]);
            dx[i] = (dz * scale[i] - centered * slope[i]) - shift[i];
        }
    }

    /// Adds `Σ dz · (x − mean)` to `products` and `Σ dz` to `sums` over rows as in `add_moments`; dz as in `grad_input_piece`.
    fn add_products[G: Map2](
        gradient: G,
        x: &[f32],
        dy: &[f32],
        width: usize,
        column: usize,
        mean: &[f32],
        scale: &[f32],
        beta: &[f32],
        products: &mut [f32],
        sums: &mut [f32],
    ) {
        let len = sums.len();
        let (mean, scale, beta, products) = (&mean[..len], &scale[..len], &beta[..len], &mut products[..len]);
        let row_count = x.len() / width;
        let row = |index: usize| {
            let start = index * width + column;
            (&x[start..][..len], &dy[start..][..len])
        };
        let fours = row_count / 4 * 4;
        for first in (0..fours).step_by(4) {
            let ((x0, d0), (x1, d1), (x2, d2), (x3, d3)) = (row(first), row(first + 1), row(first + 2), row(first + 3));
            for j in 0..len {
                let (m, s, b) = (mean[j], scale[j], beta[j]);
                let (c0, c1, c2, c3) = (x0[j] - m, x1[j] - m, x2[j] - m, x3[j] - m);
                let d0 = gradient.at(c0 * s + b, d0[j]);
                let d1 = gradient.at(c1 * s + b, d1[j]);
                let d2 = gradient.at(c2 * s + b, d2[j]);
                let d3 = gradient.at(c3 * s + b, d3[j]);
                products[j] += (d0 * c0 + d1 * c1) + (d2 * c2 + d3 * c3);
                sums[j] += (d0 + d1) + (d2 + d3);
            }
        }
        for first in fours..row_count {
            let (x, d) = row(first);
            for j in 0..len {
                let centered = x[j] - mean[j];
                let dz = gradient.at(centered * scale[j] + beta[j], d[j]);
                products[j] += dz * centered;
                sums[j] += dz;
            }
        }
    }
}

#[inline(always)]
fn merge_moments_inline(
    count: usize,
    mean: &mut [f32],
    squares: &mut [f32],
    other_count: usize,
    other_mean: &[f32],
    other_squares: &[f32],
) {
    let total = (count + other_count).max(1) as f32;
    let (share, weight) = (other_count as f32 / total, count as f32 * (other_count as f32 / total));
    for (((mean, squares), other_mean), other_squares) in
        mean.iter_mut().zip(squares).zip(other_mean).zip(other_squares)
    {
        let difference = other_mean - *mean;
        *mean += difference * share;
        *squares += other_squares + difference * difference * weight;
    }
}

/// Columns `column..column + len` of a wide row that repeats `channels`.
fn tile(channels: &[f32], column: usize, len: usize) -> [f32; TILE] {
    let mut tile = [0.0; TILE];
    let start = column % channels.len();
    let head = len.min(channels.len() - start);
    tile[..head].copy_from_slice(&channels[start..start + head]);
    tile[head..len].chunks_mut(channels.len()).for_each(|tile| tile.copy_from_slice(&channels[..tile.len()]));
    tile
}

/// Scratch values of [`moments`].
pub(crate) fn sums_scratch_len(input: &[usize]) -> usize {
    let (rows, channels) = rows_and_channels(input);
    if channels == 0 { 0 } else { Blocks::new(rows, channels).scratch_len(2) }
}

pub(crate) fn moments(mut call: Call<'_>) {
    let (x, output, scratch, level) = (call.input(0), call.output(), call.scratch(), call.cpu.level());
    let (rows, channels) = rows_and_channels(call.input_shape(0));
    if channels == 0 {
        return;
    }
    let blocks = Blocks::new(rows, channels);
    let width = blocks.width;
    blocks.run(call.cpu, scratch, 2, |index, moments| {
        let (from, to) = blocks.range(index);
        moments.fill(0.0);
        let (mean, squares) = moments.split_at_mut(width);
        for (group, rows) in x[from..to].chunks(GROUP * width).enumerate() {
            for column in (0..width).step_by(TILE) {
                let end = (column + TILE).min(width);
                let (mean, squares) = (&mut mean[column..end], &mut squares[column..end]);
                let shift = tile(&x[..channels], column, end - column);
                add_moments(level, rows, width, column, &shift, group * GROUP, mean, squares);
            }
        }
    });
    // The blocks' moments into the first's, then its columns of one channel and the values behind the last wide row.
    let (first, others) = scratch[..blocks.count * 2 * width].split_at_mut(2 * width);
    let (wide_mean, wide_squares) = first.split_at_mut(width);
    let mut count = blocks.block_rows.min(blocks.rows);
    for other in others.chunks_exact(2 * width) {
        let other_count = blocks.block_rows.min(blocks.rows - count);
        let (other_mean, other_squares) = other.split_at(width);
        merge_moments(level, count, wide_mean, wide_squares, other_count, other_mean, other_squares);
        count += other_count;
    }
    let (mean, squares) = output.split_at_mut(channels);
    mean.fill(0.0);
    squares.fill(0.0);
    let mut merged = 0;
    for (other_mean, other_squares) in wide_mean.chunks_exact(channels).zip(wide_squares.chunks_exact(channels)) {
        merge_moments(level, merged, mean, squares, count, other_mean, other_squares);
        merged += count;
    }
    let (from, to) = blocks.rest_range();
    let (row_mean, no_squares) = (&mut wide_mean[..channels], &mut wide_squares[..channels]);
    no_squares.fill(0.0);
    for row in x[from..to].chunks_exact(channels) {
        for ((mean, x), shift) in row_mean.iter_mut().zip(row).zip(x) {
            *mean = x - shift;
        }
        merge_moments(level, merged, mean, squares, 1, row_mean, no_squares);
        merged += 1;
    }
    mean.iter_mut().zip(x).for_each(|(mean, shift)| *mean += shift);
    squares.iter_mut().for_each(|squares| *squares /= rows as f32);
}

/// Joins the moments of some rows to those of the rows before them, of these counts: means and variances of all of them (Chan, Golub and
/// LeVeque, 1979).
pub(crate) fn merge([before, count]: [usize; 2], whole: &mut [f32], part: &[f32]) {
    let share = count as f32 / (before + count).max(1) as f32;
    let channels = whole.len() / 2;
    let ((means, variances), (new_means, new_variances)) = (whole.split_at_mut(channels), part.split_at(channels));
    for (((mean, variance), new_mean), new_variance) in
        means.iter_mut().zip(variances).zip(new_means).zip(new_variances)
    {
        let difference = new_mean - *mean;
        *mean += difference * share;
        *variance += (new_variance - *variance) * share + difference * difference * (share * (1.0 - share));
    }
}

/// Columns of a wide row of per-channel factors: channels repeated as often as half a piece holds them.
fn wide(channels: usize) -> usize {
    (PIECE / 2 / channels.max(1)).max(1) * channels
}

/// Values that are handled together: two wide rows, if a piece holds them.
fn period(width: usize) -> usize {
    if 2 * width <= PIECE { 2 * width } else { width }
}

/// Repeats the first `channels` values of each row of `width` over the row.
fn repeat(factors: &mut [f32], width: usize, channels: usize) {
    for row in factors.chunks_exact_mut(width) {
        let (first, others) = row.split_at_mut(channels);
        others.chunks_exact_mut(channels).for_each(|other| other.copy_from_slice(first));
    }
}

/// Scratch values of [`batch_norm`].
pub(crate) fn scratch_len(input: &[usize]) -> usize {
    3 * wide(rows_and_channels(input).1)
}

pub(crate) fn batch_norm(op: &BatchNorm, mut call: Call<'_>) {
    let (moments, gamma, beta, level) = (call.input(1), call.input(2), call.input(3), call.cpu.level());
    let (_, channels) = rows_and_channels(call.shape);
    if channels == 0 {
        return;
    }
    let width = wide(channels);
    let factors = call.scratch();
    let (mean, rest) = factors.split_at_mut(width);
    let (scale, shift) = rest.split_at_mut(width);
    for c in 0..channels {
        mean[c] = moments[c];
        scale[c] = gamma[c] / (moments[channels + c] + op.epsilon).sqrt();
        shift[c] = beta[c];
    }
    repeat(factors, width, channels);
    let factor = |index: usize, column: usize, len: usize| &factors[index * width + column..][..len];
    stream(&mut call, [0], period(width), |column, [x], y| {
        let len = y.len().min(width);
        normalize(level, x, factor(0, column, len), factor(1, column, len), factor(2, column, len), y);
        if let Some(activation) = op.activation {
            activation::apply(level, activation, y);
        }
    });
}

/// Scratch values of [`grad_sums`].
pub(crate) fn grad_sums_scratch_len(input: &[usize]) -> usize {
    rows_and_channels(input).1 + sums_scratch_len(input)
}

pub(crate) fn grad_sums(op: &BatchNormGradSums, call: Call<'_>) {
    activation::visit_gradient(op.activation, Sums { epsilon: op.epsilon, call });
}

struct Sums<'a> {
    epsilon: f32,
    call: Call<'a>,
}

impl GradientVisitor for Sums<'_> {
    fn visit(self, gradient: impl Map2) {
        let Sums { epsilon, mut call } = self;
        let [x, moments, gamma, beta, dy] = [0, 1, 2, 3, 4].map(|index| call.input(index));
        let (output, level) = (call.output(), call.cpu.level());
        let (rows, channels) = rows_and_channels(call.input_shape(0));
        if channels == 0 {
            return;
        }
        let (scale, scratch) = call.scratch().split_at_mut(channels);
        for c in 0..channels {
            scale[c] = gamma[c] / (moments[channels + c] + epsilon).sqrt();
        }
        let (mean, scale) = (&moments[..channels], &*scale);
        let blocks = Blocks::new(rows, channels);
        let width = blocks.width;
        blocks.run(call.cpu, scratch, 2, |index, block| {
            let (from, to) = blocks.range(index);
            block.fill(0.0);
            let (products, sums) = block.split_at_mut(width);
            for column in (0..width).step_by(TILE) {
                let end = (column + TILE).min(width);
                let [mean, scale, beta] = [mean, scale, beta].map(|factors| tile(factors, column, end - column));
                let (products, sums) = (&mut products[column..end], &mut sums[column..end]);
                let (x, dy) = (&x[from..to], &dy[from..to]);
                add_products(level, gradient, x, dy, width, column, &mean, &scale, &beta, products, sums);
            }
        });
        let (products, sums) = output.split_at_mut(channels);
        products.fill(0.0);
        sums.fill(0.0);
        let (from, to) = blocks.rest_range();
        let (x, dy) = (&x[from..to], &dy[from..to]);
        for c in (0..channels).step_by(TILE) {
            let end = (c + TILE).min(channels);
            let (products, sums) = (&mut products[c..end], &mut sums[c..end]);
            let [mean, scale, beta] = [mean, scale, beta].map(|factors| &factors[c..end]);
            add_products(level, gradient, x, dy, channels, c, mean, scale, beta, products, sums);
        }
        let (first, others) = scratch[..blocks.count * 2 * width].split_at_mut(2 * width);
        for other in others.chunks_exact(2 * width) {
            first.iter_mut().zip(other).for_each(|(first, other)| *first += other);
        }
        let (wide_products, wide_sums) = first.split_at(width);
        for (totals, wide) in [(products, wide_products), (&mut *sums, wide_sums)] {
            for wide in wide.chunks_exact(channels) {
                totals.iter_mut().zip(wide).for_each(|(total, wide)| *total += wide);
            }
        }
        for c in 0..channels {
            output[c] /= (moments[channels + c] + epsilon).sqrt();
        }
    }
}

/// Scratch values of [`grad_input`].
pub(crate) fn grad_input_scratch_len(input: &[usize]) -> usize {
    5 * wide(rows_and_channels(input).1)
}

/// `dx = dz · s − (x − mean) · (s · Σ(dz · x̂) / n / √(variance + epsilon)) − s · Σdz / n` with
/// `s = gamma / √(variance + epsilon)`.
pub(crate) fn grad_input(op: &BatchNormGradInput, call: Call<'_>) {
    activation::visit_gradient(op.activation, Input { epsilon: op.epsilon, call });
}

struct Input<'a> {
    epsilon: f32,
    call: Call<'a>,
}

impl GradientVisitor for Input<'_> {
    fn visit(self, gradient: impl Map2) {
        let Input { epsilon, mut call } = self;
        let [moments, gamma, beta, totals] = [1, 2, 3, 5].map(|index| call.input(index));
        let level = call.cpu.level();
        let (_, channels) = rows_and_channels(call.shape);
        if channels == 0 {
            return;
        }
        // Totals are those of the whole batch, of which this may be a part.
        let rows = call.whole_len / channels;
        let width = wide(channels);
        let factors = call.scratch();
        for c in 0..channels {
            let deviation = (moments[channels + c] + epsilon).sqrt();
            let scale = gamma[c] / deviation;
            factors[c] = moments[c];
            factors[width + c] = scale;
            factors[2 * width + c] = beta[c];
            factors[3 * width + c] = scale * (totals[c] / (rows as f32 * deviation));
            factors[4 * width + c] = scale * (totals[channels + c] / rows as f32);
        }
        repeat(factors, width, channels);
        stream(&mut call, [0, 4], width, |column, [x, dy], dx| {
            let len = dx.len();
            let factor = |index: usize| &factors[index * width + column..][..len];
            let [mean, scale, beta, slope, shift] = [0, 1, 2, 3, 4].map(factor);
            grad_input_piece(level, gradient, x, dy, mean, scale, beta, slope, shift, dx);
        });
    }
}

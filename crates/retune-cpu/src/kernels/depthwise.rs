//! Depthwise convolution of images, NHWC, and its gradients.
//!
//! All channels of a pixel lie side by side, so registers hold channels, and several neighbouring pixels are computed at a
//! time to use each weight that is loaded more than once. Taps outside of the image are left out instead of padding it.

use std::ops::Range;

use retune_graph::ops::{DepthwiseConv2d, DepthwiseConv2dGradInput, DepthwiseConv2dGradWeight};

use crate::cpu::Parts;
use crate::dispatch::Level;
use crate::kernels::columns::fold_rows;
use crate::kernels::rows::Add;
use crate::kernels::vector::{Quad, Vector, vectorized};
use crate::kernels::windows::{Taps, Windows};
use crate::kernels::{CHUNK, Call};

/// Neighbouring pixels computed at a time, or twice as many where there are.
const PIXELS: usize = 4;

/// Most tasks that the gradient of the weights is cut into, each with sums of its own.
const MOST_TASKS: usize = 32;

/// The side that is read and the side that is written, of the forward pass or of the gradient of the input.
#[derive(Clone, Copy)]
struct Sweep {
    rows: Windows,
    columns: Windows,
    /// Whether the image's pixels are written, from the output's.
    is_gradient: bool,
    /// Pixels in a row of what is read.
    source_width: usize,
    kernel_width: usize,
    /// Channels of the image and filters per channel.
    channels: usize,
    multiplier: usize,
}

impl Sweep {
    fn taps(&self, windows: &Windows, place: usize) -> Taps {
        if self.is_gradient { windows.seen_by(place) } else { windows.taps(place) }
    }
}

/// For a block of pixels: where its first tap's values and weights begin, and how far the next are.
#[derive(Clone, Copy)]
struct Block {
    source: usize,
    source_steps: [isize; 2],
    weight: usize,
    weight_steps: [usize; 2],
    counts: [usize; 2],
    /// Distance of neighbouring pixels in what is read and in what is written.
    source_pixel: usize,
    pixel: usize,
}

impl Block {
    /// `width` is the number of pixels in a row of the source, `source_channels` and `weights` the values of a pixel and of a
    /// tap.
    fn new(rows: Taps, columns: Taps, sweep: &Sweep, source_channels: usize, weights: usize) -> Block {
        let row = (sweep.source_width * source_channels) as isize;
        Block {
            source: (rows.pixel * sweep.source_width + columns.pixel) * source_channels,
            source_steps: [rows.pixel_step * row, columns.pixel_step * source_channels as isize],
            weight: (rows.tap * sweep.kernel_width + columns.tap) * weights,
            weight_steps: [rows.tap_step * sweep.kernel_width * weights, columns.tap_step * weights],
            counts: [rows.count, columns.count],
            source_pixel: 0,
            pixel: 0,
        }
    }

    /// Calls `f(place in the source, place in the weights)` for each tap.
    #[inline(always)]
    fn for_each_tap(&self, mut f: impl FnMut(usize, usize)) {
        for u in 0..self.counts[0] {
            let source = self.source as isize + u as isize * self.source_steps[0];
            let weight = self.weight + u * self.weight_steps[0];
            for v in 0..self.counts[1] {
                f((source + v as isize * self.source_steps[1]) as usize, weight + v * self.weight_steps[1]);
            }
        }
    }
}

/// `P` pixels of all channels, a register at a time. The last register may overlap the one before: its values are then
/// computed twice.
///
/// # Safety
/// The processor has the features of the register, there are at least as many channels as it holds, and all places of the
/// block lie inside of the slices that the pointers come from.
#[inline(always)]
unsafe fn block<V: Vector, const P: usize>(block: &Block, channels: usize, x: *const f32, w: *const f32, y: *mut f32) {
    let mut done = 0;
    while done < channels {
        let channel = done.min(channels - V::LANES);
        // SAFETY: by the caller's promise; `channel + LANES` is at most `channels`.
        unsafe {
            let mut sums = [V::splat(0.0); P];
            block.for_each_tap(|source, weight| {
                let (x, w) = (x.add(source + channel), V::load(w.add(weight + channel)));
                for p in 0..P {
                    sums[p] = sums[p].multiply_add(V::load(x.add(p * block.source_pixel)), w);
                }
            });
            for p in 0..P {
                sums[p].store(y.add(p * block.pixel + channel));
            }
        }
        done += V::LANES;
    }
}

/// As [`block`], for windows of `K` columns that move by the distance of their taps, so that `P` of them see `N = P + K − 1`
/// pixels of a row together: each is loaded once, and the weights of a row stay in registers.
///
/// # Safety
/// As [`block`]; `source_pixel` is the distance of the taps' columns.
#[inline(always)]
unsafe fn sliding_block<V: Vector, const P: usize, const K: usize, const N: usize>(
    block: &Block,
    channels: usize,
    x: *const f32,
    w: *const f32,
    y: *mut f32,
) {
    const { assert!(N == P + K - 1) };
    // Columns of taps may come down; they are taken from the left.
    let (step, weight_step) = (block.source_steps[1], block.weight_steps[1] as isize);
    let (source, weight, weight_step) = match step < 0 {
        true => (
            block.source as isize + (K as isize - 1) * step,
            block.weight as isize + (K as isize - 1) * weight_step,
            -weight_step,
        ),
        false => (block.source as isize, block.weight as isize, weight_step),
    };
    let step = step.unsigned_abs();
    let mut done = 0;
    while done < channels {
        let channel = done.min(channels - V::LANES);
        // SAFETY: by the caller's promise; `channel + LANES` is at most `channels`.
        unsafe {
            let (mut x, mut w) = (x.offset(source).add(channel), w.offset(weight).add(channel));
            let mut sums = [V::splat(0.0); P];
            for _ in 0..block.counts[0] {
                let mut weights = [V::splat(0.0); K];
                for v in 0..K {
                    weights[v] = V::load(w.offset(v as isize * weight_step));
                }
                let mut values = [V::splat(0.0); N];
                for n in 0..N {
                    values[n] = V::load(x.add(n * step));
                }
                for v in 0..K {
                    for p in 0..P {
                        sums[p] = sums[p].multiply_add(values[p + v], weights[v]);
                    }
                }
                x = x.wrapping_offset(block.source_steps[0]);
                w = w.wrapping_add(block.weight_steps[0]);
            }
            for p in 0..P {
                sums[p].store(y.add(p * block.pixel + channel));
            }
        }
        done += V::LANES;
    }
}

/// `count` pixels that see the same taps; the first is at `place` of the row.
///
/// # Safety
/// The processor has the features of the register, and there are at least as many channels as it holds.
#[inline(always)]
unsafe fn pixels<V: Vector>(one: &Block, count: usize, channels: usize, x: &[f32], w: &[f32], y: &mut [f32]) {
    // Taps go up or down, so the first and the last pixel of the block bound what is read.
    let furthest = |start: usize, steps: [isize; 2]| {
        let reach = |step: isize, count: usize| step * (count as isize - 1);
        let (u, v) = (reach(steps[0], one.counts[0]), reach(steps[1], one.counts[1]));
        let start = start as isize;
        (start + u.min(0) + v.min(0), start + u.max(0) + v.max(0) + channels as isize)
    };
    if one.counts.contains(&0) {
        (0..count).for_each(|p| y[p * one.pixel..][..channels].fill(0.0));
        return;
    }
    let (low, high) = furthest(one.source, one.source_steps);
    let (_, last_weight) = furthest(one.weight, one.weight_steps.map(|step| step as isize));
    assert!(
        low >= 0
            && high as usize + (count - 1) * one.source_pixel <= x.len()
            && last_weight as usize <= w.len()
            && (count - 1) * one.pixel + channels <= y.len(),
        "taps lie inside of the image"
    );
    let slides = one.source_pixel == one.source_steps[1].unsigned_abs();
    let (x, w) = (x.as_ptr(), w.as_ptr());
    let mut done = 0;
    while done < count {
        // The last block may overlap the one before: its pixels are then computed twice.
        let size = [2 * PIXELS, PIXELS].into_iter().find(|&size| done + size <= count);
        let size = size.unwrap_or(if count >= PIXELS { PIXELS } else { 1 });
        let first = done.min(count - size);
        let at = Block { source: one.source + first * one.source_pixel, ..*one };
        let y = y[first * one.pixel..].as_mut_ptr();
        // SAFETY: all places are inside by the assertion.
        unsafe {
            match (size, one.counts[1], slides) {
                (8, 3, true) => sliding_block::<V, 8, 3, 10>(&at, channels, x, w, y),
                (4, 3, true) => sliding_block::<V, 4, 3, 6>(&at, channels, x, w, y),
                (8, 5, true) => sliding_block::<V, 8, 5, 12>(&at, channels, x, w, y),
                (4, 5, true) => sliding_block::<V, 4, 5, 8>(&at, channels, x, w, y),
                (8, ..) => block::<V, 8>(&at, channels, x, w, y),
                (4, ..) => block::<V, 4>(&at, channels, x, w, y),
                _ => block::<V, 1>(&at, channels, x, w, y),
            }
        }
        done = first + size;
    }
}

/// One row of what is written, for one filter a channel; `x` is the whole image that is read.
///
/// # Safety
/// As [`pixels`].
#[inline(always)]
unsafe fn row<V: Vector>(sweep: &Sweep, rows: Taps, x: &[f32], w: &[f32], y: &mut [f32]) {
    let channels = sweep.channels;
    let width = y.len() / channels;
    // Pixels that may see the same taps are `group` apart; from one to the next, what they read moves by `advance`.
    let stride = sweep.columns.stride();
    let (group, advance) = if sweep.is_gradient { (stride, 1) } else { (1, stride) };
    for first in 0..group {
        let mut place = first;
        while place < width {
            let taps = sweep.taps(&sweep.columns, place);
            let sees_same = |index: usize| {
                let expected = Taps { pixel: taps.pixel + index * advance, ..taps };
                sweep.taps(&sweep.columns, place + index * group) == expected
            };
            // At the edges neighbours differ; in between all are the same up to a few at the end.
            let mut count = (width - place).div_ceil(group);
            if count > 1 && !sees_same(1) {
                count = 1;
            }
            while count > 1 && !sees_same(count - 1) {
                count -= 1;
            }
            let one = Block {
                source_pixel: advance * channels,
                pixel: group * channels,
                ..Block::new(rows, taps, sweep, channels, channels)
            };
            // SAFETY: by the caller's promise.
            unsafe { pixels::<V>(&one, count, channels, x, w, &mut y[place * channels..]) };
            place += count * group;
        }
    }
}

vectorized! {
    /// # Safety
    /// There are at least four channels.
    unsafe fn vector_row[V](sweep: &Sweep, rows: Taps, x: &[f32], w: &[f32], y: &mut [f32]) {
        // SAFETY: by the caller's promise and the choice of the register.
        unsafe {
            if sweep.channels >= V::LANES {
                row::<V>(sweep, rows, x, w, y);
            } else {
                row::<Quad>(sweep, rows, x, w, y);
            }
        }
    }
}

/// One row for any number of filters a channel.
fn row_with_multiplier(sweep: &Sweep, rows: Taps, x: &[f32], w: &[f32], y: &mut [f32]) {
    let (channels, multiplier, filters) = (sweep.channels, sweep.multiplier, sweep.channels * sweep.multiplier);
    let (read, written) = if sweep.is_gradient { (filters, channels) } else { (channels, filters) };
    for (place, y) in y.chunks_exact_mut(written).enumerate() {
        y.fill(0.0);
        Block::new(rows, sweep.taps(&sweep.columns, place), sweep, read, filters).for_each_tap(|source, weight| {
            let (x, w) = (&x[source..][..read], &w[weight..][..filters]);
            for filter in 0..filters {
                if sweep.is_gradient {
                    y[filter / multiplier] += x[filter] * w[filter];
                } else {
                    y[filter] += x[filter / multiplier] * w[filter];
                }
            }
        });
    }
}

fn any_row(level: Level, sweep: &Sweep, rows: Taps, x: &[f32], w: &[f32], y: &mut [f32]) {
    if sweep.multiplier == 1 && sweep.channels >= Quad::LANES {
        // SAFETY: there are enough channels.
        unsafe { vector_row(level, sweep, rows, x, w, y) };
    } else {
        row_with_multiplier(sweep, rows, x, w, y);
    }
}

/// Writes every row of the output, from the image of input 0 and the weights of input 1.
fn sweep(sweep: &Sweep, mut call: Call<'_>) {
    let (x, w, level) = (call.input(0), call.input(1), call.cpu.level());
    let image_len: usize = call.input_shape(0)[1..].iter().product();
    let (height, row_len) = (call.shape[1], call.shape[2] * call.shape[3]);
    if row_len == 0 {
        return;
    }
    let rows_per_task = (CHUNK / row_len).max(1);
    call.cpu.for_chunks(call.output(), rows_per_task * row_len, |task, output| {
        for (index, y) in output.chunks_exact_mut(row_len).enumerate() {
            let row = task * rows_per_task + index;
            let image = &x[row / height * image_len..][..image_len];
            any_row(level, sweep, sweep.taps(&sweep.rows, row % height), image, w, y);
        }
    });
}

pub(crate) fn forward(op: &DepthwiseConv2d, call: Call<'_>) {
    let (x, w, y) = (call.input_shape(0), call.input_shape(1), call.shape);
    let plan = Sweep {
        rows: Windows::new(&op.geometry, 0, w[0], x[1], y[1]),
        columns: Windows::new(&op.geometry, 1, w[1], x[2], y[2]),
        is_gradient: false,
        source_width: x[2],
        kernel_width: w[1],
        channels: w[2],
        multiplier: w[3],
    };
    sweep(&plan, call);
}

pub(crate) fn grad_input(op: &DepthwiseConv2dGradInput, call: Call<'_>) {
    let (dy, w, dx) = (call.input_shape(0), call.input_shape(1), call.shape);
    let plan = Sweep {
        rows: Windows::new(&op.geometry, 0, w[0], dx[1], dy[1]),
        columns: Windows::new(&op.geometry, 1, w[1], dx[2], dy[2]),
        is_gradient: true,
        source_width: dy[2],
        kernel_width: w[1],
        channels: w[2],
        multiplier: w[3],
    };
    sweep(&plan, call);
}

/// `sums += Σ x · dy` over `count` pixels, for a register of channels.
///
/// # Safety
/// The processor has the features of the register, and all pixels lie inside of the slices that the pointers come from.
#[inline(always)]
unsafe fn add_products<V: Vector>(
    count: usize,
    (x, x_step): (*const f32, usize),
    (dy, dy_step): (*const f32, usize),
    sums: *mut f32,
) {
    // SAFETY: by the caller's promise.
    unsafe {
        let product =
            |sum: V, pixel: usize| sum.multiply_add(V::load(x.add(pixel * x_step)), V::load(dy.add(pixel * dy_step)));
        let mut parts = [V::splat(0.0); PIXELS];
        let whole = count / PIXELS * PIXELS;
        for pixel in (0..whole).step_by(PIXELS) {
            for p in 0..PIXELS {
                parts[p] = product(parts[p], pixel + p);
            }
        }
        for pixel in whole..count {
            parts[0] = product(parts[0], pixel);
        }
        let sum = parts[0].add(parts[1]).add(parts[2].add(parts[3]));
        V::load(sums).add(sum).store(sums);
    }
}

/// `sums[v] += Σ x[pixel + v] · dy[pixel]` over `count` pixels, for a register of channels and the `K` taps of a row, in
/// neighbouring pixels of which `N = PIXELS + K − 1` are seen by `PIXELS` windows. All distances are `step`; sums are `step` apart too.
///
/// # Safety
/// As [`add_products`].
#[inline(always)]
unsafe fn add_sliding_products<V: Vector, const K: usize, const N: usize>(
    count: usize,
    step: usize,
    x: *const f32,
    dy: *const f32,
    sums: *mut f32,
) {
    const { assert!(N == PIXELS + K - 1) };
    // Two sums for each tap, so that one need not wait for the other.
    let (mut even, mut odd);
    // SAFETY: by the caller's promise.
    unsafe {
        (even, odd) = ([V::splat(0.0); K], [V::splat(0.0); K]);
        let whole = count / PIXELS * PIXELS;
        for pixel in (0..whole).step_by(PIXELS) {
            let (x, dy) = (x.add(pixel * step), dy.add(pixel * step));
            let mut values = [V::splat(0.0); N];
            for n in 0..N {
                values[n] = V::load(x.add(n * step));
            }
            let gradients = [V::load(dy), V::load(dy.add(step)), V::load(dy.add(2 * step)), V::load(dy.add(3 * step))];
            for v in 0..K {
                even[v] = even[v].multiply_add(values[v], gradients[0]);
                odd[v] = odd[v].multiply_add(values[v + 1], gradients[1]);
                even[v] = even[v].multiply_add(values[v + 2], gradients[2]);
                odd[v] = odd[v].multiply_add(values[v + 3], gradients[3]);
            }
        }
        for pixel in whole..count {
            let gradient = V::load(dy.add(pixel * step));
            for v in 0..K {
                even[v] = even[v].multiply_add(V::load(x.add((pixel + v) * step)), gradient);
            }
        }
        for v in 0..K {
            let sum = sums.add(v * step);
            V::load(sum).add(even[v].add(odd[v])).store(sum);
        }
    }
}

vectorized! {
    /// Adds the products of `count` pixels of all channels for the `taps` of a row, which are 3 or 5.
    ///
    /// # Safety
    /// All pixels lie inside of their slices, and sums of all taps.
    unsafe fn add_sliding_products_of_channels[V](
        count: usize,
        channels: usize,
        taps: usize,
        x: &[f32],
        dy: &[f32],
        sums: &mut [f32],
    ) {
        let mut c = 0;
        // SAFETY: by the caller's promise; `c` and a register behind it are at most `channels`.
        unsafe {
            while c + V::LANES <= channels {
                let (x, dy, sums) = (x.as_ptr().add(c), dy.as_ptr().add(c), sums.as_mut_ptr().add(c));
                match taps {
                    3 => add_sliding_products::<V, 3, 6>(count, channels, x, dy, sums),
                    _ => add_sliding_products::<V, 5, 8>(count, channels, x, dy, sums),
                }
                c += V::LANES;
            }
            while c + Quad::LANES <= channels {
                let (x, dy, sums) = (x.as_ptr().add(c), dy.as_ptr().add(c), sums.as_mut_ptr().add(c));
                match taps {
                    3 => add_sliding_products::<Quad, 3, 6>(count, channels, x, dy, sums),
                    _ => add_sliding_products::<Quad, 5, 8>(count, channels, x, dy, sums),
                }
                c += Quad::LANES;
            }
        }
        for v in 0..taps {
            for c in c..channels {
                let products = (0..count).map(|pixel| x[(pixel + v) * channels + c] * dy[pixel * channels + c]);
                sums[v * channels + c] += products.sum::<f32>();
            }
        }
    }
}

vectorized! {
    /// Adds the products of `count` pixels of all channels.
    ///
    /// # Safety
    /// All pixels lie inside of their slices.
    unsafe fn add_products_of_channels[V](
        count: usize,
        channels: usize,
        x: (&[f32], usize),
        dy: (&[f32], usize),
        sums: &mut [f32],
    ) {
        let mut c = 0;
        // SAFETY: by the caller's promise; `c` and a register behind it are at most `channels`.
        unsafe {
            let at = |(values, step): (&[f32], usize), c: usize| (values.as_ptr().add(c), step);
            while c + V::LANES <= channels {
                add_products::<V>(count, at(x, c), at(dy, c), sums.as_mut_ptr().add(c));
                c += V::LANES;
            }
            while c + Quad::LANES <= channels {
                add_products::<Quad>(count, at(x, c), at(dy, c), sums.as_mut_ptr().add(c));
                c += Quad::LANES;
            }
        }
        for c in c..channels {
            sums[c] += (0..count).map(|pixel| x.0[pixel * x.1 + c] * dy.0[pixel * dy.1 + c]).sum::<f32>();
        }
    }
}

/// A row of the image beside a row of the output's gradient.
struct Line<'a> {
    image: &'a [f32],
    dy: &'a [f32],
    channels: usize,
    multiplier: usize,
    windows: &'a Windows,
}

impl Line<'_> {
    /// The windows that see all `taps` in neighbouring pixels, where these are summed together; empty where they are not.
    fn together(&self, taps: usize) -> Range<usize> {
        if self.multiplier != 1 || !matches!(taps, 3 | 5) || !self.windows.are_dense() {
            return 0..0;
        }
        let inside = |v: usize| {
            let (first, _, count) = self.windows.inside(v);
            first..first + count
        };
        let (first, last) = (inside(0), inside(taps - 1));
        let range = first.start.max(last.start)..first.end.min(last.end);
        if range.is_empty() { 0..0 } else { range }
    }

    /// Adds the products of these windows for all taps of the row.
    fn add_together(&self, level: Level, windows: Range<usize>, taps: usize, sums: &mut [f32]) {
        let (first, pixel, _) = self.windows.inside(0);
        let image = &self.image[(pixel + windows.start - first) * self.channels..];
        let dy = &self.dy[windows.start * self.channels..windows.end * self.channels];
        let seen = (windows.len() + taps - 1) * self.channels;
        assert!(seen <= image.len() && taps * self.channels <= sums.len(), "taps lie inside of the image");
        // SAFETY: by the assertion and the length of `dy`.
        unsafe { add_sliding_products_of_channels(level, windows.len(), self.channels, taps, image, dy, sums) };
    }

    /// Adds the products of tap `v`, but for the windows in `done`.
    fn add(&self, level: Level, v: usize, done: &Range<usize>, sums: &mut [f32]) {
        let (first, pixel, count) = self.windows.inside(v);
        let all = first..first + count;
        let rest = if done.is_empty() { [all, 0..0] } else { [all.start..done.start, done.end..all.end] };
        for windows in rest.into_iter().filter(|windows| !windows.is_empty()) {
            self.add_windows(
                level,
                windows.start,
                pixel + (windows.start - first) * self.windows.stride(),
                windows.len(),
                sums,
            );
        }
    }

    /// Adds the products of `count` windows, of which the first is `window` and sees `pixel`.
    fn add_windows(&self, level: Level, window: usize, pixel: usize, count: usize, sums: &mut [f32]) {
        let Line { channels, multiplier, .. } = *self;
        let (filters, step) = (channels * multiplier, self.windows.stride() * channels);
        let (x, dy) = (&self.image[pixel * channels..], &self.dy[window * filters..]);
        if multiplier == 1 {
            assert!(
                (count - 1) * step + channels <= x.len() && count * filters <= dy.len() && sums.len() >= channels,
                "taps lie inside of the image"
            );
            // SAFETY: by the assertion.
            unsafe { add_products_of_channels(level, count, channels, (x, step), (dy, filters), sums) };
            return;
        }
        for j in 0..count {
            let (x, dy) = (&x[j * step..][..channels], &dy[j * filters..][..filters]);
            for filter in 0..filters {
                sums[filter] += x[filter / multiplier] * dy[filter];
            }
        }
    }
}

/// How the rows of all outputs are shared out: rows of a task and number of tasks.
fn row_tasks(dy: &[usize]) -> (usize, usize) {
    let (rows, row_len) = (dy[0] * dy[1], dy[2] * dy[3]);
    let rows_per_task = rows.div_ceil(MOST_TASKS).max(CHUNK / row_len.max(1)).max(1);
    (rows_per_task, rows.div_ceil(rows_per_task))
}

/// Scratch values of [`grad_weight`]: sums of each task.
pub(crate) fn grad_weight_scratch_len(dy: &[usize], output: &[usize]) -> usize {
    row_tasks(dy).1 * output.iter().product::<usize>()
}

pub(crate) fn grad_weight(op: &DepthwiseConv2dGradWeight, mut call: Call<'_>) {
    let (x, dy, level) = (call.input(0), call.input(1), call.cpu.level());
    let (x_shape, dy_shape, w_shape) = (call.input_shape(0), call.input_shape(1), call.shape);
    let (kernel_height, kernel_width, channels, multiplier) = (w_shape[0], w_shape[1], w_shape[2], w_shape[3]);
    let (height, width, places, columns) = (x_shape[1], x_shape[2], dy_shape[1], dy_shape[2]);
    let filters = channels * multiplier;
    let (row_windows, column_windows) = (
        Windows::new(&op.geometry, 0, kernel_height, height, places),
        Windows::new(&op.geometry, 1, kernel_width, width, columns),
    );
    let (output, scratch) = (call.output(), call.scratch());
    let (rows_per_task, tasks) = row_tasks(dy_shape);
    let (rows, weights) = (dy_shape[0] * places, output.len());
    let partial = Parts::new(&mut scratch[..tasks * weights]);
    call.cpu.run(tasks, |task| {
        // SAFETY: each task has sums of its own.
        let sums = unsafe { partial.slice(task * weights, weights) };
        sums.fill(0.0);
        for row in task * rows_per_task..((task + 1) * rows_per_task).min(rows) {
            let image = &x[row / places * height * width * channels..][..height * width * channels];
            let dy = &dy[row * columns * filters..][..columns * filters];
            let taps = row_windows.taps(row % places);
            for u in 0..taps.count {
                let pixel_row = (taps.pixel as isize + u as isize * taps.pixel_step) as usize;
                let image_row = &image[pixel_row * width * channels..][..width * channels];
                let sums = &mut sums[(taps.tap + u) * kernel_width * filters..][..kernel_width * filters];
                let line = Line { image: image_row, dy, channels, multiplier, windows: &column_windows };
                let together = line.together(kernel_width);
                if !together.is_empty() {
                    line.add_together(level, together.clone(), kernel_width, sums);
                }
                for (v, sums) in sums.chunks_exact_mut(filters).enumerate() {
                    line.add(level, v, &together, sums);
                }
            }
        }
    });
    output.fill(0.0);
    fold_rows(level, Add, &scratch[..tasks * weights], weights, 0, output);
}

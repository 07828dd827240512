//! Depthwise convolution of images, NHWC, and its gradients.
//!
//! All channels of a pixel lie side by side, so registers hold channels, and several neighbouring pixels are computed at a
//! time to use each weight that is loaded more than once. Taps outside of the image are left out instead of padding it.

use retune_graph::ops::{DepthwiseConv2d, DepthwiseConv2dGradInput, DepthwiseConv2dGradWeight};

use crate::cpu::Parts;
use crate::dispatch::Level;
use crate::kernels::columns::fold_rows;
use crate::kernels::rows::Add;
use crate::kernels::vector::{Quad, Vector, vectorized};
use crate::kernels::windows::{Taps, Windows};
use crate::kernels::{CHUNK, Call};

/// Neighbouring pixels computed at a time.
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
    let mut done = 0;
    while done < count {
        let at = Block { source: one.source + done * one.source_pixel, ..*one };
        let y = &mut y[done * one.pixel..];
        // SAFETY: all places are inside by the assertion.
        unsafe {
            if count - done >= PIXELS {
                block::<V, PIXELS>(&at, channels, x.as_ptr(), w.as_ptr(), y.as_mut_ptr());
                done += PIXELS;
            } else {
                block::<V, 1>(&at, channels, x.as_ptr(), w.as_ptr(), y.as_mut_ptr());
                done += 1;
            }
        }
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
                for v in 0..kernel_width {
                    // The windows whose tap `v` lies inside of the row.
                    let (first, pixel, count) = column_windows.inside(v);
                    if count == 0 {
                        continue;
                    }
                    let sums = &mut sums[((taps.tap + u) * kernel_width + v) * filters..][..filters];
                    let (x, dy) = (&image_row[pixel * channels..], &dy[first * filters..]);
                    let stride = column_windows.stride();
                    if multiplier == 1 {
                        let last = (count - 1) * stride * channels + channels;
                        assert!(last <= x.len() && count * filters <= dy.len(), "taps lie inside of the image");
                        // SAFETY: by the assertion.
                        unsafe {
                            add_products_of_channels(
                                level,
                                count,
                                channels,
                                (x, stride * channels),
                                (dy, filters),
                                sums,
                            );
                        }
                    } else {
                        for j in 0..count {
                            let (x, dy) = (&x[j * stride * channels..][..channels], &dy[j * filters..][..filters]);
                            for filter in 0..filters {
                                sums[filter] += x[filter / multiplier] * dy[filter];
                            }
                        }
                    }
                }
            }
        }
    });
    output.fill(0.0);
    fold_rows(level, Add, &scratch[..tasks * weights], weights, 0, output);
}

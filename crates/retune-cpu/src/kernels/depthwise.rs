//! Depthwise convolution of images, NHWC, and its gradients.
//!
//! All channels of a pixel lie side by side, so registers hold channels, and several neighbouring pixels are computed at a
//! time to use each weight that is loaded more than once. Taps outside of the image are left out instead of padding it.

use retune_graph::ops::{DepthwiseConv2d, DepthwiseConv2dGradInput, DepthwiseConv2dGradWeight};

use crate::cpu::Parts;
use crate::dispatch::Level;
use crate::kernels::columns::fold_rows;
use crate::kernels::rows::Add;
use crate::kernels::windows::{Taps, Windows};
use crate::kernels::{CHUNK, Call};
use crate::multiversion;

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

/// `P` pixels of all channels, `L` at a time. The last `L` channels may overlap those before: they are computed twice.
#[inline(always)]
fn block<const P: usize, const L: usize>(block: &Block, channels: usize, x: &[f32], w: &[f32], y: &mut [f32]) {
    let mut c = 0;
    while c < channels {
        let channel = c.min(channels - L);
        let mut sums = [[0.0; L]; P];
        block.for_each_tap(|source, weight| {
            let w = &w[weight + channel..][..L];
            let x = &x[source + channel..][..(P - 1) * block.source_pixel + L];
            for p in 0..P {
                let x = &x[p * block.source_pixel..][..L];
                for l in 0..L {
                    sums[p][l] += x[l] * w[l];
                }
            }
        });
        for p in 0..P {
            y[p * block.pixel + channel..][..L].copy_from_slice(&sums[p]);
        }
        c += L;
    }
}

/// One row of what is written, for one filter a channel; `x` is the whole image that is read.
#[inline(always)]
fn row<const L: usize>(sweep: &Sweep, rows: Taps, x: &[f32], w: &[f32], y: &mut [f32]) {
    let channels = sweep.channels;
    let count = y.len() / channels;
    // Pixels that see the same taps are `group` apart; from one to the next, what they read moves by `advance`.
    let stride = sweep.columns.stride();
    let (group, advance) = if sweep.is_gradient { (stride, 1) } else { (1, stride) };
    for first in 0..group {
        let mut place = first;
        while place < count {
            let taps = sweep.taps(&sweep.columns, place);
            let last = place + (PIXELS - 1) * group;
            let expected = Taps { pixel: taps.pixel + (PIXELS - 1) * advance, ..taps };
            let pixels = Block {
                source_pixel: advance * channels,
                pixel: group * channels,
                ..Block::new(rows, taps, sweep, channels, channels)
            };
            if last < count && sweep.taps(&sweep.columns, last) == expected {
                block::<PIXELS, L>(&pixels, channels, x, w, &mut y[place * channels..]);
                place += PIXELS * group;
            } else {
                block::<1, L>(&pixels, channels, x, w, &mut y[place * channels..]);
                place += group;
            }
        }
    }
}

multiversion! {
    fn row_by_16(sweep: &Sweep, rows: Taps, x: &[f32], w: &[f32], y: &mut [f32]) {
        row::<16>(sweep, rows, x, w, y);
    }

    fn row_by_8(sweep: &Sweep, rows: Taps, x: &[f32], w: &[f32], y: &mut [f32]) {
        row::<8>(sweep, rows, x, w, y);
    }

    fn row_by_4(sweep: &Sweep, rows: Taps, x: &[f32], w: &[f32], y: &mut [f32]) {
        row::<4>(sweep, rows, x, w, y);
    }

    fn row_by_1(sweep: &Sweep, rows: Taps, x: &[f32], w: &[f32], y: &mut [f32]) {
        row::<1>(sweep, rows, x, w, y);
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
    match sweep.channels {
        _ if sweep.multiplier != 1 => row_with_multiplier(sweep, rows, x, w, y),
        16.. => row_by_16(level, sweep, rows, x, w, y),
        8.. => row_by_8(level, sweep, rows, x, w, y),
        4.. => row_by_4(level, sweep, rows, x, w, y),
        _ => row_by_1(level, sweep, rows, x, w, y),
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

/// `sums[l] += Σ x · dy` over `count` pixels of both, from channel 0 of the slices on.
#[inline(always)]
fn add_products<const L: usize>(count: usize, x: &[f32], x_step: usize, dy: &[f32], dy_step: usize, sums: &mut [f32]) {
    let mut parts = [[0.0; L]; PIXELS];
    let whole = count / PIXELS * PIXELS;
    for pixel in (0..whole).step_by(PIXELS) {
        for p in 0..PIXELS {
            let (x, dy) = (&x[(pixel + p) * x_step..][..L], &dy[(pixel + p) * dy_step..][..L]);
            for l in 0..L {
                parts[p][l] += x[l] * dy[l];
            }
        }
    }
    for pixel in whole..count {
        let (x, dy) = (&x[pixel * x_step..][..L], &dy[pixel * dy_step..][..L]);
        for l in 0..L {
            parts[0][l] += x[l] * dy[l];
        }
    }
    for l in 0..L {
        sums[l] += (parts[0][l] + parts[1][l]) + (parts[2][l] + parts[3][l]);
    }
}

multiversion! {
    /// Adds the products of `count` pixels of all channels.
    fn add_products_of_channels(
        count: usize,
        channels: usize,
        x: &[f32],
        x_step: usize,
        dy: &[f32],
        dy_step: usize,
        sums: &mut [f32],
    ) {
        let mut c = 0;
        while c + 16 <= channels {
            add_products::<16>(count, &x[c..], x_step, &dy[c..], dy_step, &mut sums[c..]);
            c += 16;
        }
        while c + 4 <= channels {
            add_products::<4>(count, &x[c..], x_step, &dy[c..], dy_step, &mut sums[c..]);
            c += 4;
        }
        while c < channels {
            add_products::<1>(count, &x[c..], x_step, &dy[c..], dy_step, &mut sums[c..]);
            c += 1;
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
                        add_products_of_channels(level, count, channels, x, stride * channels, dy, filters, sums);
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

//! Convolution, NHWC, forward and both gradients, over the tiles of [`super::gemm`].
//!
//! No column matrix is ever made. A row of a tile is an output pixel; the sum runs over segments of the image that are
//! contiguous: all channels of neighbouring taps. Each task works on one image (or a band of its rows); where there is
//! padding, the task first copies its band into a zero-bordered scratch image of its thread, which stays in cache.
//!
//! - forward: an output pixel sums over taps of the image, times the kernel;
//! - gradient of the input: an input pixel sums over the taps that reached it of dy, times the transposed kernel. With
//!   strides, pixels fall into `stride²` phases that are reached by different taps; each phase is such a sum of its own;
//! - gradient of the weight: a tap and channel sums over the pixels of x, times dy, for groups of images whose partial
//!   sums are then added in order.
//!
//! Large 3×3 convolutions of stride 1 go to [`super::winograd`] instead.

use std::ops::Range;

use retune_graph::Op;
use retune_graph::ops::{Conv2d, Conv2dGradInput, Conv2dGradWeight, ConvGeometry};

use super::gemm::{self, MAX_ROWS, Segment, Store, Tile, TileShape};
use super::matmul::Product;
use super::pack::pack_panel;
use super::winograd::{self, Filters, Tiling};
use super::{Call, activation};
use crate::cpu::{Cpu, Parts};
use crate::dispatch::Level;
use crate::multiversion;

/// Output pixels that make a task, roughly.
const PIXELS_PER_TASK: usize = 256;

/// Output pixels whose products make one sum of the gradient of a weight, roughly: enough to hide what it costs to add the sum.
const PIXELS_PER_SUM: usize = 512;

/// Segments of one tile; longer sums are done in several passes.
const MAX_SEGMENTS: usize = 32;

/// The most partial sums that the gradient of a weight keeps.
const MAX_PARTIAL: usize = 8;

/// Values of the largest weight whose gradient is summed in [`MAX_PARTIAL`] parts: these cost memory, and a larger weight has work enough to
/// be divided itself.
const LARGEST_IN_PARTS: usize = 1 << 18;

/// A taps-of-an-image sum: the common form of the forward pass and of a phase of the input's gradient.
struct Correlation<'a> {
    /// The image that is read: height, width, channels of all groups.
    source: [usize; 3],
    /// Where tap (u, v) of output pixel (i, j) lies: `(i · step + rows[u], j · step + columns[v])`.
    step: [usize; 2],
    rows: &'a [isize],
    columns: &'a [isize],
    /// Output pixels of the sum.
    grid: [usize; 2],
    /// The image that is written: height, width, channels of all groups.
    target: [usize; 3],
    /// Where output pixel (i, j) is written: `(i · spread + origin)` for each axis.
    spread: [usize; 2],
    origin: [usize; 2],
    groups: usize,
    /// Packed kernels `[group][panel][tap row][tap column][channel][column]`.
    packed: &'a [f32],
    bias: Option<&'a [f32]>,
}

impl Correlation<'_> {
    /// Rows and columns of the zero-bordered copy of the source that output rows `band` need, and its first row and column
    /// in the source. `None` where the source itself serves.
    fn window(&self, band: usize) -> Window {
        let low = |taps: &[isize]| taps.iter().copied().min().unwrap_or(0);
        let high = |taps: &[isize]| taps.iter().copied().max().unwrap_or(0);
        let (top, left) = (low(self.rows), low(self.columns));
        let reach = |axis: usize, taps: &[isize], count: usize| {
            (count.max(1) - 1) * self.step[axis] + (high(taps) - low(taps)) as usize + 1
        };
        let bottom = top + reach(0, self.rows, self.grid[0]) as isize;
        let right = left + reach(1, self.columns, self.grid[1]) as isize;
        let inside = top >= 0 && left >= 0 && bottom <= self.source[0] as isize && right <= self.source[1] as isize;
        Window { top, left, height: reach(0, self.rows, band), width: reach(1, self.columns, self.grid[1]), inside }
    }

    /// Output rows of a task.
    fn band(&self) -> usize {
        PIXELS_PER_TASK.div_ceil(self.grid[1].max(1)).min(self.grid[0]).max(1)
    }

    /// Values of scratch that each thread needs.
    fn thread_scratch(&self) -> usize {
        let window = self.window(self.band());
        if window.inside { 0 } else { window.height * window.width * self.source[2] }
    }

    /// Runs the sum for every image.
    fn run(
        &self,
        cpu: &Cpu,
        source: &[f32],
        target: &Parts<'_>,
        scratch: &mut [f32],
        finish: Option<retune_graph::ops::Activation>,
    ) {
        let [height, width, channels] = self.source;
        let [target_height, target_width, target_channels] = self.target;
        let images = source.len() / (height * width * channels).max(1);
        let band = self.band();
        let bands = self.grid[0].div_ceil(band);
        let thread_scratch = self.thread_scratch();
        let scratch = Parts::new(scratch);
        cpu.run_on_threads(images * bands, |thread, task| {
            let (image, first) = (task / bands, task % bands * band);
            let rows = band.min(self.grid[0] - first);
            let window = self.window(rows);
            let source = &source[image * height * width * channels..][..height * width * channels];
            let from_row = window.top + (first * self.step[0]) as isize;
            let view = if window.inside {
                View {
                    data: source,
                    row: width * channels,
                    start: (from_row as usize * width + window.left as usize) * channels,
                }
            } else {
                // SAFETY: each thread has its own part.
                let copy = unsafe { scratch.slice(thread * thread_scratch, window.height * window.width * channels) };
                copy_window(source, self.source, (from_row, window.left), (window.height, window.width), copy);
                View { data: copy, row: window.width * channels, start: 0 }
            };
            // SAFETY: tasks write different images or different rows.
            let out = target.at(image * target_height * target_width * target_channels);
            self.band_sum(cpu.level(), &view, window, (first, rows), out);
            if let Some(finish) = finish {
                debug_assert_eq!(self.spread, [1, 1], "only the forward pass has an activation");
                let start = (image * target_height + first) * target_width * target_channels;
                // SAFETY: as above.
                let written = unsafe { target.slice(start, rows * target_width * target_channels) };
                activation::apply(cpu.level(), finish, written);
            }
        });
    }

    /// The output rows `first..first + count` of one image.
    fn band_sum(&self, level: Level, view: &View<'_>, window: Window, (first, count): (usize, usize), out: *mut f32) {
        let TileShape { rows: tile_rows, columns: tile_columns } = TileShape::of(level);
        let channels = self.source[2];
        let (ci, co) = (channels / self.groups, self.target[2] / self.groups);
        let taps = self.rows.len() * self.columns.len();
        let panels = co.div_ceil(tile_columns);
        let panel_len = taps * ci * tile_columns;
        // Taps that are neighbours in the image make one segment.
        let joined = self.groups == 1 && self.columns.windows(2).all(|pair| pair[1] == pair[0] + 1);
        let per_row = if joined { self.columns.len().min(1) } else { self.columns.len() };
        let segment_count = self.rows.len() * per_row;
        let pixels = count * self.grid[1];

        for group in 0..self.groups {
            for pass in (0..segment_count.max(1)).step_by(MAX_SEGMENTS) {
                let mut segments = [Segment::default(); MAX_SEGMENTS];
                let used = MAX_SEGMENTS.min(segment_count - pass);
                for (s, segment) in segments.iter_mut().enumerate().take(used) {
                    let (u, v) = ((pass + s) / per_row, (pass + s) % per_row);
                    let row = (self.rows[u] - window.top) as usize;
                    let column = (self.columns[v] - window.left) as usize;
                    *segment = Segment {
                        a: row * view.row + column * channels + group * ci,
                        b: (u * self.columns.len() + v) * ci * tile_columns,
                        len: if joined { self.columns.len() * ci } else { ci },
                    };
                }
                for block in blocks(panels, panel_len) {
                    // Places are counted up, not divided: with few channels a tile takes no longer than a dozen divisions.
                    let (mut i, mut j) = (0, 0);
                    for start in (0..pixels).step_by(tile_rows) {
                        let tile_count = tile_rows.min(pixels - start);
                        let (mut a_rows, mut c_rows) = ([0; MAX_ROWS], [0; MAX_ROWS]);
                        for m in 0..tile_count {
                            a_rows[m] = view.start + i * self.step[0] * view.row + j * self.step[1] * channels;
                            let row = (first + i) * self.spread[0] + self.origin[0];
                            let column = j * self.spread[1] + self.origin[1];
                            c_rows[m] = (row * self.target[1] + column) * self.target[2];
                            j += 1;
                            if j == self.grid[1] {
                                (i, j) = (i + 1, 0);
                            }
                        }
                        for panel in block.clone() {
                            let n0 = panel * tile_columns;
                            let columns = tile_columns.min(co - n0);
                            let channel = group * co + n0;
                            let tile = Tile {
                                a: view.data,
                                rows: &a_rows[..tile_count],
                                a_step: 1,
                                b: &self.packed[(group * panels + panel) * panel_len..][..panel_len],
                                b_step: tile_columns,
                                segments: &segments[..used],
                                columns,
                                store: match self.bias {
                                    _ if pass > 0 => Store::Add,
                                    Some(bias) => Store::Bias(&bias[channel..channel + columns]),
                                    None => Store::Set,
                                },
                            };
                            // SAFETY: rows and columns lie inside of the target image, in rows of this task alone.
                            unsafe { gemm::compute(level, &tile, out.add(channel), &c_rows[..tile_count]) };
                        }
                    }
                }
            }
        }
    }
}

/// Values of the panels that all tiles of a task go over before the next: half of what a core's second cache holds.
const PANEL_VALUES: usize = 1 << 17;

/// Panels of `len` values, as many together as stay in the cache.
fn blocks(panels: usize, len: usize) -> impl Iterator<Item = Range<usize>> {
    let together = (PANEL_VALUES / len.max(1)).max(1);
    (0..panels).step_by(together).map(move |first| first..panels.min(first + together))
}

/// Part of an image that a task reads, in the source's coordinates.
#[derive(Clone, Copy)]
struct Window {
    top: isize,
    left: isize,
    height: usize,
    width: usize,
    /// Whether all of the source that is read, for all output rows, lies inside of it.
    inside: bool,
}

/// The values that a task reads: rows of `row` values, the window's first at `start`.
struct View<'a> {
    data: &'a [f32],
    row: usize,
    start: usize,
}

/// Copies a window of an image that may reach beyond it, with zeros there.
fn copy_window(
    source: &[f32],
    [height, width, channels]: [usize; 3],
    (top, left): (isize, isize),
    (rows, columns): (usize, usize),
    copy: &mut [f32],
) {
    let from = left.clamp(0, width as isize) as usize;
    let to = (left + columns as isize).clamp(from as isize, width as isize) as usize;
    let before = ((from as isize - left) as usize).min(columns) * channels;
    for (i, row) in copy.chunks_exact_mut((columns * channels).max(1)).enumerate().take(rows) {
        let y = top + i as isize;
        if y < 0 || y >= height as isize || from == to {
            row.fill(0.0);
            continue;
        }
        let values = &source[(y as usize * width + from) * channels..(y as usize * width + to) * channels];
        row[..before].fill(0.0);
        row[before..before + values.len()].copy_from_slice(values);
        row[before + values.len()..].fill(0.0);
    }
}

/// The widest panels of any level, so that scratch sizes do not depend on it.
fn packed_len(k: usize, n: usize, groups: usize) -> usize {
    groups * k * n.next_multiple_of(32)
}

/// Positions of a kernel's taps along both axes.
struct Taps {
    positions: [[isize; MAX_TAPS]; 2],
    counts: [usize; 2],
    /// For each tap position, the kernel's index.
    kernel: [[usize; MAX_TAPS]; 2],
}

/// Taps along one axis; the shape rule of convolutions has the same bound.
const MAX_TAPS: usize = retune_graph::ops::conv2d::MAX_TAPS;

impl Taps {
    fn new() -> Taps {
        Taps { positions: [[0; MAX_TAPS]; 2], counts: [0; 2], kernel: [[0; MAX_TAPS]; 2] }
    }

    fn push(&mut self, axis: usize, position: isize, kernel: usize) {
        let at = self.counts[axis];
        assert!(at < MAX_TAPS, "a kernel has at most {MAX_TAPS} taps along an axis");
        self.positions[axis][at] = position;
        self.kernel[axis][at] = kernel;
        self.counts[axis] += 1;
    }

    fn positions(&self, axis: usize) -> &[isize] {
        &self.positions[axis][..self.counts[axis]]
    }

    fn kernel(&self, axis: usize) -> &[usize] {
        &self.kernel[axis][..self.counts[axis]]
    }

    fn forward(geometry: &ConvGeometry, kernel: [usize; 2]) -> Taps {
        let mut taps = Taps::new();
        for axis in 0..2 {
            for u in 0..kernel[axis] {
                taps.push(axis, (u * geometry.dilation[axis]) as isize - geometry.padding[axis].0 as isize, u);
            }
        }
        taps
    }

    /// Taps of dy that reach input pixels of this phase: `i · stride + phase = o · stride − padding + u · dilation`.
    fn phase(geometry: &ConvGeometry, kernel: [usize; 2], phase: [usize; 2]) -> Taps {
        let mut taps = Taps::new();
        for axis in 0..2 {
            let stride = geometry.strides[axis] as isize;
            for u in (0..kernel[axis]).rev() {
                let offset =
                    phase[axis] as isize + geometry.padding[axis].0 as isize - (u * geometry.dilation[axis]) as isize;
                if offset.rem_euclid(stride) == 0 {
                    taps.push(axis, offset.div_euclid(stride), u);
                }
            }
        }
        taps
    }
}

/// Packs the kernel `[kh, kw, ci, co of all groups]` for sums over channel `in` of the taps given.
fn pack_kernel(
    cpu: &Cpu,
    w: &[f32],
    [kw, ci, co]: [usize; 3],
    groups: usize,
    taps: &Taps,
    packed: &mut [f32],
    transposed: bool,
) {
    let columns = TileShape::of(cpu.level()).columns;
    let co_group = co / groups;
    let (k, n) = if transposed { (co_group, ci) } else { (ci, co_group) };
    let count = taps.counts[0] * taps.counts[1];
    let panels = n.div_ceil(columns);
    let panel_len = count * k * columns;
    if panel_len == 0 {
        return;
    }
    cpu.for_chunks(&mut packed[..groups * panels * panel_len], panel_len, |index, panel| {
        let (group, start) = (index / panels, index % panels * columns);
        for (tap, part) in panel.chunks_exact_mut(k * columns).enumerate() {
            let u = taps.kernel(0)[tap / taps.counts[1]];
            let v = taps.kernel(1)[tap % taps.counts[1]];
            let w = &w[(u * kw + v) * ci * co + group * co_group..];
            let steps = if transposed { (1, co) } else { (co, 1) };
            pack_panel(cpu.level(), w, steps, k, start, n, part);
        }
    });
}

fn image(shape: &[usize]) -> [usize; 3] {
    [shape[1], shape[2], shape[3]]
}

/// Whether every output pixel is a product of the pixel at its own place.
pub(crate) fn is_pointwise(geometry: &ConvGeometry, kernel: [usize; 2]) -> bool {
    kernel == [1, 1] && geometry.strides == [1, 1] && geometry.padding == [(0, 0); 2]
}

/// A batch of images; where pixels do not depend on each other, one tall image of all rows, so that tasks and sums may go across
/// images, several of them side by side, as long rows are summed with less effort.
fn joined(shape: &[usize], is_pointwise: bool) -> [usize; 4] {
    let [images, height, width, channels] = [0, 1, 2, 3].map(|axis| shape[axis]);
    if !is_pointwise {
        return [images, height, width, channels];
    }
    let rows = images * height;
    let most = (PIXELS_PER_SUM / 2 / width.max(1)).clamp(1, rows.max(1));
    let beside = (1..=most).rev().find(|beside| rows.is_multiple_of(*beside)).unwrap_or(1);
    [1, rows / beside, width * beside, channels]
}

/// The forward pass as a correlation, without its packed kernel.
fn forward_sum<'a>(op: &Conv2d, x: &[usize], y: &[usize], taps: &'a Taps) -> Correlation<'a> {
    Correlation {
        source: image(x),
        step: op.geometry.strides,
        rows: taps.positions(0),
        columns: taps.positions(1),
        grid: [y[1], y[2]],
        target: image(y),
        spread: [1, 1],
        origin: [0, 0],
        groups: op.groups,
        packed: &[],
        bias: None,
    }
}

/// The forward pass as Winograd tiles, where that applies.
fn forward_tiling(op: &Conv2d, x: &[usize], w: &[usize], y: &[usize]) -> Option<Tiling> {
    winograd::applies(&op.geometry, op.groups, [w[0], w[1], w[2], w[3]], [y[1], y[2]]).then(|| Tiling {
        images: x[0],
        input: image(x),
        output: image(y),
        padding: [op.geometry.padding[0].0, op.geometry.padding[1].0],
    })
}

/// The input's gradient as Winograd tiles: a convolution of dy with the flipped kernel.
fn grad_input_tiling(op: &Conv2dGradInput, dy: &[usize], w: &[usize], dx: &[usize]) -> Option<Tiling> {
    let [rows, columns] = op.geometry.padding;
    let fits = rows.0 <= 2 && columns.0 <= 2;
    (fits && winograd::applies(&op.geometry, op.groups, [w[0], w[1], w[2], w[3]], [dx[1], dx[2]])).then(|| Tiling {
        images: dy[0],
        input: image(dy),
        output: image(dx),
        padding: [2 - rows.0, 2 - columns.0],
    })
}

/// The weight's gradient as Winograd tiles.
fn grad_weight_tiling(op: &Conv2dGradWeight, x: &[usize], dy: &[usize], dw: &[usize]) -> Option<Tiling> {
    winograd::applies(&op.geometry, op.groups, [dw[0], dw[1], dw[2], dw[3]], [dy[1], dy[2]]).then(|| Tiling {
        images: x[0],
        input: image(x),
        output: image(dy),
        padding: [op.geometry.padding[0].0, op.geometry.padding[1].0],
    })
}

pub(crate) fn forward_scratch_len(op: &Conv2d, inputs: &[&[usize]], output: &[usize], cpu: &Cpu) -> usize {
    if let Some(tiling) = forward_tiling(op, inputs[0], inputs[1], output) {
        return tiling.scratch_len(cpu);
    }
    let [kh, kw, ci, co] = [0, 1, 2, 3].map(|axis| inputs[1][axis]);
    let taps = Taps::forward(&op.geometry, [kh, kw]);
    let shapes = [inputs[0], output].map(|shape| joined(shape, is_pointwise(&op.geometry, [kh, kw])));
    let sum = forward_sum(op, &shapes[0], &shapes[1], &taps);
    packed_len(kh * kw * ci, co / op.groups, op.groups) + cpu.threads() * sum.thread_scratch()
}

pub(crate) fn forward(op: &Conv2d, mut call: Call<'_>) {
    if let Some(tiling) = forward_tiling(op, call.input_shape(0), call.input_shape(1), call.shape) {
        let shape = call.input_shape(1);
        let filters = Filters { w: call.input(1), channels: [shape[2], shape[3]], transposed: false };
        let bias = (call.input_count() == 3).then(|| call.input(2));
        let (x, y, scratch) = (call.input(0), call.output(), call.scratch());
        return winograd::correlate(call.cpu, &tiling, x, filters, bias, op.activation, y, scratch);
    }
    let [kh, kw, ci, co] = [0, 1, 2, 3].map(|axis| call.input_shape(1)[axis]);
    let taps = Taps::forward(&op.geometry, [kh, kw]);
    let room = if call.packed.is_some() { 0 } else { packed_len(kh * kw * ci, co / op.groups, op.groups) };
    let (own, scratch) = call.scratch().split_at_mut(room);
    let packed = call.packed.unwrap_or_else(|| {
        pack_kernel(call.cpu, call.input(1), [kw, ci, co], op.groups, &taps, own, false);
        own
    });
    let bias = (call.input_count() == 3).then(|| call.input(2));
    let shapes = [call.input_shape(0), call.shape].map(|shape| joined(shape, is_pointwise(&op.geometry, [kh, kw])));
    let sum = Correlation { packed, bias, ..forward_sum(op, &shapes[0], &shapes[1], &taps) };
    sum.run(call.cpu, call.input(0), &Parts::new(call.output()), scratch, op.activation);
}

/// Values of the packed kernel of a convolution that is a product for each pixel, or of its gradient; 0 for other operations.
pub(crate) fn packed_kernel_len(op: &Op, kernel: &[usize]) -> usize {
    match op {
        Op::Conv2d(op) => packed_len(kernel[2], kernel[3] / op.groups, op.groups),
        Op::Conv2dGradInput(op) => packed_len(kernel[3] / op.groups, kernel[2], op.groups),
        _ => 0,
    }
}

/// Packs the kernel that [`packed_kernel_len`] is about.
pub(crate) fn pack_pointwise_kernel(cpu: &Cpu, op: &Op, (w, shape): (&[f32], &[usize]), packed: &mut [f32]) {
    let (geometry, groups, is_gradient) = match op {
        Op::Conv2d(op) => (&op.geometry, op.groups, false),
        Op::Conv2dGradInput(op) => (&op.geometry, op.groups, true),
        _ => return,
    };
    let taps = Taps::forward(geometry, [1, 1]);
    pack_kernel(cpu, w, [1, shape[2], shape[3]], groups, &taps, packed, is_gradient);
}

/// One phase of the input's gradient as a correlation, without its packed kernel.
fn phase_sum<'a>(
    op: &Conv2dGradInput,
    dy: &[usize],
    dx: &[usize],
    phase: [usize; 2],
    taps: &'a Taps,
) -> Correlation<'a> {
    let strides = op.geometry.strides;
    let grid = [0, 1].map(|axis| (dx[axis + 1] + strides[axis] - 1 - phase[axis]) / strides[axis]);
    Correlation {
        source: image(dy),
        step: [1, 1],
        rows: taps.positions(0),
        columns: taps.positions(1),
        grid,
        target: image(dx),
        spread: strides,
        origin: phase,
        groups: op.groups,
        packed: &[],
        bias: None,
    }
}

fn phases(op: &Conv2dGradInput) -> impl Iterator<Item = [usize; 2]> + use<> {
    let [sy, sx] = op.geometry.strides;
    (0..sy).flat_map(move |y| (0..sx).map(move |x| [y, x]))
}

pub(crate) fn grad_input_scratch_len(op: &Conv2dGradInput, inputs: &[&[usize]], output: &[usize], cpu: &Cpu) -> usize {
    if let Some(tiling) = grad_input_tiling(op, inputs[0], inputs[1], output) {
        return tiling.scratch_len(cpu);
    }
    let [kh, kw, ci, co] = [0, 1, 2, 3].map(|axis| inputs[1][axis]);
    let shapes = [inputs[0], output].map(|shape| joined(shape, is_pointwise(&op.geometry, [kh, kw])));
    let thread_scratch = phases(op).map(|phase| {
        let taps = Taps::phase(&op.geometry, [kh, kw], phase);
        phase_sum(op, &shapes[0], &shapes[1], phase, &taps).thread_scratch()
    });
    packed_len(kh * kw * (co / op.groups), ci, op.groups) + cpu.threads() * thread_scratch.max().unwrap_or(0)
}

pub(crate) fn grad_input(op: &Conv2dGradInput, mut call: Call<'_>) {
    if let Some(tiling) = grad_input_tiling(op, call.input_shape(0), call.input_shape(1), call.shape) {
        let shape = call.input_shape(1);
        let filters = Filters { w: call.input(1), channels: [shape[2], shape[3]], transposed: true };
        let (dy, dx, scratch) = (call.input(0), call.output(), call.scratch());
        return winograd::correlate(call.cpu, &tiling, dy, filters, None, None, dx, scratch);
    }
    let [kh, kw, ci, co] = [0, 1, 2, 3].map(|axis| call.input_shape(1)[axis]);
    let shapes = [call.input_shape(0), call.shape].map(|shape| joined(shape, is_pointwise(&op.geometry, [kh, kw])));
    let target = Parts::new(call.output());
    let room = if call.packed.is_some() { 0 } else { packed_len(kh * kw * (co / op.groups), ci, op.groups) };
    let (own, scratch) = call.scratch().split_at_mut(room);
    for phase in phases(op) {
        let taps = Taps::phase(&op.geometry, [kh, kw], phase);
        let packed = call.packed.unwrap_or_else(|| {
            pack_kernel(call.cpu, call.input(1), [kw, ci, co], op.groups, &taps, own, true);
            own
        });
        let sum = Correlation { packed, ..phase_sum(op, &shapes[0], &shapes[1], phase, &taps) };
        sum.run(call.cpu, call.input(0), &target, scratch, None);
    }
}

/// The gradient of a large weight as a product whose tiles threads share, where each pixel meets its own place alone.
fn weight_product(op: &Conv2dGradWeight, x: &[usize], dy: &[usize]) -> Option<Product> {
    let (ci, co) = (x[3], dy[3]);
    let is_product = is_pointwise(&op.geometry, op.kernel) && op.groups == 1 && ci * co > LARGEST_IN_PARTS;
    is_product.then(|| Product { m: ci, n: co, k: dy[..3].iter().product(), a: (1, ci), b: (co, 1) })
}

/// How the gradient of a weight is divided: output rows of all images with partial sums of their own, summed a band of rows at a time.
struct WeightTasks {
    /// Partial sums, the output among them.
    partial: usize,
    rows_per_partial: usize,
    /// Output rows that are summed at a time: what they take part in stays in cache.
    band: usize,
    /// The zero-bordered window of the input that a band reads, if there is padding.
    window: Option<(usize, usize)>,
    /// Values of a band of dy packed into panels.
    packed: usize,
}

impl WeightTasks {
    fn new(op: &Conv2dGradWeight, dy: &[usize], dw: &[usize]) -> WeightTasks {
        let dy = joined(dy, is_pointwise(&op.geometry, op.kernel));
        let (rows, weights) = (dy[0] * dy[1], dw.iter().product::<usize>());
        let most = if weights <= LARGEST_IN_PARTS { MAX_PARTIAL } else { 2 };
        let partial = (rows * dy[2] / PIXELS_PER_SUM).clamp(1, most);
        let rows_per_partial = rows.div_ceil(partial).max(1);
        let together = if is_pointwise(&op.geometry, op.kernel) { rows_per_partial } else { dy[1] };
        let band = PIXELS_PER_SUM.div_ceil(dy[2].max(1)).min(MAX_SEGMENTS).min(together).max(1);
        let padded = op.geometry.padding != [(0, 0); 2];
        let reach = |axis: usize, count: usize| {
            (count.max(1) - 1) * op.geometry.strides[axis] + op.geometry.extent(axis, op.kernel[axis])
        };
        WeightTasks {
            partial: rows.div_ceil(rows_per_partial).max(1),
            rows_per_partial,
            band,
            window: padded.then(|| (reach(0, band), reach(1, dy[2]))),
            packed: band * dy[2] * op.groups * (dy[3] / op.groups).next_multiple_of(32),
        }
    }

    fn thread_scratch(&self, channels: usize) -> usize {
        self.window.map_or(0, |(height, width)| height * width * channels) + self.packed
    }
}

pub(crate) fn grad_weight_scratch_len(
    op: &Conv2dGradWeight,
    inputs: &[&[usize]],
    output: &[usize],
    cpu: &Cpu,
) -> usize {
    if let Some(tiling) = grad_weight_tiling(op, inputs[0], inputs[1], output) {
        return tiling.weight_scratch_len();
    }
    if let Some(product) = weight_product(op, inputs[0], inputs[1]) {
        return product.across_scratch_len();
    }
    let tasks = WeightTasks::new(op, inputs[1], output);
    (tasks.partial - 1) * output.iter().product::<usize>() + cpu.threads() * tasks.thread_scratch(inputs[0][3])
}

pub(crate) fn grad_weight(op: &Conv2dGradWeight, mut call: Call<'_>) {
    let (x_shape, dy_shape) = (call.input_shape(0), call.input_shape(1));
    if let Some(tiling) = grad_weight_tiling(op, x_shape, dy_shape, call.shape) {
        let (x, dy, dw, scratch) = (call.input(0), call.input(1), call.output(), call.scratch());
        return winograd::weight_gradient(call.cpu, &tiling, x, dy, dw, scratch);
    }
    if let Some(product) = weight_product(op, x_shape, dy_shape) {
        let (x, dy, adds) = (call.input(0), call.input(1), call.adds);
        return product.run_across(call.cpu, x, dy, call.output(), adds, call.scratch());
    }
    let tasks = WeightTasks::new(op, dy_shape, call.shape);
    let channels = x_shape[3];
    // Images whose rows do not depend on each other are one tall image.
    let [[images, height, width, _], [_, oh, ow, co]] =
        [x_shape, dy_shape].map(|shape| joined(shape, is_pointwise(&op.geometry, op.kernel)));
    let (x, dy, dw) = (call.input(0), call.input(1), call.output());
    let weights = dw.len();
    let (partials, scratch) = call.scratch().split_at_mut((tasks.partial - 1) * weights);
    let thread_scratch = tasks.thread_scratch(channels);
    let (first, rest, scratch) = (Parts::new(dw), Parts::new(partials), Parts::new(scratch));
    call.cpu.run_on_threads(tasks.partial, |thread, partial| {
        // SAFETY: each task has its own partial sum, each thread its own scratch.
        let (sum, scratch) = unsafe {
            let sum = if partial == 0 { first.slice(0, weights) } else { rest.slice((partial - 1) * weights, weights) };
            (sum, scratch.slice(thread * thread_scratch, thread_scratch))
        };
        if partial > 0 || !call.adds {
            sum.fill(0.0);
        }
        let start = partial * tasks.rows_per_partial;
        let end = (images * oh).min(start + tasks.rows_per_partial);
        for image in start / oh.max(1)..end.div_ceil(oh.max(1)) {
            let x = &x[image * height * width * channels..][..height * width * channels];
            let dy = &dy[image * oh * ow * co..][..oh * ow * co];
            let rows = start.max(image * oh) - image * oh..end.min((image + 1) * oh) - image * oh;
            let (x, dy) = ((x, [height, width, channels]), (dy, [ow, co]));
            add_weight_gradient(op, call.cpu.level(), x, dy, rows, &tasks, scratch, sum);
        }
    });
    let dw = call.output();
    let partials = &*call.scratch();
    call.cpu.for_chunks(dw, super::CHUNK, |index, dw| {
        for partial in partials.chunks_exact(weights.max(1)).take(tasks.partial - 1) {
            let start = index * super::CHUNK;
            add_assign(call.cpu.level(), dw, &partial[start..start + dw.len()]);
        }
    });
}

multiversion! {
    /// `to += from`
    fn add_assign(to: &mut [f32], from: &[f32]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to += from;
        }
    }
}

/// Adds to `dw` what the output rows `range` of one image give.
fn add_weight_gradient(
    op: &Conv2dGradWeight,
    level: Level,
    (x, [height, width, channels]): (&[f32], [usize; 3]),
    (dy, [ow, co]): (&[f32], [usize; 2]),
    range: Range<usize>,
    tasks: &WeightTasks,
    scratch: &mut [f32],
    dw: &mut [f32],
) {
    let TileShape { rows: tile_rows, columns: tile_columns } = TileShape::of(level);
    let (ci, co_group) = (channels / op.groups, co / op.groups);
    let ConvGeometry { strides, dilation, padding } = op.geometry;
    let (copy, packed) = scratch.split_at_mut(tasks.window.map_or(0, |(height, width)| height * width * channels));
    let panels = co_group.div_ceil(tile_columns);
    // Rows of the tile: channels of a tap, joined over neighbouring taps of a kernel row.
    let is_joined = op.groups == 1 && dilation[1] == 1;
    let (columns_per_part, part_len) = if is_joined { (1, op.kernel[1] * ci) } else { (op.kernel[1], ci) };
    for first in range.clone().step_by(tasks.band) {
        let rows = tasks.band.min(range.end - first);
        let (x, first_row, width) = match tasks.window {
            Some(window) => {
                let corner = ((first * strides[0]) as isize - padding[0].0 as isize, -(padding[1].0 as isize));
                copy_window(x, [height, width, channels], corner, window, copy);
                (&*copy, 0, window.1)
            }
            None => (x, first * strides[0], width),
        };
        // dy as panels, so that the kernel reads it in order.
        let panel_len = rows * ow * tile_columns;
        for group in 0..op.groups {
            for panel in 0..panels {
                let part = &mut packed[(group * panels + panel) * panel_len..][..panel_len];
                let dy = &dy[first * ow * co + group * co_group..];
                pack_panel(level, dy, (co, 1), rows * ow, panel * tile_columns, co_group, part);
            }
        }
        for u in 0..op.kernel[0] {
            for v in 0..columns_per_part {
                for group in 0..op.groups {
                    let mut segments = [Segment::default(); MAX_SEGMENTS];
                    for (i, segment) in segments.iter_mut().enumerate().take(rows) {
                        let row = first_row + i * strides[0] + u * dilation[0];
                        *segment = Segment {
                            a: (row * width + v * dilation[1]) * channels + group * ci,
                            b: i * ow * tile_columns,
                            len: ow,
                        };
                    }
                    for block in blocks(panels, panel_len) {
                        for m0 in (0..part_len).step_by(tile_rows) {
                            let count = tile_rows.min(part_len - m0);
                            let (mut a_rows, mut c_rows) = ([0; MAX_ROWS], [0; MAX_ROWS]);
                            for m in 0..count {
                                a_rows[m] = m0 + m;
                                c_rows[m] = ((u * op.kernel[1] + v) * ci + m0 + m) * co;
                            }
                            for panel in block.clone() {
                                let n0 = panel * tile_columns;
                                let tile = Tile {
                                    a: x,
                                    rows: &a_rows[..count],
                                    a_step: strides[1] * channels,
                                    b: &packed[(group * panels + panel) * panel_len..][..panel_len],
                                    b_step: tile_columns,
                                    segments: &segments[..rows],
                                    columns: tile_columns.min(co_group - n0),
                                    store: Store::Add,
                                };
                                let c = &mut dw[group * co_group + n0..];
                                // SAFETY: rows and columns lie inside of dw, which is borrowed mutably.
                                unsafe { gemm::compute(level, &tile, c.as_mut_ptr(), &c_rows[..count]) };
                            }
                        }
                    }
                }
            }
        }
    }
}

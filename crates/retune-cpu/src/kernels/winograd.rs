//! 3×3 convolutions of stride 1 by Winograd's minimal filtering F(4×4, 3×3): 36 multiplications for 16 output pixels
//! instead of 144. Lavin and Gray, *Fast algorithms for convolutional neural networks*, 2015.
//!
//! Tiles of 4×4 output pixels read 6×6 input pixels. With the matrices Aᵀ, G, Bᵀ of the interpolation points 0, ±1, ±2, ∞,
//! for every tile and pair of channels `Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A`; summed over input channels, the products become 36
//! matrix products `[tiles, in] · [in, out]`. The weight's gradient is the transpose of the same map:
//! `dg = Gᵀ [(Bᵀ d B) ⊙ (A dY Aᵀ)] G`, summed over tiles.
//!
//! Tiles are taken in blocks whose transforms stay in cache. Rounding errors are some ten times those of the direct sum
//! (see the test), far below the noise of a training step.

use retune_graph::ops::{Activation, ConvGeometry};

use super::activation;
use super::gemm::{self, MAX_ROWS, Segment, Store, Tile, TileShape};
use super::vector::{Vector, vectorized};
use crate::cpu::{Cpu, Parts};
use crate::dispatch::Level;

/// Points of a transformed tile.
const POINTS: usize = 36;

/// Tiles of a block: twice the rows of the largest register tile.
const BLOCK: usize = 28;

/// Values of transformed tiles that the weight's gradient takes at a time: the products sum over all of them, so their
/// number should be large, but they should stay in the last cache.
const WEIGHT_BLOCK_LEN: usize = 1 << 21;

/// The widest panels of any level, so that scratch sizes do not depend on it.
const WIDEST: usize = 32;

/// A convolution's sizes as seen by the tiles: what is read, what is written, where output pixel 0 starts in the input.
#[derive(Clone, Copy)]
pub(crate) struct Tiling {
    pub images: usize,
    /// Height, width and channels of what is read.
    pub input: [usize; 3],
    /// Height, width and channels of what is written.
    pub output: [usize; 3],
    /// Zeros before the input's first row and column.
    pub padding: [usize; 2],
}

/// Whether this convolution is done here: 3×3, stride 1, channels in whole registers, and large enough to pay.
pub(crate) fn applies(geometry: &ConvGeometry, groups: usize, kernel: [usize; 4], output: [usize; 2]) -> bool {
    let [kh, kw, ci, co] = kernel;
    [kh, kw] == [3, 3]
        && groups == 1
        && geometry.strides == [1, 1]
        && geometry.dilation == [1, 1]
        && ci % 16 == 0
        && co % 16 == 0
        && ci >= 32
        && co >= 32
        && output[0] >= 6
        && output[1] >= 6
}

impl Tiling {
    fn tiles(&self) -> [usize; 2] {
        [self.output[0].div_ceil(4), self.output[1].div_ceil(4)]
    }

    fn tile_count(&self) -> usize {
        let [rows, columns] = self.tiles();
        self.images * rows * columns
    }

    /// Image and first output row and column of a tile.
    fn place(&self, tile: usize) -> (usize, usize, usize) {
        let [rows, columns] = self.tiles();
        let (image, tile) = (tile / (rows * columns), tile % (rows * columns));
        (image, tile / columns * 4, tile % columns * 4)
    }

    fn kernel_len(&self) -> usize {
        POINTS * self.input[2] * self.output[2].next_multiple_of(WIDEST)
    }

    fn block_len(&self) -> usize {
        POINTS * BLOCK * (self.input[2] + self.output[2].next_multiple_of(WIDEST))
    }

    /// Values of scratch for [`correlate`].
    pub fn scratch_len(&self, cpu: &Cpu) -> usize {
        self.kernel_len() + cpu.threads() * self.block_len()
    }

    /// Tiles of a block of the weight's gradient.
    fn weight_block(&self) -> usize {
        (WEIGHT_BLOCK_LEN / (POINTS * (self.input[2] + self.output[2]))).clamp(BLOCK, self.tile_count().max(BLOCK))
    }

    fn weight_block_len(&self) -> usize {
        POINTS * self.weight_block() * (self.input[2] + self.output[2].next_multiple_of(WIDEST))
    }

    /// Values of scratch for [`weight_gradient`].
    pub fn weight_scratch_len(&self) -> usize {
        POINTS * self.input[2] * self.output[2] + self.weight_block_len()
    }
}

/// The filters of a convolution, or of its input's gradient.
#[derive(Clone, Copy)]
pub(crate) struct Filters<'a> {
    /// `[3, 3, in, out]` of the convolution.
    pub w: &'a [f32],
    /// In and out of the convolution.
    pub channels: [usize; 2],
    /// Whether taps are flipped and in and out exchanged, as the input's gradient reads them.
    pub transposed: bool,
}

/// Computes the convolution (or its input's gradient) of every image.
pub(crate) fn correlate(
    cpu: &Cpu,
    tiling: &Tiling,
    input: &[f32],
    filters: Filters<'_>,
    bias: Option<&[f32]>,
    finish: Option<Activation>,
    output: &mut [f32],
    scratch: &mut [f32],
) {
    let level = cpu.level();
    let columns = TileShape::of(level).columns;
    let [_, _, ci] = tiling.input;
    let [_, _, co] = tiling.output;
    let panels = co.div_ceil(columns);
    let (kernel, scratch) = scratch.split_at_mut(tiling.kernel_len());
    // Transformed filters: [point][panel][in][column].
    let parts = Parts::new(kernel);
    cpu.run(ci, |channel| {
        // SAFETY: every input channel has places of its own; the level is the processor's.
        unsafe { transform_filters(level, &filters, channel, (ci, co), columns, &parts) };
    });
    let kernel = &*kernel;

    let tiles = tiling.tile_count();
    let (out, blocks) = (Parts::new(output), Parts::new(scratch));
    let block_len = tiling.block_len();
    cpu.run_on_threads(tiles.div_ceil(BLOCK), |thread, block| {
        // SAFETY: each thread has its own part.
        let memory = unsafe { blocks.slice(thread * block_len, block_len) };
        let (v, m) = memory.split_at_mut(POINTS * BLOCK * ci);
        let first = block * BLOCK;
        let count = BLOCK.min(tiles - first);
        let places = Parts::new(v);
        for t in 0..count {
            // SAFETY: `v` is this thread's; the level is the processor's.
            unsafe { transform_input(level, tiling, input, first + t, (t, BLOCK), &places) };
        }
        for point in 0..POINTS {
            let a = &v[point * BLOCK * ci..][..BLOCK * ci];
            let c = &mut m[point * BLOCK * co..][..BLOCK * co];
            let b = &kernel[point * panels * ci * columns..][..panels * ci * columns];
            multiply(level, (a, ci), (b, ci * columns, columns), (c, co), (count, ci, co));
        }
        for t in 0..count {
            // SAFETY: tiles write different pixels; the level is the processor's.
            unsafe { transform_output(level, tiling, m, t, first + t, bias, &out) };
            if let Some(finish) = finish {
                let (image, row, column) = tiling.place(first + t);
                let [height, width, _] = tiling.output;
                for y in row..height.min(row + 4) {
                    let start = ((image * height + y) * width + column) * co;
                    // SAFETY: this tile's pixels, as above.
                    let pixels = unsafe { out.slice(start, (width - column).min(4) * co) };
                    activation::apply(level, finish, pixels);
                }
            }
        }
    });
}

/// `c[rows, n] = a[rows, k] · b`, b in panels of `columns`.
fn multiply(
    level: Level,
    (a, a_row): (&[f32], usize),
    (b, panel_len, columns): (&[f32], usize, usize),
    (c, c_row): (&mut [f32], usize),
    (rows, k, n): (usize, usize, usize),
) {
    let tile_rows = TileShape::of(level).rows;
    for m0 in (0..rows).step_by(tile_rows) {
        let count = tile_rows.min(rows - m0);
        let (mut a_rows, mut c_rows) = ([0; MAX_ROWS], [0; MAX_ROWS]);
        for i in 0..count {
            a_rows[i] = (m0 + i) * a_row;
            c_rows[i] = (m0 + i) * c_row;
        }
        for (panel, n0) in (0..n).step_by(columns).enumerate() {
            let tile = Tile {
                a,
                rows: &a_rows[..count],
                a_step: 1,
                b: &b[panel * panel_len..][..panel_len],
                b_step: columns,
                segments: &[Segment { a: 0, b: 0, len: k }],
                columns: columns.min(n - n0),
                store: Store::Set,
            };
            // SAFETY: rows and columns lie inside of c, which is borrowed mutably.
            unsafe { gemm::compute(level, &tile, c[n0..].as_mut_ptr(), &c_rows[..count]) };
        }
    }
}

/// Computes `dw[u, v, i, o] = Σ x[…, y + u − p, x + v − p, i] · dy[…, y, x, o]` over all images and pixels; `tiling` is the
/// convolution's.
pub(crate) fn weight_gradient(cpu: &Cpu, tiling: &Tiling, x: &[f32], dy: &[f32], dw: &mut [f32], scratch: &mut [f32]) {
    let level = cpu.level();
    let TileShape { rows: tile_rows, columns } = TileShape::of(level);
    let (ci, co) = (tiling.input[2], tiling.output[2]);
    let (tiles, block) = (tiling.tile_count(), tiling.weight_block());
    let (sums, scratch) = scratch.split_at_mut(POINTS * ci * co);
    let (v, w) = scratch.split_at_mut(POINTS * block * ci);
    let panels = co.div_ceil(columns);
    let panel_len = block * columns;
    for first in (0..tiles).step_by(block) {
        let count = block.min(tiles - first);
        let (v_parts, w_parts) = (Parts::new(v), Parts::new(w));
        cpu.run(count.div_ceil(BLOCK), |task| {
            for t in task * BLOCK..count.min((task + 1) * BLOCK) {
                // SAFETY: each tile has places of its own; the level is the processor's.
                unsafe {
                    transform_input(level, tiling, x, first + t, (t, block), &v_parts);
                    transform_output_gradient(level, tiling, dy, first + t, (t, block), columns, &w_parts);
                }
            }
        });
        let (v, w) = (&*v, &*w);
        cpu.for_chunks(sums, ci * co, |point, sum| {
            for m0 in (0..ci).step_by(tile_rows) {
                let rows = tile_rows.min(ci - m0);
                let (mut a_rows, mut c_rows) = ([0; MAX_ROWS], [0; MAX_ROWS]);
                for m in 0..rows {
                    a_rows[m] = m0 + m;
                    c_rows[m] = (m0 + m) * co;
                }
                for panel in 0..panels {
                    let n0 = panel * columns;
                    let tile = Tile {
                        a: &v[point * block * ci..][..block * ci],
                        rows: &a_rows[..rows],
                        a_step: ci,
                        b: &w[(point * panels + panel) * panel_len..][..panel_len],
                        b_step: columns,
                        segments: &[Segment { a: 0, b: 0, len: count }],
                        columns: columns.min(co - n0),
                        store: if first == 0 { Store::Set } else { Store::Add },
                    };
                    // SAFETY: rows and columns lie inside of the sum, which is borrowed mutably.
                    unsafe { gemm::compute(level, &tile, sum[n0..].as_mut_ptr(), &c_rows[..rows]) };
                }
            }
        });
    }
    let sums = &*sums;
    let out = Parts::new(dw);
    cpu.run(ci, |channel| {
        // SAFETY: every input channel has places of its own; the level is the processor's.
        unsafe { finish_weight_gradient(level, sums, channel, (ci, co), &out) };
    });
}

/// `x + a · b` for a constant b.
#[inline(always)]
unsafe fn plus<V: Vector>(x: V, a: V, b: f32) -> V {
    // SAFETY: by the caller's promise.
    unsafe { x.multiply_add(a, V::splat(b)) }
}

/// `Bᵀ d` for six values.
#[inline(always)]
unsafe fn input_points<V: Vector>(d: [V; 6]) -> [V; 6] {
    // SAFETY: by the caller's promise, here and below.
    unsafe {
        let (even, odd) = (plus(d[4], d[2], -4.0), plus(d[3], d[1], -4.0));
        let (even2, odd2) = (d[4].sub(d[2]), d[3].sub(d[1]));
        [
            plus(plus(d[4], d[2], -5.0), d[0], 4.0),
            even.add(odd),
            even.sub(odd),
            plus(even2, odd2, 2.0),
            plus(even2, odd2, -2.0),
            plus(plus(d[5], d[3], -5.0), d[1], 4.0),
        ]
    }
}

/// `Aᵀ m` for six values.
#[inline(always)]
unsafe fn output_pixels<V: Vector>(m: [V; 6]) -> [V; 4] {
    // SAFETY: as above.
    unsafe {
        let (s, d) = (m[1].add(m[2]), m[1].sub(m[2]));
        let (p, q) = (m[3].add(m[4]), m[3].sub(m[4]));
        [m[0].add(s).add(p), plus(d, q, 2.0), plus(s, p, 4.0), plus(d, q, 8.0).add(m[5])]
    }
}

/// `A y` for four values.
#[inline(always)]
unsafe fn output_points<V: Vector>(y: [V; 4]) -> [V; 6] {
    // SAFETY: as above.
    unsafe {
        let (even, odd) = (y[0].add(y[2]), y[1].add(y[3]));
        let even2 = plus(y[0], y[2], 4.0);
        let odd2 = plus(y[1], y[3], 4.0);
        [y[0], even.add(odd), even.sub(odd), plus(even2, odd2, 2.0), plus(even2, odd2, -2.0), y[3]]
    }
}

/// `G g` for three values.
#[inline(always)]
unsafe fn filter_points<V: Vector>(g: [V; 3]) -> [V; 6] {
    // SAFETY: as above.
    unsafe {
        let zero = V::splat(0.0);
        let sum = plus(plus(zero, g[0], -1.0 / 6.0), g[2], -1.0 / 6.0);
        let sum2 = plus(plus(zero, g[0], 1.0 / 24.0), g[2], 1.0 / 6.0);
        [
            plus(zero, g[0], 0.25),
            plus(sum, g[1], -1.0 / 6.0),
            plus(sum, g[1], 1.0 / 6.0),
            plus(sum2, g[1], 1.0 / 12.0),
            plus(sum2, g[1], -1.0 / 12.0),
            g[2],
        ]
    }
}

/// `Gᵀ u` for six values.
#[inline(always)]
unsafe fn filter_taps<V: Vector>(u: [V; 6]) -> [V; 3] {
    // SAFETY: as above.
    unsafe {
        let zero = V::splat(0.0);
        let (s, d) = (u[1].add(u[2]), u[2].sub(u[1]));
        let (p, q) = (u[3].add(u[4]), u[3].sub(u[4]));
        [
            plus(plus(plus(zero, u[0], 0.25), s, -1.0 / 6.0), p, 1.0 / 24.0),
            plus(plus(zero, d, 1.0 / 6.0), q, 1.0 / 12.0),
            plus(plus(u[5], s, -1.0 / 6.0), p, 1.0 / 6.0),
        ]
    }
}

/// An array of what an expression gives for each index. Unlike closures, expressions keep the features of the function that
/// they stand in, so that registers stay registers.
macro_rules! each {
    (3, $i:ident => $value:expr) => { each!([0 1 2], $i => $value) };
    (4, $i:ident => $value:expr) => { each!([0 1 2 3], $i => $value) };
    (6, $i:ident => $value:expr) => { each!([0 1 2 3 4 5], $i => $value) };
    ([$($index:literal)*], $i:ident => $value:expr) => {
        [$({
            let $i: usize = $index;
            $value
        }),*]
    };
}

/// The six-by-six pixels of a tile whose corner is at `(top, left)`, as points; zeros outside of the image unless the tile is
/// known to lie `INSIDE`.
///
/// # Safety
/// `image` holds `height · width · channels` values, `channel` is a place of a whole register, `INSIDE` is true to its name.
#[inline(always)]
unsafe fn tile_points<V: Vector, const INSIDE: bool>(
    image: &[f32],
    [height, width, channels]: [usize; 3],
    (top, left): (isize, isize),
    channel: usize,
) -> [[V; 6]; 6] {
    // SAFETY: reads are inside of the image by the caller's promise or by the comparison.
    unsafe {
        let columns: [[V; 6]; 6] = each!(6, j => input_points(each!(6, i => {
            let (y, x) = (top + i as isize, left + j as isize);
            if INSIDE || (y >= 0 && y < height as isize && x >= 0 && x < width as isize) {
                V::load(image.as_ptr().add((y as usize * width + x as usize) * channels + channel))
            } else {
                V::splat(0.0)
            }
        })));
        each!(6, i => input_points(each!(6, j => columns[j][i])))
    }
}

vectorized! {
    /// Writes `Bᵀ d B` of a tile to place `t` of `block` in `v`, `[point][tile][channel]`.
    ///
    /// # Safety
    /// Nobody else accesses this place meanwhile.
    unsafe fn transform_input[V](tiling: &Tiling, input: &[f32], tile: usize, place: (usize, usize), v: &Parts<'_>) {
        let (t, block) = place;
        let [height, width, channels] = tiling.input;
        let (image, row, column) = tiling.place(tile);
        let image = &input[image * height * width * channels..][..height * width * channels];
        let (top, left) = (row as isize - tiling.padding[0] as isize, column as isize - tiling.padding[1] as isize);
        let inside = top >= 0 && left >= 0 && top + 6 <= height as isize && left + 6 <= width as isize;
        assert!(v.len() >= POINTS * block * channels && t < block && channels % V::LANES == 0);
        // SAFETY: reads are inside of the image where they are not replaced by zeros, writes inside of `v`.
        unsafe {
            for channel in (0..channels).step_by(V::LANES) {
                let points = if inside {
                    tile_points::<V, true>(image, tiling.input, (top, left), channel)
                } else {
                    tile_points::<V, false>(image, tiling.input, (top, left), channel)
                };
                let out = v.at(t * channels + channel);
                for (point, value) in points.iter().flatten().enumerate() {
                    value.store(out.add(point * block * channels));
                }
            }
        }
    }

    /// Writes the pixels of a tile, `Aᵀ M A` plus bias, from place `t` of `m`, `[point][tile][channel]`.
    ///
    /// # Safety
    /// `m` holds `POINTS · BLOCK · channels` values, `t < BLOCK`, and nobody else writes the tile's pixels meanwhile.
    unsafe fn transform_output[V](
        tiling: &Tiling,
        m: &[f32],
        t: usize,
        tile: usize,
        bias: Option<&[f32]>,
        out: &Parts<'_>,
    ) {
        let [height, width, channels] = tiling.output;
        let (image, row, column) = tiling.place(tile);
        let (rows, columns) = ((height - row).min(4), (width - column).min(4));
        assert!(m.len() >= POINTS * BLOCK * channels && t < BLOCK && channels % V::LANES == 0);
        assert!(bias.is_none_or(|bias| bias.len() == channels) && (image + 1) * height * width * channels <= out.len());
        // SAFETY: reads are inside of `m` and the bias, writes inside of the image.
        unsafe {
            for channel in (0..channels).step_by(V::LANES) {
                let from = m.as_ptr().add(t * channels + channel);
                let half: [[V; 4]; 6] = each!(6, j => output_pixels(each!(6, i => {
                    V::load(from.add((i * 6 + j) * BLOCK * channels))
                })));
                let bias = bias.map_or(V::splat(0.0), |bias| V::load(bias.as_ptr().add(channel)));
                for i in 0..rows {
                    let pixels = output_pixels(each!(6, j => half[j][i]));
                    let start = ((image * height + row + i) * width + column) * channels + channel;
                    for (j, pixel) in pixels.into_iter().enumerate().take(columns) {
                        pixel.add(bias).store(out.at(start + j * channels));
                    }
                }
            }
        }
    }

    /// Writes `A dY Aᵀ` of a tile to place `t` of `block` in `w`, `[point][panel][tile][column]`.
    ///
    /// # Safety
    /// Nobody else accesses this place meanwhile.
    unsafe fn transform_output_gradient[V](
        tiling: &Tiling,
        dy: &[f32],
        tile: usize,
        place: (usize, usize),
        panel_columns: usize,
        w: &Parts<'_>,
    ) {
        let (t, block) = place;
        let [height, width, channels] = tiling.output;
        let (image, row, column) = tiling.place(tile);
        let image = &dy[image * height * width * channels..][..height * width * channels];
        let (rows, columns) = ((height - row).min(4), (width - column).min(4));
        let panels = channels.div_ceil(panel_columns);
        assert!(w.len() >= POINTS * panels * block * panel_columns && t < block && channels % V::LANES == 0);
        // SAFETY: reads are inside of the image, writes inside of `w`.
        unsafe {
            for channel in (0..channels).step_by(V::LANES) {
                let half: [[V; 6]; 4] = each!(4, i => output_points(each!(4, j => {
                    if i < rows && j < columns {
                        V::load(image.as_ptr().add(((row + i) * width + column + j) * channels + channel))
                    } else {
                        V::splat(0.0)
                    }
                })));
                let (panel, column) = (channel / panel_columns, channel % panel_columns);
                let out = w.at((panel * block + t) * panel_columns + column);
                for j in 0..6 {
                    let points = output_points(each!(4, i => half[i][j]));
                    for (i, point) in points.into_iter().enumerate() {
                        point.store(out.add((i * 6 + j) * panels * block * panel_columns));
                    }
                }
            }
        }
    }

    /// Writes `G g Gᵀ` of all filters of one input channel (of this sum, which may be the transposed one).
    ///
    /// # Safety
    /// `out` holds `[point][panel][in][column]`; nobody else writes this channel's places meanwhile.
    unsafe fn transform_filters[V](
        filters: &Filters<'_>,
        channel: usize,
        sizes: (usize, usize),
        columns: usize,
        out: &Parts<'_>,
    ) {
        let (ci, co) = sizes;
        let [w_in, w_out] = filters.channels;
        assert!(filters.w.len() == 9 * w_in * w_out && w_in * w_out == ci * co && co % V::LANES == 0 && channel < ci);
        assert!(out.len() >= POINTS * ci * co.next_multiple_of(columns));
        // SAFETY: reads are inside of the filters, writes inside of `out`.
        unsafe {
            for n in (0..co).step_by(V::LANES) {
                let half: [[V; 6]; 3] = each!(3, u => filter_points(each!(3, v => {
                    if filters.transposed {
                        let tap = &filters.w[((2 - u) * 3 + 2 - v) * ci * co..][..ci * co];
                        let mut values = [0.0f32; WIDEST];
                        for (i, value) in values.iter_mut().enumerate().take(V::LANES) {
                            *value = tap[(n + i) * w_out + channel];
                        }
                        V::load(values.as_ptr())
                    } else {
                        V::load(filters.w.as_ptr().add(((u * 3 + v) * ci + channel) * co + n))
                    }
                })));
                let (panel, place) = (n / columns, n % columns);
                let panels = co.div_ceil(columns);
                for j in 0..6 {
                    let points = filter_points(each!(3, u => half[u][j]));
                    for (i, point) in points.into_iter().enumerate() {
                        point.store(out.at((((i * 6 + j) * panels + panel) * ci + channel) * columns + place));
                    }
                }
            }
        }
    }

    /// Writes `Gᵀ U G` of the sums `[point][in][out]` of one input channel.
    ///
    /// # Safety
    /// Nobody else writes this channel's places of `out`, `[3, 3, in, out]`, meanwhile.
    unsafe fn finish_weight_gradient[V](
        sums: &[f32],
        channel: usize,
        sizes: (usize, usize),
        out: &Parts<'_>,
    ) {
        let (ci, co) = sizes;
        assert!(sums.len() == POINTS * ci * co && co % V::LANES == 0 && channel < ci);
        assert!(out.len() == 9 * ci * co);
        // SAFETY: reads are inside of the sums, writes inside of `out`.
        unsafe {
            for n in (0..co).step_by(V::LANES) {
                let half: [[V; 3]; 6] = each!(6, j => filter_taps(each!(6, i => {
                    V::load(sums.as_ptr().add(((i * 6 + j) * ci + channel) * co + n))
                })));
                for u in 0..3 {
                    let taps = filter_taps(each!(6, j => half[j][u]));
                    for (v, tap) in taps.into_iter().enumerate() {
                        tap.store(out.at(((u * 3 + v) * ci + channel) * co + n));
                    }
                }
            }
        }
    }
}

//! Pooling over windows of images, NHWC, and its gradients.

use retune_graph::ops::pool::Pooling;
use retune_graph::ops::{Pool2d, Pool2dGrad};

use crate::kernels::vector::{Vector, vectorized};
use crate::kernels::windows::{Taps, Windows};
use crate::kernels::{CHUNK, Call};
use crate::multiversion;

fn sizes(shape: &[usize]) -> [usize; 4] {
    [shape[0], shape[1], shape[2], shape[3]]
}

/// Everything that the row functions need to know of an operation.
#[derive(Clone, Copy)]
struct Pool {
    rows: Windows,
    columns: Windows,
    dilation: [usize; 2],
    width: usize,
    channels: usize,
}

impl Pool {
    /// `input` and `output` are the shapes of the forward pass.
    fn new(op: &Pool2d, input: [usize; 4], output: [usize; 4]) -> Pool {
        let [_, height, width, channels] = input;
        Pool {
            rows: Windows::new(&op.geometry, 0, op.window[0], height, output[1]),
            columns: Windows::new(&op.geometry, 1, op.window[1], width, output[2]),
            dilation: op.geometry.dilation,
            width,
            channels,
        }
    }

    /// Calls `f(offset of the tap's channels in the image)` for the taps of a window inside of the image, in reading order.
    #[inline(always)]
    fn for_each_tap(&self, rows: Taps, columns: Taps, mut f: impl FnMut(usize)) {
        for u in 0..rows.count {
            let row = (rows.pixel + u * self.dilation[0]) * self.width;
            for v in 0..columns.count {
                f((row + columns.pixel + v * self.dilation[1]) * self.channels);
            }
        }
    }
}

multiversion! {
    /// One row of means.
    fn average_row(pool: &Pool, rows: Taps, image: &[f32], y: &mut [f32]) {
        let channels = pool.channels;
        for (j, y) in y.chunks_exact_mut(channels).enumerate() {
            let columns = pool.columns.taps(j);
            y.fill(0.0);
            pool.for_each_tap(rows, columns, |at| {
                let x = &image[at..][..channels];
                for c in 0..channels {
                    y[c] += x[c];
                }
            });
            let scale = 1.0 / (rows.count * columns.count).max(1) as f32;
            for y in y.iter_mut() {
                *y *= scale;
            }
        }
    }

    /// The gradient of one row of means.
    fn average_row_grad(pool: &Pool, rows: Taps, dy: &[f32], dx: &mut [f32]) {
        let channels = pool.channels;
        for (j, dy) in dy.chunks_exact(channels).enumerate() {
            let columns = pool.columns.taps(j);
            let scale = 1.0 / (rows.count * columns.count).max(1) as f32;
            pool.for_each_tap(rows, columns, |at| {
                let dx = &mut dx[at..][..channels];
                for c in 0..channels {
                    dx[c] += dy[c] * scale;
                }
            });
        }
    }
}

/// The maxima of `count` channels of one window, no more than a register holds. `x` points to the first of these channels in
/// the image, `y` to where they go.
///
/// # Safety
/// The processor has the features of the register; the taps lie inside of the image.
#[inline(always)]
unsafe fn window_maximum<V: Vector>(
    pool: &Pool,
    (rows, columns): (Taps, Taps),
    count: usize,
    x: *const f32,
    y: *mut f32,
) {
    // SAFETY: by the caller's promise.
    unsafe {
        let mut maximum = V::splat(f32::NEG_INFINITY);
        for u in 0..rows.count {
            let row = (rows.pixel + u * pool.dilation[0]) * pool.width;
            for v in 0..columns.count {
                let at = (row + columns.pixel + v * pool.dilation[1]) * pool.channels;
                maximum = maximum.max(V::load_first(x.add(at), count));
            }
        }
        maximum.store_first(y, count);
    }
}

/// Adds the gradient of `count` channels of one window, no more than a register holds, to the first tap whose value is the
/// maximum. `x` and `dx` point to the first of these channels in the images, `y` and `dy` in the window's values.
///
/// # Safety
/// As [`window_maximum`].
#[inline(always)]
unsafe fn give_to_first_maximum<V: Vector>(
    pool: &Pool,
    (rows, columns): (Taps, Taps),
    count: usize,
    (x, dx): (*const f32, *mut f32),
    (y, dy): (*const f32, *const f32),
) {
    // SAFETY: by the caller's promise.
    unsafe {
        let (y, mut left) = (V::load_first(y, count), V::load_first(dy, count));
        for u in 0..rows.count {
            let row = (rows.pixel + u * pool.dilation[0]) * pool.width;
            for v in 0..columns.count {
                let at = (row + columns.pixel + v * pool.dilation[1]) * pool.channels;
                let (given, rest) = left.split_where_equal(V::load_first(x.add(at), count), y);
                // All lanes are stored, for the next window's loads would have to wait for a store of some.
                V::load_first(dx.add(at), count).add(given).store_first(dx.add(at), count);
                left = rest;
            }
        }
    }
}

vectorized! {
    /// One row of maxima; `image` is the whole image.
    ///
    /// # Safety
    /// The windows of `rows` lie inside of `image`.
    unsafe fn max_row[V](pool: &Pool, rows: Taps, image: &[f32], y: &mut [f32]) {
        for window in 0..y.len() / pool.channels {
            let taps = (rows, pool.columns.taps(window));
            let mut channel = 0;
            while channel < pool.channels {
                let count = (pool.channels - channel).min(V::LANES);
                // SAFETY: by the caller's promise; `channel + count` is at most `channels`.
                unsafe {
                    let (x, y) = (image.as_ptr().add(channel), y.as_mut_ptr().add(window * pool.channels + channel));
                    if count <= V::Half::LANES {
                        window_maximum::<V::Half>(pool, taps, count, x, y);
                    } else {
                        window_maximum::<V>(pool, taps, count, x, y);
                    }
                }
                channel += count;
            }
        }
    }

    /// The gradient of one row of maxima: the first tap that equals the maximum takes it.
    ///
    /// # Safety
    /// The windows of `rows` lie inside of `image` and `dx`, and `y` and `dy` hold as many windows.
    unsafe fn max_row_grad[V](pool: &Pool, rows: Taps, image: &[f32], y: &[f32], dy: &[f32], dx: &mut [f32]) {
        for window in 0..y.len() / pool.channels {
            let taps = (rows, pool.columns.taps(window));
            let mut channel = 0;
            while channel < pool.channels {
                let count = (pool.channels - channel).min(V::LANES);
                // SAFETY: by the caller's promise; `channel + count` is at most `channels`.
                unsafe {
                    let (x, dx) = (image.as_ptr().add(channel), dx.as_mut_ptr().add(channel));
                    let at = window * pool.channels + channel;
                    let (y, dy) = (y.as_ptr().add(at), dy.as_ptr().add(at));
                    if count <= V::Half::LANES {
                        give_to_first_maximum::<V::Half>(pool, taps, count, (x, dx), (y, dy));
                    } else {
                        give_to_first_maximum::<V>(pool, taps, count, (x, dx), (y, dy));
                    }
                }
                channel += count;
            }
        }
    }
}

pub(crate) fn pool(op: &Pool2d, mut call: Call<'_>) {
    let (x, level) = (call.input(0), call.cpu.level());
    let input = sizes(call.input_shape(0));
    let output = sizes(call.shape);
    let [_, places, columns, channels] = output;
    let (pool, image_len, row_len) =
        (Pool::new(op, input, output), input[1..].iter().product::<usize>(), columns * channels);
    if row_len == 0 {
        return;
    }
    let rows_per_task = (CHUNK / row_len).max(1);
    call.cpu.for_chunks(call.output(), rows_per_task * row_len, |task, output| {
        for (index, y) in output.chunks_exact_mut(row_len).enumerate() {
            let row = task * rows_per_task + index;
            let (image, taps) = (&x[row / places * image_len..][..image_len], pool.rows.taps(row % places));
            match op.pooling {
                // SAFETY: `Windows` only gives taps inside of the image.
                Pooling::Max => unsafe { max_row(level, &pool, taps, image, y) },
                Pooling::Average => average_row(level, &pool, taps, image, y),
            }
        }
    });
}

pub(crate) fn pool_grad(op: &Pool2dGrad, mut call: Call<'_>) {
    let (dy, level, input) = (call.input(0), call.cpu.level(), sizes(call.shape));
    let output = sizes(call.input_shape(0));
    let [_, places, columns, channels] = output;
    let (image_len, row_len) = (input[1..].iter().product::<usize>(), columns * channels);
    if image_len == 0 {
        return;
    }
    match op {
        Pool2dGrad::Max(op) => {
            let (pool, x, y) = (Pool::new(op, input, output), call.input(1), call.input(2));
            call.cpu.for_chunks(call.output(), image_len, |n, dx| {
                dx.fill(0.0);
                let image = &x[n * image_len..][..image_len];
                for place in 0..places {
                    let at = (n * places + place) * row_len;
                    let (y, dy, taps) = (&y[at..][..row_len], &dy[at..][..row_len], pool.rows.taps(place));
                    // SAFETY: as above.
                    unsafe { max_row_grad(level, &pool, taps, image, y, dy, dx) };
                }
            });
        }
        Pool2dGrad::Average(op, _) => {
            let pool = Pool::new(op, input, output);
            call.cpu.for_chunks(call.output(), image_len, |n, dx| {
                dx.fill(0.0);
                for place in 0..places {
                    let dy = &dy[(n * places + place) * row_len..][..row_len];
                    average_row_grad(level, &pool, pool.rows.taps(place), dy, dx);
                }
            });
        }
    }
}

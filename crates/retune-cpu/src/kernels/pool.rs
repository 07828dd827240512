//! Pooling over windows of images, NHWC, and its gradients.

use retune_graph::ops::pool::Pooling;
use retune_graph::ops::{Pool2d, Pool2dGrad};

use crate::kernels::windows::{Taps, Windows};
use crate::kernels::{CHUNK, Call};
use crate::math::max;
use crate::multiversion;

/// Channels that the gradient of maxima handles at a time, in a register.
const LANES: usize = 16;

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
    /// One row of maxima; `image` is the whole image.
    fn max_row(pool: &Pool, rows: Taps, image: &[f32], y: &mut [f32]) {
        let channels = pool.channels;
        for (j, y) in y.chunks_exact_mut(channels).enumerate() {
            let mut is_first = true;
            pool.for_each_tap(rows, pool.columns.taps(j), |at| {
                let x = &image[at..][..channels];
                if is_first {
                    y.copy_from_slice(x);
                } else {
                    for c in 0..channels {
                        y[c] = max(y[c], x[c]);
                    }
                }
                is_first = false;
            });
            if is_first {
                y.fill(f32::NEG_INFINITY);
            }
        }
    }

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

    /// The gradient of one row of maxima: the first tap that equals the maximum takes it.
    fn max_row_grad(pool: &Pool, rows: Taps, image: &[f32], y: &[f32], dy: &[f32], dx: &mut [f32]) {
        let whole = pool.channels - pool.channels % LANES;
        for (j, (y, dy)) in y.chunks_exact(pool.channels).zip(dy.chunks_exact(pool.channels)).enumerate() {
            let columns = pool.columns.taps(j);
            for c in (0..whole).step_by(LANES) {
                give_to_first_maximum::<LANES>(pool, (rows, columns), c, image, y, dy, dx);
            }
            for c in whole..pool.channels {
                give_to_first_maximum::<1>(pool, (rows, columns), c, image, y, dy, dx);
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

/// Adds `N` channels of one window's `dy` to the first tap whose value is the maximum.
#[inline(always)]
fn give_to_first_maximum<const N: usize>(
    pool: &Pool,
    (rows, columns): (Taps, Taps),
    channel: usize,
    image: &[f32],
    y: &[f32],
    dy: &[f32],
    dx: &mut [f32],
) {
    let values = |from: &[f32], at: usize| -> [f32; N] { std::array::from_fn(|i| from[at..][..N][i]) };
    let (y, mut left) = (values(y, channel), values(dy, channel));
    pool.for_each_tap(rows, columns, |at| {
        let x = values(image, at + channel);
        let dx = &mut dx[at + channel..][..N];
        for i in 0..N {
            let is_first = x[i] == y[i];
            dx[i] += if is_first { left[i] } else { 0.0 };
            left[i] = if is_first { 0.0 } else { left[i] };
        }
    });
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
                Pooling::Max => max_row(level, &pool, taps, image, y),
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
                    max_row_grad(level, &pool, taps, image, y, dy, dx);
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

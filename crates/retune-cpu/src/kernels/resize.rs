//! Resizing of images, NHWC, and its gradient.

use retune_graph::ops::resize::Interpolation;
use retune_graph::ops::{Resize, ResizeGrad};

use crate::kernels::{CHUNK, Call};
use crate::multiversion;

/// How pixels along one axis are taken from `input` pixels for `output` places.
#[derive(Clone, Copy)]
struct Axis {
    interpolation: Interpolation,
    input: usize,
    output: usize,
}

impl Axis {
    /// The two pixels around place `i` and the share of the second; both are one where nothing lies between.
    #[inline]
    fn source(&self, i: usize) -> ([usize; 2], f32) {
        match self.interpolation {
            Interpolation::Nearest => {
                let pixel = ((2 * i + 1) * self.input / (2 * self.output)).min(self.input - 1);
                ([pixel, pixel], 0.0)
            }
            Interpolation::Bilinear => {
                let centre = (i as f64 + 0.5) * self.input as f64 / self.output as f64 - 0.5;
                let low = centre.floor();
                let inside = |pixel: f64| pixel.clamp(0.0, (self.input - 1) as f64) as usize;
                ([inside(low), inside(low + 1.0)], (centre - low) as f32)
            }
        }
    }
}

multiversion! {
    /// One row of the output from the two rows `above` and `below` it, `below` counting for `share`.
    fn resize_row(columns: &Axis, channels: usize, above: &[f32], below: &[f32], share: f32, y: &mut [f32]) {
        for (j, y) in y.chunks_exact_mut(channels).enumerate() {
            let ([left, right], right_share) = columns.source(j);
            let pixel = |place: usize| place * channels..(place + 1) * channels;
            let (left, right) = (pixel(left), pixel(right));
            let (a, b) = (&above[left.clone()], &above[right.clone()]);
            let (c, d) = (&below[left], &below[right]);
            for i in 0..channels {
                let top = a[i] * (1.0 - right_share) + b[i] * right_share;
                let bottom = c[i] * (1.0 - right_share) + d[i] * right_share;
                y[i] = top * (1.0 - share) + bottom * share;
            }
        }
    }

    /// `y += scale · x`.
    fn add_scaled(scale: f32, x: &[f32], y: &mut [f32]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y += scale * x;
        }
    }
}

pub(crate) fn resize(op: &Resize, mut call: Call<'_>) {
    let (x, level, shape) = (call.input(0), call.cpu.level(), call.input_shape(0));
    let ([height, width], channels) = ([shape[1], shape[2]], shape[3]);
    let axis = |input, output| Axis { interpolation: op.interpolation, input, output };
    let (rows, columns) = (axis(height, op.size[0]), axis(width, op.size[1]));
    let (source_len, row_len) = (width * channels, op.size[1] * channels);
    if row_len == 0 {
        return;
    }
    let rows_per_task = (CHUNK / row_len).max(1);
    call.cpu.for_chunks(call.output(), rows_per_task * row_len, |task, output| {
        for (index, y) in output.chunks_exact_mut(row_len).enumerate() {
            let row = task * rows_per_task + index;
            let ([above, below], share) = rows.source(row % op.size[0]);
            let source = |place: usize| &x[(row / op.size[0] * height + place) * source_len..][..source_len];
            resize_row(level, &columns, channels, source(above), source(below), share, y);
        }
    });
}

pub(crate) fn resize_grad(op: &ResizeGrad, mut call: Call<'_>) {
    let (dy, level, shape) = (call.input(0), call.cpu.level(), call.input_shape(0));
    let ([places, width], channels) = ([shape[1], shape[2]], shape[3]);
    let axis = |input, output| Axis { interpolation: op.interpolation, input, output };
    let (rows, columns) = (axis(op.input_size[0], places), axis(op.input_size[1], width));
    let image_len: usize = call.shape[1..].iter().product();
    if image_len == 0 {
        return;
    }
    call.cpu.for_chunks(call.output(), image_len, |n, dx| {
        dx.fill(0.0);
        for place in 0..places {
            let ([above, below], below_share) = rows.source(place);
            for j in 0..width {
                let dy = &dy[((n * places + place) * width + j) * channels..][..channels];
                let ([left, right], right_share) = columns.source(j);
                for (row, row_share) in [(above, 1.0 - below_share), (below, below_share)] {
                    for (column, share) in [(left, 1.0 - right_share), (right, right_share)] {
                        let at = (row * op.input_size[1] + column) * channels;
                        if row_share * share != 0.0 {
                            add_scaled(level, row_share * share, dy, &mut dx[at..][..channels]);
                        }
                    }
                }
            }
        }
    });
}

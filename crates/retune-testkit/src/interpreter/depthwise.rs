//! Depthwise convolution, NHWC, and its gradients.

use retune_graph::ops::{ConvGeometry, DepthwiseConv2d, DepthwiseConv2dGradInput, DepthwiseConv2dGradWeight};

use super::conv2d::{for_each_tap, output_size};
use crate::array::Array;

/// Calls `f(index in x, index in w, index in y)` for each product that y adds up.
fn for_each_product(
    geometry: &ConvGeometry,
    batch: usize,
    input: [usize; 2],
    w_shape: [usize; 4],
    mut f: impl FnMut(&[usize], &[usize], &[usize]),
) {
    let [kernel_height, kernel_width, channels, multiplier] = w_shape;
    for_each_tap(geometry, input, [kernel_height, kernel_width], |[oi, oj], [u, v], [i, j]| {
        for n in 0..batch {
            for c in 0..channels {
                for k in 0..multiplier {
                    f(&[n, i, j, c], &[u, v, c, k], &[n, oi, oj, c * multiplier + k]);
                }
            }
        }
    });
}

fn four(shape: &[usize]) -> [usize; 4] {
    shape.try_into().expect("kernels and images have four axes")
}

pub(super) fn depthwise(op: &DepthwiseConv2d, x: &Array, w: &Array) -> Array {
    let places = [0, 1].map(|axis| output_size(&op.geometry, axis, x.shape[axis + 1], w.shape[axis]));
    let mut y = Array::zeros(&[x.shape[0], places[0], places[1], w.shape[2] * w.shape[3]]);
    for_each_product(&op.geometry, x.shape[0], [x.shape[1], x.shape[2]], four(&w.shape), |at_x, at_w, at_y| {
        *y.at_mut(at_y) += x.at(at_x) * w.at(at_w)
    });
    y
}

pub(super) fn grad_input(op: &DepthwiseConv2dGradInput, dy: &Array, w: &Array) -> Array {
    let mut dx = Array::zeros(&[dy.shape[0], op.input_size[0], op.input_size[1], w.shape[2]]);
    for_each_product(&op.geometry, dy.shape[0], op.input_size, four(&w.shape), |at_x, at_w, at_y| {
        *dx.at_mut(at_x) += dy.at(at_y) * w.at(at_w)
    });
    dx
}

pub(super) fn grad_weight(op: &DepthwiseConv2dGradWeight, x: &Array, dy: &Array) -> Array {
    let w_shape = [op.kernel[0], op.kernel[1], x.shape[3], dy.shape[3] / x.shape[3]];
    let mut dw = Array::zeros(&w_shape);
    for_each_product(&op.geometry, x.shape[0], [x.shape[1], x.shape[2]], w_shape, |at_x, at_w, at_y| {
        *dw.at_mut(at_w) += dy.at(at_y) * x.at(at_x)
    });
    dw
}

//! Convolution, NHWC, and its gradients, all from one list of the products that a convolution adds up.

use retune_graph::ops::{Conv2d, Conv2dGradInput, Conv2dGradWeight, ConvGeometry};

use super::activation::value;
use crate::array::Array;

/// Calls `f([oi, oj], [u, v], [i, j])` for each place of the window (output position `oi, oj`) and each tap `u, v` of it
/// that lies on a pixel `i, j` of an image of `input` height and width.
pub(super) fn for_each_tap(
    geometry: &ConvGeometry,
    input: [usize; 2],
    window: [usize; 2],
    mut f: impl FnMut([usize; 2], [usize; 2], [usize; 2]),
) {
    let places = [0, 1].map(|axis| output_size(geometry, axis, input[axis], window[axis]));
    let pixel = |axis: usize, place: usize, tap: usize| {
        (place * geometry.strides[axis] + tap * geometry.dilation[axis])
            .checked_sub(geometry.padding[axis].0)
            .filter(|&i| i < input[axis])
    };
    for oi in 0..places[0] {
        for oj in 0..places[1] {
            for u in 0..window[0] {
                for v in 0..window[1] {
                    if let (Some(i), Some(j)) = (pixel(0, oi, u), pixel(1, oj, v)) {
                        f([oi, oj], [u, v], [i, j]);
                    }
                }
            }
        }
    }
}

/// How many places the window has along an axis.
pub(super) fn output_size(geometry: &ConvGeometry, axis: usize, input: usize, window: usize) -> usize {
    let extent = (window - 1) * geometry.dilation[axis] + 1;
    (input + geometry.padding[axis].0 + geometry.padding[axis].1 - extent) / geometry.strides[axis] + 1
}

/// Shapes of one convolution: x `[batch, input…, groups · ci]`, w `[window…, ci, co]`, y `[batch, output…, co]`.
struct Sizes {
    geometry: ConvGeometry,
    batch: usize,
    input: [usize; 2],
    window: [usize; 2],
    groups: usize,
    ci: usize,
    co: usize,
}

impl Sizes {
    /// Calls `f(index in x, index in w, index in y)` for each product `x · w` that y adds up.
    fn for_each_product(&self, mut f: impl FnMut(&[usize], &[usize], &[usize])) {
        for_each_tap(&self.geometry, self.input, self.window, |[oi, oj], [u, v], [i, j]| {
            for n in 0..self.batch {
                for o in 0..self.co {
                    let group = o / (self.co / self.groups);
                    for c in 0..self.ci {
                        f(&[n, i, j, group * self.ci + c], &[u, v, c, o], &[n, oi, oj, o]);
                    }
                }
            }
        });
    }
}

pub(super) fn conv2d(op: &Conv2d, x: &Array, w: &Array, bias: Option<&Array>) -> Array {
    let sizes = Sizes {
        geometry: op.geometry,
        batch: x.shape[0],
        input: [x.shape[1], x.shape[2]],
        window: [w.shape[0], w.shape[1]],
        groups: op.groups,
        ci: w.shape[2],
        co: w.shape[3],
    };
    let places = [0, 1].map(|axis| output_size(&op.geometry, axis, x.shape[axis + 1], w.shape[axis]));
    let shape = [x.shape[0], places[0], places[1], w.shape[3]];
    let mut y = Array::from_fn(&shape, |index| bias.map_or(0.0, |bias| bias.at(&[index[3]])));
    sizes.for_each_product(|at_x, at_w, at_y| *y.at_mut(at_y) += x.at(at_x) * w.at(at_w));
    match op.activation {
        Some(activation) => y.map(|y| value(activation, y)),
        None => y,
    }
}

pub(super) fn grad_input(op: &Conv2dGradInput, dy: &Array, w: &Array) -> Array {
    let sizes = Sizes {
        geometry: op.geometry,
        batch: dy.shape[0],
        input: op.input_size,
        window: [w.shape[0], w.shape[1]],
        groups: op.groups,
        ci: w.shape[2],
        co: w.shape[3],
    };
    let mut dx = Array::zeros(&[dy.shape[0], op.input_size[0], op.input_size[1], op.groups * w.shape[2]]);
    sizes.for_each_product(|at_x, at_w, at_y| *dx.at_mut(at_x) += dy.at(at_y) * w.at(at_w));
    dx
}

pub(super) fn grad_weight(op: &Conv2dGradWeight, x: &Array, dy: &Array) -> Array {
    let sizes = Sizes {
        geometry: op.geometry,
        batch: x.shape[0],
        input: [x.shape[1], x.shape[2]],
        window: op.kernel,
        groups: op.groups,
        ci: x.shape[3] / op.groups,
        co: dy.shape[3],
    };
    let mut dw = Array::zeros(&[op.kernel[0], op.kernel[1], sizes.ci, sizes.co]);
    sizes.for_each_product(|at_x, at_w, at_y| *dw.at_mut(at_w) += dy.at(at_y) * x.at(at_x));
    dw
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The image 0 … 8 under a 2×2 window of ones, by hand.
    #[test]
    fn known_values() {
        let x = Array::from_fn(&[1, 3, 3, 1], |i| (3 * i[1] + i[2]) as f64);
        let w = Array::full(&[2, 2, 1, 1], 1.0);
        let plain = Conv2d { geometry: ConvGeometry::default(), groups: 1, activation: None };
        assert_eq!(conv2d(&plain, &x, &w, None).values, [8.0, 12.0, 20.0, 24.0]);
        let geometry = ConvGeometry { strides: [2, 2], padding: [(1, 0), (0, 1)], dilation: [1, 1] };
        let strided = Conv2d { geometry, ..plain };
        let bias = Array::full(&[1], 100.0);
        assert_eq!(conv2d(&strided, &x, &w, Some(&bias)).values, [101.0, 102.0, 120.0, 113.0]);
    }
}

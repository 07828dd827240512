//! Pooling over windows, NHWC, and its gradient.

use retune_graph::ops::pool::Pooling;
use retune_graph::ops::{Pool2d, Pool2dGrad};

use super::conv2d::{for_each_tap, output_size};
use crate::array::{Array, for_each_index};

pub(super) fn pool(op: &Pool2d, x: &Array) -> Array {
    let [batch, height, width, channels] = <[usize; 4]>::try_from(&x.shape[..]).expect("images have four axes");
    let places = [0, 1].map(|axis| output_size(&op.geometry, axis, [height, width][axis], op.window[axis]));
    let shape = [batch, places[0], places[1], channels];
    let start = match op.pooling {
        Pooling::Max => f64::NEG_INFINITY,
        Pooling::Average => 0.0,
    };
    let counts = taps_inside(op, [height, width]);
    let mut y = Array::full(&shape, start);
    for_each_tap(&op.geometry, [height, width], op.window, |[oi, oj], _, [i, j]| {
        for_each_index(&[batch, channels], |index| {
            let (n, c) = (index[0], index[1]);
            let (x, y) = (x.at(&[n, i, j, c]), y.at_mut(&[n, oi, oj, c]));
            match op.pooling {
                Pooling::Max => *y = y.max(x),
                Pooling::Average => *y += x / counts.at(&[oi, oj]),
            }
        });
    });
    y
}

/// How many taps of the window at each place lie inside the image.
fn taps_inside(op: &Pool2d, input: [usize; 2]) -> Array {
    let mut counts = Array::zeros(&[0, 1].map(|axis| output_size(&op.geometry, axis, input[axis], op.window[axis])));
    for_each_tap(&op.geometry, input, op.window, |place, _, _| *counts.at_mut(&place) += 1.0);
    counts
}

pub(super) fn pool_grad(op: &Pool2dGrad, inputs: &[&Array]) -> Array {
    let dy = inputs[0];
    let (batch, channels) = (dy.shape[0], dy.shape[3]);
    match op {
        Pool2dGrad::Max(op) => {
            let (x, y) = (inputs[1], inputs[2]);
            let mut dx = Array::zeros(&x.shape);
            // Taps come in reading order, so the first that equals the maximum takes the gradient.
            let mut taken = Array::zeros(&y.shape);
            for_each_tap(&op.geometry, [x.shape[1], x.shape[2]], op.window, |[oi, oj], _, [i, j]| {
                for_each_index(&[batch, channels], |index| {
                    let (at_x, at_y) = ([index[0], i, j, index[1]], [index[0], oi, oj, index[1]]);
                    if x.at(&at_x) == y.at(&at_y) && taken.at(&at_y) == 0.0 {
                        *taken.at_mut(&at_y) = 1.0;
                        *dx.at_mut(&at_x) += dy.at(&at_y);
                    }
                });
            });
            dx
        }
        Pool2dGrad::Average(op, input) => {
            let counts = taps_inside(op, *input);
            let mut dx = Array::zeros(&[batch, input[0], input[1], channels]);
            for_each_tap(&op.geometry, *input, op.window, |[oi, oj], _, [i, j]| {
                for_each_index(&[batch, channels], |index| {
                    let (n, c) = (index[0], index[1]);
                    *dx.at_mut(&[n, i, j, c]) += dy.at(&[n, oi, oj, c]) / counts.at(&[oi, oj]);
                });
            });
            dx
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retune_graph::ops::ConvGeometry;

    #[test]
    fn the_first_of_equal_values_takes_the_gradient() {
        let op = Pool2d { pooling: Pooling::Max, window: [2, 2], geometry: ConvGeometry::default() };
        let x = Array::new(&[1, 2, 2, 1], vec![1.0, 3.0, 3.0, 2.0]);
        let y = pool(&op, &x);
        assert_eq!(y.values, [3.0]);
        let dx = pool_grad(&Pool2dGrad::Max(op), &[&Array::full(&[1, 1, 1, 1], 5.0), &x, &y]);
        assert_eq!(dx.values, [0.0, 5.0, 0.0, 0.0]);
    }

    #[test]
    fn padding_is_not_counted() {
        let geometry = ConvGeometry { strides: [1, 2], padding: [(0, 0), (0, 1)], ..Default::default() };
        let x = Array::new(&[1, 1, 3, 1], vec![-1.0, -3.0, -5.0]);
        let mean = Pool2d { pooling: Pooling::Average, window: [1, 2], geometry };
        assert_eq!(pool(&mean, &x).values, [-2.0, -5.0]);
        assert_eq!(pool(&Pool2d { pooling: Pooling::Max, ..mean }, &x).values, [-1.0, -5.0]);
    }
}

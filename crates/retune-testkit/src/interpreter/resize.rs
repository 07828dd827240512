//! Resizing of images, NHWC, and its gradient, both from the weights with which pixels enter each other.

use retune_graph::ops::resize::Interpolation;
use retune_graph::ops::{Resize, ResizeGrad};

use crate::array::{Array, for_each_index};

/// The pixels along one axis of `input` pixels that make pixel `i` of `output`, with their weights.
fn sources(interpolation: Interpolation, i: usize, input: usize, output: usize) -> Vec<(usize, f64)> {
    match interpolation {
        Interpolation::Nearest => vec![(((2 * i + 1) * input / (2 * output)).min(input - 1), 1.0)],
        Interpolation::Bilinear => {
            let centre = (i as f64 + 0.5) * input as f64 / output as f64 - 0.5;
            let low = centre.floor();
            let inside = |pixel: f64| pixel.clamp(0.0, (input - 1) as f64) as usize;
            vec![(inside(low), 1.0 - (centre - low)), (inside(low + 1.0), centre - low)]
        }
    }
}

/// Calls `f(index in the image, index in the resized image, weight)` for every pair that belongs together.
fn for_each_pair(
    interpolation: Interpolation,
    images: [usize; 4],
    size: [usize; 2],
    mut f: impl FnMut(&[usize], &[usize], f64),
) {
    let [batch, height, width, channels] = images;
    for_each_index(&[batch, size[0], size[1], channels], |index| {
        for (i, weight_i) in sources(interpolation, index[1], height, size[0]) {
            for (j, weight_j) in sources(interpolation, index[2], width, size[1]) {
                f(&[index[0], i, j, index[3]], index, weight_i * weight_j);
            }
        }
    });
}

pub(super) fn resize(op: &Resize, x: &Array) -> Array {
    let images = <[usize; 4]>::try_from(&x.shape[..]).expect("images have four axes");
    let mut y = Array::zeros(&[images[0], op.size[0], op.size[1], images[3]]);
    for_each_pair(op.interpolation, images, op.size, |at_x, at_y, weight| *y.at_mut(at_y) += weight * x.at(at_x));
    y
}

pub(super) fn resize_grad(op: &ResizeGrad, dy: &Array) -> Array {
    let images = [dy.shape[0], op.input_size[0], op.input_size[1], dy.shape[3]];
    let mut dx = Array::zeros(&images);
    for_each_pair(op.interpolation, images, [dy.shape[1], dy.shape[2]], |at_x, at_y, weight| {
        *dx.at_mut(at_x) += weight * dy.at(at_y)
    });
    dx
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        let x = Array::new(&[1, 1, 2, 1], vec![0.0, 4.0]);
        let to = |interpolation, width| resize(&Resize { size: [1, width], interpolation }, &x).values;
        assert_eq!(to(Interpolation::Bilinear, 4), [0.0, 1.0, 3.0, 4.0]);
        assert_eq!(to(Interpolation::Nearest, 4), [0.0, 0.0, 4.0, 4.0]);
        assert_eq!(to(Interpolation::Nearest, 3), [0.0, 4.0, 4.0]);
        assert_eq!(to(Interpolation::Bilinear, 1), [2.0]);
    }
}

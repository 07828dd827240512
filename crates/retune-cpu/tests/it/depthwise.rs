//! Depthwise convolution and its gradients.

use retune_graph::ops::{ConvGeometry, DepthwiseConv2d, DepthwiseConv2dGradInput, DepthwiseConv2dGradWeight};

use crate::case::{Case, check_all, normal};

/// Input shape, kernel, multiplier, strides, padding, dilation.
type Setting = ([usize; 4], [usize; 2], usize, [usize; 2], [(usize, usize); 2], [usize; 2]);

const SAME: [(usize, usize); 2] = [(1, 1); 2];

const SETTINGS: [Setting; 16] = [
    ([2, 14, 14, 32], [3, 3], 1, [1, 1], SAME, [1, 1]),
    ([2, 15, 14, 32], [3, 3], 1, [2, 2], [(0, 1), (0, 1)], [1, 1]),
    ([1, 13, 17, 24], [5, 5], 1, [1, 1], [(2, 2); 2], [1, 1]),
    ([2, 16, 16, 40], [5, 5], 1, [2, 2], [(1, 2); 2], [1, 1]),
    ([3, 9, 9, 8], [3, 3], 1, [1, 1], SAME, [1, 1]),
    ([2, 7, 9, 11], [3, 3], 1, [1, 2], SAME, [1, 1]),
    ([2, 7, 9, 5], [3, 3], 1, [3, 1], [(0, 0); 2], [1, 1]),
    ([2, 9, 8, 3], [3, 3], 1, [1, 1], SAME, [1, 1]),
    ([1, 12, 12, 17], [3, 3], 1, [1, 1], [(2, 2); 2], [2, 2]),
    ([1, 12, 12, 16], [3, 2], 1, [2, 2], [(0, 0); 2], [3, 2]),
    ([1, 7, 7, 100], [7, 7], 1, [1, 1], [(3, 3); 2], [1, 1]),
    ([2, 1, 20, 6], [1, 4], 1, [1, 1], [(0, 0), (3, 0)], [1, 1]),
    ([2, 5, 6, 4], [3, 3], 2, [1, 1], SAME, [1, 1]),
    ([2, 8, 8, 3], [3, 3], 5, [2, 2], SAME, [1, 1]),
    ([1, 4, 4, 2], [1, 1], 1, [2, 2], [(1, 3); 2], [1, 1]),
    ([40, 30, 30, 16], [3, 3], 1, [1, 1], SAME, [1, 1]),
];

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (shape, kernel, multiplier, strides, padding, dilation) in SETTINGS {
        let geometry = ConvGeometry { strides, padding, dilation };
        let size = |axis: usize| geometry.output(axis, shape[1 + axis], kernel[axis]).unwrap();
        let output = [shape[0], size(0), size(1), shape[3] * multiplier];
        let (x, dy) = (normal(1, &shape), normal(2, &output));
        let w = normal(3, &[kernel[0], kernel[1], shape[3], multiplier]);
        cases.push(Case::new(DepthwiseConv2d { geometry }, [x.clone(), w.clone()]).with_tolerance(1e-5, 1e-5));
        let grad_input = DepthwiseConv2dGradInput { geometry, input_size: [shape[1], shape[2]] };
        cases.push(Case::new(grad_input, [dy.clone(), w]).with_tolerance(1e-5, 1e-5));
        let grad_weight = DepthwiseConv2dGradWeight { geometry, kernel };
        cases.push(Case::new(grad_weight, [x, dy]).with_tolerance(1e-5, 2e-4));
    }
    cases
}

#[test]
fn agree_with_the_interpreter() {
    check_all(&cases());
}

//! Pooling.

use retune_graph::ops::pool::Pooling;
use retune_graph::ops::{ConvGeometry, Pool2d, Pool2dGrad};
use retune_testkit::{Array, samples};

use crate::case::{Case, check_all, float, normal};

/// Input shape, window, strides, padding, dilation.
type Setting = ([usize; 4], [usize; 2], [usize; 2], [(usize, usize); 2], [usize; 2]);

const SETTINGS: [Setting; 8] = [
    ([2, 8, 8, 16], [2, 2], [2, 2], [(0, 0); 2], [1, 1]),
    ([3, 7, 9, 5], [2, 2], [2, 2], [(0, 1), (0, 1)], [1, 1]),
    ([1, 9, 8, 70], [3, 3], [2, 2], [(1, 1), (0, 1)], [1, 1]),
    ([2, 6, 7, 3], [3, 3], [1, 1], [(1, 1), (1, 1)], [1, 1]),
    ([2, 1, 11, 4], [1, 3], [1, 2], [(0, 0), (1, 1)], [1, 1]),
    ([1, 10, 10, 130], [2, 3], [1, 3], [(0, 0), (0, 2)], [2, 2]),
    ([1, 5, 4, 1], [5, 4], [1, 1], [(0, 0); 2], [1, 1]),
    ([2, 40, 40, 20], [2, 2], [3, 3], [(0, 0); 2], [1, 1]),
];

/// Averages as `f64`, maxima by comparison: what the forward pass gives on these values.
fn pooled(op: &Pool2d, x: &Array) -> Array {
    let mut graph = retune_graph::Graph::new();
    let shape = retune_graph::Shape::fixed(&x.shape);
    let input = graph.input("x", shape, retune_graph::DType::F32);
    let y = graph.push((*op).into(), &[input]).unwrap();
    retune_testkit::interpret(&graph, &[y], &[], &[("x", x.clone())], &Default::default()).remove(0)
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (shape, window, strides, padding, dilation) in SETTINGS {
        let geometry = ConvGeometry { strides, padding, dilation };
        let max = Pool2d { pooling: Pooling::Max, window, geometry };
        let average = Pool2d { pooling: Pooling::Average, ..max };
        // Many equal values, so that the rule for ties matters.
        let x = float(samples::below(1, &shape, 4).map(|x| x - 2.0));
        let y = pooled(&max, &x.values);
        let dy = normal(2, &y.shape);
        cases.push(Case::new(max, [x.clone()]));
        cases.push(Case::new(average, [normal(3, &shape)]));
        cases.push(Case::new(Pool2dGrad::Max(max), [dy.clone(), x, float(y)]));
        cases.push(Case::new(Pool2dGrad::Average(average, [shape[1], shape[2]]), [dy]));
    }
    cases
}

#[test]
fn agree_with_the_interpreter() {
    check_all(&cases());
}

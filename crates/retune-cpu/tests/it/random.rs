//! Random tensors and dropout.

use retune_graph::ops::{Dropout, Random};

use crate::case::{Case, check_all, normal};

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let shapes: [(&[usize], usize); 6] =
        [(&[3], 3), (&[4, 7], 4), (&[6, 5], 2), (&[2, 9, 9, 13], 2), (&[1, 70_001], 1), (&[12, 1500], 4)];
    for (shape, batch) in shapes {
        let x = || normal(1, shape);
        for rate in [0.0, 0.3, 0.5, 0.875] {
            let op = Dropout { rate, stream: 3, shared_axes: Vec::new() };
            cases.push(Case::new(op, [x()]).with_batch(batch));
        }
        let uniform = Random::Uniform { low: -1.0, high: 3.0, stream: 4 };
        cases.push(Case::new(retune_graph::Op::Random(uniform), [x()]).with_batch(batch));
        let normal = Random::Normal { mean: 0.5, stddev: 2.0, stream: 5 };
        cases.push(Case::new(retune_graph::Op::Random(normal), [x()]).with_batch(batch));
    }
    let shared: [(&[usize], usize, &[usize]); 5] = [
        (&[2, 5, 6, 7], 2, &[1, 2]),
        (&[2, 5, 6, 7], 2, &[3]),
        (&[4, 5, 60], 2, &[1]),
        (&[4, 5, 60], 4, &[2]),
        (&[3, 50, 40, 10], 3, &[1, 2, 3]),
    ];
    for (shape, batch, axes) in shared {
        let op = Dropout { rate: 0.4, stream: 6, shared_axes: axes.to_vec() };
        cases.push(Case::new(op, [normal(2, shape)]).with_batch(batch));
    }
    cases
}

#[test]
fn agree_with_the_interpreter() {
    check_all(&cases());
}

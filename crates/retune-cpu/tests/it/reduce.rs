//! Reductions.

use retune_graph::ops::Reduce;
use retune_graph::ops::reduce::Reduction;

use crate::case::{Case, check_all, float, normal};

/// Shapes with the axes reduced: leading, trailing, middle, alternating, all, none.
const REDUCTIONS: [(&[usize], &[usize]); 24] = [
    (&[100], &[0]),
    (&[70_001], &[0]),
    (&[7, 13], &[0, 1]),
    (&[7, 13], &[]),
    (&[40_000, 3], &[0]),
    (&[3001, 64], &[0]),
    (&[500, 257], &[0]),
    (&[9, 3000], &[0]),
    (&[32, 9, 9, 10], &[0, 1, 2]),
    (&[1, 300, 16], &[1]),
    (&[7, 1000], &[1]),
    (&[1000, 7], &[1]),
    (&[5, 6, 7, 8], &[2, 3]),
    (&[4, 49, 130], &[1]),
    (&[4, 7, 7, 5], &[1, 2]),
    (&[3, 20_000, 2], &[1]),
    (&[2, 3, 1500], &[1]),
    (&[4, 5, 6, 7], &[0, 2]),
    (&[4, 5, 6, 7], &[1, 3]),
    (&[4, 5, 6, 7, 3], &[0, 2, 4]),
    (&[4, 5, 6, 7, 3], &[1, 3]),
    (&[3, 1, 4, 1], &[1]),
    (&[6, 1], &[0]),
    (&[], &[]),
];

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (shape, axes) in REDUCTIONS {
        for reduction in [Reduction::Sum, Reduction::Mean, Reduction::Max] {
            let op = Reduce { reduction, axes: axes.to_vec() };
            // Sums of many values of both signs are small next to their terms.
            let count: usize = axes.iter().map(|&axis| shape[axis]).product();
            let absolute = if reduction == Reduction::Sum { 1e-7 * count as f64 } else { 1e-6 };
            cases.push(Case::new(op, [normal(1, shape)]).with_tolerance(1e-5, absolute.max(1e-6)));
        }
    }
    cases
}

#[test]
fn agree_with_the_interpreter() {
    check_all(&cases());
}

/// Adding a million numbers one after the other would lose four digits.
#[test]
fn long_sums_are_accurate() {
    let op = |axis: usize| Reduce { reduction: Reduction::Sum, axes: vec![axis] };
    let x = |shape: &[usize]| float(normal(2, shape).values.map(|x| x + 1000.0));
    check_all(&[
        Case::new(op(0), [x(&[1 << 20])]).with_tolerance(5e-7, 0.0),
        Case::new(op(0), [x(&[1 << 18, 5])]).with_tolerance(5e-7, 0.0),
        Case::new(op(1), [x(&[2, 1 << 18, 2])]).with_tolerance(2e-6, 0.0),
    ]);
}

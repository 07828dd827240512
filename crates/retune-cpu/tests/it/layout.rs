//! Operations that move values without computing.

use retune_graph::Shape;
use retune_graph::ops::{Concat, Detach, Pad, Reshape, Reverse, Slice, Transpose};

use crate::case::{Case, check_all, normal};

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let transposes: [(&[usize], &[usize]); 12] = [
        (&[5, 7], &[1, 0]),
        (&[100, 33], &[1, 0]),
        (&[600, 500], &[1, 0]),
        (&[3, 40, 50], &[0, 2, 1]),
        (&[3, 40, 50], &[2, 1, 0]),
        (&[3, 40, 50], &[1, 0, 2]),
        (&[3, 40, 50], &[2, 0, 1]),
        (&[3, 40, 50], &[1, 2, 0]),
        (&[2, 3, 4, 5], &[0, 2, 1, 3]),
        (&[2, 17, 4, 35], &[3, 1, 2, 0]),
        (&[2, 17, 4, 35], &[3, 0, 2, 1]),
        (&[2, 3, 1, 5, 4], &[4, 2, 0, 3, 1]),
    ];
    for (shape, axes) in transposes {
        cases.push(Case::new(Transpose { axes: axes.to_vec() }, [normal(1, shape)]));
    }
    let slices: [(&[usize], usize, usize, usize); 5] =
        [(&[9], 0, 2, 4), (&[9, 4], 0, 3, 5), (&[9, 40], 1, 7, 11), (&[5, 200, 30], 1, 100, 99), (&[4, 4], 1, 2, 0)];
    for (shape, axis, start, size) in slices {
        cases.push(Case::new(Slice { axis, start, size }, [normal(2, shape)]));
    }
    /// A shape, and how many zeros come before and behind on each axis.
    type Padding<'a> = (&'a [usize], &'a [(usize, usize)]);
    let paddings: [Padding<'_>; 6] = [
        (&[5], &[(2, 3)]),
        (&[3, 4], &[(0, 0), (1, 0)]),
        (&[3, 4], &[(2, 1), (0, 0)]),
        (&[2, 30, 31, 3], &[(0, 0), (1, 2), (3, 0), (0, 0)]),
        (&[2, 3, 4, 5], &[(1, 1), (0, 2), (3, 0), (1, 1)]),
        (&[2, 0, 3], &[(0, 0), (1, 1), (0, 0)]),
    ];
    for (shape, padding) in paddings {
        cases.push(Case::new(Pad { padding: padding.to_vec() }, [normal(3, shape)]));
    }
    let concats: [(&[&[usize]], usize); 5] = [
        (&[&[3, 4], &[2, 4]], 0),
        (&[&[3, 4], &[3, 1], &[3, 9]], 1),
        (&[&[50, 20, 30], &[50, 0, 30], &[50, 3, 30]], 1),
        (&[&[5]], 0),
        (&[&[2, 3, 300], &[2, 3, 500]], 2),
    ];
    for (shapes, axis) in concats {
        let inputs: Vec<_> = shapes.iter().zip(4..).map(|(shape, stream)| normal(stream, shape)).collect();
        cases.push(Case::new(Concat { axis }, inputs));
    }
    let reversals: [(&[usize], usize); 4] = [(&[9], 0), (&[5, 6, 7], 0), (&[5, 6, 700], 1), (&[50, 6, 70], 2)];
    for (shape, axis) in reversals {
        cases.push(Case::new(Reverse { axis }, [normal(8, shape)]));
    }
    cases.push(Case::new(Detach, [normal(9, &[30, 12])]));
    cases.push(Case::new(Reshape { shape: Shape::fixed(&[40, 900]) }, [normal(9, &[30, 1200])]));
    cases.into_iter().map(|case| case.with_tolerance(0.0, 0.0)).collect()
}

#[test]
fn agree_with_the_interpreter() {
    check_all(&cases());
}

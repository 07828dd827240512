//! Resizing of images.

use retune_graph::ops::resize::Interpolation;

use super::build::{Case, case, input};

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for interpolation in [Interpolation::Nearest, Interpolation::Bilinear] {
        for size in [[6, 8], [2, 3], [3, 4], [5, 1], [7, 5]] {
            cases.push(case(format!("{interpolation:?} to {size:?}"), move |g| {
                let x = input(g, "x", &[3, 4, 2]);
                g.resize(x, size, interpolation)
            }));
        }
    }
    cases
}

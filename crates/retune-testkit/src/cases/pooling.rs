//! Pooling over windows.

use retune_graph::ops::ConvGeometry;
use retune_graph::ops::pool::Pooling;

use super::build::{Case, case, input, rows};

pub fn cases() -> Vec<Case> {
    let plain = ConvGeometry::default();
    let geometries = [
        ("overlapping", plain),
        ("side by side", ConvGeometry { strides: [2, 2], ..plain }),
        ("apart", ConvGeometry { strides: [3, 3], ..plain }),
        ("padded", ConvGeometry { strides: [2, 2], padding: [(1, 1), (0, 1)], ..plain }),
        ("dilated", ConvGeometry { dilation: [2, 3], ..plain }),
    ];
    let mut cases = Vec::new();
    for pooling in [Pooling::Max, Pooling::Average] {
        for (name, geometry) in geometries {
            cases.push(case(format!("{pooling:?}, {name}"), move |g| {
                let x = input(g, "x", &[5, 6, 2]);
                g.pool2d(x, pooling, [2, 2], geometry)
            }));
        }
        cases.push(case(format!("{pooling:?} of one axis"), move |g| {
            let x = rows(g, "x", 2, &[1, 6, 2]);
            g.pool2d(x, pooling, [1, 3], ConvGeometry { strides: [1, 2], ..plain })
        }));
    }
    cases
}

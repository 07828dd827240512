//! Convolutions, transposed and depthwise ones.

use retune_graph::Graph;
use retune_graph::ops::{Conv2dGradInput, ConvGeometry};

use super::build::{Built, Case, case, input, rows, weight};

/// Geometries for images of 5×6 and windows of 3×2.
fn geometries() -> Vec<(&'static str, ConvGeometry)> {
    let plain = ConvGeometry::default();
    let same = |strides: [usize; 2], dilation: [usize; 2]| ConvGeometry {
        strides,
        padding: [ConvGeometry::same(5, 3, strides[0], dilation[0]), ConvGeometry::same(6, 2, strides[1], dilation[1])],
        dilation,
    };
    vec![
        ("valid", plain),
        ("strides", ConvGeometry { strides: [2, 3], ..plain }),
        ("dilation", ConvGeometry { dilation: [2, 3], ..plain }),
        ("uneven padding", ConvGeometry { padding: [(2, 0), (1, 3)], ..plain }),
        ("same", same([1, 1], [1, 1])),
        ("same with strides", same([2, 2], [1, 1])),
        ("same with dilation", same([1, 1], [2, 2])),
        ("everything", ConvGeometry { strides: [2, 1], padding: [(1, 2), (2, 1)], dilation: [1, 2] }),
    ]
}

fn conv2d(g: &mut Graph, geometry: ConvGeometry, groups: usize, bias: bool) -> Built {
    let (x, w) = (input(g, "x", &[5, 6, 2 * groups]), weight(g, &[3, 2, 2, 2 * groups]));
    let bias = bias.then(|| weight(g, &[2 * groups]));
    g.conv2d(x, w, bias, geometry, groups)
}

/// The forward of a transposed convolution: the gradient of a convolution of 5×6 images.
fn transposed(g: &mut Graph, geometry: ConvGeometry, groups: usize) -> Built {
    let size = |axis: usize, input, kernel| geometry.output(axis, input, kernel).expect("the window fits");
    let x = input(g, "x", &[size(0, 5, 3), size(1, 6, 2), 2 * groups]);
    let w = weight(g, &[3, 2, 3, 2 * groups]);
    g.push(Conv2dGradInput { geometry, groups, input_size: [5, 6] }.into(), &[x, w])
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, geometry) in geometries() {
        for groups in [1, 2] {
            cases.push(case(format!("conv2d, {name}, {groups} groups"), move |g| conv2d(g, geometry, groups, true)));
            cases.push(case(format!("transposed, {name}, {groups} groups"), move |g| transposed(g, geometry, groups)));
        }
        for multiplier in [1, 2] {
            cases.push(case(format!("depthwise, {name}, multiplier {multiplier}"), move |g| {
                let (x, w) = (input(g, "x", &[5, 6, 2]), weight(g, &[3, 2, 2, multiplier]));
                g.depthwise_conv2d(x, w, geometry)
            }));
        }
    }
    cases.push(case("conv2d without bias", |g| conv2d(g, ConvGeometry::default(), 1, false)));
    cases.push(case("pointwise", |g| {
        let (x, w) = (input(g, "x", &[2, 3, 4]), weight(g, &[1, 1, 4, 3]));
        g.conv2d(x, w, None, ConvGeometry::default(), 1)
    }));
    cases.push(case("conv1d over images flattened into the batch", |g| {
        let (x, w) = (rows(g, "x", 3, &[1, 5, 2]), weight(g, &[1, 3, 2, 2]));
        let geometry = ConvGeometry { padding: [(0, 0), (2, 0)], ..Default::default() };
        g.conv2d(x, w, None, geometry, 1)
    }));
    cases
}

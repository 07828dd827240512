//! Convolutions and depthwise convolutions with Keras's `same` and `valid` padding.

use retune_graph::ops::ConvGeometry;
use retune_graph::{Graph, NodeId};

use crate::single_layer::check;

/// Geometry of a window over the image `x`.
fn geometry(
    g: &Graph,
    x: NodeId,
    kernel: NodeId,
    same: bool,
    strides: [usize; 2],
    dilation: [usize; 2],
) -> ConvGeometry {
    let size = |id: NodeId, axis: usize| g.shape(id)[axis].fixed().unwrap();
    let padding = [0, 1].map(|axis| match same {
        true => ConvGeometry::same(size(x, axis + 1), size(kernel, axis), strides[axis], dilation[axis]),
        false => (0, 0),
    });
    ConvGeometry { strides, padding, dilation }
}

#[test]
fn conv2d() {
    for (name, same, strides, dilation, groups) in [
        ("1x1", false, [1, 1], [1, 1], 1),
        ("1x1_stride_2", false, [2, 2], [1, 1], 1),
        ("3_to_8_channels", true, [1, 1], [1, 1], 1),
        ("dilated_2_1_same", true, [1, 1], [2, 1], 1),
        ("dilated_same", true, [1, 1], [2, 2], 1),
        ("dilated_valid", false, [1, 1], [2, 2], 1),
        ("even_kernel_same", true, [1, 1], [1, 1], 1),
        ("groups_2", true, [1, 1], [1, 1], 2),
        ("groups_as_channels", false, [1, 1], [1, 1], 4),
        ("groups_stride_2", true, [2, 2], [1, 1], 2),
        ("kernel_4x2_valid", false, [1, 1], [1, 1], 1),
        ("kernel_5_same", true, [1, 1], [1, 1], 1),
        ("kernel_larger_than_image_same", true, [1, 1], [1, 1], 1),
        ("rectangular_kernel", true, [1, 1], [1, 1], 1),
        ("same", true, [1, 1], [1, 1], 1),
        ("stride_2_kernel_5_same", true, [2, 2], [1, 1], 1),
        ("stride_2_same_even", true, [2, 2], [1, 1], 1),
        ("stride_2_same_odd", true, [2, 2], [1, 1], 1),
        ("stride_2_valid_even", false, [2, 2], [1, 1], 1),
        ("stride_2_valid_odd", false, [2, 2], [1, 1], 1),
        ("stride_3_same", true, [3, 3], [1, 1], 1),
        ("strides_1_2_same", true, [1, 2], [1, 1], 1),
        ("valid", false, [1, 1], [1, 1], 1),
        ("without_bias", false, [1, 1], [1, 1], 1),
    ] {
        check(&format!("conv2d_{name}"), &|g, x, weights| {
            let geometry = geometry(g, x, weights[0], same, strides, dilation);
            g.conv2d(x, weights[0], weights.get(1).copied(), geometry, groups)
        });
    }
}

#[test]
fn depthwise_conv2d() {
    for (name, same, strides, dilation) in [
        ("dilated_same", true, [1, 1], [2, 2]),
        ("dilated_valid", false, [1, 1], [2, 2]),
        ("kernel_5_multiplier_2_stride_2", true, [2, 2], [1, 1]),
        ("multiplier_2", true, [1, 1], [1, 1]),
        ("same", true, [1, 1], [1, 1]),
        ("stride_2_same", true, [2, 2], [1, 1]),
        ("stride_2_same_even", true, [2, 2], [1, 1]),
        ("stride_2_valid", false, [2, 2], [1, 1]),
        ("valid", false, [1, 1], [1, 1]),
    ] {
        check(&format!("depthwise_conv2d_{name}"), &|g, x, weights| {
            let geometry = geometry(g, x, weights[0], same, strides, dilation);
            let y = g.depthwise_conv2d(x, weights[0], geometry)?;
            g.add(y, weights[1])
        });
    }
}

#[test]
fn dense() {
    check("dense_linear", &|g, x, weights| g.linear(x, weights[0], Some(weights[1])));
    check("dense_on_4d", &|g, x, weights| g.linear(x, weights[0], Some(weights[1])));
}

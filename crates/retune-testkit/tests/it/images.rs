//! Pooling and resizing.

use retune_graph::ops::ConvGeometry;
use retune_graph::ops::pool::Pooling;
use retune_graph::ops::resize::Interpolation;

use crate::single_layer::check;

#[test]
fn pooling() {
    for (name, window, strides, same) in [
        ("2x2", [2, 2], [2, 2], false),
        ("2x2_same_odd", [2, 2], [2, 2], true),
        ("2x2_valid_odd", [2, 2], [2, 2], false),
        ("2x3_strides_2_1", [2, 3], [2, 1], false),
        ("3x3_stride_1_same", [3, 3], [1, 1], true),
        ("3x3_stride_2_same", [3, 3], [2, 2], true),
        ("3x3_stride_2_same_even", [3, 3], [2, 2], true),
        ("3x3_stride_2_valid", [3, 3], [2, 2], false),
        ("ties", [3, 3], [2, 2], true),
    ] {
        for (pooling, prefix) in [(Pooling::Max, "max"), (Pooling::Average, "average")] {
            if name == "ties" && pooling == Pooling::Average {
                continue; // a mean has no ties
            }
            check(&format!("{prefix}_pooling2d_{name}"), &|g, x, _| {
                let padding = [0, 1].map(|axis| match same {
                    true => ConvGeometry::same(g.shape(x)[axis + 1].fixed().unwrap(), window[axis], strides[axis], 1),
                    false => (0, 0),
                });
                g.pool2d(x, pooling, window, ConvGeometry { strides, padding, dilation: [1, 1] })
            });
        }
    }
}

#[test]
fn resizing() {
    for (interpolation, prefix) in [(Interpolation::Nearest, "nearest"), (Interpolation::Bilinear, "bilinear")] {
        for (name, size) in [("double", [12, 10]), ("down", [3, 4]), ("mixed", [4, 8]), ("up", [9, 11])] {
            check(&format!("resizing_{prefix}_{name}"), &|g, x, _| g.resize(x, size, interpolation));
        }
    }
}

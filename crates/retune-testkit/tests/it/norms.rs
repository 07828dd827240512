//! Batch normalization in training, and layer normalization.

use crate::single_layer::{check, check_training};

#[test]
fn layer_normalization() {
    for (name, epsilon, axes) in [
        ("last_axis", 1e-3, 1),
        ("2d", 1e-3, 1),
        ("epsilon_1e_5", 1e-5, 1),
        ("two_axes", 1e-3, 2),
        ("4d_axes", 1e-3, 3),
    ] {
        check(&format!("layer_normalization_{name}"), &|g, x, weights| {
            g.layer_norm(x, weights[0], weights[1], axes, epsilon)
        });
    }
}

#[test]
fn batch_normalization() {
    for (name, epsilon) in [("2d", 1e-3), ("3d", 1e-3), ("4d", 1e-3), ("momentum_0_epsilon_0_1", 0.1)] {
        check_training(&format!("batch_normalization_{name}"), &|g, x, weights| {
            Ok(g.batch_norm(x, weights[0], weights[1], epsilon)?.0)
        });
    }
}

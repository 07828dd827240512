//! Activation functions, on grids that reach far into saturation and hold the kinks.

use retune_graph::ops::Activation;

use crate::single_layer::check;

#[test]
fn activations_by_name() {
    let relu = |max_value, negative_slope| Activation::Relu { max_value, negative_slope, threshold: 0.0 };
    let hard_sigmoid = Activation::HardSigmoid { slope: 1.0 / 6.0, offset: 0.5 };
    let named = [
        ("celu", Activation::Celu { alpha: 1.0 }),
        ("elu", Activation::Elu { alpha: 1.0 }),
        ("exponential", Activation::Exponential),
        ("gelu", Activation::Gelu { approximate: false }),
        ("hard_shrink", Activation::HardShrink { threshold: 0.5 }),
        ("hard_sigmoid", hard_sigmoid),
        ("hard_silu", Activation::HardSilu),
        ("hard_swish", Activation::HardSilu),
        ("hard_tanh", Activation::Clip { min: -1.0, max: 1.0 }),
        ("leaky_relu", relu(None, 0.2)),
        ("log_sigmoid", Activation::LogSigmoid),
        ("mish", Activation::Mish),
        ("relu", Activation::RELU),
        ("relu6", relu(Some(6.0), 0.0)),
        ("selu", Activation::Selu),
        ("sigmoid", Activation::Sigmoid),
        ("silu", Activation::Silu),
        ("soft_shrink", Activation::SoftShrink { threshold: 0.5 }),
        ("softplus", Activation::Softplus),
        ("softsign", Activation::Softsign),
        ("sparse_plus", Activation::SparsePlus),
        ("sparse_sigmoid", Activation::SparseSigmoid),
        ("squareplus", Activation::SquarePlus { b: 4.0 }),
        ("tanh", Activation::Tanh),
        ("tanh_shrink", Activation::TanhShrink),
    ];
    for (name, activation) in named {
        check(&format!("activation_{name}"), &|g, x, _| g.activate(x, activation));
    }
}

#[test]
fn activation_layers() {
    let relu = |max_value, negative_slope, threshold| Activation::Relu { max_value, negative_slope, threshold };
    for (name, activation) in [
        ("relu", Activation::RELU),
        ("relu_max_value", relu(Some(2.0), 0.0, 0.0)),
        ("relu_negative_slope", relu(None, 0.2, 0.0)),
        ("relu_threshold", relu(None, 0.0, 0.7)),
        ("relu_all", relu(Some(2.5), 0.1, 0.5)),
        ("leaky_relu_slope", relu(None, 0.05, 0.0)),
        ("elu_alpha", Activation::Elu { alpha: 0.4 }),
    ] {
        check(name, &|g, x, _| g.activate(x, activation));
    }
}

#[test]
fn softmax_over_the_last_axis() {
    check("activation_softmax", &|g, x, _| g.softmax(x));
    check("activation_softmax_on_4d", &|g, x, _| g.softmax(x));
    check("activation_log_softmax", &|g, x, _| g.log_softmax(x));
}

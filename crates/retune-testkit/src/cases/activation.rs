//! Activation functions, as operations of their own and fused into a product or a convolution.

use retune_graph::ops::{Activation, Conv2d, ConvGeometry, Linear};

use super::build::{Case, case, input, rows, weight};

/// Every activation at several settings, with the arguments at which its derivative jumps.
pub fn settings() -> Vec<(Activation, Vec<f64>)> {
    let relu = |max_value, negative_slope, threshold| Activation::Relu { max_value, negative_slope, threshold };
    vec![
        (Activation::RELU, vec![0.0]),
        (relu(Some(1.5), 0.0, 0.0), vec![0.0, 1.5]),
        (relu(None, 0.25, 0.0), vec![0.0]),
        (relu(Some(1.5), 0.25, 0.0), vec![0.0, 1.5]),
        (relu(None, -0.25, 0.0), vec![0.0]),
        (relu(None, 0.0, 0.5), vec![0.5]),
        (relu(Some(1.5), 0.25, -0.5), vec![-0.5, 1.5]),
        (Activation::Clip { min: -1.0, max: 0.5 }, vec![-1.0, 0.5]),
        (Activation::Elu { alpha: 1.0 }, vec![0.0]),
        (Activation::Elu { alpha: 0.5 }, vec![0.0]),
        (Activation::Elu { alpha: -0.5 }, vec![0.0]),
        (Activation::Selu, vec![0.0]),
        (Activation::Celu { alpha: 1.0 }, vec![]),
        (Activation::Celu { alpha: 0.5 }, vec![]),
        (Activation::Gelu { approximate: false }, vec![]),
        (Activation::Gelu { approximate: true }, vec![]),
        (Activation::Silu, vec![]),
        (Activation::Sigmoid, vec![]),
        (Activation::Tanh, vec![]),
        (Activation::Softplus, vec![]),
        (Activation::Softsign, vec![]),
        (Activation::Exponential, vec![]),
        (Activation::HardSigmoid { slope: 1.0 / 6.0, offset: 0.5 }, vec![-3.0, 3.0]),
        (Activation::HardSigmoid { slope: 0.2, offset: 0.5 }, vec![-2.5, 2.5]),
        (Activation::HardSilu, vec![-3.0, 3.0]),
        (Activation::LogSigmoid, vec![]),
        (Activation::Mish, vec![]),
        (Activation::HardShrink { threshold: 0.5 }, vec![-0.5, 0.5]),
        (Activation::SoftShrink { threshold: 0.5 }, vec![-0.5, 0.5]),
        (Activation::TanhShrink, vec![]),
        (Activation::Threshold { threshold: 0.5, value: -1.0 }, vec![0.5]),
        (Activation::SquarePlus { b: 4.0 }, vec![]),
        (Activation::SquarePlus { b: 0.5 }, vec![]),
        (Activation::SparsePlus, vec![]),
        (Activation::SparseSigmoid, vec![-1.0, 1.0]),
    ]
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (activation, kinks) in settings() {
        cases.push(
            case(format!("{activation:?}"), move |g| {
                let x = input(g, "x", &[20]);
                g.activate(x, activation)
            })
            .range(-4.0, 4.0)
            .kinks(&kinks),
        );
        if !activation.derivative_from_output() {
            continue;
        }
        cases.push(case(format!("linear with {activation:?}"), move |g| {
            let (x, w, b) = (rows(g, "x", 3, &[4]), weight(g, &[4, 5]), weight(g, &[5]));
            g.push(Linear { activation: Some(activation), ..Linear::default() }.into(), &[x, w, b])
        }));
        cases.push(case(format!("conv2d with {activation:?}"), move |g| {
            let (x, w, b) = (input(g, "x", &[3, 4, 2]), weight(g, &[2, 2, 2, 3]), weight(g, &[3]));
            let op = Conv2d { geometry: ConvGeometry::default(), groups: 1, activation: Some(activation) };
            g.push(op.into(), &[x, w, b])
        }));
    }
    cases
}

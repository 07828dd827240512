//! Functions of single values and of pairs.

use retune_graph::Op;
use retune_graph::ops::{Activate, ActivateGrad, Activation, Affine, Binary, BroadcastTo, Cast, Unary};
use retune_graph::{Dim, Shape};
use retune_testkit::interpreter::value;

use crate::case::{Case, check_all, float, indices, normal, uniform};

/// Sizes around those at which kernels cut their work.
const SHAPES: [&[usize]; 5] = [&[], &[1], &[7, 13], &[1024], &[3, 5, 17, 129]];

const UNARY: [Unary; 8] =
    [Unary::Exp, Unary::Log, Unary::Sqrt, Unary::Rsqrt, Unary::Reciprocal, Unary::Square, Unary::Abs, Unary::Sign];

const BINARY: [Binary; 8] = [
    Binary::Add,
    Binary::Sub,
    Binary::Mul,
    Binary::Div,
    Binary::Maximum,
    Binary::Minimum,
    Binary::GreaterEqual,
    Binary::Equal,
];

/// Every activation, most with two settings.
pub const ACTIVATIONS: [Activation; 34] = [
    Activation::RELU,
    Activation::Relu { max_value: Some(1.5), negative_slope: 0.25, threshold: 0.0 },
    Activation::Relu { max_value: None, negative_slope: 0.1, threshold: 0.5 },
    Activation::Relu { max_value: Some(1.0), negative_slope: -0.1, threshold: 0.0 },
    Activation::Clip { min: -1.0, max: 0.5 },
    Activation::Elu { alpha: 1.0 },
    Activation::Elu { alpha: -0.5 },
    Activation::Selu,
    Activation::Celu { alpha: 1.0 },
    Activation::Celu { alpha: 0.3 },
    Activation::Celu { alpha: -2.0 },
    Activation::Gelu { approximate: false },
    Activation::Gelu { approximate: true },
    Activation::Silu,
    Activation::Sigmoid,
    Activation::Tanh,
    Activation::Softplus,
    Activation::Softsign,
    Activation::Exponential,
    Activation::HardSigmoid { slope: 0.2, offset: 0.5 },
    Activation::HardSigmoid { slope: 1.0 / 6.0, offset: 0.5 },
    Activation::HardSilu,
    Activation::LogSigmoid,
    Activation::Mish,
    Activation::HardShrink { threshold: 0.5 },
    Activation::SoftShrink { threshold: 0.5 },
    Activation::TanhShrink,
    Activation::Threshold { threshold: 0.5, value: -1.0 },
    Activation::Threshold { threshold: -0.5, value: 3.0 },
    Activation::SquarePlus { b: 4.0 },
    Activation::SquarePlus { b: 0.1 },
    Activation::SparsePlus,
    Activation::SparseSigmoid,
    Activation::Clip { min: 0.0, max: 6.0 },
];

/// Pairs of shapes that broadcast: equal, scalars, vectors along each axis, both sides stretched.
const BROADCASTS: [(&[usize], &[usize]); 16] = [
    (&[7, 13], &[7, 13]),
    (&[40, 50, 20], &[40, 50, 20]),
    (&[7, 13], &[]),
    (&[], &[5, 3]),
    (&[6, 2000], &[1]),
    (&[5, 7, 3], &[3]),
    (&[3], &[500, 7, 3]),
    (&[300, 64], &[64]),
    (&[5, 1500], &[1500]),
    (&[1500], &[5, 1500]),
    (&[9, 700], &[9, 1]),
    (&[9, 1], &[9, 700]),
    (&[4, 1, 6], &[4, 5, 6]),
    (&[4, 9, 16], &[4, 1, 16]),
    (&[3, 1, 5, 1], &[1, 4, 1, 6]),
    (&[2, 1, 3, 1, 2, 1], &[1, 2, 1, 3, 1, 2]),
];

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for shape in SHAPES {
        for op in UNARY {
            let signed = matches!(op, Unary::Exp | Unary::Square | Unary::Abs | Unary::Sign | Unary::Reciprocal);
            let x = if signed { normal(1, shape) } else { uniform(1, shape, 0.01, 9.0) };
            cases.push(Case::new(op, [x]));
        }
        cases.push(Case::new(Affine { scale: -1.5, offset: 0.25 }, [normal(2, shape)]));
        cases.push(Case::new(Cast, [indices(3, shape, 1000)]));
        cases.push(Case::new(Op::Fill(2.5), [normal(4, shape)]));
    }
    for activation in ACTIVATIONS {
        for shape in [&[5, 1025][..], &[3]] {
            let x = uniform(5, shape, -4.0, 4.0);
            let saved = match activation.derivative_from_output() {
                true => float(x.values.map(|x| value(activation, x))),
                false => x.clone(),
            };
            cases.push(Case::new(Activate(activation), [x]).with_tolerance(1e-5, 1e-6));
            let dy = normal(6, shape);
            cases.push(Case::new(ActivateGrad(activation), [saved, dy]).with_tolerance(1e-5, 2e-6));
        }
    }
    for (a, b) in BROADCASTS {
        for op in BINARY {
            let b = if op == Binary::Div { uniform(8, b, 0.5, 2.0) } else { normal(8, b) };
            cases.push(Case::new(op, [normal(7, a), b]));
        }
    }
    let equal = float(normal(7, &[30]).values.map(f64::round));
    cases.push(Case::new(Binary::Equal, [equal.clone(), float(equal.values.map(|x| x.max(0.0)))]));
    let targets: [(&[usize], &[usize]); 6] = [
        (&[], &[3, 4]),
        (&[5], &[3, 5]),
        (&[3, 1], &[3, 5000]),
        (&[4, 1, 3], &[4, 50, 3]),
        (&[1], &[1, 1]),
        (&[2, 1, 2], &[6, 2, 3, 2]),
    ];
    for (from, to) in targets {
        let shape: Shape = to.iter().map(|&size| Dim::Fixed(size)).collect();
        cases.push(Case::new(BroadcastTo { shape }, [normal(9, from)]));
    }
    cases
}

#[test]
fn agree_with_the_interpreter() {
    check_all(&cases());
}

/// Functions that end in a line stay exact there. (NaN and infinities of the others are tested with `math`.)
#[test]
fn extreme_arguments() {
    let extremes = [-3e38, -1e30, -200.0, -90.0, 1e-42, 0.0, 90.0, 200.0, 1e18, f64::INFINITY];
    let x = float(retune_testkit::Array::new(&[extremes.len()], extremes.to_vec()));
    let lines = [
        Activation::RELU,
        Activation::Clip { min: -1.0, max: 1.0 },
        Activation::Elu { alpha: 1.0 },
        Activation::Selu,
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::Softplus,
        Activation::LogSigmoid,
        Activation::HardSigmoid { slope: 0.2, offset: 0.5 },
        Activation::HardShrink { threshold: 0.5 },
        Activation::SoftShrink { threshold: 0.5 },
        Activation::Threshold { threshold: 0.5, value: 0.0 },
        Activation::SparsePlus,
        Activation::SparseSigmoid,
    ];
    let cases: Vec<Case> = lines.map(|f| Case::new(Activate(f), [x.clone()]).with_tolerance(1e-5, 1e-37)).to_vec();
    check_all(&cases);
}

//! Activation functions and their derivatives.

use std::f64::consts::{FRAC_2_SQRT_PI, PI, SQRT_2};

use retune_graph::ops::{Activate, ActivateGrad, Activation};

use crate::array::Array;

const SELU_SCALE: f64 = 1.050_700_987_355_480_5;
const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;

pub(super) fn activate(op: &Activate, x: &Array) -> Array {
    x.map(|x| value(op.0, x))
}

pub(super) fn activate_grad(op: &ActivateGrad, saved: &Array, dy: &Array) -> Array {
    saved.zip(dy, |saved, dy| dy * derivative(op.0, saved))
}

/// `f(x)`.
pub fn value(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Relu { max_value, negative_slope, threshold } => {
            let threshold = f64::from(threshold);
            match max_value.map(f64::from) {
                Some(max_value) if x >= max_value => max_value,
                _ if x >= threshold => x,
                _ => f64::from(negative_slope) * (x - threshold),
            }
        }
        Activation::Clip { min, max } => x.max(f64::from(min)).min(f64::from(max)),
        Activation::Elu { alpha } => elu(x, f64::from(alpha)),
        Activation::Selu => SELU_SCALE * elu(x, SELU_ALPHA),
        Activation::Celu { alpha } => x.max(0.0) + (f64::from(alpha) * (x / f64::from(alpha)).exp_m1()).min(0.0),
        Activation::Gelu { approximate: false } => x * normal_cdf(x),
        Activation::Gelu { approximate: true } => 0.5 * x * (1.0 + gelu_argument(x).tanh()),
        Activation::Silu => x * sigmoid(x),
        Activation::Sigmoid => sigmoid(x),
        Activation::Tanh => x.tanh(),
        Activation::Softplus => softplus(x),
        Activation::Softsign => x / (1.0 + x.abs()),
        Activation::Exponential => x.exp(),
        Activation::HardSigmoid { slope, offset } => (f64::from(slope) * x + f64::from(offset)).clamp(0.0, 1.0),
        Activation::HardSilu => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
        Activation::LogSigmoid => -softplus(-x),
        Activation::Mish => x * softplus(x).tanh(),
        Activation::HardShrink { threshold } => {
            if x.abs() > f64::from(threshold) {
                x
            } else {
                0.0
            }
        }
        Activation::SoftShrink { threshold } => x.signum() * (x.abs() - f64::from(threshold)).max(0.0),
        Activation::TanhShrink => x - x.tanh(),
        Activation::Threshold { threshold, value } => {
            if x > f64::from(threshold) {
                x
            } else {
                f64::from(value)
            }
        }
        Activation::SquarePlus { b } => (x + (x * x + f64::from(b)).sqrt()) / 2.0,
        Activation::SparsePlus if x <= -1.0 => 0.0,
        Activation::SparsePlus if x < 1.0 => (x + 1.0) * (x + 1.0) / 4.0,
        Activation::SparsePlus => x,
        Activation::SparseSigmoid => ((x + 1.0) / 2.0).clamp(0.0, 1.0),
    }
}

/// `f′`, from `f(x)` where [`Activation::derivative_from_output`], else from `x`. At a kink it is the derivative that
/// [`ActivateGrad`] documents.
pub fn derivative(activation: Activation, saved: f64) -> f64 {
    let step = |condition: bool| if condition { 1.0 } else { 0.0 };
    if activation.derivative_from_output() {
        let y = saved;
        return match activation {
            Activation::Relu { max_value: Some(max_value), .. } if y >= f64::from(max_value) => 0.0,
            Activation::Relu { negative_slope, .. } => {
                if y > 0.0 {
                    1.0
                } else {
                    f64::from(negative_slope)
                }
            }
            Activation::Elu { alpha } => elu_slope(y, f64::from(alpha)),
            Activation::Selu => SELU_SCALE * elu_slope(y / SELU_SCALE, SELU_ALPHA),
            Activation::Celu { alpha } => (1.0 + y / f64::from(alpha)).min(1.0),
            Activation::Sigmoid => y * (1.0 - y),
            Activation::Tanh => 1.0 - y * y,
            Activation::Exponential => y,
            other => unreachable!("the derivative of {other:?} does not follow from its value"),
        };
    }
    let x = saved;
    match activation {
        Activation::Relu { max_value: Some(max_value), .. } if x >= f64::from(max_value) => 0.0,
        Activation::Relu { negative_slope, threshold, .. } => {
            if x > f64::from(threshold) {
                1.0
            } else {
                f64::from(negative_slope)
            }
        }
        Activation::Clip { min, max } => step(x > f64::from(min) && x < f64::from(max)),
        Activation::Elu { alpha } => {
            if x > 0.0 {
                1.0
            } else {
                f64::from(alpha) * x.exp()
            }
        }
        Activation::Celu { alpha } => {
            // With a negative alpha the part below the line is `min(0, …)` of a function that is positive left of 0.
            let part = f64::from(alpha) * (x / f64::from(alpha)).exp_m1();
            step(x > 0.0) + if part < 0.0 { (x / f64::from(alpha)).exp() } else { 0.0 }
        }
        Activation::Gelu { approximate: false } => normal_cdf(x) + x * (-0.5 * x * x).exp() / (2.0 * PI).sqrt(),
        Activation::Gelu { approximate: true } => {
            let t = gelu_argument(x).tanh();
            let slope = (2.0 / PI).sqrt() * (1.0 + 3.0 * 0.044715 * x * x);
            0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * slope
        }
        Activation::Silu => sigmoid(x) * (1.0 + x * (1.0 - sigmoid(x))),
        Activation::Softplus => sigmoid(x),
        Activation::Softsign => (1.0 + x.abs()).powi(-2),
        Activation::HardSigmoid { slope, offset } => {
            let line = f64::from(slope) * x + f64::from(offset);
            f64::from(slope) * step(line > 0.0 && line < 1.0)
        }
        Activation::HardSilu if x <= -3.0 => 0.0,
        Activation::HardSilu if x < 3.0 => x / 3.0 + 0.5,
        Activation::HardSilu => 1.0,
        Activation::LogSigmoid => sigmoid(-x),
        Activation::Mish => {
            let t = softplus(x).tanh();
            t + x * (1.0 - t * t) * sigmoid(x)
        }
        Activation::HardShrink { threshold } | Activation::SoftShrink { threshold } => {
            step(x.abs() > f64::from(threshold))
        }
        Activation::TanhShrink => x.tanh().powi(2),
        Activation::Threshold { threshold, .. } => step(x > f64::from(threshold)),
        Activation::SquarePlus { b } => 0.5 * (1.0 + x / (x * x + f64::from(b)).sqrt()),
        Activation::SparsePlus => ((x + 1.0) / 2.0).clamp(0.0, 1.0),
        Activation::SparseSigmoid => 0.5 * step(x > -1.0 && x < 1.0),
        other => unreachable!("the derivative of {other:?} follows from its value"),
    }
}

fn elu(x: f64, alpha: f64) -> f64 {
    if x > 0.0 { x } else { alpha * x.exp_m1() }
}

fn elu_slope(y: f64, alpha: f64) -> f64 {
    if y > 0.0 { 1.0 } else { y + alpha }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn gelu_argument(x: f64) -> f64 {
    (2.0 / PI).sqrt() * (x + 0.044715 * x * x * x)
}

fn normal_cdf(x: f64) -> f64 {
    0.5 * (1.0 + erf(x / SQRT_2))
}

/// The error function, by the series `2/√π · e^(−x²) · Σ 2ⁿ x²ⁿ⁺¹ / (1·3·…·(2n+1))`, all of whose terms have one sign
/// (Abramowitz and Stegun 7.1.6); beyond 6 it is ±1 to the last bit.
pub fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum, mut n) = (x, x, 0.0);
    while term.abs() > 1e-18 * sum.abs() {
        n += 1.0;
        term *= 2.0 * x * x / (2.0 * n + 1.0);
        sum += term;
    }
    FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of Abramowitz and Stegun, table 7.1, and of erf(3) and erf(5) to 15 digits.
    #[test]
    fn erf_known_values() {
        for (x, expected) in [
            (0.0, 0.0),
            (0.5, 0.520_499_877_813_046_5),
            (1.0, 0.842_700_792_949_714_9),
            (2.0, 0.995_322_265_018_952_7),
            (3.0, 0.999_977_909_503_001_4),
            (5.0, 0.999_999_999_998_462_5),
        ] {
            assert!((erf(x) - expected).abs() < 1e-15, "erf({x}) = {}", erf(x));
            assert_eq!(erf(-x), -erf(x));
        }
    }

    #[test]
    fn relu_with_every_argument() {
        let relu = Activation::Relu { max_value: Some(6.0), negative_slope: 0.5, threshold: 1.0 };
        assert_eq!([-1.0, 0.5, 1.0, 3.0, 9.0].map(|x| value(relu, x)), [-1.0, -0.25, 1.0, 3.0, 6.0]);
        assert_eq!([-1.0, 0.5, 3.0, 9.0].map(|x| derivative(relu, x)), [0.5, 0.5, 1.0, 0.0]);
    }
}

//! Activation functions and their derivatives.

use retune_graph::ops::{Activate, ActivateGrad, Activation};

use crate::dispatch::Level;
use crate::kernels::Call;
use crate::kernels::stream::{Map, Map2, map_call, map_in_place, map2_call};
use crate::math::{clamp, erf, exp, exp_m1, max, min, sigmoid, softplus, tanh};

const SELU_SCALE: f32 = 1.050_701;
const SELU_ALPHA: f32 = 1.673_263_2;
/// `√(2/π)`.
const SQRT_2_OVER_PI: f32 = 0.797_884_6;
const GELU_CUBIC: f32 = 0.044_715;

/// A function and its derivative, which is computed from the function's value where
/// [`Activation::derivative_from_output`], else from its argument.
trait Function: Copy + Sync {
    fn value(self, x: f32) -> f32;
    fn derivative(self, saved: f32) -> f32;
}

#[derive(Clone, Copy)]
struct Value<F>(F);

impl<F: Function> Map for Value<F> {
    #[inline(always)]
    fn at(self, x: f32) -> f32 {
        self.0.value(x)
    }
}

#[derive(Clone, Copy)]
struct Gradient<F>(F);

impl<F: Function> Map2 for Gradient<F> {
    #[inline(always)]
    fn at(self, saved: f32, dy: f32) -> f32 {
        dy * self.0.derivative(saved)
    }
}

/// `dy · f′` at an argument, where the derivative follows from the function's value.
#[derive(Clone, Copy)]
struct GradientByValue<F>(F);

impl<F: Function> Map2 for GradientByValue<F> {
    #[inline(always)]
    fn at(self, argument: f32, dy: f32) -> f32 {
        dy * self.0.derivative(self.0.value(argument))
    }
}

/// What is done with the function that an [`Activation`] stands for.
trait Visitor {
    fn visit(self, function: impl Function);
}

macro_rules! functions {
    ($($name:ident $({$($field:ident),*})?: |$x:ident| $value:expr, |$saved:ident| $derivative:expr;)*) => {$(
        #[derive(Clone, Copy)]
        struct $name {
            $($($field: f32),*)?
        }

        impl Function for $name {
            #[inline(always)]
            fn value(self, $x: f32) -> f32 {
                $(let $name { $($field),* } = self;)?
                $value
            }

            #[inline(always)]
            fn derivative(self, $saved: f32) -> f32 {
                $(#[allow(unused_variables)] let $name { $($field),* } = self;)?
                $derivative
            }
        }
    )*};
}

#[inline(always)]
fn step(condition: bool) -> f32 {
    if condition { 1.0 } else { 0.0 }
}

#[inline(always)]
fn normal_cdf(x: f32) -> f32 {
    0.5 + 0.5 * erf(x * std::f32::consts::FRAC_1_SQRT_2)
}

/// `sigmoid(2 √(2/π) (x + 0.044715 x³))`, which is `(1 + tanh(√(2/π) (x + 0.044715 x³))) / 2`.
#[inline(always)]
fn approximate_normal_cdf(x: f32) -> f32 {
    sigmoid(2.0 * SQRT_2_OVER_PI * (x + GELU_CUBIC * (x * x * x)))
}

/// `tanh(log(1 + eˣ)) = e (e + 2) / (e (e + 2) + 2)` with `e = eˣ`; beyond 20 it is 1 to the last bit.
#[inline(always)]
fn tanh_softplus(x: f32) -> f32 {
    let e = exp(clamp(x, f32::NEG_INFINITY, 20.0));
    let product = e * (e + 2.0);
    product / (product + 2.0)
}

functions! {
    Relu: |x| max(0.0, x), |y| step(y > 0.0);
    BoundedRelu { bound, slope, threshold }:
        |x| {
            let y = if x >= threshold { x } else { slope * (x - threshold) };
            if x >= bound { bound } else { y }
        },
        |s| if s >= bound { 0.0 } else if s > threshold { 1.0 } else { slope };
    Clip { low, high }: |x| clamp(x, low, high), |x| step((x > low) & (x < high));
    Elu { alpha }:
        |x| if x > 0.0 { x } else { alpha * exp_m1(x) },
        |y| if y > 0.0 { 1.0 } else { y + alpha };
    EluOfArgument { alpha }:
        |x| if x > 0.0 { x } else { alpha * exp_m1(x) },
        |x| if x > 0.0 { 1.0 } else { alpha * exp(x) };
    Selu:
        |x| SELU_SCALE * if x > 0.0 { x } else { SELU_ALPHA * exp_m1(x) },
        |y| if y > 0.0 { SELU_SCALE } else { y + SELU_SCALE * SELU_ALPHA };
    Celu { alpha }:
        |x| max(0.0, x) + min(0.0, alpha * exp_m1(x / alpha)),
        |y| min(1.0, y / alpha + 1.0);
    CeluOfArgument { alpha }:
        |x| max(0.0, x) + min(0.0, alpha * exp_m1(x / alpha)),
        |x| step(x > 0.0) + if alpha * exp_m1(x / alpha) < 0.0 { exp(x / alpha) } else { 0.0 };
    Gelu: |x| x * normal_cdf(x), |x| {
        // x φ(x) is 0 long before x² overflows.
        let bounded = clamp(x, -20.0, 20.0);
        normal_cdf(x) + bounded * (0.5 * SQRT_2_OVER_PI * exp(-0.5 * bounded * bounded))
    };
    ApproximateGelu: |x| x * approximate_normal_cdf(x), |x| {
        let s = approximate_normal_cdf(x);
        let bounded = clamp(x, -20.0, 20.0);
        s + bounded * (s * (1.0 - s)) * (2.0 * SQRT_2_OVER_PI * (1.0 + 3.0 * GELU_CUBIC * (bounded * bounded)))
    };
    Silu: |x| x * sigmoid(x), |x| {
        let s = sigmoid(x);
        s * (1.0 + x * (1.0 - s))
    };
    Sigmoid: |x| sigmoid(x), |y| y * (1.0 - y);
    Tanh: |x| tanh(x), |y| 1.0 - y * y;
    Softplus: |x| softplus(x), |x| sigmoid(x);
    Softsign: |x| x / (1.0 + x.abs()), |x| {
        let r = 1.0 / (1.0 + x.abs());
        r * r
    };
    Exponential: |x| exp(x), |y| y;
    HardSigmoid { slope, offset }:
        |x| clamp(slope * x + offset, 0.0, 1.0),
        |x| {
            let line = slope * x + offset;
            if (line > 0.0) & (line < 1.0) { slope } else { 0.0 }
        };
    HardSilu:
        |x| x * clamp(x * (1.0 / 6.0) + 0.5, 0.0, 1.0),
        |x| if x <= -3.0 { 0.0 } else if x < 3.0 { x * (1.0 / 3.0) + 0.5 } else { 1.0 };
    LogSigmoid: |x| -softplus(-x), |x| sigmoid(-x);
    Mish: |x| x * tanh_softplus(x), |x| {
        let t = tanh_softplus(x);
        t + x * ((1.0 - t * t) * sigmoid(x))
    };
    HardShrink { threshold }: |x| if x.abs() <= threshold { 0.0 } else { x }, |x| step(x.abs() > threshold);
    SoftShrink { threshold }:
        |x| {
            let above = if x > threshold { x - threshold } else { 0.0 * x };
            if x < -threshold { x + threshold } else { above }
        },
        |x| step(x.abs() > threshold);
    TanhShrink: |x| x - tanh(x), |x| {
        let t = tanh(x);
        t * t
    };
    Threshold { threshold, replacement }:
        |x| if x <= threshold { replacement } else { x },
        |x| step(x > threshold);
    SquarePlus { b }: |x| 0.5 * (x + (x * x + b).sqrt()), |x| 0.5 * (1.0 + x / (x * x + b).sqrt());
    SparsePlus: |x| {
        let square = 0.25 * ((x + 1.0) * (x + 1.0));
        let y = if x >= 1.0 { x } else { square };
        if x <= -1.0 { 0.0 } else { y }
    }, |x| clamp(0.5 * x + 0.5, 0.0, 1.0);
    SparseSigmoid: |x| clamp(0.5 * x + 0.5, 0.0, 1.0), |x| 0.5 * step((x > -1.0) & (x < 1.0));
}

fn visit(activation: Activation, visitor: impl Visitor) {
    let from_output = activation.derivative_from_output();
    match activation {
        Activation::RELU => visitor.visit(Relu {}),
        Activation::Relu { max_value, negative_slope: slope, threshold } => {
            visitor.visit(BoundedRelu { bound: max_value.unwrap_or(f32::INFINITY), slope, threshold });
        }
        Activation::Clip { min, max } => visitor.visit(Clip { low: min, high: max }),
        Activation::Elu { alpha } if from_output => visitor.visit(Elu { alpha }),
        Activation::Elu { alpha } => visitor.visit(EluOfArgument { alpha }),
        Activation::Selu => visitor.visit(Selu {}),
        Activation::Celu { alpha } if from_output => visitor.visit(Celu { alpha }),
        Activation::Celu { alpha } => visitor.visit(CeluOfArgument { alpha }),
        Activation::Gelu { approximate: false } => visitor.visit(Gelu {}),
        Activation::Gelu { approximate: true } => visitor.visit(ApproximateGelu {}),
        Activation::Silu => visitor.visit(Silu {}),
        Activation::Sigmoid => visitor.visit(Sigmoid {}),
        Activation::Tanh => visitor.visit(Tanh {}),
        Activation::Softplus => visitor.visit(Softplus {}),
        Activation::Softsign => visitor.visit(Softsign {}),
        Activation::Exponential => visitor.visit(Exponential {}),
        Activation::HardSigmoid { slope, offset } => visitor.visit(HardSigmoid { slope, offset }),
        Activation::HardSilu => visitor.visit(HardSilu {}),
        Activation::LogSigmoid => visitor.visit(LogSigmoid {}),
        Activation::Mish => visitor.visit(Mish {}),
        Activation::HardShrink { threshold } => visitor.visit(HardShrink { threshold }),
        Activation::SoftShrink { threshold } => visitor.visit(SoftShrink { threshold }),
        Activation::TanhShrink => visitor.visit(TanhShrink {}),
        Activation::Threshold { threshold, value } => visitor.visit(Threshold { threshold, replacement: value }),
        Activation::SquarePlus { b } => visitor.visit(SquarePlus { b }),
        Activation::SparsePlus => visitor.visit(SparsePlus {}),
        Activation::SparseSigmoid => visitor.visit(SparseSigmoid {}),
    }
}

struct Forward<'c, 'a>(&'c mut Call<'a>);

impl Visitor for Forward<'_, '_> {
    fn visit(self, function: impl Function) {
        map_call(self.0, Value(function));
    }
}

pub(crate) fn activate(op: &Activate, mut call: Call<'_>) {
    visit(op.0, Forward(&mut call));
}

struct Backward<'c, 'a>(&'c mut Call<'a>);

impl Visitor for Backward<'_, '_> {
    fn visit(self, function: impl Function) {
        map2_call(self.0, Gradient(function));
    }
}

pub(crate) fn activate_grad(op: &ActivateGrad, mut call: Call<'_>) {
    visit(op.0, Backward(&mut call));
}

struct InPlace<'y>(Level, &'y mut [f32]);

impl Visitor for InPlace<'_> {
    fn visit(self, function: impl Function) {
        map_in_place(self.0, Value(function), self.1);
    }
}

/// `y = f(y)`, for kernels that finish their results while these are in cache.
pub(crate) fn apply(level: Level, activation: Activation, y: &mut [f32]) {
    visit(activation, InPlace(level, y));
}

/// What is done with an activation's gradient: a function of its argument and dy.
pub(crate) trait GradientVisitor {
    fn visit(self, gradient: impl Map2);
}

#[derive(Clone, Copy)]
struct Unchanged;

impl Map2 for Unchanged {
    #[inline(always)]
    fn at(self, _: f32, dy: f32) -> f32 {
        dy
    }
}

struct ByArgument<V> {
    visitor: V,
    from_output: bool,
}

impl<V: GradientVisitor> Visitor for ByArgument<V> {
    fn visit(self, function: impl Function) {
        if self.from_output {
            self.visitor.visit(GradientByValue(function));
        } else {
            self.visitor.visit(Gradient(function));
        }
    }
}

/// Hands over `dy · f′(argument)`, for kernels that compute the argument anew; dy itself where there is no activation.
pub(crate) fn visit_gradient(activation: Option<Activation>, visitor: impl GradientVisitor) {
    match activation {
        Some(activation) => {
            visit(activation, ByArgument { visitor, from_output: activation.derivative_from_output() });
        }
        None => visitor.visit(Unchanged),
    }
}

//! Activation functions. Formulas and defaults are Keras 3's; PyTorch's agree except where said.

use super::{Operand, Operation, Sizes, exactly, require_f32, same_shape};
use crate::error::{GraphError, Rule};
use crate::grad::Backward;
use crate::graph::{Graph, NodeId};
use crate::shape::{DType, Shape};

/// An activation function, applied to each value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    /// `max_value` where `x ≥ max_value`, `x` where `x ≥ threshold`, else `negative_slope · (x − threshold)`
    /// (Keras's `ReLU` layer; LeakyReLU is `negative_slope`, ReLU6 is `max_value = 6`).
    Relu {
        /// Upper bound, none by default.
        max_value: Option<f32>,
        /// Slope below the threshold, 0 by default.
        negative_slope: f32,
        /// Where the function leaves `negative_slope`, 0 by default.
        threshold: f32,
    },
    /// `x` clipped to `[min, max]`; `hard_tanh` is `[-1, 1]`.
    Clip {
        /// Lower bound.
        min: f32,
        /// Upper bound.
        max: f32,
    },
    /// `x` for `x > 0`, else `alpha · (eˣ − 1)`.
    Elu {
        /// Scale of the negative part.
        alpha: f32,
    },
    /// `1.0507… · elu(x, 1.67326…)`.
    Selu,
    /// `max(0, x) + min(0, alpha · (exp(x / alpha) − 1))`.
    Celu {
        /// Scale of the negative part.
        alpha: f32,
    },
    /// `x · Φ(x)`, with Φ by erf; if `approximate`, by `0.5 (1 + tanh(√(2/π) (x + 0.044715 x³)))`.
    Gelu {
        /// Whether to use the tanh form.
        approximate: bool,
    },
    /// `x · sigmoid(x)`, also called swish.
    Silu,
    /// `1 / (1 + e⁻ˣ)`.
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
    /// `log(1 + eˣ)`.
    Softplus,
    /// `x / (1 + |x|)`.
    Softsign,
    /// `eˣ`.
    Exponential,
    /// `clip(slope · x + offset, 0, 1)`: slope 1/6 and offset 1/2 in Keras 3 and PyTorch, slope 0.2 in Keras 1 and 2.
    HardSigmoid {
        /// Slope of the middle part.
        slope: f32,
        /// Value at 0.
        offset: f32,
    },
    /// `x · clip(x/6 + 1/2, 0, 1)`, also called hard swish.
    HardSilu,
    /// `−softplus(−x)`.
    LogSigmoid,
    /// `x · tanh(softplus(x))`.
    Mish,
    /// `x` where `|x| > threshold`, else 0.
    HardShrink {
        /// Half-width of the zero part.
        threshold: f32,
    },
    /// `x − threshold` above it, `x + threshold` below its negative, else 0.
    SoftShrink {
        /// Half-width of the zero part.
        threshold: f32,
    },
    /// `x − tanh(x)`.
    TanhShrink,
    /// `x` where `x > threshold`, else `value`.
    Threshold {
        /// Where the function becomes the identity.
        threshold: f32,
        /// Its value below.
        value: f32,
    },
    /// `(x + √(x² + b)) / 2`.
    SquarePlus {
        /// Smoothness at 0.
        b: f32,
    },
    /// 0 for `x ≤ −1`, `(x + 1)² / 4` up to 1, then `x`.
    SparsePlus,
    /// 0 for `x ≤ −1`, `(x + 1) / 2` up to 1, then 1.
    SparseSigmoid,
}

impl Activation {
    /// `max(0, x)`.
    pub const RELU: Activation = Activation::Relu { max_value: None, negative_slope: 0.0, threshold: 0.0 };

    /// Whether the derivative is computed from the function's value instead of its argument, so that the argument need not
    /// be kept and the function can be applied in place.
    pub fn derivative_from_output(&self) -> bool {
        match *self {
            Activation::Relu { negative_slope, threshold, .. } => threshold == 0.0 && negative_slope >= 0.0,
            Activation::Elu { alpha } | Activation::Celu { alpha } => alpha > 0.0,
            Activation::Selu | Activation::Sigmoid | Activation::Tanh | Activation::Exponential => true,
            _ => false,
        }
    }

    /// The field's name of the function.
    pub fn name(&self) -> &'static str {
        match self {
            Activation::Relu { .. } => "relu",
            Activation::Clip { .. } => "clip",
            Activation::Elu { .. } => "elu",
            Activation::Selu => "selu",
            Activation::Celu { .. } => "celu",
            Activation::Gelu { .. } => "gelu",
            Activation::Silu => "silu",
            Activation::Sigmoid => "sigmoid",
            Activation::Tanh => "tanh",
            Activation::Softplus => "softplus",
            Activation::Softsign => "softsign",
            Activation::Exponential => "exponential",
            Activation::HardSigmoid { .. } => "hard_sigmoid",
            Activation::HardSilu => "hard_silu",
            Activation::LogSigmoid => "log_sigmoid",
            Activation::Mish => "mish",
            Activation::HardShrink { .. } => "hard_shrink",
            Activation::SoftShrink { .. } => "soft_shrink",
            Activation::TanhShrink => "tanh_shrink",
            Activation::Threshold { .. } => "threshold",
            Activation::SquarePlus { .. } => "squareplus",
            Activation::SparsePlus => "sparse_plus",
            Activation::SparseSigmoid => "sparse_sigmoid",
        }
    }
}

/// `y = f(x)`, any shape.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Activate(pub Activation);

impl Operation for Activate {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [x] = exactly(inputs)?;
        require_f32(inputs)?;
        Ok((x.shape.clone(), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        let saved = if self.0.derivative_from_output() { b.node } else { b.input(0) };
        let dx = b.graph.push(ActivateGrad(self.0).into(), &[saved, b.dy])?;
        b.give(0, dx);
        Ok(())
    }

    fn flops(&self, Sizes { output, .. }: Sizes<'_>) -> u64 {
        let per_value = if matches!(self.0, Activation::Relu { .. } | Activation::Clip { .. }) { 1 } else { 10 };
        per_value * output.iter().product::<usize>() as u64
    }
}

/// `dy · f′`, for a product or convolution that has applied `activation` to its result. The argument was never stored, so
/// the derivative must follow from the value.
pub(crate) fn fused_gradient(b: &mut Backward<'_>, activation: Activation) -> Result<NodeId, GraphError> {
    if !activation.derivative_from_output() {
        return Err(b.refuse("fuse an activation whose derivative needs its argument for inference only"));
    }
    b.graph.push(ActivateGrad(activation).into(), &[b.node, b.dy])
}

/// `dx = dy · f′(x)`; inputs `(saved, dy)`, where `saved` is `f(x)` if [`Activation::derivative_from_output`], else `x`.
///
/// Where a slope or a jump meets a constant, f′ is 0, the constant's (ReLU at 0, bounds of clips, shrinks and thresholds, as
/// in TensorFlow). Where two slopes meet it is the left one's (ReLU with a negative slope, ELU), but 1 for hard SiLU at 3.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ActivateGrad(pub Activation);

impl Operation for ActivateGrad {
    fn name(&self) -> &'static str {
        "activation_grad"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        exactly::<2>(inputs)?;
        same_shape(inputs)
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        Err(b.refuse("second derivatives are not provided"))
    }
}

impl Graph {
    /// `f(x)`.
    pub fn activate(&mut self, x: NodeId, activation: Activation) -> Result<NodeId, GraphError> {
        self.push(Activate(activation).into(), &[x])
    }
}

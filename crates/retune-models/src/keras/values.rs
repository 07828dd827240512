//! Activations, initializers and regularizers as the attributes of layers name them.

use retune_graph::ops::reduce::Reduction;
use retune_graph::ops::{Activation, Binary};
use retune_graph::{Dim, NodeId};
use serde_json::Value;

use super::fields::Fields;
use super::lowering::Lowering;
use crate::error::Result;
use crate::initializer::{Distribution, Fan, Initializer};
use crate::weight::{Constraint, Regularizer};

/// A function of a layer's result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum ActivationFunction {
    /// The identity.
    Linear,
    /// A function of single values.
    Values(Activation),
    /// Softmax over the last axis.
    Softmax,
    /// Logarithm of softmax over the last axis.
    LogSoftmax,
    /// `a · sigmoid(b)` of the two halves of the last axis. Dauphin et al., 2017.
    Glu,
    /// The nearest point of the probability simplex over the last axis. Martins and Astudillo, 2016.
    Sparsemax,
}

impl ActivationFunction {
    /// Appends the function of `x`.
    pub(crate) fn apply(self, b: &mut Lowering<'_>, x: NodeId) -> Result<NodeId> {
        Ok(match self {
            ActivationFunction::Linear => x,
            ActivationFunction::Values(activation) => b.graph.activate(x, activation)?,
            ActivationFunction::Softmax => b.graph.softmax(x)?,
            ActivationFunction::LogSoftmax => b.graph.log_softmax(x)?,
            ActivationFunction::Glu => {
                let axis = b.graph.shape(x).rank() - 1;
                let half = b.fixed(x, axis)? / 2;
                let (left, right) = (b.graph.slice(x, axis, 0, half)?, b.graph.slice(x, axis, half, half)?);
                let gate = b.graph.activate(right, Activation::Sigmoid)?;
                b.graph.mul(left, gate)?
            }
            ActivationFunction::Sparsemax => sparsemax(b, x)?,
        })
    }
}

/// `y = max(0, x − τ)`: value i is in the support if `Σⱼ max(0, xⱼ − xᵢ) < 1`, and `τ = (Σᵢ cᵢ − 1) / n` over the support's n
/// values, with `cᵢ = Σⱼ xⱼ` over the values `xⱼ ≥ xᵢ`.
///
/// That τ is Keras's; in the paper it is `(Σᵢ xᵢ − 1) / n`, by which y sums to 1. They agree where one value is in the support.
/// Comparing all pairs needs no sorting.
fn sparsemax(b: &mut Lowering<'_>, x: NodeId) -> Result<NodeId> {
    let shape = b.graph.shape(x).clone();
    let axis = shape.rank() - 1;
    let leading = shape.leading(1);
    let row = b.graph.reshape(x, leading.followed_by(&[Dim::Fixed(1), shape[axis]]))?;
    let column = b.graph.reshape(x, leading.followed_by(&[shape[axis], Dim::Fixed(1)]))?;
    let differences = b.graph.sub(row, column)?;
    let above = b.graph.activate(differences, Activation::RELU)?;
    let excess = b.graph.reduce_away(Reduction::Sum, above, &[axis + 1])?;
    let one = b.graph.fill(shape, 1.0);
    let support = b.graph.binary(Binary::GreaterEqual, one, excess)?;
    let not_below = b.graph.binary(Binary::GreaterEqual, row, column)?;
    let larger = b.graph.mul(row, not_below)?;
    let cumulative = b.graph.reduce_away(Reduction::Sum, larger, &[axis + 1])?;
    let kept = b.graph.mul(cumulative, support)?;
    let sum = b.graph.reduce(Reduction::Sum, kept, &[axis])?;
    let sum = b.graph.affine(sum, 1.0, -1.0)?;
    let count = b.graph.reduce(Reduction::Sum, support, &[axis])?;
    let threshold = b.graph.div(sum, count)?;
    let y = b.graph.sub(x, threshold)?;
    Ok(b.graph.activate(y, Activation::RELU)?)
}

/// The start of a JSON text, for messages.
pub(crate) fn excerpt(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    }
}

/// A class and its configuration, in any of the ways in which Keras writes objects and functions: `"relu"`,
/// `{"class_name": "L2", "config": {…}}`, `{"class_name": "function", "config": "relu"}`.
fn named(value: &Value) -> Option<(&str, &Value)> {
    const NOTHING: &Value = &Value::Null;
    match value {
        Value::String(name) => Some((name, NOTHING)),
        Value::Object(object) => match (object.get("class_name")?.as_str()?, object.get("config")) {
            ("function", Some(Value::String(name))) => Some((name, NOTHING)),
            (class, config) => Some((class, config.unwrap_or(NOTHING))),
        },
        _ => None,
    }
}

fn number(config: &Value, names: &[&str], default: f32) -> f32 {
    names.iter().find_map(|name| config.get(name)?.as_f64()).map_or(default, |number| number as f32)
}

/// Keras's `hard_sigmoid` as of version 3; see [`super::upgrade::HARD_SIGMOID_2`] for the earlier one.
const HARD_SIGMOID: Activation = Activation::HardSigmoid { slope: 1.0 / 6.0, offset: 0.5 };

/// Reads an activation: a function's name, or an activation layer given in its place.
pub(crate) fn activation(fields: &Fields<'_>, attribute: &str, value: &Value) -> Result<ActivationFunction> {
    let (name, config) = named(value).ok_or_else(|| fields.wrong(attribute, "the name of an activation function"))?;
    let relu = |max_value, negative_slope| Activation::Relu { max_value, negative_slope, threshold: 0.0 };
    Ok(ActivationFunction::Values(match name {
        "linear" => return Ok(ActivationFunction::Linear),
        "softmax" | "Softmax" => return Ok(ActivationFunction::Softmax),
        "log_softmax" => return Ok(ActivationFunction::LogSoftmax),
        "glu" => return Ok(ActivationFunction::Glu),
        "sparsemax" => return Ok(ActivationFunction::Sparsemax),
        "relu" => Activation::RELU,
        "relu6" => relu(Some(6.0), 0.0),
        "leaky_relu" => relu(None, 0.2),
        "LeakyReLU" => relu(None, number(config, &["negative_slope", "alpha"], 0.3)),
        "ReLU" => Activation::Relu {
            max_value: config.get("max_value").and_then(Value::as_f64).map(|n| n as f32),
            negative_slope: number(config, &["negative_slope"], 0.0),
            threshold: number(config, &["threshold"], 0.0),
        },
        "elu" | "ELU" => Activation::Elu { alpha: number(config, &["alpha"], 1.0) },
        "selu" => Activation::Selu,
        "celu" => Activation::Celu { alpha: 1.0 },
        "gelu" => Activation::Gelu { approximate: false },
        // Keras itself has no name for the tanh form; KerasHub registers this one.
        "keras_hub>gelu_approximate" => Activation::Gelu { approximate: true },
        "silu" | "swish" => Activation::Silu,
        "sigmoid" => Activation::Sigmoid,
        "tanh" => Activation::Tanh,
        "softplus" => Activation::Softplus,
        "softsign" => Activation::Softsign,
        "exponential" => Activation::Exponential,
        "hard_sigmoid" => HARD_SIGMOID,
        super::upgrade::HARD_SIGMOID_2 => Activation::HardSigmoid { slope: 0.2, offset: 0.5 },
        "hard_silu" | "hard_swish" => Activation::HardSilu,
        "hard_tanh" => Activation::Clip { min: -1.0, max: 1.0 },
        "hard_shrink" => Activation::HardShrink { threshold: 0.5 },
        "soft_shrink" => Activation::SoftShrink { threshold: 0.5 },
        "tanh_shrink" => Activation::TanhShrink,
        "log_sigmoid" => Activation::LogSigmoid,
        "mish" => Activation::Mish,
        "squareplus" => Activation::SquarePlus { b: 4.0 },
        "sparse_plus" => Activation::SparsePlus,
        "sparse_sigmoid" => Activation::SparseSigmoid,
        _ => {
            return Err(fields.unsupported(
                format!("the activation {}", excerpt(value)),
                "use one of Keras's own activation functions; custom ones are code, which is never run",
            ));
        }
    }))
}

/// Reads an initializer.
pub(crate) fn initializer(fields: &Fields<'_>, attribute: &str, value: &Value) -> Result<Initializer> {
    let (name, config) = named(value).ok_or_else(|| fields.wrong(attribute, "an initializer"))?;
    let scaling = |scale, fan, distribution| Initializer::VarianceScaling { scale, fan, distribution };
    let (uniform, truncated) = (Distribution::Uniform, Distribution::TruncatedNormal);
    Ok(match name {
        "Zeros" | "zeros" | "zero" => Initializer::ZEROS,
        "Ones" | "ones" | "one" => Initializer::ONES,
        "Constant" | "constant" => Initializer::Constant(number(config, &["value"], 0.0)),
        "RandomUniform" | "random_uniform" | "uniform" => {
            Initializer::Uniform { low: number(config, &["minval"], -0.05), high: number(config, &["maxval"], 0.05) }
        }
        "RandomNormal" | "random_normal" | "normal" => {
            Initializer::Normal { mean: number(config, &["mean"], 0.0), stddev: number(config, &["stddev"], 0.05) }
        }
        "TruncatedNormal" | "truncated_normal" => Initializer::TruncatedNormal {
            mean: number(config, &["mean"], 0.0),
            stddev: number(config, &["stddev"], 0.05),
        },
        "GlorotUniform" | "glorot_uniform" => Initializer::GLOROT_UNIFORM,
        "GlorotNormal" | "glorot_normal" => scaling(1.0, Fan::Average, truncated),
        "HeUniform" | "he_uniform" => scaling(2.0, Fan::In, uniform),
        "HeNormal" | "he_normal" => scaling(2.0, Fan::In, truncated),
        "LecunUniform" | "lecun_uniform" => scaling(1.0, Fan::In, uniform),
        "LecunNormal" | "lecun_normal" => scaling(1.0, Fan::In, truncated),
        "VarianceScaling" => {
            let text = |name: &str| config.get(name).and_then(Value::as_str);
            let fan = match text("mode").unwrap_or("fan_in") {
                "fan_in" => Fan::In,
                "fan_out" => Fan::Out,
                "fan_avg" => Fan::Average,
                _ => return Err(fields.wrong(attribute, "the mode `fan_in`, `fan_out` or `fan_avg`")),
            };
            let distribution = match text("distribution").unwrap_or("truncated_normal") {
                "uniform" => uniform,
                "truncated_normal" | "normal" => truncated,
                "untruncated_normal" => Distribution::Normal,
                _ => return Err(fields.wrong(attribute, "a uniform or normal distribution")),
            };
            scaling(number(config, &["scale"], 1.0), fan, distribution)
        }
        "Orthogonal" | "orthogonal" | "OrthogonalInitializer" => {
            Initializer::Orthogonal { gain: number(config, &["gain"], 1.0) }
        }
        "Identity" | "identity" | "IdentityInitializer" => {
            Initializer::Identity { gain: number(config, &["gain"], 1.0) }
        }
        _ => {
            // Loaded weights need no initializer; one that is drawn afresh would get this.
            fields.note(format!("{attribute} {} is unknown; fresh weights would be Glorot uniform", excerpt(value)));
            Initializer::GLOROT_UNIFORM
        }
    })
}

/// Reads a penalty.
pub(crate) fn regularizer(fields: &Fields<'_>, attribute: &str, value: &Value) -> Result<Regularizer> {
    let (name, config) = named(value).ok_or_else(|| fields.wrong(attribute, "a regularizer"))?;
    let (l1, l2) = (number(config, &["l1"], 0.0), number(config, &["l2"], 0.0));
    Ok(match name {
        "L1" | "l1" => Regularizer { l1: number(config, &["l1"], 0.01), l2: 0.0 },
        "L2" | "l2" => Regularizer { l1: 0.0, l2: number(config, &["l2"], 0.01) },
        "L1L2" | "l1_l2" => Regularizer { l1, l2 },
        _ => {
            fields.note(format!("{attribute} {} is kept in the file, but training does not apply it", excerpt(value)));
            Regularizer { l1: 0.0, l2: 0.0 }
        }
    })
}

/// Reads a constraint; one that is unknown is noted.
pub(crate) fn constraint(fields: &Fields<'_>, attribute: &str, value: &Value) -> Result<Option<Constraint>> {
    let (name, config) = named(value).ok_or_else(|| fields.wrong(attribute, "a constraint"))?;
    let axes = || -> Vec<usize> {
        let list = |value: &Value| value.as_u64().map(|axis| axis as usize);
        match config.get("axis") {
            Some(Value::Array(axes)) => axes.iter().filter_map(list).collect(),
            Some(axis) => list(axis).into_iter().collect(),
            None => vec![0],
        }
    };
    let norm = |min, max, rate| Some(Constraint::Norm { min, max, rate, axes: axes() });
    Ok(match name {
        "NonNeg" | "non_neg" | "nonneg" => Some(Constraint::NonNegative),
        "MaxNorm" | "max_norm" | "maxnorm" => norm(0.0, number(config, &["max_value", "m"], 2.0), 1.0),
        "UnitNorm" | "unit_norm" | "unitnorm" => norm(1.0, 1.0, 1.0),
        "MinMaxNorm" | "min_max_norm" => norm(
            number(config, &["min_value"], 0.0),
            number(config, &["max_value"], 1.0),
            number(config, &["rate"], 1.0),
        ),
        _ => {
            fields.note(format!("{attribute} {} is kept in the file, but training does not apply it", excerpt(value)));
            None
        }
    })
}

//! The weights of a model.

use retune_graph::Role;
use retune_tensor::Tensor;

use crate::initializer::Initializer;
use crate::network::Mode;
use crate::torch::layout::TorchLayout;

/// One weight: its value, and what training may do to it.
#[derive(Debug, Clone)]
pub struct Weight {
    /// Unique and stable: the path of its layer and its own name, for example `conv2d/kernel` or `base/conv2d/kernel`.
    pub name: String,
    /// The value, `f32`.
    pub value: Tensor,
    /// Whether the optimizer changes it: its layer and every model around that layer are trainable.
    pub trainable: bool,
    /// Whether weight decay applies by default: not to biases nor to the scales and shifts of norms.
    pub decays: bool,
    /// Whether it follows the data without a gradient, as the moving mean of batch normalization does while its layer is
    /// trainable.
    pub statistic: bool,
    /// The penalty that the model's author put on it, which a training loop adds to the loss.
    pub regularizer: Option<Regularizer>,
    /// The rule that a training loop brings it under after each step, with [`Constraint::apply`].
    pub constraint: Option<Constraint>,
    /// Index of the parameter group that it is trained in, 0 by default.
    pub group: usize,
    /// Path of the layer that it belongs to: names of the models around the layer and the layer's own, joined by `/`.
    pub layer: String,
    /// Path of the variable in files of Keras 3, for example `layers/conv2d/vars/0`.
    pub keras_path: String,
    /// The class of that layer, for weights of PyTorch's architectures.
    pub class: &'static str,
    /// How files of PyTorch hold it.
    pub torch_layout: TorchLayout,
    /// How a fresh value is drawn.
    pub initializer: Initializer,
    /// Whether files hold it as a 64-bit integer.
    pub(crate) integer: bool,
}

impl Weight {
    /// What a network built in this mode may do to it.
    pub(crate) fn role(&self, mode: Mode) -> Role {
        match mode {
            Mode::Training if self.trainable => Role::Trainable { group: self.group },
            Mode::Training if self.statistic => Role::Statistic,
            _ => Role::Frozen,
        }
    }
}

/// A penalty `l1 · Σ|w| + l2 · Σw²` (Keras's `L1L2`: no factor ½).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Regularizer {
    /// Factor of the absolute values.
    pub l1: f32,
    /// Factor of the squares.
    pub l2: f32,
}

/// A rule for the values of a weight, as Keras's `constraints` state them.
#[derive(Debug, Clone, PartialEq)]
pub enum Constraint {
    /// Negative values become 0.
    NonNegative,
    /// With n the Euclidean norm over `axes`: values are multiplied by `(rate · clip(n, min, max) + (1 − rate) · n) / n`. Keras's
    /// `MaxNorm` has min 0 and rate 1, `UnitNorm` min and max 1.
    Norm {
        /// Least norm.
        min: f32,
        /// Greatest norm.
        max: f32,
        /// Share of the way to the permitted norm that one step goes.
        rate: f32,
        /// Axes that the norm is taken over; all others are kept apart.
        axes: Vec<usize>,
    },
}

/// What Keras adds to a norm before dividing by it.
const NORM_EPSILON: f32 = 1e-7;

impl Constraint {
    /// Brings `values` of this shape under the rule.
    pub fn apply(&self, shape: &[usize], values: &mut [f32]) {
        let (min, max, rate, axes) = match self {
            Constraint::NonNegative => {
                values.iter_mut().for_each(|value| *value = value.max(0.0));
                return;
            }
            Constraint::Norm { min, max, rate, axes } => (*min, *max, *rate, axes),
        };
        // The index along the kept axes of each value selects its norm.
        let group = |mut index: usize| {
            let (mut group, mut stride) = (0, 1);
            for axis in (0..shape.len()).rev() {
                let position = index % shape[axis];
                index /= shape[axis];
                if !axes.contains(&axis) {
                    group += position * stride;
                    stride *= shape[axis];
                }
            }
            group
        };
        let count: usize = shape.iter().enumerate().filter(|(axis, _)| !axes.contains(axis)).map(|(_, n)| n).product();
        let mut squares = vec![0f64; count];
        for (index, value) in values.iter().enumerate() {
            squares[group(index)] += f64::from(*value) * f64::from(*value);
        }
        for (index, value) in values.iter_mut().enumerate() {
            let norm = squares[group(index)].sqrt() as f32;
            let wanted = rate * norm.clamp(min, max.max(min)) + (1.0 - rate) * norm;
            *value *= wanted / (norm + NORM_EPSILON);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norms_are_taken_over_the_given_axes() {
        let constraint = Constraint::Norm { min: 0.0, max: 1.0, rate: 1.0, axes: vec![0] };
        let mut values = [3.0, 0.1, 4.0, 0.2];
        constraint.apply(&[2, 2], &mut values);
        for (value, expected) in values.iter().zip([0.6, 0.1, 0.8, 0.2]) {
            assert!((value - expected).abs() < 1e-6, "{values:?}");
        }
        let mut values = [-1.0, 2.0];
        Constraint::NonNegative.apply(&[2], &mut values);
        assert_eq!(values, [0.0, 2.0]);
    }
}

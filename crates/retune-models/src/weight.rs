//! The weights of a model.

use retune_tensor::Tensor;

use crate::initializer::Initializer;

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
    /// Index of the parameter group that it is trained in, 0 by default.
    pub group: usize,
    /// Path of the layer that it belongs to: names of the models around the layer and the layer's own, joined by `/`.
    pub layer: String,
    /// Path of the variable in files of Keras 3, for example `layers/conv2d/vars/0`.
    pub keras_path: String,
    /// How a fresh value is drawn.
    pub initializer: Initializer,
    /// Whether files hold it as a 64-bit integer.
    pub(crate) integer: bool,
}

/// A penalty `l1 · Σ|w| + l2 · Σw²` (Keras's `L1L2`: no factor ½).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Regularizer {
    /// Factor of the absolute values.
    pub l1: f32,
    /// Factor of the squares.
    pub l2: f32,
}

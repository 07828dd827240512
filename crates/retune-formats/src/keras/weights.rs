//! Named tensors in the two ways in which Keras names them.

use indexmap::IndexMap;
use retune_tensor::Tensor;

/// The weights of a Keras file, in the order and under the names stored there.
#[derive(Debug, Clone, PartialEq)]
pub enum KerasWeights {
    /// By layer, as legacy `.h5` files store them.
    Legacy(LegacyWeights),
    /// By path, as Keras 3 stores them.
    Paths(PathWeights),
}

impl KerasWeights {
    /// Number of tensors, the optimizer's not counted for [`KerasWeights::Legacy`] and counted for
    /// [`KerasWeights::Paths`], where they are part of the same tree.
    pub fn len(&self) -> usize {
        self.tensors().count()
    }

    /// Whether there are no tensors.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every tensor with its full name: `layer/weight` or the path.
    pub fn tensors(&self) -> Box<dyn Iterator<Item = (String, &Tensor)> + '_> {
        match self {
            KerasWeights::Legacy(legacy) => Box::new(legacy.layers.iter().chain(&legacy.top_level).flat_map(|layer| {
                layer.weights.iter().map(|(name, tensor)| (format!("{}/{name}", layer.name), tensor))
            })),
            KerasWeights::Paths(paths) => Box::new(paths.variables.iter().map(|(path, tensor)| (path.clone(), tensor))),
        }
    }
}

/// Weights by layer.
///
/// The order is what counts: Keras assigns the weights of the n-th layer with weights in the file to the n-th layer
/// with weights in the model, and within a layer by position (trainable weights before the others).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LegacyWeights {
    /// The model's layers in the order of the attribute `layer_names`, those without weights too. A nested model is
    /// one layer that holds the weights of all its layers.
    pub layers: Vec<LegacyLayer>,
    /// Weights that belong to the model itself and to none of its layers: the group `top_level_model_weights`, which
    /// Keras has written since 2.6, nearly always empty.
    pub top_level: Option<LegacyLayer>,
}

/// A layer of a legacy file.
#[derive(Debug, Clone, PartialEq)]
pub struct LegacyLayer {
    /// The layer's name, which is also its group's.
    pub name: String,
    /// Name and value of each weight in the order of the attribute `weight_names`, for example
    /// `conv2d/kernel:0` (Keras 2) or `sequential/conv2d/kernel` (Keras 3).
    pub weights: Vec<(String, Tensor)>,
}

/// Weights by path.
///
/// Keras 3 names a variable after the place of its layer in the object tree: `layers/<layer's class in snake
/// case>[_<n>]/vars/<i>`, where `n` counts layers of one class within one container from 1 (the first carries no
/// number) and `i` counts the layer's own variables from 0; for instance `layers/conv2d_1/vars/0`, or
/// `layers/bidirectional/forward_layer/cell/vars/2`. A nested model repeats the scheme:
/// `layers/functional/layers/dense/vars/1`. The optimizer's variables are `optimizer/vars/<i>`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PathWeights {
    /// Path of each variable and its value, groups in the file's order, the variables of one group by number.
    pub variables: IndexMap<String, Tensor>,
    /// For each object that has a name, variables or not: its path (without `vars`) and the name, for instance
    /// `layers/conv2d_1` → `block1_conv`. Keras stores them since 3.7 and ignores them on reading.
    pub names: IndexMap<String, String>,
}

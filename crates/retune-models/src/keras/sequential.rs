//! Making new Sequential models in Rust.
//!
//! ```
//! use retune_models::keras::{LayerConfig, Sequential};
//!
//! let model = Sequential::new("digits")
//!     .input(&[8, 8, 1])
//!     .add(LayerConfig::conv2d(16, [3, 3]).with("padding", "same").with("use_bias", false))
//!     .add(LayerConfig::batch_normalization())
//!     .add(LayerConfig::activation("relu"))
//!     .add(LayerConfig::global_average_pooling2d())
//!     .add(LayerConfig::dense(10).with("activation", "softmax"))
//!     .build(1)?;
//! assert_eq!(model.weights.len(), 7);
//! # Ok::<(), retune_models::ModelError>(())
//! ```

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::lowering::snake_case;
use crate::error::Result;
use crate::model::Model;

/// A layer to be made: its class and those attributes that differ from Keras's defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerConfig {
    class: String,
    attributes: Map<String, Value>,
}

impl LayerConfig {
    /// A layer of any supported class, for example `LayerConfig::new("MaxPooling2D").with("pool_size", [2, 2])`.
    pub fn new(class: &str) -> LayerConfig {
        LayerConfig { class: class.to_owned(), attributes: Map::new() }
    }

    /// Sets an attribute, by Keras's name. `name` gives the layer a name of its own.
    pub fn with(mut self, attribute: &str, value: impl Into<JsonValue>) -> LayerConfig {
        self.attributes.insert(attribute.to_owned(), value.into().0);
        self
    }

    /// `Dense(units)`.
    pub fn dense(units: usize) -> LayerConfig {
        LayerConfig::new("Dense").with("units", units)
    }

    /// `Conv2D(filters, kernel_size)`, kernel as height and width.
    pub fn conv2d(filters: usize, kernel_size: [usize; 2]) -> LayerConfig {
        LayerConfig::new("Conv2D").with("filters", filters).with("kernel_size", kernel_size)
    }

    /// `DepthwiseConv2D(kernel_size)`.
    pub fn depthwise_conv2d(kernel_size: [usize; 2]) -> LayerConfig {
        LayerConfig::new("DepthwiseConv2D").with("kernel_size", kernel_size)
    }

    /// `SeparableConv2D(filters, kernel_size)`.
    pub fn separable_conv2d(filters: usize, kernel_size: [usize; 2]) -> LayerConfig {
        LayerConfig::new("SeparableConv2D").with("filters", filters).with("kernel_size", kernel_size)
    }

    /// `BatchNormalization()`.
    pub fn batch_normalization() -> LayerConfig {
        LayerConfig::new("BatchNormalization")
    }

    /// `Activation(function)`.
    pub fn activation(function: &str) -> LayerConfig {
        LayerConfig::new("Activation").with("activation", function)
    }

    /// `MaxPooling2D(pool_size)`.
    pub fn max_pooling2d(pool_size: [usize; 2]) -> LayerConfig {
        LayerConfig::new("MaxPooling2D").with("pool_size", pool_size)
    }

    /// `GlobalAveragePooling2D()`.
    pub fn global_average_pooling2d() -> LayerConfig {
        LayerConfig::new("GlobalAveragePooling2D")
    }

    /// `Flatten()`.
    pub fn flatten() -> LayerConfig {
        LayerConfig::new("Flatten")
    }

    /// `Dropout(rate)`.
    pub fn dropout(rate: f64) -> LayerConfig {
        LayerConfig::new("Dropout").with("rate", rate)
    }

    /// The description, for a model in which the layer is called `name`.
    pub(crate) fn describe(&self, name: &str) -> Value {
        let mut config = Map::new();
        config.insert("name".to_owned(), name.into());
        config.insert("trainable".to_owned(), true.into());
        config.extend(self.attributes.clone().into_iter().filter(|(attribute, _)| attribute != "name"));
        json!({ "module": "keras.layers", "class_name": self.class, "config": config, "registered_name": null })
    }

    /// The name set with [`LayerConfig::with`], else the class in snake case with a number that `taken` leaves free.
    pub(crate) fn name(&self, taken: impl Fn(&str) -> bool) -> String {
        if let Some(name) = self.attributes.get("name").and_then(Value::as_str) {
            return name.to_owned();
        }
        let class = snake_case(&self.class);
        if !taken(&class) {
            return class;
        }
        (1..).map(|number| format!("{class}_{number}")).find(|name| !taken(name)).unwrap_or(class)
    }
}

/// The value of an attribute: a truth value, number, text, or list of sizes.
pub struct JsonValue(Value);

impl From<bool> for JsonValue {
    fn from(value: bool) -> JsonValue {
        JsonValue(value.into())
    }
}

impl From<usize> for JsonValue {
    fn from(value: usize) -> JsonValue {
        JsonValue(value.into())
    }
}

impl From<f64> for JsonValue {
    fn from(value: f64) -> JsonValue {
        JsonValue(value.into())
    }
}

impl From<&str> for JsonValue {
    fn from(value: &str) -> JsonValue {
        JsonValue(value.into())
    }
}

impl<const N: usize> From<[usize; N]> for JsonValue {
    fn from(value: [usize; N]) -> JsonValue {
        JsonValue(value.to_vec().into())
    }
}

impl From<Value> for JsonValue {
    fn from(value: Value) -> JsonValue {
        JsonValue(value)
    }
}

/// A Sequential model to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Sequential {
    name: String,
    input: Option<Vec<usize>>,
    layers: Vec<LayerConfig>,
}

impl Sequential {
    /// A model without layers.
    pub fn new(name: &str) -> Sequential {
        Sequential { name: name.to_owned(), input: None, layers: Vec::new() }
    }

    /// The shape of one example, for images `[height, width, channels]`.
    pub fn input(mut self, shape: &[usize]) -> Sequential {
        self.input = Some(shape.to_vec());
        self
    }

    /// Adds a layer behind the others.
    #[expect(clippy::should_implement_trait, reason = "Keras's own name")]
    pub fn add(mut self, layer: LayerConfig) -> Sequential {
        self.layers.push(layer);
        self
    }

    /// Keras 3's description of the model.
    pub fn describe(&self) -> Value {
        let mut layers = Vec::new();
        if let Some(input) = &self.input {
            let shape: Vec<Option<usize>> = std::iter::once(None).chain(input.iter().copied().map(Some)).collect();
            let config = json!({ "batch_shape": shape, "dtype": "float32", "name": "input_layer" });
            let module = "keras.layers";
            layers.push(
                json!({ "module": module, "class_name": "InputLayer", "config": config, "registered_name": null }),
            );
        }
        let mut names: HashSet<String> = HashSet::new();
        for layer in &self.layers {
            let name = layer.name(|name| names.contains(name));
            layers.push(layer.describe(&name));
            names.insert(name);
        }
        let config = json!({ "name": self.name, "trainable": true, "layers": layers });
        json!({ "module": "keras", "class_name": "Sequential", "config": config, "registered_name": null })
    }

    /// The model with fresh weights, which follow from `seed` alone.
    ///
    /// # Errors
    /// If an attribute is not supported or shapes do not fit.
    pub fn build(&self, seed: u64) -> Result<Model> {
        Model::from_description(&self.describe(), None, seed).map(|(model, _)| model)
    }
}

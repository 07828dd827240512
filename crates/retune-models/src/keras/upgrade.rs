//! Descriptions of Keras 1 and 2 → Keras 3's form, JSON to JSON.
//!
//! What Keras 3 writes passes unchanged, but for attributes that describe nothing (`build_config`, `compile_config`). So only
//! this file knows the earlier forms:
//!
//! - Keras 1 had other names of classes and attributes ([`rename_keras_1`]);
//! - Sequential models were lists, and the first layer held the input's shape;
//! - connections were lists `["layer", call, output, {…}]`;
//! - initializers, penalties and constraints did not say which module they come from;
//! - `hard_sigmoid` had the slope 0.2 ([`HARD_SIGMOID_2`]), and a GRU without `reset_after` reset before the product.

use serde_json::{Map, Value, json};

use super::config::reference;

/// The name under which the `hard_sigmoid` of Keras 1 and 2, `clip(0.2 x + 0.5, 0, 1)`, is kept apart from Keras 3's.
pub(crate) const HARD_SIGMOID_2: &str = "hard_sigmoid of Keras 1 and 2";

/// How deep descriptions may be nested; JSON texts are not deeper.
const MAX_DEPTH: usize = 128;

/// Turns the description in a file written by `version` into Keras 3's form.
pub(crate) fn upgrade(description: &Value, version: Option<&str>) -> Value {
    let major = version.and_then(|version| version.split('.').next()).and_then(|major| major.parse::<u32>().ok());
    let is_3 = major.map_or_else(|| description.get("module").is_some(), |major| major >= 3);
    Upgrade { is_3, is_1: major.unwrap_or(1) == 1 && !is_3 }.layer(description, 0)
}

#[derive(Clone, Copy)]
struct Upgrade {
    is_3: bool,
    is_1: bool,
}

impl Upgrade {
    /// Upgrades a layer, a model, or a layer inside a wrapper.
    fn layer(self, value: &Value, depth: usize) -> Value {
        let Some(object) = value.as_object().filter(|_| depth < MAX_DEPTH) else { return value.clone() };
        let class = object.get("class_name").and_then(Value::as_str).unwrap_or_default();
        let config = object.get("config").cloned().unwrap_or(Value::Null);
        let mut result = Map::new();
        let (class, module, config) = match class {
            "Sequential" => ("Sequential".to_owned(), "keras", self.sequential(config, depth)),
            "Model" | "Functional" => {
                ("Functional".to_owned(), "keras.src.models.functional", self.functional(config, depth))
            }
            _ => {
                let (class, config) = self.attributes(class, config, depth);
                (class, "keras.layers", config)
            }
        };
        // `tf_keras` is what Keras 2 is called today; its classes are Keras 3's of the same name.
        let stated = object.get("module").and_then(Value::as_str).filter(|stated| !stated.starts_with("tf_keras"));
        let module = match class.as_str() {
            "Sequential" | "Functional" => module,
            _ => stated.unwrap_or(module),
        };
        result.insert("module".to_owned(), module.into());
        result.insert("class_name".to_owned(), class.into());
        let name = object.get("name").or_else(|| config.get("name")).cloned();
        result.insert("config".to_owned(), config);
        result.insert("registered_name".to_owned(), object.get("registered_name").cloned().unwrap_or(Value::Null));
        if let Some(name) = name {
            result.insert("name".to_owned(), name);
        }
        if let Some(nodes) = object.get("inbound_nodes") {
            result.insert("inbound_nodes".to_owned(), inbound_nodes(nodes));
        }
        Value::Object(result)
    }

    fn layers(self, layers: &mut Value, depth: usize) {
        if let Some(list) = layers.as_array_mut() {
            for layer in list {
                *layer = self.layer(layer, depth + 1);
            }
        }
    }

    fn sequential(self, config: Value, depth: usize) -> Value {
        let mut config = match config {
            Value::Array(layers) => json!({ "name": "sequential", "layers": layers }),
            other => other,
        };
        let Some(object) = config.as_object_mut() else { return config };
        object.remove("dtype");
        if let Some(layers) = object.get_mut("layers") {
            let input = layers.get(0).and_then(first_input);
            self.layers(layers, depth);
            if let (Some(input), Some(list)) = (input, layers.as_array_mut()) {
                list.insert(0, self.layer(&input, depth + 1));
            }
        }
        config
    }

    fn functional(self, mut config: Value, depth: usize) -> Value {
        if let Some(layers) = config.get_mut("layers") {
            self.layers(layers, depth);
        }
        if !self.is_3 {
            // A list of one stood for the one; in Keras 3 the model would give a list.
            for ends in ["input_layers", "output_layers"] {
                if let Some([one]) = config.get(ends).and_then(Value::as_array).map(Vec::as_slice)
                    && reference(one).is_some()
                {
                    let one = one.clone();
                    config[ends] = one;
                }
            }
        }
        config
    }

    /// Upgrades the attributes of a layer that is no model.
    fn attributes(self, class: &str, config: Value, depth: usize) -> (String, Value) {
        let mut class = class.to_owned();
        let Value::Object(mut config) = config else { return (class, config) };
        if self.is_1 {
            rename_keras_1(&mut class, &mut config);
        }
        for (name, value) in &mut config {
            match name.as_str() {
                "layer" | "backward_layer" | "cell" if value.is_object() => *value = self.layer(value, depth + 1),
                "cells" => self.layers(value, depth),
                "activation" | "recurrent_activation" => self.activation(value, depth),
                "dtype" => policy_name(value),
                _ => {
                    for (suffix, module) in [
                        ("_initializer", "keras.initializers"),
                        ("_regularizer", "keras.regularizers"),
                        ("_constraint", "keras.constraints"),
                    ] {
                        if name.ends_with(suffix) {
                            name_module(value, module);
                        }
                    }
                }
            }
        }
        if !self.is_3 {
            self.keras_2_attributes(&class, &mut config);
        }
        if matches!(class.as_str(), "BatchNormalization" | "GroupNormalization" | "Concatenate")
            && let Some([axis]) = config.get("axis").and_then(Value::as_array).map(Vec::as_slice)
        {
            let axis = axis.clone();
            config.insert("axis".to_owned(), axis);
        }
        (class, Value::Object(config))
    }

    fn activation(self, value: &mut Value, depth: usize) {
        let name = value.as_str().or_else(|| value.get("config").and_then(Value::as_str));
        if name == Some("hard_sigmoid") && !self.is_3 {
            *value = HARD_SIGMOID_2.into();
        } else if value.get("config").is_some_and(Value::is_object) && value.get("module").is_none() {
            *value = self.layer(value, depth + 1);
        }
    }

    fn keras_2_attributes(self, class: &str, config: &mut Map<String, Value>) {
        let mut rename = |from: &str, to: &str| {
            if let Some(value) = config.remove(from)
                && !config.contains_key(to)
            {
                config.insert(to.to_owned(), value);
            }
        };
        if class == "InputLayer" {
            rename("batch_input_shape", "batch_shape");
            rename("input_dtype", "dtype");
        }
        if class == "LeakyReLU" {
            rename("alpha", "negative_slope");
        }
        let mut obsolete = vec![
            "batch_input_shape",
            "input_dtype",
            "input_shape",
            "fused",
            "virtual_batch_size",
            "implementation",
            "adjustment",
        ];
        match class {
            "Embedding" => obsolete.push("input_length"),
            "DepthwiseConv2D" | "DepthwiseConv1D" | "SeparableConv2D" | "SeparableConv1D" => {
                // Inherited from Conv2D, with no effect.
                obsolete.extend(["groups", "kernel_initializer", "kernel_regularizer", "kernel_constraint"]);
                if class.starts_with("Depthwise") {
                    obsolete.push("filters");
                }
            }
            "MultiHeadAttention" => obsolete.extend(["query_shape", "key_shape", "value_shape"]),
            "GRU" | "GRUCell" => {
                config.entry("reset_after").or_insert(Value::Bool(false));
            }
            _ => {}
        }
        for name in obsolete {
            config.remove(name);
        }
        // Switches that are off and that Keras 3 no longer knows.
        for name in ["time_major", "renorm", "causal", "ragged", "sparse"] {
            if config.get(name) == Some(&Value::Bool(false)) {
                config.remove(name);
            }
        }
    }
}

/// The input layer that the first layer of a Sequential model of Keras 1 or 2 stood for.
fn first_input(first: &Value) -> Option<Value> {
    if first.get("class_name")?.as_str()? == "InputLayer" {
        return None;
    }
    let config = first.get("config")?;
    let shape = config.get("batch_input_shape").filter(|shape| shape.is_array())?;
    let name = config.get("name").and_then(Value::as_str).unwrap_or("first");
    let dtype = config.get("input_dtype").or_else(|| config.get("dtype")).and_then(Value::as_str).unwrap_or("float32");
    let config = json!({ "batch_shape": shape, "dtype": dtype, "name": format!("{name}_input") });
    Some(json!({ "class_name": "InputLayer", "config": config }))
}

/// `{"class_name": "Policy", "config": {"name": "float32"}}` → `"float32"`, where that says the same.
fn policy_name(value: &mut Value) {
    let class = value.get("class_name").and_then(Value::as_str);
    if matches!(class, Some("Policy" | "PolicyV1" | "DTypePolicy"))
        && let Some(name) = value.get("config").and_then(|config| config.get("name")).filter(|name| name.is_string())
    {
        *value = name.clone();
    }
}

/// Says which module an initializer, penalty or constraint comes from.
fn name_module(value: &mut Value, module: &str) {
    if let Some(object) = value.as_object_mut()
        && object.contains_key("class_name")
    {
        object.remove("shared_object_id");
        object.entry("module").or_insert_with(|| module.into());
        object.entry("registered_name").or_insert(Value::Null);
    }
}

/// Connections as lists → `{"args": …, "kwargs": …}`.
fn inbound_nodes(nodes: &Value) -> Value {
    match nodes.as_array() {
        Some(list) => list.iter().map(inbound_node).collect(),
        None => nodes.clone(),
    }
}

fn inbound_node(node: &Value) -> Value {
    let Some(inputs) = node.as_array() else { return node.clone() };
    // A single input may stand without a list around it.
    let inputs: Vec<&Value> =
        if inputs.first().is_some_and(Value::is_string) { vec![node] } else { inputs.iter().collect() };
    let mut kwargs = Map::new();
    let mut tensors = Vec::new();
    for input in inputs {
        let items = input.as_array().map_or(&[][..], Vec::as_slice);
        tensors.push(tensor(&items[..items.len().min(3)]));
        if let Some(Value::Object(given)) = items.get(3) {
            kwargs.extend(given.iter().map(|(name, value)| (name.clone(), with_tensors(value))));
        }
    }
    let args = if tensors.len() == 1 { tensors } else { vec![Value::Array(tensors)] };
    json!({ "args": args, "kwargs": kwargs })
}

fn tensor(history: &[Value]) -> Value {
    json!({ "class_name": "__keras_tensor__", "config": { "keras_history": history } })
}

/// Arguments by name, in which tensors are lists `["layer", call, output]` too.
fn with_tensors(value: &Value) -> Value {
    match value {
        Value::Array(items) if reference(value).is_some() => tensor(items),
        Value::Array(items) => items.iter().map(with_tensors).collect(),
        other => other.clone(),
    }
}

/// Renames what Keras 1 called otherwise.
fn rename_keras_1(class: &mut String, config: &mut Map<String, Value>) {
    let renamed = match class.as_str() {
        "Convolution1D" | "AtrousConvolution1D" => "Conv1D",
        "Convolution2D" | "AtrousConvolution2D" => "Conv2D",
        "SeparableConvolution2D" => "SeparableConv2D",
        "Merge" => match config.get("mode").and_then(Value::as_str) {
            Some("sum") => "Add",
            Some("mul") => "Multiply",
            Some("ave") => "Average",
            Some("max") => "Maximum",
            Some("concat") => "Concatenate",
            _ => "Merge",
        },
        other => other,
    };
    let merged = class == "Merge" && renamed != "Merge";
    *class = renamed.to_owned();
    if merged {
        let axis = config.get("concat_axis").cloned().unwrap_or_else(|| (-1).into());
        config.retain(|name, _| matches!(name.as_str(), "name" | "trainable"));
        if class == "Concatenate" {
            config.insert("axis".to_owned(), axis);
        }
        return;
    }
    if let (Some(height), Some(width)) = (config.remove("nb_row"), config.remove("nb_col")) {
        config.insert("kernel_size".to_owned(), json!([height, width]));
    }
    let weights = if class == "Embedding" { "embeddings" } else { "kernel" };
    let renames: &[(&str, String)] = &[
        ("nb_filter", "filters".into()),
        ("output_dim", if class == "Embedding" { "output_dim" } else { "units" }.into()),
        ("filter_length", "kernel_size".into()),
        ("border_mode", "padding".into()),
        ("subsample", "strides".into()),
        ("subsample_length", "strides".into()),
        ("stride", "strides".into()),
        ("pool_length", "pool_size".into()),
        ("atrous_rate", "dilation_rate".into()),
        ("bias", "use_bias".into()),
        ("p", "rate".into()),
        ("sigma", "stddev".into()),
        ("init", format!("{weights}_initializer")),
        ("inner_init", "recurrent_initializer".into()),
        ("inner_activation", "recurrent_activation".into()),
        ("W_regularizer", format!("{weights}_regularizer")),
        ("U_regularizer", "recurrent_regularizer".into()),
        ("b_regularizer", "bias_regularizer".into()),
        ("W_constraint", format!("{weights}_constraint")),
        ("U_constraint", "recurrent_constraint".into()),
        ("b_constraint", "bias_constraint".into()),
        ("dropout_W", "dropout".into()),
        ("dropout_U", "recurrent_dropout".into()),
    ];
    for (from, to) in renames {
        if let Some(value) = config.remove(*from) {
            config.insert(to.clone(), value);
        }
    }
    if class == "UpSampling1D"
        && let Some(length) = config.remove("length")
    {
        config.insert("size".to_owned(), length);
    }
    if let Some(order) = config.remove("dim_ordering") {
        let format = if order == "th" { "channels_first" } else { "channels_last" };
        config.insert("data_format".to_owned(), format.into());
    }
    if let Some(initial) = config.remove("forget_bias_init") {
        config.insert("unit_forget_bias".to_owned(), (initial == "one").into());
    }
    let unused = ["consume_less", "input_length", "gamma_init", "beta_init"];
    for name in unused {
        config.remove(name);
    }
    if class != "Embedding" {
        config.remove("input_dim");
    }
    if class == "BatchNormalization" && config.get("mode").is_none_or(|mode| *mode == 0) {
        config.remove("mode");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keras_2_node_becomes_arguments() {
        let node = json!([["a", 0, 0, {}], ["b", 1, 2, { "mask": ["c", 0, 0] }]]);
        let upgraded = inbound_node(&node);
        let history = |value: &Value| value["config"]["keras_history"].clone();
        assert_eq!(history(&upgraded["args"][0][1]), json!(["b", 1, 2]));
        assert_eq!(history(&upgraded["kwargs"]["mask"]), json!(["c", 0, 0]));
        let single = inbound_node(&json!([["a", 0, 0]]));
        assert_eq!(history(&single["args"][0]), json!(["a", 0, 0]));
    }

    #[test]
    fn a_sequential_list_gets_its_input() {
        let description = json!({ "class_name": "Sequential", "config": [
            { "class_name": "Convolution2D", "config": { "name": "c", "nb_filter": 4, "nb_row": 3, "nb_col": 5,
              "batch_input_shape": [null, 8, 8, 1], "dim_ordering": "tf", "border_mode": "same", "activation": "relu" } },
        ] });
        let upgraded = upgrade(&description, None);
        let layers = upgraded["config"]["layers"].as_array().unwrap();
        assert_eq!(layers[0]["class_name"], "InputLayer");
        assert_eq!(layers[0]["config"]["batch_shape"], json!([null, 8, 8, 1]));
        assert_eq!(layers[1]["class_name"], "Conv2D");
        assert_eq!(layers[1]["config"]["kernel_size"], json!([3, 5]));
        assert_eq!(layers[1]["config"]["data_format"], "channels_last");
    }

    #[test]
    fn hard_sigmoid_keeps_its_meaning() {
        let layer = json!({ "class_name": "Activation", "config": { "name": "a", "activation": "hard_sigmoid" } });
        assert_eq!(upgrade(&layer, Some("2.4.0"))["config"]["activation"], HARD_SIGMOID_2);
        assert_eq!(upgrade(&layer, Some("3.1.0"))["config"]["activation"], "hard_sigmoid");
    }
}

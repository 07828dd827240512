//! A [`KerasModel`] → Keras 3's description.

use serde_json::{Map, Value, json};

use super::calls::TensorRef;
use super::config::{KerasModel, Kind, LayerNode};
use super::layers::Layer;
use super::upgrade::HARD_SIGMOID_2;

impl KerasModel {
    /// The model as `config.json` of a `.keras` archive describes it. Keras builds the layers by calling them.
    pub(crate) fn describe(&self) -> Value {
        let (module, class) = match self.kind {
            Kind::Sequential => ("keras", "Sequential"),
            Kind::Functional => ("keras.src.models.functional", "Functional"),
        };
        let mut config = Map::new();
        config.insert("name".into(), self.name.as_str().into());
        config.insert("trainable".into(), self.trainable.into());
        config.insert("layers".into(), self.layers.iter().map(|layer| self.describe_layer(layer)).collect());
        match self.kind {
            Kind::Sequential => {
                if let Some(shape) = &self.build_input_shape {
                    config.insert("build_input_shape".into(), json!(shape));
                }
            }
            Kind::Functional => {
                let end = |r: &TensorRef| {
                    let layer = &self.layers[r.layer];
                    // Keras numbers the calls of functional models from 1 here, and only here.
                    let call = r.call + usize::from(layer.class == "Functional");
                    json!([layer.name, call, r.tensor])
                };
                config.insert("input_layers".into(), self.inputs.to_json(&end));
                config.insert("output_layers".into(), self.outputs.to_json(&end));
            }
        }
        let registered = if self.kind == Kind::Functional { json!("Functional") } else { Value::Null };
        json!({ "module": module, "class_name": class, "config": config, "registered_name": registered })
    }

    fn describe_layer(&self, node: &LayerNode) -> Value {
        let mut described = match &node.layer {
            Layer::Model(model) => model.describe(),
            _ => {
                let mut config = node.config.clone();
                config.insert("name".into(), node.name.as_str().into());
                if node.class.starts_with("SpatialDropout") {
                    // The only layers that take nothing but what they state themselves.
                    config.retain(|name, _| matches!(name.as_str(), "rate" | "seed" | "dtype" | "data_format"));
                    config.insert("name".into(), node.name.as_str().into());
                } else if !matches!(node.layer, Layer::Input(_) | Layer::Operation(_)) {
                    config.insert("trainable".into(), node.trainable.into());
                }
                let registered =
                    if matches!(node.layer, Layer::Operation(_)) { json!(node.class) } else { Value::Null };
                json!({ "module": node.module, "class_name": node.class, "config": config, "registered_name": registered })
            }
        };
        if self.kind == Kind::Functional
            && let Some(object) = described.as_object_mut()
        {
            object.insert("name".into(), node.name.as_str().into());
            let tensor = |r: &TensorRef| {
                // Keras finds tensors by their history; what it reads of shape and type is not used.
                let history = json!([self.layers[r.layer].name, r.call, r.tensor]);
                let config = json!({ "shape": [null], "dtype": "float32", "keras_history": history });
                json!({ "class_name": "__keras_tensor__", "config": config })
            };
            let nodes: Value = node.calls.iter().map(|call| call.to_json(&tensor)).collect();
            object.insert("inbound_nodes".into(), nodes);
        }
        described
    }

    /// Path of a layer whose function Keras 3 cannot express, if there is one.
    pub(crate) fn find_inexpressible(&self) -> Option<String> {
        self.layers.iter().find_map(|node| match &node.layer {
            Layer::Model(model) => model.find_inexpressible().map(|inner| format!("{}/{inner}", node.name)),
            _ => Value::Object(node.config.clone()).to_string().contains(HARD_SIGMOID_2).then(|| node.name.clone()),
        })
    }
}

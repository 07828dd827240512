//! [`TableNetwork`]: a network for tables of numbers and categories, as a Functional model of Keras.

use serde_json::{Value, json};

use crate::error::Result;
use crate::model::Model;

/// A network for tables to be made.
///
/// ```text
/// categories [batch, columns] ── Embedding ── Flatten ──┐
/// numbers    [batch, width]   ──────────────────────── Concatenate ── Dense, ReLU, Dropout … ── Dense ── Rescaling
/// ```
///
/// One table of vectors serves all columns of categories, whose indices stand one behind the other. What there is nothing of is left out:
/// numbers, categories, dropout, and the rescaling, which brings the outputs to the scale of values that are predicted.
#[derive(Debug, Clone, PartialEq)]
pub struct TableNetwork {
    /// Numbers of an example.
    pub numbers: usize,
    /// Categories of an example.
    pub categories: usize,
    /// Different categories of all columns.
    pub category_rows: usize,
    /// Numbers that stand for a category.
    pub embedding: usize,
    /// Units of each hidden layer.
    pub hidden: Vec<usize>,
    /// Share of the units of hidden layers that are dropped in training.
    pub dropout: f64,
    /// Units of the last layer.
    pub outputs: usize,
    /// Its activation, by Keras's name.
    pub activation: String,
    /// Factor and offset of the outputs.
    pub rescaling: Option<[f64; 2]>,
}

/// Layers of a description, and what each gives.
#[derive(Default)]
struct Layers {
    layers: Vec<Value>,
    inputs: Vec<Value>,
}

impl Layers {
    fn input(&mut self, name: &str, width: usize, dtype: &str) -> (String, usize) {
        let config = json!({ "batch_shape": [null, width], "dtype": dtype, "sparse": false, "name": name });
        self.push("InputLayer", name, config, json!([]));
        self.inputs.push(json!([name, 0, 0]));
        (name.to_owned(), width)
    }

    /// A layer on some others; `shape` is that of its output without the batch.
    fn layer(&mut self, class: &str, name: &str, mut config: Value, on: &[Value]) -> String {
        config["name"] = name.into();
        config["trainable"] = true.into();
        config["dtype"] = "float32".into();
        let arguments = match on {
            [one] => json!([one]),
            several => json!([several]),
        };
        self.push(class, name, config, json!([{ "args": arguments, "kwargs": {} }]));
        name.to_owned()
    }

    fn push(&mut self, class: &str, name: &str, config: Value, inbound: Value) {
        self.layers.push(json!({
            "module": "keras.layers", "class_name": class, "config": config, "registered_name": null, "name": name,
            "inbound_nodes": inbound,
        }));
    }
}

/// What a layer gives, for those that stand on it.
fn output(name: &str, shape: &[usize], dtype: &str) -> Value {
    let shape: Vec<Option<usize>> = std::iter::once(None).chain(shape.iter().copied().map(Some)).collect();
    json!({
        "class_name": "__keras_tensor__",
        "config": { "shape": shape, "dtype": dtype, "keras_history": [name, 0, 0] },
    })
}

impl TableNetwork {
    /// Keras 3's description of the model.
    pub fn describe(&self) -> Value {
        let mut layers = Layers::default();
        let mut parts = Vec::new();
        if self.numbers > 0 {
            let (name, width) = layers.input("numbers", self.numbers, "float32");
            parts.push((name, width));
        }
        if self.categories > 0 {
            let (name, columns) = layers.input("categories", self.categories, "int32");
            let config = json!({ "input_dim": self.category_rows, "output_dim": self.embedding });
            let name = layers.layer("Embedding", "embedding", config, &[output(&name, &[columns], "int32")]);
            let on = [output(&name, &[columns, self.embedding], "float32")];
            let config = json!({ "data_format": "channels_last" });
            parts.push((layers.layer("Flatten", "flatten", config, &on), columns * self.embedding));
        }
        let (mut last, mut width) = match parts.as_slice() {
            [one] => one.clone(),
            parts => {
                let on: Vec<Value> = parts.iter().map(|(name, width)| output(name, &[*width], "float32")).collect();
                let name = layers.layer("Concatenate", "concatenate", json!({ "axis": -1 }), &on);
                (name, parts.iter().map(|(_, width)| width).sum())
            }
        };
        for (index, &units) in self.hidden.iter().enumerate() {
            let config = json!({ "units": units, "activation": "relu", "use_bias": true });
            let name = format!("hidden_{}", index + 1);
            last = layers.layer("Dense", &name, config, &[output(&last, &[width], "float32")]);
            width = units;
            if self.dropout > 0.0 {
                let name = format!("dropout_{}", index + 1);
                last = layers.layer(
                    "Dropout",
                    &name,
                    json!({ "rate": self.dropout }),
                    &[output(&last, &[width], "float32")],
                );
            }
        }
        let config = json!({ "units": self.outputs, "activation": self.activation, "use_bias": true });
        last = layers.layer("Dense", "output", config, &[output(&last, &[width], "float32")]);
        if let Some([scale, offset]) = self.rescaling {
            let config = json!({ "scale": scale, "offset": offset });
            last = layers.layer("Rescaling", "rescaling", config, &[output(&last, &[self.outputs], "float32")]);
        }
        let config = json!({
            "name": "table", "trainable": true, "layers": layers.layers, "input_layers": layers.inputs,
            "output_layers": [[last, 0, 0]],
        });
        json!({ "module": "keras.src.models.functional", "class_name": "Functional", "config": config, "registered_name": "Functional" })
    }

    /// The model with fresh weights, which follow from `seed` alone.
    ///
    /// # Errors
    /// Sizes that are 0.
    pub fn build(&self, seed: u64) -> Result<Model> {
        Model::from_description(&self.describe(), None, seed).map(|(model, _)| model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Mode;

    #[test]
    fn what_there_is_nothing_of_is_left_out() {
        let network = TableNetwork {
            numbers: 3,
            categories: 2,
            category_rows: 9,
            embedding: 4,
            hidden: vec![5, 6],
            dropout: 0.1,
            outputs: 2,
            activation: "softmax".into(),
            rescaling: None,
        };
        let inputs = |network: &TableNetwork| {
            let model = network.build(1).unwrap();
            let built = model.build(Mode::Training, None).unwrap();
            let names: Vec<String> = built.inputs.iter().map(|input| input.name.clone()).collect();
            (names, model.weights.iter().map(|weight| weight.value.len()).sum::<usize>())
        };
        // 9 · 4, (3 + 2 · 4) · 5 + 5, 5 · 6 + 6, 6 · 2 + 2.
        assert_eq!(inputs(&network), (vec!["numbers".into(), "categories".into()], 36 + 60 + 36 + 14));
        let numbers = TableNetwork { categories: 0, hidden: vec![], dropout: 0.0, ..network.clone() };
        assert_eq!(inputs(&numbers), (vec!["numbers".into()], 8));
        let categories = TableNetwork {
            numbers: 0,
            hidden: vec![],
            rescaling: Some([2.0, 3.0]),
            activation: "linear".into(),
            ..network
        };
        assert_eq!(inputs(&categories), (vec!["categories".into()], 36 + 18));
    }
}

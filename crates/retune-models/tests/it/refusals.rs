//! What is not supported is refused with the layer's name, class and place and with what to do; damage is an error.

use retune_models::keras::{LayerConfig, Sequential};
use retune_models::{Mode, Model, ModelError};
use serde_json::{Value, json};

fn sequential(layers: Value) -> Value {
    let mut list =
        vec![json!({ "class_name": "InputLayer", "config": { "name": "in", "batch_shape": [null, 8, 8, 2] } })];
    list.extend(layers.as_array().unwrap().iter().cloned());
    json!({ "class_name": "Sequential", "config": { "name": "outer", "layers": list } })
}

fn refusal(description: &Value) -> String {
    Model::from_description(description, Some("3.15.1"), 0).map(|_| ()).unwrap_err().to_string()
}

fn layer(class: &str, config: Value) -> Value {
    json!({ "class_name": class, "config": config })
}

#[test]
fn code_is_never_run() {
    let text = refusal(&sequential(json!([layer("Lambda", json!({ "name": "twist", "function": "4wEAAA==" }))])));
    assert!(text.contains("layer `twist` of class `Lambda`") && text.contains("hint: "), "{text}");
    let nested = json!({ "class_name": "Sequential", "config": { "name": "inner", "layers": [
        layer("MyLayer", json!({ "name": "mine" })) ] } });
    let text = refusal(&sequential(json!([nested])));
    assert!(text.contains("layer `inner/mine` of class `MyLayer`"), "{text}");
    let custom = json!({ "module": "mypackage.layers", "class_name": "Dense", "config": { "name": "d", "units": 2 },
        "registered_name": "mypackage>Dense" });
    assert!(refusal(&sequential(json!([custom]))).contains("a custom layer is not supported"));
    let activation = layer("Dense", json!({ "name": "d", "units": 2, "activation": "my_function" }));
    assert!(refusal(&sequential(json!([activation]))).contains("the activation `\"my_function\"` is not supported"));
}

#[test]
fn attributes_that_change_the_result_are_not_ignored() {
    for (layer, expected) in [
        (layer("Dense", json!({ "name": "d", "units": 2, "novelty": 3 })), "the attribute `novelty`"),
        (
            layer(
                "Conv2D",
                json!({ "name": "c", "filters": 2, "kernel_size": [3, 3], "data_format": "channels_first" }),
            ),
            "channels_first",
        ),
        (layer("BatchNormalization", json!({ "name": "b", "renorm": true })), "batch renormalization"),
        (
            layer(
                "Dense",
                json!({ "name": "d", "units": 2, "dtype": { "module": "keras",
            "class_name": "QuantizedDTypePolicy", "config": { "name": "int8_from_float32" } } }),
            ),
            "data type policy",
        ),
    ] {
        let text = refusal(&sequential(json!([layer])));
        assert!(text.contains(expected) && text.contains("is not supported"), "{text}");
    }
    let text = refusal(&sequential(json!([layer("Dense", json!({ "name": "d", "units": -1 }))])));
    assert!(text.contains("attribute `units`: expected a whole number of at least 1, found `-1`"), "{text}");
    let text = refusal(&sequential(json!([layer("Dropout", json!({ "name": "d", "rate": 1.5 }))])));
    assert!(text.contains("attribute `rate`"), "{text}");
}

#[test]
fn harmless_attributes_are_noted() {
    let dense = layer(
        "Dense",
        json!({ "name": "d", "units": 2, "activity_regularizer": { "class_name": "L2", "config": {} },
        "dtype": "float16", "kernel_regularizer": { "class_name": "L2", "config": { "l2": 0.5 } } }),
    );
    let (model, notes) = Model::from_description(&sequential(json!([dense])), Some("3.0.0"), 0).unwrap();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes.iter().all(|note| note.layer == "d"));
    assert_eq!(model.weights[0].regularizer.unwrap().l2, 0.5);
}

#[test]
fn shapes_that_do_not_fit_name_the_layer() {
    let model = Sequential::new("m").input(&[4, 4, 1]).add(LayerConfig::conv2d(2, [7, 7]).with("name", "wide"));
    let text = model.build(0).map(|_| ()).unwrap_err().to_string();
    assert!(text.contains("wide") && text.contains("[Batch, 4, 4, 1]"), "{text}");
    let text = refusal(&sequential(json!([layer("MaxPooling1D", json!({ "name": "p" }))])));
    assert!(text.contains("layer `p`") && text.contains("[batch, steps, channels]"), "{text}");
}

fn functional(layers: Value, outputs: Value) -> Value {
    let config = json!({ "name": "f", "layers": layers, "input_layers": [["in", 0, 0]], "output_layers": outputs });
    json!({ "class_name": "Functional", "config": config })
}

#[test]
fn damaged_connections_are_errors() {
    let input = json!({ "class_name": "InputLayer", "name": "in", "inbound_nodes": [],
        "config": { "name": "in", "batch_shape": [null, 3] } });
    let dense = |name: &str, from: Value| json!({ "class_name": "Dense", "name": name, "inbound_nodes": [[from]], "config": { "name": name, "units": 3 } });
    let cycle = functional(
        json!([input, dense("a", json!(["b", 0, 0, {}])), dense("b", json!(["a", 0, 0, {}]))]),
        json!([["b", 0, 0]]),
    );
    assert!(refusal(&cycle).contains("without a cycle"));
    let dangling = functional(json!([input, dense("a", json!(["nowhere", 0, 0, {}]))]), json!([["a", 0, 0]]));
    assert!(refusal(&dangling).contains("nowhere"));
    let beyond = functional(json!([input, dense("a", json!(["in", 7, 0, {}]))]), json!([["a", 0, 0]]));
    assert!(refusal(&beyond).contains("in, 7"));
    let twice = functional(json!([input, input]), json!([["in", 0, 0]]));
    assert!(refusal(&twice).contains("different names"));
    for broken in
        [json!(3), json!({}), json!({ "class_name": "Sequential" }), json!({ "class_name": "MyModel", "config": {} })]
    {
        assert!(Model::from_description(&broken, None, 0).is_err());
    }
}

/// A chain as long as hostile files may have it must not overflow the stack.
#[test]
fn long_chains_are_walked_without_recursion() {
    let mut layers = vec![json!({ "class_name": "InputLayer", "name": "in", "inbound_nodes": [],
        "config": { "name": "in", "batch_shape": [null, 3] } })];
    let mut last = "in".to_owned();
    for i in 0..5_000 {
        let name = format!("a{i}");
        layers.push(json!({ "class_name": "Activation", "name": name, "inbound_nodes": [[[last, 0, 0, {}]]],
            "config": { "name": name, "activation": "tanh" } }));
        last = name;
    }
    let (model, _) = Model::from_description(&functional(layers.into(), json!([[last, 0, 0]])), None, 0).unwrap();
    assert_eq!(model.layers().len(), 5_001);
}

#[test]
fn open_sizes_must_be_given_to_build() {
    let description = json!({ "class_name": "Sequential", "config": { "name": "m", "layers": [
        { "class_name": "InputLayer", "config": { "name": "in", "batch_shape": [null, null, null, 3] } },
        layer("Conv2D", json!({ "name": "c", "filters": 2, "kernel_size": [3, 3] })),
        layer("GlobalAveragePooling2D", json!({ "name": "g" })),
    ] } });
    let (model, _) = Model::from_description(&description, Some("3.0.0"), 0).unwrap();
    let error = model.build(Mode::Inference, None).unwrap_err();
    assert!(matches!(&error, ModelError::UnknownSize { shape, .. } if shape == "[?, ?, 3]"), "{error}");
    let network = model.build(Mode::Inference, Some(&[vec![Some(9), Some(7), None]])).unwrap();
    assert_eq!(network.inputs[0].shape.to_string(), "[Batch, 9, 7, 3]");
}

#[test]
fn weights_that_do_not_fit_are_reported_and_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let build = |units: usize, extra: bool, seed: u64| {
        let mut model = Sequential::new("m").input(&[4]).add(LayerConfig::dense(units));
        if extra {
            model = model.add(LayerConfig::dense(2));
        }
        model.build(seed).unwrap()
    };
    let path = folder.path().join("m.weights.h5");
    build(3, true, 1).save(&path).unwrap();
    let mut model = build(5, false, 2);
    let before = model.weights[0].value.clone();
    let Err(ModelError::Weights(report)) = model.load_weights(&path) else { panic!("accepted") };
    assert_eq!(report.wrong_shape.len(), 2);
    assert_eq!(report.wrong_shape[0].expected, [4, 5]);
    assert_eq!(report.wrong_shape[0].found, [4, 3]);
    assert_eq!(report.unused, ["layers/dense_1/vars/0", "layers/dense_1/vars/1"]);
    assert_eq!(model.weights[0].value, before);
}

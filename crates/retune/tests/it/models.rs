//! `inspect`, `convert` and `predict` on models that Keras wrote.

use crate::support::{Workplace, golden};

const MODEL: &str = "keras_legacy/keras2_sequential_convolutional/model.h5";

#[test]
fn inspect_lists_layers() {
    let place = Workplace::new();
    let text = place.run(&["inspect", &golden(MODEL)]).ok();
    for part in ["Keras HDF5 model, written by Keras 2", "(Conv2D)", "parameters", "not stored in the file"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let object = place.run(&["--json", "inspect", &golden(MODEL)]).json();
    let layers = object["layers"].as_array().unwrap();
    let sum: u64 = layers.iter().filter(|l| l["depth"] == 0).map(|l| l["parameters"].as_u64().unwrap()).sum();
    assert_eq!(Some(sum), object["parameters"].as_u64());
    assert!(layers.iter().any(|l| l["class"] == "Conv2D" && l["output_shape"][0].is_null()), "{object}");
}

#[test]
fn inspect_of_nested_models_and_of_weights_alone() {
    let place = Workplace::new();
    let nested = place.run(&["--json", "inspect", &golden("keras_legacy/keras3_shared_model/model.keras")]).json();
    assert!(nested["layers"].as_array().unwrap().iter().any(|l| l["depth"] == 1), "{nested}");
    let weights = place.run(&["inspect", &golden("keras_legacy/keras3_shared_model/model.weights.h5")]).ok();
    assert!(weights.contains("Keras weights by path") && weights.contains("layers/"), "{weights}");
}

#[test]
fn convert_compares_and_refuses_to_overwrite() {
    let place = Workplace::new();
    for to in ["a.keras", "b.h5", "c.weights.h5"] {
        let result = place.run(&["--json", "convert", &golden(MODEL), to]).json();
        assert_eq!(result["max_difference"], 0.0, "{result}");
    }
    let back = place.run(&["convert", "a.keras", "back.h5"]).ok();
    assert!(back.contains("differ") && back.contains("wrote `back.h5`"), "{back}");

    place.write("taken.keras", "mine");
    let error = place.run(&["convert", "a.keras", "taken.keras"]).fails(1);
    assert_eq!(error, "error: `taken.keras` exists already\nhint: choose another name, or replace it with `--force`\n");
    assert_eq!(place.read("taken.keras"), b"mine");
    place.run(&["convert", "a.keras", "taken.keras", "--force"]).ok();
    place.run(&["inspect", "taken.keras"]).ok();
    place.run(&["convert", "a.keras", "d.onnx"]).fails(1);
    let names: Vec<String> =
        std::fs::read_dir(place.path("")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!names.iter().any(|name| name.contains("draft")), "{names:?}");
}

#[test]
fn arrays_give_the_networks_raw_outputs() {
    let place = Workplace::new();
    let fit = place.run(&["--json", "--quiet", "fit", "tiny.toml"]).json();
    let model = fit["model"].as_str().unwrap();
    let inputs: Vec<f32> = (0..70 * 64).map(|i| (i % 17) as f32 / 17.0).collect();
    let inputs = retune::Tensor::new([70, 8, 8, 1], inputs).unwrap();
    retune::formats::npy::write(place.path("x.npy"), &inputs).unwrap();
    place.run(&["predict", "--model", model, "--input", "x.npy", "--output", "y.npy"]).ok();
    let outputs = retune::formats::npy::read(place.path("y.npy")).unwrap();
    assert_eq!(outputs.shape(), [70, 10]);
    for row in outputs.as_f32().unwrap().chunks(10) {
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{row:?}");
    }
    let loaded = retune::Model::load(place.path(model)).unwrap().0;
    let mut inference = retune::Inference::new(&retune::Cpu::new(1), &loaded).unwrap();
    assert_eq!(inference.predict(&[inputs]).unwrap(), [outputs], "batches make no difference");

    let wrong = retune::Tensor::zeros([3, 8, 8, 3]);
    retune::formats::npy::write(place.path("w.npy"), &wrong).unwrap();
    let error = place.run(&["predict", "--model", model, "--input", "w.npy"]).fails(1);
    assert!(error.contains("the model takes [batch, 8, 8, 1], the array is [3, 8, 8, 3]"), "{error}");
}

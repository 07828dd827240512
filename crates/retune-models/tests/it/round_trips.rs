//! Saving and loading: the same weights and outputs in every format, and the same bytes when saved again.

use std::path::{Path, PathBuf};

use retune_models::{Mode, Model};
use retune_tensor::Tensor;

use crate::harness::{Backend, outputs, read_safetensors, root};

fn cases() -> Vec<PathBuf> {
    let folder = root().join("tests/golden/keras");
    let mut cases: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.join("case.json").exists())
        .collect();
    cases.sort();
    cases
}

fn assert_same(name: &str, a: &Model, b: &Model) {
    assert_eq!(a.weights.len(), b.weights.len(), "{name}");
    for (a, b) in a.weights.iter().zip(&b.weights) {
        assert_eq!((&a.name, &a.value, a.trainable), (&b.name, &b.value, b.trainable), "{name}");
        assert_eq!(a.keras_path, b.keras_path, "{name}");
    }
    assert_eq!(a.description(), b.description(), "{name}");
}

fn inputs(case: &Path) -> Vec<Tensor> {
    let tensors = read_safetensors(&case.join("case.safetensors"));
    (0..).map_while(|i| tensors.iter().find(|(name, _)| *name == format!("input/{i}")).map(|t| t.1.clone())).collect()
}

#[test]
fn every_golden_model_survives_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let cases = cases();
    for case in &cases {
        let name = case.file_name().unwrap().to_str().unwrap();
        let (model, _) = Model::load(case.join("model.keras")).unwrap();
        let network = model.build(Mode::Inference, None).unwrap();
        let expected = outputs(Backend::Cpu, &model, &network, &inputs(case));
        for extension in ["keras", "h5"] {
            let path = folder.path().join(format!("{name}.{extension}"));
            model.save(&path).unwrap();
            let (again, report) = Model::load(&path).unwrap_or_else(|error| panic!("{name}.{extension}: {error}"));
            assert!(report.is_complete());
            assert_same(name, &model, &again);
            let network = again.build(Mode::Inference, None).unwrap();
            let found = outputs(Backend::Cpu, &again, &network, &inputs(case));
            assert!(expected.iter().zip(&found).all(|(a, b)| a.values == b.values), "{name}.{extension}");
        }
        let path = folder.path().join(format!("{name}.weights.h5"));
        model.save(&path).unwrap();
        let mut fresh = model.clone();
        for weight in &mut fresh.weights {
            weight.value = Tensor::zeros(weight.value.shape());
        }
        if !model.weights.is_empty() {
            fresh.load_weights(&path).unwrap();
            assert_same(name, &model, &fresh);
        }
    }
    assert_eq!(cases.len(), 479);
}

/// What retune stores beside the model comes back too.
#[test]
fn metadata_travels_with_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let (mut model, _) = Model::load(root().join("tests/golden/keras/dense_stack/model.keras")).unwrap();
    model.metadata = Some(serde_json::json!({ "class_names": ["cat", "dog"] }));
    for file in ["m.keras", "m.h5"] {
        let path = folder.path().join(file);
        model.save(&path).unwrap();
        assert_eq!(Model::load(&path).unwrap().0.metadata, model.metadata, "{file}");
    }
    let error = model.save(folder.path().join("m.pth")).unwrap_err();
    assert!(error.to_string().contains("names no format"), "{error}");
}

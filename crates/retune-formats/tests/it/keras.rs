//! Keras files in every layout: reading, rewriting, refusals.

use std::io::Write;

use indexmap::IndexMap;
use retune_formats::keras::{KerasFile, KerasWeights, Layout, LegacyLayer, LegacyWeights, PathWeights};
use retune_formats::{Limits, Problem, npz};
use retune_tensor::Tensor;
use serde_json::json;
use zip::write::SimpleFileOptions;

use crate::{bytes, data};

fn legacy(file: &KerasFile) -> &LegacyWeights {
    match &file.weights {
        KerasWeights::Legacy(weights) => weights,
        KerasWeights::Paths(_) => panic!("legacy weights expected"),
    }
}

fn paths(file: &KerasFile) -> &PathWeights {
    match &file.weights {
        KerasWeights::Paths(weights) => weights,
        KerasWeights::Legacy(_) => panic!("weights by path expected"),
    }
}

/// The weights as Keras itself names and stores them.
fn expected() -> IndexMap<String, Tensor> {
    npz::read(data("expected.npz")).unwrap()
}

#[test]
fn legacy_model() {
    let file = KerasFile::read(data("model.h5")).unwrap();
    assert_eq!(file.layout, Layout::LegacyModel);
    assert_eq!(file.keras_version.as_deref(), Some("3.15.1"));
    assert_eq!(file.backend.as_deref(), Some("tensorflow"));
    assert_eq!(file.config.as_ref().unwrap()["class_name"], "Functional");
    assert_eq!(file.training_config.as_ref().unwrap()["loss"], "sparse_categorical_crossentropy");
    let names: Vec<&str> = legacy(&file).layers.iter().map(|layer| layer.name.as_str()).collect();
    assert_eq!(names, ["image", "first", "batch_normalization", "nested", "flatten", "head"]);
    assert_eq!(legacy(&file).top_level.as_ref().unwrap().weights, []);
    let expected = expected();
    let read: Vec<_> = legacy(&file).layers.iter().flat_map(|layer| &layer.weights).collect();
    assert_eq!(read.len(), expected.len());
    for (name, tensor) in read {
        assert_eq!(Some(tensor), expected.get(name), "{name}");
    }
}

#[test]
fn legacy_weights() {
    let file = KerasFile::read(data("weights_only.h5")).unwrap();
    assert_eq!(file.layout, Layout::LegacyWeights);
    assert_eq!(file.config, None);
    assert_eq!(file.weights, KerasFile::read(data("model.h5")).unwrap().weights);
}

#[test]
fn archive_and_weights() {
    let archive = KerasFile::read(data("model.keras")).unwrap();
    assert_eq!(archive.layout, Layout::Archive);
    assert_eq!(archive.keras_version.as_deref(), Some("3.15.1"));
    assert_eq!(archive.config.as_ref().unwrap()["config"]["name"], "tiny");
    let weights = paths(&archive);
    let expected = expected();
    assert_eq!(weights.variables["layers/conv2d/vars/0"], expected["first/kernel"]);
    assert_eq!(weights.variables["layers/sequential/layers/conv2d/vars/1"], expected["nested/conv2d/bias"]);
    assert_eq!(weights.names["layers/conv2d"], "first");
    let optimizer: Vec<&str> =
        weights.variables.keys().filter_map(|path| path.strip_prefix("optimizer/vars/")).collect();
    assert!(optimizer.len() > 10);
    assert!(optimizer.iter().enumerate().all(|(i, number)| number.parse() == Ok(i)), "in the order of the numbers");

    let alone = KerasFile::read(data("model.weights.h5")).unwrap();
    assert_eq!(alone.layout, Layout::Weights);
    assert_eq!(paths(&alone), weights);
}

#[test]
fn a_model_without_weights() {
    let file = KerasFile::read(data("empty.keras")).unwrap();
    assert_eq!(paths(&file).variables.len(), 0);
}

#[test]
fn names_cut_into_several_attributes_are_joined() {
    let file = KerasFile::read(data("parts.h5")).unwrap();
    let names: Vec<&str> = legacy(&file).layers.iter().map(|layer| layer.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(legacy(&file).layers[2].weights[0].1.as_f32(), Some(&[99.0, 99.0][..]));
}

#[test]
fn every_layout_is_written_as_it_was_read() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["model.h5", "weights_only.h5", "model.keras", "model.weights.h5", "empty.keras", "parts.h5"] {
        let mut file = KerasFile::read(data(name)).unwrap();
        file.retune = Some(json!({"labels": ["cat", "dog"], "scale": 0.1}));
        if file.layout == Layout::Archive {
            file.extra.insert("assets/layers/text/vocabulary.txt".into(), b"a\nb".to_vec());
        }
        let copy = folder.path().join(name);
        file.write(&copy).unwrap();
        let mut read = KerasFile::read(&copy).unwrap();
        if name == "parts.h5" {
            // It names no Keras, the copy names the one that it is written for.
            assert_eq!(read.keras_version.take().as_deref(), Some("3.15.1"));
            assert_eq!(read.backend.take().as_deref(), Some("tensorflow"));
        }
        assert_eq!(read, file, "{name}");
    }
}

#[test]
fn long_lists_of_names_are_cut_and_joined() {
    let layers = (0..2000).map(|i| {
        let name = format!("layer_{i}_{}", "x".repeat(100));
        LegacyLayer { weights: vec![(format!("{name}/kernel"), Tensor::zeros([1]))], name }
    });
    let weights = LegacyWeights { layers: layers.collect(), top_level: None };
    let mut file = KerasFile::new(Layout::LegacyWeights, KerasWeights::Legacy(weights));
    file.keras_version = Some("2.9.0".into());
    file.backend = Some("tensorflow".into());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.h5");
    file.write(&path).unwrap();
    assert_eq!(KerasFile::read(&path).unwrap(), file);
}

#[test]
fn weights_of_the_other_naming_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = KerasFile::read(data("model.h5")).unwrap();
    file.layout = Layout::Archive;
    assert!(file.write(folder.path().join("x.keras")).is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn wrong_files_are_named_as_such() {
    let error = KerasFile::from_bytes(b"hello, world".to_vec(), &Limits::default()).unwrap_err();
    assert!(error.to_string().contains("a file that starts `hello, w`"), "{error}");
    let error = KerasFile::from_bytes(bytes("numbers.npz"), &Limits::default()).unwrap_err();
    assert!(error.to_string().contains("`config.json` is missing"), "{error}");
    let error = KerasFile::from_bytes(bytes("types.h5"), &Limits::default()).unwrap_err();
    assert!(matches!(error.problem, Problem::Mismatch { .. }), "{error}");
    assert!(KerasFile::read(data("no_such_file.h5")).unwrap_err().to_string().contains("no_such_file.h5"));
    assert!(KerasFile::read(data("")).is_err(), "a folder");
}

/// A `.keras` archive of the given members.
fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    for (name, data) in members {
        zip.start_file(*name, options).unwrap();
        zip.write_all(data).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn refusal(archive: Vec<u8>) -> Problem {
    KerasFile::from_bytes(archive, &Limits::default()).unwrap_err().problem
}

#[test]
fn zip_bombs_are_refused() {
    let zeros = vec![0; 70 << 20];
    let bomb = archive(&[("config.json", b"{}"), ("model.weights.h5", &zeros)]);
    assert!(bomb.len() < 1 << 20);
    assert!(matches!(refusal(bomb.clone()), Problem::TooLarge { .. }));
    // The same with a directory that claims a small size: what comes out is counted, not what is claimed.
    let mut lying = bomb;
    let size = (zeros.len() as u32).to_le_bytes();
    for at in (0..lying.len() - 4).filter(|&at| lying[at..at + 4] == size).collect::<Vec<_>>() {
        lying[at..at + 4].copy_from_slice(&100u32.to_le_bytes());
    }
    KerasFile::from_bytes(lying, &Limits::default()).unwrap_err();
}

#[test]
fn member_names_that_climb_are_refused() {
    for name in ["../evil", "/etc/evil", "a\\..\\evil", "assets/../../evil"] {
        let problem = refusal(archive(&[("config.json", b"{}"), (name, b"x")]));
        assert!(matches!(problem, Problem::UnsafeName { .. }), "{name}: {problem}");
    }
}

#[test]
fn member_names_that_occur_twice_are_refused() {
    let mut twice = archive(&[("config.json", b"{}"), ("confug.json", b"[]")]);
    for at in (0..twice.len() - 11).filter(|&at| &twice[at..at + 11] == b"confug.json").collect::<Vec<_>>() {
        twice[at..at + 11].copy_from_slice(b"config.json");
    }
    assert!(matches!(refusal(twice), Problem::Mismatch { .. }));
}

#[test]
fn damaged_members_are_errors() {
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    assert!(matches!(refusal(archive(&[("config.json", b"{")])), Problem::Json(_)));
    assert!(matches!(refusal(archive(&[("config.json", &deep)])), Problem::Json(_)));
    assert!(matches!(refusal(archive(&[("config.json", b"{}")])), Problem::Missing { .. }));
    assert!(matches!(refusal(archive(&[("config.json", b"{}"), ("model.weights.h5", b"")])), Problem::Mismatch { .. }));
    let npz = archive(&[("config.json", b"{}"), ("model.weights.npz", b"")]);
    assert!(matches!(refusal(npz), Problem::Unsupported { .. }));
}

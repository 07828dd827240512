//! Folders of the Hugging Face Hub's layout: read, written whole or not at all.

use std::fs;
use std::path::Path;

use retune_formats::model_directory::{Existing, ModelDirectory, NewModelDirectory};
use retune_formats::{Problem, Weights};
use retune_tensor::Tensor;
use serde_json::json;

const CONFIG: &str = r#"{"model_type": "bert", "z": 1e-12, "a": [1, 2], "label2id": {"b": 0, "a": 1}}"#;
const POOLING: &str = r#"{"pooling_mode_mean_tokens": true}"#;
const MODULES: &str = r#"[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]"#;

fn example(folder: &Path) {
    fs::create_dir(folder.join("1_Pooling")).unwrap();
    for (name, text) in [
        ("config.json", CONFIG),
        ("tokenizer.json", "{ \"odd\":   \"spacing\" }\n\n"),
        ("vocab.txt", "a\nb\n"),
        ("modules.json", MODULES),
        ("1_Pooling/config.json", POOLING),
        ("notes.txt", "not a part of the model"),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
}

fn tree(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        match entry.path().is_dir() {
            true => names.extend(tree(&entry.path()).iter().map(|inner| format!("{name}/{inner}"))),
            false => names.push(name),
        }
    }
    names.sort();
    names
}

#[test]
fn what_is_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    example(folder.path());
    let model = ModelDirectory::open(folder.path()).unwrap();
    assert_eq!(model.companions(), ["tokenizer.json", "vocab.txt", "modules.json", "1_Pooling/config.json"]);
    assert!(model.config().as_object().unwrap().keys().eq(["model_type", "z", "a", "label2id"]));
    assert!(!model.has_weights());
    assert!(model.weights().is_err());
    assert_eq!(model.bytes("vocab.txt").unwrap().unwrap(), b"a\nb\n");
    assert_eq!(model.bytes("notes.txt").unwrap(), None);
    assert_eq!(model.sentence_modules().unwrap().unwrap()[1].path, "1_Pooling");
    assert_eq!(model.sentence_pooling().unwrap().unwrap(), json!({ "pooling_mode_mean_tokens": true }));

    fs::write(folder.path().join("modules.json"), MODULES.replace("1_Pooling", "../other")).unwrap();
    let error = ModelDirectory::open(folder.path()).unwrap().sentence_pooling().unwrap_err();
    assert!(matches!(error.problem, Problem::UnsafeName { .. }), "{error}");
    for damaged in ["[]", "{", ""] {
        fs::write(folder.path().join("config.json"), damaged).unwrap();
        let error = ModelDirectory::open(folder.path()).unwrap_err();
        assert!(error.path.unwrap().ends_with("config.json"));
    }
    assert!(ModelDirectory::open(folder.path().join("1_Pooling/config.json")).is_err());
}

#[test]
fn a_folder_is_written_complete() {
    let folder = tempfile::tempdir().unwrap();
    let (source, target) = (folder.path().join("source"), folder.path().join("target"));
    fs::create_dir(&source).unwrap();
    example(&source);
    let model = ModelDirectory::open(&source).unwrap();
    let mut config = model.config().clone();
    config["num_labels"] = json!(2);
    let weight = Tensor::full([2, 2], 0.5);
    let mut new = NewModelDirectory::new(&config, "# A model\n");
    new.carry_over(&model).unwrap().json("preprocessor_config.json", &json!({ "size": 224 })).unwrap();
    new.write(&target, [("w", &weight)], Existing::Refuse).unwrap();
    assert_eq!(
        tree(&target),
        [
            "1_Pooling/config.json",
            "README.md",
            "config.json",
            "model.safetensors",
            "modules.json",
            "preprocessor_config.json",
            "tokenizer.json",
            "vocab.txt"
        ]
    );
    for name in model.companions() {
        assert_eq!(fs::read(target.join(name)).unwrap(), fs::read(source.join(name)).unwrap(), "{name}");
    }
    let written = ModelDirectory::open(&target).unwrap();
    assert_eq!(written.config(), &config);
    assert!(written.config().as_object().unwrap().keys().eq(["model_type", "z", "a", "label2id", "num_labels"]));
    assert_eq!(written.weights().unwrap().tensor("w").unwrap(), weight);
    assert_eq!(fs::read_to_string(target.join("README.md")).unwrap(), "# A model\n");

    let error = new.write(&target, [("w", &weight)], Existing::Refuse).unwrap_err();
    assert!(error.to_string().contains("hint: choose another folder"), "{error}");
    fs::write(target.join("stale"), "").unwrap();
    let other = Tensor::full([1], 1.0);
    new.write(&target, [("v", &other)], Existing::Replace).unwrap();
    assert!(Weights::open(&target).unwrap().names().eq(["v"]));
    assert!(!target.join("stale").exists());
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn a_failure_leaves_nothing_and_the_old_folder() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target");
    let weight = Tensor::zeros([1]);
    let mut new = NewModelDirectory::new(&json!({}), "");
    new.write(&target, [("w", &weight)], Existing::Refuse).unwrap();
    let before = tree(folder.path());
    assert!(new.write(&target, [("w", &weight), ("w", &weight)], Existing::Replace).is_err());
    assert_eq!(tree(folder.path()), before);
    assert!(new.write(folder.path().join("no/such"), [("w", &weight)], Existing::Refuse).is_err());
    fs::write(folder.path().join("file"), "").unwrap();
    assert!(new.write(folder.path().join("file"), [("w", &weight)], Existing::Replace).is_err());
    for name in ["../x", "/x", "", "a//b"] {
        assert!(matches!(new.file(name, Vec::new()).unwrap_err().problem, Problem::UnsafeName { .. }), "{name}");
    }
    assert!(new.file("model.safetensors", Vec::new()).is_err());
}

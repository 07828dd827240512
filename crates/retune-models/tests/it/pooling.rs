//! Classifiers of texts that stand on a pooling module of sentence-transformers.

use std::path::{Path, PathBuf};

use retune_cpu::{Cpu, Session, StepRandom};
use retune_formats::safetensors::SafetensorsFile;
use retune_graph::ops::sequence::Pooling;
use retune_models::{Lora, Mode, Model, Task};
use retune_tensor::Tensor;
use serde_json::{Value, json};

use crate::harness::root;

const POOLING: &str = r#"{"word_embedding_dimension": 16, "pooling_mode_mean_tokens": true}"#;

fn golden(name: &str) -> PathBuf {
    root().join("tests/golden/transformers").join(name)
}

/// The inputs of the golden case of a bare BERT.
fn case() -> SafetensorsFile {
    SafetensorsFile::read(golden("bert_bare").join("case.safetensors")).unwrap()
}

/// A bare encoder with the modules of sentence-transformers.
fn sentence_folder(base: &str, normalizes: bool) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(golden(base).join(name), folder.path().join(name)).unwrap();
    }
    let classes = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")];
    let list: Vec<Value> = classes[..if normalizes { 3 } else { 2 }]
        .iter()
        .enumerate()
        .map(|(idx, (path, class))| {
            json!({ "idx": idx, "name": idx.to_string(), "path": path, "type": format!("sentence_transformers.models.{class}") })
        })
        .collect();
    std::fs::create_dir(folder.path().join("1_Pooling")).unwrap();
    std::fs::write(folder.path().join("1_Pooling/config.json"), POOLING).unwrap();
    std::fs::write(folder.path().join("modules.json"), Value::from(list).to_string()).unwrap();
    folder
}

fn labels(count: usize) -> Vec<String> {
    ["bad", "fair", "good"][..count].iter().map(|&label| label.to_owned()).collect()
}

/// The output before probabilities are made of it.
fn scores(model: &Model, case: &SafetensorsFile) -> Vec<f32> {
    let network = model.build(Mode::Inference, None).unwrap();
    let output = network.outputs[0].logits.unwrap_or(network.outputs[0].node);
    let names = ["token_ids", "token_types", "positions", "lengths"];
    let is_read = |name: &&str| network.inputs.iter().any(|input| input.name == *name);
    let inputs: Vec<_> = names.into_iter().filter(is_read).map(|name| (name, &case.tensors[name])).collect();
    let weights: Vec<Tensor> = model.weights.iter().map(|weight| weight.value.clone()).collect();
    let mut session = Session::new(&Cpu::new(2), network.graph.clone(), vec![output]);
    session.run(&weights, &inputs, &StepRandom::NONE).unwrap().f32(0).to_vec()
}

fn weight<'a>(model: &'a Model, name: &str) -> &'a Tensor {
    &model.weights.iter().find(|weight| weight.name == name).unwrap_or_else(|| panic!("no {name}")).value
}

fn json_of(folder: &Path, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
}

#[test]
fn scores_are_a_product_with_the_pooled_rows() {
    let folder = sentence_folder("bert_bare", false);
    let encoder = Model::load(folder.path()).unwrap().0;
    assert_eq!(encoder.pooling(), Some(Pooling::Mean));
    let vectors = scores(&encoder, &case());
    for task in [
        Task::Classification { labels: labels(3) },
        Task::MultiLabel { labels: labels(2) },
        Task::Regression { values: 1 },
    ] {
        let outputs = task.outputs().unwrap();
        let mut model = encoder.with_task(task, 5).unwrap();
        let bias = model.weights.iter_mut().find(|weight| weight.name == "classifier.bias").unwrap();
        bias.value = Tensor::new([outputs], (0..outputs).map(|i| i as f32 - 0.5).collect::<Vec<_>>()).unwrap();
        let (matrix, bias) = (weight(&model, "classifier.weight"), weight(&model, "classifier.bias"));
        assert_eq!(matrix.shape(), [16, outputs]);
        let (matrix, bias) = (matrix.to_f32_vec(), bias.to_f32_vec());
        let expected = vectors.chunks_exact(16).flat_map(|row| {
            let score = |c: usize| {
                bias[c] + row.iter().zip(matrix[c..].iter().step_by(outputs)).map(|(x, w)| x * w).sum::<f32>()
            };
            (0..outputs).map(score).collect::<Vec<_>>()
        });
        let (found, expected): (Vec<f32>, Vec<f32>) = (scores(&model, &case()), expected.collect());
        assert_eq!(found.len(), expected.len());
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5), "{found:?}, not {expected:?}");
    }
}

#[test]
fn a_classifier_is_saved_as_modules_and_loaded_again_the_same() {
    let folder = sentence_folder("bert_bare", true);
    let encoder = Model::load(folder.path()).unwrap().0;
    assert!(matches!(encoder.task(), Some(Task::Embedding { normalize: true, pooling: Pooling::Mean })));
    for (pooling, task) in [
        (Pooling::Mean, Task::Classification { labels: labels(3) }),
        (Pooling::First, Task::MultiLabel { labels: labels(2) }),
        (Pooling::Last, Task::Regression { values: 1 }),
        (Pooling::Mean, Task::Regression { values: 2 }),
    ] {
        let outputs = task.outputs().unwrap();
        let model = encoder.with_pooling(Some(pooling), 0).unwrap().with_task(task.clone(), 5).unwrap();
        let place = tempfile::tempdir().unwrap();
        let saved = place.path().join("model");
        model.save(&saved).unwrap();
        let (again, report) = Model::load(&saved).unwrap();
        assert!(report.notes.is_empty(), "{:?}", report.notes);
        assert_eq!((again.task(), again.pooling()), (Some(&task), Some(pooling)));
        assert_eq!(scores(&again, &case()), scores(&model, &case()));

        // The encoder is one of transformers, the head a module of sentence-transformers.
        assert_eq!(json_of(&saved, "config.json")["architectures"], json!(["BertModel"]));
        let modules = json_of(&saved, "modules.json");
        let classes: Vec<&str> = modules.as_array().unwrap().iter().map(|m| m["type"].as_str().unwrap()).collect();
        let expected = ["Transformer", "Pooling", "Dense"].map(|class| format!("sentence_transformers.models.{class}"));
        assert_eq!(classes, expected);
        let dense = json_of(&saved, "2_Dense/config.json");
        assert_eq!((&dense["in_features"], &dense["out_features"]), (&json!(16), &json!(outputs)));
        assert_eq!(dense["activation_function"], "torch.nn.modules.linear.Identity");
        let head = SafetensorsFile::read(saved.join("2_Dense/model.safetensors")).unwrap();
        assert_eq!(head.tensors["linear.weight"].shape(), [outputs, 16]);
        assert_eq!(head.tensors["linear.bias"].shape(), [outputs]);
        let [base, before] = [&saved, &golden("bert_bare")]
            .map(|folder| SafetensorsFile::read(folder.join("model.safetensors")).unwrap().tensors);
        assert_eq!(base.len(), before.len(), "{:?}", base.keys());
        assert!(base.iter().all(|(name, tensor)| before.get(name) == Some(tensor)), "the pooler among them");

        // What was saved is saved again the same.
        again.save(&saved).unwrap();
        assert_eq!(scores(&Model::load(&saved).unwrap().0, &case()), scores(&model, &case()));
        // Back to an encoder: its modules are those of vectors.
        again.with_task(again.task().unwrap().similarity(), 0).unwrap().save(&saved).unwrap();
        let vectors = Model::load(&saved).unwrap().0;
        assert!(matches!(vectors.task(), Some(Task::Embedding { .. })), "{:?}", vectors.task());
    }
}

#[test]
fn only_the_head_is_trained_behind_the_encoder() {
    let folder = sentence_folder("bert_bare", true);
    let task = Task::Classification { labels: labels(3) };
    let mut model = Model::load(folder.path()).unwrap().0.with_task(task, 5).unwrap();
    assert!(model.weights.iter().all(|weight| !weight.name.contains("pooler")));
    model.freeze_up_to(&model.layer_before_head().unwrap()).unwrap();
    assert_eq!(model.trainable_parameters(), 16 * 3 + 3);
}

#[test]
fn the_head_of_transformers_is_there_on_demand_and_by_default_without_modules() {
    let task = Task::Classification { labels: labels(2) };
    let pooler = SafetensorsFile::read(golden("bert_bare").join("model.safetensors")).unwrap();
    let pooler = pooler.tensors["pooler.dense.weight"].clone();
    let sentence = sentence_folder("bert_bare", true);
    let asked =
        Model::load(sentence.path()).unwrap().0.with_pooling(None, 0).unwrap().with_task(task.clone(), 5).unwrap();
    let plain = Model::load(golden("bert_bare")).unwrap().0.with_task(task.clone(), 5).unwrap();
    for model in [&asked, &plain] {
        assert_eq!(model.pooling(), None);
        let own = model.weights.iter().find(|weight| weight.name == "bert.pooler.dense.weight").unwrap();
        assert_eq!(own.torch_layout.to_file(&own.value), pooler, "the file's own");
        let place = tempfile::tempdir().unwrap();
        let saved = place.path().join("model");
        model.save(&saved).unwrap();
        assert_eq!(json_of(&saved, "config.json")["architectures"], json!(["BertForSequenceClassification"]));
        let (again, report) = Model::load(&saved).unwrap();
        assert!(report.notes.is_empty(), "{:?}", report.notes);
        assert_eq!((again.task(), again.pooling()), (Some(&task), None));
        assert_eq!(scores(&again, &case()), scores(model, &case()));
    }
    assert_eq!(scores(&asked, &case()), scores(&plain, &case()));
    // A head on something else is a new one.
    let pooled = asked.with_pooling(Some(Pooling::Mean), 6).unwrap();
    assert_ne!(weight(&pooled, "classifier.weight"), weight(&asked, "classifier.weight"));
}

#[test]
fn every_encoder_has_a_pooled_head() {
    for base in ["mpnet_bare", "deberta_bare", "modern_bert_bare"] {
        let folder = sentence_folder(base, false);
        let case = SafetensorsFile::read(golden(base).join("case.safetensors")).unwrap();
        let task = Task::Classification { labels: labels(3) };
        let model = Model::load(folder.path()).unwrap().0.with_task(task, 5).unwrap();
        let head: Vec<&str> =
            model.weights.iter().map(|w| w.name.as_str()).filter(|name| name.starts_with("classifier")).collect();
        assert_eq!(head, ["classifier.weight", "classifier.bias"], "{base}");
        model.build(Mode::Training, None).unwrap();
        let saved = folder.path().join("saved");
        model.save(&saved).unwrap();
        assert_eq!(scores(&Model::load(&saved).unwrap().0, &case), scores(&model, &case), "{base}");
    }
}

#[test]
fn adapters_are_loaded_again_with_the_head() {
    let folder = sentence_folder("bert_bare", false);
    let task = Task::Classification { labels: labels(2) };
    let base = Model::load(folder.path()).unwrap().0;
    let mut model = base.with_task(task.clone(), 5).unwrap();
    let targets = model.structure().unwrap().lora_targets;
    assert_eq!(model.add_lora(&Lora { targets, ..Lora::default() }, 3).unwrap(), 4);
    for weight in model.weights.iter_mut().filter(|weight| weight.name.contains("lora_B")) {
        let moved: Vec<f32> = (0..weight.value.len()).map(|i| 0.1 * (i as f32).sin()).collect();
        weight.value = Tensor::new(weight.value.shape().to_vec(), moved).unwrap();
    }
    let adapter = folder.path().join("adapter");
    model.save_adapter(&adapter, "base").unwrap();
    let config = json_of(&adapter, "adapter_config.json");
    assert_eq!((&config["task_type"], &config["modules_to_save"]), (&json!("FEATURE_EXTRACTION"), &Value::Null));
    assert!(config["target_modules"][0].as_str().unwrap().starts_with("encoder.layer."), "{config}");
    let mut again = base.with_task(task, 9).unwrap();
    again.load_adapter(&adapter).unwrap();
    assert_eq!(scores(&again, &case()), scores(&model, &case()));
    // The folder itself says task and pooling.
    let base = base.with_pooling(Some(Pooling::Last), 0).unwrap();
    let whole = base.with_adapter(&adapter).unwrap().0;
    assert_eq!((whole.task(), whole.pooling()), (model.task(), Some(Pooling::Mean)));
    assert_eq!(scores(&whole, &case()), scores(&model, &case()));
    // Merged, the folder gives the same.
    let saved = folder.path().join("saved");
    model.save(&saved).unwrap();
    let (merged, expected) = (scores(&Model::load(&saved).unwrap().0, &case()), scores(&model, &case()));
    assert!(merged.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5), "{merged:?}, not {expected:?}");
}

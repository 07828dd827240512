//! Encoders of Hugging Face's transformers: outputs, gradients, folders that go in and out.

use std::path::{Path, PathBuf};

use retune_cpu::{Cpu, Session, StepRandom};
use retune_formats::safetensors::SafetensorsFile;
use retune_graph::{DType, NodeId, Op, gradients};
use retune_models::{Ia3, Lora, Mode, Model, ModelError, Task};
use retune_tensor::Tensor;

use crate::harness::difference;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/transformers")
}

fn cases() -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> =
        folder().read_dir().unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    cases.sort();
    assert_eq!(cases.len(), 22, "the cases of text_encoders.py");
    cases
}

/// What counts as zero among outputs, and among gradients of a batch of one token; rounding errors add up over tokens.
const LEAST: f32 = 1e-3;
const LEAST_OF_A_TOKEN: f32 = 1e-4;

/// The scores of a network, before probabilities are made of them.
fn scores(model: &Model) -> (retune_models::Network, NodeId) {
    let network = model.build(Mode::Inference, None).unwrap();
    let output = network.outputs[0].logits.unwrap_or(network.outputs[0].node);
    (network, output)
}

fn inputs<'a>(network: &retune_models::Network, case: &'a SafetensorsFile) -> Vec<(&'static str, &'a Tensor)> {
    let all = ["token_ids", "token_types", "positions", "lengths"];
    all.into_iter()
        .filter(|name| network.inputs.iter().any(|input| input.name == *name))
        .map(|name| (name, &case.tensors[name]))
        .collect()
}

#[test]
fn outputs_and_gradients_are_those_of_transformers() {
    for path in cases() {
        let (model, _) = Model::load(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        // The folder of a comparison of texts is that of vectors.
        let is_similarity = path.ends_with("bert_similarity");
        let model = if is_similarity { model.with_task(model.task().unwrap().similarity(), 0).unwrap() } else { model };
        let case = SafetensorsFile::read(path.join("case.safetensors")).unwrap();
        let (mut network, output) = scores(&model);
        let graph = &mut network.graph;
        let points: Vec<NodeId> = graph.ids().filter(|&id| matches!(graph.node(id).op, Op::Weight(_))).collect();
        assert_eq!(points.len(), model.weights.len());
        let cotangent = graph.input("cotangent", graph.shape(output).clone(), DType::F32);
        let found = gradients(graph, &[(output, cotangent)], &points).unwrap();
        let wanted: Vec<(usize, NodeId)> = found.iter().enumerate().filter_map(|(i, id)| Some((i, (*id)?))).collect();
        let outputs: Vec<NodeId> = std::iter::once(output).chain(wanted.iter().map(|(_, id)| *id)).collect();
        let mut given = inputs(&network, &case);
        given.push(("cotangent", &case.tensors["cotangent"]));
        let weights: Vec<Tensor> = model.weights.iter().map(|weight| weight.value.clone()).collect();
        let mut session = Session::new(&Cpu::new(2), network.graph.clone(), outputs);
        let results = session.run(&weights, &given, &StepRandom::NONE).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let error = difference(results.f32(0), &case.tensors["output"], LEAST);
        assert!(error < 1e-5, "{name}: the output differs by {error:e}");
        let least = LEAST_OF_A_TOKEN * case.tensors["token_ids"].len() as f32;
        let mut compared = 0;
        for (index, &(weight, _)) in wanted.iter().enumerate() {
            let weight = &model.weights[weight];
            let bare = weight.name.split_once('.').unwrap().1;
            let expected =
                [weight.name.as_str(), bare].into_iter().find_map(|n| case.tensors.get(&format!("grad/{n}")));
            let expected = expected.unwrap_or_else(|| panic!("{name}: the peer has no gradient of {}", weight.name));
            let found = weight.torch_layout.to_file(&results.tensor(index + 1));
            assert_eq!(found.shape(), expected.shape(), "{name}: {}", weight.name);
            let error = difference(found.as_f32().unwrap(), expected, least);
            assert!(error < 1e-4, "{name}: the gradient of {} differs by {error:e}", weight.name);
            compared += 1;
        }
        let all = case.tensors.keys().filter(|key| key.starts_with("grad/")).count();
        assert_eq!(compared, all, "{name}: every gradient of the peer has its counterpart");
    }
}

#[test]
fn what_is_saved_is_loaded_again_the_same() {
    for path in cases() {
        let (model, _) = Model::load(&path).unwrap();
        let saved = tempfile::tempdir().unwrap();
        let saved = saved.path().join("model");
        model.save(&saved).unwrap();
        let (again, report) = Model::load(&saved).unwrap();
        assert!(report.notes.iter().all(|note| !note.text.contains("drawn anew")), "{:?}", report.notes);
        assert_eq!(again.task(), model.task());
        assert_eq!(again.weights.len(), model.weights.len());
        for (a, b) in again.weights.iter().zip(&model.weights) {
            assert_eq!((&a.name, &a.value), (&b.name, &b.value));
        }
        // Names and shapes in the file are those of the peer.
        let [ours, theirs] = [&saved, &path].map(|path| SafetensorsFile::read(path.join("model.safetensors")).unwrap());
        for (name, tensor) in &ours.tensors {
            assert_eq!(theirs.tensors.get(name), Some(tensor), "{name} of {}", path.display());
        }
        model.save(&saved).unwrap();
    }
}

#[test]
fn a_folder_that_is_no_model_is_not_replaced() {
    let (model, _) = Model::load(folder().join("bert_bare")).unwrap();
    let precious = tempfile::tempdir().unwrap();
    std::fs::write(precious.path().join("thesis.txt"), "years of work").unwrap();
    assert!(model.save(precious.path()).is_err());
    assert_eq!(std::fs::read_to_string(precious.path().join("thesis.txt")).unwrap(), "years of work");
}

#[test]
fn a_new_task_gets_a_new_head_and_keeps_the_base() {
    let (model, _) = Model::load(folder().join("bert_bare")).unwrap();
    let labels = ["bad", "good"].map(str::to_owned).to_vec();
    let task = Task::Classification { labels };
    let tuned = model.with_task(task.clone(), 7).unwrap();
    assert_eq!(tuned.task(), Some(&task));
    let names: Vec<&str> = tuned.weights.iter().map(|weight| weight.name.as_str()).collect();
    assert!(names.contains(&"classifier.weight") && names.contains(&"bert.pooler.dense.weight"), "{names:?}");
    for weight in &model.weights {
        let same = tuned.weights.iter().find(|other| other.name == weight.name).unwrap();
        assert_eq!(same.value, weight.value, "{}", weight.name);
    }
    let head = |seed: u64, task: &Task| {
        let model = tuned.with_task(task.clone(), seed).unwrap();
        model.weights.iter().find(|weight| weight.name == "classifier.weight").unwrap().value.clone()
    };
    assert_eq!(head(1, &task), head(2, &task), "the same task keeps its head");
    let other = Task::Classification { labels: vec!["x".to_owned(), "y".to_owned()] };
    assert_ne!(head(1, &other), head(2, &other), "other labels draw a new one");
    let saved = tempfile::tempdir().unwrap();
    tuned.save(saved.path().join("tuned")).unwrap();
    let (again, _) = Model::load(saved.path().join("tuned")).unwrap();
    assert_eq!(again.task(), Some(&task));
}

#[test]
fn layers_are_frozen_by_name() {
    let (mut model, _) = Model::load(folder().join("bert_classification")).unwrap();
    let frozen = |model: &Model| -> Vec<String> {
        model.weights.iter().filter(|weight| !weight.trainable).map(|weight| weight.name.clone()).collect()
    };
    assert_eq!(model.layer_before_head().as_deref(), Some("bert.pooler.dense"));
    model.set_trainable("encoder.layer.0", false).unwrap();
    assert_eq!(frozen(&model).len(), 16);
    assert!(frozen(&model).iter().all(|name| name.starts_with("bert.encoder.layer.0.")));
    model.freeze_up_to("bert.encoder.layer.0").unwrap();
    assert_eq!(frozen(&model).len(), 5 + 16);
    model.set_trainable("*", true).unwrap();
    assert!(frozen(&model).is_empty());
    let error = model.set_trainable("encoder.layer.9", false).unwrap_err();
    assert!(matches!(error, ModelError::NoSuchLayer { .. }), "{error}");
    assert_eq!(model.set_group("encoder.layer.1", 2).unwrap(), 16);
}

/// A copy of a folder whose configuration is changed.
fn changed(case: &str, change: impl Fn(&mut serde_json::Map<String, serde_json::Value>)) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let source = folder().join(case);
    std::fs::copy(source.join("model.safetensors"), copy.path().join("model.safetensors")).unwrap();
    let text = std::fs::read_to_string(source.join("config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&text).unwrap();
    change(config.as_object_mut().unwrap());
    std::fs::write(copy.path().join("config.json"), config.to_string()).unwrap();
    copy
}

#[test]
fn every_weight_is_in_one_group_from_input_to_output() {
    for path in cases() {
        let (model, name) = (Model::load(&path).unwrap().0, path.display());
        let structure = model.structure().unwrap();
        let grouped: Vec<&String> = structure.groups.iter().flatten().collect();
        assert_eq!(grouped.len(), model.weights.len(), "{name}");
        assert!(model.weights.iter().all(|weight| grouped.contains(&&weight.name)), "{name}");
        let is_shared =
            |weight: &String| ["embedding", "relative", "encoder.LayerNorm."].iter().any(|part| weight.contains(part));
        assert!(structure.groups[0].iter().all(is_shared), "{name}: {:?}", structure.groups);
        let has_head = model.task().unwrap().outputs().is_some();
        let last = structure.groups.last().unwrap();
        assert_eq!(last.iter().any(|weight| weight.starts_with(&structure.head)), has_head, "{name}: {last:?}");
    }
}

/// Adapters at the places that the structure names: loss-free when fresh, merged and saved without a change of the output.
#[test]
fn adapters_go_where_the_structure_says() {
    let values = |model: &Model, case: &SafetensorsFile| {
        let (network, output) = scores(model);
        let weights: Vec<Tensor> = model.weights.iter().map(|weight| weight.value.clone()).collect();
        let mut session = Session::new(&Cpu::new(2), network.graph.clone(), vec![output]);
        session.run(&weights, &inputs(&network, case), &StepRandom::NONE).unwrap().tensor(0)
    };
    for (name, per_layer, layers) in
        [("mpnet_classification", 2, 2), ("modern_bert_classification", 1, 4), ("deberta_classification", 2, 2)]
    {
        let case = SafetensorsFile::read(folder().join(name).join("case.safetensors")).unwrap();
        let base = Model::load(folder().join(name)).unwrap().0;
        let structure = base.structure().unwrap();
        let mut lora = base.with_task(base.task().unwrap().clone(), 0).unwrap();
        let targets = structure.lora_targets.clone();
        let products = lora.add_lora(&Lora { targets, dropout: 0.1, ..Lora::default() }, 3).unwrap();
        assert_eq!(products, per_layer * layers, "{name}: {:?}", structure.lora_targets);
        lora.build(Mode::Training, None).unwrap_or_else(|error| panic!("{name}: {error}"));
        let plain = values(&base, &case);
        assert!(difference(values(&lora, &case).as_f32().unwrap(), &plain, LEAST) < 1e-5, "{name}: fresh");
        for weight in lora.weights.iter_mut().filter(|weight| weight.name.contains("lora_B")) {
            let count = weight.value.len();
            let moved: Vec<f32> = (0..count).map(|i| 0.1 * (i as f32).sin()).collect();
            weight.value = Tensor::new(weight.value.shape().to_vec(), moved).unwrap();
        }
        let tuned = values(&lora, &case);
        assert!(difference(tuned.as_f32().unwrap(), &plain, LEAST) > 1e-3, "{name}: LoRA changes the output");
        let merged = values(&lora.merged().unwrap(), &case);
        assert!(difference(merged.as_f32().unwrap(), &tuned, LEAST) < 1e-5, "{name}: merged");
        let mut scaled = Model::load(folder().join(name)).unwrap().0;
        let ia3 = Ia3 { outputs: structure.keys_and_values, inputs: structure.inner_products };
        assert!(scaled.add_ia3(&ia3, 3).unwrap() >= 2 * layers, "{name}");
        assert!(difference(values(&scaled, &case).as_f32().unwrap(), &plain, LEAST) < 1e-5, "{name}: fresh (IA)³");
    }
}

#[test]
fn configurations_of_other_encoders_are_refused() {
    use serde_json::json;
    type Change = (&'static str, &'static str, serde_json::Value, &'static str);
    let cases: &[Change] = &[
        ("mpnet_bare", "relative_attention_num_buckets", json!(64), "other than 32 is not supported"),
        ("deberta_bare", "conv_kernel_size", json!(3), "`conv_kernel_size` above 0 is not supported"),
        ("deberta_bare", "attention_head_size", json!(4), "`attention_head_size` other than 8 is not supported"),
        ("deberta_bare", "pos_att_type", json!([]), "`relative_attention` without a `pos_att_type` is not supported"),
        ("deberta_bare", "pos_att_type", json!("p2p"), "expected `c2p` and `p2c`, found `p2p`"),
        ("deberta_bare", "position_buckets", json!(2), "config.json: position_buckets"),
        ("deberta_bare", "norm_rel_ebd", json!("none"), "unused: `deberta.encoder.LayerNorm"),
        ("modern_bert_bare", "classifier_pooling", json!("max"), "expected `cls` or `mean`, found max"),
        ("modern_bert_bare", "layer_types", json!(["full_attention"]), "for each of the 4 layers"),
        ("modern_bert_bare", "rope_scaling", json!({"factor": 2}), "`rope_scaling` is not supported"),
        (
            "modern_bert_bare",
            "rope_parameters",
            json!({"full_attention": {"rope_type": "yarn"}}),
            "`rope_type` = `yarn` is not supported",
        ),
        ("modern_bert_bare", "num_attention_heads", json!(16), "expected an even number for each"),
    ];
    for (case, key, value, expected) in cases {
        let folder = changed(case, |config| {
            config.insert((*key).to_owned(), value.clone());
        });
        let message = Model::load(folder.path()).unwrap_err().to_string();
        assert!(message.contains(expected), "{key} = {value}: {message}");
    }
}

/// The configurations of the published ModernBERT models are older than `layer_types` and `rope_parameters`.
#[test]
fn older_names_of_keys_are_read() {
    let load = |older: bool| {
        let folder = changed("modern_bert_tokens", |config| {
            if older {
                config.remove("layer_types");
                config.remove("rope_parameters");
                for (key, value) in [("global_attn_every_n_layers", 3), ("global_rope_theta", 160_000)] {
                    config.insert(key.to_owned(), value.into());
                }
            }
        });
        scores(&Model::load(folder.path()).unwrap().0).0.graph.to_string()
    };
    assert_eq!(load(true), load(false));
}

#[test]
fn configurations_that_do_not_fit_are_refused() {
    use serde_json::json;
    type Change = (&'static str, serde_json::Value, &'static str);
    let cases: &[Change] = &[
        ("model_type", json!("quantum"), "the architecture `quantum` is not supported"),
        ("hidden_size", json!(15), "expected a multiple of the 2 attention heads, found 15"),
        ("hidden_size", json!(-3), "expected a whole number above 0, found `-3`"),
        ("hidden_size", json!(1u64 << 40), "expected a whole number above 0"),
        ("vocab_size", json!(41), "is [41, 16] in the model and [40, 16]"),
        ("num_hidden_layers", json!(3), "missing: `bert.encoder.layer.2."),
        ("num_hidden_layers", json!(1), "unused: `bert.encoder.layer.1."),
        (
            "position_embedding_type",
            json!("relative_key"),
            "`position_embedding_type` = `relative_key` is not supported",
        ),
        ("is_decoder", json!(true), "`is_decoder` is not supported"),
        ("hidden_act", json!("swoosh"), "expected one of `gelu`"),
        ("hidden_dropout_prob", json!(1.0), "expected a probability below 1"),
        ("id2label", json!({"0": "a", "2": "b"}), "expected a name for each number from 0"),
    ];
    for (key, value, expected) in cases {
        let folder = changed("bert_classification", |config| {
            config.insert((*key).to_owned(), value.clone());
        });
        let message = Model::load(folder.path()).unwrap_err().to_string();
        assert!(message.contains(expected), "{key} = {value}: {message}");
    }
}

//! Adapters: what PEFT writes is loaded and computes the same; counts, freezing, saving, merging.

use std::path::{Path, PathBuf};

use retune_cpu::{Cpu, Session, StepRandom};
use retune_formats::safetensors::SafetensorsFile;
use retune_graph::ops::Activation;
use retune_graph::{DType, NodeId, Op, gradients};
use retune_models::{Bottleneck, Ia3, Lora, Mode, Model, ModelError};
use retune_tensor::Tensor;
use serde_json::json;

use crate::harness;

const CASES: [&str; 4] = ["lora", "lora_ranks", "dora", "ia3"];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name)
}

fn base() -> Model {
    Model::load(golden("transformers/bert_classification")).unwrap().0
}

fn batch() -> SafetensorsFile {
    SafetensorsFile::read(golden("transformers/bert_classification/case.safetensors")).unwrap()
}

fn adapted(name: &str) -> Model {
    let mut model = base();
    model.load_adapter(golden("peft").join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    model
}

/// Scores of the model on the batch of the base's case, and the gradient of each trainable weight.
fn scores_and_gradients(model: &Model) -> (Tensor, Vec<(String, Tensor)>) {
    let batch = batch();
    let mut network = model.build(Mode::Inference, None).unwrap();
    let output = network.outputs[0].logits.unwrap();
    let graph = &mut network.graph;
    // Frozen in inference, so the trainable ones are told by the model.
    let points: Vec<(String, NodeId)> = graph
        .ids()
        .filter_map(|id| match graph.node(id).op {
            Op::Weight(weight) if model.weights[weight.0].trainable => Some((model.weights[weight.0].name.clone(), id)),
            _ => None,
        })
        .collect();
    let cotangent = graph.input("cotangent", graph.shape(output).clone(), DType::F32);
    let ids: Vec<NodeId> = points.iter().map(|(_, id)| *id).collect();
    let found = gradients(graph, &[(output, cotangent)], &ids).unwrap();
    let mut names = Vec::new();
    let mut outputs = vec![output];
    for ((name, _), gradient) in points.into_iter().zip(found) {
        if let Some(gradient) = gradient {
            names.push(name);
            outputs.push(gradient);
        }
    }
    let given: Vec<(&str, &Tensor)> = ["token_ids", "token_types", "positions", "lengths", "cotangent"]
        .into_iter()
        .map(|name| (name, &batch.tensors[name]))
        .collect();
    let weights: Vec<Tensor> = model.weights.iter().map(|weight| weight.value.clone()).collect();
    let mut session = Session::new(&Cpu::new(2), network.graph.clone(), outputs);
    let results = session.run(&weights, &given, &StepRandom::NONE).unwrap();
    let gradients = names.into_iter().enumerate().map(|(index, name)| (name, results.tensor(index + 1))).collect();
    (results.tensor(0), gradients)
}

fn difference(found: &Tensor, expected: &Tensor) -> f32 {
    harness::difference(found.as_f32().unwrap(), expected, 1e-3)
}

#[test]
fn adapters_of_peft_compute_and_learn_the_same() {
    let plain = scores_and_gradients(&base()).0;
    for name in CASES {
        let model = adapted(name);
        let case = SafetensorsFile::read(golden("peft").join(name).join("case.safetensors")).unwrap();
        let (scores, gradients) = scores_and_gradients(&model);
        assert!(difference(&scores, &plain) > 0.1, "{name}: the adapter changes the output");
        let error = difference(&scores, &case.tensors["output"]);
        assert!(error < 1e-5, "{name}: the output differs by {error:e}");
        let expected: Vec<&String> = case.tensors.keys().filter(|key| key.starts_with("grad/")).collect();
        assert_eq!(gradients.len(), expected.len(), "{name}: {expected:?}");
        for (weight, gradient) in gradients {
            let layout = model.weights.iter().find(|w| w.name == weight).unwrap().torch_layout;
            let expected = [format!("grad/{weight}"), format!("grad/{weight}.weight")];
            let expected = expected.iter().find_map(|key| case.tensors.get(key)).unwrap();
            let error = difference(&layout.to_file(&gradient), expected);
            assert!(error < 1e-4, "{name}: the gradient of {weight} differs by {error:e}");
        }
    }
}

#[test]
fn merged_or_saved_alone_they_compute_the_same() {
    for name in CASES {
        let model = adapted(name);
        let scores = scores_and_gradients(&model).0;
        let merged = model.merged().unwrap();
        assert_eq!(merged.weights.len(), base().weights.len());
        assert!(difference(&scores_and_gradients(&merged).0, &scores) < 1e-5, "{name} merged");
        let folder = tempfile::tempdir().unwrap();
        model.save(folder.path().join("whole")).unwrap();
        let whole = Model::load(folder.path().join("whole")).unwrap().0;
        assert!(difference(&scores_and_gradients(&whole).0, &scores) < 1e-5, "{name} saved whole");
        model.save_adapter(folder.path().join("adapter"), "somewhere/base").unwrap();
        let mut again = base();
        again.load_adapter(folder.path().join("adapter")).unwrap();
        assert_eq!(scores_and_gradients(&again).0, scores, "{name} saved alone");
        assert_eq!(again.adapters(), model.adapters());
        // The same names and shapes as PEFT's own file.
        let file = "adapter_model.safetensors";
        let [ours, theirs] = [folder.path().join("adapter"), golden("peft").join(name)]
            .map(|folder| SafetensorsFile::read(folder.join(file)).unwrap().tensors);
        assert_eq!(ours.len(), theirs.len(), "{name}");
        for (tensor, value) in &theirs {
            assert_eq!(ours.get(tensor), Some(value), "{name}: {tensor}");
        }
    }
}

/// A model folder of these sizes with fresh weights.
fn encoder(kind: &str, hidden: usize, layers: usize, heads: usize) -> Model {
    let config = json!({
        "model_type": kind, "architectures": ["BertModel"], "vocab_size": 4, "hidden_size": hidden, "max_position_embeddings": 8,
        "num_hidden_layers": layers, "num_attention_heads": heads, "intermediate_size": 4, "type_vocab_size": 1,
    });
    Model::from_config(&config, 1).unwrap()
}

#[test]
fn counts_are_those_that_are_published() {
    // peers.md: MiniLM-L6 with r = 8 on query and value has 73,728 trainable weights, RoBERTa-base 294,912.
    for (kind, hidden, layers, heads, expected) in [("bert", 384, 6, 12, 73_728), ("roberta", 768, 12, 12, 294_912)] {
        let mut model = encoder(kind, hidden, layers, heads);
        let targets = ["query", "value"].map(str::to_owned).to_vec();
        let adapted = model.add_lora(&Lora { targets, ..Lora::default() }, 0).unwrap();
        assert_eq!((adapted, model.trainable_parameters()), (2 * layers, expected), "{kind}");
    }
}

#[test]
fn a_fresh_adapter_changes_nothing_and_only_it_and_the_head_learn() {
    let plain = scores_and_gradients(&base()).0;
    type Add = fn(&mut Model) -> usize;
    let methods: [(&str, Add, usize); 6] = [
        ("lora", |m| m.add_lora(&Lora::default(), 3).unwrap(), 13),
        ("dora", |m| m.add_lora(&Lora { decomposed: true, dropout: 0.1, ..Lora::default() }, 3).unwrap(), 13),
        (
            "ia3",
            |m| {
                let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
                m.add_ia3(&Ia3 { outputs: names(&["key", "value"]), inputs: names(&["output.dense"]) }, 3).unwrap()
            },
            8,
        ),
        (
            "bottleneck",
            |m| {
                let targets = vec!["output.dense".to_owned()];
                m.add_bottleneck(&Bottleneck { size: 3, activation: Activation::RELU, targets }, 3).unwrap()
            },
            4,
        ),
        ("biases", |m| m.train_biases().unwrap(), 2 * 8 + 2),
        ("norms", |m| m.train_norms().unwrap(), 2 * 4 + 2),
    ];
    for (name, add, expected) in methods {
        let mut model = base();
        assert_eq!(add(&mut model), expected, "{name}");
        let (scores, gradients) = scores_and_gradients(&model);
        assert!(difference(&scores, &plain) < 1e-5, "{name} changes the output before training");
        let trainable: Vec<&str> =
            model.weights.iter().filter(|weight| weight.trainable).map(|weight| weight.name.as_str()).collect();
        let with_gradient: Vec<&str> = gradients.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(with_gradient.len(), trainable.len(), "{name}: {trainable:?} and {with_gradient:?}");
        assert!(gradients.iter().all(|(_, gradient)| gradient.as_f32().unwrap().iter().all(|x| x.is_finite())));
        assert!(trainable.contains(&"classifier.weight"), "{name} trains the head");
        let frozen = base();
        for weight in model.weights.iter().filter(|weight| !weight.trainable) {
            let before = frozen.weights.iter().find(|before| before.name == weight.name).unwrap();
            assert_eq!(weight.value, before.value, "{name}: {}", weight.name);
        }
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let targets = vec!["query".to_owned()];
    let message = |result: retune_models::Result<usize>| result.unwrap_err().to_string();
    let mut model = base();
    let unknown = Lora { targets: vec!["qeury".to_owned()], ..Lora::default() };
    assert!(matches!(model.add_lora(&unknown, 0).unwrap_err(), ModelError::NoSuchLayer { .. }));
    assert!(message(model.add_lora(&Lora { rank: 0, ..Lora::default() }, 0)).contains("rank of 0"));
    model.add_lora(&Lora { targets: targets.clone(), ..Lora::default() }, 0).unwrap();
    assert!(message(model.add_lora(&Lora { targets, ..Lora::default() }, 0)).contains("has an adapter already"));
    let mut other = base();
    let wrong = tempfile::tempdir().unwrap();
    let config = json!({"peft_type": "VERA"});
    std::fs::write(wrong.path().join("adapter_config.json"), config.to_string()).unwrap();
    std::fs::copy(golden("peft/lora/adapter_model.safetensors"), wrong.path().join("adapter_model.safetensors"))
        .unwrap();
    let error = other.load_adapter(wrong.path()).unwrap_err().to_string();
    assert!(error.contains("adapters of the kind `VERA`"), "{error}");
    assert!(other.adapters().is_empty(), "a refused adapter leaves the model as it was");
    let bottleneck = Bottleneck { size: 2, activation: Activation::RELU, targets: vec!["query".to_owned()] };
    other.add_bottleneck(&bottleneck, 0).unwrap();
    assert!(other.merged().unwrap_err().to_string().contains("cannot be merged"));
}

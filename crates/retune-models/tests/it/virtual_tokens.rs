//! Prompts and prefixes: what PEFT computes with them, what they count, and which models take none.

use std::path::{Path, PathBuf};

use retune_formats::safetensors::SafetensorsFile;
use retune_models::{Bottleneck, Lora, Mode, Model, Prefix, Prompt, PromptInit, Task, adapter_base};
use retune_tensor::Tensor;
use serde_json::{Value, json};

use crate::methods::{case, difference, golden, run};

const CASES: [&str; 8] = [
    "prompt",
    "prompt_roberta",
    "prompt_mpnet",
    "prompt_modern_bert",
    "prompt_deberta",
    "prefix",
    "prefix_roberta",
    "prefix_electra",
];

fn config(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("adapter_config.json")).unwrap()).unwrap()
}

fn base_of(name: &str) -> PathBuf {
    let base = adapter_base(golden("peft").join(name)).unwrap().unwrap();
    golden("transformers").join(base.name)
}

#[test]
fn virtual_tokens_of_peft_compute_and_learn_the_same() {
    for name in CASES {
        let (base, folder) = (base_of(name), golden("peft").join(name));
        let (inputs, expected) = (case(&base), case(&folder));
        let mut model = Model::load(&base).unwrap().0;
        let plain = run(&model, &inputs, Mode::Inference).0;
        let most = model.max_tokens().unwrap();
        model.load_adapter(&folder).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(model.max_tokens(), Some(most - 3), "{name}");
        assert_eq!(model.virtual_tokens(), if name.starts_with("prompt") { 3 } else { 0 }, "{name}");
        let (scores, gradients) = run(&model, &inputs, Mode::Inference);
        assert!(difference(&scores, &plain) > 0.1, "{name}: the adapter changes the output");
        let error = difference(&scores, &expected.tensors["output"]);
        assert!(error < 1e-5, "{name}: the output differs by {error:e}");
        for (key, value) in expected.tensors.iter().filter(|(key, _)| key.starts_with("grad/")) {
            let wanted = match &key["grad/".len()..] {
                "prompt_embeddings" if name.starts_with("prefix") => "prefix_embeddings",
                other => other,
            };
            let (_, gradient) = gradients.iter().find(|(weight, _)| weight == wanted).expect(wanted);
            let layout = model.weights.iter().find(|w| w.name == wanted).unwrap().torch_layout;
            let error = difference(&layout.to_file(gradient), value);
            assert!(error < 1e-4, "{name}: the gradient of {wanted} differs by {error:e}");
        }
        saved_as_peft_does(&model, &folder, name);
    }
}

/// The same tensors and the same settings as in PEFT's own folder.
fn saved_as_peft_does(model: &Model, folder: &Path, name: &str) {
    let saved = tempfile::tempdir().unwrap();
    model.save_adapter(saved.path(), "base").unwrap();
    let [ours, theirs] = [saved.path(), folder]
        .map(|folder| SafetensorsFile::read(folder.join("adapter_model.safetensors")).unwrap().tensors);
    for (tensor, value) in &theirs {
        assert_eq!(ours.get(tensor), Some(value), "{name}: {tensor}");
    }
    let (ours, theirs) = (config(saved.path()), config(folder));
    for key in [
        "peft_type",
        "task_type",
        "num_virtual_tokens",
        "token_dim",
        "num_layers",
        "num_attention_heads",
        "num_transformer_submodules",
    ] {
        assert_eq!(ours[key], theirs[key], "{name}: {key}");
    }
    assert_eq!(ours.get("prefix_projection"), theirs.get("prefix_projection"), "{name}");
}

fn encoder(kind: &str) -> Model {
    let config = json!({
        "model_type": kind, "architectures": ["BertForSequenceClassification"], "vocab_size": 50, "hidden_size": 384,
        "max_position_embeddings": 64, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 4,
        "type_vocab_size": 2, "id2label": {"0": "a", "1": "b"}, "embedding_size": 384,
    });
    Model::from_config(&config, 1).unwrap()
}

#[test]
fn counts_are_exact() {
    let head = 2 * 384 + 2;
    let mut model = encoder("bert");
    assert_eq!(model.add_prompt(&Prompt { tokens: 20, init: PromptInit::Random }, 0).unwrap(), 20 * 384);
    assert_eq!(model.trainable_parameters(), 20 * 384 + head);
    let mut model = encoder("bert");
    assert_eq!(model.add_prefix(&Prefix { tokens: 10 }, 0).unwrap(), 10 * 6 * 2 * 384);
    assert_eq!(model.trainable_parameters(), 10 * 6 * 2 * 384 + head);
    for (targets, layers) in [(None, 12), (Some("feed-forward-outputs"), 6), (Some("attention-outputs"), 6)] {
        let mut model = encoder("bert");
        let targets = targets.map_or_else(|| model.bottleneck_targets(), |role| vec![role.to_owned()]);
        let bottleneck = Bottleneck { size: 16, activation: retune_graph::ops::Activation::RELU, targets };
        assert_eq!(model.add_bottleneck(&bottleneck, 0).unwrap(), layers);
        assert_eq!(model.trainable_parameters(), layers * (2 * 384 * 16 + 16 + 384) + head);
    }
}

#[test]
fn prompts_begin_as_words() {
    let mut model = encoder("bert");
    let words = model.weights[0].value.clone();
    model.add_prompt(&Prompt { tokens: 5, init: PromptInit::Words(vec![7, 3]) }, 0).unwrap();
    let row = |id: usize| &words.as_f32().unwrap()[id * 384..(id + 1) * 384];
    let prompt = model.weights.last().unwrap();
    for (place, rows) in prompt.value.as_f32().unwrap().chunks_exact(384).enumerate() {
        assert_eq!(rows, row([7, 3][place % 2]), "{place}");
    }
    let error = encoder("bert").add_prompt(&Prompt { tokens: 5, init: PromptInit::Words(vec![50]) }, 0).unwrap_err();
    assert!(error.to_string().contains("numbers below 50"), "{error}");
}

#[test]
fn who_takes_none_says_why() {
    let load = |folder: &str| Model::load(golden(folder)).unwrap().0;
    let prompt = |tokens| Prompt { tokens, init: PromptInit::Random };
    let prefix_of = |folder: &str| load(folder).add_prefix(&Prefix { tokens: 3 }, 0).unwrap_err().to_string();
    for (folder, name) in [
        ("transformers/mpnet_classification", "mpnet"),
        ("transformers/deberta_classification", "deberta-v2"),
        ("transformers/modern_bert_classification", "modernbert"),
    ] {
        let error = prefix_of(folder);
        assert!(error.contains(&format!("prefix tuning of `{name}`")) && error.contains("places of keys"), "{error}");
    }
    let images = "torch_vision/resnet_transformers_bottleneck";
    assert!(prefix_of(images).contains("no encoder of text"));
    let error = load(images).add_prompt(&prompt(3), 0).unwrap_err().to_string();
    assert!(error.contains("prompt tuning of `resnet`, which is no encoder of text"), "{error}");
    let error = load("transformers/bert_tokens").add_prompt(&prompt(3), 0).unwrap_err().to_string();
    assert!(error.contains("labels tokens"), "{error}");
    let mut model = load("transformers/bert_classification");
    let error = model.add_prompt(&prompt(10), 0).unwrap_err().to_string();
    assert!(error.contains("no room for a text") && error.contains("12 tokens together"), "{error}");
    assert!(model.add_prompt(&prompt(0), 0).unwrap_err().to_string().contains("0 virtual tokens"));
    model.add_lora(&Lora::default(), 0).unwrap();
    assert!(model.add_prefix(&Prefix { tokens: 2 }, 0).unwrap_err().to_string().contains("beside other adapters"));
    for add in [
        |m: &mut Model| m.add_prompt(&Prompt { tokens: 2, init: PromptInit::Random }, 0).unwrap(),
        |m: &mut Model| m.add_prefix(&Prefix { tokens: 2 }, 0).unwrap(),
    ] {
        let mut model = load("transformers/bert_classification");
        add(&mut model);
        let folder = tempfile::tempdir().unwrap();
        let error = model.save(folder.path().join("model")).unwrap_err().to_string();
        assert!(error.contains("cannot be merged") && error.contains("save the adapter instead"), "{error}");
    }
}

#[test]
fn a_folder_of_adapters_is_a_whole_model() {
    let labels: Vec<String> = ["bad", "good"].map(str::to_owned).to_vec();
    let base = golden("transformers/bert_classification");
    let inputs = case(&base);
    let plain = Model::load(&base).unwrap().0;
    let mut model = plain.with_task(Task::Classification { labels: labels.clone() }, 4).unwrap();
    model.metadata = Some(json!({"loss": "sparse-categorical-cross-entropy"}));
    model.add_prompt(&Prompt { tokens: 2, init: PromptInit::Random }, 5).unwrap();
    let folder = tempfile::tempdir().unwrap();
    model.save_adapter(folder.path(), base.display().to_string().as_str()).unwrap();
    let (again, report) = Model::load(folder.path()).unwrap();
    assert!(report.is_complete());
    assert_eq!(again.task().unwrap().labels(), labels);
    assert_eq!(again.metadata, model.metadata);
    let scores = |model: &Model| -> Tensor {
        let mut inputs = inputs.clone();
        let cotangent = Tensor::new([3, 2], vec![1.0f32; 6]).unwrap();
        inputs.tensors.insert("cotangent".to_owned(), cotangent);
        run(model, &inputs, Mode::Inference).0
    };
    assert_eq!(scores(&again), scores(&model));
    // Without its `config.json`, as PEFT writes it, the head tells the number of classes.
    std::fs::remove_file(folder.path().join("config.json")).unwrap();
    assert_eq!(Model::load(folder.path()).unwrap().0.task().unwrap().labels(), ["LABEL_0", "LABEL_1"]);
    model.save_adapter(folder.path(), "nowhere/to-be-found").unwrap();
    let error = Model::load(folder.path()).unwrap_err().to_string();
    assert!(error.contains("adapters of `nowhere/to-be-found`, which is not there"), "{error}");
}

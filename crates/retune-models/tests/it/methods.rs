//! Every network with every method that it takes: gradients, what stays frozen, saving, loading and merging; PiSSA and terms beside
//! convolutions as PEFT has them; learning rates by layer as timm has them.

use std::path::{Path, PathBuf};

use retune_cpu::{Cpu, Session, StepRandom};
use retune_formats::safetensors::SafetensorsFile;
use retune_graph::ops::Activation;
use retune_graph::{DType, NodeId, Op, gradients};
use retune_models::{Bottleneck, Ia3, Lora, LoraInit, Mode, Model, Prefix, Prompt, PromptInit, Task};
use retune_tensor::{Key, Purpose, Tensor, Values};
use serde_json::{Value, json};

use crate::harness;

pub fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name)
}

pub fn case(folder: &Path) -> SafetensorsFile {
    SafetensorsFile::read(folder.join("case.safetensors")).unwrap()
}

/// Every small network with its batch.
fn networks() -> Vec<(String, PathBuf, Model)> {
    let mut networks = Vec::new();
    for family in ["transformers", "torch_vision"] {
        for entry in golden(family).read_dir().unwrap() {
            let folder = entry.unwrap().path();
            if !folder.join("case.safetensors").is_file() {
                continue;
            }
            let file = ["pth", "th", "safetensors"].map(|extension| folder.join("model").with_extension(extension));
            let source = match file.into_iter().find(|file| file.is_file()) {
                Some(file) if !folder.join("config.json").is_file() => file,
                _ => folder.clone(),
            };
            let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
            let model = Model::load(source).unwrap().0;
            let is_similarity = name == "bert_similarity";
            let model =
                if is_similarity { model.with_task(model.task().unwrap().similarity(), 0).unwrap() } else { model };
            networks.push((name, folder, model));
        }
    }
    assert!(networks.len() >= 34, "{} networks", networks.len());
    networks
}

/// What the model gives for the case's batch, and the gradient of each trainable weight; in training where `mode` says so.
pub fn run(model: &Model, case: &SafetensorsFile, mode: Mode) -> (Tensor, Vec<(String, Tensor)>) {
    let size = case.tensors.get("images").map(|images| images.shape()[1..].iter().map(|&size| Some(size)).collect());
    let mut network = model.build(mode, size.map(|size| vec![size]).as_deref()).unwrap();
    for (id, _) in &network.updates {
        assert!(model.weights[id.0].statistic, "`{}` is frozen, but moves", model.weights[id.0].name);
    }
    let output = network.outputs[0].logits.unwrap_or(network.outputs[0].node);
    let graph = &mut network.graph;
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
    let names: Vec<&String> =
        points.iter().zip(&found).filter(|(_, g)| g.is_some()).map(|((name, _), _)| name).collect();
    let outputs = std::iter::once(output).chain(found.iter().flatten().copied()).collect();
    let case = &with_virtual_tokens(case, model.virtual_tokens());
    let own = network.inputs.iter().map(|input| input.name.as_str());
    let given: Vec<(&str, &Tensor)> = own.chain(["cotangent"]).map(|name| (name, &case.tensors[name])).collect();
    let weights: Vec<Tensor> = model.weights.iter().map(|weight| weight.value.clone()).collect();
    let examples: Vec<u64> = (0..64).collect();
    let sequences = model.task().map_or(1, Task::sequences);
    let count = case.tensors.get("images").or(case.tensors.get("lengths")).unwrap().shape()[0] / sequences;
    let random = StepRandom { example_ids: &examples[..count], ..StepRandom::NONE };
    let mut session = Session::new(&Cpu::new(2), network.graph.clone(), outputs);
    let results = session.run(&weights, &given, &random).unwrap();
    let gradients = names.into_iter().enumerate().map(|(index, name)| (name.clone(), results.tensor(index + 1)));
    (results.tensor(0), gradients.collect())
}

/// The case with so many more tokens, of whatever words, at the beginning of each sequence.
fn with_virtual_tokens(case: &SafetensorsFile, count: usize) -> SafetensorsFile {
    let mut case = case.clone();
    let of = |case: &SafetensorsFile, name: &str| match case.tensors.get(name).map(Tensor::values) {
        Some(Values::I32(values)) => values.clone(),
        _ => Vec::new(),
    };
    let lengths = of(&case, "lengths");
    for name in ["token_ids", "token_types", "positions"] {
        let values = of(&case, name);
        if count == 0 || values.is_empty() {
            continue;
        }
        let (mut longer, mut at) = (Vec::new(), 0);
        for &length in &lengths {
            let own = &values[at..at + length as usize];
            at += length as usize;
            match name {
                "positions" => longer.extend(0..count as i32 + length),
                _ => longer.extend(std::iter::repeat_n(0, count).chain(own.iter().copied())),
            }
        }
        case.tensors.insert(name.to_owned(), Tensor::new([longer.len()], Values::I32(longer)).unwrap());
    }
    if count > 0 {
        let lengths: Vec<i32> = lengths.iter().map(|length| length + count as i32).collect();
        case.tensors.insert("lengths".to_owned(), Tensor::new([lengths.len()], Values::I32(lengths)).unwrap());
    }
    case
}

pub fn difference(found: &Tensor, expected: &Tensor) -> f32 {
    harness::difference(found.as_f32().unwrap(), expected, 1e-2)
}

/// Other values for the weights of adapters, so that no factor is 0.
fn move_adapters(model: &mut Model) {
    for index in 0..model.weights.len() {
        let weight = &mut model.weights[index];
        if weight.class == "Adapter" {
            let key = Key::new(9).with(Purpose::Test(u32::try_from(index).unwrap()));
            let values = weight.value.as_f32_mut().unwrap();
            values.iter_mut().enumerate().for_each(|(i, x)| *x += 0.2 * (key.uniform(i as u64) - 0.5));
        }
    }
}

type Add = fn(&mut Model) -> bool;

fn lora(model: &mut Model, lora: Lora) -> bool {
    let rank_stabilized = true;
    model.add_lora(&Lora { rank: 2, alpha: 3.0, rank_stabilized, ..lora }, 5).unwrap() > 0
}

const METHODS: [(&str, Add); 11] = [
    ("full", |_| true),
    ("lora", |m| {
        let targets = m.lora_targets();
        lora(m, Lora { targets, ..Lora::default() })
    }),
    ("pissa", |m| {
        let targets = m.lora_targets();
        lora(m, Lora { targets, init: LoraInit::Principal, ..Lora::default() })
    }),
    ("dora", |m| has_products(m) && lora(m, Lora { decomposed: true, ..Lora::default() })),
    ("ia3", |m| {
        let own = m.structure().unwrap();
        let ia3 = Ia3 { outputs: own.keys_and_values, inputs: own.inner_products };
        !(ia3.outputs.is_empty() && ia3.inputs.is_empty()) && m.add_ia3(&ia3, 5).unwrap() > 0
    }),
    ("bottleneck", |m| {
        let targets = vec!["all-linear".to_owned()];
        let bottleneck = Bottleneck { size: 3, activation: Activation::Tanh, targets };
        has_products(m) && m.add_bottleneck(&bottleneck, 5).unwrap() > 0
    }),
    ("prompt", |m| m.add_prompt(&Prompt { tokens: 2, init: PromptInit::Random }, 5).is_ok()),
    ("prefix", |m| m.add_prefix(&Prefix { tokens: 2 }, 5).is_ok()),
    ("biases", |m| m.train_biases().is_ok()),
    ("norms", |m| m.train_norms().is_ok()),
    ("head", |m| {
        let last = m.layer_before_head().unwrap();
        m.freeze_up_to(&last).unwrap();
        m.weights.iter().any(|weight| weight.trainable)
    }),
];

/// Whether there are products beside the head's.
fn has_products(model: &Model) -> bool {
    let head = model.structure().unwrap().head;
    model.weights.iter().any(|w| w.class == "Linear" && w.value.shape().len() == 2 && !w.layer.starts_with(&head))
}

/// Gradients that vanish: a key's bias adds the same to all scores of a query, and the bias of a convolution before a normalization by
/// the batch's moments does not outlive it.
fn may_vanish(name: &str) -> bool {
    name.ends_with(".bias")
}

#[test]
fn every_network_takes_every_method() {
    let mut taken = std::collections::BTreeMap::new();
    for (network, folder, base) in networks() {
        let case = case(&folder);
        let (plain, _) = run(&base, &case, Mode::Inference);
        for (method, add) in METHODS {
            let mut model = base.clone();
            if !add(&mut model) {
                continue;
            }
            *taken.entry(method).or_insert(0) += 1;
            let place = format!("{network}, {method}");
            let fresh = run(&model, &case, Mode::Inference).0;
            let changes = ["prompt", "prefix"].contains(&method);
            assert!(changes || difference(&fresh, &plain) < 1e-4, "{place}: the method itself changes the output");
            move_adapters(&mut model);
            let (_, gradients) = run(&model, &case, Mode::Training);
            let trainable: Vec<&str> = model.weights.iter().filter(|w| w.trainable).map(|w| w.name.as_str()).collect();
            let found: Vec<&str> = gradients.iter().map(|(name, _)| name.as_str()).collect();
            assert!(
                !trainable.is_empty() && trainable.iter().all(|name| found.contains(name)),
                "{place}: {trainable:?} {found:?}"
            );
            for (name, gradient) in &gradients {
                let values = gradient.as_f32().unwrap();
                assert!(values.iter().all(|x| x.is_finite()), "{place}: {name}");
                assert!(values.iter().any(|x| *x != 0.0) || may_vanish(name), "{place}: {name} gets no gradient");
            }
            if !model.adapters().is_empty() {
                saved_loaded_and_merged(&base, &model, &case, &place);
            }
        }
    }
    let count = |method: &str| taken.get(method).copied().unwrap_or(0);
    assert!(count("full") >= 34 && count("lora") == count("full") && count("pissa") == count("full"), "{taken:?}");
    assert!(count("dora") >= 14 && count("bottleneck") == count("dora") && count("ia3") >= 10, "{taken:?}");
    // All text encoders take prompts but those that label tokens, and prefixes but those whose keys need places.
    let texts = |excluded: &[&str]| {
        let names = golden("transformers").read_dir().unwrap().map(|entry| entry.unwrap().path());
        let names = names.filter(|path| path.join("case.safetensors").is_file());
        let names = names.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
        names.filter(|name| !excluded.iter().any(|part| name.contains(part))).count()
    };
    assert_eq!((count("prompt"), count("prefix")), (texts(&["tokens"]), texts(&["mpnet", "deberta", "modern"])));
    assert!(count("prompt") >= 15 && count("prefix") >= 9, "{taken:?}");
    assert!(count("biases") >= 20 && count("norms") >= 20 && count("head") >= 30, "{taken:?}");
}

fn saved_loaded_and_merged(base: &Model, model: &Model, case: &SafetensorsFile, place: &str) {
    let (scores, _) = run(model, case, Mode::Inference);
    for weight in model.weights.iter().filter(|weight| !weight.trainable && weight.class != "Adapter") {
        let before = base.weights.iter().find(|before| before.name == weight.name).unwrap();
        let began = model.adapters().iter().any(|adapter| adapter.target == weight.name && adapter.initial.is_some());
        assert!(began || before.value == weight.value, "{place}: {}", weight.name);
    }
    let folder = tempfile::tempdir().unwrap();
    if ["bottleneck", "prompt", "prefix"].iter().any(|method| place.ends_with(method)) {
        assert!(model.merged().unwrap_err().to_string().contains("cannot be merged"), "{place}");
    } else {
        let merged = model.merged().unwrap();
        assert_eq!(merged.weights.len(), base.weights.len());
        assert!(difference(&run(&merged, case, Mode::Inference).0, &scores) < 1e-4, "{place}: merged");
    }
    model.save_adapter(folder.path(), "base").unwrap();
    let mut again = base.clone();
    again.load_adapter(folder.path()).unwrap_or_else(|error| panic!("{place}: {error}"));
    assert!(difference(&run(&again, case, Mode::Inference).0, &scores) < 1e-4, "{place}: loaded again");
}

#[test]
fn terms_beside_convolutions_are_those_of_peft() {
    let folder = golden("peft/lora_resnet");
    let base = golden("torch_vision/resnet_transformers_bottleneck");
    let (inputs, expected) = (case(&base), case(&folder));
    let mut model = Model::load(&base).unwrap().0;
    let plain = run(&model, &inputs, Mode::Inference).0;
    model.load_adapter(&folder).unwrap();
    let (scores, gradients) = run(&model, &inputs, Mode::Inference);
    assert!(difference(&scores, &plain) > 0.1, "the adapter changes the output");
    let error = difference(&scores, &expected.tensors["output"]);
    assert!(error < 1e-5, "the output differs by {error:e}");
    assert_eq!(gradients.len(), expected.tensors.len() - 1);
    for (weight, gradient) in gradients {
        let layout = model.weights.iter().find(|w| w.name == weight).unwrap().torch_layout;
        let error = difference(&layout.to_file(&gradient), &expected.tensors[&format!("grad/{weight}")]);
        assert!(error < 1e-4, "the gradient of {weight} differs by {error:e}");
    }
    let saved = tempfile::tempdir().unwrap();
    model.save_adapter(saved.path(), "base").unwrap();
    let [ours, theirs] = [saved.path(), &folder]
        .map(|folder| SafetensorsFile::read(folder.join("adapter_model.safetensors")).unwrap().tensors);
    assert_eq!(ours.len(), theirs.len());
    for (name, value) in &theirs {
        assert_eq!(ours.get(name), Some(value), "{name}");
    }
}

#[test]
fn principal_parts_are_those_of_peft_and_saved_as_plain_terms() {
    for name in ["pissa", "pissa_rank_stabilized"] {
        let (folder, base) = (golden("peft").join(name), golden("transformers/bert_classification"));
        let (inputs, expected) = (case(&base), case(&folder));
        let plain = Model::load(&base).unwrap().0;
        let mut model = plain.clone();
        let targets = ["query", "value"].map(str::to_owned).to_vec();
        let rank_stabilized = name != "pissa";
        let init = LoraInit::Principal;
        model.add_lora(&Lora { rank: 2, alpha: 3.0, rank_stabilized, targets, init, ..Lora::default() }, 0).unwrap();
        let scores = [&plain, &model].map(|model| run(model, &inputs, Mode::Inference).0);
        assert!(difference(&scores[1], &scores[0]) < 1e-5, "{name}: the sum is the weight");
        for adapter in model.adapters() {
            let value = |model: &Model| model.weights.iter().find(|w| w.name == adapter.target).unwrap().clone();
            let (before, rest) = (value(&plain), value(&model));
            let parts =
                before.value.as_f32().unwrap().iter().zip(rest.value.as_f32().unwrap()).map(|(w, rest)| w - rest);
            let part = Tensor::new(before.value.shape(), parts.collect::<Vec<f32>>()).unwrap();
            let layer = adapter.target.strip_suffix(".weight").unwrap();
            let error = difference(&before.torch_layout.to_file(&part), &expected.tensors[&format!("first/{layer}")]);
            assert!(error < 1e-4, "{name}: the principal part of {layer} differs by {error:e}");
        }
        // As trained by PEFT, from the same frozen weights.
        for weight in &mut model.weights {
            if let Some(trained) = expected.tensors.get(&format!("trained/{}", weight.name)) {
                weight.value = weight.torch_layout.from_file(trained.clone());
            }
        }
        let saved = tempfile::tempdir().unwrap();
        model.save_adapter(saved.path(), "base").unwrap();
        let mut theirs = plain.clone();
        theirs.load_adapter(&folder).unwrap();
        let mut ours = plain.clone();
        ours.load_adapter(saved.path()).unwrap();
        let scores =
            [&theirs, &ours, &model, &model.merged().unwrap()].map(|model| run(model, &inputs, Mode::Inference).0);
        assert!(difference(&scores[0], &run(&plain, &inputs, Mode::Inference).0) > 0.01, "{name}: it was trained");
        for found in &scores[1..] {
            let error = difference(found, &scores[0]);
            assert!(error < 1e-5, "{name}: differs from PEFT by {error:e}");
        }
        let config = |folder: &Path| -> Value {
            serde_json::from_slice(&std::fs::read(folder.join("adapter_config.json")).unwrap()).unwrap()
        };
        let (ours, theirs) = (config(saved.path()), config(&folder));
        assert_eq!(ours["r"], theirs["r"]);
        assert!((ours["lora_alpha"].as_f64().unwrap() - theirs["lora_alpha"].as_f64().unwrap()).abs() < 1e-5);
    }
}

/// `conv1` is a layer, and the end of the names of others: PEFT would take it for all of these.
#[test]
fn names_that_end_other_names_are_saved_as_whole_ones() {
    let base = golden("torch_vision/resnet_cifar");
    let inputs = case(&base);
    let file = ["pth", "th", "safetensors"].map(|end| base.join("model").with_extension(end));
    let plain = Model::load(file.into_iter().find(|file| file.is_file()).unwrap()).unwrap().0;
    let mut model = plain.clone();
    let rank_pattern = vec![("^conv1".to_owned(), 1)];
    let targets = ["^conv1", "layer1.0.conv2"].map(str::to_owned).to_vec();
    assert_eq!(model.add_lora(&Lora { rank: 2, targets, rank_pattern, ..Lora::default() }, 3).unwrap(), 2);
    move_adapters(&mut model);
    let saved = tempfile::tempdir().unwrap();
    model.save_adapter(saved.path(), "base").unwrap();
    let config: Value =
        serde_json::from_slice(&std::fs::read(saved.path().join("adapter_config.json")).unwrap()).unwrap();
    assert_eq!(config["target_modules"], "conv1|layer1\\.0\\.conv2");
    assert_eq!(config["rank_pattern"], json!({"^layer1.0.conv2": 2}));
    let mut again = plain.clone();
    again.load_adapter(saved.path()).unwrap();
    assert_eq!(again.adapters(), model.adapters());
    assert_eq!(run(&again, &inputs, Mode::Inference).0, run(&model, &inputs, Mode::Inference).0);
    assert!(difference(&run(&again, &inputs, Mode::Inference).0, &run(&plain, &inputs, Mode::Inference).0) > 1e-3);
}

#[test]
fn rates_by_layer_are_those_of_timm() {
    let text = std::fs::read(golden("torch_vision/layer_scales.json")).unwrap();
    let expected: Value = serde_json::from_slice(&text).unwrap();
    for (name, scales) in expected.as_object().unwrap() {
        let model = Model::load(golden("torch_vision").join(name).join("model.safetensors")).unwrap().0;
        let found = model.layer_scales(0.5);
        let pairs = model.weights.iter().zip(found).filter(|(weight, _)| weight.trainable);
        let mut count = 0;
        for (weight, scale) in pairs {
            assert_eq!(scales[&weight.name].as_f64(), Some(scale), "{name}: {}", weight.name);
            count += 1;
        }
        assert_eq!(count, scales.as_object().unwrap().len(), "{name}");
    }
}

#[test]
fn convolutions_in_groups_are_passed_over_or_refused() {
    let load = || Model::load(golden("torch_vision/mobilenet_v2_transformers")).unwrap().0;
    let lora = |target: &str| Lora { targets: vec![target.to_owned()], ..Lora::default() };
    let mut model = load();
    let all = model.add_lora(&lora("convolution"), 0).unwrap();
    assert!(all > 5 && model.adapters().iter().all(|adapter| !adapter.target.contains("conv_3x3.convolution")));
    assert_eq!(load().add_lora(&lora("all-convolutions"), 0).unwrap(), all);
    let error = load().add_lora(&lora("conv_3x3.convolution"), 0).unwrap_err().to_string();
    assert!(error.contains("is a convolution in groups"), "{error}");
    let decomposed = Lora { decomposed: true, ..lora("convolution") };
    let error = load().add_lora(&decomposed, 0).unwrap_err().to_string();
    assert!(error.contains("DoRA on the convolution"), "{error}");
}

#[test]
fn adapters_of_a_base_that_was_changed_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let peft = golden("peft/lora");
    std::fs::copy(peft.join("adapter_model.safetensors"), folder.path().join("adapter_model.safetensors")).unwrap();
    let mut config: Value = serde_json::from_slice(&std::fs::read(peft.join("adapter_config.json")).unwrap()).unwrap();
    config["init_lora_weights"] = json!("pissa_niter_16");
    std::fs::write(folder.path().join("adapter_config.json"), config.to_string()).unwrap();
    let mut model = Model::load(golden("transformers/bert_classification")).unwrap().0;
    let error = model.load_adapter(folder.path()).unwrap_err().to_string();
    assert!(error.contains("a base that `pissa_niter_16` changed"), "{error}");
}

#[test]
fn a_vision_transformer_has_the_published_count() {
    // peers.md: ViT-B/16 with r = 16 on query and value and a head of 101 classes. Only the sizes that count are real.
    let labels: serde_json::Map<String, Value> =
        (0..101).map(|i| (i.to_string(), json!(format!("dish {i}")))).collect();
    let config = json!({
        "model_type": "vit", "architectures": ["ViTForImageClassification"], "hidden_size": 768, "num_hidden_layers": 12,
        "num_attention_heads": 12, "intermediate_size": 4, "image_size": 16, "patch_size": 16, "num_channels": 3, "qkv_bias": true,
        "hidden_act": "gelu", "layer_norm_eps": 1e-12, "id2label": labels,
    });
    let mut model = Model::from_config(&config, 0).unwrap();
    let targets = model.lora_targets();
    assert_eq!(model.add_lora(&Lora { rank: 16, alpha: 16.0, targets, ..Lora::default() }, 0).unwrap(), 24);
    assert_eq!(model.trainable_parameters(), 667_493);
}

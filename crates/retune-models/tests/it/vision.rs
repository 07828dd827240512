//! Networks for images of torchvision, timm and transformers: outputs, gradients, statistics, files that go in and out.

use std::path::{Path, PathBuf};

use retune_cpu::{Cpu, Session, StepRandom};
use retune_formats::Weights;
use retune_formats::safetensors::SafetensorsFile;
use retune_graph::{DType, NodeId, Op, gradients};
use retune_models::{Mode, Model, ModelError, Network, Task};
use retune_tensor::Tensor;

use crate::harness::difference;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/torch_vision")
}

fn cases() -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> =
        folder().read_dir().unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    cases.sort();
    assert_eq!(cases.len(), 24, "the cases of vision.py");
    cases
}

fn name(case: &Path) -> &str {
    case.file_name().unwrap().to_str().unwrap()
}

/// What a case's model is loaded from: a file of weights alone, or the folder.
fn source(case: &Path) -> PathBuf {
    let file = ["pth", "th", "safetensors"].map(|extension| case.join("model").with_extension(extension));
    match file.into_iter().find(|file| file.is_file()) {
        Some(file) if !case.join("config.json").is_file() => file,
        _ => case.to_owned(),
    }
}

fn load(case: &Path) -> Model {
    Model::load(source(case)).unwrap_or_else(|error| panic!("{}: {error}", name(case))).0
}

fn expected(case: &Path) -> SafetensorsFile {
    SafetensorsFile::read(case.join("case.safetensors")).unwrap()
}

/// What counts as zero among gradients.
const LEAST: f32 = 1e-2;

/// The network for the case's images, and its scores before probabilities are made of them.
fn network(model: &Model, case: &SafetensorsFile, mode: Mode) -> (Network, NodeId) {
    let shape = case.tensors["images"].shape()[1..].iter().map(|&size| Some(size)).collect();
    let network = model.build(mode, Some(&[shape])).unwrap();
    let output = network.outputs[0].logits.unwrap_or(network.outputs[0].node);
    (network, output)
}

fn values(model: &Model) -> Vec<Tensor> {
    model.weights.iter().map(|weight| weight.value.clone()).collect()
}

/// A peer's tensor of a weight, whose name has the base's before it or not.
fn peer<'a>(case: &'a SafetensorsFile, kind: &str, name: &str) -> Option<&'a Tensor> {
    let bare = name.split_once('.').map_or(name, |(_, bare)| bare);
    [name, bare].into_iter().find_map(|name| case.tensors.get(&format!("{kind}/{name}")))
}

#[test]
fn outputs_and_gradients_are_those_of_the_peers() {
    for path in cases() {
        let (model, case, name) = (load(&path), expected(&path), name(&path));
        let (mut network, output) = network(&model, &case, Mode::Inference);
        let graph = &mut network.graph;
        let points: Vec<NodeId> = graph.ids().filter(|&id| matches!(graph.node(id).op, Op::Weight(_))).collect();
        assert_eq!(points.len(), model.weights.len());
        let cotangent = graph.input("cotangent", graph.shape(output).clone(), DType::F32);
        let found = gradients(graph, &[(output, cotangent)], &points).unwrap();
        let wanted: Vec<(usize, NodeId)> = found
            .iter()
            .enumerate()
            .filter(|(index, _)| model.weights[*index].trainable)
            .filter_map(|(index, id)| Some((index, (*id)?)))
            .collect();
        let outputs: Vec<NodeId> = std::iter::once(output).chain(wanted.iter().map(|(_, id)| *id)).collect();
        let given = ["images", "cotangent"].map(|input| (input, &case.tensors[input]));
        let mut session = Session::new(&Cpu::new(2), network.graph.clone(), outputs);
        let results = session.run(&values(&model), &given, &StepRandom::NONE).unwrap();
        let error = difference(results.f32(0), &case.tensors["output"], LEAST);
        assert!(error < 1e-5, "{name}: the output differs by {error:e}");
        for (index, &(weight, _)) in wanted.iter().enumerate() {
            let weight = &model.weights[weight];
            let expected = peer(&case, "grad", &weight.name);
            let expected = expected.unwrap_or_else(|| panic!("{name}: the peer has no gradient of {}", weight.name));
            let found = weight.torch_layout.to_file(&results.tensor(index + 1));
            assert_eq!(found.shape(), expected.shape(), "{name}: {}", weight.name);
            let error = difference(found.as_f32().unwrap(), expected, LEAST);
            assert!(error < 1e-4, "{name}: the gradient of {} differs by {error:e}", weight.name);
        }
        let all = case.tensors.keys().filter(|key| key.starts_with("grad/")).count();
        assert_eq!(wanted.len(), all, "{name}: every gradient of the peer has its counterpart");
    }
}

#[test]
fn batches_move_the_statistics_as_in_pytorch() {
    let mut moved = 0;
    for path in cases() {
        let (model, case, name) = (load(&path), expected(&path), name(&path));
        let Some(train_output) = case.tensors.get("train_output") else { continue };
        let (network, output) = network(&model, &case, Mode::Training);
        let outputs: Vec<NodeId> = std::iter::once(output).chain(network.updates.iter().map(|(_, id)| *id)).collect();
        let images = [("images", &case.tensors["images"])];
        let drops = network.graph.nodes().iter().any(|node| node.op.is_random());
        let mut session = Session::new(&Cpu::new(2), network.graph.clone(), outputs);
        let random = StepRandom { example_ids: &[0, 1, 2], ..StepRandom::NONE };
        let results = session.run(&values(&model), &images, &random).unwrap();
        if !drops {
            let error = difference(results.f32(0), train_output, LEAST);
            assert!(error < 1e-4, "{name}: the output in training differs by {error:e}");
        }
        for (index, (id, _)) in network.updates.iter().enumerate() {
            let weight = &model.weights[id.0];
            let expected = peer(&case, "statistic", &weight.name).unwrap();
            let error = difference(results.f32(index + 1), expected, LEAST);
            assert!(error < 1e-4, "{name}: {} differs by {error:e}", weight.name);
        }
        let all = case.tensors.keys().filter(|key| key.starts_with("statistic/")).count();
        assert_eq!(network.updates.len(), all, "{name}: every statistic is moved");
        moved += all;
    }
    assert!(moved > 0);
}

#[test]
fn frozen_normalization_leaves_its_statistics_alone() {
    let mut model = load(&folder().join("resnet_torchvision"));
    let case = expected(&folder().join("resnet_torchvision"));
    let updates = |model: &Model| network(model, &case, Mode::Training).0.updates.len();
    let all = updates(&model);
    model.set_trainable("layer1.0.bn1", false).unwrap();
    assert_eq!(updates(&model), all - 2);
    model.set_trainable("*", false).unwrap();
    let (network, output) = network(&model, &case, Mode::Training);
    assert!(network.updates.is_empty());
    let mut session = Session::new(&Cpu::new(1), network.graph, vec![output]);
    let results = session.run(&values(&model), &[("images", &case.tensors["images"])], &StepRandom::NONE).unwrap();
    assert!(difference(results.f32(0), &case.tensors["output"], LEAST) < 1e-5, "as in inference");
    model.set_trainable("*", true).unwrap();
    assert_eq!(updates(&model), all);
}

#[test]
fn what_is_saved_is_loaded_again_the_same() {
    for path in cases() {
        let (source, model) = (source(&path), load(&path));
        let saved = tempfile::tempdir().unwrap();
        let saved = saved.path().join(source.file_name().unwrap());
        model.save(&saved).unwrap();
        let (again, report) = Model::load(&saved).unwrap();
        assert!(report.notes.iter().all(|note| !note.text.contains("drawn anew")), "{:?}", report.notes);
        assert_eq!((again.task(), &again.metadata), (model.task(), &model.metadata), "{}", name(&path));
        assert_eq!(again.weights.len(), model.weights.len());
        for (a, b) in again.weights.iter().zip(&model.weights) {
            assert_eq!((&a.name, &a.value, a.statistic), (&b.name, &b.value, b.statistic));
        }
        // Names, shapes, order and values in the file are those of the peer.
        let [ours, theirs] = [&saved, &source].map(|path| Weights::open(path).unwrap());
        assert_eq!(ours.names().collect::<Vec<_>>(), theirs.names().collect::<Vec<_>>(), "{}", name(&path));
        for tensor in ours.names() {
            assert_eq!(ours.tensor(tensor).unwrap(), theirs.tensor(tensor).unwrap(), "{tensor} of {}", name(&path));
        }
    }
}

#[test]
fn a_new_task_gets_a_new_head_and_keeps_the_base() {
    for path in cases() {
        let (model, case) = (load(&path), expected(&path));
        let labels: Vec<String> = ["cat", "dog", "emu", "fox", "gnu"].map(str::to_owned).to_vec();
        let task = Task::Classification { labels };
        let tuned = model.with_task(task.clone(), 7).unwrap();
        let structure = tuned.structure().unwrap();
        for (weight, before) in tuned.weights.iter().zip(&model.weights) {
            assert_eq!(weight.name, before.name);
            let is_head = weight.name.starts_with(&format!("{}.", structure.head));
            assert_eq!(weight.value == before.value, !is_head, "{}: {}", name(&path), weight.name);
        }
        let (network, output) = network(&tuned, &case, Mode::Inference);
        assert_eq!(network.graph.shape(output)[1].fixed(), Some(5));
        let saved = tempfile::tempdir().unwrap();
        let saved = saved.path().join(source(&path).file_name().unwrap());
        tuned.save(&saved).unwrap();
        let (again, _) = Model::load(&saved).unwrap();
        assert_eq!(again.task(), Some(&task), "{}", name(&path));
    }
}

#[test]
fn every_weight_is_in_one_group_and_targets_exist() {
    for path in cases() {
        let (model, name) = (load(&path), name(&path));
        let structure = model.structure().unwrap();
        let mut grouped: Vec<&String> = structure.groups.iter().flatten().collect();
        let count = grouped.len();
        grouped.sort();
        grouped.dedup();
        assert_eq!((grouped.len(), count), (model.weights.len(), model.weights.len()), "{name}");
        assert!(structure.groups.len() >= 3, "{name}: {:?}", structure.groups);
        assert!(structure.groups.last().unwrap().iter().all(|weight| weight.starts_with(&structure.head)), "{name}");
        // The groups follow the order of first use, so that rates that fall from group to group fall towards the input.
        let first = |group: &Vec<String>| model.weights.iter().position(|weight| group.contains(&weight.name));
        assert!(structure.groups.iter().map(first).is_sorted(), "{name}");
        for target in &structure.lora_targets {
            let has = |weight: &retune_models::Weight| weight.layer.ends_with(target.as_str());
            assert!(model.weights.iter().any(has), "{name}: no layer ends with {target}");
        }
        assert!(!structure.no_decay.contains(&format!("{}.weight", structure.head)), "{name}");
        assert!(structure.no_decay.contains(&format!("{}.bias", structure.head)), "{name}");
    }
}

#[test]
fn preprocessing_is_that_of_the_authors() {
    let model = load(&folder().join("resnet_torchvision"));
    let stored = &model.metadata.as_ref().unwrap()["preprocessing"];
    assert_eq!(stored["resize"]["height"], 224);
    assert_eq!(stored["resize"]["fit"]["center-crop"]["fraction"], 0.875);
    assert!((stored["normalize"]["mean"][0].as_f64().unwrap() - 0.485).abs() < 1e-6);
    assert!((stored["rescale"]["scale"].as_f64().unwrap() * 255.0 - 1.0).abs() < 1e-6);
    // Without sizes being given, a network is built for the images that the preprocessing makes.
    let network = model.build(Mode::Inference, None).unwrap();
    assert_eq!(network.inputs[0].shape.to_string(), "[Batch, 224, 224, 3]");
}

#[test]
fn weights_of_no_known_network_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("weights.safetensors");
    let tensor = Tensor::new([2, 2], vec![0.0f32; 4]).unwrap();
    retune_formats::safetensors::write(&path, [("layer1.0.conv2.weight", &tensor)], &Default::default()).unwrap();
    let error = Model::load(&path).unwrap_err();
    assert!(matches!(error, ModelError::UnknownWeights { .. }), "{error}");
    let message = error.to_string();
    assert!(message.contains("`layer1.0.conv2.weight`") && message.contains("similar network is ResNet"), "{message}");
    let model = load(&folder().join("resnet_cifar"));
    assert!(matches!(model.save(place.path().join("model.keras")), Err(ModelError::Extension { .. })));
}

/// The file of a case under other names: of the file, and of its tensors.
fn renamed(case: &str, file: &str, name: impl Fn(&str) -> String) -> (tempfile::TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join(file);
    let weights = Weights::open(source(&folder().join(case))).unwrap();
    let tensors: Vec<(String, Tensor)> =
        weights.names().map(|tensor| (name(tensor), weights.tensor(tensor).unwrap())).collect();
    let tensors = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor));
    retune_formats::safetensors::write(&path, tensors, &Default::default()).unwrap();
    (place, path)
}

#[test]
fn what_tensors_do_not_tell_the_name_of_the_file_does() {
    let first_note = |path: &Path| Model::load(path).unwrap().1.notes[0].text.clone();
    let (_place, path) = renamed("efficientnet_timm", "tf_efficientnet_b0-1234.safetensors", str::to_owned);
    assert!(first_note(&path).contains("with the padding of TensorFlow"));
    let (_place, path) = renamed("efficientnet_timm", "efficientnet_b0-1234.safetensors", str::to_owned);
    assert!(first_note(&path).contains("with PyTorch's padding, which timm's names do not tell"));
    for (file, mean) in [("vit_tiny.safetensors", 0.5), ("deit_tiny_patch16_224.safetensors", 0.485)] {
        let (_place, path) = renamed("vit_timm", file, str::to_owned);
        let stored = Model::load(&path).unwrap().0.metadata.unwrap();
        let found = stored["preprocessing"]["normalize"]["mean"][0].as_f64().unwrap();
        assert!((found - mean).abs() < 1e-6, "{file}: {found}");
    }
}

#[test]
fn published_files_of_torchvision_have_other_names() {
    let published = |name: &str| name.replace("mlp.0", "mlp.linear_1").replace("mlp.3", "mlp.linear_2");
    let (_place, path) = renamed("vit_torchvision", "vit_b_16.safetensors", published);
    let ours = Model::load(&path).unwrap().0;
    let same = load(&folder().join("vit_torchvision"));
    for (a, b) in ours.weights.iter().zip(&same.weights) {
        assert_eq!((&a.name, &a.value), (&published(&b.name), &b.value));
    }
}

#[test]
fn images_of_another_size_are_refused_where_positions_are_learned() {
    let model = load(&folder().join("vit_timm"));
    let message = model.build(Mode::Inference, Some(&[vec![Some(20), Some(16), Some(3)]])).unwrap_err().to_string();
    assert!(message.contains("images of 16×16") && message.contains("found 20×16"), "{message}");
    let model = load(&folder().join("swin_timm"));
    let message = model.build(Mode::Inference, Some(&[vec![Some(6), Some(6), Some(3)]])).unwrap_err().to_string();
    assert!(message.contains("at least 4×4 tokens"), "{message}");
}

#[test]
fn configurations_that_do_not_fit_are_refused() {
    use serde_json::json;
    type Change = (&'static str, &'static str, serde_json::Value, &'static str);
    let cases: &[Change] = &[
        ("vit_transformers", "num_attention_heads", json!(3), "expected a multiple of the 3 attention heads"),
        ("vit_transformers", "image_size", json!([16, 16, 16]), "expected a size, or height and width"),
        ("vit_transformers", "image_size", json!(20), "is [1, 26, 16] in the model and [1, 17, 16]"),
        ("swin_transformers", "use_absolute_embeddings", json!(true), "`use_absolute_embeddings` is not supported"),
        ("swin_transformers", "num_heads", json!([2, 3]), "expected for each stage a divisor of its width"),
        ("swin_transformers", "depths", json!([]), "expected a list of 1 to 16 sizes"),
        ("efficientnet_transformers", "depth_coefficient", json!(1e30), "expected a number above 0 and at most 100"),
        ("efficientnet_transformers", "strides", json!([1, 2]), "as many entries as the other lists"),
        ("mobilenet_v2_transformers", "output_stride", json!(8), "an `output_stride` other than 32 is not supported"),
        ("convnext_transformers", "hidden_sizes", json!([8, 16]), "wrong shape"),
        ("resnet_transformers_basic", "depths", json!([1, 1, 1, 1]), "unused: `resnet.encoder.stages.1.layers.1."),
    ];
    for (case, key, value, expected) in cases {
        let copy = tempfile::tempdir().unwrap();
        for file in ["config.json", "model.safetensors"] {
            std::fs::copy(folder().join(case).join(file), copy.path().join(file)).unwrap();
        }
        let path = copy.path().join("config.json");
        let mut config: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        config[*key] = value.clone();
        std::fs::write(&path, config.to_string()).unwrap();
        let message = Model::load(copy.path()).unwrap_err().to_string();
        assert!(message.contains(expected), "{case}: {key} = {value}: {message}");
    }
}

#[test]
fn reports_say_what_was_recognized() {
    let (_, report) = Model::load(source(&folder().join("resnet_cifar"))).unwrap();
    let note = &report.notes[0].text;
    assert!(note.starts_with("recognized as ResNet-14 by `conv1` of 3×3, and 2, 2, 2 blocks"), "{note}");
}

//! Changes of models for fine-tuning.

use retune_graph::{Role, gradients};
use retune_models::keras::{LayerConfig, Sequential};
use retune_models::{FinalActivation, Mode, Model};
use retune_tensor::Tensor;

use crate::harness::{Backend, outputs, root};

fn base() -> Model {
    Sequential::new("base")
        .input(&[6, 6, 3])
        .add(LayerConfig::conv2d(4, [3, 3]).with("activation", "relu"))
        .add(LayerConfig::batch_normalization())
        .add(LayerConfig::conv2d(5, [3, 3]))
        .add(LayerConfig::global_average_pooling2d())
        .add(LayerConfig::dense(10).with("activation", "softmax"))
        .build(7)
        .unwrap()
}

fn head() -> LayerConfig {
    LayerConfig::dense(3).with("activation", "softmax").with("name", "head")
}

fn image() -> Tensor {
    Tensor::new([2, 6, 6, 3], (0..216).map(|i| (i as f32 * 0.37).sin()).collect::<Vec<f32>>()).unwrap()
}

fn golden(name: &str) -> Model {
    Model::load(root().join("tests/golden/keras").join(name).join("model.keras")).unwrap().0
}

#[test]
fn a_wrapped_model_keeps_its_weights_and_gets_a_head() {
    let base = base();
    let model = base.wrap("tuned", &[head()], 1).unwrap();
    for weight in &base.weights {
        let wrapped = model.weights.iter().find(|w| w.name == format!("base/{}", weight.name)).unwrap();
        assert_eq!(wrapped.value, weight.value);
        assert_eq!(wrapped.keras_path, format!("layers/sequential/{}", weight.keras_path));
    }
    assert_eq!(model.weights.len(), base.weights.len() + 2);
    let network = model.build(Mode::Inference, None).unwrap();
    assert_eq!(network.outputs[0].final_activation, FinalActivation::Softmax);
    let folder = tempfile::tempdir().unwrap();
    for file in ["m.keras", "m.h5"] {
        let path = folder.path().join(file);
        model.save(&path).unwrap();
        let (again, _) = Model::load(&path).unwrap();
        let (a, b) = (model.build(Mode::Inference, None).unwrap(), again.build(Mode::Inference, None).unwrap());
        assert_eq!(
            outputs(Backend::Cpu, &model, &a, &[image()])[0].values,
            outputs(Backend::Cpu, &again, &b, &[image()])[0].values
        );
    }
    // Only what is trainable gets a gradient, and all of it does.
    let mut model = model;
    model.set_trainable("base", false).unwrap();
    let mut network = model.build(Mode::Training, None).unwrap();
    assert!(network.updates.is_empty(), "a frozen batch normalization keeps its statistics");
    let output = network.outputs[0].node;
    let seed = network.graph.fill(network.graph.shape(output).clone(), 1.0);
    let trainable: Vec<usize> =
        (0..model.weights.len()).filter(|&i| network.graph.weights()[i].role == Role::Trainable { group: 0 }).collect();
    assert_eq!(
        trainable.iter().map(|&i| model.weights[i].name.as_str()).collect::<Vec<_>>(),
        ["head/kernel", "head/bias"]
    );
    let wrt: Vec<_> = trainable.iter().map(|&i| retune_graph::NodeId(i)).collect();
    let grads = gradients(&mut network.graph, &[(output, seed)], &wrt).unwrap();
    assert!(grads.iter().all(Option::is_some));
}

#[test]
fn a_replaced_head_is_fresh_and_all_else_is_kept() {
    for model in [base(), golden("mobilenet_block"), golden("functional_in_functional"), golden("shared_layer")] {
        let Some(after) = model.layer_before_head() else { continue };
        let new = model.replace_head(&after, &[LayerConfig::flatten(), head()], 3).unwrap();
        assert_eq!(new.layers().last().unwrap().path, "head");
        let kept = new.weights.iter().filter(|w| !w.name.starts_with("head/")).count();
        for weight in new.weights.iter().filter(|w| !w.name.starts_with("head/")) {
            assert_eq!(model.weights.iter().find(|w| w.name == weight.name).unwrap().value, weight.value);
        }
        assert!(kept < model.weights.len(), "the old head is gone");
        new.build(Mode::Training, None).unwrap();
    }
    assert_eq!(base().layer_before_head().as_deref(), Some("global_average_pooling2d"));
    let renamed = base().replace_head("global_average_pooling2d", &[LayerConfig::dense(10)], 3).unwrap();
    assert_ne!(
        renamed.weights.last().unwrap().value,
        base().weights.last().unwrap().value.clone().reshaped([10, 1]).unwrap()
    );
    let kernel = |model: &Model| model.weights.iter().find(|w| w.name == "dense/kernel").unwrap().value.clone();
    assert_ne!(kernel(&renamed), kernel(&base()), "a new layer of an old name is drawn afresh");
    let error = base().replace_head("global_average_poling2d", &[head()], 0).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("did you mean `global_average_pooling2d`"), "{error}");
}

#[test]
fn freezing_is_saved_and_can_be_undone_in_part() {
    let mut model = base().wrap("tuned", &[head()], 1).unwrap();
    assert_eq!(model.freeze_up_to("base/batch_normalization").unwrap(), 4);
    let trainable = |model: &Model| -> Vec<String> {
        model.weights.iter().filter(|w| w.trainable).map(|w| w.layer.clone()).collect()
    };
    assert_eq!(trainable(&model), ["base/conv2d_1", "base/conv2d_1", "base/dense", "base/dense", "head", "head"]);
    let folder = tempfile::tempdir().unwrap();
    for file in ["m.keras", "m.h5"] {
        model.save(folder.path().join(file)).unwrap();
        assert_eq!(trainable(&Model::load(folder.path().join(file)).unwrap().0), trainable(&model));
    }
    model.set_trainable("base", false).unwrap();
    assert_eq!(trainable(&model), ["head", "head"]);
    assert_eq!(model.set_trainable("base/conv*", true).unwrap(), 2);
    assert_eq!(trainable(&model), ["base/conv2d", "base/conv2d", "base/conv2d_1", "base/conv2d_1", "head", "head"]);
    assert!(model.set_trainable("nothing*", true).is_err());
}

#[test]
fn groups_follow_patterns_and_survive_freezing() {
    let mut model = base().wrap("tuned", &[head()], 1).unwrap();
    assert_eq!(model.set_group("head", 1).unwrap(), 2);
    assert_eq!(model.set_group("base", 2).unwrap(), 10);
    model.set_trainable("base/conv2d", false).unwrap();
    let network = model.build(Mode::Training, None).unwrap();
    for (weight, info) in model.weights.iter().zip(network.graph.weights()) {
        assert_eq!(weight.group, if weight.layer == "head" { 1 } else { 2 });
        if weight.trainable {
            assert_eq!(info.role, Role::Trainable { group: weight.group });
        }
        assert_eq!(info.name, weight.name);
    }
    assert!(model.weights.iter().all(|w| w.decays == w.name.ends_with("kernel")));
}

#[test]
fn fresh_weights_follow_from_the_seed() {
    assert_eq!(base().weights[0].value, base().weights[0].value);
    let other = Sequential::new("base").input(&[6, 6, 3]).add(LayerConfig::conv2d(4, [3, 3])).build(8).unwrap();
    assert_ne!(base().weights[0].value, other.weights[0].value);
}

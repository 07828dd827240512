//! Every golden case of Keras: outputs, gradients, statistics, and the weights after one step of gradient descent.

use std::collections::HashMap;
use std::path::Path;

use retune_graph::{DType, Shape, gradients};
use retune_models::{Mode, Model};
use retune_tensor::Tensor;
use retune_testkit::Array;
use serde_json::Value;

use crate::harness::{Backend, array, evaluate, outputs, read_safetensors, root, tolerance_used};

/// How a case is compared: each mismatch is one line.
struct Comparison {
    tensors: HashMap<String, Tensor>,
    problems: Vec<String>,
}

impl Comparison {
    fn expect(&mut self, name: &str, found: &Array, (rtol, atol): (f64, f64)) {
        let Some(expected) = self.tensors.get(name) else {
            self.problems.push(format!("{name} is not in the case"));
            return;
        };
        let used = tolerance_used(found, &array(expected), rtol, atol);
        if used > 1.0 {
            let shapes = (&found.shape, expected.shape());
            self.problems.push(format!("{name}: {used:.1} times the tolerance, shapes {shapes:?}"));
        }
    }
}

fn tolerance(case: &Value, kind: &str) -> (f64, f64) {
    let number = |name: &str| case["tolerance"][kind][name].as_f64().unwrap();
    (number("rtol"), number("atol"))
}

/// The model of a case: from `file`, or if that holds weights only, from `model.h5` with its weights loaded again.
fn load(folder: &Path, file: &str) -> Result<Model, String> {
    let whole = |file: &str| Model::load(folder.join(file)).map(|(model, _)| model).map_err(|error| error.to_string());
    if !file.contains("weights") {
        return whole(file);
    }
    let mut model = whole("model.h5")?;
    for weight in &mut model.weights {
        weight.value = Tensor::full(weight.value.shape(), 9.0);
    }
    model.load_weights(folder.join(file)).map_err(|error| error.to_string())?;
    Ok(model)
}

fn check(backend: Backend, folder: &Path, file: &str) -> Result<Vec<String>, String> {
    let case: Value = serde_json::from_slice(&std::fs::read(folder.join("case.json")).unwrap()).unwrap();
    let model = load(folder, file)?;
    let tensors: HashMap<String, Tensor> = read_safetensors(&folder.join("case.safetensors")).into_iter().collect();
    let mut c = Comparison { tensors, problems: Vec::new() };
    let inputs: Vec<Tensor> = (0..).map_while(|i| c.tensors.get(&format!("input/{i}")).cloned()).collect();

    let inference = model.build(Mode::Inference, None).map_err(|error| error.to_string())?;
    for (i, output) in outputs(backend, &model, &inference, &inputs).iter().enumerate() {
        c.expect(&format!("output/{i}"), output, tolerance(&case, "output"));
    }
    let count = c.tensors.keys().filter(|name| name.starts_with("output/")).count();
    if inference.outputs.len() != count {
        c.problems.push(format!("{} outputs instead of {count}", inference.outputs.len()));
    }
    if case["train"] == Value::Bool(true) {
        train(backend, &model, &case, &inputs, &mut c)?;
    }
    Ok(c.problems)
}

/// Gradients of `Σ output · cotangent`, one step, and the statistics after it.
fn train(backend: Backend, model: &Model, case: &Value, inputs: &[Tensor], c: &mut Comparison) -> Result<(), String> {
    let mut network = model.build(Mode::Training, None).map_err(|error| error.to_string())?;
    let mut inputs = inputs.to_vec();
    let mut seeds = Vec::new();
    for (i, output) in network.outputs.clone().iter().enumerate() {
        let name = format!("cotangent/{i}");
        let shape: Shape = network.graph.shape(output.node).clone();
        let cotangent = network.graph.input(&name, shape.clone(), DType::F32);
        seeds.push((output.node, cotangent));
        let input = retune_models::NetworkInput { name: name.clone(), node: cotangent, shape, dtype: DType::F32 };
        network.inputs.push(input);
        inputs.push(c.tensors[&name].clone());
    }
    // Weights are the first nodes of every build.
    let weight_node = |index: usize| retune_graph::NodeId(index);
    let float_inputs: Vec<usize> = (0..inputs.len() - seeds.len())
        .filter(|&i| c.tensors.contains_key(&format!("grad_input/{i}")) && network.inputs[i].dtype == DType::F32)
        .collect();
    let mut wrt: Vec<_> = (0..model.weights.len()).filter(|&i| model.weights[i].trainable).map(weight_node).collect();
    let trainable: Vec<usize> = (0..model.weights.len()).filter(|&i| model.weights[i].trainable).collect();
    wrt.extend(float_inputs.iter().map(|&i| network.inputs[i].node));
    let grads = gradients(&mut network.graph, &seeds, &wrt).map_err(|error| error.to_string())?;

    let mut nodes: Vec<_> = network.outputs.iter().map(|output| output.node).collect();
    let output_count = nodes.len();
    nodes.extend(grads.iter().flatten());
    let update_start = nodes.len();
    nodes.extend(network.updates.iter().map(|&(_, node)| node));
    let values = evaluate(backend, model, &network, &nodes, &inputs);

    for (i, value) in values[..output_count].iter().enumerate() {
        c.expect(&format!("train_output/{i}"), value, tolerance(case, "output"));
    }
    let described = case["weights"].as_array().unwrap();
    let key = |index: usize| {
        let path = &model.weights[index].keras_path;
        let is_it = |file: &Value| *file == path.as_str() || file["model.keras"] == path.as_str();
        let found = described.iter().find(|weight| is_it(&weight["file"]));
        found.map_or_else(|| format!("? {path}"), |weight| weight["key"].as_str().unwrap().to_owned())
    };
    let (grad_tolerance, output_tolerance) = (tolerance(case, "grad"), tolerance(case, "output"));
    let rate = case["sgd_learning_rate"].as_f64().unwrap();
    let mut next = values[output_count..update_start].iter();
    for (position, grad) in grads.iter().enumerate() {
        let of_weight = trainable.get(position);
        let zeros = || match of_weight {
            Some(&index) => Array::zeros(model.weights[index].value.shape()),
            None => Array::zeros(inputs[float_inputs[position - trainable.len()]].shape()),
        };
        let value = grad.map_or_else(zeros, |_| next.next().unwrap().clone());
        match of_weight {
            Some(&index) => {
                let key = key(index);
                c.expect(&format!("grad/{key}"), &value, grad_tolerance);
                let weight = &model.weights[index];
                let mut after = array(&weight.value).zip(&value, |weight, grad| weight - rate * grad);
                if let Some(constraint) = &weight.constraint {
                    let mut stepped = after.to_f32();
                    constraint.apply(weight.value.shape(), stepped.as_f32_mut().unwrap());
                    after = array(&stepped);
                }
                c.expect(&format!("after/{key}"), &after, grad_tolerance);
            }
            None => {
                let input = float_inputs[position - trainable.len()];
                c.expect(&format!("grad_input/{input}"), &value, grad_tolerance);
            }
        }
    }
    let expected = described.iter().filter(|weight| weight["trainable"] == Value::Bool(true)).count();
    if expected != trainable.len() {
        c.problems.push(format!("{} trainable weights instead of {expected}", trainable.len()));
    }
    for index in (0..model.weights.len()).filter(|index| !trainable.contains(index)) {
        let updated = network.updates.iter().position(|(id, _)| id.0 == index);
        let value = match updated {
            Some(position) => values[update_start + position].clone(),
            None => array(&model.weights[index].value),
        };
        let name = format!("statistic/{}", key(index));
        if case["keras_version"].as_str().is_some_and(|version| version.starts_with('2')) && updated.is_some() {
            undo_unbiased_variance(model, index, &value, c.tensors.get_mut(&name).unwrap());
        }
        c.expect(&name, &value, output_tolerance);
    }
    Ok(())
}

/// Keras 2 kept the unbiased variance of images, `n / (n − 1)` times what Keras 3 keeps. The channel that has grown most says
/// what n is; where that is a whole number, `expected` is made Keras 3's.
fn undo_unbiased_variance(model: &Model, index: usize, found: &Array, expected: &mut Tensor) {
    let weight = &model.weights[index];
    if !weight.name.ends_with("moving_variance") {
        return;
    }
    let momentum = momentum(&model.description(), weight.layer.rsplit('/').next().unwrap()).unwrap();
    let kept = array(&weight.value).map(|old| momentum * old);
    let growth = array(expected).zip(&kept, |new, kept| new - kept);
    let own_growth = found.zip(&kept, |new, kept| new - kept);
    let most = (0..growth.values.len()).max_by(|&a, &b| growth.values[a].total_cmp(&growth.values[b])).unwrap();
    let ratio = growth.values[most] / own_growth.values[most];
    let n = (ratio / (ratio - 1.0)).round();
    if n > 1.0 && n < 1e4 && (ratio / (n / (n - 1.0)) - 1.0).abs() < 1e-4 {
        *expected = kept.zip(&growth, |kept, growth| kept + growth * (n - 1.0) / n).to_f32();
    }
}

/// The momentum of the batch normalization called `name` in a description.
fn momentum(description: &Value, name: &str) -> Option<f64> {
    let config = &description["config"];
    if config["name"] == name && config["momentum"].is_number() {
        return config["momentum"].as_f64();
    }
    config["layers"].as_array()?.iter().find_map(|layer| momentum(layer, name))
}

/// Checks all cases of a group by every file that holds their weights, on both backends; tells how many cases and files there are.
fn check_all(group: &str) -> (usize, usize) {
    let folder = root().join("tests/golden").join(group);
    let mut cases: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.join("case.json").exists())
        .collect();
    cases.sort();
    let mut failures = Vec::new();
    let mut files = 0;
    for case in &cases {
        for file in ["model.keras", "model.h5", "model.weights.h5", "weights.h5"] {
            if !case.join(file).exists() {
                continue;
            }
            files += 1;
            let name = format!("{}/{file}", case.file_name().unwrap().to_str().unwrap());
            for backend in [Backend::Interpreter, Backend::Cpu] {
                match std::panic::catch_unwind(|| check(backend, case, file)) {
                    Ok(Ok(problems)) if problems.is_empty() => {}
                    Ok(Ok(problems)) => {
                        failures.push(format!("{name} on {backend:?}:\n    {}", problems.join("\n    ")));
                    }
                    Ok(Err(error)) => failures.push(format!("{name} on {backend:?}: {error}")),
                    Err(_) => failures.push(format!("{name} on {backend:?}: panicked")),
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} of {files} files fail:\n{}", failures.len(), failures.join("\n"));
    (cases.len(), files)
}

#[test]
fn keras_3_cases() {
    assert_eq!(check_all("keras"), (479, 479));
}

#[test]
fn legacy_cases() {
    assert_eq!(check_all("keras_legacy"), (25, 75));
}

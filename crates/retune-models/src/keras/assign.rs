//! Values of a file → weights, and the other way round, for both namings of Keras files.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;
use retune_formats::keras::{KerasWeights, LegacyLayer, LegacyWeights, PathWeights};
use retune_tensor::Tensor;

use super::config::KerasModel;
use super::layers::Layer;
use super::legacy_values::rearrange;
use crate::report::{LoadReport, Missing, WrongShape, nearest};
use crate::weight::Weight;

/// Gives `weights` the values in `file`. What does not fit is left as it was and told in the report.
pub(crate) fn assign(model: &KerasModel, weights: &mut [Weight], file: KerasWeights) -> LoadReport {
    let mut report = LoadReport::default();
    let values = match file {
        KerasWeights::Paths(paths) => by_path(weights, paths, &mut report),
        KerasWeights::Legacy(legacy) => by_layer(model, weights, legacy, &mut report),
    };
    for (weight, value) in weights.iter_mut().zip(values) {
        match value {
            None => report.missing.push(Missing {
                name: weight.name.clone(),
                shape: weight.value.shape().to_vec(),
                nearest: nearest(&weight.name, report.unused.iter().map(String::as_str)),
            }),
            Some(value) if value.shape() != weight.value.shape() => report.wrong_shape.push(WrongShape {
                name: weight.name.clone(),
                expected: weight.value.shape().to_vec(),
                found: value.shape().to_vec(),
            }),
            Some(value) => {
                weight.value = value.into_f32();
                report.applied.push(weight.name.clone());
            }
        }
    }
    report
}

/// Variables that hold no weights: states of random generators, and the optimizer's and metrics' own.
fn is_weight(path: &str) -> bool {
    let first = path.split('/').next().unwrap_or_default();
    !path.split('/').any(|part| part == "seed_generator" || part == "generator")
        && !matches!(first, "optimizer" | "metrics" | "vars")
}

fn by_path(weights: &[Weight], mut file: PathWeights, report: &mut LoadReport) -> Vec<Option<Tensor>> {
    let values = weights.iter().map(|weight| file.variables.shift_remove(&weight.keras_path)).collect();
    report.unused = file.variables.into_keys().filter(|path| is_weight(path)).collect();
    values
}

/// Legacy files: by the names of the model's layers if the file has just these, else in order, as Keras does.
fn by_layer(
    model: &KerasModel,
    weights: &[Weight],
    file: LegacyWeights,
    report: &mut LoadReport,
) -> Vec<Option<Tensor>> {
    let mut values: Vec<Option<Tensor>> = vec![None; weights.len()];
    let groups = top_level_groups(model, weights);
    let stored: Vec<LegacyLayer> = file.layers.into_iter().filter(|layer| !layer.weights.is_empty()).collect();
    let names: HashSet<&str> = groups.keys().map(String::as_str).collect();
    let by_name = stored.iter().all(|layer| names.contains(layer.name.as_str()));
    let mut in_order = groups.iter();
    for layer in stored {
        let group = if by_name { groups.get_key_value(&layer.name) } else { in_order.next() };
        let Some((name, members)) = group else {
            report.unused.extend(layer.weights.into_iter().map(|(weight, _)| format!("{}/{weight}", layer.name)));
            continue;
        };
        assign_group(model, weights, name, members, layer, &mut values, report);
    }
    let top = file.top_level.map(|layer| layer.weights).unwrap_or_default();
    report.unused.extend(top.into_iter().map(|(name, _)| name));
    values
}

/// For each layer of the outermost model that has weights, their indices in the model's order.
fn top_level_groups(model: &KerasModel, weights: &[Weight]) -> IndexMap<String, Vec<usize>> {
    let mut groups: IndexMap<String, Vec<usize>> =
        model.layers.iter().map(|layer| (layer.name.clone(), Vec::new())).collect();
    for (index, weight) in weights.iter().enumerate() {
        if let Some(group) = groups.get_mut(top_level(&weight.name)) {
            group.push(index);
        }
    }
    groups.retain(|_, members| !members.is_empty());
    groups
}

/// The first part of a weight's name: the layer of the outermost model.
fn top_level(name: &str) -> &str {
    name.split('/').next().unwrap_or(name)
}

/// The order in which legacy files list a layer's weights: those that are trained before the others.
fn legacy_order(weights: &[Weight], members: &[usize]) -> Vec<usize> {
    let (trained, others): (Vec<usize>, Vec<usize>) = members.iter().partition(|&&index| weights[index].trainable);
    trained.into_iter().chain(others).collect()
}

fn assign_group(
    model: &KerasModel,
    weights: &[Weight],
    name: &str,
    members: &[usize],
    stored: LegacyLayer,
    values: &mut [Option<Tensor>],
    report: &mut LoadReport,
) {
    let class = model.layers.iter().find(|layer| layer.name == name).map_or("", |layer| layer.class.as_str());
    let order = match by_weight_names(weights, members, &stored) {
        Some(order) => order,
        None => legacy_order(weights, members),
    };
    let layer_name = stored.name;
    let (names, tensors): (Vec<String>, Vec<Tensor>) = stored.weights.into_iter().unzip();
    let tensors = rearrange(class, tensors);
    let full = |index: usize| format!("{layer_name}/{}", names.get(index).map_or("?", String::as_str));
    for (index, tensor) in tensors.into_iter().enumerate() {
        match order.get(index) {
            Some(&weight) => values[weight] = Some(tensor),
            None => report.unused.push(full(index)),
        }
    }
}

/// For each stored weight the model's weight of the same layer name, own name and shape, if that settles all of them.
///
/// The order in files depends on which layers were frozen when they were written; names do not.
fn by_weight_names(weights: &[Weight], members: &[usize], stored: &LegacyLayer) -> Option<Vec<usize>> {
    fn key(name: &str) -> Option<(&str, &str)> {
        let name = name.split(':').next().unwrap_or(name);
        let mut parts = name.rsplit('/');
        let own = parts.next()?;
        Some((parts.next()?, own))
    }
    if stored.weights.len() != members.len() {
        return None;
    }
    let mut by_key: HashMap<(&str, &str), usize> = HashMap::new();
    for &index in members {
        if by_key.insert(key(&weights[index].name)?, index).is_some() {
            return None;
        }
    }
    let mut order = Vec::with_capacity(members.len());
    for (name, tensor) in &stored.weights {
        let index = by_key.remove(&key(name)?)?;
        if tensor.shape() != weights[index].value.shape() {
            return None;
        }
        order.push(index);
    }
    Some(order)
}

/// The value of a weight as files hold it.
fn stored_value(weight: &Weight) -> Tensor {
    if weight.integer {
        let values: Vec<i64> = weight.value.to_f32_vec().into_iter().map(|value| value as i64).collect();
        return Tensor::new(weight.value.shape(), values).unwrap_or_else(|_| weight.value.clone());
    }
    weight.value.clone()
}

/// The weights as files of Keras 3 hold them.
pub(crate) fn to_paths(model: &KerasModel, weights: &[Weight]) -> PathWeights {
    let mut paths = PathWeights::default();
    paths.names.insert(String::new(), model.name.clone());
    name_layers(model, "", &mut paths.names);
    for weight in weights {
        paths.variables.insert(weight.keras_path.clone(), stored_value(weight));
    }
    paths
}

fn name_layers(model: &KerasModel, outer: &str, names: &mut IndexMap<String, String>) {
    for (node, file) in model.layers.iter().zip(model.container_names()).filter(|(_, file)| !file.is_empty()) {
        let path = super::config::join(outer, &file);
        names.insert(path.clone(), node.name.clone());
        if let Layer::Model(inner) = &node.layer {
            name_layers(inner, &path, names);
        }
    }
}

/// The weights as legacy files hold them.
pub(crate) fn to_legacy(model: &KerasModel, weights: &[Weight]) -> LegacyWeights {
    let groups = top_level_groups(model, weights);
    let layers = model
        .layers
        .iter()
        // Keras counts neither the input layer of a Sequential model nor recorded operations among the layers.
        .zip(model.container_names())
        .filter(|(_, file)| !file.is_empty())
        .map(|(node, _)| {
            let members = groups.get(&node.name).map_or(&[][..], Vec::as_slice);
            let order = legacy_order(weights, members);
            let stored = order.into_iter().map(|index| (weights[index].name.clone(), stored_value(&weights[index])));
            LegacyLayer { name: node.name.clone(), weights: stored.collect() }
        })
        .collect();
    LegacyWeights {
        layers,
        top_level: Some(LegacyLayer { name: "top_level_model_weights".into(), weights: Vec::new() }),
    }
}

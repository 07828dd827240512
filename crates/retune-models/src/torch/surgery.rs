//! Freezing, parameter groups and new heads.
//!
//! Names of layers are PyTorch's, `bert.encoder.layer.0.attention.self.query`. A pattern matches a layer's whole name, that of a
//! module around it, or either without the base's own name: `encoder.layer.0` is all of the first layer. `*` stands for any
//! characters, `?` for one.

use retune_graph::ops::sequence::Pooling;
use retune_tensor::Tensor;

use super::TorchModel;
use super::builder::is_statistic;
use super::files::{fresh, with_value};
use super::task::Task;
use crate::error::Result;
use crate::model::{Architecture, LayerSummary, Model};
use crate::surgery::glob;
use crate::weight::Weight;

/// Whether a pattern matches a layer or a module around it.
pub(crate) fn matches(pattern: &str, layer: &str) -> bool {
    let bare = layer.split_once('.').map_or(layer, |(_, rest)| rest);
    [layer, bare].into_iter().any(|name| {
        let ends = name.match_indices('.').map(|(at, _)| at).chain([name.len()]);
        ends.into_iter().any(|end| glob(pattern.as_bytes(), &name.as_bytes()[..end]))
    })
}

/// Every layer with weights, in the order of its first use.
pub(crate) fn layers(model: &Model) -> Vec<LayerSummary> {
    let mut list: Vec<LayerSummary> = Vec::new();
    for weight in &model.weights {
        let position = list.iter().position(|layer| layer.path == weight.layer);
        let index = position.unwrap_or_else(|| {
            list.push(LayerSummary {
                path: weight.layer.clone(),
                class: weight.class.to_owned(),
                shape: None,
                parameters: 0,
                trainable_parameters: 0,
                trainable: false,
                depth: 0,
            });
            list.len() - 1
        });
        let layer = &mut list[index];
        layer.parameters += weight.value.len();
        layer.trainable_parameters += if weight.trainable { weight.value.len() } else { 0 };
        layer.trainable |= weight.trainable;
    }
    list
}

/// Makes layers trainable or not; returns how many there were.
pub(crate) fn mark(weights: &mut [Weight], trainable: bool, is_matched: impl Fn(&str) -> bool) -> usize {
    let mut layers: Vec<&str> = Vec::new();
    for weight in weights.iter_mut().filter(|weight| is_matched(&weight.layer)) {
        if is_statistic(&weight.name) {
            weight.statistic = trainable;
        } else {
            weight.trainable = trainable;
        }
        if layers.last() != Some(&weight.layer.as_str()) {
            layers.push(&weight.layer);
        }
    }
    layers.len()
}

/// The last layer that is not the head's.
pub(crate) fn layer_before_head(model: &Model, torch: &TorchModel) -> Option<String> {
    model.weights.iter().rfind(|weight| !torch.family.is_head(&weight.name)).map(|weight| weight.layer.clone())
}

/// The model for another task, with the weights of the base and its adapters. Those of the head are drawn from `seed` where the head is new:
/// where the task is another, or has other labels.
pub(crate) fn with_task(model: &Model, torch: &TorchModel, task: Task, seed: u64) -> Result<Model> {
    let is_new = task != torch.task;
    rebuilt(model, TorchModel { task, ..torch.clone() }, is_new, seed)
}

/// The model whose texts are pooled otherwise. A head is new where it stood on something else.
pub(crate) fn with_pooling(model: &Model, torch: &TorchModel, pooling: Option<Pooling>, seed: u64) -> Result<Model> {
    let is_new = pooling != torch.pooling;
    let task = match (torch.task.clone(), pooling) {
        (Task::Embedding { normalize, .. }, Some(pooling)) => Task::Embedding { pooling, normalize },
        (Task::Similarity { normalize, .. }, Some(pooling)) => Task::Similarity { pooling, normalize },
        (task, _) => task,
    };
    rebuilt(model, TorchModel { task, pooling, ..torch.clone() }, is_new, seed)
}

/// The weights of the architecture: the model's own where there are any, then those that its file had and no result depended on,
/// then fresh ones; those of a new head are all fresh.
fn rebuilt(model: &Model, mut torch: TorchModel, has_new_head: bool, seed: u64) -> Result<Model> {
    let mut weights = Vec::new();
    for (index, declared) in torch.declared()?.into_iter().enumerate() {
        let same = |w: &&Weight| w.name == declared.name && w.value.shape() == declared.shape;
        let kept = model.weights.iter().find(same).filter(|w| !has_new_head || !torch.family.is_head(&w.name));
        let shape = declared.layout.shape_in_file(&declared.shape);
        let fits = |(name, tensor): &(String, Tensor)| *name == declared.name && tensor.shape() == shape;
        weights.push(match (kept, torch.carried.iter().position(fits)) {
            (Some(weight), _) => weight.clone(),
            (None, Some(place)) => {
                let value = torch.carried.remove(place).1;
                let value = Tensor::new(shape, value.to_f32_vec())?;
                with_value(declared.clone(), declared.layout.from_file(value))
            }
            (None, None) => fresh(declared, index, seed),
        });
    }
    let is_adapter = |w: &&Weight| model.adapters.iter().any(|adapter| adapter.weights.contains(&w.name));
    weights.extend(model.weights.iter().filter(is_adapter).cloned());
    let mut new = Model::of(Architecture::Torch(Box::new(torch)), weights, model.metadata.clone());
    (new.adapters, new.card) = (model.adapters.clone(), model.card.clone());
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_layers_and_modules() {
        let query = "bert.encoder.layer.10.attention.self.query";
        for (pattern, expected) in [
            ("bert", true),
            ("encoder.layer.10", true),
            ("encoder.layer.1", false),
            ("encoder.layer.1?", true),
            ("*.query", true),
            ("bert.encoder.layer.*", true),
            ("embeddings", false),
            ("query", false),
        ] {
            assert_eq!(matches(pattern, query), expected, "{pattern}");
        }
    }
}

//! Changes of a model for fine-tuning: new heads, freezing, parameter groups.
//!
//! Names of layers are paths: `dense`, or `base/conv2d` for a layer of the model `base` inside. A pattern matches a path or
//! its last part; `*` stands for any characters, `?` for one.

use std::collections::HashMap;

use retune_graph::ops::sequence::Pooling;
use retune_tensor::Tensor;

use crate::error::{ModelError, Result};
use crate::keras::calls::{Argument, Arguments, TensorRef};
use crate::keras::config::join;
use crate::keras::layers::Layer;
use crate::keras::{KerasModel, Kind, LayerConfig, LayerNode};
use crate::model::{Architecture, Model, declared_inputs, fresh};
use crate::report::nearest;
use crate::torch;
use crate::torch::task::Task;

/// Values and parameter groups by the name that a weight has after a change.
type Kept = HashMap<String, (Tensor, usize)>;

impl Model {
    /// A new Sequential model: an input, this model, and the layers of `head`. It is the classic way to fine-tune:
    /// `Sequential([Input(shape), base, Dense(classes, activation="softmax")])`.
    ///
    /// Weights of this model keep their values; their names begin with this model's name. Weights of the head are drawn as
    /// [`Model::from_description`] says.
    ///
    /// # Errors
    /// If this model has several inputs or outputs, or the head does not fit.
    pub fn wrap(&self, name: &str, head: &[LayerConfig], seed: u64) -> Result<Model> {
        let base = self.architecture.keras("a Sequential model around this one")?;
        let inputs = declared_inputs(base);
        let [(input, shape, _)] = inputs.as_slice() else {
            return Err(surgery(
                format!("the model `{}` has {} inputs, and a Sequential model takes one", base.name, inputs.len()),
                "replace its head instead, which keeps the inputs",
            ));
        };
        let dtype = if self.integer_inputs.contains(input) { "int32" } else { "float32" };
        let shape: Vec<Option<usize>> = std::iter::once(None).chain(shape.iter().copied()).collect();
        let input = LayerConfig::new("InputLayer").with("batch_shape", serde_json::json!(shape)).with("dtype", dtype);
        let mut layers = vec![node(&input, "input_layer")?];
        let class = if base.kind == Kind::Sequential { "Sequential" } else { "Functional" };
        layers.push(LayerNode {
            name: base.name.clone(),
            class: class.to_owned(),
            module: "keras".to_owned(),
            trainable: base.trainable,
            config: serde_json::Map::new(),
            layer: Layer::Model(Box::new(base.clone())),
            calls: Vec::new(),
        });
        for config in head {
            let name = config.name(|name| layers.iter().any(|layer| layer.name == name));
            layers.push(node(config, &name)?);
        }
        let empty = || Argument::List(Vec::new());
        let keras = KerasModel {
            name: name.to_owned(),
            kind: Kind::Sequential,
            trainable: true,
            layers,
            inputs: empty(),
            outputs: empty(),
            build_input_shape: None,
            execution: Vec::new(),
        };
        self.rebuilt(keras, self.kept(&format!("{}/", base.name)), seed)
    }

    /// This model up to and including its layer `after`, with the layers of `head` behind it. `after` is a layer of the
    /// outermost model; in functional models it gives its first output at its first call.
    ///
    /// # Errors
    /// If there is no such layer, or the head does not fit.
    pub fn replace_head(&self, after: &str, head: &[LayerConfig], seed: u64) -> Result<Model> {
        let mut keras = self.architecture.keras("a head of layers")?.clone();
        let find = |keras: &KerasModel| {
            let position = keras.layers.iter().position(|layer| layer.name == after);
            position.ok_or_else(|| self.no_such_layer(after))
        };
        let mut last = TensorRef { layer: find(&keras)?, call: 0, tensor: 0 };
        match keras.kind {
            Kind::Sequential => keras.layers.truncate(last.layer + 1),
            Kind::Functional => {
                // Without the old head, whose names become free.
                keras.outputs = Argument::Tensor(last);
                keras.arrange("the model")?;
                last.layer = find(&keras)?;
            }
        }
        let mut new_layers = Vec::new();
        for config in head {
            let name = config.name(|name| keras.layers.iter().any(|layer| layer.name == name));
            if keras.layers.iter().any(|layer| layer.name == name) {
                return Err(surgery(
                    format!("the model has a layer `{name}` already"),
                    "give the new layer another name, or leave its name out",
                ));
            }
            let mut new = node(config, &name)?;
            if keras.kind == Kind::Functional {
                new.calls.push(Arguments::on([last]));
                last = TensorRef { layer: keras.layers.len(), call: 0, tensor: 0 };
            }
            keras.layers.push(new);
            new_layers.push(name);
        }
        if keras.kind == Kind::Functional {
            keras.outputs = Argument::Tensor(last);
            keras.arrange("the model")?;
        }
        // A new layer must not get the values of an old one of its name.
        let mut kept = self.kept("");
        kept.retain(|name, _| !new_layers.iter().any(|layer| name.split('/').next() == Some(layer.as_str())));
        self.rebuilt(keras, kept, seed)
    }

    /// The last layer that is not part of the head: the one before the last layer with weights. `None` where a functional
    /// model has several outputs, or no layer has weights.
    pub fn layer_before_head(&self) -> Option<String> {
        let keras = match &self.architecture {
            Architecture::Keras(keras) => keras,
            Architecture::Torch(torch) => return torch::surgery::layer_before_head(self, torch),
        };
        let has_weights = |layer: &LayerNode| {
            let inside = format!("{}/", layer.name);
            self.weights.iter().any(|weight| weight.name.starts_with(&inside))
        };
        match keras.kind {
            Kind::Sequential => {
                let head = keras.layers.iter().rposition(has_weights)?;
                Some(keras.layers[head.checked_sub(1)?].name.clone())
            }
            Kind::Functional => {
                let outputs = keras.outputs.tensors();
                let [output] = outputs.as_slice() else { return None };
                let mut at = **output;
                loop {
                    let layer = &keras.layers[at.layer];
                    let inputs = layer.calls.get(at.call)?.tensors();
                    let [input] = inputs.as_slice() else { return None };
                    if has_weights(layer) {
                        return Some(keras.layers[input.layer].name.clone());
                    }
                    at = **input;
                }
            }
        }
    }

    /// Makes every layer that `pattern` matches trainable or not, with all layers inside it. Making a layer trainable makes
    /// the models around it trainable too. The flags are saved with the model. Returns how many layers matched.
    ///
    /// # Errors
    /// If no layer matches.
    pub fn set_trainable(&mut self, pattern: &str, trainable: bool) -> Result<usize> {
        let matched = match &mut self.architecture {
            Architecture::Keras(keras) => mark(keras, "", trainable, &mut |path| matches(pattern, path)),
            Architecture::Torch(_) => {
                torch::surgery::mark(&mut self.weights, trainable, |layer| torch::surgery::matches(pattern, layer))
            }
        };
        if matched == 0 {
            return Err(self.no_such_layer(pattern));
        }
        self.refresh()?;
        Ok(matched)
    }

    /// Freezes all layers from the input up to and including the layer at the path `layer`. Returns how many were frozen.
    ///
    /// # Errors
    /// If there is no such layer.
    pub fn freeze_up_to(&mut self, layer: &str) -> Result<usize> {
        let (paths, last) = self.paths_up_to(layer)?;
        // A model that reaches beyond the layer stays trainable; its layers before it do not.
        let frozen: Vec<&String> = paths[..=last]
            .iter()
            .filter(|path| !paths[last + 1..].iter().any(|later| later.starts_with(&format!("{path}/"))))
            .collect();
        let count = frozen.len();
        let is_frozen = |path: &str| frozen.iter().any(|frozen| *frozen == path);
        match &mut self.architecture {
            Architecture::Keras(keras) => mark(keras, "", false, &mut |path| is_frozen(path)),
            Architecture::Torch(_) => torch::surgery::mark(&mut self.weights, false, is_frozen),
        };
        self.refresh()?;
        Ok(count)
    }

    /// For each weight whether its layer is one of those from the input up to and including the layer at the path `layer`.
    ///
    /// # Errors
    /// If there is no such layer.
    pub fn weights_up_to(&self, layer: &str) -> Result<Vec<bool>> {
        let (paths, last) = self.paths_up_to(layer)?;
        Ok(self.weights.iter().map(|weight| paths[..=last].contains(&weight.layer)).collect())
    }

    /// The paths of all layers, and the place of the last that belongs to `layer`.
    fn paths_up_to(&self, layer: &str) -> Result<(Vec<String>, usize)> {
        let paths: Vec<String> = self.layers().into_iter().map(|summary| summary.path).collect();
        let is_torch = matches!(self.architecture, Architecture::Torch(_));
        let inside = format!("{layer}/");
        let last = paths.iter().rposition(|path| {
            path == layer || path.starts_with(&inside) || is_torch && torch::surgery::matches(layer, path)
        });
        let last = last.ok_or_else(|| self.no_such_layer(layer))?;
        Ok((paths, last))
    }

    /// Numbers of the weights from input to output in the groups that layer-wise learning rates and gradual unfreezing go by.
    /// For networks with PyTorch's names those of [`Structure::groups`](crate::Structure::groups). For models of Keras a layer with
    /// a kernel begins a group, and layers without one (normalizations, PReLU) belong to that before them.
    pub fn layer_groups(&self) -> Vec<Vec<usize>> {
        if let Some(structure) = self.structure() {
            let number = |name: &String| self.weights.iter().position(|weight| weight.name == *name);
            return structure.groups.iter().map(|group| group.iter().filter_map(number).collect()).collect();
        }
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (index, weight) in self.weights.iter().enumerate() {
            // Weights of adapters are listed last, but belong to their layers.
            let own = groups.iter().position(|group| group.iter().any(|&w| self.weights[w].layer == weight.layer));
            let has_kernel = self.weights.iter().any(|w| w.layer == weight.layer && w.value.shape().len() > 1);
            match own {
                Some(own) => groups[own].push(index),
                None if has_kernel || groups.is_empty() => groups.push(vec![index]),
                None => groups.last_mut().expect("there is one").push(index),
            }
        }
        groups
    }

    /// For each weight the factor of its learning rate where rates decay by layer: `decay` to the power of its distance from the
    /// last of [`Model::layer_groups`], the head.
    pub fn layer_scales(&self, decay: f64) -> Vec<f64> {
        let mut scales = vec![1.0; self.weights.len()];
        let groups = self.layer_groups();
        for (distance, group) in groups.iter().rev().enumerate() {
            group.iter().for_each(|&weight| scales[weight] = decay.powi(distance.try_into().unwrap_or(i32::MAX)));
        }
        scales
    }

    /// Puts the weights of every layer that `pattern` matches into a parameter group, which has its own learning rate and
    /// decay. Returns how many weights that are.
    ///
    /// # Errors
    /// If no layer matches.
    pub fn set_group(&mut self, pattern: &str, group: usize) -> Result<usize> {
        let mut count = 0;
        let is_torch = matches!(self.architecture, Architecture::Torch(_));
        for weight in &mut self.weights {
            // A pattern for a model holds for the layers inside it.
            let mut layer = weight.layer.as_str();
            let matched = loop {
                if is_torch && torch::surgery::matches(pattern, layer) || matches(pattern, layer) {
                    break true;
                }
                match layer.rsplit_once('/') {
                    Some((outer, _)) => layer = outer,
                    None => break false,
                }
            };
            if matched {
                weight.group = group;
                count += 1;
            }
        }
        if count == 0 { Err(self.no_such_layer(pattern)) } else { Ok(count) }
    }

    fn no_such_layer(&self, pattern: &str) -> ModelError {
        let layers = self.layers();
        let nearest = nearest(pattern, layers.iter().map(|layer| layer.path.as_str()));
        ModelError::NoSuchLayer { pattern: pattern.to_owned(), nearest }
    }

    /// The weights by the name that they have if `prefix` comes before it.
    fn kept(&self, prefix: &str) -> Kept {
        self.weights.iter().map(|w| (format!("{prefix}{}", w.name), (w.value.clone(), w.group))).collect()
    }

    fn rebuilt(&self, keras: KerasModel, mut kept: Kept, seed: u64) -> Result<Model> {
        let mut model = Model::of(Architecture::Keras(Box::new(keras)), Vec::new(), self.metadata.clone());
        model.integer_inputs = self.integer_inputs.clone();
        let mut groups = Vec::new();
        model.collect(&mut |declared, index| match kept.remove(&declared.name) {
            Some((value, group)) if value.shape() == declared.shape => {
                groups.push(group);
                value
            }
            _ => {
                groups.push(0);
                fresh(declared, index, seed)
            }
        })?;
        for (weight, group) in model.weights.iter_mut().zip(groups) {
            weight.group = group;
        }
        Ok(model)
    }

    /// Brings the weights' flags up to date with the architecture.
    fn refresh(&mut self) -> Result<()> {
        if let Architecture::Keras(keras) = &self.architecture {
            let mut refreshed = self.rebuilt((**keras).clone(), self.kept(""), 0)?;
            // The layers' own weights come first, those of adapters behind them.
            refreshed.weights.extend(self.weights.drain(..).skip(refreshed.weights.len()));
            refreshed.adapters = std::mem::take(&mut self.adapters);
            *self = refreshed;
        }
        Ok(())
    }

    /// This model with other names of its labels, in the order of the outputs; all weights stay.
    ///
    /// # Errors
    /// If the model has another number of labels, or none.
    pub fn with_labels(&self, names: Vec<String>) -> Result<Model> {
        let mut model = self.clone();
        let labels = match &mut model.architecture {
            Architecture::Torch(torch) => match &mut torch.task {
                Task::Classification { labels }
                | Task::MultiLabel { labels }
                | Task::TokenClassification { labels } => Some(labels),
                Task::Regression { .. } | Task::Embedding { .. } | Task::Similarity { .. } => None,
            },
            Architecture::Keras(_) => None,
        };
        match labels {
            Some(labels) if labels.len() == names.len() => *labels = names,
            _ => {
                return Err(ModelError::Surgery {
                    what: format!("the model has not {} labels that could be named", names.len()),
                    hint: "give it a head for them by a new task".to_owned(),
                });
            }
        }
        Ok(model)
    }

    /// This model with another head for texts: on rows pooled so, or with `None` the architecture's own. The head is drawn from
    /// `seed` where that is another than before. A model that gives vectors of texts pools them so from now on.
    ///
    /// # Errors
    /// For models that take no texts.
    pub fn with_pooling(&self, pooling: Option<Pooling>, seed: u64) -> Result<Model> {
        match &self.architecture {
            Architecture::Torch(torch) if torch.family.max_tokens().is_some() => {
                torch::surgery::with_pooling(self, torch, pooling, seed)
            }
            _ => Err(ModelError::WrongKind {
                what: "another pooling of tokens",
                hint: "only encoders of texts have one; leave it out",
            }),
        }
    }

    /// This model for another task: the base keeps its weights; the head is drawn from `seed` where the task or its labels
    /// are others than before.
    ///
    /// # Errors
    /// For models of Keras, whose heads are layers ([`Model::replace_head`]).
    pub fn with_task(&self, task: Task, seed: u64) -> Result<Model> {
        match &self.architecture {
            Architecture::Torch(torch) => torch::surgery::with_task(self, torch, task, seed),
            Architecture::Keras(_) => Err(ModelError::WrongKind {
                what: "another task",
                hint: "give a model of Keras a new head instead, by its layers",
            }),
        }
    }
}

fn surgery(what: String, hint: &str) -> ModelError {
    ModelError::Surgery { what, hint: hint.to_owned() }
}

fn node(config: &LayerConfig, name: &str) -> Result<LayerNode> {
    LayerNode::read(&config.describe(name), "", &std::cell::RefCell::default())
}

/// Sets the flag of all layers for which `is_matched` holds, and of all inside them.
fn mark(model: &mut KerasModel, path: &str, trainable: bool, is_matched: &mut dyn FnMut(&str) -> bool) -> usize {
    let mut count = 0;
    for layer in &mut model.layers {
        let path = join(path, &layer.name);
        let whole = is_matched(&path);
        let mut inside = 0;
        if let Layer::Model(inner) = &mut layer.layer {
            inside = mark(inner, &path, trainable, &mut |path| whole || is_matched(path));
            if whole || (trainable && inside > 0) {
                inner.trainable = trainable;
            }
        }
        if whole || (trainable && inside > 0) {
            layer.trainable = trainable;
        }
        count += if whole { 1 } else { inside };
    }
    count
}

/// Whether a pattern matches a path or its last part.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    glob(pattern.as_bytes(), path.as_bytes()) || glob(pattern.as_bytes(), name.as_bytes())
}

/// `*` stands for any bytes, `?` for one; on a mismatch the last `*` takes one byte more.
pub(crate) fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == b'*' {
            star = Some((p, t));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == b'?' || pattern[p] == text[t]) {
            p += 1;
            t += 1;
        } else if let Some((at, taken)) = star {
            star = Some((at, taken + 1));
            p = at + 1;
            t = taken + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_paths_and_names() {
        for (pattern, path, expected) in [
            ("conv*", "conv2d_1", true),
            ("conv*", "base/conv2d_1", true),
            ("base/*", "base/conv2d_1", true),
            ("*_1", "base/conv2d_1", true),
            ("dense?", "dense1", true),
            ("dense", "dense_1", false),
            ("b*v*d_1", "base/conv2d_1", true),
            ("conv*x", "conv2d", false),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }
}

//! A description in Keras 3's form → [`KerasModel`].

use std::cell::RefCell;
use std::collections::HashMap;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::calls::{Argument, Arguments, TensorRef};
use super::fields::Fields;
use super::layers::Layer;
use super::order::{self, Order};
use super::values::excerpt;
use crate::error::{ModelError, Result};
use crate::report::Note;

/// How many models may stand inside each other.
const MAX_DEPTH: usize = 32;

/// Whether layers follow each other or are connected freely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Each layer takes what the one before gives.
    Sequential,
    /// Each layer says what it is called on.
    Functional,
}

/// A model: layers and how they are connected.
#[derive(Debug, Clone)]
pub(crate) struct KerasModel {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) trainable: bool,
    /// The layers; of functional models in the order that Keras derives from the connections.
    pub(crate) layers: Vec<LayerNode>,
    /// Outputs of input layers, as the model's author arranged them.
    pub(crate) inputs: Argument<TensorRef>,
    /// The model's outputs, as its author arranged them.
    pub(crate) outputs: Argument<TensorRef>,
    /// Shape of the input of a Sequential model without an input layer, the batch among its sizes.
    pub(crate) build_input_shape: Option<Vec<Option<usize>>>,
    /// `(layer, call)` in the order in which Keras runs them, input layers left out.
    pub(crate) execution: Vec<(usize, usize)>,
}

/// A layer of a model.
#[derive(Debug, Clone)]
pub(crate) struct LayerNode {
    pub(crate) name: String,
    pub(crate) class: String,
    /// The Python module that Keras finds the class in.
    pub(crate) module: String,
    pub(crate) trainable: bool,
    /// The attributes in Keras 3's form, as they are written again.
    pub(crate) config: Map<String, Value>,
    pub(crate) layer: Layer,
    /// What it is called on, each time; empty in Sequential models.
    pub(crate) calls: Vec<Arguments<TensorRef>>,
}

/// A reference as descriptions spell it: name of the layer, index of the call, index of the output.
type RawRef = (String, usize, usize);

/// An error about the description at `place`.
pub(crate) fn damaged(place: &str, expected: &str, found: Option<&Value>) -> ModelError {
    let found = found.map_or_else(|| "nothing".to_owned(), excerpt);
    ModelError::Description { place: place.to_owned(), expected: expected.to_owned(), found }
}

impl KerasModel {
    /// Reads a model's description.
    pub(crate) fn read(value: &Value, notes: &RefCell<Vec<Note>>) -> Result<KerasModel> {
        KerasModel::read_at(value, "", notes)
    }

    /// Reads the description of a model that stands in the model at `path` (empty for the outermost).
    pub(crate) fn read_at(value: &Value, path: &str, notes: &RefCell<Vec<Note>>) -> Result<KerasModel> {
        let place = if path.is_empty() { "the model" } else { path };
        if path.split('/').count() > MAX_DEPTH {
            return Err(damaged(place, "at most 32 models inside each other", None));
        }
        let class = class_name(value, place)?;
        let kind = match class {
            "Sequential" => Kind::Sequential,
            "Functional" => Kind::Functional,
            _ => {
                return Err(ModelError::Unsupported {
                    layer: place.to_owned(),
                    class: class.to_owned(),
                    what: "a model of a custom class".to_owned(),
                    hint: "its computation is Python code, which is never run; rebuild it with Keras's functional API and \
                           save it again"
                        .to_owned(),
                });
            }
        };
        let config = value.get("config").and_then(Value::as_object);
        let config = config.ok_or_else(|| damaged(place, "an object `config`", value.get("config")))?;
        let list = config.get("layers").and_then(Value::as_array);
        let list = list.ok_or_else(|| damaged(place, "a list `layers`", config.get("layers")))?;
        let mut layers =
            list.iter().map(|layer| LayerNode::read(layer, path, notes)).collect::<Result<Vec<LayerNode>>>()?;
        let mut index = IndexMap::new();
        for (i, layer) in layers.iter().enumerate() {
            if index.insert(layer.name.clone(), i).is_some() {
                return Err(damaged(place, "layers of different names", Some(&Value::from(layer.name.as_str()))));
            }
        }
        let name = config.get("name").and_then(Value::as_str).unwrap_or("model").to_owned();
        let trainable = config.get("trainable").and_then(Value::as_bool).unwrap_or(true);
        let empty = || Argument::List(Vec::new());
        let mut model = match kind {
            Kind::Sequential => KerasModel {
                name,
                kind,
                trainable,
                layers,
                inputs: empty(),
                outputs: empty(),
                build_input_shape: config.get("build_input_shape").and_then(shape),
                execution: Vec::new(),
            },
            Kind::Functional => {
                let references = References::read(config, list, &layers, place)?;
                let resolve = |raw: &RawRef, output: bool| references.resolve(raw, output, &index, &layers, place);
                let calls = references
                    .calls
                    .iter()
                    .map(|calls| calls.iter().map(|call| try_map(call, |raw| resolve(raw, false))).collect())
                    .collect::<Result<Vec<Vec<_>>>>()?;
                let inputs = try_map_argument(&references.inputs, |raw| resolve(raw, true))?;
                let outputs = try_map_argument(&references.outputs, |raw| resolve(raw, true))?;
                for (layer, calls) in layers.iter_mut().zip(calls) {
                    layer.calls = calls;
                }
                KerasModel {
                    name,
                    kind,
                    trainable,
                    layers,
                    inputs,
                    outputs,
                    build_input_shape: None,
                    execution: Vec::new(),
                }
            }
        };
        model.arrange(place)?;
        Ok(model)
    }

    /// Brings layers into Keras's order and finds the order of calls, after the connections have changed.
    pub(crate) fn arrange(&mut self, place: &str) -> Result<()> {
        if self.kind == Kind::Sequential {
            return Ok(());
        }
        let Order { layers, calls } = order::keras_order(self, place)?;
        let mut position = vec![usize::MAX; self.layers.len()];
        for (new, &old) in layers.iter().enumerate() {
            position[old] = new;
        }
        let mut moved: Vec<Option<LayerNode>> = self.layers.drain(..).map(Some).collect();
        self.layers = layers.iter().filter_map(|&old| moved[old].take()).collect();
        // Calls that no output depends on any more are left out, so the others move up.
        let mut call_numbers: HashMap<(usize, usize), usize> = HashMap::new();
        let mut sorted = calls.clone();
        sorted.sort_unstable();
        for (layer, call) in sorted {
            let number = call_numbers.keys().filter(|known| known.0 == layer).count();
            call_numbers.insert((layer, call), number);
        }
        let mut renumber = |r: &TensorRef| TensorRef {
            layer: position[r.layer],
            call: call_numbers.get(&(r.layer, r.call)).copied().unwrap_or(0),
            tensor: r.tensor,
        };
        for (layer, &old) in self.layers.iter_mut().zip(&layers) {
            let calls = std::mem::take(&mut layer.calls).into_iter().enumerate();
            let kept = calls.filter(|(call, _)| call_numbers.contains_key(&(old, *call)));
            layer.calls = kept.map(|(_, call)| call.map(&mut renumber)).collect();
        }
        self.inputs = self.inputs.map(&mut renumber);
        self.outputs = self.outputs.map(&mut renumber);
        self.execution = calls.iter().map(|key| (position[key.0], call_numbers[key])).collect();
        Ok(())
    }
}

/// The class of a described object.
pub(crate) fn class_name<'a>(value: &'a Value, place: &str) -> Result<&'a str> {
    let class = value.get("class_name").and_then(Value::as_str);
    class.ok_or_else(|| damaged(place, "an object with `class_name` and `config`", Some(value)))
}

/// A shape with unknown sizes: `[null, 32, 32, 3]`.
pub(crate) fn shape(value: &Value) -> Option<Vec<Option<usize>>> {
    value
        .as_array()?
        .iter()
        .map(|size| if size.is_null() { Some(None) } else { size.as_u64().map(|n| usize::try_from(n).ok()) })
        .collect()
}

/// `path/name`.
pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

impl LayerNode {
    /// Reads the layer that `value` describes, in the model at `path`.
    pub(crate) fn read(value: &Value, path: &str, notes: &RefCell<Vec<Note>>) -> Result<LayerNode> {
        let place = if path.is_empty() { "the model" } else { path };
        let class = class_name(value, place)?;
        let config = value.get("config").and_then(Value::as_object);
        let config = config.ok_or_else(|| damaged(place, "layers with an object `config`", Some(value)))?;
        let name = value.get("name").or_else(|| config.get("name")).and_then(Value::as_str);
        let name = name.ok_or_else(|| damaged(place, "layers with a `name`", Some(value)))?;
        let layer_path = join(path, name);
        let module = value.get("module").and_then(Value::as_str).unwrap_or("keras.layers");
        let fields = Fields::new(&layer_path, class, config, notes);
        let registered = value.get("registered_name").and_then(Value::as_str).unwrap_or(class);
        let own = module.split('.').next() == Some("keras");
        if !own || registered.contains('>') {
            return Err(fields.unsupported(
                "a custom layer",
                "its computation is Python code, which is never run; build the network from Keras's own layers and save it \
                 again",
            ));
        }
        let layer = Layer::read(class, module, value, fields)?;
        Ok(LayerNode {
            name: name.to_owned(),
            class: class.to_owned(),
            module: module.to_owned(),
            trainable: config.get("trainable").and_then(Value::as_bool).unwrap_or(true),
            config: config.clone(),
            layer,
            calls: Vec::new(),
        })
    }
}

/// The connections of a functional model as they are spelled.
struct References {
    /// Calls of each layer.
    calls: Vec<Vec<Arguments<RawRef>>>,
    inputs: Argument<RawRef>,
    outputs: Argument<RawRef>,
    /// The smallest and largest call index by which each layer's outputs are used by other layers.
    range: IndexMap<String, (usize, usize)>,
}

impl References {
    fn read(config: &Map<String, Value>, list: &[Value], layers: &[LayerNode], place: &str) -> Result<References> {
        let mut calls = Vec::with_capacity(list.len());
        for (value, layer) in list.iter().zip(layers) {
            let nodes = value.get("inbound_nodes").and_then(Value::as_array);
            let at = || join(place, &layer.name);
            let nodes = nodes.ok_or_else(|| damaged(&at(), "a list `inbound_nodes`", value.get("inbound_nodes")))?;
            calls.push(nodes.iter().map(|node| call(node, &at())).collect::<Result<Vec<_>>>()?);
        }
        let ends = |key: &str| {
            let value = config.get(key).ok_or_else(|| damaged(place, &format!("`{key}`"), None))?;
            end(value).ok_or_else(|| damaged(place, &format!("references to layers in `{key}`"), Some(value)))
        };
        let (inputs, outputs) = (ends("input_layers")?, ends("output_layers")?);
        let mut range: IndexMap<String, (usize, usize)> = IndexMap::new();
        for (name, call, _) in calls.iter().flatten().flat_map(Arguments::all_tensors) {
            let entry = range.entry(name.clone()).or_insert((*call, *call));
            *entry = (entry.0.min(*call), entry.1.max(*call));
        }
        Ok(References { calls, inputs, outputs, range })
    }

    /// Where a reference points. Calls of models inside a model were numbered from 1 by Keras 1 and 2 everywhere, and are
    /// by Keras 3 in `output_layers` only; all others from 0.
    fn resolve(
        &self,
        (name, call, tensor): &RawRef,
        is_output: bool,
        index: &IndexMap<String, usize>,
        layers: &[LayerNode],
        place: &str,
    ) -> Result<TensorRef> {
        let unknown = || damaged(place, "references to existing layers", Some(&Value::from(name.as_str())));
        let &layer = index.get(name).ok_or_else(unknown)?;
        let node = &layers[layer];
        let count = if matches!(node.layer, Layer::Input(_)) { 1 } else { self.calls[layer].len() };
        let mut first = 0;
        if matches!(node.layer, Layer::Model(_)) {
            let counted_from_one = self.range.get(name).map(|&(low, high)| low >= 1 && high >= count);
            let from_one = match counted_from_one {
                Some(true) => true,
                _ if is_output => node.class == "Functional" || *call >= count,
                _ => false,
            };
            first = usize::from(from_one);
        }
        let call = call.checked_sub(first).filter(|&call| call < count).ok_or_else(|| {
            damaged(place, "references to existing calls of layers", Some(&Value::from(format!("{name}, {call}"))))
        })?;
        Ok(TensorRef { layer, call, tensor: *tensor })
    }
}

/// One inbound node: `{"args": […], "kwargs": {…}}`.
fn call(node: &Value, place: &str) -> Result<Arguments<RawRef>> {
    let wrong = || damaged(place, "inbound nodes with `args` and `kwargs`", Some(node));
    let args = node.get("args").and_then(Value::as_array).ok_or_else(wrong)?;
    let kwargs = node.get("kwargs").and_then(Value::as_object).ok_or_else(wrong)?;
    Ok(Arguments {
        positional: args.iter().map(argument).collect(),
        named: kwargs.iter().map(|(name, value)| (name.clone(), argument(value))).collect(),
    })
}

fn argument(value: &Value) -> Argument<RawRef> {
    match value {
        Value::Object(object) if object.get("class_name").is_some_and(|class| class == "__keras_tensor__") => {
            let history = object.get("config").and_then(|config| config.get("keras_history"));
            match history.and_then(reference) {
                Some(raw) => Argument::Tensor(raw),
                None => Argument::Constant(value.clone()),
            }
        }
        Value::Object(object) if object.get("class_name").is_some_and(|class| class == "__tuple__") => {
            argument(object.get("items").unwrap_or(&Value::Null))
        }
        Value::Object(object) if !object.contains_key("class_name") => {
            Argument::Map(object.iter().map(|(name, item)| (name.clone(), argument(item))).collect())
        }
        Value::Array(items) => Argument::List(items.iter().map(argument).collect()),
        other => Argument::Constant(other.clone()),
    }
}

/// `["conv2d", 0, 0]`.
pub(crate) fn reference(value: &Value) -> Option<RawRef> {
    let [name, call, tensor] = value.as_array()?.as_slice() else { return None };
    let number = |value: &Value| value.as_u64().and_then(|n| usize::try_from(n).ok());
    Some((name.as_str()?.to_owned(), number(call)?, number(tensor)?))
}

/// The structure of `input_layers` and `output_layers`.
fn end(value: &Value) -> Option<Argument<RawRef>> {
    if let Some(raw) = reference(value) {
        return Some(Argument::Tensor(raw));
    }
    match value {
        Value::Array(items) => items.iter().map(end).collect::<Option<Vec<_>>>().map(Argument::List),
        Value::Object(items) => items
            .iter()
            .map(|(name, item)| Some((name.clone(), end(item)?)))
            .collect::<Option<Vec<_>>>()
            .map(Argument::Map),
        _ => None,
    }
}

fn try_map<T, U: Copy + Default>(call: &Arguments<T>, f: impl Fn(&T) -> Result<U>) -> Result<Arguments<U>> {
    let mut failed = None;
    let mapped = call.map(&mut |tensor| {
        f(tensor).unwrap_or_else(|error| {
            failed.get_or_insert(error);
            U::default()
        })
    });
    failed.map_or(Ok(mapped), Err)
}

fn try_map_argument<T, U: Copy + Default>(argument: &Argument<T>, f: impl Fn(&T) -> Result<U>) -> Result<Argument<U>> {
    let mut failed = None;
    let mapped = argument.map(&mut |tensor| {
        f(tensor).unwrap_or_else(|error| {
            failed.get_or_insert(error);
            U::default()
        })
    });
    failed.map_or(Ok(mapped), Err)
}

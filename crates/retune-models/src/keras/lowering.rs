//! A [`KerasModel`] → graph nodes.
//!
//! Layers say what weights they need while they append their nodes; the first pass over a model collects the weights, and
//! every later one finds them again by name. So the shapes of weights are stated once, where they are used.

use std::collections::{BTreeSet, HashMap};

use indexmap::IndexMap;
use retune_graph::ops::elementwise::Cast;
use retune_graph::ops::{Binary, Unary};
use retune_graph::{DType, Dim, Graph, NodeId, Op, Role, Shape, WeightId, WeightInfo};
use serde_json::Value as Json;

use super::calls::{Argument, Arguments};
use super::config::{KerasModel, Kind, LayerNode, join};
use super::layers::dense::WeightOptions;
use super::layers::{Layer, MaskRule};
use crate::error::{ModelError, Result};
use crate::network::Mode;
use crate::weight::Weight;

/// A tensor between layers: its node, and its mask (1 where a step counts, else 0), which travels with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) node: NodeId,
    pub(crate) mask: Option<NodeId>,
}

impl From<NodeId> for Value {
    fn from(node: NodeId) -> Value {
        Value { node, mask: None }
    }
}

/// What a layer says about a weight that it needs.
pub(crate) struct WeightSpec<'a> {
    pub(crate) name: &'a str,
    pub(crate) shape: &'a [usize],
    pub(crate) options: &'a WeightOptions,
    pub(crate) kind: WeightKind,
}

/// What training does to a weight of a trainable layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WeightKind {
    /// Changed by the optimizer, with weight decay.
    Kernel,
    /// Changed by the optimizer, without weight decay: biases, scales and shifts.
    NoDecay,
    /// Follows the data.
    Statistic,
    /// Never changes.
    Fixed,
    /// Never changes, and is an integer in files.
    FixedInteger,
}

/// A weight that a layer declared in the collecting pass.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) trainable: bool,
    pub(crate) kind: WeightKind,
    pub(crate) options: WeightOptions,
    pub(crate) layer: String,
    pub(crate) keras_path: String,
    /// Indices of the models' layers from the outermost inwards: the order of weights in the model.
    pub(crate) order: Vec<usize>,
}

/// What a pass found out about one layer.
#[derive(Debug, Clone)]
pub(crate) struct LayerShape {
    /// Path of the layer.
    pub(crate) layer: String,
    /// Shape of the first output of its first call.
    pub(crate) shape: Shape,
}

/// The weights of a pass: those found again by name, and those declared in it.
enum Weights {
    Collecting(Vec<Declared>),
    Known,
}

/// Where the pass is: which layer is being lowered.
#[derive(Default)]
struct Scope {
    /// Names of the models around the layer and its own.
    layer: String,
    class: String,
    /// Names that weights are called by: the layer's path, and those of layers inside it.
    names: Vec<String>,
    /// Path of the current object in files of Keras 3.
    files: Vec<String>,
    order: Vec<usize>,
    trainable: bool,
    training: bool,
}

/// A pass over a model that appends its nodes to a graph.
pub(crate) struct Lowering<'a> {
    pub(crate) graph: Graph,
    mode: Mode,
    weights: Weights,
    nodes: HashMap<String, (WeightId, NodeId)>,
    scope: Scope,
    streams: u32,
    updates: IndexMap<WeightId, NodeId>,
    shapes: Vec<LayerShape>,
    /// Names of inputs that are declared as floating-point but hold indices.
    integer_inputs: &'a BTreeSet<String>,
    /// Inputs found out to hold indices in this pass.
    pub(crate) found_integer_inputs: BTreeSet<String>,
}

impl<'a> Lowering<'a> {
    fn start(mode: Mode, weights: Weights, integer_inputs: &'a BTreeSet<String>) -> Lowering<'a> {
        Lowering {
            graph: Graph::new(),
            mode,
            weights,
            nodes: HashMap::new(),
            scope: Scope { trainable: true, training: mode == Mode::Training, ..Scope::default() },
            streams: 0,
            updates: IndexMap::new(),
            shapes: Vec::new(),
            integer_inputs,
            found_integer_inputs: BTreeSet::new(),
        }
    }

    /// A pass that collects the weights.
    pub(crate) fn collecting(integer_inputs: &'a BTreeSet<String>) -> Lowering<'a> {
        Lowering::start(Mode::Inference, Weights::Collecting(Vec::new()), integer_inputs)
    }

    /// A pass over known weights; weight `i` of the graph is `weights[i]`.
    pub(crate) fn with_weights(mode: Mode, weights: &[Weight], integer_inputs: &'a BTreeSet<String>) -> Lowering<'a> {
        let mut lowering = Lowering::start(mode, Weights::Known, integer_inputs);
        for weight in weights {
            lowering.graph.enter_layer(&weight.layer);
            let shape = Shape::fixed(weight.value.shape());
            let info = WeightInfo { name: weight.name.clone(), shape, role: weight.role(mode), decays: weight.decays };
            let ids = lowering.graph.weight(info);
            lowering.nodes.insert(weight.name.clone(), ids);
        }
        lowering
    }

    /// The declared weights in the model's order, and the shapes of all layers' outputs.
    pub(crate) fn collected(self) -> (Vec<Declared>, Vec<LayerShape>) {
        let mut declared = match self.weights {
            Weights::Collecting(declared) => declared,
            Weights::Known => Vec::new(),
        };
        declared.sort_by(|a, b| a.order.cmp(&b.order));
        (declared, self.shapes)
    }

    /// The graph, and the new values of statistics.
    pub(crate) fn finish(self) -> (Graph, Vec<(WeightId, NodeId)>) {
        (self.graph, self.updates.into_iter().collect())
    }

    /// Whether the current layer is in training: the network is, and the call does not say otherwise.
    pub(crate) fn is_training(&self) -> bool {
        self.scope.training
    }

    /// Whether this run lets a statistic follow the data.
    pub(crate) fn moves(&self, id: WeightId) -> bool {
        self.graph.weight_info(id).role == Role::Statistic
    }

    /// A number for a stream of random numbers that nothing else uses.
    pub(crate) fn stream(&mut self) -> u32 {
        self.streams += 1;
        self.streams - 1
    }

    /// An error: `what` of the current layer is not supported.
    pub(crate) fn unsupported(&self, what: impl Into<String>, hint: impl Into<String>) -> ModelError {
        ModelError::Unsupported {
            layer: self.scope.layer.clone(),
            class: self.scope.class.clone(),
            what: what.into(),
            hint: hint.into(),
        }
    }

    /// An error: the current layer was called with the wrong inputs.
    pub(crate) fn wrong_inputs(&self, expected: impl Into<String>, found: impl Into<String>) -> ModelError {
        ModelError::Inputs {
            layer: self.scope.layer.clone(),
            class: self.scope.class.clone(),
            expected: expected.into(),
            found: found.into(),
        }
    }

    /// The weight of the current layer that `spec` describes.
    pub(crate) fn weight(&mut self, spec: WeightSpec<'_>) -> Result<NodeId> {
        self.weight_ids(spec).map(|(_, node)| node)
    }

    /// The same with its id, for statistics.
    pub(crate) fn weight_ids(&mut self, spec: WeightSpec<'_>) -> Result<(WeightId, NodeId)> {
        let name = format!("{}/{}", self.scope.names.join("/"), spec.name);
        if let Some(&(id, node)) = self.nodes.get(&name) {
            let shape = self.graph.shape(node).clone();
            if shape != Shape::fixed(spec.shape) {
                return Err(self.wrong_inputs(
                    format!("inputs for which `{}` is {shape}, as at the layer's first call", spec.name),
                    format!("inputs for which it is {:?}", spec.shape),
                ));
            }
            return Ok((id, node));
        }
        let Weights::Collecting(declared) = &mut self.weights else {
            return Err(self.wrong_inputs("a layer whose weights are known", format!("the new weight `{name}`")));
        };
        let file = self.scope.files.join("/");
        let vars = format!("{file}/vars/");
        let number = declared.iter().filter(|d| d.keras_path.starts_with(&vars)).count();
        declared.push(Declared {
            name: name.clone(),
            shape: spec.shape.to_vec(),
            trainable: self.scope.trainable,
            kind: spec.kind,
            options: spec.options.clone(),
            layer: self.scope.layer.clone(),
            keras_path: format!("{vars}{number}"),
            order: self.scope.order.clone(),
        });
        let shape = Shape::fixed(spec.shape);
        let ids = self.graph.weight(WeightInfo { name: name.clone(), shape, role: Role::Frozen, decays: false });
        self.nodes.insert(name, ids);
        Ok(ids)
    }

    /// The newest value of a statistic: that of an earlier call of the same layer, or the weight.
    pub(crate) fn statistic(&self, (id, node): (WeightId, NodeId)) -> NodeId {
        self.updates.get(&id).copied().unwrap_or(node)
    }

    /// Gives a statistic a new value.
    pub(crate) fn update(&mut self, id: WeightId, node: NodeId) {
        self.updates.insert(id, node);
    }

    /// Lowers with `f` a part of the current layer: in files it is the attribute `attribute`, in names of weights `name`.
    pub(crate) fn part<T>(
        &mut self,
        attribute: &str,
        name: &str,
        f: impl FnOnce(&mut Lowering<'a>) -> Result<T>,
    ) -> Result<T> {
        self.scope.files.push(attribute.to_owned());
        self.scope.names.push(name.to_owned());
        let result = f(self);
        self.scope.files.pop();
        self.scope.names.pop();
        result
    }

    /// Calls the layer number `index` of the model that the pass is in.
    pub(crate) fn call(
        &mut self,
        index: usize,
        node: &LayerNode,
        file: &str,
        arguments: &Arguments<Value>,
    ) -> Result<Vec<Value>> {
        let outer_layer = std::mem::take(&mut self.scope.layer);
        let outer_class = std::mem::replace(&mut self.scope.class, node.class.clone());
        let outer = (self.scope.trainable, self.scope.training);
        self.scope.layer = join(&outer_layer, &node.name);
        self.scope.names.push(node.name.clone());
        self.scope.files.push(file.to_owned());
        self.scope.order.push(index);
        self.scope.trainable &= node.trainable;
        let path = self.scope.layer.clone();
        self.graph.enter_layer(&path);

        let result = self.call_inner(&node.layer, arguments);
        if let Ok(outputs) = &result
            && let Some(first) = outputs.first()
            && !self.shapes.iter().any(|known| known.layer == path)
        {
            self.shapes.push(LayerShape { layer: path, shape: self.graph.shape(first.node).clone() });
        }

        self.scope.order.pop();
        self.scope.files.pop();
        self.scope.names.pop();
        (self.scope.trainable, self.scope.training) = outer;
        self.scope.class = outer_class;
        self.scope.layer = outer_layer;
        let path = self.scope.layer.clone();
        self.graph.enter_layer(&path);
        result
    }

    /// Lowers a layer on its arguments in the current scope, and sets the masks of its outputs by its rule.
    pub(crate) fn call_inner(&mut self, layer: &Layer, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        match arguments.get("training") {
            Some(Argument::Constant(Json::Bool(false))) => self.scope.training = false,
            Some(Argument::Constant(Json::Bool(true))) if self.mode == Mode::Inference && layer.is_random() => {
                return Err(self.unsupported(
                    "a call with `training=True`, by which the finished network would be random,",
                    "call the layer without `training` and save the model again",
                ));
            }
            Some(Argument::Constant(Json::Bool(true))) => self.scope.training = true,
            _ => {}
        }
        let mut outputs = layer.lower(self, arguments)?;
        let first = arguments.tensors().first().map(|value| **value);
        match layer.mask_rule() {
            MaskRule::Keep => outputs.iter_mut().for_each(|output| output.mask = first.and_then(|value| value.mask)),
            MaskRule::Drop => outputs.iter_mut().for_each(|output| output.mask = None),
            MaskRule::Own => {}
        }
        Ok(outputs)
    }

    /// The mask of a call: that given by name, else that of the first input.
    pub(crate) fn mask(&mut self, arguments: &Arguments<Value>) -> Result<Option<NodeId>> {
        let given = arguments.get("mask").and_then(|mask| mask.tensors().first().map(|value| value.node));
        match given {
            Some(node) => self.float(node).map(Some),
            None => Ok(arguments.tensors().first().and_then(|value| value.mask)),
        }
    }

    /// The only tensor of a call, as `f32`.
    pub(crate) fn one(&mut self, arguments: &Arguments<Value>) -> Result<NodeId> {
        match arguments.tensors().as_slice() {
            [value] => self.float(value.node),
            other => Err(self.wrong_inputs("one input", format!("{} inputs", other.len()))),
        }
    }

    /// The only tensor of a call, which must have `rank` axes, with what these are called in messages.
    pub(crate) fn one_of_rank(&mut self, arguments: &Arguments<Value>, rank: usize, axes: &str) -> Result<NodeId> {
        let x = self.one(arguments)?;
        if self.graph.shape(x).rank() != rank {
            return Err(self.wrong_inputs(axes, self.graph.shape(x).to_string()));
        }
        Ok(x)
    }

    /// `node` as `f32`.
    pub(crate) fn float(&mut self, node: NodeId) -> Result<NodeId> {
        match self.graph.node(node).dtype {
            DType::F32 => Ok(node),
            DType::I32 => Ok(self.graph.push(Cast.into(), &[node])?),
        }
    }

    /// `node` as `i32`. Where it is an input that its description declares as floating-point (as Keras 2 did for inputs of
    /// Embedding), the pass notes that the input must be an integer and goes on.
    pub(crate) fn integer(&mut self, node: NodeId) -> Result<NodeId> {
        if self.graph.node(node).dtype == DType::I32 {
            return Ok(node);
        }
        let mut origin = node;
        while let Op::Reshape(_) | Op::Slice(_) | Op::Transpose(_) | Op::Reverse(_) = self.graph.node(origin).op {
            origin = self.graph.node(origin).inputs[0];
        }
        match &self.graph.node(origin).op {
            Op::Input(name) => {
                let (name, shape) = (name.clone(), self.graph.shape(node).clone());
                self.found_integer_inputs.insert(name);
                Ok(self.graph.input("", shape, DType::I32))
            }
            _ => Err(self.unsupported("computed indices", "give the indices as an input of the network")),
        }
    }

    /// An input of the network; `shape` has no batch axis.
    pub(crate) fn input(&mut self, name: &str, shape: &[usize], dtype: DType) -> NodeId {
        let dtype = if self.integer_inputs.contains(name) { DType::I32 } else { dtype };
        self.graph.input(name, Shape::batch_of(shape), dtype)
    }

    /// The size of an axis, which must be known.
    pub(crate) fn fixed(&self, node: NodeId, axis: usize) -> Result<usize> {
        let shape = self.graph.shape(node);
        let size = shape.dims().get(axis).and_then(|dim| dim.fixed());
        size.ok_or_else(|| self.wrong_inputs(format!("a known size of axis {axis}"), shape.to_string()))
    }

    /// The sizes of all axes from `from` on, which must be known.
    pub(crate) fn sizes_from(&self, node: NodeId, from: usize) -> Result<Vec<usize>> {
        (from..self.graph.shape(node).rank()).map(|axis| self.fixed(node, axis)).collect()
    }

    /// An axis counted from the end if negative.
    pub(crate) fn axis(&self, node: NodeId, axis: i64) -> Result<usize> {
        let rank = self.graph.shape(node).rank();
        let counted = if axis < 0 { axis + rank as i64 } else { axis };
        usize::try_from(counted).ok().filter(|&axis| axis < rank).ok_or_else(|| {
            self.wrong_inputs(format!("an input with an axis {axis}"), self.graph.shape(node).to_string())
        })
    }

    /// Several axes in ascending order, each once.
    pub(crate) fn axes(&self, node: NodeId, axes: &[i64]) -> Result<Vec<usize>> {
        let set = axes.iter().map(|&axis| self.axis(node, axis)).collect::<Result<BTreeSet<usize>>>()?;
        Ok(set.into_iter().collect())
    }

    /// `x` under a shape whose first axis is x's own.
    pub(crate) fn reshape_rows(&mut self, x: NodeId, sizes: &[usize]) -> Result<NodeId> {
        let shape: Shape =
            self.graph.shape(x).dims().iter().take(1).copied().chain(sizes.iter().map(|&n| Dim::Fixed(n))).collect();
        Ok(self.graph.reshape(x, shape)?)
    }

    /// `x` under a shape of known sizes.
    pub(crate) fn reshape_fixed(&mut self, x: NodeId, sizes: &[usize]) -> Result<NodeId> {
        Ok(self.graph.reshape(x, Shape::fixed(sizes))?)
    }

    /// A new axis of size 1 before axis `axis`.
    pub(crate) fn expand(&mut self, x: NodeId, axis: usize) -> Result<NodeId> {
        let mut dims = self.graph.shape(x).dims().to_vec();
        dims.insert(axis, Dim::Fixed(1));
        Ok(self.graph.reshape(x, Shape::new(dims))?)
    }

    /// `x` without axis `axis`, which has size 1.
    pub(crate) fn squeeze(&mut self, x: NodeId, axis: usize) -> Result<NodeId> {
        let mut dims = self.graph.shape(x).dims().to_vec();
        dims.remove(axis);
        Ok(self.graph.reshape(x, Shape::new(dims))?)
    }

    /// `x` where `mask` is 1, `other` where it is 0.
    pub(crate) fn select(&mut self, mask: NodeId, x: NodeId, other: NodeId) -> Result<NodeId> {
        let difference = self.graph.sub(x, other)?;
        let difference = self.graph.mul(difference, mask)?;
        Ok(self.graph.add(other, difference)?)
    }

    /// `x` where `mask` is 1, `value` where it is 0.
    pub(crate) fn select_or(&mut self, mask: NodeId, x: NodeId, value: f32) -> Result<NodeId> {
        let kept = self.graph.mul(x, mask)?;
        if value == 0.0 {
            return Ok(kept);
        }
        let filled = self.graph.affine(mask, -value, value)?;
        Ok(self.graph.add(kept, filled)?)
    }

    /// 1 where `x` differs from `value`, else 0.
    pub(crate) fn differs(&mut self, x: NodeId, value: f32) -> Result<NodeId> {
        let shape = self.graph.shape(x).clone();
        let constant = self.graph.fill(shape, value);
        let equal = self.graph.binary(Binary::Equal, x, constant)?;
        Ok(self.graph.affine(equal, -1.0, 1.0)?)
    }

    /// `1 / √(x + epsilon)`.
    pub(crate) fn rsqrt(&mut self, x: NodeId, epsilon: f32) -> Result<NodeId> {
        let x = self.graph.affine(x, 1.0, epsilon)?;
        Ok(self.graph.unary(Unary::Rsqrt, x)?)
    }

    /// `x` with axis `axis` moved to the end, and how to move it back.
    pub(crate) fn axis_last(&mut self, x: NodeId, axis: usize) -> Result<(NodeId, Vec<usize>)> {
        let rank = self.graph.shape(x).rank();
        let order: Vec<usize> = (0..rank).filter(|&a| a != axis).chain([axis]).collect();
        let mut back = vec![0; rank];
        for (i, &a) in order.iter().enumerate() {
            back[a] = i;
        }
        Ok((self.graph.transpose(x, &order)?, back))
    }
}

impl KerasModel {
    /// Calls every layer of the model on `inputs`: the model's outputs, flattened.
    pub(crate) fn lower(&self, b: &mut Lowering<'_>, inputs: &[Value]) -> Result<Vec<Value>> {
        let files = self.container_names();
        match self.kind {
            Kind::Sequential => {
                let mut values = inputs.to_vec();
                for (index, node) in self.layers.iter().enumerate() {
                    if !matches!(node.layer, Layer::Input(_)) {
                        values = b.call(index, node, &files[index], &Arguments::on(values))?;
                    }
                }
                Ok(values)
            }
            Kind::Functional => {
                let references = self.inputs.tensors();
                if references.len() != inputs.len() {
                    return Err(b.wrong_inputs(format!("{} inputs", references.len()), inputs.len().to_string()));
                }
                let mut results: HashMap<(usize, usize), Vec<Value>> = HashMap::new();
                for (reference, &value) in references.iter().zip(inputs) {
                    results.insert((reference.layer, 0), vec![value]);
                }
                let find =
                    |b: &Lowering<'_>, results: &HashMap<(usize, usize), Vec<Value>>, r: &super::calls::TensorRef| {
                        let value = results.get(&(r.layer, r.call)).and_then(|outputs| outputs.get(r.tensor).copied());
                        value.ok_or_else(|| {
                            let name = &self.layers[r.layer].name;
                            b.wrong_inputs(format!("output {} of call {} of layer `{name}`", r.tensor, r.call), "none")
                        })
                    };
                for &(layer, call) in &self.execution {
                    let node = &self.layers[layer];
                    let Some(references) = node.calls.get(call) else { continue };
                    let mut missing = None;
                    let arguments = references.map(&mut |r| match find(b, &results, r) {
                        Ok(value) => value,
                        Err(error) => {
                            missing.get_or_insert(error);
                            Value::from(NodeId(0))
                        }
                    });
                    if let Some(error) = missing {
                        return Err(error);
                    }
                    let outputs = b.call(layer, node, &files[layer], &arguments)?;
                    results.insert((layer, call), outputs);
                }
                self.outputs.tensors().into_iter().map(|r| find(b, &results, r)).collect()
            }
        }
    }

    /// The model's layers as files of Keras 3 name them: `layers/<class in snake case>`, numbered from the second of a
    /// class on. Input layers of Sequential models and operations that are no layers are not counted.
    pub(crate) fn container_names(&self) -> Vec<String> {
        let mut counts: HashMap<String, usize> = HashMap::new();
        self.layers
            .iter()
            .map(|node| {
                let hidden = self.kind == Kind::Sequential && matches!(node.layer, Layer::Input(_));
                if hidden || matches!(node.layer, Layer::Operation(_)) {
                    return String::new();
                }
                let class = snake_case(&node.class);
                let count = counts.entry(class.clone()).or_insert(0);
                *count += 1;
                if *count == 1 { format!("layers/{class}") } else { format!("layers/{class}_{}", *count - 1) }
            })
            .collect()
    }
}

/// `Conv2DTranspose` → `conv2d_transpose`, by Keras's two rules: an underscore before an upper-case letter that a lower-case
/// one follows, and between a lower-case and an upper-case letter.
pub(crate) fn snake_case(class: &str) -> String {
    let characters: Vec<char> = class.chars().filter(|c| c.is_alphanumeric() || *c == '_').collect();
    let mut first = String::new();
    // The first rule consumes what it matches, so a match starts only behind the one before.
    let mut i = 0;
    while i < characters.len() {
        let is_start = |at: usize| characters.get(at).is_some_and(char::is_ascii_uppercase);
        let lower = |at: usize| characters.get(at).is_some_and(char::is_ascii_lowercase);
        if is_start(i + 1) && lower(i + 2) {
            first.push(characters[i]);
            first.push('_');
            first.push(characters[i + 1]);
            i += 2;
            while lower(i) {
                first.push(characters[i]);
                i += 1;
            }
        } else {
            first.push(characters[i]);
            i += 1;
        }
    }
    let mut result = String::new();
    let mut before = '_';
    for c in first.chars() {
        if before.is_ascii_lowercase() && c.is_ascii_uppercase() {
            result.push('_');
        }
        result.push(c);
        before = c;
    }
    result.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::snake_case;

    #[test]
    fn classes_are_named_as_in_keras() {
        for (class, expected) in [
            ("Dense", "dense"),
            ("Conv2D", "conv2d"),
            ("Conv2DTranspose", "conv2d_transpose"),
            ("DepthwiseConv2D", "depthwise_conv2d"),
            ("GlobalAveragePooling2D", "global_average_pooling2d"),
            ("LSTM", "lstm"),
            ("SimpleRNN", "simple_rnn"),
            ("PReLU", "p_re_lu"),
            ("ReLU", "re_lu"),
            ("LeakyReLU", "leaky_re_lu"),
            ("RMSNormalization", "rms_normalization"),
            ("MultiHeadAttention", "multi_head_attention"),
            ("Functional", "functional"),
            ("ZeroPadding2D", "zero_padding2d"),
        ] {
            assert_eq!(snake_case(class), expected);
        }
    }
}

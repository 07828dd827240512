//! Layers around layers: Bidirectional and TimeDistributed.

use retune_graph::ops::Binary;
use retune_graph::{NodeId, Shape};
use serde_json::Value as Json;

use super::super::calls::Arguments;
use super::super::config::LayerNode;
use super::super::fields::Fields;
use super::super::lowering::{Lowering, Value};
use super::recurrent::{Recurrent, sequence_and_states};
use super::{Layer, Lower};
use crate::error::Result;

/// How the outputs of the two directions are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MergeMode {
    Concat,
    Sum,
    Average,
    Product,
    /// Two outputs.
    None,
}

/// A recurrent layer forwards and one backwards over the same sequence.
#[derive(Debug, Clone)]
pub(crate) struct Bidirectional {
    forward: Recurrent,
    forward_name: String,
    backward: Recurrent,
    backward_name: String,
    merge_mode: MergeMode,
}

fn recurrent(f: &Fields<'_>, name: &str, described: &Json) -> Result<(Recurrent, String)> {
    let node = LayerNode::read(described, f.layer, f.notes())?;
    match node.layer {
        Layer::Recurrent(layer) => Ok((layer, node.name)),
        _ => Err(f.unsupported(format!("`{name}` of class `{}`", node.class), "use SimpleRNN, LSTM, GRU or RNN")),
    }
}

/// The description of the backward layer that Keras derives from the forward one.
fn reversed(described: &Json) -> Json {
    let mut described = described.clone();
    if let Some(config) = described.get_mut("config").and_then(Json::as_object_mut) {
        let backwards = config.get("go_backwards").and_then(Json::as_bool).unwrap_or(false);
        config.insert("go_backwards".to_owned(), Json::Bool(!backwards));
    }
    described
}

impl Bidirectional {
    pub(crate) fn read(f: &Fields<'_>) -> Result<Bidirectional> {
        let described = f.get("layer").ok_or_else(|| f.wrong("layer", "a recurrent layer"))?;
        let (forward, name) = recurrent(f, "layer", described)?;
        let (backward, backward_name) = match f.get("backward_layer") {
            Some(given) => recurrent(f, "backward_layer", given)?,
            None => recurrent(f, "layer", &reversed(described))?,
        };
        let same =
            forward.return_sequences == backward.return_sequences && forward.return_state == backward.return_state;
        if !same || forward.state_count() != backward.state_count() {
            return Err(f.wrong("backward_layer", "a layer that returns what the forward layer returns"));
        }
        let merge_mode = match f.get("merge_mode").and_then(Json::as_str) {
            Some("concat") => MergeMode::Concat,
            Some("sum") => MergeMode::Sum,
            Some("ave") => MergeMode::Average,
            Some("mul") => MergeMode::Product,
            None => MergeMode::None,
            Some(_) => return Err(f.wrong("merge_mode", "`concat`, `sum`, `ave`, `mul` or null")),
        };
        let prefixed = |prefix: &str, name: &str| {
            if name.starts_with(prefix) { name.to_owned() } else { format!("{prefix}{name}") }
        };
        let bare = backward_name.strip_prefix("forward_").unwrap_or(&backward_name);
        Ok(Bidirectional {
            forward,
            forward_name: prefixed("forward_", &name),
            backward,
            backward_name: prefixed("backward_", bare),
            merge_mode,
        })
    }

    pub(crate) fn is_random(&self) -> bool {
        self.forward.is_random() || self.backward.is_random()
    }
}

impl Lower for Bidirectional {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let (x, initial) = sequence_and_states(b, arguments)?;
        let mask = b.mask(arguments)?;
        let half = self.forward.state_count();
        if let Some(states) = &initial
            && states.len() != 2 * half
        {
            return Err(b.wrong_inputs(format!("{} initial states", 2 * half), states.len().to_string()));
        }
        let (first, second) =
            (initial.as_ref().map(|states| &states[..half]), initial.as_ref().map(|states| &states[half..]));
        let (forward, mut states) =
            b.part("forward_layer", &self.forward_name, |b| self.forward.run(b, x, mask, first))?;
        let (mut backward, backward_states) =
            b.part("backward_layer", &self.backward_name, |b| self.backward.run(b, x, mask, second))?;
        states.extend(backward_states);
        if self.forward.return_sequences {
            backward = b.graph.reverse(backward, 1)?;
        }
        let last = b.graph.shape(forward).rank() - 1;
        let merged = match self.merge_mode {
            MergeMode::Concat => vec![b.graph.concat(&[forward, backward], last)?],
            MergeMode::Sum => vec![b.graph.add(forward, backward)?],
            MergeMode::Average => {
                let sum = b.graph.add(forward, backward)?;
                vec![b.graph.affine(sum, 0.5, 0.0)?]
            }
            MergeMode::Product => vec![b.graph.binary(Binary::Mul, forward, backward)?],
            MergeMode::None => vec![forward, backward],
        };
        let mask = mask.filter(|_| self.forward.return_sequences);
        let mut outputs: Vec<Value> = merged.into_iter().map(|node| Value { node, mask }).collect();
        if self.forward.return_state {
            outputs.extend(states.into_iter().map(Value::from));
        }
        Ok(outputs)
    }
}

/// A layer applied to each step `[batch, steps, …]` by itself.
#[derive(Debug, Clone)]
pub(crate) struct TimeDistributed {
    node: Box<LayerNode>,
}

impl TimeDistributed {
    pub(crate) fn read(f: &Fields<'_>) -> Result<TimeDistributed> {
        let described = f.get("layer").ok_or_else(|| f.wrong("layer", "a layer"))?;
        Ok(TimeDistributed { node: Box::new(LayerNode::read(described, f.layer, f.notes())?) })
    }

    /// The layer inside.
    pub(crate) fn inner(&self) -> &Layer {
        &self.node.layer
    }

    /// The inner layer on `x`, its only output.
    fn inner_call(&self, b: &mut Lowering<'_>, x: Value) -> Result<NodeId> {
        let outputs = b.part("layer", &self.node.name, |b| b.call_inner(&self.node.layer, &Arguments::on([x])))?;
        match outputs.as_slice() {
            [output] => Ok(output.node),
            other => Err(b.unsupported(format!("an inner layer with {} outputs", other.len()), "use one output")),
        }
    }
}

impl Lower for TimeDistributed {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let mask = b.mask(arguments)?;
        let tensors = arguments.tensors();
        let [value] = tensors.as_slice() else {
            return Err(b.wrong_inputs("one input", format!("{} inputs", tensors.len())));
        };
        let x = value.node;
        let shape = b.graph.shape(x).clone();
        if shape.rank() < 3 {
            return Err(b.wrong_inputs("[batch, steps, …]", shape.to_string()));
        }
        let steps = b.fixed(x, 1)?;
        // Keras calls the layer step by step. All steps together give the same values, at once, unless the layer looks at
        // the whole batch (and then updates its statistics at each step) or at the step's own mask.
        let by_steps = mask.is_some() || (b.is_training() && self.node.layer.has_batch_normalization());
        let y = if by_steps {
            let mut outputs = Vec::with_capacity(steps);
            for step in 0..steps {
                let now = b.graph.slice(x, 1, step, 1)?;
                let node = b.squeeze(now, 1)?;
                let mask = match mask {
                    // A mask of single steps has nothing left for the layer inside.
                    Some(mask) if b.graph.shape(mask).rank() > 2 => {
                        let now = b.graph.slice(mask, 1, step, 1)?;
                        Some(b.squeeze(now, 1)?)
                    }
                    _ => None,
                };
                let y = self.inner_call(b, Value { node, mask })?;
                outputs.push(b.expand(y, 1)?);
            }
            b.graph.concat(&outputs, 1)?
        } else {
            let rows: Shape = [shape[0].times(steps)].into_iter().chain(shape.dims()[2..].iter().copied()).collect();
            let rows = b.graph.reshape(x, rows)?;
            let y = self.inner_call(b, rows.into())?;
            let inner = b.graph.shape(y).clone();
            let full: Shape = [shape[0], shape[1]].into_iter().chain(inner.dims()[1..].iter().copied()).collect();
            b.graph.reshape(y, full)?
        };
        Ok(vec![y.into()])
    }
}

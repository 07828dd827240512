//! MultiHeadAttention. Vaswani et al., *Attention is all you need*, 2017.
//!
//! With query `[batch, T, …]` and value, key `[batch, S, …]`, per head of `key_dim` values:
//! `scores = softmax(q kᵀ / √key_dim)` over the places that the mask allows, `y = scores · v`, joined over the heads and
//! projected. Kernels of query, key and value `[features, heads, dim]`, biases `[heads, dim]`; of the output
//! `[heads, value_dim, features]`, bias `[features]`. A place that may attend to nothing gets 0 from every head.

use retune_graph::{Dim, NodeId, Shape};

use super::super::calls::{Argument, Arguments};
use super::super::fields::Fields;
use super::super::lowering::{Lowering, Value, WeightKind};
use super::Lower;
use super::activation::MASKED_LOGIT;
use super::dense::WeightOptions;
use super::noise::rate;
use crate::error::Result;
use crate::initializer::Initializer;

/// See the file's documentation.
#[derive(Debug, Clone)]
pub(crate) struct MultiHeadAttention {
    heads: usize,
    key_dim: usize,
    value_dim: usize,
    dropout: f32,
    output_shape: Option<Vec<i64>>,
    attention_axes: Option<Vec<i64>>,
    kernel: WeightOptions,
    bias: Option<WeightOptions>,
}

impl MultiHeadAttention {
    pub(crate) fn read(f: &Fields<'_>) -> Result<MultiHeadAttention> {
        let key_dim = f.size("key_dim", None)?;
        if f.flag("use_gate", false)? {
            return Err(f.unsupported("gated attention (`use_gate`)", "use attention without a gate"));
        }
        if f.get("sliding_window").is_some() {
            return Err(
                f.unsupported("attention in a window (`sliding_window`)", "give the window as `attention_mask`")
            );
        }
        // How Keras computes the product changes no value; the shapes are those of the first call.
        for unused in ["flash_attention", "query_shape", "key_shape", "value_shape"] {
            f.get(unused);
        }
        let bias = WeightOptions::read(f, "bias", Initializer::ZEROS)?;
        let list = |name| if f.get(name).is_some() { f.integers(name, None).map(Some) } else { Ok(None) };
        Ok(MultiHeadAttention {
            heads: f.size("num_heads", None)?,
            key_dim,
            value_dim: f.size("value_dim", Some(key_dim))?,
            dropout: rate(f, "dropout", Some(0.0))?,
            output_shape: list("output_shape")?,
            attention_axes: list("attention_axes")?,
            kernel: WeightOptions::read(f, "kernel", Initializer::GLOROT_UNIFORM)?,
            bias: f.flag("use_bias", true)?.then_some(bias),
        })
    }

    /// Projects `[batch, steps, features]` to `[batch, heads, steps, dim]`.
    fn heads(&self, b: &mut Lowering<'_>, x: NodeId, dim: usize, attribute: &str, name: &str) -> Result<NodeId> {
        let (steps, features, heads) = (b.fixed(x, 1)?, b.fixed(x, 2)?, self.heads);
        let projected = b.part(attribute, name, |b| {
            let kernel = self.kernel.weight(b, "kernel", &[features, heads, dim], WeightKind::Kernel)?;
            let kernel = b.reshape_fixed(kernel, &[features, heads * dim])?;
            let bias = self
                .bias
                .as_ref()
                .map(|bias| bias.weight(b, "bias", &[heads, dim], WeightKind::NoDecay))
                .transpose()?;
            let bias = bias.map(|bias| b.reshape_fixed(bias, &[heads * dim])).transpose()?;
            Ok(b.graph.linear(x, kernel, bias)?)
        })?;
        let split = b.reshape_rows(projected, &[steps, heads, dim])?;
        Ok(b.graph.transpose(split, &[0, 2, 1, 3])?)
    }

    /// Which places each place may attend to, `[batch, 1, T, S]` or shapes that broadcast to it.
    fn mask(
        &self,
        b: &mut Lowering<'_>,
        arguments: &Arguments<Value>,
        inputs: [Value; 3],
        sizes: [usize; 2],
        plain: bool,
    ) -> Result<Option<NodeId>> {
        let [query, value, key] = inputs;
        let [t, s] = sizes;
        let named = |name: &str| arguments.get(name).and_then(|a| a.tensors().first().map(|value| value.node));
        let mut masks = Vec::new();
        if let Some(mask) = named("query_mask").or(query.mask) {
            let mask = b.float(mask)?;
            masks.push(b.reshape_rows(mask, &[1, t, 1])?);
        }
        let key_mask = if key.node == value.node { None } else { key.mask };
        for mask in [named("value_mask").or(value.mask), named("key_mask").or(key_mask)].into_iter().flatten() {
            let mask = b.float(mask)?;
            masks.push(b.reshape_rows(mask, &[1, 1, s])?);
        }
        if let Some(mask) = named("attention_mask") {
            let mask = b.float(mask)?;
            masks.push(match b.graph.shape(mask).rank() {
                2 => b.reshape_rows(mask, &[1, 1, s])?,
                3 => b.expand(mask, 1)?,
                _ => mask,
            });
        }
        if arguments.flag("use_causal_mask") {
            masks.push(causal_mask(b, t, s)?);
        }
        if !masks.is_empty() && !plain {
            return Err(b.unsupported("a mask with attention over other axes than the second", "attend over axis 1"));
        }
        let mut joined = None;
        for mask in masks {
            joined = Some(match joined {
                None => mask,
                Some(other) => b.graph.mul(other, mask)?,
            });
        }
        Ok(joined)
    }
}

/// 1 where row ≥ column, `[1, 1, T, S]`: no place sees a later one. Made of constant rows, as graphs hold no tables.
pub(crate) fn causal_mask(b: &mut Lowering<'_>, t: usize, s: usize) -> Result<NodeId> {
    let mut rows = Vec::with_capacity(t);
    for row in 0..t {
        let seen = (row + 1).min(s);
        let ones = b.graph.fill(Shape::fixed(&[1, 1, 1, seen]), 1.0);
        rows.push(b.graph.pad(ones, &[(0, 0), (0, 0), (0, 0), (0, s - seen)])?);
    }
    Ok(b.graph.concat(&rows, 2)?)
}

/// Softmax over the last axis of the places that `mask` allows; 0 everywhere else.
pub(crate) fn masked_softmax(b: &mut Lowering<'_>, scores: NodeId, mask: Option<NodeId>) -> Result<NodeId> {
    let Some(mask) = mask else { return Ok(b.graph.softmax(scores)?) };
    let masked = b.select_or(mask, scores, MASKED_LOGIT)?;
    let probabilities = b.graph.softmax(masked)?;
    Ok(b.graph.mul(probabilities, mask)?)
}

/// Brings the attended axes together: `[batch and free axes, attended places, features]`.
struct Arrangement {
    /// Axes before the attended ones that stay apart, the batch first.
    free: Vec<usize>,
    attended: Vec<usize>,
}

impl Arrangement {
    fn rows(&self, b: &mut Lowering<'_>, x: NodeId) -> Result<NodeId> {
        let shape = b.graph.shape(x).clone();
        let last = shape.rank() - 1;
        let order: Vec<usize> = self.free.iter().chain(&self.attended).copied().chain([last]).collect();
        let places: usize = self.attended.iter().map(|&axis| b.fixed(x, axis)).product::<Result<usize>>()?;
        let extra: usize = self.free[1..].iter().map(|&axis| b.fixed(x, axis)).product::<Result<usize>>()?;
        let x = b.graph.transpose(x, &order)?;
        Ok(b.graph.reshape(x, Shape::new([shape[0].times(extra), Dim::Fixed(places), shape[last]]))?)
    }

    /// Back to the axes of `like`, with `features` as the last.
    fn restore(&self, b: &mut Lowering<'_>, y: NodeId, like: &Shape, features: &[usize]) -> Result<NodeId> {
        let order: Vec<usize> = self.free.iter().chain(&self.attended).copied().collect();
        let split: Shape =
            order.iter().map(|&axis| like[axis]).chain(features.iter().map(|&n| Dim::Fixed(n))).collect();
        let y = b.graph.reshape(y, split)?;
        let mut back = vec![0; order.len()];
        for (i, &axis) in order.iter().enumerate() {
            back[axis] = i;
        }
        back.extend(order.len()..order.len() + features.len());
        Ok(b.graph.transpose(y, &back)?)
    }
}

impl Lower for MultiHeadAttention {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let named = |name: &str| arguments.get(name).and_then(|a| a.tensors().first().map(|value| **value));
        let given: Vec<Value> = arguments.positional.iter().filter_map(|a| a.tensors().first().map(|v| **v)).collect();
        let query = given.first().copied().or(named("query"));
        let value = given.get(1).copied().or(named("value"));
        let (Some(query), Some(value)) = (query, value) else {
            return Err(b.wrong_inputs("a query and a value", format!("{} inputs", given.len())));
        };
        let key = given.get(2).copied().or(named("key")).unwrap_or(value);
        if matches!(arguments.get("return_attention_scores"), Some(Argument::Tensor(_))) {
            return Err(b.wrong_inputs("a constant `return_attention_scores`", "a tensor"));
        }
        let query_node = b.float(query.node)?;
        let like = b.graph.shape(query_node).clone();
        if like.rank() < 3 {
            return Err(b.wrong_inputs("[batch, steps, features]", like.to_string()));
        }
        let attended = match &self.attention_axes {
            Some(axes) => b.axes(query_node, axes)?,
            None => (1..like.rank() - 1).collect(),
        };
        let free: Vec<usize> = (0..like.rank() - 1).filter(|axis| !attended.contains(axis)).collect();
        if free.first() != Some(&0) {
            return Err(b.unsupported("attention over the batch", "attend over later axes"));
        }
        let arrangement = Arrangement { free, attended };
        let plain = like.rank() == 3;
        let q = arrangement.rows(b, query_node)?;
        let (value_node, key_node) = (b.float(value.node)?, b.float(key.node)?);
        let (v, k) = (arrangement.rows(b, value_node)?, arrangement.rows(b, key_node)?);
        let sizes @ [t, _] = [b.fixed(q, 1)?, b.fixed(k, 1)?];
        let mask = self.mask(b, arguments, [query, value, key], sizes, plain)?;

        let q = self.heads(b, q, self.key_dim, "query_dense", "query")?;
        let k = self.heads(b, k, self.key_dim, "key_dense", "key")?;
        let v = self.heads(b, v, self.value_dim, "value_dense", "value")?;
        let q = b.graph.affine(q, 1.0 / (self.key_dim as f32).sqrt(), 0.0)?;
        let scores = b.graph.matmul(q, k, false, true)?;
        let scores = masked_softmax(b, scores, mask)?;
        let mut weights = scores;
        if b.is_training() && self.dropout > 0.0 {
            let stream = b.stream();
            weights = b.graph.dropout(scores, self.dropout, stream)?;
        }
        let attended = b.graph.matmul(weights, v, false, false)?;
        let attended = b.graph.transpose(attended, &[0, 2, 1, 3])?;
        let joined = b.reshape_rows(attended, &[t, self.heads * self.value_dim])?;

        let query_features = b.fixed(query_node, like.rank() - 1)?;
        let features = match &self.output_shape {
            None => vec![query_features],
            Some(sizes) => sizes.iter().map(|&n| usize::try_from(n).unwrap_or(0)).collect(),
        };
        let total = features.iter().product();
        let kernel_shape: Vec<usize> =
            [self.heads, self.value_dim].into_iter().chain(features.iter().copied()).collect();
        let y = b.part("output_dense", "attention_output", |b| {
            let kernel = self.kernel.weight(b, "kernel", &kernel_shape, WeightKind::Kernel)?;
            let kernel = b.reshape_fixed(kernel, &[self.heads * self.value_dim, total])?;
            let bias =
                self.bias.as_ref().map(|bias| bias.weight(b, "bias", &features, WeightKind::NoDecay)).transpose()?;
            let bias = bias.map(|bias| b.reshape_fixed(bias, &[total])).transpose()?;
            Ok(b.graph.linear(joined, kernel, bias)?)
        })?;
        let y = arrangement.restore(b, y, &like, &features)?;
        let mut outputs = vec![y.into()];
        if arguments.flag("return_attention_scores") {
            if !plain {
                return Err(b.unsupported("scores of attention over several axes", "do not return the scores"));
            }
            outputs.push(scores.into());
        }
        Ok(outputs)
    }
}

//! ModernBERT. Warner et al., *Smarter, better, faster, longer*, 2024.
//!
//! Layers with the normalization before attention and before the gated product, rotary positions instead of a table, and
//! attention that sees only the neighbourhood in most layers.

use retune_graph::NodeId;
use retune_graph::ops::sequence::Pooling;
use retune_graph::ops::{Activation, Attention, Reach};
use serde_json::Value;

use super::output::{self, CLASSIFIER, Inputs};
use crate::error::{ModelError, Result};
use crate::torch::Lowered;
use crate::torch::builder::Builder;
use crate::torch::config::Config;
use crate::torch::task::Task;

/// What names of all weights but the head's begin with.
pub(super) const BASE: &str = "model";

/// The table of words.
pub(super) const WORDS: &str = "embeddings.tok_embeddings";

/// Sizes and rates.
#[derive(Debug, Clone)]
pub(crate) struct ModernBert {
    vocabulary: usize,
    hidden: usize,
    inner: usize,
    heads: usize,
    positions: usize,
    layers: Vec<Layer>,
    epsilon: f32,
    activation: Activation,
    head_activation: Activation,
    head_pooling: Pooling,
    biases: Biases,
    embedding_dropout: f32,
    attention_dropout: f32,
    inner_dropout: f32,
    classifier_dropout: f32,
    stddev: f32,
}

/// What sets layers apart: which tokens they see, and the base of their rotary positions.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Layer {
    reach: Reach,
    theta: f32,
}

/// Which products and norms have a bias.
#[derive(Debug, Clone, Copy)]
struct Biases {
    norm: bool,
    attention: bool,
    inner: bool,
    head: bool,
}

impl ModernBert {
    pub(super) fn read(config: &Config<'_>) -> Result<ModernBert> {
        let (hidden, heads) = (config.size("hidden_size")?, config.size("num_attention_heads")?);
        if !hidden.is_multiple_of(2 * heads) {
            return Err(ModelError::Description {
                place: "config.json: hidden_size".to_owned(),
                expected: format!("an even number for each of the {heads} attention heads"),
                found: hidden.to_string(),
            });
        }
        let head_pooling = match config.text_if_any("classifier_pooling")?.as_deref() {
            None | Some("cls") => Pooling::First,
            Some("mean") => Pooling::Mean,
            Some(other) => return Err(wrong("classifier_pooling", "`cls` or `mean`", other)),
        };
        let gelu = Activation::Gelu { approximate: false };
        Ok(ModernBert {
            vocabulary: config.size("vocab_size")?,
            hidden,
            inner: config.size("intermediate_size")?,
            heads,
            positions: config.size_if_any("max_position_embeddings")?.unwrap_or(8192),
            layers: layers(config)?,
            epsilon: config.number_or("norm_eps", 1e-5)?,
            activation: config.activation_or("hidden_activation", gelu)?,
            head_activation: config.activation_or("classifier_activation", gelu)?,
            head_pooling,
            biases: Biases {
                norm: config.flag_or("norm_bias", false)?,
                attention: config.flag_or("attention_bias", false)?,
                inner: config.flag_or("mlp_bias", false)?,
                head: config.flag_or("classifier_bias", false)?,
            },
            embedding_dropout: config.rate_or("embedding_dropout", 0.0)?,
            attention_dropout: config.rate_or("attention_dropout", 0.0)?,
            inner_dropout: config.rate_or("mlp_dropout", 0.0)?,
            classifier_dropout: config.rate_or("classifier_dropout", 0.0)?,
            stddev: config.number_or("initializer_range", 0.02)?,
        })
    }

    pub(super) fn max_tokens(&self) -> usize {
        self.positions
    }

    pub(super) fn layers_and_heads(&self) -> [usize; 2] {
        [self.layers.len(), self.heads]
    }

    pub(super) fn groups(&self) -> Vec<Vec<String>> {
        let layers = (0..self.layers.len()).map(|number| vec![format!("{}.", layer_name(number))]);
        std::iter::once(vec![name("embeddings")]).chain(layers).collect()
    }

    pub(super) fn lower(&self, b: &mut Builder<'_>, task: &Task, pooling: Option<Pooling>) -> Result<Lowered> {
        b.stddev = self.stddev;
        let inputs = Inputs::declare(b, task, false, true);
        let words = b.table(&name(WORDS), self.vocabulary, self.hidden);
        let x = inputs.embedded(b, words)?;
        let x = self.norm(b, &name("embeddings.norm"), x)?;
        let mut x = b.dropout(x, inputs.sequences(), self.embedding_dropout)?;
        for number in 0..self.layers.len() {
            x = self.layer(b, x, number, inputs)?;
        }
        let x = self.norm(b, &name("final_norm"), x)?;
        let of_tokens = |b: &mut Builder<'_>, outputs| {
            let y = self.head(b, x)?;
            let y = b.dropout(y, inputs.sequences(), self.classifier_dropout)?;
            self.classifier(b, y, outputs)
        };
        let of_texts = |b: &mut Builder<'_>, outputs| {
            if let Some(pooling) = pooling {
                b.stddev = 1.0 / (self.hidden as f32).sqrt();
                let shape = [self.hidden, outputs];
                return output::pooled_scores(b, x, inputs.lengths, pooling, self.classifier_dropout, shape);
            }
            let y = b.graph.sequence_pool(x, inputs.lengths, self.head_pooling)?;
            let y = self.head(b, y)?;
            let y = output::drop_texts(b, y, self.classifier_dropout)?;
            self.classifier(b, y, outputs)
        };
        let output = output::output(b, task, x, inputs.lengths, of_tokens, of_texts)?;
        Ok(Lowered { outputs: vec![output], updates: Vec::new() })
    }

    fn norm(&self, b: &mut Builder<'_>, layer: &str, x: NodeId) -> Result<NodeId> {
        b.layer_norm_with(layer, x, self.hidden, self.epsilon, self.biases.norm)
    }

    /// A product, whose fresh weights have the standard deviation `stddev`.
    fn product(
        &self,
        b: &mut Builder<'_>,
        layer: &str,
        x: NodeId,
        shape: [usize; 2],
        has_bias: bool,
        stddev: f32,
    ) -> Result<NodeId> {
        b.stddev = stddev;
        b.product(layer, "weight", has_bias.then_some("bias"), x, shape)
    }

    /// The standard deviation of fresh products that end in a residual.
    fn small_stddev(&self) -> f32 {
        self.stddev / (2.0 * self.layers.len() as f32).sqrt()
    }

    fn layer(&self, b: &mut Builder<'_>, x: NodeId, number: usize, inputs: Inputs) -> Result<NodeId> {
        let prefix = layer_name(number);
        let name = |layer: &str| format!("{prefix}.{layer}");
        // The embeddings are normalized already.
        let y = if number == 0 { x } else { self.norm(b, &name("attn_norm"), x)? };
        let y = self.attention(b, y, &name("attn"), self.layers[number], inputs)?;
        let x = b.graph.add(x, y)?;
        let y = self.norm(b, &name("mlp_norm"), x)?;
        let shape = [self.hidden, 2 * self.inner];
        let both = self.product(b, &name("mlp.Wi"), y, shape, self.biases.inner, self.stddev)?;
        let up = b.graph.slice(both, 1, 0, self.inner)?;
        let gate = b.graph.slice(both, 1, self.inner, self.inner)?;
        let up = b.graph.activate(up, self.activation)?;
        let y = b.graph.mul(up, gate)?;
        let y = b.dropout(y, inputs.sequences(), self.inner_dropout)?;
        let shape = [self.inner, self.hidden];
        let y = self.product(b, &name("mlp.Wo"), y, shape, self.biases.inner, self.small_stddev())?;
        Ok(b.graph.add(x, y)?)
    }

    fn attention(&self, b: &mut Builder<'_>, x: NodeId, prefix: &str, layer: Layer, inputs: Inputs) -> Result<NodeId> {
        let hidden = self.hidden;
        let head_size = hidden / self.heads;
        let fused = format!("{prefix}.Wqkv");
        let all = self.product(b, &fused, x, [hidden, 3 * hidden], self.biases.attention, self.stddev)?;
        // Queries and keys are turned together, so that angles are made once.
        let turned = b.graph.slice(all, 1, 0, 2 * hidden)?;
        let positions = inputs.positions.expect("the network declares positions");
        let turned = b.graph.rotary(turned, positions, head_size, layer.theta)?;
        let q = b.graph.slice(turned, 1, 0, hidden)?;
        let k = b.graph.slice(turned, 1, hidden, hidden)?;
        let v = b.graph.slice(all, 1, 2 * hidden, hidden)?;
        let scale = 1.0 / (head_size as f32).sqrt();
        let dropout = b.random(self.attention_dropout);
        let attention = Attention { reach: layer.reach, dropout, ..Attention::new(self.heads, scale) };
        let seen = b.graph.attention(attention, [q, k, v], inputs.sequences())?;
        let product = format!("{prefix}.Wo");
        let seen = self.product(b, &product, seen, [hidden, hidden], self.biases.attention, self.small_stddev())?;
        b.dropout(seen, inputs.sequences(), self.attention_dropout)
    }

    fn head(&self, b: &mut Builder<'_>, x: NodeId) -> Result<NodeId> {
        let shape = [self.hidden, self.hidden];
        let y = self.product(b, "head.dense", x, shape, self.biases.head, self.small_stddev())?;
        let y = b.graph.activate(y, self.head_activation)?;
        self.norm(b, "head.norm", y)
    }

    fn classifier(&self, b: &mut Builder<'_>, x: NodeId, outputs: usize) -> Result<NodeId> {
        let stddev = 1.0 / (self.hidden as f32).sqrt();
        self.product(b, CLASSIFIER, x, [self.hidden, outputs], true, stddev)
    }
}

/// The name of a layer of the base.
fn name(layer: &str) -> String {
    format!("{BASE}.{layer}")
}

fn layer_name(number: usize) -> String {
    name(&format!("layers.{number}"))
}

/// Each layer's reach and base of angles: of `layer_types` and `rope_parameters`, or of the keys that stood for them before.
fn layers(config: &Config<'_>) -> Result<Vec<Layer>> {
    if config.get("rope_scaling").is_some() {
        return Err(unsupported("`rope_scaling`"));
    }
    let count = config.size("num_hidden_layers")?;
    let every = config.size_if_any("global_attn_every_n_layers")?.unwrap_or(3);
    let kinds = match config.get("layer_types") {
        None => (0..count).map(|number| number.is_multiple_of(every)).collect(),
        Some(value) => layer_types(value, count)?,
    };
    let full = theta(config, "full_attention", "global_rope_theta", 160_000.0)?;
    let sliding = theta(config, "sliding_attention", "local_rope_theta", 10_000.0)?;
    let window = Reach::Window(config.count_or("local_attention", 128)? / 2);
    let layer = |is_full: bool| match is_full {
        true => Layer { reach: Reach::All, theta: full },
        false => Layer { reach: window, theta: sliding },
    };
    Ok(kinds.into_iter().map(layer).collect())
}

/// Whether each layer sees all tokens.
fn layer_types(value: &Value, count: usize) -> Result<Vec<bool>> {
    let kinds = value.as_array().filter(|kinds| kinds.len() == count);
    let kind = |kind: &Value| match kind.as_str()? {
        "full_attention" => Some(true),
        "sliding_attention" => Some(false),
        _ => None,
    };
    let kinds = kinds.and_then(|kinds| kinds.iter().map(kind).collect());
    let expected = format!("`full_attention` or `sliding_attention` for each of the {count} layers");
    kinds.ok_or_else(|| wrong("layer_types", &expected, &crate::keras::values::excerpt(value)))
}

/// The base of angles of a kind of layers.
fn theta(config: &Config<'_>, kind: &str, old_key: &str, default: f64) -> Result<f32> {
    let default = config.base_of_angles_or(old_key, default)?;
    let Some(parameters) = config.get("rope_parameters").and_then(|all| all.get(kind)).filter(|of| !of.is_null())
    else {
        return Ok(default);
    };
    let parameters = Config::new(parameters)?;
    match parameters.text_if_any("rope_type")?.as_deref() {
        None | Some("default") => parameters.base_of_angles_or("rope_theta", f64::from(default)),
        Some(other) => Err(unsupported(&format!("`rope_type` = `{other}`"))),
    }
}

fn unsupported(what: &str) -> ModelError {
    ModelError::Unsupported {
        layer: "config.json".to_owned(),
        class: "modernbert".to_owned(),
        what: what.to_owned(),
        hint: "use a model with rotary positions as they were trained".to_owned(),
    }
}

fn wrong(key: &str, expected: &str, found: &str) -> ModelError {
    ModelError::Description {
        place: format!("config.json: {key}"),
        expected: expected.to_owned(),
        found: found.to_owned(),
    }
}

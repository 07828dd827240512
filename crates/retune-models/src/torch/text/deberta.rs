//! DeBERTa of versions 2 and 3. He et al., *DeBERTa*, 2020, and *DeBERTaV3*, 2021.
//!
//! Layers as BERT's, but attention also compares contents with positions: one table of embeddings of distances, which all
//! layers share and project to keys and queries of their own, or with those of the contents.

use retune_graph::NodeId;
use retune_graph::ops::sequence::Pooling;
use retune_graph::ops::{Activation, Attention, Buckets, Relative, Sequences};
use serde_json::Value;

use super::output::{self, CLASSIFIER, Inputs};
use crate::error::{ModelError, Result};
use crate::torch::Lowered;
use crate::torch::builder::Builder;
use crate::torch::config::Config;
use crate::torch::task::Task;

/// What names of all weights but the head's begin with.
pub(super) const BASE: &str = "deberta";

/// The table of words.
pub(super) const WORDS: &str = "embeddings.word_embeddings";

/// The layers of a text's scores, which are no part of the base.
const POOLER: &str = "pooler.dense";

/// Sizes and rates.
#[derive(Debug, Clone)]
pub(crate) struct Deberta {
    vocabulary: usize,
    embedding: usize,
    hidden: usize,
    inner: usize,
    layers: usize,
    heads: usize,
    positions: usize,
    /// Whether absolute positions are added to the embeddings.
    has_positions: bool,
    types: usize,
    disentangled: Option<Disentangled>,
    /// Terms of the score, whose number its scale depends on.
    terms: usize,
    epsilon: f32,
    activation: Activation,
    pooler_activation: Activation,
    dropout: f32,
    attention_dropout: f32,
    pooler_dropout: f32,
    classifier_dropout: f32,
    stddev: f32,
}

/// How contents are compared with positions.
#[derive(Debug, Clone, Copy)]
struct Disentangled {
    buckets: Buckets,
    /// Contents with the keys of positions, `c2p`.
    keys: bool,
    /// The queries of positions with contents, `p2c`.
    queries: bool,
    /// Whether positions are projected as contents are.
    shares_products: bool,
    /// Whether the embeddings of distances are normalized.
    has_norm: bool,
}

impl Deberta {
    pub(super) fn read(config: &Config<'_>) -> Result<Deberta> {
        let hidden = config.size("hidden_size")?;
        let heads = config.size("num_attention_heads")?;
        if !hidden.is_multiple_of(heads) {
            let expected = format!("a multiple of the {heads} attention heads");
            return Err(wrong("hidden_size", &expected, hidden.to_string()));
        }
        if config.count_or("conv_kernel_size", 0)? > 0 {
            return Err(unsupported(
                "`conv_kernel_size` above 0",
                "use a model without a convolution, such as DeBERTa-v3",
            ));
        }
        for (key, only) in [("attention_head_size", hidden / heads), ("pooler_hidden_size", hidden)] {
            if config.count_or(key, only)? != only {
                return Err(unsupported(&format!("`{key}` other than {only}"), "use one of the published models"));
            }
        }
        let positions = config.size_if_any("max_position_embeddings")?.unwrap_or(512);
        let [keys, queries] = position_terms(config)?;
        let disentangled = match config.flag_or("relative_attention", false)? {
            true => Some(Disentangled::read(config, positions, [keys, queries])?),
            false => None,
        };
        let dropout = config.rate_or("hidden_dropout_prob", 0.1)?;
        let gelu = Activation::Gelu { approximate: false };
        Ok(Deberta {
            vocabulary: config.size("vocab_size")?,
            embedding: config.size_if_any("embedding_size")?.unwrap_or(hidden),
            hidden,
            inner: config.size("intermediate_size")?,
            layers: config.size("num_hidden_layers")?,
            heads,
            positions,
            has_positions: config.flag_or("position_biased_input", true)?,
            types: config.count_or("type_vocab_size", 0)?,
            disentangled,
            terms: 1 + usize::from(keys) + usize::from(queries),
            epsilon: config.number_or("layer_norm_eps", 1e-7)?,
            activation: config.activation_or("hidden_act", gelu)?,
            pooler_activation: config.activation_or("pooler_hidden_act", gelu)?,
            dropout,
            attention_dropout: config.rate_or("attention_probs_dropout_prob", 0.1)?,
            pooler_dropout: config.rate_or("pooler_dropout", 0.0)?,
            classifier_dropout: config.rate_or("cls_dropout", f64::from(dropout))?,
            stddev: config.number_or("initializer_range", 0.02)?,
        })
    }

    pub(super) fn max_tokens(&self) -> usize {
        self.positions
    }

    pub(super) fn layers_and_heads(&self) -> [usize; 2] {
        [self.layers, self.heads]
    }

    pub(super) fn groups(&self) -> Vec<Vec<String>> {
        // The embeddings of distances are shared by all layers, and learn as what stands before them.
        let shared = ["embeddings.", "encoder.rel_embeddings.", "encoder.LayerNorm."].map(name).to_vec();
        let layers = (0..self.layers).map(|number| vec![format!("{}.", layer_name(number))]);
        std::iter::once(shared).chain(layers).collect()
    }

    pub(super) fn lower(&self, b: &mut Builder<'_>, task: &Task, pooling: Option<Pooling>) -> Result<Lowered> {
        b.stddev = self.stddev;
        let inputs = Inputs::declare(b, task, self.types > 0, self.has_positions);
        let mut x = self.embed(b, inputs)?;
        let distances = self.disentangled.map(|how| self.distances(b, how)).transpose()?;
        for number in 0..self.layers {
            x = self.layer(b, x, number, distances, inputs.sequences())?;
        }
        let hidden = self.hidden;
        let of_tokens = |b: &mut Builder<'_>, outputs| {
            let y = b.dropout(x, inputs.sequences(), self.dropout)?;
            b.linear(CLASSIFIER, y, hidden, outputs)
        };
        let of_texts = |b: &mut Builder<'_>, outputs| {
            if let Some(pooling) = pooling {
                let shape = [hidden, outputs];
                return output::pooled_scores(b, x, inputs.lengths, pooling, self.classifier_dropout, shape);
            }
            let y = output::first_tokens(b, x, inputs.lengths)?;
            let y = output::drop_texts(b, y, self.pooler_dropout)?;
            let y = b.linear(POOLER, y, hidden, hidden)?;
            let y = b.graph.activate(y, self.pooler_activation)?;
            let y = output::drop_texts(b, y, self.classifier_dropout)?;
            b.linear(CLASSIFIER, y, hidden, outputs)
        };
        let output = output::output(b, task, x, inputs.lengths, of_tokens, of_texts)?;
        Ok(Lowered { outputs: vec![output], updates: Vec::new() })
    }

    fn embed(&self, b: &mut Builder<'_>, inputs: Inputs) -> Result<NodeId> {
        let width = self.embedding;
        let words = b.table(&name(WORDS), self.vocabulary, width);
        let mut x = inputs.embedded(b, words)?;
        for (layer, rows, ids) in [
            ("embeddings.position_embeddings", self.positions, inputs.positions),
            ("embeddings.token_type_embeddings", self.types, inputs.token_types),
        ] {
            let Some(ids) = ids else { continue };
            let table = b.table(&name(layer), rows, width);
            let rows = b.graph.gather(table, ids)?;
            x = b.graph.add(x, rows)?;
        }
        if width != self.hidden {
            x = b.product(&name("embeddings.embed_proj"), "weight", None, x, [width, self.hidden])?;
        }
        x = b.layer_norm(&name("embeddings.LayerNorm"), x, self.hidden, self.epsilon)?;
        b.dropout(x, inputs.sequences(), self.dropout)
    }

    /// The embeddings of distances, a row for each bucket. transformers drops values of them in each layer of training; here
    /// they are left as they are, since masks belong to examples, and these rows to none.
    fn distances(&self, b: &mut Builder<'_>, how: Disentangled) -> Result<NodeId> {
        let table = b.table(&name("encoder.rel_embeddings"), how.buckets.count(), self.hidden);
        match how.has_norm {
            true => b.layer_norm(&name("encoder.LayerNorm"), table, self.hidden, self.epsilon),
            false => Ok(table),
        }
    }

    fn layer(
        &self,
        b: &mut Builder<'_>,
        x: NodeId,
        number: usize,
        distances: Option<NodeId>,
        sequences: Sequences,
    ) -> Result<NodeId> {
        let (prefix, hidden) = (layer_name(number), self.hidden);
        let name = |layer: &str| format!("{prefix}.{layer}");
        let seen = self.attention(b, x, &name("attention.self"), distances, sequences)?;
        let seen = b.linear(&name("attention.output.dense"), seen, hidden, hidden)?;
        let seen = b.dropout(seen, sequences, self.dropout)?;
        let sum = b.graph.add(seen, x)?;
        let x = b.layer_norm(&name("attention.output.LayerNorm"), sum, hidden, self.epsilon)?;
        let up = b.linear(&name("intermediate.dense"), x, hidden, self.inner)?;
        let up = b.graph.activate(up, self.activation)?;
        let down = b.linear(&name("output.dense"), up, self.inner, hidden)?;
        let down = b.dropout(down, sequences, self.dropout)?;
        let sum = b.graph.add(down, x)?;
        b.layer_norm(&name("output.LayerNorm"), sum, hidden, self.epsilon)
    }

    fn attention(
        &self,
        b: &mut Builder<'_>,
        x: NodeId,
        prefix: &str,
        distances: Option<NodeId>,
        sequences: Sequences,
    ) -> Result<NodeId> {
        let hidden = self.hidden;
        let product =
            |b: &mut Builder<'_>, layer: &str, x: NodeId| b.linear(&format!("{prefix}.{layer}"), x, hidden, hidden);
        let q = product(b, "query_proj", x)?;
        let k = product(b, "key_proj", x)?;
        let v = product(b, "value_proj", x)?;
        let (mut tables, mut relative) = (Vec::new(), None);
        if let (Some(how), Some(distances)) = (self.disentangled, distances) {
            let [key, query] = match how.shares_products {
                true => ["key_proj", "query_proj"],
                false => ["pos_key_proj", "pos_query_proj"],
            };
            for layer in [how.keys.then_some(key), how.queries.then_some(query)].into_iter().flatten() {
                tables.push(product(b, layer, distances)?);
            }
            relative = Some(Relative::Vectors { buckets: how.buckets, keys: how.keys, queries: how.queries });
        }
        let scale = 1.0 / ((hidden / self.heads * self.terms) as f32).sqrt();
        let dropout = b.random(self.attention_dropout);
        let attention = Attention { dropout, relative, ..Attention::new(self.heads, scale) };
        Ok(b.graph.relative_attention(attention, [q, k, v], &tables, sequences)?)
    }
}

impl Disentangled {
    fn read(config: &Config<'_>, positions: usize, [keys, queries]: [bool; 2]) -> Result<Disentangled> {
        if !keys && !queries {
            let hint = "use one of the published models, which name `p2c` and `c2p` there";
            return Err(unsupported("`relative_attention` without a `pos_att_type`", hint));
        }
        let furthest = config.size_or_none("max_relative_positions")?.unwrap_or(positions);
        let buckets = match config.size_or_none("position_buckets")? {
            None => Buckets::Centred { span: furthest, furthest: None },
            Some(span) if span >= 4 && furthest > span / 2 + 1 => Buckets::Centred { span, furthest: Some(furthest) },
            Some(span) => {
                let expected = format!("at least 4, and less than twice the {furthest} relative positions");
                return Err(wrong("position_buckets", &expected, span.to_string()));
            }
        };
        let norms = config.text_if_any("norm_rel_ebd")?.unwrap_or_default();
        Ok(Disentangled {
            buckets,
            keys,
            queries,
            shares_products: config.flag_or("share_att_key", false)?,
            has_norm: norms.to_lowercase().split('|').any(|norm| norm.trim() == "layer_norm"),
        })
    }
}

/// Whether contents are compared with keys of positions, and queries of positions with contents: `pos_att_type`, a list or a text
/// with bars.
fn position_terms(config: &Config<'_>) -> Result<[bool; 2]> {
    let named: Vec<String> = match config.get("pos_att_type") {
        None => Vec::new(),
        Some(Value::Array(names)) => names.iter().map(|name| name.as_str().unwrap_or_default().to_owned()).collect(),
        Some(_) => {
            let text = config.text("pos_att_type")?.to_lowercase();
            text.split('|').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
        }
    };
    match named.iter().find(|name| !["c2p", "p2c"].contains(&name.as_str())) {
        Some(other) => Err(wrong("pos_att_type", "`c2p` and `p2c`", format!("`{other}`"))),
        None => Ok(["c2p", "p2c"].map(|term| named.iter().any(|name| name == term))),
    }
}

/// The name of a layer of the base.
fn name(layer: &str) -> String {
    format!("{BASE}.{layer}")
}

fn layer_name(number: usize) -> String {
    name(&format!("encoder.layer.{number}"))
}

fn unsupported(what: &str, hint: &str) -> ModelError {
    ModelError::Unsupported {
        layer: "config.json".to_owned(),
        class: "deberta-v2".to_owned(),
        what: what.to_owned(),
        hint: hint.to_owned(),
    }
}

fn wrong(key: &str, expected: &str, found: String) -> ModelError {
    ModelError::Description { place: format!("config.json: {key}"), expected: expected.to_owned(), found }
}

//! BERT and what is built like it: embeddings, then layers of attention and a product of two, each with a residual and layer
//! normalization behind it. Sequences are ragged: no padding is ever computed.

use retune_graph::NodeId;
use retune_graph::ops::sequence::Pooling;
use retune_graph::ops::{Activation, Attention, Buckets, Relative, Sequences};

use super::names::{self, Between, Head, Names};
use super::output::{self, CLASSIFIER, Inputs};
use crate::adapters::virtual_tokens::PREFIX;
use crate::error::{ModelError, Result};
use crate::torch::Lowered;
use crate::torch::builder::Builder;
use crate::torch::config::Config;
use crate::torch::task::Task;

/// The buckets of MPNet's distances, which no configuration changes.
const MPNET_BUCKETS: Buckets = Buckets::Halves { count: 32, furthest: 128 };

/// Sizes and rates of an encoder.
#[derive(Debug, Clone)]
pub(crate) struct Encoder {
    pub(crate) names: Names,
    vocabulary: usize,
    /// Width of the embeddings.
    embedding: usize,
    /// Width of the layers.
    hidden: usize,
    inner: usize,
    layers: usize,
    heads: usize,
    positions: usize,
    /// Rows of the position table before that of the first token: RoBERTa's count from behind the padding's.
    first_position: usize,
    types: usize,
    epsilon: f32,
    activation: Activation,
    hidden_dropout: f32,
    attention_dropout: f32,
    classifier_dropout: f32,
    stddev: f32,
}

impl Encoder {
    /// The encoder of this `model_type`; `None` if it is none of these.
    pub(super) fn read(kind: &str, config: &Config<'_>) -> Result<Option<Encoder>> {
        let names = match kind {
            "bert" => names::BERT,
            "roberta" => names::ROBERTA,
            "xlm-roberta" => names::XLM_ROBERTA,
            "electra" => names::ELECTRA,
            "albert" => names::ALBERT,
            "mpnet" => names::MPNET,
            "distilbert" => return Encoder::distilbert(config).map(Some),
            _ => return Ok(None),
        };
        for key in ["is_decoder", "add_cross_attention"] {
            config.require_off(key, "use a model that is an encoder alone")?;
        }
        config.require("position_embedding_type", "absolute", "use a model with absolute positions")?;
        if kind == "albert" {
            for key in ["num_hidden_groups", "inner_group_num"] {
                if config.count_or(key, 1)? != 1 {
                    return Err(ModelError::Unsupported {
                        layer: "config.json".to_owned(),
                        class: kind.to_owned(),
                        what: format!("`{key}` above 1"),
                        hint: "use one of the published ALBERT models, which have one group of one layer".to_owned(),
                    });
                }
            }
        }
        let hidden = config.size("hidden_size")?;
        if kind == "mpnet"
            && config.count_or("relative_attention_num_buckets", MPNET_BUCKETS.count())? != MPNET_BUCKETS.count()
        {
            return Err(ModelError::Unsupported {
                layer: "config.json".to_owned(),
                class: kind.to_owned(),
                what: "a `relative_attention_num_buckets` other than 32".to_owned(),
                hint: "use one of the published MPNet models, which have 32".to_owned(),
            });
        }
        let first_position = match names.base {
            "roberta" => config.count_or("pad_token_id", 1)? + 1,
            "mpnet" => 2,
            _ => 0,
        };
        let rate = if kind == "albert" { 0.0 } else { 0.1 };
        let hidden_dropout = config.rate_or("hidden_dropout_prob", rate)?;
        let classifier = if kind == "albert" { "classifier_dropout_prob" } else { "classifier_dropout" };
        let classifier_default = if kind == "albert" { 0.1 } else { f64::from(hidden_dropout) };
        let encoder = Encoder {
            vocabulary: config.size("vocab_size")?,
            embedding: config.size_if_any("embedding_size")?.unwrap_or(hidden),
            hidden,
            inner: config.size("intermediate_size")?,
            layers: config.size("num_hidden_layers")?,
            heads: config.size("num_attention_heads")?,
            positions: config.size_if_any("max_position_embeddings")?.unwrap_or(512),
            first_position,
            types: config.size_if_any("type_vocab_size")?.unwrap_or(2),
            epsilon: config.number_or("layer_norm_eps", 1e-12)?,
            activation: config.activation_or("hidden_act", Activation::Gelu { approximate: kind == "albert" })?,
            hidden_dropout,
            attention_dropout: config.rate_or("attention_probs_dropout_prob", rate)?,
            classifier_dropout: config.rate_or(classifier, classifier_default)?,
            stddev: config.number_or("initializer_range", 0.02)?,
            names,
        };
        encoder.checked().map(Some)
    }

    fn distilbert(config: &Config<'_>) -> Result<Encoder> {
        let hidden = config.size("dim")?;
        let encoder = Encoder {
            names: names::DISTILBERT,
            vocabulary: config.size("vocab_size")?,
            embedding: hidden,
            hidden,
            inner: config.size("hidden_dim")?,
            layers: config.size("n_layers")?,
            heads: config.size("n_heads")?,
            positions: config.size_if_any("max_position_embeddings")?.unwrap_or(512),
            first_position: 0,
            types: 0,
            epsilon: 1e-12,
            activation: config.activation_or("activation", Activation::Gelu { approximate: false })?,
            hidden_dropout: config.rate_or("dropout", 0.1)?,
            attention_dropout: config.rate_or("attention_dropout", 0.1)?,
            classifier_dropout: config.rate_or("seq_classif_dropout", 0.2)?,
            stddev: config.number_or("initializer_range", 0.02)?,
        };
        encoder.checked()
    }

    fn checked(self) -> Result<Encoder> {
        let wrong = |place: &str, expected: String, found: usize| ModelError::Description {
            place: format!("config.json: {place}"),
            expected,
            found: found.to_string(),
        };
        if !self.hidden.is_multiple_of(self.heads) {
            let expected = format!("a multiple of the {} attention heads", self.heads);
            return Err(wrong("hidden_size", expected, self.hidden));
        }
        if self.positions <= self.first_position {
            let expected = format!("more than the {} rows before the first token's", self.first_position);
            return Err(wrong("max_position_embeddings", expected, self.positions));
        }
        if self.embedding != self.hidden && self.names.widening.is_none() {
            return Err(wrong("embedding_size", format!("the hidden size of {}", self.hidden), self.embedding));
        }
        Ok(self)
    }

    /// What the pooler's weights are called, if the architecture's own head has one.
    pub(super) fn pooler(&self) -> Option<String> {
        match self.names.head {
            Head::Pooler(name) => Some(self.name(name)),
            Head::DenseThenProjection(_) | Head::PreClassifier => None,
        }
    }

    pub(super) fn max_tokens(&self) -> usize {
        self.positions - self.first_position
    }

    pub(super) fn layers_and_heads(&self) -> [usize; 2] {
        [self.layers, self.heads]
    }

    /// Number of layers and width of keys; `None` with relative positions, which a prefix has none of.
    pub(super) fn prefix_size(&self) -> Option<[usize; 2]> {
        self.names.relative_bias.is_none().then_some([self.layers, self.hidden])
    }

    /// The layers from input to output, as prefixes of names: the embeddings, and each layer.
    pub(super) fn groups(&self) -> Vec<Vec<String>> {
        let layer =
            |number: usize| vec![format!("{}.", self.name(&self.names.layer.replace("{}", &number.to_string())))];
        let mut groups = vec![vec![self.name("embeddings")]];
        // What all layers share learns as what stands before them.
        let shared = [self.names.widening, self.names.relative_bias];
        groups[0].extend(shared.into_iter().flatten().map(|layer| self.name(layer)));
        groups.extend((0..self.layers).map(layer));
        groups
    }

    pub(super) fn lower(&self, b: &mut Builder<'_>, task: &Task, pooling: Option<Pooling>) -> Result<Lowered> {
        b.stddev = self.stddev;
        let inputs = Inputs::declare(b, task, self.names.types.is_some(), true);
        let mut x = self.embed(b, inputs)?;
        for layer in 0..self.layers {
            x = self.layer(b, x, layer, inputs.sequences())?;
        }
        let of_tokens = |b: &mut Builder<'_>, outputs| {
            let y = b.dropout(x, inputs.sequences(), self.classifier_dropout)?;
            b.linear(CLASSIFIER, y, self.hidden, outputs)
        };
        let of_texts = |b: &mut Builder<'_>, outputs| {
            if let Some(pooling) = pooling {
                let shape = [self.hidden, outputs];
                return output::pooled_scores(b, x, inputs.lengths, pooling, self.classifier_dropout, shape);
            }
            let first = output::first_tokens(b, x, inputs.lengths)?;
            self.scores(b, first, outputs)
        };
        let output = output::output(b, task, x, inputs.lengths, of_tokens, of_texts)?;
        Ok(Lowered { outputs: vec![output], updates: Vec::new() })
    }

    /// The name of a layer of the base.
    fn name(&self, layer: &str) -> String {
        format!("{}.{layer}", self.names.base)
    }

    fn embed(&self, b: &mut Builder<'_>, inputs: Inputs) -> Result<NodeId> {
        let words = b.table(&self.name(self.names.words), self.vocabulary, self.embedding);
        let mut x = inputs.embedded(b, words)?;
        if let Some((name, types)) = self.names.types.zip(inputs.token_types) {
            let table = b.table(&self.name(name), self.types, self.embedding);
            let rows = b.graph.gather(table, types)?;
            x = b.graph.add(x, rows)?;
        }
        let mut table = b.table(&self.name(self.names.positions), self.positions, self.embedding);
        // The text begins behind the prefix, as it does in transformers.
        let prefix = b.known(PREFIX).and_then(|prefix| b.graph.shape(prefix)[0].fixed()).unwrap_or(0);
        let first = self.first_position + prefix;
        if first > 0 {
            table = b.graph.slice(table, 0, first, self.positions - first)?;
        }
        let positions = inputs.positions.expect("the network declares positions");
        let rows = b.graph.gather(table, positions)?;
        x = b.graph.add(x, rows)?;
        x = b.layer_norm(&self.name(self.names.embedding_norm), x, self.embedding, self.epsilon)?;
        x = b.dropout(x, inputs.sequences(), self.hidden_dropout)?;
        match self.names.widening {
            // ALBERT has the product always, ELECTRA where it changes the width.
            Some(name) if self.embedding != self.hidden || self.names.base == "albert" => {
                b.linear(&self.name(name), x, self.embedding, self.hidden)
            }
            _ => Ok(x),
        }
    }

    fn layer(&self, b: &mut Builder<'_>, x: NodeId, number: usize, sequences: Sequences) -> Result<NodeId> {
        let prefix = self.name(&self.names.layer.replace("{}", &number.to_string()));
        let name = |layer: &str| format!("{prefix}.{layer}");
        let hidden = self.hidden;
        let q = b.linear(&name(self.names.query), x, hidden, hidden)?;
        let k = b.linear(&name(self.names.key), x, hidden, hidden)?;
        let v = b.linear(&name(self.names.value), x, hidden, hidden)?;
        let scale = 1.0 / ((hidden / self.heads) as f32).sqrt();
        let dropout = b.random(self.attention_dropout);
        let relative = self.names.relative_bias.map(|_| Relative::Bias(MPNET_BUCKETS));
        let prefix = self.prefix(b, number)?;
        let count = prefix.and_then(|[keys, _]| b.graph.shape(keys)[0].fixed()).unwrap_or(0);
        let attention = Attention { dropout, relative, prefix: count, ..Attention::new(self.heads, scale) };
        let table = self.names.relative_bias.map(|bias| b.table(&self.name(bias), MPNET_BUCKETS.count(), self.heads));
        b.graph.enter_layer(&name(self.names.query));
        let seen = match prefix {
            Some(prefix) => b.graph.prefixed_attention(attention, [q, k, v], prefix, sequences)?,
            None => b.graph.relative_attention(attention, [q, k, v], table.as_slice(), sequences)?,
        };
        let seen = b.linear(&name(self.names.attention_output), seen, hidden, hidden)?;
        let seen = self.drop_after_attention(b, seen, sequences)?;
        let sum = b.graph.add(seen, x)?;
        let x = b.layer_norm(&name(self.names.attention_norm), sum, hidden, self.epsilon)?;
        let up = b.linear(&name(self.names.up), x, hidden, self.inner)?;
        let up = b.graph.activate(up, self.activation)?;
        let down = b.linear(&name(self.names.down), up, self.inner, hidden)?;
        let down = if self.names.base == "albert" { down } else { b.dropout(down, sequences, self.hidden_dropout)? };
        let sum = b.graph.add(down, x)?;
        b.layer_norm(&name(self.names.norm), sum, hidden, self.epsilon)
    }

    /// Keys and values of a layer's prefix, if there is one: its columns of the table of all layers, in PEFT's order.
    fn prefix(&self, b: &mut Builder<'_>, layer: usize) -> Result<Option<[NodeId; 2]>> {
        let Some(table) = b.known(PREFIX) else { return Ok(None) };
        let keys = b.graph.slice(table, 1, 2 * layer * self.hidden, self.hidden)?;
        let values = b.graph.slice(table, 1, (2 * layer + 1) * self.hidden, self.hidden)?;
        Ok(Some([keys, values]))
    }

    /// DistilBERT has no dropout behind the product that ends attention.
    fn drop_after_attention(&self, b: &mut Builder<'_>, x: NodeId, sequences: Sequences) -> Result<NodeId> {
        match self.names.head {
            Head::PreClassifier => Ok(x),
            _ => b.dropout(x, sequences, self.hidden_dropout),
        }
    }

    /// The scores of each text from its first token.
    fn scores(&self, b: &mut Builder<'_>, first: NodeId, outputs: usize) -> Result<NodeId> {
        let drop = |b: &mut Builder<'_>, x: NodeId| output::drop_texts(b, x, self.classifier_dropout);
        let hidden = self.hidden;
        match self.names.head {
            Head::Pooler(name) => {
                let y = b.linear(&self.name(name), first, hidden, hidden)?;
                let y = b.graph.activate(y, Activation::Tanh)?;
                let y = drop(b, y)?;
                b.linear(CLASSIFIER, y, hidden, outputs)
            }
            Head::DenseThenProjection(between) => {
                let y = drop(b, first)?;
                let y = b.linear("classifier.dense", y, hidden, hidden)?;
                let y = b.graph.activate(
                    y,
                    match between {
                        Between::Tanh => Activation::Tanh,
                        Between::Gelu => Activation::Gelu { approximate: false },
                    },
                )?;
                let y = drop(b, y)?;
                b.linear("classifier.out_proj", y, hidden, outputs)
            }
            Head::PreClassifier => {
                let y = b.linear("pre_classifier", first, hidden, hidden)?;
                let y = b.graph.activate(y, Activation::RELU)?;
                let y = drop(b, y)?;
                b.linear(CLASSIFIER, y, hidden, outputs)
            }
        }
    }
}

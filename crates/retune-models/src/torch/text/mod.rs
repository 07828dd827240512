//! Encoders of text.
//!
//! | file | what it holds |
//! | --- | --- |
//! | [`encoder`] | BERT and what is built like it: RoBERTa, XLM-R, DistilBERT, ELECTRA, ALBERT, MPNet |
//! | [`names`] | what each of them calls its layers |
//! | [`deberta`] | DeBERTa of versions 2 and 3 |
//! | [`modern_bert`] | ModernBERT |
//! | [`output`] | the inputs and outputs that all have in common |
//! | [`vectors`] | vectors of whole texts: length and angle |

mod deberta;
mod encoder;
mod modern_bert;
mod names;
mod output;
mod vectors;

use deberta::Deberta;
use encoder::Encoder;
use modern_bert::ModernBert;

use retune_graph::ops::sequence::Pooling;

use super::Lowered;
use super::builder::Builder;
use super::config::Config;
use super::task::Task;
use crate::error::Result;

/// The values of `model_type` that are read here.
pub(crate) const KINDS: &[&str] =
    &["bert", "roberta", "xlm-roberta", "distilbert", "electra", "albert", "mpnet", "deberta-v2", "modernbert"];

/// Beginnings of names of heads of pretraining and of other tasks.
const OTHER_HEADS: &[&str] = &[
    "cls.",
    "lm_head.",
    "lm_predictions.",
    "mask_predictions.",
    "predictions.",
    "sop_classifier.",
    "vocab_transform.",
    "vocab_layer_norm.",
    "vocab_projector.",
    "generator_predictions.",
    "generator_lm_head.",
    "discriminator_predictions.",
    "qa_outputs.",
    "decoder.",
    "head.",
    "classifier.",
    "pre_classifier.",
    "summary.",
];

/// An encoder of text.
#[derive(Debug, Clone)]
pub(crate) enum Text {
    Encoder(Box<Encoder>),
    Deberta(Deberta),
    ModernBert(ModernBert),
}

impl Text {
    /// The encoder of this `model_type`; `None` if it is none of [`KINDS`].
    pub(crate) fn read(kind: &str, config: &Config<'_>) -> Result<Option<Text>> {
        match kind {
            "deberta-v2" => Ok(Some(Text::Deberta(Deberta::read(config)?))),
            "modernbert" => Ok(Some(Text::ModernBert(ModernBert::read(config)?))),
            _ => Ok(Encoder::read(kind, config)?.map(|encoder| Text::Encoder(Box::new(encoder)))),
        }
    }

    /// What names of all weights but the head's begin with.
    pub(crate) fn base(&self) -> &'static str {
        match self {
            Text::Encoder(encoder) => encoder.names.base,
            Text::Deberta(_) => deberta::BASE,
            Text::ModernBert(_) => modern_bert::BASE,
        }
    }

    /// The architecture's name.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Text::Encoder(encoder) => encoder.names.base,
            Text::Deberta(_) => "deberta-v2",
            Text::ModernBert(_) => "modernbert",
        }
    }

    /// The class in transformers.
    pub(crate) fn class(&self, task: &Task) -> String {
        let class = match self {
            Text::Encoder(encoder) => encoder.names.class,
            Text::Deberta(_) => "DebertaV2",
            Text::ModernBert(_) => "ModernBert",
        };
        format!("{class}{}", task.class_suffix())
    }

    /// The layer that gives the scores.
    pub(crate) fn head(&self) -> &'static str {
        output::CLASSIFIER
    }

    /// Name of the table of words.
    pub(crate) fn words(&self) -> String {
        let layer = match self {
            Text::Encoder(encoder) => encoder.names.words,
            Text::Deberta(_) => deberta::WORDS,
            Text::ModernBert(_) => modern_bert::WORDS,
        };
        format!("{}.{layer}.weight", self.base())
    }

    /// Numbers of layers and of attention heads.
    pub(crate) fn layers_and_heads(&self) -> [usize; 2] {
        match self {
            Text::Encoder(encoder) => encoder.layers_and_heads(),
            Text::Deberta(deberta) => deberta.layers_and_heads(),
            Text::ModernBert(modern_bert) => modern_bert.layers_and_heads(),
        }
    }

    /// Number of layers and width of keys, where attention can have a prefix: keys without a place.
    pub(crate) fn prefix_size(&self) -> Option<[usize; 2]> {
        match self {
            Text::Encoder(encoder) => encoder.prefix_size(),
            Text::Deberta(_) | Text::ModernBert(_) => None,
        }
    }

    /// Most tokens of a sequence.
    pub(crate) fn max_tokens(&self) -> usize {
        match self {
            Text::Encoder(encoder) => encoder.max_tokens(),
            Text::Deberta(deberta) => deberta.max_tokens(),
            Text::ModernBert(modern_bert) => modern_bert.max_tokens(),
        }
    }

    /// The layers from input to output, as prefixes of names: the embeddings and what else all layers share, and each layer.
    pub(crate) fn groups(&self) -> Vec<Vec<String>> {
        match self {
            Text::Encoder(encoder) => encoder.groups(),
            Text::Deberta(deberta) => deberta.groups(),
            Text::ModernBert(modern_bert) => modern_bert.groups(),
        }
    }

    /// The products that get LoRA by default, the last parts of their names: queries and values, as in PEFT.
    pub(crate) fn lora_targets(&self) -> Vec<String> {
        let last = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
        match self {
            Text::Encoder(encoder) => [encoder.names.query, encoder.names.value].map(last).to_vec(),
            Text::Deberta(_) => ["query_proj", "value_proj"].map(last).to_vec(),
            Text::ModernBert(_) => vec!["Wqkv".to_owned()],
        }
    }

    /// Heads of pretraining and other tasks, buffers, and what the task has no use for: a pooler, or DeBERTa's absolute
    /// positions, which its files keep where nothing reads them.
    pub(crate) fn is_other_head(&self, name: &str) -> bool {
        let own = name.strip_prefix(self.base()).and_then(|rest| rest.strip_prefix('.'));
        let is_unused = |own: &str| {
            own.starts_with("pooler.") || matches!(own, "embeddings.position_ids" | "embeddings.token_type_ids")
        };
        let of_deberta = ["pooler.", "deberta.embeddings.position_embeddings."];
        OTHER_HEADS.iter().any(|head| name.starts_with(head))
            || own.is_some_and(is_unused)
            || matches!(self, Text::Deberta(_)) && of_deberta.iter().any(|start| name.starts_with(start))
    }

    /// Whether a weight is the pooler's, which the task has no use for but another may have.
    pub(crate) fn is_pooler(&self, name: &str) -> bool {
        let Text::Encoder(encoder) = self else { return false };
        encoder.pooler().is_some_and(|pooler| name.strip_prefix(&pooler).is_some_and(|rest| rest.starts_with('.')))
    }

    /// Appends the network's nodes. A classifier stands on the rows pooled so; without, it is the architecture's own.
    pub(crate) fn lower(&self, b: &mut Builder<'_>, task: &Task, pooling: Option<Pooling>) -> Result<Lowered> {
        match self {
            Text::Encoder(encoder) => encoder.lower(b, task, pooling),
            Text::Deberta(deberta) => deberta.lower(b, task, pooling),
            Text::ModernBert(modern_bert) => modern_bert.lower(b, task, pooling),
        }
    }
}

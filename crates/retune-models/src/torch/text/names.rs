//! What each encoder calls its layers. Names are those of transformers, without the base's own.

/// Names of an encoder's layers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names {
    /// The base in models with a head: `bert`.
    pub(crate) base: &'static str,
    /// The beginning of the class's name: `Bert`.
    pub(crate) class: &'static str,
    pub(crate) words: &'static str,
    pub(crate) positions: &'static str,
    /// The table of token types, if there is one.
    pub(crate) types: Option<&'static str>,
    pub(crate) embedding_norm: &'static str,
    /// The table of what the distance of two tokens adds to their score, which all layers share.
    pub(crate) relative_bias: Option<&'static str>,
    /// The product that widens embeddings, where they are narrower than the layers.
    pub(crate) widening: Option<&'static str>,
    /// A layer; `{}` stands for its number, and all layers are one where it is missing.
    pub(crate) layer: &'static str,
    pub(crate) query: &'static str,
    pub(crate) key: &'static str,
    pub(crate) value: &'static str,
    pub(crate) attention_output: &'static str,
    pub(crate) attention_norm: &'static str,
    pub(crate) up: &'static str,
    pub(crate) down: &'static str,
    pub(crate) norm: &'static str,
    pub(crate) head: Head,
}

/// How the first token's vector becomes the scores of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Head {
    /// A pooler of the base with tanh, dropout, then `classifier`.
    Pooler(&'static str),
    /// Dropout, `classifier.dense`, an activation, dropout, `classifier.out_proj`.
    DenseThenProjection(Between),
    /// `pre_classifier` with ReLU, dropout, `classifier`.
    PreClassifier,
}

/// The activation between the two products of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Between {
    Tanh,
    Gelu,
}

/// Devlin et al., *BERT*, 2018.
pub(crate) const BERT: Names = Names {
    base: "bert",
    class: "Bert",
    words: "embeddings.word_embeddings",
    positions: "embeddings.position_embeddings",
    types: Some("embeddings.token_type_embeddings"),
    embedding_norm: "embeddings.LayerNorm",
    relative_bias: None,
    widening: None,
    layer: "encoder.layer.{}",
    query: "attention.self.query",
    key: "attention.self.key",
    value: "attention.self.value",
    attention_output: "attention.output.dense",
    attention_norm: "attention.output.LayerNorm",
    up: "intermediate.dense",
    down: "output.dense",
    norm: "output.LayerNorm",
    head: Head::Pooler("pooler.dense"),
};

/// Liu et al., *RoBERTa*, 2019.
pub(crate) const ROBERTA: Names =
    Names { base: "roberta", class: "Roberta", head: Head::DenseThenProjection(Between::Tanh), ..BERT };

/// Conneau et al., *Unsupervised cross-lingual representation learning at scale*, 2019.
pub(crate) const XLM_ROBERTA: Names = Names { class: "XLMRoberta", ..ROBERTA };

/// Clark et al., *ELECTRA*, 2020.
pub(crate) const ELECTRA: Names = Names {
    base: "electra",
    class: "Electra",
    widening: Some("embeddings_project"),
    head: Head::DenseThenProjection(Between::Gelu),
    ..BERT
};

/// Sanh et al., *DistilBERT*, 2019.
pub(crate) const DISTILBERT: Names = Names {
    base: "distilbert",
    class: "DistilBert",
    types: None,
    layer: "transformer.layer.{}",
    query: "attention.q_lin",
    key: "attention.k_lin",
    value: "attention.v_lin",
    attention_output: "attention.out_lin",
    attention_norm: "sa_layer_norm",
    up: "ffn.lin1",
    down: "ffn.lin2",
    norm: "output_layer_norm",
    head: Head::PreClassifier,
    ..BERT
};

/// Song et al., *MPNet*, 2020.
pub(crate) const MPNET: Names = Names {
    base: "mpnet",
    class: "MPNet",
    types: None,
    relative_bias: Some("encoder.relative_attention_bias"),
    query: "attention.attn.q",
    key: "attention.attn.k",
    value: "attention.attn.v",
    attention_output: "attention.attn.o",
    attention_norm: "attention.LayerNorm",
    head: Head::DenseThenProjection(Between::Tanh),
    ..BERT
};

/// Lan et al., *ALBERT*, 2019. All layers share one set of weights.
pub(crate) const ALBERT: Names = Names {
    base: "albert",
    class: "Albert",
    widening: Some("encoder.embedding_hidden_mapping_in"),
    layer: "encoder.albert_layer_groups.0.albert_layers.0",
    query: "attention.query",
    key: "attention.key",
    value: "attention.value",
    attention_output: "attention.dense",
    attention_norm: "attention.LayerNorm",
    up: "ffn",
    down: "ffn_output",
    norm: "full_layer_layer_norm",
    head: Head::Pooler("pooler"),
    ..BERT
};

//! What encoders of text have in common besides their layers: the inputs, and the outputs of tasks.

use retune_graph::ops::sequence::Pooling;
use retune_graph::ops::{Activation, Sequences};
use retune_graph::{DType, Dim, NodeId, Shape, Symbol};

use super::vectors;
use crate::adapters::virtual_tokens::PROMPT;
use crate::error::Result;
use crate::torch::builder::Builder;
use crate::torch::task::Task;

/// The layer that gives the scores of every task.
pub(super) const CLASSIFIER: &str = "classifier";

/// The inputs of an encoder, `[Tokens] i32` each but `lengths [k · Batch] i32` for the k sequences of an example.
#[derive(Clone, Copy)]
pub(super) struct Inputs {
    pub token_ids: NodeId,
    pub token_types: Option<NodeId>,
    pub positions: Option<NodeId>,
    pub lengths: NodeId,
}

impl Inputs {
    /// Declares the inputs that a network reads for a task.
    pub fn declare(b: &mut Builder<'_>, task: &Task, has_types: bool, has_positions: bool) -> Inputs {
        let mut of_tokens = |name: &str| b.input(name, Shape::new([Dim::Scaled(1, Symbol::Tokens)]), DType::I32);
        let token_ids = of_tokens("token_ids");
        let token_types = has_types.then(|| of_tokens("token_types"));
        let positions = has_positions.then(|| of_tokens("positions"));
        let lengths = b.input("lengths", Shape::new([Dim::Scaled(task.sequences(), Symbol::Batch)]), DType::I32);
        Inputs { token_ids, token_types, positions, lengths }
    }

    /// The words of the tokens, and those of a prompt in place of the first of each sequence.
    pub fn embedded(self, b: &mut Builder<'_>, words: NodeId) -> Result<NodeId> {
        let x = b.graph.gather(words, self.token_ids)?;
        match b.known(PROMPT) {
            Some(prompt) => Ok(b.graph.sequence_prompt(x, prompt, self.lengths)?),
            None => Ok(x),
        }
    }

    pub fn sequences(self) -> Sequences {
        Sequences::Ragged(self.lengths)
    }
}

/// The output of a task and its name. `of_tokens` and `of_texts` give that many scores of each token or each text, from the rows
/// `x` of all tokens.
pub(super) fn output(
    b: &mut Builder<'_>,
    task: &Task,
    x: NodeId,
    lengths: NodeId,
    of_tokens: impl FnOnce(&mut Builder<'_>, usize) -> Result<NodeId>,
    of_texts: impl FnOnce(&mut Builder<'_>, usize) -> Result<NodeId>,
) -> Result<(String, NodeId)> {
    let outputs = task.outputs().unwrap_or(0);
    let output = match task {
        Task::Embedding { pooling, normalize } => {
            let y = b.graph.sequence_pool(x, lengths, *pooling)?;
            let y = if *normalize { vectors::unit_length(b, y)? } else { y };
            return Ok(("embedding".to_owned(), y));
        }
        Task::Similarity { pooling, .. } => {
            let y = b.graph.sequence_pool(x, lengths, *pooling)?;
            return Ok(("similarity".to_owned(), vectors::cosine(b, y)?));
        }
        Task::TokenClassification { .. } => {
            let scores = of_tokens(b, outputs)?;
            b.graph.softmax(scores)?
        }
        Task::Classification { .. } => {
            let scores = of_texts(b, outputs)?;
            b.graph.softmax(scores)?
        }
        Task::MultiLabel { .. } => {
            let scores = of_texts(b, outputs)?;
            b.graph.activate(scores, Activation::Sigmoid)?
        }
        Task::Regression { .. } => of_texts(b, outputs)?,
    };
    Ok((CLASSIFIER.to_owned(), output))
}

/// Scores of each text from its pooled row: dropout, then a product. No weights stand between the encoder and the product.
pub(super) fn pooled_scores(
    b: &mut Builder<'_>,
    x: NodeId,
    lengths: NodeId,
    pooling: Pooling,
    dropout: f32,
    shape: [usize; 2],
) -> Result<NodeId> {
    let y = b.graph.sequence_pool(x, lengths, pooling)?;
    let y = drop_texts(b, y, dropout)?;
    b.linear(CLASSIFIER, y, shape[0], shape[1])
}

/// Dropout of a row of each text.
pub(super) fn drop_texts(b: &mut Builder<'_>, x: NodeId, rate: f32) -> Result<NodeId> {
    match b.random(rate) {
        Some((rate, stream)) => Ok(b.graph.dropout(x, rate, stream)?),
        None => Ok(x),
    }
}

/// The first token's row of each text.
pub(super) fn first_tokens(b: &mut Builder<'_>, x: NodeId, lengths: NodeId) -> Result<NodeId> {
    Ok(b.graph.sequence_pool(x, lengths, Pooling::First)?)
}

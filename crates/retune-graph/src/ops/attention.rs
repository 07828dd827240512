//! Attention of every token to the tokens of its own sequence.
//! Vaswani et al., *Attention is all you need*, 2017.

use super::sequence::{Sequences, sequences};
use super::{Operand, Operation, require};
use crate::error::{GraphError, Rule};
use crate::grad::Backward;
use crate::graph::{Graph, NodeId};
use crate::shape::{DType, Dim, Shape};

/// `y_i = Σⱼ pᵢⱼ · vⱼ` for each head, with `p = dropout(softmax(scale · q kᵀ))` over the tokens j that i sees.
///
/// Inputs `(q, k, v)` of `[rows, heads · head size]`, one row a token, sequences one after the other, and `lengths` where
/// the rows are [`Symbol::Tokens`](crate::Symbol::Tokens); see [`super::sequence`]. The output has the shape of q. Scores are
/// made a band of rows at a time and never kept: the gradient makes them again.
///
/// A share is dropped where `uniform < rate`; it is number `(head · n + i) · n + j` of the stream of its example
/// ([`super::random`]), n being the example's number of tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attention {
    /// Number of heads.
    pub heads: usize,
    /// Factor of the scores, usually `1 / √(head size)`.
    pub scale: f32,
    /// Which tokens a token sees.
    pub reach: Reach,
    /// Probability that a share is dropped, and the number of its stream.
    pub dropout: Option<(f32, u32)>,
}

/// Which tokens j of its sequence a token i sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// All.
    All,
    /// Those up to itself, `j ≤ i`.
    Causal,
    /// Those at most this far away, `|i − j| ≤ distance`.
    Window(usize),
}

impl Reach {
    /// The tokens that token `i` of `n` sees.
    pub fn seen_by(self, i: usize, n: usize) -> std::ops::Range<usize> {
        match self {
            Reach::All => 0..n,
            Reach::Causal => 0..i + 1,
            Reach::Window(distance) => i.saturating_sub(distance)..n.min(i.saturating_add(distance).saturating_add(1)),
        }
    }
}

impl Operation for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        self.check(inputs, 3)?;
        Ok((inputs[0].shape.clone(), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        let inputs: Vec<NodeId> =
            (0..3).map(|index| b.input(index)).chain([b.dy]).chain((3..b.input_count()).map(|i| b.input(i))).collect();
        let all = b.graph.push(AttentionGrad(*self).into(), &inputs)?;
        for index in 0..3 {
            if b.needs(index) {
                let shape = b.graph.shape(inputs[index]).clone();
                let grad = b.graph.slice(all, 0, index, 1)?;
                let grad = b.graph.reshape(grad, shape)?;
                b.give(index, grad);
            }
        }
        Ok(())
    }

    /// As if all sequences were equally long.
    fn flops(&self, inputs: &[Vec<usize>], output: &[usize]) -> u64 {
        4 * (mean_length(inputs, 3) * output.iter().product::<usize>()) as u64
    }
}

impl Attention {
    /// `count` inputs of one shape, and lengths.
    fn check(&self, inputs: &[Operand<'_>], count: usize) -> Result<(), Rule> {
        require(inputs.len() >= count, || "it takes query, key and value, and lengths of sequences".to_owned())?;
        let (rows, lengths) = inputs.split_at(count);
        let (q, same) = (rows[0].shape, rows.iter().all(|r| r.shape == rows[0].shape && r.dtype == DType::F32));
        require(q.rank() == 2 && same, || "query, key and value must have one shape [rows, width]".to_owned())?;
        sequences(q, lengths)?;
        let width = q[1].fixed().unwrap_or(0);
        require(self.heads > 0 && width % self.heads == 0, || {
            format!("a width of {width} does not divide into {} heads", self.heads)
        })?;
        let rate = self.dropout.map_or(0.0, |(rate, _)| rate);
        require((0.0..1.0).contains(&rate), || format!("the rate of dropout must be in [0, 1), found {rate}"))
    }
}

fn mean_length(inputs: &[Vec<usize>], rows: usize) -> usize {
    let tokens = inputs[0][0];
    match inputs.get(rows) {
        Some(lengths) => tokens.div_ceil(lengths[0].max(1)),
        None => tokens,
    }
}

/// The gradients of [`Attention`] with respect to q, k and v, stacked: inputs `(q, k, v, dy)` and perhaps lengths, output
/// `[3, rows, width]`. With `dp = (dy vᵀ) · mask` and `ds = p · (dp − Σⱼ dp p)`: `dq = scale · ds k`, `dk = scale · dsᵀ q`,
/// `dv = (p · mask)ᵀ dy`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttentionGrad(pub Attention);

impl Operation for AttentionGrad {
    fn name(&self) -> &'static str {
        "attention_grad"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        self.0.check(inputs, 4)?;
        let rows = inputs[0].shape;
        Ok((Shape::new([Dim::Fixed(3), rows[0], rows[1]]), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        Err(b.refuse("second derivatives are not provided"))
    }

    fn flops(&self, inputs: &[Vec<usize>], _: &[usize]) -> u64 {
        10 * (mean_length(inputs, 4) * inputs[0].iter().product::<usize>()) as u64
    }
}

impl Graph {
    /// Attention of rows of tokens. `sequences` says which rows belong together.
    pub fn attention(
        &mut self,
        op: Attention,
        [q, k, v]: [NodeId; 3],
        sequences: Sequences,
    ) -> Result<NodeId, GraphError> {
        let inputs: Vec<NodeId> = [q, k, v].into_iter().chain(sequences.lengths()).collect();
        self.push(op.into(), &inputs)
    }
}

//! Attention (dot products; Luong et al., 2015) and AdditiveAttention (Bahdanau et al., 2015), without projections.
//!
//! With query `[batch, T, dim]`, value and key `[batch, S, dim]`: `y = softmax(scores) · value`, masked places of the value
//! getting 10⁹ less score, masked places of the query 0.

use retune_graph::ops::Activation;
use retune_graph::ops::reduce::Reduction;
use retune_graph::{NodeId, Shape};

use super::super::calls::Arguments;
use super::super::fields::Fields;
use super::super::lowering::{Lowering, Value, WeightKind};
use super::Lower;
use super::dense::WeightOptions;
use super::multi_head_attention::causal_mask;
use super::noise::rate;
use crate::error::Result;
use crate::initializer::Initializer;

/// How a query and a key are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Score {
    /// `scale · q · k`.
    Dot,
    /// `w · Σ tanh(scale · (q + k))`, scale and w single numbers.
    Concat,
    /// `Σ scale · tanh(q + k)`, scale `[dim]`.
    Additive,
}

/// See the file's documentation.
#[derive(Debug, Clone)]
pub(crate) struct Attention {
    score: Score,
    use_scale: bool,
    dropout: f32,
}

impl Attention {
    pub(crate) fn read(f: &Fields<'_>) -> Result<Attention> {
        let score = match f.text("score_mode", "dot")? {
            "dot" => Score::Dot,
            "concat" => Score::Concat,
            _ => return Err(f.wrong("score_mode", "`dot` or `concat`")),
        };
        Ok(Attention { score, use_scale: f.flag("use_scale", false)?, dropout: rate(f, "dropout", Some(0.0))? })
    }

    pub(crate) fn additive(f: &Fields<'_>) -> Result<Attention> {
        let use_scale = f.flag("use_scale", true)?;
        Ok(Attention { score: Score::Additive, use_scale, dropout: rate(f, "dropout", Some(0.0))? })
    }

    fn scores(&self, b: &mut Lowering<'_>, q: NodeId, k: NodeId) -> Result<NodeId> {
        let number = WeightOptions::plain;
        let dim = b.fixed(q, 2)?;
        let scale = match (self.use_scale, self.score) {
            (false, _) => None,
            (true, Score::Additive) => {
                Some(number(Initializer::GLOROT_UNIFORM).weight(b, "scale", &[dim], WeightKind::NoDecay)?)
            }
            (true, _) => Some(number(Initializer::ONES).weight(b, "scale", &[], WeightKind::NoDecay)?),
        };
        if self.score == Score::Dot {
            let scores = b.graph.matmul(q, k, false, true)?;
            return Ok(match scale {
                Some(scale) => b.graph.mul(scores, scale)?,
                None => scores,
            });
        }
        let (q, k) = (b.expand(q, 2)?, b.expand(k, 1)?);
        let mut sum = b.graph.add(q, k)?;
        if let (Score::Concat, Some(scale)) = (self.score, scale) {
            sum = b.graph.mul(sum, scale)?;
        }
        let mut compared = b.graph.activate(sum, Activation::Tanh)?;
        if let (Score::Additive, Some(scale)) = (self.score, scale) {
            compared = b.graph.mul(compared, scale)?;
        }
        let scores = b.graph.reduce_away(Reduction::Sum, compared, &[3])?;
        if self.score == Score::Concat {
            let weight = number(Initializer::ONES).weight(b, "concat_score_weight", &[], WeightKind::NoDecay)?;
            return Ok(b.graph.mul(scores, weight)?);
        }
        Ok(scores)
    }
}

impl Lower for Attention {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let inputs: Vec<Value> = arguments.tensors().into_iter().copied().collect();
        let [query, value, ..] = inputs[..] else {
            return Err(b.wrong_inputs("a query and a value", format!("{} inputs", inputs.len())));
        };
        let key = inputs.get(2).copied().unwrap_or(value);
        let (q, v, k) = (b.float(query.node)?, b.float(value.node)?, b.float(key.node)?);
        let (query_mask, value_mask) = match arguments.get("mask") {
            Some(given) => {
                let masks: Vec<NodeId> = given.tensors().iter().map(|value| value.node).collect();
                (masks.first().copied(), masks.get(1).copied())
            }
            None => (query.mask, value.mask),
        };
        let mut scores = self.scores(b, q, k)?;
        let (t, s) = (b.fixed(q, 1)?, b.fixed(k, 1)?);
        let mut mask = None;
        if let Some(value_mask) = value_mask {
            mask = Some(b.expand(value_mask, 1)?);
        }
        if arguments.flag("use_causal_mask") {
            let causal = causal_mask(b, t, s)?;
            let causal = b.graph.reshape(causal, Shape::fixed(&[1, t, s]))?;
            mask = Some(match mask {
                Some(mask) => b.graph.mul(mask, causal)?,
                None => causal,
            });
        }
        if let Some(mask) = mask {
            let penalty = b.graph.affine(mask, 1e9, -1e9)?;
            scores = b.graph.add(scores, penalty)?;
        }
        let scores = b.graph.softmax(scores)?;
        let mut weights = scores;
        if b.is_training() && self.dropout > 0.0 {
            let stream = b.stream();
            weights = b.graph.dropout(scores, self.dropout, stream)?;
        }
        let mut y = b.graph.matmul(weights, v, false, false)?;
        if let Some(mask) = query_mask {
            let mask = b.expand(mask, 2)?;
            y = b.graph.mul(y, mask)?;
        }
        let mut outputs = vec![y.into()];
        if arguments.flag("return_attention_scores") {
            outputs.push(scores.into());
        }
        Ok(outputs)
    }
}

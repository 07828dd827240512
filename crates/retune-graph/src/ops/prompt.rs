//! The same first rows for every sequence: virtual tokens.
//! Lester, Al-Rfou and Constant, *The power of scale for parameter-efficient prompt tuning*, 2021.

use super::sequence::{TOKENS, sequences};
use super::{Operand, Operation, Sizes, exactly, require};
use crate::error::{GraphError, Rule};
use crate::grad::Backward;
use crate::graph::{Graph, NodeId};
use crate::shape::{DType, Shape};

/// `y = x`, but the first n rows of each sequence are `prompt`; inputs `(x [Tokens, width], prompt [n, width],
/// lengths [k · Batch])`. A sequence that is shorter takes as many rows as it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SequencePrompt;

impl Operation for SequencePrompt {
    fn name(&self) -> &'static str {
        "sequence_prompt"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [x, prompt, _] = exactly(inputs)?;
        let is_row = x.shape.rank() == 2 && prompt.shape.rank() == 2 && x.shape[1] == prompt.shape[1];
        let is_ragged = x.shape.dims().first() == Some(&TOKENS) && prompt.shape.dims()[0].fixed().is_some();
        require(is_row && is_ragged && x.dtype == DType::F32 && prompt.dtype == DType::F32, || {
            "it takes f32 rows [Tokens, width] and a prompt [n, width]".to_owned()
        })?;
        sequences(x.shape, &inputs[2..])?;
        Ok((x.shape.clone(), DType::F32))
    }

    /// `dx` is `dy` with zeros in the place of the prompt.
    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        let (prompt, lengths) = (b.graph.shape(b.input(1)).clone(), b.input(2));
        if b.needs(0) {
            let zeros = b.graph.fill(prompt.clone(), 0.0);
            let dx = b.graph.sequence_prompt(b.dy, zeros, lengths)?;
            b.give(0, dx);
        }
        if b.needs(1) {
            let rows = prompt[0].fixed().expect("the shape rule checked it");
            let dprompt = b.graph.push(SequencePromptGrad { rows }.into(), &[b.dy, lengths])?;
            b.give(1, dprompt);
        }
        Ok(())
    }

    fn flops(&self, _: Sizes<'_>) -> u64 {
        0
    }
}

/// The gradient of [`SequencePrompt`] with respect to the prompt, the sum of the first rows of all sequences: inputs
/// `(dy [Tokens, width], lengths [k · Batch])`, output `[rows, width]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SequencePromptGrad {
    /// Number of rows of the prompt.
    pub rows: usize,
}

impl Operation for SequencePromptGrad {
    fn name(&self) -> &'static str {
        "sequence_prompt_grad"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [dy, _] = exactly(inputs)?;
        require(dy.dtype == DType::F32 && dy.shape.rank() == 2 && dy.shape[0] == TOKENS, || {
            "it takes f32 rows [Tokens, width]".to_owned()
        })?;
        sequences(dy.shape, &inputs[1..])?;
        Ok((Shape::new([self.rows.into(), dy.shape[1]]), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        Err(b.refuse("second derivatives are not provided"))
    }

    fn flops(&self, Sizes { inputs, output, .. }: Sizes<'_>) -> u64 {
        (output.iter().product::<usize>() * inputs[1].iter().product::<usize>()) as u64
    }
}

impl Graph {
    /// The rows of `prompt` in the place of the first rows of each sequence.
    pub fn sequence_prompt(&mut self, x: NodeId, prompt: NodeId, lengths: NodeId) -> Result<NodeId, GraphError> {
        self.push(SequencePrompt.into(), &[x, prompt, lengths])
    }
}

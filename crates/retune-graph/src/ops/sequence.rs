//! Sequences of tokens without padding.
//!
//! The tokens of a batch stand one after the other along the first axis. Where sequences differ in length that axis is
//! [`Symbol::Tokens`], and operations take `lengths [k · Batch] i32`, the number of tokens of each sequence: k sequences belong
//! to an example, and stand together; mostly it is one. Where all sequences have n tokens, as the patches of images do, the
//! first axis is `n · Batch`, and no lengths are needed.

use super::{Operand, Operation, Sizes, exactly, require};
use crate::error::{GraphError, Rule};
use crate::grad::Backward;
use crate::graph::{Graph, NodeId};
use crate::shape::{DType, Dim, Shape, Symbol};

/// The axis of tokens.
pub(crate) const TOKENS: Dim = Dim::Scaled(1, Symbol::Tokens);

/// How rows of tokens fall into sequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sequences {
    /// The node that holds their lengths, `[k · Batch] i32`.
    Ragged(NodeId),
    /// All are equally long.
    Even,
}

impl Sequences {
    /// The node that holds the lengths, if they differ.
    pub fn lengths(self) -> Option<NodeId> {
        match self {
            Sequences::Ragged(lengths) => Some(lengths),
            Sequences::Even => None,
        }
    }
}

/// The rule of operations on `rows` of tokens: lengths where the first axis is that of tokens, none where it is a multiple of
/// the batch.
pub(crate) fn sequences(rows: &Shape, lengths: &[Operand<'_>]) -> Result<(), Rule> {
    match (rows.dims().first(), lengths) {
        (Some(&TOKENS), [lengths]) => {
            let is_batch = matches!(lengths.shape.dims(), [Dim::Scaled(1.., Symbol::Batch)]);
            require(lengths.dtype == DType::I32 && is_batch, || {
                "lengths of sequences must be i32 [Batch], or of a multiple of the batch".to_owned()
            })
        }
        (Some(&TOKENS), _) => Err("rows of tokens need the lengths of their sequences".to_owned()),
        (Some(Dim::Scaled(_, Symbol::Batch)), []) => Ok(()),
        _ => Err("the first axis must be that of tokens, with lengths, or a multiple of the batch, without".to_owned()),
    }
}

/// One row of each sequence of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// The first token's, as BERT's `[CLS]`.
    First,
    /// The last token's.
    Last,
    /// The mean of all tokens'.
    Mean,
}

/// `[Tokens, width]` and `lengths [k · Batch]` to `[k · Batch, width]`. A sequence without tokens gives zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SequencePool(pub Pooling);

impl Operation for SequencePool {
    fn name(&self) -> &'static str {
        "sequence_pool"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [x, lengths] = exactly(inputs)?;
        require(x.dtype == DType::F32 && x.shape.rank() == 2, || "it takes f32 rows [Tokens, width]".to_owned())?;
        sequences(x.shape, &inputs[1..])?;
        Ok((x.shape.with(0, lengths.shape[0]), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        let dx = b.graph.push(SequencePoolGrad(self.0).into(), &[b.dy, b.input(1)])?;
        b.give(0, dx);
        Ok(())
    }

    fn flops(&self, Sizes { inputs, .. }: Sizes<'_>) -> u64 {
        match self.0 {
            Pooling::Mean => inputs[0].iter().product::<usize>() as u64,
            Pooling::First | Pooling::Last => 0,
        }
    }
}

/// The gradient of [`SequencePool`]: inputs `(dy [k · Batch, width], lengths [k · Batch])`, output `[Tokens, width]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SequencePoolGrad(pub Pooling);

impl Operation for SequencePoolGrad {
    fn name(&self) -> &'static str {
        "sequence_pool_grad"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [dy, lengths] = exactly(inputs)?;
        let is_row = dy.shape.rank() == 2 && lengths.shape.dims() == &dy.shape.dims()[..1];
        require(dy.dtype == DType::F32 && is_row, || "it takes an f32 row for each sequence".to_owned())?;
        let dx = dy.shape.with(0, TOKENS);
        sequences(&dx, std::slice::from_ref(lengths))?;
        Ok((dx, DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        Err(b.refuse("second derivatives are not provided"))
    }
}

impl Graph {
    /// One row of each sequence.
    pub fn sequence_pool(&mut self, x: NodeId, lengths: NodeId, pooling: Pooling) -> Result<NodeId, GraphError> {
        self.push(SequencePool(pooling).into(), &[x, lengths])
    }
}

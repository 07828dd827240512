//! Cross-entropy of logits, fused with softmax so that neither overflows nor is stored.

use super::{Operand, Operation, Sizes, exactly, require};
use crate::error::{GraphError, Rule};
use crate::grad::Backward;
use crate::graph::{Graph, NodeId};
use crate::shape::{DType, Shape};

/// `loss[…] = −Σₖ t[…, k] · log softmax(x)[…, k]`; inputs `(logits […, classes], targets)`.
///
/// Targets are `i32` class indices `[…]` or `f32` probabilities `[…, classes]`. With label smoothing ε the target is
/// `t · (1 − ε) + ε / classes` (Keras and PyTorch agree). An index outside `0..classes` is an error of the run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SoftmaxCrossEntropy {
    /// Share of the target spread evenly over all classes, in `[0, 1)`.
    pub label_smoothing: f32,
}

fn check_targets(logits: &Operand<'_>, targets: &Operand<'_>) -> Result<(), Rule> {
    require(logits.dtype == DType::F32 && logits.shape.rank() >= 1, || "logits must be f32 […, classes]".to_owned())?;
    match targets.dtype {
        DType::I32 => require(*targets.shape == logits.shape.leading(1), || {
            "class indices must have the shape of the logits without the last axis".to_owned()
        }),
        DType::F32 => require(targets.shape == logits.shape, || {
            "target probabilities must have the shape of the logits".to_owned()
        }),
    }
}

impl Operation for SoftmaxCrossEntropy {
    fn name(&self) -> &'static str {
        "softmax_cross_entropy"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [logits, targets] = exactly(inputs)?;
        check_targets(logits, targets)?;
        Ok((logits.shape.leading(1), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        if b.needs(1) {
            return Err(b.refuse("targets are taken as data"));
        }
        let op = SoftmaxCrossEntropyGrad { label_smoothing: self.label_smoothing };
        let dx = b.graph.push(op.into(), &[b.input(0), b.input(1), b.dy])?;
        b.give(0, dx);
        Ok(())
    }

    fn flops(&self, Sizes { inputs, .. }: Sizes<'_>) -> u64 {
        10 * inputs[0].iter().product::<usize>() as u64
    }
}

/// `dx[…, k] = (softmax(x)[…, k] · Σₖ tₖ − t[…, k]) · dloss[…]`; inputs `(logits, targets, dloss)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SoftmaxCrossEntropyGrad {
    /// As in [`SoftmaxCrossEntropy`].
    pub label_smoothing: f32,
}

impl Operation for SoftmaxCrossEntropyGrad {
    fn name(&self) -> &'static str {
        "softmax_cross_entropy_grad"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [logits, targets, dloss] = exactly(inputs)?;
        check_targets(logits, targets)?;
        require(*dloss.shape == logits.shape.leading(1), || "dloss must have the shape of the loss".to_owned())?;
        Ok((logits.shape.clone(), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        Err(b.refuse("second derivatives are not provided"))
    }

    fn flops(&self, Sizes { inputs, .. }: Sizes<'_>) -> u64 {
        10 * inputs[0].iter().product::<usize>() as u64
    }
}

impl Graph {
    /// Cross-entropy of each row of logits against its target.
    pub fn softmax_cross_entropy(
        &mut self,
        logits: NodeId,
        targets: NodeId,
        label_smoothing: f32,
    ) -> Result<NodeId, GraphError> {
        self.push(SoftmaxCrossEntropy { label_smoothing }.into(), &[logits, targets])
    }
}

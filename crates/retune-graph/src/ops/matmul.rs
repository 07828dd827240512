//! Batched matrix products.

use super::{Operand, Operation, Sizes, exactly, require, require_f32};
use crate::error::{GraphError, Rule};
use crate::grad::Backward;
use crate::graph::{Graph, NodeId};
use crate::shape::{DType, Shape};

/// `c[…, i, j] = Σₖ a[…, i, k] · b[…, k, j]`, either factor read transposed. Leading axes must be equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatMul {
    /// Whether `a` is stored `[…, k, i]`.
    pub transpose_a: bool,
    /// Whether `b` is stored `[…, j, k]`.
    pub transpose_b: bool,
    /// How precisely factors are read.
    pub precision: Precision,
}

/// How precisely the factors of a product are read. Sums are `f32` always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// As they are.
    #[default]
    F32,
    /// Rounded to the nearest bfloat16, ties to even, where the processor multiplies such numbers faster; else as they are.
    Bf16,
}

impl Operation for MatMul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let [a, b] = exactly(inputs)?;
        require_f32(inputs)?;
        let rank = a.shape.rank();
        require(rank >= 2 && b.shape.rank() == rank, || "both must have as many axes, at least two".to_owned())?;
        require(a.shape.leading(2) == b.shape.leading(2), || "all axes before the last two must agree".to_owned())?;
        let (i, ka) = if self.transpose_a { (rank - 1, rank - 2) } else { (rank - 2, rank - 1) };
        let (kb, j) = if self.transpose_b { (rank - 1, rank - 2) } else { (rank - 2, rank - 1) };
        require(a.shape[ka] == b.shape[kb], || {
            format!("the summed axes must agree, found {} and {}", a.shape[ka], b.shape[kb])
        })?;
        Ok((a.shape.leading(2).followed_by(&[a.shape[i], b.shape[j]]), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        let (a, c, dy) = (b.input(0), b.input(1), b.dy);
        let (ta, tb) = (self.transpose_a, self.transpose_b);
        let product = |transpose_a, transpose_b| MatMul { transpose_a, transpose_b, precision: self.precision };
        if b.needs(0) {
            let (op, inputs) = if ta { (product(tb, true), [c, dy]) } else { (product(false, !tb), [dy, c]) };
            let da = b.graph.push(op.into(), &inputs)?;
            b.give(0, da);
        }
        if b.needs(1) {
            let (op, inputs) = if tb { (product(true, ta), [dy, a]) } else { (product(!ta, false), [a, dy]) };
            let db = b.graph.push(op.into(), &inputs)?;
            b.give(1, db);
        }
        Ok(())
    }

    fn flops(&self, Sizes { inputs, output, .. }: Sizes<'_>) -> u64 {
        let a = &inputs[0];
        let k = if self.transpose_a { a[a.len() - 2] } else { a[a.len() - 1] };
        2 * (k * output.iter().product::<usize>()) as u64
    }
}

impl Graph {
    /// The matrix product over the last two axes, either factor read transposed.
    pub fn matmul(&mut self, a: NodeId, b: NodeId, transpose_a: bool, transpose_b: bool) -> Result<NodeId, GraphError> {
        self.push(MatMul { transpose_a, transpose_b, precision: Precision::F32 }.into(), &[a, b])
    }
}

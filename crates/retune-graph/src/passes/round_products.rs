//! Lets products read their factors as bfloat16, which processors with dot products of that type multiply twice as fast.
//!
//! Weights, sums and everything between products stay `f32`: mixed precision. Run before [`crate::gradients`], it holds for the
//! gradients' products too.

use super::rewrite::{Rewritten, rewrite};
use crate::error::GraphError;
use crate::graph::{Graph, NodeId};
use crate::ops::{Attention, Linear, MatMul, Op, Precision};

/// Products of fewer outputs than this stay as they are: heads, whose scores decide, cost nothing.
const FEWEST_COLUMNS: usize = 32;

/// Marks every product of at least 32 columns, and those of attention.
pub fn round_products(old: &Graph, outputs: &[NodeId]) -> Result<Rewritten, GraphError> {
    rewrite(old, outputs, |graph, _, node, inputs| {
        if node.shape.last().and_then(|dim| dim.fixed()).is_some_and(|columns| columns < FEWEST_COLUMNS) {
            return Ok(None);
        }
        let op: Op = match &node.op {
            Op::Linear(op) => Linear { precision: Precision::Bf16, ..*op }.into(),
            Op::MatMul(op) => MatMul { precision: Precision::Bf16, ..*op }.into(),
            Op::Attention(op) => Attention { precision: Precision::Bf16, ..*op }.into(),
            _ => return Ok(None),
        };
        graph.push(op, inputs).map(Some)
    })
}

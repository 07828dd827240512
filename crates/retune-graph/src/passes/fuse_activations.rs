//! Applies an activation inside the convolution, linear product or normalization that makes its argument, while the values are in cache.
//!
//! The argument is then never stored, so a function is fused where its gradient can do without: its derivative follows from
//! its value, or the argument is computed anew, which batch normalization does at no cost beside reading its input.
//! [`fuse_activations`] must run before [`crate::gradients`].

use super::rewrite::{Rewritten, rewrite, use_counts};
use crate::error::GraphError;
use crate::graph::{Graph, NodeId};
use crate::ops::{Activate, Op};

/// Fuses wherever the argument has no other use.
pub fn fuse_activations(old: &Graph, outputs: &[NodeId]) -> Result<Rewritten, GraphError> {
    let uses = use_counts(old, outputs);
    rewrite(old, outputs, |graph, _, node, inputs| {
        let Op::Activate(Activate(activation)) = node.op else { return Ok(None) };
        let maker = graph.node(inputs[0]).clone();
        let can_fuse = activation.derivative_from_output() || matches!(maker.op, Op::BatchNorm(_));
        if !can_fuse || uses[node.inputs[0].0] != 1 {
            return Ok(None);
        }
        let fused = match maker.op {
            Op::Conv2d(mut op) if op.activation.is_none() => {
                op.activation = Some(activation);
                Op::Conv2d(op)
            }
            Op::BatchNorm(mut op) if op.activation.is_none() => {
                op.activation = Some(activation);
                Op::BatchNorm(op)
            }
            Op::Linear(mut op) if op.activation.is_none() => {
                op.activation = Some(activation);
                Op::Linear(op)
            }
            _ => return Ok(None),
        };
        graph.push(fused, &maker.inputs).map(Some)
    })
}

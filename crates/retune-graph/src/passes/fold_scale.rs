//! Folds a per-channel scale and shift into the convolution or linear product before them.
//!
//! Batch normalization of a frozen layer (or in inference) is `y · s + t` with s and t `[channels]` made from weights:
//! `conv(x, w, b) · s + t = conv(x, w · s, b · s + t)`. Scaling the kernel costs a thousandth of scaling the image, and where
//! the kernel is frozen too the product is computed once.

use super::dependence::dependence;
use super::rewrite::{Rewritten, rewrite, use_counts};
use crate::error::GraphError;
use crate::graph::{Graph, NodeId};
use crate::ops::{Binary, Op};
use crate::shape::Shape;

/// Folds wherever the scaled result has no other use.
pub fn fold_scale(old: &Graph, outputs: &[NodeId]) -> Result<Rewritten, GraphError> {
    let uses = use_counts(old, outputs);
    let depends = dependence(old);
    rewrite(old, outputs, |graph, id, node, inputs| {
        let Op::Binary(binary @ (Binary::Mul | Binary::Add)) = node.op else { return Ok(None) };
        let [x, per_channel] = [node.inputs[0], node.inputs[1]];
        // `rewrite` maps the folded product to its convolution, so a shift behind a scale finds a convolution again.
        let (conv, vector) = (inputs[0], inputs[1]);
        let Some(channels) = old.shape(id).last() else { return Ok(None) };
        if uses[x.0] != 1 || depends[per_channel.0].input || old.shape(per_channel).dims() != [channels] {
            return Ok(None);
        }
        let maker = graph.node(conv).clone();
        let foldable = match &maker.op {
            Op::Conv2d(op) => op.activation.is_none(),
            Op::Linear(op) => op.activation.is_none(),
            Op::DepthwiseConv2d(_) => binary == Binary::Mul,
            _ => false,
        };
        if !foldable {
            return Ok(None);
        }
        let (image, mut kernel, mut bias) = (maker.inputs[0], maker.inputs[1], maker.inputs.get(2).copied());
        if binary == Binary::Mul {
            let scale = match maker.op {
                Op::DepthwiseConv2d(_) => {
                    let per_filter = Shape::new(&graph.shape(kernel).dims()[2..]);
                    graph.reshape(vector, per_filter)?
                }
                _ => vector,
            };
            kernel = graph.mul(kernel, scale)?;
            bias = bias.map(|bias| graph.mul(bias, vector)).transpose()?;
        } else {
            bias = Some(match bias {
                Some(bias) => graph.add(bias, vector)?,
                None => vector,
            });
        }
        let inputs: Vec<NodeId> = [image, kernel].into_iter().chain(bias).collect();
        graph.push(maker.op, &inputs).map(Some)
    })
}

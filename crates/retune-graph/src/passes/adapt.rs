//! Adds small trainable terms to products and convolutions whose weight is frozen: adapters, computed on activations.
//!
//! The weight of the product is neither copied nor does it get a gradient: where it is frozen, all that training makes is of
//! the size of the terms and of the activations.

use super::rewrite::{Rewritten, rewrite};
use crate::error::GraphError;
use crate::graph::{Graph, Node, NodeId};
use crate::ops::reduce::Reduction;
use crate::ops::{Activation, Binary, Conv2d, ConvGeometry, Linear, Op, Sequences, Unary};
use crate::shape::{Dim, Symbol};
use crate::weights::WeightId;

/// A term beside the products with one weight `w [in, out]`, `y = x · w + bias`; a low-rank term without magnitude beside the
/// convolutions with one kernel as well, if these are not in groups.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adaptation {
    /// The weight of the products; each of its uses gets the term.
    pub target: WeightId,
    /// What is added.
    pub term: Term,
}

/// What happens to a product.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Term {
    /// `y + scale · dropout(x) · down · up`, with `down [in, rank]` and `up [rank, out]`. Beside a convolution `down` is a kernel
    /// `[height, width, in, rank]` that goes where its kernel goes, and `up` one of a single tap, `[1, 1, rank, out]`.
    /// Hu et al., *LoRA*, 2021; for convolutions as in PEFT.
    LowRank {
        /// The first factor.
        down: WeightId,
        /// The second factor.
        up: WeightId,
        /// Factor of the term.
        scale: f32,
        /// Rate and stream of the dropout.
        dropout: Option<(f32, u32)>,
        /// With it, the sum of product and term without bias is multiplied by `magnitude / ‖w + scale · down · up‖`, norms
        /// taken over each column and without gradient. Liu et al., *DoRA*, 2024.
        magnitude: Option<WeightId>,
    },
    /// `y · factors`, of shape `[out]`. Liu et al., *(IA)³*, 2022.
    ScaleOutput {
        /// The factors.
        factors: WeightId,
    },
    /// `(x · factors) · w + bias`, the factors of shape `[in]`.
    ScaleInput {
        /// The factors.
        factors: WeightId,
    },
    /// `y + f(y · down + down_bias) · up + up_bias`. Houlsby et al., 2019.
    Bottleneck {
        /// `[out, size]`.
        down: WeightId,
        /// `[size]`.
        down_bias: WeightId,
        /// `[size, out]`.
        up: WeightId,
        /// `[out]`.
        up_bias: WeightId,
        /// f.
        activation: Activation,
    },
}

/// Adds the terms. `lengths` are those of the sequences where there is a token axis. Run it on a network as it was built: before
/// activations are fused.
pub fn adapt(
    old: &Graph,
    outputs: &[NodeId],
    adaptations: &[Adaptation],
    lengths: Option<NodeId>,
) -> Result<Rewritten, GraphError> {
    let kept: Vec<NodeId> = outputs.iter().copied().chain(lengths).collect();
    let mut new_lengths = None;
    rewrite(old, &kept, |graph, id, node, inputs| {
        // An input of the network, before every product that may need it.
        if Some(id) == lengths {
            new_lengths = Some(graph.append(Node { inputs: inputs.to_vec(), ..node.clone() }));
            return Ok(new_lengths);
        }
        let geometry = match node.op {
            Op::Linear(Linear { activation: None, .. }) => None,
            Op::Conv2d(Conv2d { geometry, groups: 1, activation: None }) => Some(geometry),
            _ => return Ok(None),
        };
        let Op::Weight(target) = old.node(node.inputs[1]).op else { return Ok(None) };
        let mut result = None;
        for adaptation in adaptations.iter().filter(|adaptation| adaptation.target == target) {
            let x = inputs[0];
            let y = match result {
                Some(y) => y,
                None => graph.push(node.op.clone(), inputs)?,
            };
            let product = Product { x, w: inputs[1], bias: inputs.get(2).copied(), y, geometry };
            result = Some(product.with(graph, adaptation.term, new_lengths)?);
        }
        Ok(result)
    })
}

/// A product or convolution that a term is added to.
struct Product {
    x: NodeId,
    w: NodeId,
    bias: Option<NodeId>,
    y: NodeId,
    /// Of a convolution: where it goes.
    geometry: Option<ConvGeometry>,
}

impl Product {
    fn with(&self, graph: &mut Graph, term: Term, lengths: Option<NodeId>) -> Result<NodeId, GraphError> {
        match term {
            Term::LowRank { down, up, scale, dropout, magnitude } => {
                let (down, up) = (graph.read_weight(down), graph.read_weight(up));
                let x = match dropout {
                    Some((rate, stream)) => dropped(graph, self.x, rate, stream, lengths)?,
                    None => self.x,
                };
                let low = match self.geometry {
                    None => graph.linear(x, down, None)?,
                    Some(geometry) => graph.conv2d(x, down, None, geometry, 1)?,
                };
                // On the narrow side, where it costs least.
                let low = graph.affine(low, scale, 0.0)?;
                let term = match self.geometry {
                    None => graph.linear(low, up, None)?,
                    Some(_) => graph.conv2d(low, up, None, ConvGeometry::default(), 1)?,
                };
                match magnitude {
                    None => graph.add(self.y, term),
                    Some(magnitude) => {
                        let norms = column_norms(graph, self.w, (down, up), scale)?;
                        let norms = graph.detach(norms)?;
                        let magnitude = graph.read_weight(magnitude);
                        let factors = graph.div(magnitude, norms)?;
                        let product = graph.linear(self.x, self.w, None)?;
                        let sum = graph.add(product, term)?;
                        let y = graph.mul(sum, factors)?;
                        self.bias.map_or(Ok(y), |bias| graph.add(y, bias))
                    }
                }
            }
            Term::ScaleOutput { factors } => {
                let factors = graph.read_weight(factors);
                graph.mul(self.y, factors)
            }
            Term::ScaleInput { factors } => {
                let factors = graph.read_weight(factors);
                let x = graph.mul(self.x, factors)?;
                graph.linear(x, self.w, self.bias)
            }
            Term::Bottleneck { down, down_bias, up, up_bias, activation } => {
                let [down, down_bias, up, up_bias] = [down, down_bias, up, up_bias].map(|id| graph.read_weight(id));
                let narrow = graph.linear(self.y, down, Some(down_bias))?;
                let narrow = graph.activate(narrow, activation)?;
                let term = graph.linear(narrow, up, Some(up_bias))?;
                graph.add(self.y, term)
            }
        }
    }
}

/// Dropout of rows; those that belong to no example, such as a table's, have none.
fn dropped(
    graph: &mut Graph,
    x: NodeId,
    rate: f32,
    stream: u32,
    lengths: Option<NodeId>,
) -> Result<NodeId, GraphError> {
    let rows = graph.shape(x).dims().first();
    if matches!(rows, Some(Dim::Fixed(_))) {
        return Ok(x);
    }
    let is_ragged = rows == Some(&Dim::Scaled(1, Symbol::Tokens));
    let sequences = lengths.filter(|_| is_ragged).map_or(Sequences::Even, Sequences::Ragged);
    graph.sequence_dropout(x, sequences, rate, stream)
}

/// `‖w + scale · down · up‖` of each column, from products no larger than the factors:
/// `‖w‖² + 2 scale · Σ up ∘ (downᵀ w) + scale² · Σ up ∘ (downᵀ down up)`.
fn column_norms(graph: &mut Graph, w: NodeId, (down, up): (NodeId, NodeId), scale: f32) -> Result<NodeId, GraphError> {
    let column_sums = |graph: &mut Graph, x: NodeId| graph.reduce_away(Reduction::Sum, x, &[0]);
    let squares = graph.unary(Unary::Square, w)?;
    let squares = column_sums(graph, squares)?;
    let crossed = graph.matmul(down, w, true, false)?;
    let crossed = graph.binary(Binary::Mul, up, crossed)?;
    let crossed = column_sums(graph, crossed)?;
    let inner = graph.matmul(down, down, true, false)?;
    let inner = graph.matmul(inner, up, false, false)?;
    let inner = graph.binary(Binary::Mul, up, inner)?;
    let inner = column_sums(graph, inner)?;
    let crossed = graph.affine(crossed, 2.0 * scale, 0.0)?;
    let inner = graph.affine(inner, scale * scale, 0.0)?;
    let sum = graph.add(squares, crossed)?;
    let sum = graph.add(sum, inner)?;
    graph.unary(Unary::Sqrt, sum)
}

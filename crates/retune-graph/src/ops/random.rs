//! Randomness inside the network.
//!
//! Every random number is a pure function of (seed, stream, epoch, example, position inside the example): the first axis
//! of a random operation's shape is the batch (or a multiple of it), and row `r` of `rows` belongs to example
//! `r / (rows / batch)`; rows of tokens belong to the example of their sequence ([`super::sequence`]). So neither batch size nor threads change what an example meets.
//!
//! Which number belongs to which value: let `k = rows / batch`, for rows of tokens let `r mod k` be the place in the
//! sequence, and let `size` be the number of values of a row. Value `i`
//! (row-major) of row `r` is value number `(r mod k) · size + i` of its example, and takes that number of the stream
//! `Key::new(seed).with(Purpose::Layer(stream)).at(epoch, example id)` of `retune_tensor`: `uniform(number)` for
//! [`Random::Uniform`] and [`Dropout`], `normal(number)` for [`Random::Normal`]. Where an example has k sequences of tokens, each
//! has numbers of its own: sequence s of them takes `k · id + s` for the id.

use super::sequence::{Sequences, sequences};
use super::{Operand, Operation, require, require_f32};
use crate::error::{GraphError, Rule};
use crate::grad::Backward;
use crate::graph::{Graph, NodeId};
use crate::shape::{DType, Shape};

/// A tensor of random numbers, without inputs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Random {
    /// Uniform in `[low, high)`: `low + (high − low) · uniform`.
    Uniform {
        /// Lower end.
        low: f32,
        /// Upper end, excluded.
        high: f32,
        /// Number of the stream, one per use.
        stream: u32,
    },
    /// Normal: `mean + stddev · normal`.
    Normal {
        /// Mean.
        mean: f32,
        /// Standard deviation.
        stddev: f32,
        /// Number of the stream, one per use.
        stream: u32,
    },
}

/// `y = x · m / (1 − rate)`, m being 0 with probability `rate`, else 1. The gradient draws the same m again instead of
/// keeping it. Inputs `(x)`, or `(x, lengths)` for rows of tokens. Srivastava et al., *Dropout*, 2014.
///
/// A value is kept where `uniform ≥ rate`. With shared axes, numbers run over the shape in which those axes have size 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Dropout {
    /// Probability of a zero, in `[0, 1)`.
    pub rate: f32,
    /// Number of the stream, one per use.
    pub stream: u32,
    /// Axes along which all values share one m (spatial dropout), ascending, without the batch.
    pub shared_axes: Vec<usize>,
}

impl Operation for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        let x = inputs.first().ok_or("it takes an input")?;
        require_f32(&inputs[..1])?;
        sequences(x.shape, &inputs[1..])?;
        require((0.0..1.0).contains(&self.rate), || format!("the rate must be in [0, 1), found {}", self.rate))?;
        require(self.shared_axes.iter().all(|&a| a > 0 && a < x.shape.rank()), || {
            format!("the shared axes {:?} must exist and not be the batch", self.shared_axes)
        })?;
        Ok((x.shape.clone(), DType::F32))
    }

    fn grad(&self, b: &mut Backward<'_>) -> Result<(), GraphError> {
        let inputs: Vec<NodeId> = [b.dy].into_iter().chain((1..b.input_count()).map(|index| b.input(index))).collect();
        let dx = b.graph.push(self.clone().into(), &inputs)?;
        b.give(0, dx);
        Ok(())
    }
}

impl Graph {
    /// Dropout of single values.
    pub fn dropout(&mut self, x: NodeId, rate: f32, stream: u32) -> Result<NodeId, GraphError> {
        self.push(Dropout { rate, stream, shared_axes: Vec::new() }.into(), &[x])
    }

    /// Dropout of single values in rows of tokens.
    pub fn sequence_dropout(
        &mut self,
        x: NodeId,
        sequences: Sequences,
        rate: f32,
        stream: u32,
    ) -> Result<NodeId, GraphError> {
        let inputs: Vec<NodeId> = [x].into_iter().chain(sequences.lengths()).collect();
        self.push(Dropout { rate, stream, shared_axes: Vec::new() }.into(), &inputs)
    }
}

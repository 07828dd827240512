//! One step of SimpleRNN, LSTM and GRU. With `x` the step's input, already projected and biased, and `h` the state:
//!
//! - SimpleRNN: `h = f(x + h U)`.
//! - LSTM (gates i, f, c, o side by side): `c = σ(f) c + σ(i) f(c̃)`, `h = σ(o) f(c)`. Hochreiter and Schmidhuber, 1997.
//! - GRU (gates z, r, h): `h = z h + (1 − z) h̃`, with `h̃ = f(x + r (h U + b'))` if `reset_after` (Keras 3's default, cuDNN's
//!   form), else `h̃ = f(x + (r h) U)` (Keras 1, and Cho et al., 2014).
//!
//! Kernel `[inputs, gates · units]`, recurrent kernel U `[units, gates · units]`, bias `[gates · units]`, of a GRU with
//! `reset_after` `[2, gates · units]`: b of the input, then b' of the state.

use retune_graph::{Dim, NodeId, Shape};

use super::super::fields::Fields;
use super::super::lowering::{Lowering, WeightKind};
use super::super::values::ActivationFunction;
use super::dense::WeightOptions;
use super::noise::{keep_mask, rate};
use crate::error::Result;
use crate::initializer::Initializer;

/// The kind of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CellKind {
    Simple,
    Lstm,
    Gru { reset_after: bool },
}

/// A cell with its attributes.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    pub(crate) kind: CellKind,
    pub(crate) units: usize,
    activation: ActivationFunction,
    recurrent_activation: ActivationFunction,
    kernel: WeightOptions,
    recurrent: WeightOptions,
    bias: Option<WeightOptions>,
    dropout: f32,
    recurrent_dropout: f32,
}

/// The nodes that every step of a cell uses.
pub(crate) struct CellWeights {
    /// The whole projected input `[batch, steps, gates · units]`.
    pub(crate) projected: NodeId,
    recurrent: NodeId,
    /// b' `[gates · units]` of a GRU with `reset_after`.
    recurrent_bias: Option<NodeId>,
    /// For each gate the recurrent kernel `[units, units]` and a dropout factor of the state, if that is dropped.
    dropped_gates: Option<Vec<(NodeId, NodeId)>>,
}

impl Cell {
    /// Reads a cell, or a layer of one cell, whose attributes have the same names.
    pub(crate) fn read(f: &Fields<'_>) -> Result<Cell> {
        let kind = match f.class {
            "SimpleRNN" | "SimpleRNNCell" => CellKind::Simple,
            "LSTM" | "LSTMCell" => CellKind::Lstm,
            "GRU" | "GRUCell" => CellKind::Gru { reset_after: f.flag("reset_after", true)? },
            _ => {
                return Err(f.unsupported("this class of cells", "use SimpleRNNCell, LSTMCell or GRUCell"));
            }
        };
        let recurrent_activation = match kind {
            CellKind::Simple => ActivationFunction::Linear,
            _ => f.activation("recurrent_activation", "sigmoid")?,
        };
        let mut bias = WeightOptions::read(f, "bias", Initializer::ZEROS)?;
        if kind == CellKind::Lstm && f.flag("unit_forget_bias", true)? && bias.initializer == Initializer::ZEROS {
            bias.initializer = Initializer::UnitForgetBias;
        }
        // How the products are arranged in Keras changes no value.
        for arrangement in ["implementation", "unroll", "use_cudnn", "time_major"] {
            if arrangement == "time_major" && f.flag("time_major", false)? {
                return Err(f.unsupported("`time_major`", "put the batch first"));
            }
            f.get(arrangement);
        }
        let orthogonal = Initializer::Orthogonal { gain: 1.0 };
        Ok(Cell {
            kind,
            units: f.size("units", None)?,
            activation: f.activation("activation", "tanh")?,
            recurrent_activation,
            kernel: WeightOptions::read(f, "kernel", Initializer::GLOROT_UNIFORM)?,
            recurrent: WeightOptions::read(f, "recurrent", orthogonal)?,
            bias: f.flag("use_bias", true)?.then_some(bias),
            dropout: rate(f, "dropout", Some(0.0))?,
            recurrent_dropout: rate(f, "recurrent_dropout", Some(0.0))?,
        })
    }

    /// The name that Keras gives the cell.
    pub(crate) fn name(&self) -> &'static str {
        match self.kind {
            CellKind::Simple => "simple_rnn_cell",
            CellKind::Lstm => "lstm_cell",
            CellKind::Gru { .. } => "gru_cell",
        }
    }

    /// Number of the cell's states: an LSTM has h and c.
    pub(crate) fn state_count(&self) -> usize {
        if self.kind == CellKind::Lstm { 2 } else { 1 }
    }

    pub(crate) fn is_random(&self) -> bool {
        self.dropout > 0.0 || self.recurrent_dropout > 0.0
    }

    fn gates(&self) -> usize {
        match self.kind {
            CellKind::Simple => 1,
            CellKind::Lstm => 4,
            CellKind::Gru { .. } => 3,
        }
    }

    /// Declares the weights and projects the whole input `[batch, steps, features]` at once. Input dropout drops the same
    /// features at every step; recurrent dropout draws for each gate and keeps its choice over all steps (Gal and
    /// Ghahramani, 2016).
    pub(crate) fn prepare(&self, b: &mut Lowering<'_>, x: NodeId) -> Result<CellWeights> {
        let (units, width) = (self.units, self.gates() * self.units);
        let features = b.fixed(x, 2)?;
        let kernel = self.kernel.weight(b, "kernel", &[features, width], WeightKind::Kernel)?;
        let recurrent = self.recurrent.weight(b, "recurrent_kernel", &[units, width], WeightKind::Kernel)?;
        let doubled = self.kind == CellKind::Gru { reset_after: true };
        let shape = if doubled { vec![2, width] } else { vec![width] };
        let bias = self.bias.as_ref().map(|bias| bias.weight(b, "bias", &shape, WeightKind::NoDecay)).transpose()?;
        let (bias, recurrent_bias) = match bias {
            Some(bias) if doubled => {
                let (input, state) = (b.graph.slice(bias, 0, 0, 1)?, b.graph.slice(bias, 0, 1, 1)?);
                (Some(b.reshape_fixed(input, &[width])?), Some(b.reshape_fixed(state, &[width])?))
            }
            other => (other, None),
        };
        let mut x = x;
        if b.is_training() && self.dropout > 0.0 {
            let op = retune_graph::ops::Dropout { rate: self.dropout, stream: b.stream(), shared_axes: vec![1] };
            x = b.graph.push(op.into(), &[x])?;
        }
        let projected = b.graph.linear(x, kernel, bias)?;
        let mut dropped_gates = None;
        if b.is_training() && self.recurrent_dropout > 0.0 {
            let state = Shape::new([b.graph.shape(x)[0], Dim::Fixed(units)]);
            let mut gates = Vec::with_capacity(self.gates());
            for gate in 0..self.gates() {
                let keep = keep_mask(b, state.clone(), self.recurrent_dropout)?;
                let factor = b.graph.affine(keep, 1.0 / (1.0 - self.recurrent_dropout), 0.0)?;
                gates.push((b.graph.slice(recurrent, 1, gate * units, units)?, factor));
            }
            dropped_gates = Some(gates);
        }
        Ok(CellWeights { projected, recurrent, recurrent_bias, dropped_gates })
    }

    /// `h U` of the gates `from..to`, side by side.
    fn recur(&self, b: &mut Lowering<'_>, w: &CellWeights, h: NodeId, from: usize, to: usize) -> Result<NodeId> {
        let units = self.units;
        if let Some(gates) = &w.dropped_gates {
            let mut parts = Vec::with_capacity(to - from);
            for &(kernel, factor) in &gates[from..to] {
                let dropped = b.graph.mul(h, factor)?;
                parts.push(b.graph.linear(dropped, kernel, None)?);
            }
            return Ok(b.graph.concat(&parts, 1)?);
        }
        let kernel = b.graph.slice(w.recurrent, 1, from * units, (to - from) * units)?;
        Ok(b.graph.linear(h, kernel, None)?)
    }

    /// One step: the new states from the projected input `x` `[batch, gates · units]` and the states; the first is the output.
    pub(crate) fn step(
        &self,
        b: &mut Lowering<'_>,
        w: &CellWeights,
        x: NodeId,
        states: &[NodeId],
    ) -> Result<Vec<NodeId>> {
        let (units, h) = (self.units, states[0]);
        match self.kind {
            CellKind::Simple => {
                let recurrent = self.recur(b, w, h, 0, 1)?;
                let sum = b.graph.add(x, recurrent)?;
                Ok(vec![self.activation.apply(b, sum)?])
            }
            CellKind::Lstm => {
                let recurrent = self.recur(b, w, h, 0, 4)?;
                let gates = b.graph.add(x, recurrent)?;
                let [i, f, candidate, o] = split(b, gates, units)?;
                let (i, f) = (self.recurrent_activation.apply(b, i)?, self.recurrent_activation.apply(b, f)?);
                let candidate = self.activation.apply(b, candidate)?;
                let o = self.recurrent_activation.apply(b, o)?;
                let (kept, new) = (b.graph.mul(f, states[1])?, b.graph.mul(i, candidate)?);
                let c = b.graph.add(kept, new)?;
                let shown = self.activation.apply(b, c)?;
                Ok(vec![b.graph.mul(o, shown)?, c])
            }
            CellKind::Gru { reset_after } => {
                let [x_z, x_r, x_h] = split(b, x, units)?;
                let [h_z, h_r, h_h] = if reset_after {
                    let mut recurrent = self.recur(b, w, h, 0, 3)?;
                    if let Some(bias) = w.recurrent_bias {
                        recurrent = b.graph.add(recurrent, bias)?;
                    }
                    split(b, recurrent, units)?
                } else {
                    let recurrent = self.recur(b, w, h, 0, 2)?;
                    let [h_z, h_r] = split(b, recurrent, units)?;
                    // The third gate's product waits for the reset gate.
                    [h_z, h_r, h]
                };
                let (z, r) = (b.graph.add(x_z, h_z)?, b.graph.add(x_r, h_r)?);
                let (z, r) = (self.recurrent_activation.apply(b, z)?, self.recurrent_activation.apply(b, r)?);
                let mut reset = b.graph.mul(r, h_h)?;
                if !reset_after {
                    reset = self.recur(b, w, reset, 2, 3)?;
                }
                let candidate = b.graph.add(x_h, reset)?;
                let candidate = self.activation.apply(b, candidate)?;
                Ok(vec![b.select(z, h, candidate)?])
            }
        }
    }
}

/// `N` equal parts of the last axis of a matrix.
fn split<const N: usize>(b: &mut Lowering<'_>, x: NodeId, units: usize) -> Result<[NodeId; N]> {
    let mut parts = [x; N];
    for (i, part) in parts.iter_mut().enumerate() {
        *part = b.graph.slice(x, 1, i * units, units)?;
    }
    Ok(parts)
}

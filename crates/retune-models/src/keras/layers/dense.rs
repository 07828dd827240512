//! Dense: `y = f(x · kernel + bias)` over the last axis; kernel `[inputs, units]`, bias `[units]`.

use super::super::calls::Arguments;
use super::super::fields::Fields;
use super::super::lowering::{Lowering, Value, WeightKind, WeightSpec};
use super::super::values::ActivationFunction;
use super::Lower;
use crate::error::Result;
use crate::initializer::Initializer;
use crate::weight::Regularizer;
use retune_graph::NodeId;

/// The initializer and the penalty of one weight.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WeightOptions {
    pub(crate) initializer: Initializer,
    pub(crate) regularizer: Option<Regularizer>,
}

impl WeightOptions {
    /// Reads `<name>_initializer` and `<name>_regularizer`.
    pub(crate) fn read(
        f: &Fields<'_>,
        initializer: &'static str,
        regularizer: &'static str,
        default: Initializer,
    ) -> Result<WeightOptions> {
        Ok(WeightOptions {
            initializer: f.initializer(initializer, default)?,
            regularizer: f.regularizer(regularizer)?,
        })
    }

    /// The weight `name` of the current layer.
    pub(crate) fn weight(&self, b: &mut Lowering<'_>, name: &str, shape: &[usize], kind: WeightKind) -> Result<NodeId> {
        let WeightOptions { initializer, regularizer } = *self;
        b.weight(WeightSpec { name, shape, initializer, regularizer, kind })
    }
}

/// A bias that may be absent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bias(pub(crate) Option<WeightOptions>);

impl Bias {
    /// Reads `use_bias`, `bias_initializer` and `bias_regularizer`.
    pub(crate) fn read(f: &Fields<'_>) -> Result<Bias> {
        let options = WeightOptions::read(f, "bias_initializer", "bias_regularizer", Initializer::ZEROS)?;
        Ok(Bias(f.flag("use_bias", true)?.then_some(options)))
    }

    /// The weight `bias` of the current layer.
    pub(crate) fn weight(&self, b: &mut Lowering<'_>, shape: &[usize]) -> Result<Option<NodeId>> {
        self.0.map(|options| options.weight(b, "bias", shape, WeightKind::NoDecay)).transpose()
    }
}

/// See the file's documentation.
#[derive(Debug, Clone)]
pub(crate) struct Dense {
    units: usize,
    kernel: WeightOptions,
    bias: Bias,
    activation: ActivationFunction,
}

impl Dense {
    pub(crate) fn read(f: &Fields<'_>) -> Result<Dense> {
        Ok(Dense {
            units: f.size("units", None)?,
            kernel: WeightOptions::read(f, "kernel_initializer", "kernel_regularizer", Initializer::GLOROT_UNIFORM)?,
            bias: Bias::read(f)?,
            activation: f.activation("activation", "linear")?,
        })
    }
}

impl Lower for Dense {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let x = b.one(arguments)?;
        let rank = b.graph.shape(x).rank();
        if rank < 2 {
            return Err(b.wrong_inputs("[batch, …, features]", b.graph.shape(x).to_string()));
        }
        let inputs = b.fixed(x, rank - 1)?;
        let kernel = self.kernel.weight(b, "kernel", &[inputs, self.units], WeightKind::Kernel)?;
        let bias = self.bias.weight(b, &[self.units])?;
        let y = b.graph.linear(x, kernel, bias)?;
        Ok(vec![self.activation.apply(b, y)?.into()])
    }
}

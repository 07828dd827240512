//! Dense: `y = f(x · kernel + bias)` over the last axis; kernel `[inputs, units]`, bias `[units]`.

use super::super::calls::Arguments;
use super::super::fields::Fields;
use super::super::lowering::{Lowering, Value, WeightKind, WeightSpec};
use super::super::values::ActivationFunction;
use super::Lower;
use crate::error::Result;
use crate::initializer::Initializer;
use crate::weight::{Constraint, Regularizer};
use retune_graph::NodeId;

/// What the attributes say about one weight.
#[derive(Debug, Clone)]
pub(crate) struct WeightOptions {
    pub(crate) initializer: Initializer,
    pub(crate) regularizer: Option<Regularizer>,
    pub(crate) constraint: Option<Constraint>,
}

impl WeightOptions {
    /// Reads `<name>_initializer`, `<name>_regularizer` and `<name>_constraint`.
    pub(crate) fn read(f: &Fields<'_>, name: &str, default: Initializer) -> Result<WeightOptions> {
        Ok(WeightOptions {
            initializer: f.initializer(&format!("{name}_initializer"), default)?,
            regularizer: f.regularizer(&format!("{name}_regularizer"))?,
            constraint: f.constraint(&format!("{name}_constraint"))?,
        })
    }

    /// A weight without any attributes.
    pub(crate) fn plain(initializer: Initializer) -> WeightOptions {
        WeightOptions { initializer, regularizer: None, constraint: None }
    }

    /// The weight `name` of the current layer.
    pub(crate) fn weight(&self, b: &mut Lowering<'_>, name: &str, shape: &[usize], kind: WeightKind) -> Result<NodeId> {
        b.weight(WeightSpec { name, shape, options: self, kind })
    }
}

/// A bias that may be absent.
#[derive(Debug, Clone)]
pub(crate) struct Bias(pub(crate) Option<WeightOptions>);

impl Bias {
    /// Reads `use_bias` and the attributes of the bias.
    pub(crate) fn read(f: &Fields<'_>) -> Result<Bias> {
        let options = WeightOptions::read(f, "bias", Initializer::ZEROS)?;
        Ok(Bias(f.flag("use_bias", true)?.then_some(options)))
    }

    /// The weight `bias` of the current layer.
    pub(crate) fn weight(&self, b: &mut Lowering<'_>, shape: &[usize]) -> Result<Option<NodeId>> {
        self.0.as_ref().map(|options| options.weight(b, "bias", shape, WeightKind::NoDecay)).transpose()
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
            kernel: WeightOptions::read(f, "kernel", Initializer::GLOROT_UNIFORM)?,
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

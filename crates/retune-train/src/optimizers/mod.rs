//! Optimizers: from gradients to new weights.
//!
//! | file | optimizer |
//! | --- | --- |
//! | [`gradient_descent`] | [`GradientDescent`]: one step per pass over all examples |
//! | [`sgd`] | [`Sgd`]: stochastic gradient descent, momentum, Nesterov |
//! | [`adam`] | [`Adam`] with AMSGrad, and [`AdamW`]: the same with decoupled weight decay by default |
//! | [`rms_prop`] | [`RmsProp`], centered, momentum |
//! | [`adagrad`] | [`Adagrad`] |
//! | [`state`] | [`OptimizerState`]: what an optimizer remembers of each weight, and the update of all weights |
//!
//! Formulas and defaults are Keras 3's. Where PyTorch's definition gives other numbers, the difference is documented in the
//! file and [`Convention::PyTorch`] selects it (its other defaults, like ε, are then set explicitly).

pub mod adagrad;
pub mod adam;
pub mod gradient_descent;
pub mod rms_prop;
pub mod sgd;
pub mod state;

pub use adagrad::Adagrad;
pub use adam::{Adam, AdamW};
pub use gradient_descent::GradientDescent;
pub use rms_prop::RmsProp;
pub use sgd::Sgd;
pub use state::{OptimizerState, ParameterGroup, WeightUpdate};

use serde::{Deserialize, Serialize};

/// Whose definition is followed where two frameworks differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Convention {
    /// Keras 3.
    #[default]
    Keras,
    /// PyTorch 2.
    #[serde(rename = "pytorch")]
    PyTorch,
}

/// How weight decay acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecayMode {
    /// `w ← w − learning rate · decay · w` before the update (Keras for every optimizer, PyTorch's `AdamW`; Loshchilov and
    /// Hutter, *Decoupled weight decay regularization*, 2019).
    #[default]
    Decoupled,
    /// `gradient + decay · w` enters the update (PyTorch's `SGD`, `Adam`, `RMSprop`, `Adagrad`).
    L2,
}

/// An optimizer with its settings. The learning rate comes from the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Optimizer {
    /// See [`GradientDescent`].
    GradientDescent(GradientDescent),
    /// See [`Sgd`].
    Sgd(Sgd),
    /// See [`Adam`].
    Adam(Adam),
    /// See [`AdamW`].
    #[serde(rename = "adamw")]
    AdamW(AdamW),
    /// See [`RmsProp`].
    #[serde(rename = "rmsprop")]
    RmsProp(RmsProp),
    /// See [`Adagrad`].
    Adagrad(Adagrad),
}

impl Optimizer {
    /// Every optimizer's name in recipes.
    pub const NAMES: &[&str] = &["gradient-descent", "sgd", "adam", "adamw", "rmsprop", "adagrad"];

    /// The name in recipes.
    pub fn name(&self) -> &'static str {
        match self {
            Optimizer::GradientDescent(_) => "gradient-descent",
            Optimizer::Sgd(_) => "sgd",
            Optimizer::Adam(_) => "adam",
            Optimizer::AdamW(_) => "adamw",
            Optimizer::RmsProp(_) => "rmsprop",
            Optimizer::Adagrad(_) => "adagrad",
        }
    }

    /// Keras's default learning rate.
    pub fn default_learning_rate(&self) -> f64 {
        match self {
            Optimizer::GradientDescent(_) | Optimizer::Sgd(_) => 0.01,
            _ => 0.001,
        }
    }

    /// Keras's default weight decay: 0.004 for [`AdamW`], else none.
    pub fn default_weight_decay(&self) -> f64 {
        if matches!(self, Optimizer::AdamW(_)) { 0.004 } else { 0.0 }
    }

    /// Whether one step takes all examples of the training set.
    pub fn takes_all_examples(&self) -> bool {
        matches!(self, Optimizer::GradientDescent(_))
    }

    /// Names of what is remembered for each weight, each as large as the weight.
    pub fn slots(&self) -> Vec<&'static str> {
        match self {
            Optimizer::GradientDescent(_) => Vec::new(),
            Optimizer::Sgd(sgd) => sgd.slots(),
            Optimizer::Adam(adam) => adam.slots(),
            Optimizer::AdamW(AdamW(adam)) => adam.slots(),
            Optimizer::RmsProp(rms_prop) => rms_prop.slots(),
            Optimizer::Adagrad(_) => vec!["accumulator"],
        }
    }

    /// Bytes of what is remembered for so many trained values.
    pub fn state_bytes(&self, trained: usize) -> usize {
        self.slots().len() * trained * size_of::<f32>()
    }

    /// What every slot holds before the first step.
    pub fn initial_slot_value(&self) -> f32 {
        if let Optimizer::Adagrad(adagrad) = self { adagrad.initial_accumulator as f32 } else { 0.0 }
    }

    /// One update of one weight.
    fn update(&self, update: WeightUpdate<'_>) {
        match self {
            Optimizer::GradientDescent(gradient_descent) => gradient_descent.update(update),
            Optimizer::Sgd(sgd) => sgd.update(update),
            Optimizer::Adam(adam) | Optimizer::AdamW(AdamW(adam)) => adam.update(update),
            Optimizer::RmsProp(rms_prop) => rms_prop.update(update),
            Optimizer::Adagrad(adagrad) => adagrad.update(update),
        }
    }
}

/// By default AdamW: weight decay acts on every weight alike, whatever the size of its gradients.
impl Default for Optimizer {
    fn default() -> Optimizer {
        Optimizer::AdamW(AdamW::default())
    }
}

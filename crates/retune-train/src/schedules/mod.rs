//! Learning rates over the steps of a run.
//!
//! | file | what it computes |
//! | --- | --- |
//! | [`step`] | a factor every so many steps, or at given steps |
//! | [`exponential`] | `α · rateᵗ` |
//! | [`cosine`] | half a cosine down to a share of α |
//! | [`polynomial`] | `(1 − t)ᵖ`, and linear as p = 1 |
//! | [`warmup`] | a linear rise before any of them |
//! | [`plateau`] | a factor whenever a metric has stopped improving, on top of any of them |
//!
//! Steps are optimizer steps counted from 0. After a warmup of n steps, the others see `step − n`. Formulas are Keras 3's
//! (`keras.optimizers.schedules`), computed in f64.

pub mod cosine;
pub mod exponential;
pub mod plateau;
pub mod polynomial;
pub mod step;
pub mod warmup;

pub use cosine::Cosine;
pub use exponential::Exponential;
pub use plateau::{Plateau, ReduceOnPlateau};
pub use polynomial::Polynomial;
pub use step::Step;
pub use warmup::Warmup;

use serde::Serialize;

/// How the learning rate changes after the warmup.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Decay {
    /// It stays.
    #[default]
    Constant,
    /// See [`Step`].
    Step(Step),
    /// See [`Exponential`].
    Exponential(Exponential),
    /// See [`Cosine`].
    Cosine(Cosine),
    /// A straight line to `end`: [`Polynomial`] of power 1.
    Linear(Polynomial),
    /// See [`Polynomial`].
    Polynomial(Polynomial),
}

/// The learning rate of every step of a run: `α · factor(step)`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Schedule {
    /// α, the learning rate after the warmup.
    pub learning_rate: f64,
    /// Rise before the decay.
    pub warmup: Warmup,
    /// What follows.
    pub decay: Decay,
}

impl Schedule {
    /// The same learning rate all the time.
    pub fn constant(learning_rate: f64) -> Schedule {
        Schedule { learning_rate, warmup: Warmup::default(), decay: Decay::Constant }
    }

    /// The learning rate of the optimizer step `step`, counted from 0.
    pub fn at(&self, step: u64) -> f64 {
        if let Some(share) = self.warmup.share(step) {
            return self.learning_rate * share;
        }
        let step = step - self.warmup.steps;
        self.learning_rate
            * match &self.decay {
                Decay::Constant => 1.0,
                Decay::Step(decay) => decay.factor(step),
                Decay::Exponential(decay) => decay.factor(step),
                Decay::Cosine(decay) => decay.factor(step),
                Decay::Linear(decay) | Decay::Polynomial(decay) => decay.factor(step),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decay_starts_where_the_warmup_ends() {
        let decay = Decay::Cosine(Cosine { decay_steps: 10, end: 0.1 });
        let schedule = Schedule { learning_rate: 2.0, warmup: Warmup { steps: 4, start: 0.0 }, decay };
        let rates: Vec<f64> = [0, 2, 4, 9, 14, 100].iter().map(|&step| schedule.at(step)).collect();
        for (found, expected) in rates.iter().zip([0.0, 1.0, 2.0, 1.1, 0.2, 0.2]) {
            assert!((found - expected).abs() < 1e-12, "{rates:?}");
        }
    }
}

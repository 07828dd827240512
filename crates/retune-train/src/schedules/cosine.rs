//! The learning rate falls along half a cosine.

use serde::Serialize;

/// `(1 − end) · (1 + cos(π · min(step / decay_steps, 1))) / 2 + end`. Keras's `CosineDecay` (its `alpha` is `end`);
/// Loshchilov and Hutter, *SGDR*, 2017.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Cosine {
    /// Steps after which the end is reached.
    pub decay_steps: u64,
    /// Share of the learning rate that is left at the end. Default 0.
    pub end: f64,
}

impl Cosine {
    /// The factor at a step.
    pub fn factor(&self, step: u64) -> f64 {
        let done = (step as f64 / self.decay_steps.max(1) as f64).min(1.0);
        (1.0 - self.end) * 0.5 * (1.0 + (std::f64::consts::PI * done).cos()) + self.end
    }
}

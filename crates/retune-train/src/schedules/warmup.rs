//! A linear rise of the learning rate at the start.

use serde::Serialize;

/// `start + (1 − start) · step / steps` of the learning rate while `step < steps` (Keras's `CosineDecay` with
/// `warmup_target`). Goyal et al., *Accurate, large minibatch SGD*, 2017.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Warmup {
    /// Length of the rise in optimizer steps. Default 0: none.
    pub steps: u64,
    /// Share of the learning rate at the first step. Default 0.
    pub start: f64,
}

impl Warmup {
    /// The share at a step; `None` once the warmup is over.
    pub fn share(&self, step: u64) -> Option<f64> {
        (step < self.steps).then(|| self.start + (1.0 - self.start) * step as f64 / self.steps as f64)
    }
}

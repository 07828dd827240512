//! Stochastic gradient descent with momentum.

use super::{Convention, WeightUpdate};
use retune_cpu::optimize;
use serde::Serialize;

/// Stochastic gradient descent. Without momentum `w ← w − α g`.
///
/// - Keras: `m ← μ m − α g`, `w ← w + m`; Nesterov: `w ← w + μ m − α g`.
/// - PyTorch (dampening 0): `m ← μ m + g`, `w ← w − α m`; Nesterov: `w ← w − α (g + μ m)`.
///
/// The two give the same weights while the learning rate α stays; when a schedule changes it, Keras's momentum keeps the
/// learning rates of the past. Sutskever et al., *On the importance of initialization and momentum in deep learning*, 2013.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Sgd {
    /// μ, share of the last update that is kept, in `[0, 1)`. Default 0.
    pub momentum: f64,
    /// Whether to look ahead. Default no.
    pub nesterov: bool,
    /// Whose definition. Default Keras's.
    pub convention: Convention,
}

impl Sgd {
    pub(super) fn slots(&self) -> Vec<&'static str> {
        if self.momentum == 0.0 { Vec::new() } else { vec!["momentum"] }
    }

    pub(super) fn update(&self, update: WeightUpdate<'_>) {
        let WeightUpdate { cpu, common, learning_rate, gradient, weight, slots, .. } = update;
        let rate = learning_rate as f32;
        match slots {
            [] => optimize::descend(cpu, &common, rate, gradient, weight),
            slots => {
                let settings = optimize::Momentum {
                    momentum: self.momentum as f32,
                    nesterov: self.nesterov,
                    holds_updates: self.convention == Convention::Keras,
                };
                optimize::momentum(cpu, &common, rate, &settings, gradient, weight, &mut slots[0]);
            }
        }
    }
}

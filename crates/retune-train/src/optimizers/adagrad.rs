//! Adagrad.

use super::{Convention, WeightUpdate};
use retune_cpu::optimize::{self, RootForm};
use serde::Serialize;

/// Adagrad. Duchi, Hazan and Singer, *Adaptive subgradient methods*, 2011.
///
/// `s ← s + g²`, then Keras: `w ← w − α g / √(s + ε)`, s = 0.1 before the first step, ε = 1e-7; PyTorch: `w ← w − α g / (√s + ε)`,
/// s = 0, ε = 1e-10.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Adagrad {
    /// s before the first step. Default 0.1 (PyTorch's is 0).
    pub initial_accumulator: f64,
    /// ε, keeps the divisor from 0. Default 1e-7 (PyTorch's is 1e-10).
    pub epsilon: f64,
    /// Whose definition. Default Keras's.
    pub convention: Convention,
}

impl Default for Adagrad {
    fn default() -> Adagrad {
        Adagrad { initial_accumulator: 0.1, epsilon: 1e-7, convention: Convention::Keras }
    }
}

impl Adagrad {
    pub(super) fn update(&self, update: WeightUpdate<'_>) {
        let WeightUpdate { cpu, common, learning_rate, gradient, weight, slots, .. } = update;
        let epsilon = self.epsilon as f32;
        let root = match self.convention {
            Convention::Keras => RootForm::Inside(epsilon),
            Convention::PyTorch => RootForm::Outside(epsilon),
        };
        optimize::adagrad(cpu, &common, learning_rate as f32, root, gradient, weight, &mut slots[0]);
    }
}

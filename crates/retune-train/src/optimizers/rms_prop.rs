//! RMSprop.

use super::{Convention, WeightUpdate};
use retune_cpu::optimize::{self, RootForm};
use serde::Serialize;

/// RMSprop. Tieleman and Hinton, *Lecture 6.5 — RMSProp*, 2012; centered: Graves, 2013.
///
/// `v ← ρ v + (1 − ρ) g²`; centered: `a ← ρ a + (1 − ρ) g` and `s = v − a²`, else `s = v`;
///
/// - Keras: `u = α g / √(s + ε)`, with momentum `m ← μ m + u`, `w ← w − m`; ρ = 0.9, ε = 1e-7;
/// - PyTorch: `u = g / (√s + ε)`, with momentum `m ← μ m + u`, `w ← w − α m`; ρ = 0.99, ε = 1e-8.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RmsProp {
    /// ρ, decay of the mean of squared gradients, in `[0, 1)`. Default 0.9 (PyTorch's is 0.99).
    pub rho: f64,
    /// μ, share of the last update that is kept, in `[0, 1)`. Default 0.
    pub momentum: f64,
    /// ε, keeps the divisor from 0. Default 1e-7 (PyTorch's is 1e-8).
    pub epsilon: f64,
    /// Whether to subtract the square of the mean gradient. Default no.
    pub centered: bool,
    /// Whose definition. Default Keras's.
    pub convention: Convention,
}

impl Default for RmsProp {
    fn default() -> RmsProp {
        RmsProp { rho: 0.9, momentum: 0.0, epsilon: 1e-7, centered: false, convention: Convention::Keras }
    }
}

impl RmsProp {
    pub(super) fn slots(&self) -> Vec<&'static str> {
        let mut slots = vec!["v"];
        if self.centered {
            slots.push("average");
        }
        if self.momentum != 0.0 {
            slots.push("momentum");
        }
        slots
    }

    pub(super) fn update(&self, update: WeightUpdate<'_>) {
        let WeightUpdate { cpu, common, learning_rate, gradient, weight, slots, .. } = update;
        let epsilon = self.epsilon as f32;
        let keras = self.convention == Convention::Keras;
        let settings = optimize::RmsProp {
            rate: learning_rate as f32,
            rho: self.rho as f32,
            share: (1.0 - self.rho) as f32,
            momentum: self.momentum as f32,
            centered: self.centered,
            root: if keras { RootForm::Inside(epsilon) } else { RootForm::Outside(epsilon) },
            holds_updates: keras,
        };
        let mut slots = slots.iter_mut().map(Vec::as_mut_slice);
        let mut slot = |used: bool| if used { slots.next().unwrap_or_default() } else { Default::default() };
        let (v, average, velocity) = (slot(true), slot(self.centered), slot(self.momentum != 0.0));
        optimize::rms_prop(cpu, &common, &settings, gradient, [weight, v, average, velocity]);
    }
}

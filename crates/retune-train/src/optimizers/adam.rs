//! Adam and AdamW.

use super::{Convention, WeightUpdate};
use retune_cpu::optimize;
use serde::Serialize;

/// Adam. Kingma and Ba, *Adam: a method for stochastic optimization*, 2015.
///
/// `m ← β₁ m + (1 − β₁) g`, `v ← β₂ v + (1 − β₂) g²`, and at step t (counted from 1):
///
/// - Keras: `w ← w − α √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε)`, ε = 1e-7;
/// - PyTorch: `w ← w − α / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε)`, ε = 1e-8: ε is added after the bias correction, so the
///   first steps differ where gradients are as small as ε.
///
/// AMSGrad (Reddi et al., 2018) divides by the largest v so far; both frameworks keep it without bias correction.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Adam {
    /// β₁, decay of the mean of gradients, in `[0, 1)`. Default 0.9.
    pub beta_1: f64,
    /// β₂, decay of the mean of squared gradients, in `[0, 1)`. Default 0.999.
    pub beta_2: f64,
    /// ε, keeps the divisor from 0. Default 1e-7 (PyTorch's is 1e-8).
    pub epsilon: f64,
    /// Whether to divide by the largest second moment so far. Default no.
    pub amsgrad: bool,
    /// Whose definition. Default Keras's.
    pub convention: Convention,
}

impl Default for Adam {
    fn default() -> Adam {
        Adam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, amsgrad: false, convention: Convention::Keras }
    }
}

/// [`Adam`] with decoupled weight decay by default: 0.004 as in Keras (PyTorch: 0.01).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct AdamW(pub Adam);

impl Adam {
    pub(super) fn slots(&self) -> Vec<&'static str> {
        if self.amsgrad { vec!["m", "v", "largest_v"] } else { vec!["m", "v"] }
    }

    pub(super) fn update(&self, update: WeightUpdate<'_>) {
        let WeightUpdate { cpu, common, learning_rate, gradient, weight, slots, step } = update;
        let steps = step as f64;
        let (correction_1, correction_2) = (1.0 - self.beta_1.powf(steps), (1.0 - self.beta_2.powf(steps)).sqrt());
        let (rate, root_scale) = match self.convention {
            Convention::Keras => (learning_rate * correction_2 / correction_1, 1.0),
            Convention::PyTorch => (learning_rate / correction_1, 1.0 / correction_2),
        };
        let settings = optimize::Adam {
            share_1: (1.0 - self.beta_1) as f32,
            share_2: (1.0 - self.beta_2) as f32,
            rate: rate as f32,
            root_scale: root_scale as f32,
            epsilon: self.epsilon as f32,
        };
        let (moments, largest) = slots.split_at_mut(2);
        let [m, v] = moments else { unreachable!("`slots` lists two moments") };
        let largest = largest.first_mut().map(Vec::as_mut_slice);
        optimize::adam(cpu, &common, &settings, gradient, weight, [m, v], largest);
    }
}

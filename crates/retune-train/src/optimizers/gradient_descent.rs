//! Gradient descent on all examples at once.

use super::WeightUpdate;
use retune_cpu::optimize;
use serde::Serialize;

/// `w ← w − α · g`, with g the gradient of the mean loss over the **whole** training set: one step per epoch.
///
/// The set is read in batches whose gradients are summed, so memory is that of a batch. With plain batches the same rule is
/// [`Sgd`](super::Sgd) without momentum. α: learning rate, 0.01 by default.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct GradientDescent {}

impl GradientDescent {
    pub(super) fn update(&self, update: WeightUpdate<'_>) {
        optimize::descend(update.cpu, &update.common, update.learning_rate as f32, update.gradient, update.weight);
    }
}

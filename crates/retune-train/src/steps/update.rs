//! From gradients to new weights.

use super::clip::global_norm;
use super::program::BatchOutputs;
use crate::optimizers::OptimizerState;
use retune_cpu::Cpu;
use retune_tensor::Tensor;

/// What one optimizer step was like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepSummary {
    /// Length of the mean gradient before clipping.
    pub gradient_norm: f64,
    /// Learning rate.
    pub learning_rate: f64,
}

/// One optimizer step with the sums of gradients over `items` examples (or tokens that have a target): mean, clipping to `clip_norm`, update.
pub fn optimizer_step(
    cpu: &Cpu,
    state: &mut OptimizerState,
    learning_rate: f64,
    clip_norm: Option<f64>,
    gradients: &[&[f32]],
    items: usize,
    weights: &mut [Tensor],
) -> StepSummary {
    let share = 1.0 / items.max(1) as f64;
    let gradient_norm = global_norm(cpu, gradients) * share;
    let clip = clip_norm.filter(|&most| gradient_norm > most).map_or(1.0, |most| most / gradient_norm);
    state.apply(cpu, learning_rate, (share * clip) as f32, |index| gradients[index], weights);
    StepSummary { gradient_norm, learning_rate }
}

/// Takes over the statistics of a batch, such as the moving mean of batch normalization.
pub fn update_statistics(batch: &BatchOutputs<'_>, weights: &mut [Tensor]) {
    for (id, values) in batch.statistics() {
        weights[id.0].as_f32_mut().expect("statistics are f32").copy_from_slice(values);
    }
}

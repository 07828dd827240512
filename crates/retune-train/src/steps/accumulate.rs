//! Gradients of several batches added up: k batches of n examples give what one batch of k · n gives.
//!
//! (But for batch normalization in training, which takes the moments of each batch by itself.)

use super::program::BatchOutputs;
use retune_cpu::{Cpu, optimize};

/// Sums of gradients over the batches of one optimizer step.
#[derive(Debug, Clone, Default)]
pub struct GradientSums {
    sums: Vec<Vec<f32>>,
    items: usize,
}

impl GradientSums {
    /// Forgets the sums, keeps the memory.
    pub fn clear(&mut self) {
        self.sums.iter_mut().for_each(|sum| sum.fill(0.0));
        self.items = 0;
    }

    /// Adds the gradients of one batch.
    pub fn add(&mut self, cpu: &Cpu, batch: &BatchOutputs<'_>) {
        let gradients = batch.gradients();
        if self.sums.is_empty() {
            self.sums = gradients.iter().map(|gradient| gradient.to_vec()).collect();
        } else {
            for (sum, gradient) in self.sums.iter_mut().zip(gradients) {
                optimize::accumulate(cpu, gradient, sum);
            }
        }
        self.items += batch.items;
    }

    /// The sums, in the order of the trainable weights.
    pub fn gradients(&self) -> Vec<&[f32]> {
        self.sums.iter().map(Vec::as_slice).collect()
    }

    /// Number of items (see [`BatchOutputs::items`]).
    pub fn items(&self) -> usize {
        self.items
    }
}

//! Clipping by global norm.

use retune_cpu::{Cpu, optimize};

/// The length of all gradients as one vector, and the factor that brings it down to `most`: `min(1, most / length)`
/// (Keras's `global_clipnorm`; PyTorch divides by `length + 1e-6`). Pascanu et al., *On the difficulty of training recurrent
/// neural networks*, 2013.
pub fn clip_scale(cpu: &Cpu, most: f64, gradients: &[&[f32]]) -> (f64, f32) {
    let length = global_norm(cpu, gradients);
    (length, if length > most { (most / length) as f32 } else { 1.0 })
}

/// The length of all gradients as one vector, summed in f64.
pub fn global_norm(cpu: &Cpu, gradients: &[&[f32]]) -> f64 {
    gradients.iter().map(|gradient| optimize::square_sum(cpu, gradient)).sum::<f64>().sqrt()
}

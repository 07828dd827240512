//! Errors of real values, of predictions y of true values t; of several outputs, the mean over the outputs (scikit-learn's
//! `uniform_average`).

use super::Scored;
use super::prepared::{is_constant, mean, weighted_mean};

/// `(t − y)²` of each item, the mean over its values.
pub fn squared_errors(scored: &Scored) -> Vec<f64> {
    per_item(scored, |error| error * error)
}

/// `|t − y|` of each item, the mean over its values.
pub fn absolute_errors(scored: &Scored) -> Vec<f64> {
    per_item(scored, f64::abs)
}

/// `(t − y)²` of each item, for each output.
pub fn squared_errors_of_outputs(scored: &Scored) -> Vec<Vec<f64>> {
    let errors = scored.true_values().iter().zip(scored.scores()).map(|(&t, &y)| (f64::from(t) - f64::from(y)).powi(2));
    let errors: Vec<f64> = errors.collect();
    (0..scored.width()).map(|output| errors.iter().skip(output).step_by(scored.width()).copied().collect()).collect()
}

fn per_item(scored: &Scored, f: impl Fn(f64) -> f64) -> Vec<f64> {
    let width = scored.width();
    let truth = scored.true_values().chunks_exact(width);
    let error = |(y, t): (&[f32], &[f32])| {
        y.iter().zip(t).map(|(&y, &t)| f(f64::from(t) - f64::from(y))).sum::<f64>() / width as f64
    };
    scored.scores().chunks_exact(width).zip(truth).map(error).collect()
}

/// Values and errors, for R² = `1 − Σ w (t − y)² / Σ w (t − t̄)²`, t̄ the weighted mean; the mean over the outputs.
#[derive(Debug, Clone)]
pub struct Variance {
    /// True values and squared errors of each output.
    outputs: Vec<(Vec<f64>, Vec<f64>)>,
}

impl Variance {
    /// The values of predictions.
    pub fn new(scored: &Scored) -> Variance {
        let truth = |output: usize| {
            scored.true_values().iter().skip(output).step_by(scored.width()).map(|&t| f64::from(t)).collect()
        };
        let errors = squared_errors_of_outputs(scored).into_iter().enumerate();
        Variance { outputs: errors.map(|(output, errors)| (truth(output), errors)).collect() }
    }

    /// R² for these weights of the items. Where an output's true values are all equal: 1 without errors, else 0
    /// (scikit-learn's `force_finite`).
    pub fn explained(&self, weights: &[f64]) -> f64 {
        mean(&self.outputs, |(truth, squared_errors)| {
            let error = weighted_mean(squared_errors, weights);
            if is_constant(truth, weights) {
                return match error {
                    0.0 => 1.0,
                    error if error.is_nan() => error,
                    _ => 0.0,
                };
            }
            let center = weighted_mean(truth, weights);
            let spread: f64 = truth.iter().zip(weights).map(|(t, w)| w * (t - center) * (t - center)).sum();
            1.0 - error * weights.iter().sum::<f64>() / spread
        })
    }
}

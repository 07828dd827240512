//! Errors of real values.

use super::Scored;

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
    width: usize,
    truth: Vec<f64>,
    squared_errors: Vec<f64>,
}

impl Variance {
    /// The values of predictions.
    pub fn new(scored: &Scored) -> Variance {
        let truth: Vec<f64> = scored.true_values().iter().map(|&t| f64::from(t)).collect();
        let squared_errors = truth.iter().zip(scored.scores()).map(|(t, &y)| (t - f64::from(y)).powi(2)).collect();
        Variance { width: scored.width(), truth, squared_errors }
    }

    /// R² for these weights of the items. Where an output's true values are all equal: 1 without errors, else 0
    /// (scikit-learn's `force_finite`).
    pub fn explained(&self, weights: &[f64]) -> f64 {
        let total: f64 = weights.iter().sum();
        let of_output = |output: usize| {
            let column = |values: &[f64], f: &dyn Fn(f64) -> f64| -> f64 {
                values.iter().skip(output).step_by(self.width).zip(weights).map(|(&x, w)| w * f(x)).sum()
            };
            let mean = column(&self.truth, &|t| t) / total;
            let (residual, spread) =
                (column(&self.squared_errors, &|e| e), column(&self.truth, &|t| (t - mean) * (t - mean)));
            match (residual, spread) {
                (0.0, 0.0) => 1.0,
                (_, 0.0) => 0.0,
                (residual, spread) => 1.0 - residual / spread,
            }
        };
        (0..self.width).map(of_output).sum::<f64>() / self.width as f64
    }
}

//! 95 % intervals by the bootstrap, bias-corrected and accelerated (BCa: Efron, 1987; Efron and Tibshirani, 1993, chapter 14).
//!
//! Items are drawn again with replacement (see [`resampling`](super::resampling)) and the metric θ is computed each time. Its ends
//! are the quantiles of those values at `Φ(z₀ + (z₀ + z) / (1 − a (z₀ + z)))` for z = ∓1.96: `Φ(z₀)` is the share of them below
//! the value on all items, equal ones counting one half; `a = Σₛ Σᵢ Uₛᵢ³ / nₛ³ / 6 (Σₛ Σᵢ Uₛᵢ² / nₛ²)^{3/2}` with
//! `Uₛᵢ = (nₛ − 1)(θ̄ₛ − θ₍ₛᵢ₎)` from the values without an item of stratum s. These are the formulas of
//! `scipy.stats.bootstrap(method="BCa")` with one sample per class.
//!
//! Where all items are right, or none is, every resample says the same, and the bootstrap would be sure beyond reason. A share of
//! right answers then has the interval of Wilson (1927).

use super::resampling::{Replicates, Resampling};
use super::{Metric, Scored, normal};
use serde::{Deserialize, Serialize};

/// The normal distribution's quantile at 97.5 %.
const Z: f64 = 1.959_963_984_540_054;

/// A value with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The value on all items.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The metric with its interval; `None` where the metric is not defined. The same seed gives the same interval.
pub fn bootstrap(metric: Metric, scored: &Scored, seed: u64) -> Option<Estimate> {
    bootstrap_all(&[metric], scored, &Resampling::new(seed)).remove(0)
}

/// Metrics with their intervals, all from the same resamples; `None` for those that are not defined.
pub fn bootstrap_all(metrics: &[Metric], scored: &Scored, resampling: &Resampling) -> Vec<Option<Estimate>> {
    let prepared: Vec<_> = metrics.iter().map(|metric| metric.prepare(scored)).collect();
    let defined: Vec<_> = prepared.iter().flatten().collect();
    let mut replicates = resampling.replicates(scored, &defined).into_iter();
    let estimate = |(metric, prepared): (&Metric, &Option<_>)| {
        prepared.as_ref().and_then(|_| replicates.next()).and_then(|replicates| of_metric(*metric, scored, &replicates))
    };
    metrics.iter().zip(&prepared).map(estimate).collect()
}

/// The interval of a metric; `None` where the metric is not defined on all items.
pub(super) fn of_metric(metric: Metric, scored: &Scored, replicates: &Replicates) -> Option<Estimate> {
    let value = replicates.value;
    let is_share_of_items = matches!(metric, Metric::Accuracy | Metric::SubsetAccuracy | Metric::TopK(_));
    if is_share_of_items && (value == 0.0 || value == 1.0) {
        // As many items of equal weight would tell as much.
        let sum = |f: fn(f64) -> f64| scored.weights().iter().map(|&weight| f(weight)).sum::<f64>();
        let items = sum(|w| w).powi(2) / sum(|w| w * w);
        let width = Z * Z / (items + Z * Z);
        return Some(match value {
            0.0 => Estimate { value, low: 0.0, high: width },
            _ => Estimate { value, low: 1.0 - width, high: 1.0 },
        });
    }
    bca(replicates)
}

/// The interval of a number; `None` where it is not defined on all items. Resamples for which it is not defined are left out.
pub(super) fn bca(replicates: &Replicates) -> Option<Estimate> {
    let value = replicates.value;
    let mut sorted: Vec<f64> = replicates.resampled.iter().copied().filter(|value| value.is_finite()).collect();
    if !value.is_finite() || sorted.is_empty() {
        return None;
    }
    sorted.sort_by(f64::total_cmp);
    // Sums in another order differ by rounding; such values are equal.
    let slack = 1e-12 * value.abs();
    let below = sorted.partition_point(|&x| x < value - slack) + sorted.partition_point(|&x| x <= value + slack);
    let bias = normal::quantile(0.5 * below as f64 / sorted.len() as f64);
    let acceleration = acceleration(&replicates.left_out);
    let end = |z: f64| {
        let scale = 1.0 - acceleration * (bias + z);
        // Nearly all values on one side, or skewed beyond the method: its plain form is the percentile bootstrap.
        let is_sound = bias.abs() < 3.0 && scale > 0.0;
        quantile(&sorted, normal::cdf(if is_sound { bias + (bias + z) / scale } else { z }))
    };
    Some(Estimate { value, low: end(-Z), high: end(Z) })
}

/// `a`; 0 where leaving items out changes nothing.
fn acceleration(left_out: &[(usize, f64)]) -> f64 {
    let (mut cubes, mut squares) = (0.0, 0.0);
    for stratum in left_out.chunk_by(|a, b| a.0 == b.0) {
        let values: Vec<f64> = stratum.iter().map(|(_, value)| *value).filter(|value| value.is_finite()).collect();
        let items = values.len() as f64;
        let mean = values.iter().sum::<f64>() / items;
        for value in values {
            let influence = (items - 1.0) * (mean - value) / items;
            cubes += influence.powi(3);
            squares += influence * influence;
        }
    }
    let acceleration = cubes / (6.0 * squares.powf(1.5));
    if acceleration.is_finite() { acceleration } else { 0.0 }
}

/// The value at a share of sorted ones, linearly interpolated as numpy does.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let below = place.floor() as usize;
    let (low, high) = (sorted[below], sorted[(below + 1).min(sorted.len() - 1)]);
    low + (high - low) * (place - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn right(right: usize, items: usize) -> Scored {
        let scores = (0..items).flat_map(|item| if item < right { [0.1, 0.9] } else { [0.9, 0.1] }).collect();
        Scored::classes(scores, 2, vec![1; items]).unwrap()
    }

    #[test]
    fn the_interval_of_a_share_is_that_of_the_binomial() {
        let scored = right(300, 400);
        let estimate = bootstrap(Metric::Accuracy, &scored, 3).unwrap();
        let half = Z * (0.75f64 * 0.25 / 400.0).sqrt();
        assert_eq!(estimate.value, 0.75);
        assert!((estimate.low - (0.75 - half)).abs() < 0.008 && (estimate.high - (0.75 + half)).abs() < 0.008);
        assert_eq!(bootstrap(Metric::Accuracy, &scored, 3), Some(estimate));
        assert!((4..12).any(|seed| bootstrap(Metric::Accuracy, &scored, seed) != Some(estimate)));
        assert_eq!(bootstrap(Metric::R2, &scored, 3), None);
    }

    #[test]
    fn no_mistake_among_few_items_proves_little() {
        let estimate = bootstrap(Metric::Accuracy, &right(20, 20), 1).unwrap();
        assert!((estimate.low - 0.8389).abs() < 1e-4 && estimate.high == 1.0, "{estimate:?}");
        let estimate = bootstrap(Metric::Accuracy, &right(0, 20).with_weights(vec![7.0; 20]), 1).unwrap();
        assert!(estimate.low == 0.0 && (estimate.high - 0.1611).abs() < 1e-4, "{estimate:?}");
    }

    #[test]
    fn metrics_share_their_resamples() {
        let scored = right(30, 40);
        let all = bootstrap_all(&[Metric::Accuracy, Metric::R2, Metric::LogLoss], &scored, &Resampling::new(9));
        assert_eq!(all, [Metric::Accuracy, Metric::R2, Metric::LogLoss].map(|metric| bootstrap(metric, &scored, 9)));
        assert_eq!(all[1], None);
    }
}

//! Intervals by the percentile bootstrap (Efron, 1979): the items are drawn again with replacement, as many as there are, and
//! the metric is computed each time. 95 % of its values lie in the interval.

use super::{Metric, Scored};
use retune_tensor::{Key, Purpose};
use serde::{Deserialize, Serialize};

/// How often items are drawn again.
pub const RESAMPLES: usize = 1000;

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
    let prepared = metric.prepare(scored)?;
    let value = prepared.value(scored.weights())?;
    let values = resampled(scored.weights(), seed, |weights| prepared.value(weights));
    Some(percentiles(value, values))
}

/// `f` of the weights of each resample, in ascending order; undefined ones are left out.
pub(super) fn resampled(weights: &[f64], seed: u64, f: impl Fn(&[f64]) -> Option<f64>) -> Vec<f64> {
    let (key, items) = (Key::new(seed).with(Purpose::Bootstrap), weights.len() as u64);
    let mut drawn = vec![0.0; weights.len()];
    let mut values: Vec<f64> = (0..RESAMPLES as u64)
        .filter_map(|resample| {
            let key = key.at(resample, 0);
            drawn.fill(0.0);
            for draw in 0..items {
                let item = key.below(draw, items) as usize;
                drawn[item] += weights[item];
            }
            f(&drawn)
        })
        .collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The middle 95 % of sorted values, linearly interpolated as numpy does.
pub(super) fn percentiles(value: f64, sorted: Vec<f64>) -> Estimate {
    let at = |share: f64| {
        let place = share * (sorted.len().max(1) - 1) as f64;
        let below = place.floor() as usize;
        let low = sorted.get(below).copied().unwrap_or(value);
        let high = sorted.get(below + 1).copied().unwrap_or(low);
        low + (high - low) * (place - below as f64)
    };
    Estimate { value, low: at(0.025), high: at(0.975) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_share_is_that_of_the_binomial() {
        let items = 400;
        let scores = (0..items).flat_map(|i| if i % 4 == 0 { [0.9, 0.1] } else { [0.1, 0.9] }).collect();
        let scored = Scored::classes(scores, 2, vec![1; items]).unwrap();
        let estimate = bootstrap(Metric::Accuracy, &scored, 3).unwrap();
        let half = 1.96 * (0.75f64 * 0.25 / items as f64).sqrt();
        assert_eq!(estimate.value, 0.75);
        assert!((estimate.low - (0.75 - half)).abs() < 0.008 && (estimate.high - (0.75 + half)).abs() < 0.008);
        assert_eq!(bootstrap(Metric::Accuracy, &scored, 3), Some(estimate));
        assert_ne!(bootstrap(Metric::Accuracy, &scored, 4), Some(estimate));
        assert_eq!(bootstrap(Metric::R2, &scored, 3), None);
    }
}

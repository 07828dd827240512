//! A metric on certain predictions, as a function of the items' weights.

use std::fmt;

type OfWeights = dyn Fn(&[f64]) -> f64 + Send + Sync;

/// A metric on certain predictions, ready to be computed for any weights of the items. Sorting, answers and errors are done
/// once; what is left is cheap, so that it can be repeated for thousands of resamples.
pub struct Prepared {
    of_weights: Box<OfWeights>,
}

impl Prepared {
    /// A function of one weight per item; not a number where the metric is not defined.
    pub fn new(of_weights: impl Fn(&[f64]) -> f64 + Send + Sync + 'static) -> Prepared {
        Prepared { of_weights: Box::new(of_weights) }
    }

    /// `Σ w x / Σ w` of a value per item.
    pub fn mean(values: Vec<f64>) -> Prepared {
        Prepared::new(move |weights| weighted_mean(&values, weights))
    }

    /// `Σ w a / Σ w b` of two values `(a, b)` per item.
    pub fn ratio(values: Vec<(f64, f64)>) -> Prepared {
        Prepared::new(move |weights| {
            let sums = values
                .iter()
                .zip(weights)
                .fold((0.0, 0.0), |sums, (of_item, weight)| (sums.0 + weight * of_item.0, sums.1 + weight * of_item.1));
            sums.0 / sums.1
        })
    }

    /// The metric for these weights of the items; `None` where it is not defined.
    pub fn value(&self, weights: &[f64]) -> Option<f64> {
        Some((self.of_weights)(weights)).filter(|value| value.is_finite())
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").finish_non_exhaustive()
    }
}

/// `Σ w x / Σ w`.
pub(super) fn weighted_mean(values: &[f64], weights: &[f64]) -> f64 {
    let sum: f64 = values.iter().zip(weights).map(|(value, weight)| value * weight).sum();
    sum / weights.iter().sum::<f64>()
}

/// The mean over outputs or classes of what `of` makes of each.
pub(super) fn mean<T>(each: &[T], of: impl Fn(&T) -> f64) -> f64 {
    each.iter().map(of).sum::<f64>() / each.len() as f64
}

/// Whether all items that have weight have the same value. (Their variance may differ from 0 by rounding.)
pub(super) fn is_constant(values: &[f64], weights: &[f64]) -> bool {
    let mut present = values.iter().zip(weights).filter(|(_, weight)| **weight > 0.0).map(|(value, _)| value);
    present.next().is_none_or(|first| present.all(|value| value == first))
}

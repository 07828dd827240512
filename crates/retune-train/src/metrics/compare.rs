//! Two models on the same items: is the difference more than chance?

use super::interval::{Estimate, percentiles, resampled};
use super::{Metric, Scored, accuracy};
use crate::error::TrainError;
use serde::Serialize;

/// The exact test of McNemar (1947) for two models' answers to the same items.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct McNemar {
    /// Items that only the first model gets right.
    pub only_first: usize,
    /// Items that only the second model gets right.
    pub only_second: usize,
    /// Probability of a difference at least as large if both were equally good: two-sided, binomial of one half.
    pub p_value: f64,
}

/// A metric's difference, second minus first, with the 95 % interval of the paired bootstrap.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PairedDifference {
    /// The first model's value.
    pub first: f64,
    /// The second model's value.
    pub second: f64,
    /// Second minus first.
    pub difference: Estimate,
}

/// McNemar's test on the items' right and wrong answers.
///
/// # Errors
/// Predictions on other items, or that are not classes.
pub fn compare_accuracy(first: &Scored, second: &Scored) -> Result<McNemar, TrainError> {
    same_items(first, second)?;
    if !Metric::Accuracy.applies_to(first.problem()) {
        return Err(TrainError::Mismatch {
            what: "predictions to compare",
            expected: "classes".into(),
            found: format!("{:?}", first.problem()),
        });
    }
    let pairs = accuracy::correct(first).into_iter().zip(accuracy::correct(second));
    let (mut only_first, mut only_second) = (0, 0);
    for (a, b) in pairs {
        only_first += usize::from(a > b);
        only_second += usize::from(b > a);
    }
    Ok(McNemar { only_first, only_second, p_value: binomial_two_sided(only_first, only_second) })
}

/// The difference of a metric; `None` where it is not defined for one of them.
///
/// # Errors
/// Predictions on other items.
pub fn paired_difference(
    metric: Metric,
    first: &Scored,
    second: &Scored,
    seed: u64,
) -> Result<Option<PairedDifference>, TrainError> {
    same_items(first, second)?;
    let (Some(a), Some(b)) = (metric.prepare(first), metric.prepare(second)) else { return Ok(None) };
    let (Some(x), Some(y)) = (a.value(first.weights()), b.value(second.weights())) else { return Ok(None) };
    let differences = resampled(first.weights(), seed, |weights| Some(b.value(weights)? - a.value(weights)?));
    Ok(Some(PairedDifference { first: x, second: y, difference: percentiles(y - x, differences) }))
}

fn same_items(first: &Scored, second: &Scored) -> Result<(), TrainError> {
    let same = first.ids() == second.ids()
        && first.true_classes() == second.true_classes()
        && first.true_values() == second.true_values();
    if same {
        return Ok(());
    }
    Err(TrainError::Mismatch {
        what: "items to compare two models on",
        expected: "the same for both, in the same order".into(),
        found: format!("{} and {} items", first.len(), second.len()),
    })
}

/// `2 · P(X ≤ min(a, b))` for X binomial of a + b throws of one half, at most 1.
fn binomial_two_sided(a: usize, b: usize) -> f64 {
    let n = a + b;
    let mut log_term = -(n as f64) * std::f64::consts::LN_2;
    let mut sum = log_term.exp();
    for k in 1..=a.min(b) {
        log_term += ((n - k + 1) as f64 / k as f64).ln();
        sum += log_term.exp();
    }
    (2.0 * sum).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(right: &[bool]) -> Scored {
        let scores = right.iter().flat_map(|&r| if r { [0.1, 0.9] } else { [0.9, 0.1] }).collect();
        Scored::classes(scores, 2, vec![1; right.len()]).unwrap()
    }

    /// `scipy.stats.binomtest(min(a, b), a + b).pvalue`.
    #[test]
    fn p_values_are_those_of_the_binomial_test() {
        for (a, b, expected) in [(0, 0, 1.0), (5, 5, 1.0), (1, 9, 0.021484375), (0, 10, 0.001953125), (2, 1, 1.0)] {
            assert!((binomial_two_sided(a, b) - expected).abs() < 1e-12, "{a} {b}");
        }
        let large = binomial_two_sided(1000, 1200);
        assert!(large > 1e-6 && large < 1e-4, "{large}");
    }

    #[test]
    fn only_items_that_differ_count() {
        let first = scored(&[true, false, false, true, false, true]);
        let second = scored(&[true, true, true, true, false, false]);
        let test = compare_accuracy(&first, &second).unwrap();
        assert_eq!((test.only_first, test.only_second, test.p_value), (1, 2, 1.0));
        let difference = paired_difference(Metric::Accuracy, &first, &second, 1).unwrap().unwrap();
        assert!((difference.difference.value - 1.0 / 6.0).abs() < 1e-12);
        assert!(difference.difference.low <= 0.0 && difference.difference.high > 0.3);
        assert!(compare_accuracy(&first, &scored(&[true])).is_err());
        let same = paired_difference(Metric::Accuracy, &first, &first, 1).unwrap().unwrap();
        assert_eq!((same.difference.low, same.difference.high), (0.0, 0.0));
    }
}

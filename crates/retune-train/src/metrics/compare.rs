//! Two models on the same items: is the difference more than chance?
//!
//! - Right and wrong answers: the exact test of McNemar, of the items that only one of the models gets right.
//! - Any metric: the interval of its difference by the paired bootstrap (the same items are drawn for both, the ends are BCa; see
//!   [`interval`]), and the paired permutation test: if the models were exchangeable, each item's two predictions
//!   could as well have come from the other model. p is `(1 + k) / (1 + n)` for k of n random exchanges with a difference at least
//!   as large, to either side. Metrics of ranks compare scores of both models then, so that p asks whether the models give like
//!   scores, not only like orders.
//!
//! Where several models or metrics are compared, [`holm`](super::holm) corrects the p values.

use super::interval::{self, Estimate, bca};
use super::resampling::Resampling;
use super::{Metric, Prepared, Scored, accuracy};
use crate::error::TrainError;
use retune_tensor::{Key, Purpose};
use serde::Serialize;

/// The exact test of McNemar (1947) for two models' answers to the same items. Weights of the items do not count.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct McNemar {
    /// Items that only the first model gets right.
    pub only_first: usize,
    /// Items that only the second model gets right.
    pub only_second: usize,
    /// Probability of a difference at least as large if both were equally good: two-sided, binomial of one half.
    pub p_value: f64,
}

/// A metric's difference, second minus first, on the same items.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PairedDifference {
    /// The first model's value.
    pub first: f64,
    /// The second model's value.
    pub second: f64,
    /// Second minus first, with the 95 % interval of the paired bootstrap.
    pub difference: Estimate,
    /// Probability of a difference at least as large if the models were exchangeable: two-sided, by random exchanges. `None`
    /// where the models' outputs differ in kind.
    pub p_value: Option<f64>,
}

/// A metric of two models on the same items. Each is `None` where the metric is not defined.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Compared {
    /// The metric.
    pub metric: Metric,
    /// The first model's value with its 95 % interval.
    pub first: Option<Estimate>,
    /// The second model's.
    pub second: Option<Estimate>,
    /// Their difference.
    pub difference: Option<PairedDifference>,
}

/// McNemar's test on the items' right and wrong answers.
///
/// # Errors
/// Predictions on other items, or that are not classes.
pub fn compare_accuracy(first: &Scored, second: &Scored) -> Result<McNemar, TrainError> {
    same_items(first, second)?;
    if !Metric::Accuracy.applies_to(first.problem()) || first.words().is_some() {
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
    Ok(compare(&[metric], first, second, &Resampling::new(seed))?[0].difference)
}

/// Metrics of two models with their differences, all from the same resamples and exchanges.
///
/// # Errors
/// Predictions on other items.
pub fn compare(
    metrics: &[Metric],
    first: &Scored,
    second: &Scored,
    resampling: &Resampling,
) -> Result<Vec<Compared>, TrainError> {
    same_items(first, second)?;
    let prepare = |metric: &Metric| Some([metric.prepare(first)?, metric.prepare(second)?]);
    let prepared: Vec<Option<[Prepared; 2]>> = metrics.iter().map(prepare).collect();
    let replicates = resampling.replicates(first, &prepared.iter().flatten().flatten().collect::<Vec<_>>());
    let mut pairs = replicates.chunks_exact(2);
    let p_values = permutation_p_values(metrics, first, second, resampling);
    let compared = |((&metric, prepared), p_value): ((&Metric, &Option<_>), Option<f64>)| {
        let undefined = Compared { metric, first: None, second: None, difference: None };
        let Some([a, b]) = prepared.as_ref().and_then(|_| pairs.next()) else { return undefined };
        let paired = |difference| PairedDifference { first: a.value, second: b.value, difference, p_value };
        Compared {
            metric,
            first: interval::of_metric(metric, first, a),
            second: interval::of_metric(metric, second, b),
            difference: bca(&b.minus(a)).map(paired),
        }
    };
    Ok(metrics.iter().zip(&prepared).zip(p_values).map(compared).collect())
}

/// p of the paired permutation test for each metric. Predictions of both models are taken for one set of twice as many items, of
/// which every exchange gives one half to the first model: again only weights change.
fn permutation_p_values(
    metrics: &[Metric],
    first: &Scored,
    second: &Scored,
    resampling: &Resampling,
) -> Vec<Option<f64>> {
    let Some(joined) = first.joined(second) else { return vec![None; metrics.len()] };
    let prepared: Vec<_> = metrics.iter().map(|metric| metric.prepare(&joined)).collect();
    let defined: Vec<_> = prepared.iter().flatten().collect();
    let (weights, key) = (first.weights(), Key::new(resampling.seed).with(Purpose::Bootstrap));
    // The first row is of the models as they are, in which nothing is exchanged.
    let differences = resampling.repeat(1 + resampling.resamples, defined.len(), |job, given, differences| {
        give(weights, given, (job > 0).then(|| key.at(job as u64, 1)));
        for (metric, difference) in defined.iter().zip(&mut *differences) {
            *difference = metric.value(given).unwrap_or(f64::NAN);
        }
        let (a, b) = given.split_at_mut(weights.len());
        a.swap_with_slice(b);
        for (metric, difference) in defined.iter().zip(differences) {
            *difference = metric.value(given).unwrap_or(f64::NAN) - *difference;
        }
    });
    let mut column = 0;
    let p_value = |prepared: &Option<_>| {
        prepared.as_ref()?;
        let mut values = differences.iter().skip(column).step_by(defined.len()).copied().filter(|d| d.is_finite());
        column += 1;
        let observed = values.next()?.abs();
        let (mut as_large, mut all) = (1, 1);
        for difference in values {
            // Sums in another order differ by rounding; such differences are as large.
            as_large += usize::from(difference.abs() >= observed - 1e-12 * observed.max(1.0));
            all += 1;
        }
        Some(f64::from(as_large as u32) / f64::from(all as u32))
    };
    prepared.iter().map(p_value).collect()
}

/// Weights of the joined predictions that give the first model its own items, or, where the key says so, the second model's.
fn give(weights: &[f64], given: &mut Vec<f64>, exchanges: Option<Key>) {
    given.clear();
    given.resize(2 * weights.len(), 0.0);
    let (own, others) = given.split_at_mut(weights.len());
    for (block, items) in (0..weights.len()).step_by(128).enumerate() {
        let words = exchanges.map_or([0; 4], |key| key.block(block as u64));
        for (bit, item) in (items..weights.len().min(items + 128)).enumerate() {
            let is_exchanged = words[bit / 32] >> (bit % 32) & 1 == 1;
            *(if is_exchanged { &mut others[item] } else { &mut own[item] }) = weights[item];
        }
    }
}

fn same_items(first: &Scored, second: &Scored) -> Result<(), TrainError> {
    let same = first.ids() == second.ids()
        && first.true_classes() == second.true_classes()
        && first.true_values() == second.true_values()
        && first.weights() == second.weights();
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

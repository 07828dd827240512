//! The probability above which the answer is yes, chosen on items that training did not see.
//!
//! One half is right where both mistakes cost the same and the probabilities are calibrated. Else a threshold is chosen: all that
//! tell the items apart are tried, in one pass over the items in the order of their scores. It is one half where that lies between
//! the two neighbouring scores that it is to part, else the middle between them; of equally good ones, that nearest to one half is
//! taken.

use super::{Problem, Scored};

/// What a threshold is to make best.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum ThresholdGoal {
    /// Largest F1 of yes: `2 · right / (answered + true)`.
    F1,
    /// Largest mean of the recalls of yes and no.
    BalancedAccuracy,
    /// Smallest cost: that of every wrong yes and of every wrong no, by the items' weights.
    Cost {
        /// Cost of a wrong yes.
        false_positive: f64,
        /// Cost of a wrong no.
        false_negative: f64,
    },
}

impl ThresholdGoal {
    /// How good counts are: true yes of so many, wrong yes of so many. NaN where it is not defined.
    fn value(self, (right, positives): (f64, f64), (wrong, negatives): (f64, f64)) -> f64 {
        match self {
            ThresholdGoal::F1 => 2.0 * right / (right + wrong + positives),
            ThresholdGoal::BalancedAccuracy => 0.5 * (right / positives + (negatives - wrong) / negatives),
            ThresholdGoal::Cost { false_positive, false_negative } => {
                -(false_positive * wrong + false_negative * (positives - right))
            }
        }
    }
}

/// The best thresholds on these items, for [`Scored::with_thresholds`]: one of two classes, or one of each label. `None` where
/// there are no answers of yes and no. A label for which the goal is not defined, as no item has it, keeps one half.
pub fn choose_thresholds(scored: &Scored, goal: ThresholdGoal) -> Option<Vec<f32>> {
    let width = scored.width();
    let (column, count) = match scored.problem() {
        Problem::Binary => (0, 1),
        Problem::MultiClass if width == 2 => (1, 1),
        Problem::MultiLabel => (0, width),
        _ => return None,
    };
    let threshold = |label: usize| {
        let item = |item: usize| {
            let is_true = match scored.problem() {
                Problem::MultiLabel => scored.true_values()[item * width + label] > 0.5,
                _ => scored.true_classes()[item] == 1,
            };
            (scored.row(item)[column + label], is_true, scored.weights()[item])
        };
        best((0..scored.len()).map(item).collect(), goal).unwrap_or(0.5)
    };
    Some((0..count).map(threshold).collect())
}

/// The best threshold of `(score, is yes true, weight)`.
fn best(mut items: Vec<(f32, bool, f64)>, goal: ThresholdGoal) -> Option<f32> {
    items.retain(|(_, _, weight)| *weight > 0.0);
    items.sort_by(|a, b| b.0.total_cmp(&a.0));
    let weight = |wanted: bool| items.iter().filter(|item| item.1 == wanted).map(|item| item.2).sum::<f64>();
    let (positives, negatives) = (weight(true), weight(false));
    let (mut right, mut wrong) = (0.0, 0.0);
    let mut best: Option<(f64, f32)> = None;
    for place in 0..=items.len() {
        let above = place.checked_sub(1).map_or(f32::INFINITY, |before| items[before].0);
        let below = items.get(place).map_or(f32::NEG_INFINITY, |item| item.0);
        let threshold = between(below, above);
        let value = goal.value((right, positives), (wrong, negatives));
        let nearness = |threshold: f32| (threshold - 0.5).abs();
        let is_better = best.is_none_or(|(most, chosen)| {
            value > most + 1e-12 || (value > most - 1e-12 && nearness(threshold) < nearness(chosen))
        });
        if above > below && value.is_finite() && is_better {
            best = Some((value, threshold));
        }
        if let Some((_, is_true, weight)) = items.get(place) {
            *(if *is_true { &mut right } else { &mut wrong }) += weight;
        }
    }
    best.map(|(_, threshold)| threshold)
}

/// A threshold with `above` above it and `below` not.
fn between(below: f32, above: f32) -> f32 {
    if below <= 0.5 && 0.5 < above {
        return 0.5;
    }
    // No probability lies beyond 0 and 1; a score of 0 is above a negative threshold only.
    let (low, high) = (below.max(if above > 0.0 { 0.0 } else { -1.0 }), above.min(1.0));
    let middle = low + 0.5 * (high - low);
    if middle < above { middle } else { below }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metric;
    use retune_tensor::{Key, Purpose};

    const GOALS: [(ThresholdGoal, &str); 2] =
        [(ThresholdGoal::F1, "f1-class-1"), (ThresholdGoal::BalancedAccuracy, "balanced-accuracy")];

    /// Scores with ties, among them 0 and 1, that tell little.
    fn scored(seed: u32, items: u64) -> Scored {
        let key = Key::new(11).with(Purpose::Test(seed));
        let classes: Vec<u32> = (0..items).map(|item| u32::from(key.uniform(item) < 0.25)).collect();
        let score = |(item, &class): (usize, &u32)| {
            let score = 0.2 * class as f32 + 0.8 * key.uniform(10_000 + item as u64);
            (score * 16.0).floor() / 15.0
        };
        let scores = classes.iter().enumerate().map(score).map(|score| score.min(1.0)).collect();
        let weights = (0..items).map(|item| key.below(20_000 + item, 3) as f64).collect();
        Scored::classes(scores, 1, classes).unwrap().with_weights(weights)
    }

    #[test]
    fn no_other_threshold_is_better() {
        for seed in 0..20 {
            let scored = scored(seed, 40);
            for (goal, metric) in GOALS {
                let metric: Metric = metric.parse().unwrap();
                let value = |threshold| metric.value(&scored.clone().with_thresholds(vec![threshold])).unwrap();
                let chosen = value(choose_thresholds(&scored, goal).unwrap()[0]);
                let others = (-1..=32).map(|step| value(step as f32 / 31.0)).fold(f64::MIN, f64::max);
                assert!((chosen - others).abs() < 1e-12, "seed {seed}, {metric}: {chosen}, but {others}");
            }
        }
    }

    #[test]
    fn the_threshold_follows_the_costs() {
        let scored = scored(1, 2000);
        let of = |false_positive, false_negative| {
            choose_thresholds(&scored, ThresholdGoal::Cost { false_positive, false_negative }).unwrap()[0]
        };
        let recall = |class: &str, threshold: f32| {
            class.parse::<Metric>().unwrap().value(&scored.clone().with_thresholds(vec![threshold])).unwrap()
        };
        assert_eq!((recall("recall-class-0", of(1.0, 0.0)), recall("recall-class-1", of(0.0, 1.0))), (1.0, 1.0));
        assert!(of(1.0, 2.0) > of(1.0, 8.0));
    }

    #[test]
    fn one_half_is_kept_where_it_is_as_good() {
        let goal = ThresholdGoal::F1;
        let parted = Scored::classes(vec![0.1, 0.2, 0.7, 0.9], 1, vec![0, 0, 1, 1]).unwrap();
        assert_eq!(choose_thresholds(&parted, goal), Some(vec![0.5]));
        let low = Scored::classes(vec![0.9, 0.1, 0.75, 0.25, 1.0, 0.0], 2, vec![0, 1, 0]).unwrap();
        let chosen = choose_thresholds(&low, goal).unwrap();
        assert!((chosen[0] - 0.175).abs() < 1e-6, "{chosen:?}");
        let low = low.with_thresholds(chosen);
        assert_eq!(low.predicted_class(0), 0);
        assert_eq!(low.predicted_class(1), 1);
    }

    #[test]
    fn labels_have_a_threshold_each() {
        let labels = Scored::labels(vec![0.1, 0.8, 0.3, 0.9, 0.2, 0.6], 2, vec![0.0, 0.0, 1.0, 1.0, 0.0, 0.0]).unwrap();
        let chosen = choose_thresholds(&labels, ThresholdGoal::F1).unwrap();
        assert!(chosen[0] > 0.2 && chosen[0] < 0.3 && chosen[1] > 0.8 && chosen[1] < 0.9, "{chosen:?}");
        let accuracy = Metric::SubsetAccuracy.value(&labels.with_thresholds(chosen));
        assert_eq!(accuracy, Some(1.0));
        let never = Scored::labels(vec![0.4, 0.3], 1, vec![0.0, 0.0]).unwrap();
        assert_eq!(choose_thresholds(&never, ThresholdGoal::BalancedAccuracy), Some(vec![0.5]));
    }

    #[test]
    fn neighbours_are_parted() {
        let above = 0.75f32;
        let below = f32::from_bits(above.to_bits() - 1);
        let threshold = between(below, above);
        assert!(above > threshold && below <= threshold);
        assert!(0.0 > between(f32::NEG_INFINITY, 0.0) && 1.0 <= between(1.0, f32::INFINITY));
    }

    #[test]
    fn more_classes_have_no_threshold() {
        let three = Scored::classes(vec![0.1, 0.2, 0.7], 3, vec![0]).unwrap();
        assert_eq!(choose_thresholds(&three, ThresholdGoal::F1), None);
    }
}

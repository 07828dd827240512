//! Metrics of the order that scores give: how far positive items stand before negative ones.
//!
//! - Area under the receiver operating characteristic (ROC AUC): the probability that a positive item has a higher score than a
//!   negative one, ties counting one half. In `[0, 1]`, 0.5 by chance. Not defined without positive or without negative items.
//! - Area under precision over recall (PR AUC), as average precision: `Σ (Rₖ − Rₖ₋₁) · Pₖ` over the scores in descending order,
//!   `Pₖ` and `Rₖ` precision and recall of answering yes from this score on; no interpolation. In `[0, 1]`, by chance the share
//!   of the positive items. Not defined without positive items.
//!
//! Of more than two classes, and of labels, one against the rest for each. *Macro* is the mean over those for which the area is
//! defined, *weighted* the same by positive items, *micro* takes every pair of item and class as an item. These are
//! scikit-learn's (`ovr`), except that it fails for an empty class (ROC) or takes its area for 0 (precision and recall), which
//! here is left out.

use super::prepared::Prepared;
use super::{Average, Problem, Scored};

/// Items in descending order of their score, those of equal score together.
#[derive(Debug, Clone)]
pub struct Ranking {
    /// Item and whether it is positive.
    order: Vec<(u32, bool)>,
    /// Where each group of equal scores ends.
    ends: Vec<usize>,
}

impl Ranking {
    /// The ranking of `(item, score, is positive)`; an item may occur several times.
    pub fn new(scores: impl Iterator<Item = (usize, f32, bool)>) -> Ranking {
        let mut places: Vec<_> = scores.collect();
        places.sort_by(|a, b| b.1.total_cmp(&a.1));
        let differs = |&place: &usize| place == places.len() || places[place].1 != places[place - 1].1;
        let ends = (1..=places.len()).filter(differs).collect();
        Ranking { order: places.into_iter().map(|(item, _, yes)| (item as u32, yes)).collect(), ends }
    }

    /// One class or label against the rest.
    pub fn of_class(scored: &Scored, class: usize) -> Ranking {
        let score = |item: usize| match scored.row(item) {
            [yes] if scored.problem() == Problem::Binary && class == 0 => -yes,
            [yes] => *yes,
            row => row[class],
        };
        Ranking::new((0..scored.len()).map(|item| (item, score(item), is_positive(scored, item, class))))
    }

    /// Every pair of item and class or label.
    pub fn of_all(scored: &Scored) -> Ranking {
        if scored.problem() == Problem::Binary {
            return Ranking::of_class(scored, 1);
        }
        let width = scored.width();
        let pair = |(place, &score): (usize, &f32)| {
            let (item, class) = (place / width, place % width);
            (item, score, is_positive(scored, item, class))
        };
        Ranking::new(scored.scores().iter().enumerate().map(pair))
    }

    /// Sum of the weights of positive items.
    pub fn positives(&self, weights: &[f64]) -> f64 {
        self.order.iter().filter(|(_, positive)| *positive).map(|&(item, _)| weights[item as usize]).sum()
    }

    /// ROC AUC for these weights of the items; NaN where it is not defined.
    pub fn roc_auc(&self, weights: &[f64]) -> f64 {
        let mut area = 0.0;
        let (positives, negatives) = self.walk(weights, |(positives, _), (more_positives, more_negatives)| {
            area += more_negatives * (positives + 0.5 * more_positives);
        });
        area / (positives * negatives)
    }

    /// Average precision for these weights of the items; NaN where it is not defined.
    pub fn average_precision(&self, weights: &[f64]) -> f64 {
        let mut sum = 0.0;
        let (total, _) = self.walk(weights, |(positives, negatives), (more_positives, more_negatives)| {
            if more_positives > 0.0 {
                let (positives, negatives) = (positives + more_positives, negatives + more_negatives);
                sum += more_positives * positives / (positives + negatives);
            }
        });
        sum / total
    }

    /// Calls `step` for each score, the highest first, with the weight of positive and negative items above it and at it; returns
    /// that of all.
    fn walk(&self, weights: &[f64], mut step: impl FnMut((f64, f64), (f64, f64))) -> (f64, f64) {
        let (mut above, mut start) = ((0.0, 0.0), 0);
        for &end in &self.ends {
            let mut here = (0.0, 0.0);
            for &(item, positive) in &self.order[start..end] {
                *(if positive { &mut here.0 } else { &mut here.1 }) += weights[item as usize];
            }
            step(above, here);
            above = (above.0 + here.0, above.1 + here.1);
            start = end;
        }
        above
    }
}

/// An area of classes or labels taken together.
pub(super) fn prepared(scored: &Scored, average: Average, area: fn(&Ranking, &[f64]) -> f64) -> Prepared {
    let classes = scored.class_count();
    match average.resolve(scored.problem()) {
        Average::Class(class) if class >= classes => Prepared::new(|_| f64::NAN),
        Average::Class(class) => {
            let ranking = Ranking::of_class(scored, class);
            Prepared::new(move |weights| area(&ranking, weights))
        }
        Average::Micro => {
            let ranking = Ranking::of_all(scored);
            Prepared::new(move |weights| area(&ranking, weights))
        }
        average => {
            let rankings: Vec<Ranking> = (0..classes).map(|class| Ranking::of_class(scored, class)).collect();
            let by_items = average == Average::Weighted;
            Prepared::new(move |weights| {
                let (mut sum, mut total) = (0.0, 0.0);
                for ranking in &rankings {
                    let area = area(ranking, weights);
                    if area.is_finite() {
                        let weight = if by_items { ranking.positives(weights) } else { 1.0 };
                        sum += weight * area;
                        total += weight;
                    }
                }
                sum / total
            })
        }
    }
}

fn is_positive(scored: &Scored, item: usize, class: usize) -> bool {
    match scored.problem() {
        Problem::MultiLabel => scored.true_values()[item * scored.width() + class] > 0.5,
        _ => scored.true_classes()[item] as usize == class,
    }
}

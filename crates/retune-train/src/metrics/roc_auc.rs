//! Area under the receiver operating characteristic: the probability that a positive item has a higher score than a negative
//! one, ties counting one half.
//!
//! Of more than two classes, one against the rest for each class, then the mean over the classes (scikit-learn's `ovr`, `macro`).

use super::{Problem, Scored};

/// Items in descending order of their score, those of equal score together.
#[derive(Debug, Clone)]
pub struct Ranking {
    /// Item and whether it is positive.
    order: Vec<(u32, bool)>,
    /// Where each group of equal scores ends.
    ends: Vec<usize>,
}

impl Ranking {
    /// The ranking by one score per item.
    pub fn new(scores: impl Iterator<Item = f32>, positive: impl Iterator<Item = bool>) -> Ranking {
        let mut items: Vec<(f32, u32, bool)> =
            scores.zip(positive).enumerate().map(|(item, (score, yes))| (score, item as u32, yes)).collect();
        items.sort_by(|a, b| b.0.total_cmp(&a.0));
        let differs = |place: &usize| *place == items.len() || items[*place].0 != items[*place - 1].0;
        let ends = (1..=items.len()).filter(differs).collect();
        Ranking { order: items.into_iter().map(|(_, item, yes)| (item, yes)).collect(), ends }
    }

    /// The rankings of predictions: one where there is a single score, else one per class or label.
    pub fn of(scored: &Scored) -> Vec<Ranking> {
        let width = scored.width();
        let column = |class: usize| scored.scores().iter().skip(class).step_by(width).copied();
        (0..width)
            .map(|class| match scored.problem() {
                Problem::MultiLabel => {
                    let truth = scored.true_values().iter().skip(class).step_by(width);
                    Ranking::new(column(class), truth.map(|&value| value > 0.5))
                }
                problem => {
                    let positive = if problem == Problem::Binary { 1 } else { class as u32 };
                    Ranking::new(column(class), scored.true_classes().iter().map(|&class| class == positive))
                }
            })
            .collect()
    }

    /// The area for these weights of the items; `None` where there are no positive or no negative ones.
    pub fn area(&self, weights: &[f64]) -> Option<f64> {
        let (mut positives, mut negatives, mut area, mut start) = (0.0, 0.0, 0.0, 0);
        for &end in &self.ends {
            let (mut more_positives, mut more_negatives) = (0.0, 0.0);
            for &(item, positive) in &self.order[start..end] {
                *(if positive { &mut more_positives } else { &mut more_negatives }) += weights[item as usize];
            }
            area += more_negatives * (positives + 0.5 * more_positives);
            positives += more_positives;
            negatives += more_negatives;
            start = end;
        }
        (positives > 0.0 && negatives > 0.0).then(|| area / (positives * negatives))
    }
}

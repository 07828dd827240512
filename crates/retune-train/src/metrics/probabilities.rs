//! Scores of probabilities: how much was given to what came true. Lower is better.

use super::{Problem, Scored};

/// `−ln p` of each item, p the probability of its class, at least 2⁻⁵² and at most 1 − 2⁻⁵² (scikit-learn's `log_loss` in 64
/// bits). Of labels, the mean over the labels of `−ln` of the probability of what is true. From 0 on.
pub fn log_losses(scored: &Scored) -> Vec<f64> {
    let loss = |p: f64| -p.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln();
    per_item(scored, |row, class| loss(row[class]), |p, truth| loss(if truth { p } else { 1.0 - p }))
}

/// `Σ (p − t)²` of each item over the classes, t 1 for its class and else 0: in `[0, 2]`; of two classes half of it, which is
/// `(p − t)²` of the positive one, in `[0, 1]` (Brier, 1950; scikit-learn's `brier_score_loss`). Of labels, the mean over the
/// labels of `(p − t)²`.
pub fn brier_scores(scored: &Scored) -> Vec<f64> {
    let squared = |p: f64, truth: bool| (p - f64::from(u8::from(truth))).powi(2);
    let of_classes = |row: &[f64], class: usize| {
        let sum: f64 = row.iter().enumerate().map(|(place, &p)| squared(p, place == class)).sum();
        if row.len() == 2 { 0.5 * sum } else { sum }
    };
    per_item(scored, of_classes, squared)
}

/// A value per item: of the probabilities of all classes and the true class, or the mean over the labels of one per label.
fn per_item(
    scored: &Scored,
    of_classes: impl Fn(&[f64], usize) -> f64,
    of_label: impl Fn(f64, bool) -> f64,
) -> Vec<f64> {
    let mut row = Vec::new();
    (0..scored.len())
        .map(|item| {
            row.clear();
            row.extend(scored.row(item).iter().map(|&p| f64::from(p)));
            if scored.problem() == Problem::MultiLabel {
                let truth = &scored.true_values()[item * scored.width()..];
                let sum: f64 = row.iter().zip(truth).map(|(&p, &truth)| of_label(p, truth > 0.5)).sum();
                return sum / row.len() as f64;
            }
            if scored.problem() == Problem::Binary {
                row.insert(0, 1.0 - row[0]);
            }
            of_classes(&row, scored.true_classes()[item] as usize)
        })
        .collect()
}

//! Calibration: whether answers are right as often as their probability says.
//!
//! The confidence of an answer is the probability of what was answered: of the class, or of each label for yes or no. Answers are
//! put into 15 bins of equal width by their confidence, `(0, 1/15], (1/15, 2/15], …`. The expected calibration error is
//! `Σ_b w_b / w · |accuracy_b − confidence_b|`, in `[0, 1]` (Naeini et al., 2015; Guo et al., 2017).

use super::prepared::Prepared;
use super::{Problem, Scored};
use serde::Serialize;

/// Number of bins of confidence.
pub const BINS: usize = 15;

/// The answers whose confidence lies in `(low, high]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ReliabilityBin {
    /// Lower end of the bin.
    pub low: f64,
    /// Upper end of the bin.
    pub high: f64,
    /// Sum of the weights of its answers.
    pub weight: f64,
    /// Mean confidence of its answers, 0 without answers.
    pub confidence: f64,
    /// Share of its answers that are right, 0 without answers.
    pub accuracy: f64,
}

/// The bins of the reliability diagram; `None` where there are no probabilities.
pub fn reliability(scored: &Scored) -> Option<Vec<ReliabilityBin>> {
    if scored.class_count() == 0 {
        return None;
    }
    let mut sums = [(0.0, 0.0, 0.0); BINS];
    for Answer { item, confidence, is_right } in answers(scored) {
        let weight = scored.weights()[item];
        let (weights, confidences, right) = &mut sums[bin(confidence)];
        *weights += weight;
        *confidences += weight * confidence;
        *right += if is_right { weight } else { 0.0 };
    }
    let of_bin = |(place, (weight, confidence, right)): (usize, (f64, f64, f64))| {
        let share = |sum: f64| if weight > 0.0 { sum / weight } else { 0.0 };
        ReliabilityBin {
            low: place as f64 / BINS as f64,
            high: (place + 1) as f64 / BINS as f64,
            weight,
            confidence: share(confidence),
            accuracy: share(right),
        }
    };
    Some(sums.into_iter().enumerate().map(of_bin).collect())
}

/// The expected calibration error.
pub(super) fn expected_error(scored: &Scored) -> Prepared {
    let gap = |answer: Answer| {
        let right = f64::from(u8::from(answer.is_right));
        (answer.item as u32, bin(answer.confidence) as u8, right - answer.confidence)
    };
    let gaps: Vec<(u32, u8, f64)> = answers(scored).map(gap).collect();
    Prepared::new(move |weights| {
        let (mut sums, mut total) = ([0.0; BINS], 0.0);
        for &(item, bin, gap) in &gaps {
            let weight = weights[item as usize];
            sums[bin as usize] += weight * gap;
            total += weight;
        }
        sums.iter().map(|sum: &f64| sum.abs()).sum::<f64>() / total
    })
}

struct Answer {
    item: usize,
    confidence: f64,
    is_right: bool,
}

/// Every answer: one per item, or one per item and label.
fn answers(scored: &Scored) -> impl Iterator<Item = Answer> + '_ {
    let per_item = if scored.problem() == Problem::MultiLabel { scored.width() } else { 1 };
    (0..scored.len() * per_item).map(move |place| {
        let (item, label) = (place / per_item, place % per_item);
        let yes_or_no = |score: f32, yes: bool| if yes { f64::from(score) } else { 1.0 - f64::from(score) };
        let (confidence, is_right) = match (scored.problem(), scored.row(item)) {
            (Problem::MultiLabel, row) => {
                let yes = scored.predicted_label(item, label);
                (yes_or_no(row[label], yes), yes == (scored.true_values()[place] > 0.5))
            }
            (_, row) => {
                let class = scored.predicted_class(item);
                let confidence = match row {
                    [score] => yes_or_no(*score, class == 1),
                    row => f64::from(row[class as usize]),
                };
                (confidence, class == scored.true_classes()[item])
            }
        };
        Answer { item, confidence, is_right }
    })
}

fn bin(confidence: f64) -> usize {
    ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metric;

    #[test]
    fn answers_as_sure_as_they_are_right_have_no_error() {
        // Four answers with confidence 3/4, three of them right.
        let scores = [0.75, 0.25].repeat(4);
        let scored = Scored::classes(scores, 2, vec![0, 0, 0, 1]).unwrap();
        assert_eq!(Metric::ExpectedCalibrationError.value(&scored), Some(0.0));
        let bins = reliability(&scored).unwrap();
        assert_eq!(bins.len(), BINS);
        assert_eq!((bins[11].weight, bins[11].confidence, bins[11].accuracy), (4.0, 0.75, 0.75));
        assert!(bins.iter().enumerate().all(|(place, bin)| place == 11 || bin.weight == 0.0));
    }

    #[test]
    fn bins_hold_their_upper_end() {
        assert_eq!([0.0, 1e-9, 1.0 / 15.0, 0.07, 0.5, 1.0].map(bin), [0, 0, 0, 1, 7, 14]);
    }

    #[test]
    fn values_have_no_bins() {
        assert_eq!(reliability(&Scored::values(vec![1.0], 1, vec![1.0]).unwrap()), None);
    }
}

//! Accuracy: the share of right answers.

use super::{Problem, Scored};

/// 1 or 0 per item: whether the answer is right. Of several labels: the share that is right (Keras's `BinaryAccuracy`).
pub fn correct(scored: &Scored) -> Vec<f64> {
    match scored.problem() {
        Problem::MultiLabel => {
            labels_right(scored).into_iter().map(|right| right as f64 / scored.width() as f64).collect()
        }
        _ => {
            let right = |(item, &class)| f64::from(u8::from(scored.predicted_class(item) == class));
            scored.true_classes().iter().enumerate().map(right).collect()
        }
    }
}

/// Of each item how many of its labelled words are right, and how many there are.
pub fn words_right(scored: &Scored) -> Vec<(f64, f64)> {
    let of_item = |item: usize| {
        let (truth, answer) = scored.labels_of_words(item);
        let right = truth.iter().zip(&answer).filter(|(truth, answer)| truth == answer).count();
        (right as f64, truth.len() as f64)
    };
    (0..scored.len()).map(of_item).collect()
}

/// The share of wrong labels of each item (scikit-learn's `hamming_loss`).
pub fn labels_wrong(scored: &Scored) -> Vec<f64> {
    labels_right(scored).into_iter().map(|right| (scored.width() - right) as f64 / scored.width() as f64).collect()
}

/// 1 or 0 per item: whether all of its labels are right (scikit-learn's `accuracy_score` of labels).
pub fn all_labels_correct(scored: &Scored) -> Vec<f64> {
    labels_right(scored).into_iter().map(|right| f64::from(u8::from(right == scored.width()))).collect()
}

fn labels_right(scored: &Scored) -> Vec<usize> {
    let truth = scored.true_values().chunks_exact(scored.width()).enumerate();
    let right = |(item, truth): (usize, &[f32])| {
        truth.iter().enumerate().filter(|&(label, &truth)| scored.predicted_label(item, label) == (truth > 0.5)).count()
    };
    truth.map(right).collect()
}

/// 1 or 0 per item: whether fewer than k classes have a higher score than the true one (Keras's rule: ties count as inside).
pub fn in_top(scored: &Scored, k: usize) -> Vec<f64> {
    let inside = |(item, &class): (usize, &u32)| {
        let row = scored.row(item);
        let above = row.iter().filter(|&&score| score > row[class as usize]).count();
        f64::from(u8::from(above < k))
    };
    scored.true_classes().iter().enumerate().map(inside).collect()
}

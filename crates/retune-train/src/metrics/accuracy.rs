//! Accuracy: the share of right answers.

use super::{Problem, Scored};

/// 1 or 0 per item: whether the answer is right. Of several labels: the share that is right (Keras's `BinaryAccuracy`).
pub fn correct(scored: &Scored) -> Vec<f64> {
    match scored.problem() {
        Problem::MultiLabel => {
            let truth = scored.true_values().chunks_exact(scored.width());
            let right = |(row, truth): (&[f32], &[f32])| {
                let right = row.iter().zip(truth).filter(|(score, truth)| (**score > 0.5) == (**truth > 0.5)).count();
                right as f64 / row.len() as f64
            };
            scored.scores().chunks_exact(scored.width()).zip(truth).map(right).collect()
        }
        _ => {
            let right = |(item, &class)| f64::from(u8::from(scored.predicted_class(item) == class));
            scored.true_classes().iter().enumerate().map(right).collect()
        }
    }
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

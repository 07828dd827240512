//! Cross-entropy of logits, and its gradient.

use retune_graph::ops::{SoftmaxCrossEntropy, SoftmaxCrossEntropyGrad};

use super::softmax::log_sum_exp;
use crate::array::Array;

/// The target distribution of each row after label smoothing, of the logits' shape.
fn distribution(logits: &Array, targets: &Array, label_smoothing: f32) -> Array {
    let (epsilon, classes) = (f64::from(label_smoothing), logits.rows().1);
    let hard = if targets.shape == logits.shape {
        targets.clone()
    } else {
        for &target in &targets.values {
            assert!(target >= 0.0 && target < classes as f64, "class {target} is outside 0..{classes}");
        }
        Array::from_fn(&logits.shape, |i| {
            let (leading, k) = (&i[..i.len() - 1], i[i.len() - 1]);
            if targets.at(leading) == k as f64 { 1.0 } else { 0.0 }
        })
    };
    hard.map(|t| t * (1.0 - epsilon) + epsilon / classes as f64)
}

pub(super) fn loss(op: &SoftmaxCrossEntropy, logits: &Array, targets: &Array) -> Array {
    let targets = distribution(logits, targets, op.label_smoothing);
    let classes = logits.rows().1;
    let rows = logits.values.chunks(classes).zip(targets.values.chunks(classes)).map(|(x, t)| {
        let normalizer = log_sum_exp(x);
        x.iter().zip(t).map(|(x, t)| t * (normalizer - x)).sum()
    });
    Array::new(&logits.shape[..logits.shape.len() - 1], rows.collect())
}

pub(super) fn grad(op: &SoftmaxCrossEntropyGrad, logits: &Array, targets: &Array, dloss: &Array) -> Array {
    let targets = distribution(logits, targets, op.label_smoothing);
    let classes = logits.rows().1;
    let mut values = Vec::new();
    for ((x, t), dloss) in logits.values.chunks(classes).zip(targets.values.chunks(classes)).zip(&dloss.values) {
        let (normalizer, total) = (log_sum_exp(x), t.iter().sum::<f64>());
        values.extend(x.iter().zip(t).map(|(x, t)| ((x - normalizer).exp() * total - t) * dloss));
    }
    Array::new(&logits.shape, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_and_one_hot_rows_agree() {
        let logits = Array::new(&[2, 3], vec![1.0, -2.0, 0.5, 0.0, 3.0, -1.0]);
        let op = SoftmaxCrossEntropy { label_smoothing: 0.1 };
        let by_index = loss(&op, &logits, &Array::new(&[2], vec![2.0, 0.0]));
        let one_hot = Array::new(&[2, 3], vec![0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
        assert_eq!(by_index, loss(&op, &logits, &one_hot));
        assert_eq!(by_index.shape, [2]);
    }
}

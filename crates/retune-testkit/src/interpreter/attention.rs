//! Attention of tokens to their own sequence, and its gradients, with all scores of a head at once.

use retune_graph::ops::{Attention, AttentionGrad};
use retune_tensor::{Key, Purpose};

use super::StepRandom;
use super::sequence::sequences;
use crate::array::Array;

/// One head of one sequence: where its values lie, its shares before dropout, and the mask of dropout.
struct Head {
    start: usize,
    n: usize,
    columns: std::ops::Range<usize>,
    shares: Vec<Vec<f64>>,
    mask: Vec<Vec<f64>>,
}

fn heads(
    op: &Attention,
    inputs: &[&Array],
    lengths: Option<&Array>,
    batch: usize,
    random: &StepRandom<'_>,
) -> Vec<Head> {
    let (q, k) = (inputs[0], inputs[1]);
    let size = q.shape[1] / op.heads;
    let mut heads = Vec::new();
    for (example, (start, n)) in sequences(q.shape[0], batch, lengths).into_iter().enumerate() {
        for head in 0..op.heads {
            let columns = head * size..(head + 1) * size;
            let score = |i: usize, j: usize| {
                let product = |c: usize| q.at(&[start + i, c]) * k.at(&[start + j, c]);
                f64::from(op.scale) * columns.clone().map(product).sum::<f64>()
            };
            let share = |i: usize| {
                let seen = op.reach.seen_by(i, n);
                let max = seen.clone().map(|j| score(i, j)).fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = seen.clone().map(|j| (score(i, j) - max).exp()).sum();
                (0..n).map(|j| if seen.contains(&j) { (score(i, j) - max).exp() / sum } else { 0.0 }).collect()
            };
            let kept = |i: usize, j: usize| match op.dropout {
                None => 1.0,
                Some((rate, stream)) => {
                    let id = random.example_ids[example];
                    let key = Key::new(random.seed).with(Purpose::Layer(stream)).at(random.epoch, id);
                    let number = (head * n + i) * n + j;
                    if key.uniform(number as u64) >= rate { 1.0 / (1.0 - f64::from(rate)) } else { 0.0 }
                }
            };
            let mask = (0..n).map(|i| (0..n).map(|j| kept(i, j)).collect()).collect();
            heads.push(Head { start, n, shares: (0..n).map(share).collect(), mask, columns });
        }
    }
    heads
}

/// `inputs` are q, k, v and perhaps lengths.
pub(super) fn attention(op: &Attention, inputs: &[&Array], batch: usize, random: &StepRandom<'_>) -> Array {
    let mut y = Array::full(&inputs[0].shape, 0.0);
    for head in heads(op, inputs, inputs.get(3).copied(), batch, random) {
        for i in 0..head.n {
            for c in head.columns.clone() {
                let value = |j: usize| head.shares[i][j] * head.mask[i][j] * inputs[2].at(&[head.start + j, c]);
                *y.at_mut(&[head.start + i, c]) = (0..head.n).map(value).sum();
            }
        }
    }
    y
}

/// `inputs` are q, k, v, dy and perhaps lengths.
pub(super) fn attention_grad(op: &AttentionGrad, inputs: &[&Array], batch: usize, random: &StepRandom<'_>) -> Array {
    let (q, k, v, dy) = (inputs[0], inputs[1], inputs[2], inputs[3]);
    let mut all = Array::full(&[3, q.shape[0], q.shape[1]], 0.0);
    for head in heads(&op.0, inputs, inputs.get(4).copied(), batch, random) {
        let (start, n) = (head.start, head.n);
        for i in 0..n {
            let share_gradient = |j: usize| {
                let product = |c: usize| dy.at(&[start + i, c]) * v.at(&[start + j, c]);
                head.mask[i][j] * head.columns.clone().map(product).sum::<f64>()
            };
            let sum: f64 = (0..n).map(|j| head.shares[i][j] * share_gradient(j)).sum();
            for j in 0..n {
                let score_gradient = f64::from(op.0.scale) * head.shares[i][j] * (share_gradient(j) - sum);
                for c in head.columns.clone() {
                    *all.at_mut(&[0, start + i, c]) += score_gradient * k.at(&[start + j, c]);
                    *all.at_mut(&[1, start + j, c]) += score_gradient * q.at(&[start + i, c]);
                    *all.at_mut(&[2, start + j, c]) += head.shares[i][j] * head.mask[i][j] * dy.at(&[start + i, c]);
                }
            }
        }
    }
    all
}

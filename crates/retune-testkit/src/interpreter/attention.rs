//! Attention of tokens to their own sequence, and its gradients, with all scores of a head at once.

use retune_graph::ops::{Attention, Relative};

use super::StepRandom;
use super::random::sequence_key;
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

/// What the distance from i to j adds: the vectors that are added to the key and to the query by their columns, and the bias.
fn at_distance<'a>(
    op: &Attention,
    inputs: &[&'a Array],
    head: usize,
    i: usize,
    j: usize,
) -> (impl Fn(usize) -> f64 + 'a, impl Fn(usize) -> f64 + 'a, f64) {
    let bucket = op.relative.map_or(0, |relative| relative.buckets().of(j as isize - i as isize));
    let (keys, queries) = vector_tables(op);
    let [keys, queries] = [keys, queries].map(|index| index.map(|index| inputs[3 + index]));
    let bias = match op.relative {
        Some(Relative::Bias(_)) => inputs[3].at(&[bucket, head]),
        _ => 0.0,
    };
    let value = move |table: Option<&Array>, c: usize| table.map_or(0.0, |table| table.at(&[bucket, c]));
    (move |c| value(keys, c), move |c| value(queries, c), bias)
}

/// The numbers of the tables of vectors for keys and for queries.
fn vector_tables(op: &Attention) -> (Option<usize>, Option<usize>) {
    match op.relative {
        Some(Relative::Vectors { keys, queries, .. }) => (keys.then_some(0), queries.then_some(usize::from(keys))),
        Some(Relative::Bias(_)) | None => (None, None),
    }
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
    let sequences = sequences(q.shape[0], batch, lengths);
    for (index, &(start, n)) in sequences.iter().enumerate() {
        for head in 0..op.heads {
            let columns = head * size..(head + 1) * size;
            let score = |i: usize, j: usize| {
                let (key, query, bias) = at_distance(op, inputs, head, i, j);
                let product = |c: usize| {
                    q.at(&[start + i, c]) * (k.at(&[start + j, c]) + key(c)) + k.at(&[start + j, c]) * query(c)
                };
                f64::from(op.scale) * columns.clone().map(product).sum::<f64>() + bias
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
                    let key = sequence_key(stream, index, sequences.len(), random);
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

/// `inputs` are q, k, v, tables and perhaps lengths.
pub(super) fn attention(op: &Attention, inputs: &[&Array], batch: usize, random: &StepRandom<'_>) -> Array {
    let mut y = Array::full(&inputs[0].shape, 0.0);
    for head in heads(op, inputs, inputs.get(op.lengths(0)).copied(), batch, random) {
        for i in 0..head.n {
            for c in head.columns.clone() {
                let value = |j: usize| head.shares[i][j] * head.mask[i][j] * inputs[2].at(&[head.start + j, c]);
                *y.at_mut(&[head.start + i, c]) = (0..head.n).map(value).sum();
            }
        }
    }
    y
}

/// The gradients of attention.
pub(super) struct Gradients {
    /// With respect to q, k and v, stacked.
    pub rows: Array,
    /// With respect to the tables of relative positions, stacked.
    pub tables: Array,
}

/// `inputs` are q, k, v, tables, dy and perhaps lengths.
pub(super) fn attention_grad(op: &Attention, inputs: &[&Array], batch: usize, random: &StepRandom<'_>) -> Gradients {
    let (q, k, v, dy) = (inputs[0], inputs[1], inputs[2], inputs[op.lengths(0)]);
    let scale = f64::from(op.scale);
    let mut all = Array::full(&[3, q.shape[0], q.shape[1]], 0.0);
    let table_shape: Vec<usize> = inputs[3..op.lengths(0)].first().map_or(vec![0, 0], |table| table.shape.clone());
    let mut tables = Array::full(&[op.tables(), table_shape[0], table_shape[1]], 0.0);
    let (keys, queries) = vector_tables(op);
    for (number, head) in heads(op, inputs, inputs.get(op.lengths(1)).copied(), batch, random).into_iter().enumerate() {
        let (start, n) = (head.start, head.n);
        for i in 0..n {
            let share_gradient = |j: usize| {
                let product = |c: usize| dy.at(&[start + i, c]) * v.at(&[start + j, c]);
                head.mask[i][j] * head.columns.clone().map(product).sum::<f64>()
            };
            let sum: f64 = (0..n).map(|j| head.shares[i][j] * share_gradient(j)).sum();
            for j in 0..n {
                let ds = head.shares[i][j] * (share_gradient(j) - sum);
                let bucket = op.relative.map_or(0, |relative| relative.buckets().of(j as isize - i as isize));
                if let Some(Relative::Bias(_)) = op.relative {
                    *tables.at_mut(&[0, bucket, number % op.heads]) += ds;
                }
                let (key, query, _) = at_distance(op, inputs, number % op.heads, i, j);
                for c in head.columns.clone() {
                    let (q, k) = (q.at(&[start + i, c]), k.at(&[start + j, c]));
                    *all.at_mut(&[0, start + i, c]) += scale * ds * (k + key(c));
                    *all.at_mut(&[1, start + j, c]) += scale * ds * (q + query(c));
                    *all.at_mut(&[2, start + j, c]) += head.shares[i][j] * head.mask[i][j] * dy.at(&[start + i, c]);
                    for (table, factor) in [(keys, q), (queries, k)] {
                        if let Some(table) = table {
                            *tables.at_mut(&[table, bucket, c]) += scale * ds * factor;
                        }
                    }
                }
            }
        }
    }
    Gradients { rows: all, tables }
}

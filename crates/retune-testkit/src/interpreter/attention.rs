//! Attention of tokens to their own sequence, and its gradients, with all scores of a head at once.

use retune_graph::ops::{Attention, Relative, Slice};

use super::random::sequence_key;
use super::sequence::sequences;
use super::{StepRandom, layout};
use crate::array::Array;

/// One head of one sequence: where its values lie, its shares before dropout, and the mask of dropout. Keys j are those of the
/// prefix, then those of the tokens.
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

/// Value c of key j, or of value j if `of_values`, of the sequence that begins at `start`.
fn row_at(op: &Attention, inputs: &[&Array], of_values: bool, start: usize, j: usize, c: usize) -> f64 {
    let more = usize::from(of_values);
    match j.checked_sub(op.prefix) {
        Some(token) => inputs[1 + more].at(&[start + token, c]),
        None => inputs[op.prefix_keys() + more].at(&[j, c]),
    }
}

fn heads(
    op: &Attention,
    inputs: &[&Array],
    lengths: Option<&Array>,
    batch: usize,
    random: &StepRandom<'_>,
) -> Vec<Head> {
    let q = inputs[0];
    let size = q.shape[1] / op.heads;
    let mut heads = Vec::new();
    let sequences = sequences(q.shape[0], batch, lengths);
    for (index, &(start, n)) in sequences.iter().enumerate() {
        for head in 0..op.heads {
            let columns = head * size..(head + 1) * size;
            let score = |i: usize, j: usize| {
                let (key, query, bias) = at_distance(op, inputs, head, i, j);
                let product = |c: usize| {
                    let k = row_at(op, inputs, false, start, j, c);
                    q.at(&[start + i, c]) * (k + key(c)) + k * query(c)
                };
                f64::from(op.scale) * columns.clone().map(product).sum::<f64>() + bias
            };
            let share = |i: usize| {
                let seen = if op.prefix > 0 { 0..op.prefix + n } else { op.reach.seen_by(i, n) };
                let max = seen.clone().map(|j| score(i, j)).fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = seen.clone().map(|j| (score(i, j) - max).exp()).sum();
                (0..op.prefix + n)
                    .map(|j| if seen.contains(&j) { (score(i, j) - max).exp() / sum } else { 0.0 })
                    .collect()
            };
            let kept = |i: usize, j: usize| match op.dropout {
                None => 1.0,
                Some((rate, stream)) => {
                    let key = sequence_key(stream, index, sequences.len(), random);
                    let number = (head * n + i) * (op.prefix + n) + j;
                    if key.uniform(number as u64) >= rate { 1.0 / (1.0 - f64::from(rate)) } else { 0.0 }
                }
            };
            let mask = (0..n).map(|i| (0..op.prefix + n).map(|j| kept(i, j)).collect()).collect();
            heads.push(Head { start, n, shares: (0..n).map(share).collect(), mask, columns });
        }
    }
    heads
}

/// The same operation with q, k and v as inputs of their own, and those.
fn apart(op: &Attention, inputs: &[&Array]) -> Option<(Attention, Vec<Array>)> {
    let width = op.width(inputs[0].shape[1]);
    let slice = |part: usize| layout::slice(&Slice { axis: 1, start: part * width, size: width }, inputs[0]);
    op.packed.then(|| (Attention { packed: false, ..*op }, [0, 1, 2].map(slice).to_vec()))
}

/// `inputs` are q, k, v or all in one, tables, prefix and perhaps lengths.
pub(super) fn attention(op: &Attention, inputs: &[&Array], batch: usize, random: &StepRandom<'_>) -> Array {
    if let Some((op, rows)) = apart(op, inputs) {
        let inputs: Vec<&Array> = rows.iter().chain(inputs[1..].iter().copied()).collect();
        return attention(&op, &inputs, batch, random);
    }
    let mut y = Array::full(&inputs[0].shape, 0.0);
    for head in heads(op, inputs, inputs.get(op.lengths(0)).copied(), batch, random) {
        for i in 0..head.n {
            for c in head.columns.clone() {
                let value = |j: usize| head.shares[i][j] * head.mask[i][j] * row_at(op, inputs, true, head.start, j, c);
                *y.at_mut(&[head.start + i, c]) = (0..op.prefix + head.n).map(value).sum();
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
    /// With respect to keys and values of the prefix, stacked.
    pub prefix: Array,
}

/// `inputs` are q, k, v or all in one, tables, prefix, dy and perhaps lengths.
pub(super) fn attention_grad(op: &Attention, inputs: &[&Array], batch: usize, random: &StepRandom<'_>) -> Gradients {
    if let Some((op, rows)) = apart(op, inputs) {
        let shape = inputs[0].shape.clone();
        let inputs: Vec<&Array> = rows.iter().chain(inputs[1..].iter().copied()).collect();
        let gradients = attention_grad(&op, &inputs, batch, random);
        let width = shape[1] / 3;
        let mut packed = Array::full(&shape, 0.0);
        for (row, part, c) in (0..shape[0]).flat_map(|row| (0..3 * width).map(move |c| (row, c / width, c % width))) {
            *packed.at_mut(&[row, part * width + c]) = gradients.rows.at(&[part, row, c]);
        }
        return Gradients { rows: packed, ..gradients };
    }
    let (q, dy) = (inputs[0], inputs[op.lengths(0)]);
    let scale = f64::from(op.scale);
    let mut all = Array::full(&[3, q.shape[0], q.shape[1]], 0.0);
    let mut prefix = Array::full(&[2, op.prefix, q.shape[1]], 0.0);
    let table_shape: Vec<usize> = inputs[3..op.prefix_keys()].first().map_or(vec![0, 0], |table| table.shape.clone());
    let mut tables = Array::full(&[op.tables(), table_shape[0], table_shape[1]], 0.0);
    let (keys, queries) = vector_tables(op);
    for (number, head) in heads(op, inputs, inputs.get(op.lengths(1)).copied(), batch, random).into_iter().enumerate() {
        let (start, n) = (head.start, head.n);
        for i in 0..n {
            let share_gradient = |j: usize| {
                let product = |c: usize| dy.at(&[start + i, c]) * row_at(op, inputs, true, start, j, c);
                head.mask[i][j] * head.columns.clone().map(product).sum::<f64>()
            };
            let sum: f64 = (0..op.prefix + n).map(|j| head.shares[i][j] * share_gradient(j)).sum();
            for j in 0..op.prefix + n {
                let ds = head.shares[i][j] * (share_gradient(j) - sum);
                let bucket = op.relative.map_or(0, |relative| relative.buckets().of(j as isize - i as isize));
                if let Some(Relative::Bias(_)) = op.relative {
                    *tables.at_mut(&[0, bucket, number % op.heads]) += ds;
                }
                let (key, query, _) = at_distance(op, inputs, number % op.heads, i, j);
                for c in head.columns.clone() {
                    let (q, k) = (q.at(&[start + i, c]), row_at(op, inputs, false, start, j, c));
                    *all.at_mut(&[0, start + i, c]) += scale * ds * (k + key(c));
                    let dv = head.shares[i][j] * head.mask[i][j] * dy.at(&[start + i, c]);
                    match j.checked_sub(op.prefix) {
                        Some(token) => {
                            *all.at_mut(&[1, start + token, c]) += scale * ds * (q + query(c));
                            *all.at_mut(&[2, start + token, c]) += dv;
                        }
                        None => {
                            *prefix.at_mut(&[0, j, c]) += scale * ds * q;
                            *prefix.at_mut(&[1, j, c]) += dv;
                        }
                    }
                    for (table, factor) in [(keys, q), (queries, k)] {
                        if let Some(table) = table {
                            *tables.at_mut(&[table, bucket, c]) += scale * ds * factor;
                        }
                    }
                }
            }
        }
    }
    Gradients { rows: all, tables, prefix }
}

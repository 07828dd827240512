//! Random tensors and dropout. Which number belongs to which value is said in `retune_graph::ops::random`.

use retune_graph::ops::{Dropout, Random};
use retune_tensor::{Key, Purpose};

use super::StepRandom;
use super::sequence::sequences;
use crate::array::Array;

/// For row `row` of `rows` on the batch axis: the key of its example, and its number among that example's rows.
pub(super) fn row_key(stream: u32, row: usize, rows: usize, batch: usize, random: &StepRandom<'_>) -> (Key, usize) {
    assert!(batch > 0 && rows.is_multiple_of(batch), "{rows} rows do not belong evenly to {batch} examples");
    assert_eq!(random.example_ids.len(), batch, "random operations need an id for each example");
    let rows_per_example = rows / batch;
    let example = random.example_ids[row / rows_per_example];
    let key = Key::new(random.seed).with(Purpose::Layer(stream)).at(random.epoch, example);
    (key, row % rows_per_example)
}

/// The key of sequence number `index` of `count`, of which each example has as many as any other.
pub(super) fn sequence_key(stream: u32, index: usize, count: usize, random: &StepRandom<'_>) -> Key {
    let parts = count / random.example_ids.len();
    let id = random.example_ids[index / parts] * parts as u64 + (index % parts) as u64;
    Key::new(random.seed).with(Purpose::Layer(stream)).at(random.epoch, id)
}

/// `f(key of the example, number of the value inside the example)` for each value of `shape`.
fn by_example(
    shape: &[usize],
    stream: u32,
    batch: usize,
    random: &StepRandom<'_>,
    f: impl Fn(Key, u64) -> f64,
) -> Array {
    let row_size: usize = shape[1..].iter().product();
    let mut values = Vec::new();
    for row in 0..shape[0] {
        let (key, row_of_example) = row_key(stream, row, shape[0], batch, random);
        values.extend((0..row_size).map(|i| f(key, (row_of_example * row_size + i) as u64)));
    }
    Array::new(shape, values)
}

pub(super) fn random(op: &Random, shape: &[usize], batch: usize, random: &StepRandom<'_>) -> Array {
    match *op {
        Random::Uniform { low, high, stream } => by_example(shape, stream, batch, random, |key, index| {
            f64::from(low) + (f64::from(high) - f64::from(low)) * f64::from(key.uniform(index))
        }),
        Random::Normal { mean, stddev, stream } => by_example(shape, stream, batch, random, |key, index| {
            f64::from(mean) + f64::from(stddev) * f64::from(key.normal(index))
        }),
    }
}

pub(super) fn dropout(
    op: &Dropout,
    x: &Array,
    lengths: Option<&Array>,
    batch: usize,
    random: &StepRandom<'_>,
) -> Array {
    let mut mask_shape = x.shape.clone();
    for &axis in &op.shared_axes {
        mask_shape[axis] = 1;
    }
    let scale = 1.0 / (1.0 - f64::from(op.rate));
    let kept = |key: Key, index: u64| if key.uniform(index) >= op.rate { scale } else { 0.0 };
    let mask = match lengths {
        None => by_example(&mask_shape, op.stream, batch, random, kept),
        Some(lengths) => {
            let row_size: usize = mask_shape[1..].iter().product();
            let sequences = sequences(x.shape[0], batch, Some(lengths));
            let count = sequences.len();
            let values = sequences.into_iter().enumerate().flat_map(|(index, (_, n))| {
                let key = sequence_key(op.stream, index, count, random);
                (0..n * row_size).map(move |index| kept(key, index as u64))
            });
            Array::new(&mask_shape, values.collect())
        }
    };
    Array::from_fn(&x.shape, |index| x.at(index) * mask.at_broadcast(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANDOM: StepRandom<'_> = StepRandom { seed: 3, epoch: 5, example_ids: &[11, 4] };

    /// Rows of one example continue its numbers, so a flattened batch axis changes nothing.
    #[test]
    fn numbers_continue_over_the_rows_of_an_example() {
        let op = Random::Uniform { low: 0.0, high: 1.0, stream: 2 };
        let by_example = random(&op, &[2, 3, 4], 2, &RANDOM);
        let by_row = random(&op, &[6, 4], 2, &RANDOM);
        assert_eq!(by_example.values, by_row.values);
        let key = Key::new(3).with(Purpose::Layer(2)).at(5, 4);
        assert_eq!(by_row.at(&[3, 0]), f64::from(key.uniform(0)));
        assert_eq!(by_row.at(&[5, 3]), f64::from(key.uniform(11)));
    }

    #[test]
    fn an_example_meets_the_same_numbers_in_any_batch() {
        let op = Dropout { rate: 0.5, stream: 0, shared_axes: vec![] };
        let both = dropout(&op, &Array::full(&[2, 50], 1.0), None, 2, &RANDOM);
        let alone = StepRandom { example_ids: &[4], ..RANDOM };
        assert_eq!(both.values[50..], dropout(&op, &Array::full(&[1, 50], 1.0), None, 1, &alone).values);
        assert!(both.values.contains(&0.0) && both.values.contains(&2.0));
    }

    #[test]
    fn shared_axes_share_their_numbers() {
        let spatial = Dropout { rate: 0.5, stream: 0, shared_axes: vec![1] };
        let single = Dropout { shared_axes: vec![], ..spatial.clone() };
        let y = dropout(&spatial, &Array::full(&[2, 3, 40], 1.0), None, 2, &RANDOM);
        let mask = dropout(&single, &Array::full(&[2, 1, 40], 1.0), None, 2, &RANDOM);
        assert_eq!(y, Array::from_fn(&[2, 3, 40], |i| mask.at(&[i[0], 0, i[2]])));
    }
}

//! Random arrays for tests: the same in every run, on every machine.

use retune_tensor::{Key, Purpose};

use crate::array::Array;

/// The key of test stream `stream`.
pub fn key(stream: u32) -> Key {
    Key::new(0).with(Purpose::Test(stream))
}

/// Standard normal values.
pub fn normal(stream: u32, shape: &[usize]) -> Array {
    let (key, count) = (key(stream), shape.iter().product::<usize>());
    Array::new(shape, (0..count).map(|i| f64::from(key.normal(i as u64))).collect())
}

/// Values uniform in `[low, high)`.
pub fn uniform(stream: u32, shape: &[usize], low: f64, high: f64) -> Array {
    let (key, count) = (key(stream), shape.iter().product::<usize>());
    Array::new(shape, (0..count).map(|i| low + (high - low) * f64::from(key.uniform(i as u64))).collect())
}

/// Integers uniform in `0..n`.
pub fn below(stream: u32, shape: &[usize], n: usize) -> Array {
    let (key, count) = (key(stream), shape.iter().product::<usize>());
    Array::new(shape, (0..count).map(|i| key.below(i as u64, n as u64) as f64).collect())
}

/// Values spread over `(low, high)` in random order, any two at least `(high − low) / 2 / count` apart: a maximum of them
/// stays where it is when one of them changes a little.
pub fn spread(stream: u32, shape: &[usize], low: f64, high: f64) -> Array {
    let (key, count) = (key(stream), shape.iter().product::<usize>());
    let order = key.permutation(count);
    let jitter = key.at(0, 0);
    let value = |i: usize| {
        let place = (order[i] as f64 + 0.25 + 0.5 * f64::from(jitter.uniform(i as u64))) / count as f64;
        low + (high - low) * place
    };
    Array::new(shape, (0..count).map(value).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_values_keep_their_distance() {
        let mut values = spread(1, &[5, 20], -2.0, 2.0).values;
        values.sort_by(f64::total_cmp);
        assert!(values.windows(2).all(|pair| pair[1] - pair[0] >= 0.02 - 1e-12));
        assert!(values[0] > -2.0 && values[99] < 2.0);
    }
}

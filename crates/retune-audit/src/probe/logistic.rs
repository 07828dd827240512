//! Multinomial logistic regression, `p(class | x) ∝ exp(w·x + b)`, fitted by AdaGrad (Duchi, Hazan, Singer 2011) one example at a time,
//! in an order that depends on the epoch alone.

use super::Features;

/// Passes over the examples.
const EPOCHS: u64 = 10;
/// Step of AdaGrad for sparse rows of length 1, and for dense ones.
const RATES: (f32, f32) = (0.5, 0.05);
/// Pull of the weights to 0 at each step, for the columns of the example.
const DECAY: f32 = 1e-5;

/// A fitted probe.
#[derive(Debug)]
pub struct Probe {
    classes: usize,
    /// `[columns + 1, classes]`; the last row is that of the constants.
    weights: Vec<f32>,
}

/// A number that looks random, of two others (the mixing of SplitMix64).
pub(crate) fn mixed(a: u64, b: u64) -> u64 {
    let mut x = a.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(b).wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

impl Probe {
    /// Fits a probe to some rows and their classes.
    pub fn fit(features: &Features, rows: &[usize], labels: &[usize], classes: usize) -> Probe {
        let columns = features.width() + 1;
        let mut probe = Probe { classes, weights: vec![0.0; columns * classes] };
        let mut squares = vec![1e-8f32; columns * classes];
        let rate = if features.is_dense() { RATES.1 } else { RATES.0 };
        let mut order = rows.to_vec();
        let mut errors = vec![0.0f32; classes];
        for epoch in 0..EPOCHS {
            order.sort_unstable_by_key(|&row| mixed(epoch, row as u64));
            for &row in &order {
                probe.scores(features, row, &mut errors);
                softmax(&mut errors);
                errors[labels[row]] -= 1.0;
                for (column, value) in features.row(row).chain([(columns - 1, 1.0)]) {
                    let place = column * classes..(column + 1) * classes;
                    let weights = &mut probe.weights[place.clone()];
                    for ((weight, square), error) in weights.iter_mut().zip(&mut squares[place]).zip(&errors) {
                        let gradient = error * value + DECAY * *weight;
                        *square += gradient * gradient;
                        *weight -= rate * gradient / square.sqrt();
                    }
                }
            }
        }
        probe
    }

    /// Probabilities of the classes of one row.
    pub fn predict(&self, features: &Features, row: usize, out: &mut [f32]) {
        self.scores(features, row, out);
        softmax(out);
    }

    fn scores(&self, features: &Features, row: usize, out: &mut [f32]) {
        out.fill(0.0);
        for (column, value) in features.row(row).chain([(features.width(), 1.0)]) {
            let weights = &self.weights[column * self.classes..(column + 1) * self.classes];
            out.iter_mut().zip(weights).for_each(|(score, weight)| *score += value * weight);
        }
    }
}

fn softmax(scores: &mut [f32]) {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    scores.iter_mut().for_each(|score| *score = (*score - largest).exp());
    let sum: f32 = scores.iter().sum();
    scores.iter_mut().for_each(|score| *score /= sum);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_clouds_are_told_apart() {
        let centres = [(0.0, 3.0), (3.0, -2.0), (-3.0, -2.0)];
        let noise = |i: u64| (mixed(i, 7) >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
        let labels: Vec<usize> = (0..300).map(|i| i % 3).collect();
        let values = (0..300u64).flat_map(|i| {
            let (x, y) = centres[i as usize % 3];
            [x + noise(2 * i), y + noise(2 * i + 1)]
        });
        let features = Features::dense(2, values.collect());
        let (train, test): (Vec<usize>, Vec<usize>) = (0..300).partition(|row| row % 2 == 0);
        let probe = Probe::fit(&features, &train, &labels, 3);
        let mut out = [0.0; 3];
        for row in test {
            probe.predict(&features, row, &mut out);
            assert!(out[labels[row]] > 0.8 && (out.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{out:?}");
        }
    }
}

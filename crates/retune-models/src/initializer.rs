//! Fresh values of weights, by Keras's formulas, from counter-based random numbers.
//!
//! A weight's values depend on the seed and the weight's index in the model alone. They follow the same distributions as
//! Keras's, not the same numbers.

use retune_tensor::{Key, Tensor};

/// How the values of a fresh weight are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Initializer {
    /// All values equal.
    Constant(f32),
    /// Uniform in `[low, high)`.
    Uniform {
        /// Lower end.
        low: f32,
        /// Upper end.
        high: f32,
    },
    /// Normal.
    Normal {
        /// Mean.
        mean: f32,
        /// Standard deviation.
        stddev: f32,
    },
    /// Normal, drawn again outside of two standard deviations from the mean.
    TruncatedNormal {
        /// Mean.
        mean: f32,
        /// Standard deviation before truncation.
        stddev: f32,
    },
    /// Variance `scale / n`, with n the inputs, the outputs, or their mean.
    VarianceScaling {
        /// Factor of the variance.
        scale: f32,
        /// What n is.
        fan: Fan,
        /// The distribution with that variance.
        distribution: Distribution,
    },
    /// `gain ·` a random matrix with orthonormal columns (or rows, if there are fewer), all axes but the last taken
    /// together. Saxe et al., *Exact solutions to the nonlinear dynamics of learning*, 2014.
    Orthogonal {
        /// Factor.
        gain: f32,
    },
    /// `gain` on the diagonal of a matrix, else 0.
    Identity {
        /// Factor.
        gain: f32,
    },
    /// 1 in the forget gate's quarter of an LSTM's bias, else 0. Jozefowicz et al., 2015.
    UnitForgetBias,
}

/// What the variance of [`Initializer::VarianceScaling`] is divided by: with r the product of all axes but the last two,
/// `fan_in = r · second to last axis` and `fan_out = r · last axis`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fan {
    /// `fan_in`.
    In,
    /// `fan_out`.
    Out,
    /// `(fan_in + fan_out) / 2`.
    Average,
}

/// The shape of the distribution of [`Initializer::VarianceScaling`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distribution {
    /// Uniform in `±√(3 · variance)`.
    Uniform,
    /// Normal.
    Normal,
    /// Normal cut off at two standard deviations, widened by 1 / 0.87962566 so that the variance is right after.
    TruncatedNormal,
}

impl Initializer {
    /// `U(−√(6 / (fan_in + fan_out)), +√(6 / (fan_in + fan_out)))`, Keras's default. Glorot and Bengio, 2010.
    pub const GLOROT_UNIFORM: Initializer =
        Initializer::VarianceScaling { scale: 1.0, fan: Fan::Average, distribution: Distribution::Uniform };

    /// All zeros.
    pub const ZEROS: Initializer = Initializer::Constant(0.0);

    /// All ones.
    pub const ONES: Initializer = Initializer::Constant(1.0);

    /// A fresh tensor of `shape` from the stream of `key`.
    pub fn tensor(&self, shape: &[usize], key: Key) -> Tensor {
        let count: usize = shape.iter().product();
        let draw = |f: &dyn Fn(u64) -> f32| (0..count as u64).map(f).collect::<Vec<f32>>();
        let values = match *self {
            Initializer::Constant(value) => vec![value; count],
            Initializer::Uniform { low, high } => draw(&|i| low + (high - low) * key.uniform(i)),
            Initializer::Normal { mean, stddev } => draw(&|i| mean + stddev * key.normal(i)),
            Initializer::TruncatedNormal { mean, stddev } => {
                draw(&|i| mean + stddev * truncated_normal(key, i, count as u64))
            }
            Initializer::VarianceScaling { scale, fan, distribution } => {
                let (fan_in, fan_out) = fans(shape);
                let n = match fan {
                    Fan::In => fan_in,
                    Fan::Out => fan_out,
                    Fan::Average => (fan_in + fan_out) / 2.0,
                };
                let stddev = (f64::from(scale) / n.max(1.0)).sqrt() as f32;
                match distribution {
                    Distribution::Uniform => {
                        let limit = stddev * 3f32.sqrt();
                        draw(&|i| limit * (2.0 * key.uniform(i) - 1.0))
                    }
                    Distribution::Normal => draw(&|i| stddev * key.normal(i)),
                    Distribution::TruncatedNormal => {
                        draw(&|i| stddev / 0.879_625_7 * truncated_normal(key, i, count as u64))
                    }
                }
            }
            Initializer::Orthogonal { gain } => orthogonal(shape, gain, key),
            Initializer::Identity { gain } => {
                let columns = shape.last().copied().unwrap_or(1).max(1);
                (0..count).map(|i| if i / columns == i % columns { gain } else { 0.0 }).collect()
            }
            Initializer::UnitForgetBias => {
                let units = count / 4;
                (0..count).map(|i| if (units..2 * units).contains(&i) { 1.0 } else { 0.0 }).collect()
            }
        };
        Tensor::new(shape, values).expect("there is a value for each place of the shape")
    }
}

/// Keras's `compute_fans`.
fn fans(shape: &[usize]) -> (f64, f64) {
    match *shape {
        [] => (1.0, 1.0),
        [n] => (n as f64, n as f64),
        [ref field @ .., inputs, outputs] => {
            let field = field.iter().map(|&n| n as f64).product::<f64>();
            (field * inputs as f64, field * outputs as f64)
        }
    }
}

/// A standard normal number in `(−2, 2)`: number `index` of the stream, or the first of `index + k · count` that fits.
fn truncated_normal(key: Key, index: u64, count: u64) -> f32 {
    let mut at = index;
    loop {
        let x = key.normal(at);
        if x.abs() < 2.0 {
            return x;
        }
        at += count;
    }
}

/// Gram–Schmidt, twice over for accuracy, on normal vectors in f64. The diagonal of R is positive, so Q is uniform.
fn orthogonal(shape: &[usize], gain: f32, key: Key) -> Vec<f32> {
    let columns = shape.last().copied().unwrap_or(1);
    let rows: usize = shape[..shape.len().saturating_sub(1)].iter().product();
    let (length, number) = (rows.max(columns), rows.min(columns));
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(number);
    for vector in 0..number {
        let mut v: Vec<f64> = (0..length).map(|i| f64::from(key.normal((vector * length + i) as u64))).collect();
        for _ in 0..2 {
            for b in &basis {
                let dot: f64 = v.iter().zip(b).map(|(x, y)| x * y).sum();
                v.iter_mut().zip(b).for_each(|(x, y)| *x -= dot * y);
            }
        }
        let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        v.iter_mut().for_each(|x| *x /= norm);
        basis.push(v);
    }
    let value = |row: usize, column: usize| if rows >= columns { basis[column][row] } else { basis[row][column] };
    (0..rows * columns).map(|i| gain * value(i / columns, i % columns) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use retune_tensor::Purpose;

    fn values(initializer: Initializer, shape: &[usize]) -> Vec<f32> {
        initializer.tensor(shape, Key::new(5).with(Purpose::Init(0))).to_f32_vec()
    }

    fn moments(values: &[f32]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        (mean, values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n)
    }

    #[test]
    fn variance_scaling_has_the_stated_variance() {
        let shape = [3, 3, 40, 60];
        for (fan, n) in [(Fan::In, 360.0), (Fan::Out, 540.0), (Fan::Average, 450.0)] {
            for distribution in [Distribution::Uniform, Distribution::Normal, Distribution::TruncatedNormal] {
                let (mean, variance) =
                    moments(&values(Initializer::VarianceScaling { scale: 2.0, fan, distribution }, &shape));
                assert!(mean.abs() < 2e-3, "{mean}");
                assert!((variance * n / 2.0 - 1.0).abs() < 0.03, "{fan:?} {distribution:?}: {variance}");
            }
        }
    }

    #[test]
    fn glorot_uniform_stays_within_its_limit() {
        let limit = (6f32 / 100.0).sqrt();
        let drawn = values(Initializer::GLOROT_UNIFORM, &[40, 60]);
        assert!(drawn.iter().all(|x| x.abs() <= limit) && drawn.iter().any(|x| x.abs() > 0.95 * limit));
    }

    #[test]
    fn orthogonal_matrices_are_orthogonal() {
        for shape in [[6, 4], [4, 6], [5, 5]] {
            let q = values(Initializer::Orthogonal { gain: 2.0 }, &shape);
            let (rows, columns) = (shape[0], shape[1]);
            let n = rows.min(columns);
            let at = |i: usize, k: usize| if rows >= columns { q[k * columns + i] } else { q[i * columns + k] };
            for i in 0..n {
                for j in 0..n {
                    let dot: f32 = (0..rows.max(columns)).map(|k| at(i, k) * at(j, k)).sum();
                    assert!((dot - if i == j { 4.0 } else { 0.0 }).abs() < 1e-5, "{shape:?} {i} {j}: {dot}");
                }
            }
        }
    }

    #[test]
    fn truncated_normals_stay_within_two_deviations() {
        let drawn = values(Initializer::TruncatedNormal { mean: 1.0, stddev: 0.5 }, &[5000]);
        assert!(drawn.iter().all(|x| (x - 1.0).abs() < 1.0));
        assert!((moments(&drawn).1.sqrt() / 0.5 - 0.8796).abs() < 0.02);
    }

    #[test]
    fn particular_values() {
        assert_eq!(values(Initializer::Identity { gain: 3.0 }, &[2, 3]), [3.0, 0.0, 0.0, 0.0, 3.0, 0.0]);
        assert_eq!(values(Initializer::UnitForgetBias, &[8]), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(values(Initializer::ONES, &[2]), [1.0, 1.0]);
    }
}

//! PiSSA: a low-rank term that begins with the principal part of its weight. Meng et al., *PiSSA: principal singular values and
//! singular vectors adaptation of large language models*, 2024.
//!
//! With the singular values `σ` and vectors `u`, `v` of the weight `w [in, out]` and the term's factor `s`, `down = u · √(σ / s)` and
//! `up = √(σ / s) · vᵀ` for the largest `rank` of them, and the frozen weight becomes `w − s · down · up`. The sum is `w`, whatever the
//! precision of the decomposition.

use retune_tensor::{Key, Purpose, Tensor};

use super::{AdapterKind, merge};
use crate::error::Result;
use crate::initializer::Initializer;
use crate::model::Model;

/// Columns of the iteration beside those wanted: they make the wanted ones converge faster.
const SPARE: usize = 8;
/// Rounds at most. The subspace is then good enough where singular values hardly differ.
const ROUNDS: usize = 30;
/// Relative change of the singular values below which they count as found.
const TOLERANCE: f64 = 1e-9;

impl Model {
    /// Gives the newest adapter, which is that of the weight number `target`, the weight's principal part.
    pub(super) fn begin_with_principal(&mut self, target: usize, seed: u64) -> Result<()> {
        let Some(adapter) = self.adapters.last() else { return Ok(()) };
        let AdapterKind::LowRank { rank, .. } = adapter.kind else { return Ok(()) };
        let scale = f64::from(adapter.kind.scale());
        let weight = &self.weights[target].value;
        let outputs = weight.shape().last().copied().unwrap_or(1);
        let values: Vec<f64> = merge::values(weight).iter().map(|&w| f64::from(w)).collect();
        let [left, right, sigma] = principal(&values, outputs, rank, seed);
        let share = |r: usize| (sigma[r] / scale).max(0.0).sqrt();
        let inputs = values.len() / outputs.max(1);
        let mut down = vec![0.0f32; inputs * rank];
        let mut up = vec![0.0f32; rank * outputs];
        for r in 0..sigma.len() {
            (0..inputs).for_each(|row| down[row * rank + r] = (left[r * inputs + row] * share(r)) as f32);
            (0..outputs).for_each(|column| up[r * outputs + column] = (right[r * outputs + column] * share(r)) as f32);
        }
        let names = adapter.weights.clone();
        let mut initial = Vec::new();
        for (name, values) in names.into_iter().zip([down, up]) {
            let own = self
                .weights
                .iter_mut()
                .find(|weight| weight.name == name)
                .expect("adapters name weights of their model");
            own.value = Tensor::new(own.value.shape(), values)?;
            initial.push(own.value.clone());
        }
        let product = merge::product(&initial[0], &initial[1], rank, scale);
        let rest = values.iter().zip(product).map(|(w, term)| (w - term) as f32).collect::<Vec<f32>>();
        self.weights[target].value = Tensor::new(self.weights[target].value.shape(), rest)?;
        if let Some(adapter) = self.adapters.last_mut() {
            adapter.initial = <[Tensor; 2]>::try_from(initial).ok();
        }
        Ok(())
    }
}

/// The largest `rank` singular values of a matrix of `columns` columns with their vectors, vector after vector: left ones, right
/// ones, values. Block iteration with Rayleigh and Ritz's projection (Halko, Martinsson and Tropp, *Finding structure with
/// randomness*, 2011), from random columns that follow from `seed`.
fn principal(matrix: &[f64], columns: usize, rank: usize, seed: u64) -> [Vec<f64>; 3] {
    let rows = matrix.len() / columns.max(1);
    let rank = rank.min(rows).min(columns);
    let width = (rank + SPARE).min(rows).min(columns);
    let random = Initializer::Normal { mean: 0.0, stddev: 1.0 };
    let random = random.tensor(&[width * columns], Key::new(seed).with(Purpose::Init(u32::MAX)));
    let mut right: Vec<f64> = merge::values(&random).iter().map(|&x| f64::from(x)).collect();
    let (mut left, mut sigma) = (Vec::new(), vec![0.0; width]);
    for _ in 0..ROUNDS {
        // The left block from the right one, then the right one from that: two products and an orthogonalization a round.
        let mut image = vec![0.0; width * rows];
        for (row, values) in matrix.chunks_exact(columns).enumerate() {
            for k in 0..width {
                image[k * rows + row] = dot(values, &right[k * columns..(k + 1) * columns]);
            }
        }
        orthogonalize(&mut image, rows);
        let mut back = vec![0.0; width * columns];
        for (row, values) in matrix.chunks_exact(columns).enumerate() {
            for k in 0..width {
                let factor = image[k * rows + row];
                back[k * columns..(k + 1) * columns].iter_mut().zip(values).for_each(|(sum, w)| *sum += factor * w);
            }
        }
        // `imageᵀ · matrix = turnᵀ · σ · v`: turning the left block by the same rotations gives singular vectors on both sides.
        let found = rotate(&mut back, columns, &mut image, rows);
        (left, right) = (image, back);
        let change = found.iter().zip(&sigma).take(rank).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        sigma = found;
        if change <= TOLERANCE * sigma.first().copied().unwrap_or(0.0) {
            break;
        }
    }
    left.truncate(rank * rows);
    right.truncate(rank * columns);
    sigma.truncate(rank);
    [left, right, sigma]
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    // Eight sums, so that the loop runs in vectors.
    let mut sums = [0.0; 8];
    let (wholes_a, wholes_b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = wholes_a.remainder().iter().zip(wholes_b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in wholes_a.zip(wholes_b) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum::<f64>() + rest
}

/// Makes the vectors of `len` values orthogonal and of length 1, by Gram and Schmidt's process done twice; those that depend on
/// the ones before become 0.
fn orthogonalize(vectors: &mut [f64], len: usize) {
    for k in 0..vectors.len() / len.max(1) {
        let (before, rest) = vectors.split_at_mut(k * len);
        let own = &mut rest[..len];
        let length = dot(own, own).sqrt();
        for _ in 0..2 {
            for other in before.chunks_exact(len) {
                let share = dot(own, other);
                own.iter_mut().zip(other).for_each(|(x, o)| *x -= share * o);
            }
        }
        let left = dot(own, own).sqrt();
        let factor = if left > 1e-12 * length { 1.0 / left } else { 0.0 };
        own.iter_mut().for_each(|x| *x *= factor);
    }
}

/// One-sided Jacobi rotations (Hestenes, 1958) until the vectors are orthogonal; `others` are turned alike. Afterwards the vectors have
/// length 1 and stand from the largest to the smallest; returns their lengths, the singular values.
fn rotate(vectors: &mut Vec<f64>, len: usize, others: &mut Vec<f64>, other_len: usize) -> Vec<f64> {
    let count = vectors.len() / len.max(1);
    for _ in 0..30 {
        let mut largest = 0.0f64;
        for i in 0..count {
            for j in i + 1..count {
                let [a, b] = pair(vectors, len, i, j);
                let (aa, bb, ab) = (dot(a, a), dot(b, b), dot(a, b));
                if ab.abs() <= 1e-15 * (aa * bb).sqrt() || ab == 0.0 {
                    continue;
                }
                largest = largest.max(ab.abs() / (aa * bb).sqrt());
                let zeta = (bb - aa) / (2.0 * ab);
                let tangent = zeta.signum() / (zeta.abs() + (1.0 + zeta * zeta).sqrt());
                let cosine = 1.0 / (1.0 + tangent * tangent).sqrt();
                turn(a, b, cosine, cosine * tangent);
                let [a, b] = pair(others, other_len, i, j);
                turn(a, b, cosine, cosine * tangent);
            }
        }
        if largest < 1e-13 {
            break;
        }
    }
    let lengths: Vec<f64> = vectors.chunks_exact(len).map(|vector| dot(vector, vector).sqrt()).collect();
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|&i, &j| lengths[j].total_cmp(&lengths[i]));
    let sorted = |all: &[f64], len: usize| -> Vec<f64> {
        order.iter().flat_map(|&i| all[i * len..(i + 1) * len].iter().copied()).collect()
    };
    (*vectors, *others) = (sorted(vectors, len), sorted(others, other_len));
    let lengths: Vec<f64> = order.iter().map(|&i| lengths[i]).collect();
    for (vector, length) in vectors.chunks_exact_mut(len).zip(&lengths) {
        let factor = if *length > 0.0 { 1.0 / length } else { 0.0 };
        vector.iter_mut().for_each(|x| *x *= factor);
    }
    lengths
}

fn pair(vectors: &mut [f64], len: usize, i: usize, j: usize) -> [&mut [f64]; 2] {
    let (before, rest) = vectors.split_at_mut(j * len);
    [&mut before[i * len..(i + 1) * len], &mut rest[..len]]
}

fn turn(a: &mut [f64], b: &mut [f64], cosine: f64, sine: f64) {
    for (a, b) in a.iter_mut().zip(b) {
        (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `Σ σ u vᵀ` of given vectors.
    fn sum(left: &[f64], right: &[f64], sigma: &[f64], rows: usize, columns: usize) -> Vec<f64> {
        let mut matrix = vec![0.0; rows * columns];
        for (r, sigma) in sigma.iter().enumerate() {
            for i in 0..rows {
                for j in 0..columns {
                    matrix[i * columns + j] += sigma * left[r * rows + i] * right[r * columns + j];
                }
            }
        }
        matrix
    }

    #[test]
    fn singular_values_and_vectors_of_a_made_up_matrix_are_found() {
        for (rows, columns) in [(40, 25), (25, 40), (3, 5), (5, 3)] {
            let count = rows.min(columns);
            let random = |len, stream| {
                let initializer = Initializer::Normal { mean: 0.0, stddev: 1.0 };
                let values = initializer.tensor(&[len * count], Key::new(stream).with(Purpose::Test(0)));
                let mut vectors: Vec<f64> = merge::values(&values).iter().map(|&x| f64::from(x)).collect();
                orthogonalize(&mut vectors, len);
                vectors
            };
            let (left, right) = (random(rows, 1), random(columns, 2));
            let sigma: Vec<f64> = (0..count).map(|k| 3.0 * 0.7f64.powi(k as i32)).collect();
            let matrix = sum(&left, &right, &sigma, rows, columns);
            let [u, v, found] = principal(&matrix, columns, 3, 7);
            for (found, expected) in found.iter().zip(&sigma) {
                assert!((found - expected).abs() < 1e-7, "{rows}×{columns}: {found} beside {expected}");
            }
            let principal = sum(&u, &v, &found, rows, columns);
            let expected = sum(&left[..3 * rows], &right[..3 * columns], &sigma[..3], rows, columns);
            let worst = principal.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(worst < 1e-4, "{rows}×{columns}: {worst:e}");
        }
    }

    #[test]
    fn matrices_of_lower_rank_have_singular_values_of_0() {
        let matrix: Vec<f64> = (0..12).map(|i| f64::from(i / 3) * f64::from(i % 3)).collect();
        let [_, _, sigma] = principal(&matrix, 3, 3, 1);
        assert!(sigma[0] > 1.0 && sigma[1].abs() < 1e-9 && sigma[2].abs() < 1e-9, "{sigma:?}");
        let [_, _, sigma] = principal(&[0.0; 12], 3, 2, 1);
        assert_eq!(sigma, [0.0, 0.0]);
    }
}

//! Batch and layer normalization.

use retune_graph::ops::{
    Activation, BatchMoments, BatchNorm, BatchNormGradInput, BatchNormGradSums, LayerNorm, LayerNormGradInput,
    LayerNormGradSums, RowMoments,
};
use retune_testkit::Array;

use crate::case::{Case, Operand, check_all, float, normal, uniform};

const SHAPES: [&[usize]; 9] =
    [&[1, 3], &[5, 1], &[300, 3], &[2, 9, 9, 16], &[4, 33, 31, 10], &[7, 400], &[40, 1500], &[3000, 100], &[200, 257]];

/// Values whose mean is large next to their deviation in some channels.
fn images(stream: u32, shape: &[usize]) -> Operand {
    let channels = shape[shape.len() - 1];
    let noise = normal(stream, shape).values;
    let mut place = 0;
    float(noise.map(|x| {
        place += 1;
        x + ((place - 1) % channels) as f64 * 0.37
    }))
}

/// Means near those of [`images`], and positive variances.
fn moments(channels: usize) -> Operand {
    let mut values = images(11, &[channels]).values.values;
    values.extend(uniform(12, &[channels], 0.1, 3.0).values.values);
    float(Array::new(&[2, channels], values))
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for shape in SHAPES {
        let channels = shape[shape.len() - 1];
        let rows = shape.iter().product::<usize>() / channels;
        let (x, dy, factors) = (images(1, shape), normal(2, shape), || normal(3, &[channels]));
        let epsilon = 1e-3;
        cases.push(Case::new(BatchMoments, [x.clone()]).with_tolerance(1e-5, 1e-6));
        let inputs = [x.clone(), moments(channels), factors(), normal(4, &[channels])];
        for activation in [None, Some(Activation::RELU), Some(Activation::Tanh), Some(Activation::Silu)] {
            let op = BatchNorm { epsilon, activation };
            cases.push(Case::new(op, inputs.clone()).with_tolerance(1e-5, 1e-5));
            let inputs = [inputs.as_slice(), std::slice::from_ref(&dy)].concat();
            let sums = Case::new(BatchNormGradSums { epsilon, activation }, inputs.clone());
            cases.push(sums.with_tolerance(1e-5, 1e-6 * (rows as f64).max(100.0)));
            let inputs = [inputs.as_slice(), &[normal(5, &[2, channels])]].concat();
            cases.push(Case::new(BatchNormGradInput { epsilon, activation }, inputs).with_tolerance(1e-5, 1e-4));
        }
    }
    cases.extend(layer_norm());
    cases
}

/// Shapes, and how many trailing axes make a row.
const ROWS: [(&[usize], usize); 7] = [
    (&[1, 1], 1),
    (&[5, 3], 1),
    (&[40, 384], 1),
    (&[2, 3, 65], 2),
    (&[700, 20], 1),
    (&[3, 5000], 1),
    (&[2, 9, 7, 16], 3),
];

fn layer_norm() -> Vec<Case> {
    let mut cases = Vec::new();
    let epsilon = 1e-5;
    for (shape, axes) in ROWS {
        let (leading, row) = shape.split_at(shape.len() - axes);
        let rows: usize = leading.iter().product();
        let moments = || {
            // Mean and variance side by side for each row.
            let (means, variances) = (normal(21, &[rows]).values, uniform(22, &[rows], 0.1, 3.0).values);
            let values = means.values.iter().zip(&variances.values).flat_map(|(mean, variance)| [*mean, *variance]);
            float(Array::new(&[leading, &[2]].concat(), values.collect()))
        };
        let (x, dy, gamma) = (normal(23, shape), normal(24, shape), || normal(25, row));
        cases.push(Case::new(RowMoments { axes }, [x.clone()]));
        let inputs = [x.clone(), moments(), gamma(), normal(26, row)];
        cases.push(Case::new(LayerNorm { axes, epsilon }, inputs).with_tolerance(1e-5, 1e-5));
        let inputs = [x.clone(), moments(), gamma(), dy.clone()];
        cases.push(Case::new(LayerNormGradInput { axes, epsilon }, inputs).with_tolerance(1e-5, 2e-5));
        let sums = Case::new(LayerNormGradSums { axes, epsilon }, [x, moments(), dy]);
        cases.push(sums.with_tolerance(1e-5, 1e-6 * (rows as f64).max(100.0)));
    }
    cases
}

#[test]
fn agree_with_the_interpreter() {
    check_all(&cases());
}

/// The variance of numbers near 1000 by the mean of squares would have no correct digit.
#[test]
fn variances_survive_large_means() {
    for shape in [&[20_000, 3][..], &[64, 500], &[1000, 64]] {
        let x = float(normal(6, shape).values.map(|x| 1000.0 + 0.1 * x));
        check_all(&[Case::new(BatchMoments, [x]).with_tolerance(1e-4, 0.0)]);
    }
}

//! Folding the values of a row: sums and maxima in a fixed order that uses whole registers.

use crate::kernels::stream::Map2;
use crate::math::exp;
use crate::multiversion;

/// Values folded side by side. Sixteen are one register of the widest instruction set; four of these hide latency.
const LANES: usize = 64;

/// Folds `start` and the lanes as a tree.
#[inline(always)]
pub(crate) fn fold_lanes<F: Map2, const N: usize>(f: F, lanes: &mut [f32; N]) -> f32 {
    let mut len = N / 2;
    while len > 0 {
        for i in 0..len {
            lanes[i] = f.at(lanes[i], lanes[i + len]);
        }
        len /= 2;
    }
    lanes[0]
}

/// `a + b`.
#[derive(Clone, Copy)]
pub(crate) struct Add;

impl Map2 for Add {
    #[inline(always)]
    fn at(self, a: f32, b: f32) -> f32 {
        a + b
    }
}

/// The larger of two values.
#[derive(Clone, Copy)]
pub(crate) struct Larger;

impl Map2 for Larger {
    #[inline(always)]
    fn at(self, a: f32, b: f32) -> f32 {
        if b > a { b } else { a }
    }
}

multiversion! {
    /// `Σ a · b`.
    pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
        sum_terms([a, b], |[a, b]| a * b)
    }

    /// `f` over all values of `x`; `start` is its neutral value.
    pub(crate) fn fold_row[F: Map2](f: F, start: f32, x: &[f32]) -> f32 {
        fold_row_inline(f, start, x)
    }
}

/// The sum over all places of `term(values of the sources there)`, for use inside of [`multiversion!`].
#[inline(always)]
pub(crate) fn sum_terms<const N: usize>(sources: [&[f32]; N], term: impl Fn([f32; N]) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let len = sources[0].len();
    let whole = len / LANES * LANES;
    for start in (0..whole).step_by(LANES) {
        let pieces = sources.map(|source| &source[start..start + LANES]);
        for i in 0..LANES {
            lanes[i] += term(pieces.map(|piece| piece[i]));
        }
    }
    let rests = sources.map(|source| &source[whole..len]);
    for i in 0..len - whole {
        lanes[i] += term(rests.map(|rest| rest[i]));
    }
    fold_lanes(Add, &mut lanes)
}

/// `Σ exp(x − max)`, for use inside of [`multiversion!`].
#[inline(always)]
pub(crate) fn sum_exp(x: &[f32], max: f32) -> f32 {
    sum_terms([x], |[x]| exp(x - max))
}

/// As [`fold_row`], for use inside of [`multiversion!`].
#[inline(always)]
pub(crate) fn fold_row_inline<F: Map2>(f: F, start: f32, x: &[f32]) -> f32 {
    let mut lanes = [start; LANES];
    let mut pieces = x.chunks_exact(LANES);
    for piece in &mut pieces {
        for i in 0..LANES {
            lanes[i] = f.at(lanes[i], piece[i]);
        }
    }
    for (lane, x) in lanes.iter_mut().zip(pieces.remainder()) {
        *lane = f.at(*lane, *x);
    }
    fold_lanes(f, &mut lanes)
}

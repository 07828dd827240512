//! The standard normal distribution.

use std::f64::consts::TAU;

/// `Φ(x)`: the probability of values below x, to about 1e-15 (the series of Marsaglia, 2004).
pub(super) fn cdf(x: f64) -> f64 {
    // Beyond, the probability is closer to 0 or 1 than the series can tell.
    if x.abs() > 8.0 {
        return if x > 0.0 { 1.0 } else { 0.0 };
    }
    let (mut sum, mut term, mut odd) = (x, x, 1.0);
    loop {
        odd += 2.0;
        term *= x * x / odd;
        let next = sum + term;
        if next == sum {
            return 0.5 + sum * (-0.5 * x * x).exp() / TAU.sqrt();
        }
        sum = next;
    }
}

/// The x with `Φ(x) = p`, by bisection; ±8 for p of 1 and 0.
pub(super) fn quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-8.0, 8.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        *(if cdf(middle) < p { &mut low } else { &mut high }) = middle;
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.norm.cdf`.
    #[test]
    fn probabilities_are_scipy_s() {
        for (x, p) in [
            (0.0, 0.5),
            (1.0, 0.841_344_746_068_542_9),
            (-1.959_963_984_540_054, 0.025),
            (2.5, 0.993_790_334_674_224),
            (-4.0, 3.167_124_183_311_986e-5),
            (6.0, 0.999_999_999_013_412_3),
        ] {
            assert!((cdf(x) - p).abs() < 1e-14, "{x}: {}", cdf(x));
            assert!((quantile(p) - x).abs() < 1e-6, "{p}: {}", quantile(p));
        }
        assert_eq!((cdf(40.0), cdf(-40.0)), (1.0, 0.0));
    }
}

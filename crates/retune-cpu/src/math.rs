//! Vectorized elementary functions with stated error bounds.
//!
//! Each function is straight-line code without branches or calls, so that loops over it inside of
//! [`multiversion!`](crate::multiversion) are vectorized for every instruction set. No step fuses a multiplication with
//! an addition, so all instruction sets give the same bits. NaN gives NaN everywhere.
//!
//! Arguments are brought into a small interval (a power of two is split off, or symmetry used), on which a polynomial
//! or a quotient of two approximates the rest. The coefficients minimize the largest relative error: least squares on
//! Chebyshev points with Lawson's reweighting, in double precision, then rounded. Errors are given in units in the
//! last place (ulp) of the result where that is a normal number; the tests walk through the whole range of arguments.

/// `log₂ e`.
const LOG2_E: f32 = std::f32::consts::LOG2_E;
/// `ln 2` in two parts: the first has 9 significant bits, so that its product with an exponent is exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;
/// `1.5 · 2²³`: adding it rounds a number below 2²² in magnitude to an integer, which its lowest bits then hold.
const ROUND: f32 = 12_582_912.0;

/// `a` if `a < b`, else `b` (so `b` if one is NaN); unlike [`f32::min`], one instruction.
#[inline(always)]
pub fn min(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// `a` if `a > b`, else `b` (so `b` if one is NaN); unlike [`f32::max`], one instruction.
#[inline(always)]
pub fn max(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// `x` brought into `[low, high]`; NaN stays.
#[inline(always)]
pub fn clamp(x: f32, low: f32, high: f32) -> f32 {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

/// `2ⁿ` for `n` in `-126..=127`.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) << 23) as u32)
}

/// `x = n · ln 2 + r` with `|r| ≤ ln 2 / 2`: gives `eʳ − 1` and `n`.
#[inline(always)]
fn reduced_exp_m1(x: f32) -> (f32, i32) {
    let shifted = x * LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let n = (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let r = (x - whole * LN_2_HIGH) - whole * LN_2_LOW;
    // (eʳ − 1 − r) / r², relative error of eʳ − 1 at most 1.4e-8.
    let mut q = 0.001_388_239_6;
    q = q * r + 0.008_367_181;
    q = q * r + 0.041_667_223;
    q = q * r + 0.166_665_39;
    q = q * r + 0.499_999_97;
    (q * (r * r) + r, n)
}

/// `eˣ`, within 1.5 ulp; subnormal results are rounded twice.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let (p, n) = reduced_exp_m1(clamp(x, -104.0, 89.0));
    // Two factors, because 2ⁿ itself may lie outside of the range where the result does not.
    let half = n >> 1;
    ((p + 1.0) * power_of_two(half)) * power_of_two(n.wrapping_sub(half))
}

/// `eˣ − 1` without cancellation near 0, within 2 ulp.
#[inline(always)]
pub fn exp_m1(x: f32) -> f32 {
    let (p, n) = reduced_exp_m1(clamp(x, -25.0, 89.0));
    // Half of the power, because 2¹²⁸ is none.
    let half_power = power_of_two(n.wrapping_sub(1));
    (p * half_power + (half_power - 0.5)) * 2.0
}

/// Natural logarithm, within 1.5 ulp; −∞ at 0, NaN below.
#[inline(always)]
pub fn log(x: f32) -> f32 {
    let subnormal = x < f32::MIN_POSITIVE;
    let bits = (if subnormal { x * 33_554_432.0 } else { x }).to_bits() as i32;
    // x = 2ⁿ · (1 + f) with 1 + f in [√½, √2).
    let n = bits.wrapping_sub(std::f32::consts::FRAC_1_SQRT_2.to_bits() as i32) >> 23;
    let f = f32::from_bits(bits.wrapping_sub(n << 23) as u32) - 1.0;
    let n = n as f32 - if subnormal { 25.0 } else { 0.0 };
    // (log(1 + f) − f + f²/2) / f³, relative error of the logarithm at most 7.5e-10.
    let mut p = 0.067_466_386;
    p = p * f - 0.116_756_51;
    p = p * f + 0.118_881_63;
    p = p * f - 0.124_055_89;
    p = p * f + 0.142_195_52;
    p = p * f - 0.166_679_96;
    p = p * f + 0.200_021_19;
    p = p * f - 0.250_000_1;
    p = p * f + 0.333_333_13;
    let square = f * f;
    let small = p * f * square + n * LN_2_LOW;
    let y = (f - (0.5 * square - small)) + n * LN_2_HIGH;
    let y = if x == f32::INFINITY { x } else { y };
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    if x >= 0.0 { y } else { f32::NAN }
}

/// `log(1 + y)` for `y` in `[0, 1]`, within 2 ulp: `2 artanh s` with `s = y / (2 + y)`.
#[inline(always)]
fn log_1p_unit(y: f32) -> f32 {
    let s = y / (2.0 + y);
    let z = s * s;
    // (2 artanh s − 2 s) / s³, relative error of the logarithm at most 4.6e-9.
    let mut p = 0.280_244_6;
    p = p * z + 0.279_991_42;
    p = p * z + 0.400_217;
    p = p * z + 0.666_664_1;
    s + (s + p * z * s)
}

/// `1 / (1 + e⁻ˣ)`, within 3 ulp.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    let e = exp(-x.abs());
    let above = 1.0 / (1.0 + e);
    if x < 0.0 { e * above } else { above }
}

/// Hyperbolic tangent, within 3 ulp.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let t = exp_m1(-2.0 * x.abs());
    (-t / (t + 2.0)).copysign(x)
}

/// `log(1 + eˣ)`, within 3 ulp.
#[inline(always)]
pub fn softplus(x: f32) -> f32 {
    let above = if x < 0.0 { 0.0 } else { x };
    above + log_1p_unit(exp(-x.abs()))
}

/// Error function `2/√π ∫₀ˣ exp(−t²) dt`, within 6 ulp (absolute error at most 4.5e-7).
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    // Beyond ±3.95 the result rounds to ±1. Below: x times a quotient in x², relative error at most 2.1e-8.
    let x = clamp(x, -3.95, 3.95);
    let z = x * x;
    let mut p = 2.025_912_6e-6;
    p = p * z + 2.846_853_2e-4;
    p = p * z + 0.003_808_083_2;
    p = p * z + 0.052_875_2;
    p = p * z + 0.191_548_59;
    p = p * z + std::f32::consts::FRAC_2_SQRT_PI;
    let mut q = 3.783_172_4e-5;
    q = q * z + 0.001_170_705_7;
    q = q * z + 0.015_054_932;
    q = q * z + 0.114_558_89;
    q = q * z + 0.503_088_2;
    q = q * z + 1.0;
    clamp(x * (p / q), -1.0, 1.0)
}

#[cfg(test)]
mod tests {
    use retune_testkit::interpreter;

    use super::*;

    /// Arguments over the whole range of `f32`: every exponent of both signs, a few hundred mantissas of each.
    fn arguments() -> impl Iterator<Item = f32> {
        (0..u32::MAX / 7919).map(|i| f32::from_bits(i * 7919)).filter(|x| !x.is_nan())
    }

    /// Distance of neighbouring `f32` at the size of `x`; that of the smallest normal numbers below them.
    fn ulp(x: f64) -> f64 {
        let exponent = (x.abs() as f32).max(f32::MIN_POSITIVE).to_bits() >> 23;
        2.0f64.powi(exponent as i32 - 127 - 23)
    }

    /// Requires an error of at most `bound` ulp over all arguments that `domain` holds. Values beyond the largest `f32` must
    /// be infinite, and NaN gives NaN.
    fn check(name: &str, f: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64, domain: impl Fn(f32) -> bool, bound: f64) {
        let (mut worst, mut at, mut count) = (0.0, 0.0, 0);
        for x in arguments().filter(|&x| domain(x)) {
            let (found, expected) = (f(x), exact(f64::from(x)));
            count += 1;
            if f64::from(found) == expected || (expected as f32).is_infinite() && found == expected as f32 {
                continue;
            }
            let error = (f64::from(found) - expected).abs() / ulp(expected);
            if error > worst || error.is_nan() {
                (worst, at) = (error, x);
            }
        }
        assert!(count > 100_000, "{name}: {count} arguments");
        assert!(worst <= bound, "{name}({at:e}) is off by {worst} ulp, more than {bound}");
        assert!(f(f32::NAN).is_nan(), "{name}(NaN)");
    }

    #[test]
    fn errors_are_bounded() {
        let all = |_: f32| true;
        check("exp", exp, f64::exp, all, 1.5);
        check("exp_m1", exp_m1, f64::exp_m1, all, 2.0);
        check("log", log, f64::ln, |x| x > 0.0, 1.5);
        check("tanh", tanh, f64::tanh, all, 3.0);
        check("sigmoid", sigmoid, |x| 1.0 / (1.0 + (-x).exp()), all, 3.0);
        check("softplus", softplus, |x| x.max(0.0) + (-x.abs()).exp().ln_1p(), all, 3.0);
        check("erf", erf, interpreter::erf, all, 6.0);
    }

    #[test]
    fn special_values() {
        let (inf, nan) = (f32::INFINITY, f32::NAN);
        assert_eq!([exp(inf), exp(-inf), exp(0.0), exp(-0.0)], [inf, 0.0, 1.0, 1.0]);
        assert_eq!([exp_m1(inf), exp_m1(-inf), exp_m1(0.0)], [inf, -1.0, 0.0]);
        assert_eq!([log(inf), log(0.0), log(-0.0), log(1.0)], [inf, -inf, -inf, 0.0]);
        assert!(log(-1.0).is_nan() && log(-inf).is_nan());
        assert_eq!([tanh(inf), tanh(-inf), erf(inf), erf(-inf)], [1.0, -1.0, 1.0, -1.0]);
        assert_eq!([sigmoid(inf), sigmoid(-inf), sigmoid(0.0)], [1.0, 0.0, 0.5]);
        assert_eq!([softplus(inf), softplus(-inf)], [inf, 0.0]);
        assert_eq!(tanh(-0.0).to_bits(), (-0.0f32).to_bits());
        assert_eq!([min(1.0, 2.0), max(1.0, 2.0), clamp(3.0, 0.0, 1.0)], [1.0, 2.0, 1.0]);
        assert!(clamp(nan, 0.0, 1.0).is_nan());
    }
}

//! Random numbers one after the other, where how many are needed depends on those before.

use retune_tensor::Key;

/// The numbers under a key, in order. Each takes a block of the generator to itself.
#[derive(Debug, Clone)]
pub(crate) struct Draws {
    key: Key,
    next: u64,
}

impl Draws {
    pub(crate) fn new(key: Key) -> Draws {
        Draws { key, next: 0 }
    }

    fn block(&mut self) -> [u32; 4] {
        self.next += 1;
        self.key.block(self.next - 1)
    }

    /// Uniform in `[0, 1)`, a multiple of 2⁻⁵³.
    pub(crate) fn uniform(&mut self) -> f64 {
        let [low, high, ..] = self.block();
        ((u64::from(high) << 32 | u64::from(low)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in `[low, high)`.
    pub(crate) fn between(&mut self, [low, high]: [f32; 2]) -> f64 {
        f64::from(low) + (f64::from(high) - f64::from(low)) * self.uniform()
    }

    /// Uniform in `0..n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.next += 1;
        self.key.below(self.next - 1, n as u64) as usize
    }

    /// A random order of `0..n` (Fisher–Yates).
    pub(crate) fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        (1..n).rev().for_each(|i| order.swap(i, self.below(i + 1)));
        order
    }

    /// Whether something of this probability happens.
    pub(crate) fn happens(&mut self, probability: f32) -> bool {
        self.uniform() < f64::from(probability)
    }

    /// Standard normal (Box–Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        let (radius, angle) = (1.0 - self.uniform(), self.uniform());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }

    /// Gamma of shape `alpha > 0` and scale 1 (Marsaglia and Tsang, *A simple method for generating gamma variables*, 2000; below
    /// shape 1 that of shape `alpha + 1` times `u^(1/alpha)`).
    pub(crate) fn gamma(&mut self, alpha: f64) -> f64 {
        if alpha < 1.0 {
            let boost = (1.0 - self.uniform()).powf(1.0 / alpha);
            return self.gamma(alpha + 1.0) * boost;
        }
        let d = alpha - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && (1.0 - self.uniform()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    /// Beta of two equal shapes.
    pub(crate) fn beta(&mut self, alpha: f64) -> f64 {
        let (a, b) = (self.gamma(alpha), self.gamma(alpha));
        // Both can underflow where alpha is tiny; all mass is at the ends there.
        if a + b > 0.0 { a / (a + b) } else { f64::from(self.below(2) as u32) }
    }

    /// `N` shares that sum to 1 (Dirichlet of equal shapes).
    pub(crate) fn shares<const N: usize>(&mut self, alpha: f64) -> [f64; N] {
        let gammas: [f64; N] = std::array::from_fn(|_| self.gamma(alpha));
        let sum: f64 = gammas.iter().sum();
        if sum > 0.0 {
            return gammas.map(|gamma| gamma / sum);
        }
        let all = self.below(N);
        std::array::from_fn(|i| if i == all { 1.0 } else { 0.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retune_tensor::Purpose;

    fn moments(mut draw: impl FnMut(&mut Draws) -> f64) -> (f64, f64) {
        let mut draws = Draws::new(Key::new(5).with(Purpose::Test(3)));
        let values: Vec<f64> = (0..40_000).map(|_| draw(&mut draws)).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / values.len() as f64;
        (mean, variance)
    }

    /// Mean and variance of gamma are `α` and `α`, of beta ½ and `1 / (4 (2α + 1))`.
    #[test]
    fn moments_are_those_of_the_distributions() {
        for alpha in [0.2, 1.0, 3.5] {
            let (mean, variance) = moments(|d| d.gamma(alpha));
            assert!((mean - alpha).abs() < 0.03 * alpha.max(1.0), "{alpha} {mean}");
            assert!((variance - alpha).abs() < 0.1 * alpha.max(1.0), "{alpha} {variance}");
            let (mean, variance) = moments(|d| d.beta(alpha));
            assert!((mean - 0.5).abs() < 0.01, "{alpha} {mean}");
            assert!((variance - 0.25 / (2.0 * alpha + 1.0)).abs() < 0.005, "{alpha} {variance}");
        }
        let (mean, _) = moments(|d| d.shares::<3>(1.0)[1]);
        assert!((mean - 1.0 / 3.0).abs() < 0.01, "{mean}");
    }
}

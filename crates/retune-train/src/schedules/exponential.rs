//! The learning rate falls by the same share in equal times.

use serde::Serialize;

/// `rate^(step / decay_steps)`; with `staircase` the exponent is rounded down. Keras's `ExponentialDecay`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Exponential {
    /// Factor over `decay_steps`.
    pub rate: f64,
    /// Steps after which the factor is `rate`.
    pub decay_steps: u64,
    /// Whether it falls in steps.
    pub staircase: bool,
}

impl Exponential {
    /// The factor at a step.
    pub fn factor(&self, step: u64) -> f64 {
        let exponent = step as f64 / self.decay_steps.max(1) as f64;
        self.rate.powf(if self.staircase { exponent.floor() } else { exponent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves() {
        let mut decay = Exponential { rate: 0.25, decay_steps: 10, staircase: false };
        assert_eq!([0, 5, 10].map(|s| decay.factor(s)), [1.0, 0.5, 0.25]);
        decay.staircase = true;
        assert_eq!([5, 10, 19].map(|s| decay.factor(s)), [1.0, 0.25, 0.25]);
    }
}

//! The learning rate falls along a power of the time left.

use serde::Serialize;

/// `(1 − end) · (1 − min(step / decay_steps, 1))ᵖ + end`. Keras's `PolynomialDecay` without cycles, with its end rate as a
/// share of the first.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Polynomial {
    /// Steps after which the end is reached.
    pub decay_steps: u64,
    /// Share of the learning rate that is left at the end. Default 0.
    pub end: f64,
    /// p; 1 is a straight line.
    pub power: f64,
}

impl Polynomial {
    /// The factor at a step.
    pub fn factor(&self, step: u64) -> f64 {
        let left = 1.0 - (step as f64 / self.decay_steps.max(1) as f64).min(1.0);
        (1.0 - self.end) * left.powf(self.power) + self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reaches_its_end() {
        let decay = Polynomial { decay_steps: 4, end: 0.2, power: 2.0 };
        assert_eq!([0, 4, 9].map(|s| decay.factor(s)), [1.0, 0.2, 0.2]);
        assert!((decay.factor(2) - (0.8 * 0.25 + 0.2)).abs() < 1e-12);
    }
}

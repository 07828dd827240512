//! The learning rate falls in steps.

use serde::Serialize;

/// `factorⁿ`, n counting how many of the given steps are past (`at`), or `⌊step / every⌋`.
///
/// PyTorch's `StepLR` (`every`) and `MultiStepLR` (`at`); in Keras `ExponentialDecay` with `staircase` and
/// `PiecewiseConstantDecay`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Step {
    /// Factor of each fall, 0.1 by default.
    pub factor: f64,
    /// Steps from fall to fall; 0 where `at` is given.
    pub every_steps: u64,
    /// Steps at which the rate falls, ascending.
    pub at_steps: Vec<u64>,
}

impl Step {
    /// The factor at a step.
    pub fn factor(&self, step: u64) -> f64 {
        let falls = step.checked_div(self.every_steps).unwrap_or(0)
            + self.at_steps.iter().filter(|&&at| step >= at).count() as u64;
        self.factor.powf(falls as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn falls_at_the_given_steps() {
        let every = Step { factor: 0.5, every_steps: 3, at_steps: vec![] };
        assert_eq!([0, 2, 3, 6].map(|s| every.factor(s)), [1.0, 1.0, 0.5, 0.25]);
        let at = Step { factor: 0.1, every_steps: 0, at_steps: vec![2, 5] };
        assert_eq!([1, 2, 5].map(|s| at.factor(s)), [1.0, 0.1, 0.1f64.powi(2)]);
    }
}

//! The same training with several seeds, as one result.

use super::Direction;
use serde::Serialize;

/// A metric over runs that differ in their seeds alone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Repeated {
    /// The mean of the runs that gave a value.
    pub mean: f64,
    /// Their standard deviation, `√(Σ (x − mean)² / (n − 1))`; `None` for a single run.
    pub standard_deviation: Option<f64>,
    /// The worst value.
    pub worst: f64,
    /// The best value.
    pub best: f64,
    /// Runs that gave a value.
    pub runs: usize,
    /// Runs that gave none: they stopped with an error, or the metric is not defined. They are in none of the numbers above.
    pub failed: usize,
}

impl Repeated {
    /// The values of all runs, `None` or not finite for those that failed; `None` if all failed.
    pub fn new(values: &[Option<f64>], direction: Direction) -> Option<Repeated> {
        let given: Vec<f64> = values.iter().flatten().copied().filter(|value| value.is_finite()).collect();
        let (runs, first) = (given.len(), *given.first()?);
        let mean = given.iter().sum::<f64>() / runs as f64;
        let squares: f64 = given.iter().map(|value| (value - mean).powi(2)).sum();
        let (low, high) = given.iter().fold((first, first), |(low, high), &value| (low.min(value), high.max(value)));
        let (worst, best) = if direction == Direction::Higher { (low, high) } else { (high, low) };
        Some(Repeated {
            mean,
            standard_deviation: (runs > 1).then(|| (squares / (runs - 1) as f64).sqrt()),
            worst,
            best,
            runs,
            failed: values.len() - runs,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_runs_are_counted_and_not_averaged() {
        let values = [Some(0.5), None, Some(1.0), Some(f64::NAN), Some(0.0)];
        let higher = Repeated::new(&values, Direction::Higher).unwrap();
        assert_eq!((higher.mean, higher.standard_deviation, higher.runs, higher.failed), (0.5, Some(0.5), 3, 2));
        assert_eq!((higher.worst, higher.best), (0.0, 1.0));
        let lower = Repeated::new(&values, Direction::Lower).unwrap();
        assert_eq!((lower.worst, lower.best), (1.0, 0.0));
        assert_eq!(Repeated::new(&[Some(2.0)], Direction::Lower).unwrap().standard_deviation, None);
        assert_eq!(Repeated::new(&[None, None], Direction::Lower), None);
    }
}

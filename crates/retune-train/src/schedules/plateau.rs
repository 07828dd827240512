//! The learning rate falls when a metric has stopped improving.

use crate::exact;
use crate::metrics::Direction;
use serde::{Deserialize, Serialize};

/// After `patience` evaluations without an improvement of more than `min_delta`, the learning rate is multiplied by `factor`,
/// not below `min_learning_rate`; then `cooldown` evaluations pass uncounted. Keras's `ReduceLROnPlateau`, its defaults in
/// brackets.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReduceOnPlateau {
    /// Factor of each fall (0.1).
    pub factor: f64,
    /// Evaluations without improvement (10).
    pub patience: u32,
    /// What counts as an improvement (1e-4).
    pub min_delta: f64,
    /// Evaluations after a fall that are not counted (0).
    pub cooldown: u32,
    /// The rate never falls below this (0).
    pub min_learning_rate: f64,
}

impl Default for ReduceOnPlateau {
    fn default() -> ReduceOnPlateau {
        ReduceOnPlateau { factor: 0.1, patience: 10, min_delta: 1e-4, cooldown: 0, min_learning_rate: 0.0 }
    }
}

/// Where [`ReduceOnPlateau`] stands; kept in checkpoints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Plateau {
    /// Factor of the scheduled rate so far.
    #[serde(with = "exact")]
    pub factor: f64,
    /// Best value so far.
    #[serde(with = "exact::option")]
    pub best: Option<f64>,
    /// Evaluations without improvement.
    pub waited: u32,
    /// Evaluations that still go uncounted.
    pub cooldown: u32,
}

impl Default for Plateau {
    fn default() -> Plateau {
        Plateau { factor: 1.0, best: None, waited: 0, cooldown: 0 }
    }
}

impl Plateau {
    /// Takes the metric of one evaluation; `rate` is the scheduled learning rate. Returns whether the rate falls.
    pub fn observe(&mut self, settings: &ReduceOnPlateau, direction: Direction, value: f64, rate: f64) -> bool {
        if self.cooldown > 0 {
            self.cooldown -= 1;
            self.waited = 0;
        }
        if self.best.is_none_or(|best| direction.improves(value, best, settings.min_delta)) {
            self.best = Some(value);
            self.waited = 0;
        } else if self.cooldown == 0 {
            self.waited += 1;
            if self.waited >= settings.patience && rate * self.factor > settings.min_learning_rate {
                let floor = if rate > 0.0 { settings.min_learning_rate / rate } else { 0.0 };
                self.factor = (self.factor * settings.factor).max(floor);
                self.cooldown = settings.cooldown;
                self.waited = 0;
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn falls_after_patience_and_rests() {
        let settings = ReduceOnPlateau { factor: 0.5, patience: 2, cooldown: 2, ..ReduceOnPlateau::default() };
        let mut plateau = Plateau::default();
        let losses = [1.0, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9];
        let falls: Vec<bool> =
            losses.iter().map(|&loss| plateau.observe(&settings, Direction::Lower, loss, 0.1)).collect();
        // Worked through Keras's rule by hand: the fall after two waits, one uncounted evaluation, two more waits.
        assert_eq!(falls, [false, false, false, true, false, false, true, false]);
        assert_eq!(plateau.factor, 0.25);
    }

    #[test]
    fn stays_above_the_least_rate() {
        let settings = ReduceOnPlateau { patience: 1, min_learning_rate: 0.05, ..ReduceOnPlateau::default() };
        let mut plateau = Plateau::default();
        for _ in 0..9 {
            plateau.observe(&settings, Direction::Higher, 0.5, 0.1);
        }
        assert_eq!(plateau.factor, 0.5);
    }
}

//! Early stopping.

use crate::exact;
use crate::metrics::Direction;
use serde::{Deserialize, Serialize};

/// Stops after `patience` evaluations in a row without an improvement of more than `min_delta` (Keras's `EarlyStopping`).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct EarlyStopping {
    /// Evaluations without improvement.
    pub patience: u32,
    /// What counts as an improvement. Default 0.
    pub min_delta: f64,
}

/// Where [`EarlyStopping`] stands; kept in checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Stopping {
    /// Best value so far.
    #[serde(with = "exact::option")]
    pub best: Option<f64>,
    /// Evaluations since.
    pub waited: u32,
}

impl Stopping {
    /// Takes the metric of one evaluation and says whether to stop.
    pub fn observe(&mut self, settings: &EarlyStopping, direction: Direction, value: f64) -> bool {
        if self.best.is_none_or(|best| direction.improves(value, best, settings.min_delta)) {
            *self = Stopping { best: Some(value), waited: 0 };
        } else {
            self.waited += 1;
        }
        self.waited >= settings.patience.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops_after_patience() {
        let settings = EarlyStopping { patience: 2, min_delta: 0.01 };
        let mut stopping = Stopping::default();
        let values = [0.5, 0.6, 0.605, 0.7, 0.7, 0.65];
        let stops: Vec<bool> = values.iter().map(|&v| stopping.observe(&settings, Direction::Higher, v)).collect();
        assert_eq!(stops, [false, false, false, false, false, true]);
    }
}

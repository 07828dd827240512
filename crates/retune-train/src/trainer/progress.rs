//! Where a run stands. All of it is in every checkpoint, so that a resumed run goes on as if nothing had happened.

use super::stopping::Stopping;
use crate::exact;
use crate::schedules::Plateau;
use retune_data::Cursor;
use serde::{Deserialize, Serialize};

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Progress {
    /// The batch that comes next.
    pub cursor: Cursor,
    /// Optimizer steps done.
    pub step: u64,
    /// What the epoch has given so far.
    pub sums: EpochSums,
    /// Learning rate lowered on plateaus.
    pub plateau: Plateau,
    /// Early stopping.
    pub stopping: Stopping,
    /// The best evaluation so far.
    pub best: Option<Best>,
    /// Whether early stopping ended the run.
    pub stopped_early: bool,
}

/// The best evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Best {
    /// The monitored metric.
    #[serde(with = "exact")]
    pub value: f64,
    /// Optimizer steps done by then.
    pub step: u64,
    /// The epoch, from 0.
    pub epoch: u64,
}

/// Sums over the examples of an epoch so far.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EpochSums {
    /// Weighted losses.
    #[serde(with = "exact")]
    pub loss: f64,
    /// Right answers.
    #[serde(with = "exact")]
    pub right: f64,
    /// Examples; where tokens have targets, those tokens.
    pub examples: u64,
}

impl EpochSums {
    /// Adds a batch.
    pub fn add(&mut self, loss: f64, right: f64, examples: usize) {
        self.loss += loss;
        self.right += right;
        self.examples += examples as u64;
    }

    /// Mean loss of the examples so far, each with the weights it met.
    pub fn mean_loss(&self) -> f64 {
        self.loss / self.examples.max(1) as f64
    }

    /// Share of right answers.
    pub fn accuracy(&self) -> f64 {
        self.right / self.examples.max(1) as f64
    }
}

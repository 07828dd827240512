//! How long a run trains, and how often it evaluates and saves.

use super::stopping::EarlyStopping;
use crate::features::CacheSettings;
use crate::metrics::{Metric, Problem};
use crate::optimizers::{DecayMode, Optimizer, ParameterGroup};
use crate::schedules::ReduceOnPlateau;
use serde::Serialize;
use std::num::NonZeroU64;

/// When something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Every {
    /// At the end of each epoch.
    Epoch,
    /// After so many optimizer steps, and at the end of each epoch.
    Steps(u64),
}

impl Every {
    /// Whether it is due after `step` steps.
    pub fn is_due(self, step: u64, epoch_ended: bool) -> bool {
        epoch_ended || matches!(self, Every::Steps(steps) if steps > 0 && step.is_multiple_of(steps))
    }
}

/// The optimizer with everything around it.
#[derive(Debug, Clone, PartialEq)]
pub struct OptimizerSettings {
    /// The optimizer.
    pub optimizer: Optimizer,
    /// Weight decay.
    pub weight_decay: f64,
    /// How weight decay acts.
    pub decay_mode: DecayMode,
    /// Whether biases and norms decay as well. Default no.
    pub decay_all: bool,
    /// Settings of each parameter group.
    pub groups: Vec<ParameterGroup>,
    /// Largest length of the mean gradient. Default unlimited.
    pub clip_norm: Option<f64>,
}

impl From<Optimizer> for OptimizerSettings {
    fn from(optimizer: Optimizer) -> OptimizerSettings {
        OptimizerSettings {
            optimizer,
            weight_decay: optimizer.default_weight_decay(),
            decay_mode: DecayMode::default(),
            decay_all: false,
            groups: Vec::new(),
            clip_norm: None,
        }
    }
}

/// How long and how often.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainSettings {
    /// Passes over the training part.
    pub epochs: u64,
    /// Optimizer steps at most. Default unlimited.
    pub max_steps: Option<u64>,
    /// Batches whose gradients make one optimizer step. Default 1.
    pub accumulate: usize,
    /// Whether products read their factors as bfloat16 where the processor multiplies such numbers faster. Default no.
    pub rounds_products: bool,
    /// Where what frozen layers give is kept, so that it is computed once per example. Default nowhere.
    pub cache: Option<CacheSettings>,
    /// Whether dropout acts inside of frozen layers too, see [`retune_graph::passes::frozen_dropout`]. Default no.
    pub frozen_dropout: bool,
    /// How many different augmentations an example has, see [`LoaderOptions`](retune_data::LoaderOptions). Default unlimited.
    pub augmentations: Option<NonZeroU64>,
    /// Seed of dropout and noise.
    pub seed: u64,
    /// When the validation part is evaluated. Default each epoch.
    pub evaluate_every: Every,
    /// When a checkpoint is saved. Default each epoch.
    pub save_every: Every,
    /// Steps from one line of `metrics.jsonl` to the next. Default 50.
    pub log_every: u64,
    /// Checkpoints kept beside the best. Default 2.
    pub keep_last: usize,
    /// What is reported of the validation part; empty stands for [`Metric::defaults`].
    pub metrics: Vec<Metric>,
    /// The metric of the validation part that decides about best weights, early stopping and plateaus. Default loss.
    pub monitor: Metric,
    /// Whether the best weights are the result, not the last. Default yes.
    pub restore_best: bool,
    /// When to stop early. Default never.
    pub early_stopping: Option<EarlyStopping>,
    /// When to lower the learning rate. Default never.
    pub plateau: Option<ReduceOnPlateau>,
}

impl Default for TrainSettings {
    fn default() -> TrainSettings {
        TrainSettings {
            epochs: 10,
            max_steps: None,
            accumulate: 1,
            rounds_products: false,
            cache: None,
            frozen_dropout: false,
            augmentations: None,
            seed: 0,
            evaluate_every: Every::Epoch,
            save_every: Every::Epoch,
            log_every: 50,
            keep_last: 2,
            metrics: Vec::new(),
            monitor: Metric::Loss,
            restore_best: true,
            early_stopping: None,
            plateau: None,
        }
    }
}

impl TrainSettings {
    /// The metrics reported for such predictions: those named, or the defaults; loss and the monitored one always.
    pub fn metrics_for(&self, problem: Problem) -> Vec<Metric> {
        let mut metrics = if self.metrics.is_empty() { Metric::defaults(problem) } else { self.metrics.clone() };
        for needed in [self.monitor, Metric::Loss] {
            if !metrics.contains(&needed) {
                metrics.insert(0, needed);
            }
        }
        metrics
    }
}

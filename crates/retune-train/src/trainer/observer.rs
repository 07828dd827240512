//! What happens in a run, for whoever wants to show it.

use super::progress::{Best, EpochSums};
use crate::language::Said;
use crate::metrics::Metric;
use crate::steps::StepSummary;
use std::path::Path;

/// Something that happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The loop begins, or goes on.
    Started {
        /// Epochs in all.
        epochs: u64,
        /// Optimizer steps in an epoch.
        steps_per_epoch: u64,
        /// Optimizer steps done before.
        step: u64,
        /// Examples in an epoch.
        examples: usize,
    },
    /// One optimizer step is done.
    Step {
        /// The epoch, from 0.
        epoch: u64,
        /// Optimizer steps done.
        step: u64,
        /// Mean loss of the step's examples.
        loss: f64,
        /// Examples of the step.
        examples: usize,
        /// Gradient norm and learning rate.
        summary: StepSummary,
        /// Sums of the epoch so far.
        sums: EpochSums,
        /// Seconds that the step took, waiting for data included.
        secs: f64,
    },
    /// Some examples of a part are evaluated.
    Evaluating {
        /// Examples done.
        done: usize,
        /// Examples in all.
        total: usize,
    },
    /// An evaluation is done.
    Evaluated {
        /// The epoch, from 0.
        epoch: u64,
        /// Optimizer steps done.
        step: u64,
        /// Sums of the epoch's training so far.
        sums: EpochSums,
        /// Metrics of the validation part; empty without one.
        values: &'a [(Metric, f64)],
        /// The monitored metric, if it is the best so far.
        best: Option<f64>,
    },
    /// A checkpoint was saved.
    Saved {
        /// Its file.
        path: &'a Path,
    },
    /// The learning rate fell on a plateau.
    LearningRateReduced {
        /// The rate from now on.
        rate: f64,
    },
    /// The monitored metric stopped improving.
    StoppedEarly {
        /// The epoch, from 0.
        epoch: u64,
        /// The best evaluation.
        best: Option<Best>,
    },
    /// Something the user should know.
    Note {
        /// A sentence.
        text: &'a Said,
    },
}

/// Is told what happens. Must not panic, and be quick: the loop waits for it.
pub trait Observer {
    /// Takes notice.
    fn event(&mut self, event: &Event<'_>);
}

/// An observer that does nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&mut self, _: &Event<'_>) {}
}

impl<F: FnMut(&Event<'_>)> Observer for F {
    fn event(&mut self, event: &Event<'_>) {
        self(event);
    }
}

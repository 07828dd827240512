//! Fine-tuning: losses, optimizers, schedules, metrics, the loop, run directories, recipes.
//!
//! - [`losses`]: one loss per example, as nodes on a network's output;
//! - [`optimizers`]: from gradients to new weights;
//! - [`schedules`]: the learning rate of every step;
//! - [`metrics`]: how good predictions are, with intervals;
//! - [`steps`]: the steps of training, each a function of its own;
//! - [`trainer`]: the loop that calls them;
//! - [`run`]: the folder of a run: checkpoints, logs, provenance;
//! - [`error`]: what can go wrong, [`TrainError`].

pub mod error;
mod exact;
pub mod losses;
pub mod metrics;
pub mod optimizers;
pub mod run;
pub mod schedules;
pub mod steps;
pub mod trainer;

pub use error::TrainError;

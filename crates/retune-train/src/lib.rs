//! Fine-tuning: losses, optimizers, schedules, metrics, the loop, run directories, recipes.
//!
//! - [`losses`]: one loss per example, as nodes on a network's output;
//! - [`optimizers`]: from gradients to new weights;
//! - [`schedules`]: the learning rate of every step;
//! - [`metrics`]: how good predictions are, with intervals;
//! - [`steps`]: the steps of training, each a function of its own;
//! - [`trainer`]: the loop that calls them;
//! - [`builder`]: the same in Rust, as seven steps;
//! - [`recipe`]: what a run does, as a TOML file, up to a job ready to train;
//! - [`baselines`]: what can be had without training;
//! - [`calibration`]: temperature and thresholds, fitted on the validation part;
//! - [`comparison`]: a model before and after training;
//! - [`contest`]: several models on the same items;
//! - [`check`]: whether model, data and loss fit, before training;
//! - [`task`]: what a model is trained for, and the head for it;
//! - [`text`]: models of texts, with their tokenizers;
//! - [`repeats`]: the same training with several seeds, on several folds or draws;
//! - [`stored`]: what travels with a saved model;
//! - [`mod@fit`]: a whole run, from the first evaluation to the report;
//! - [`card`]: the card of a trained model, as the Hub reads it;
//! - [`predict`], [`views`]: using a saved model, and on several views of an image;
//! - `warnings`: what makes the figures of a run less worth than they look;
//! - [`language`]: words in English and Chinese;
//! - [`report`]: the page that a run leaves;
//! - [`summary`]: what the report tells, gathered from a run;
//! - [`run`]: the folder of a run: checkpoints, logs, provenance;
//! - [`error`]: what can go wrong, [`TrainError`].

pub mod baselines;
pub mod builder;
pub mod calibration;
pub mod card;
pub mod check;
pub mod comparison;
pub mod contest;
pub mod error;
mod exact;
pub mod features;
pub mod fit;
pub mod losses;
pub mod metrics;
pub mod optimizers;
pub mod predict;
pub mod recipe;
pub mod repeats;
pub mod report;
pub mod run;
pub mod schedules;
pub mod steps;
pub mod stored;
pub mod summary;
pub mod task;
pub mod text;
pub mod trainer;
pub mod views;
mod warnings;

pub use retune_audit::{language, said, texts};

pub use builder::{FineTune, FineTuned};
pub use error::TrainError;
pub use fit::{Outcome, ResumeOptions, fit, resume};
pub use predict::Predictor;
pub use task::{PoolingKind, TaskKind};

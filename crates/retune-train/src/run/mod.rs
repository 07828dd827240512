//! The folder of a run.
//!
//! ```text
//! recipe.toml               the resolved recipe
//! run.json                  hashes of model and data, versions, seed, command
//! plan.json                 how long it is to be, and which process works on it
//! left-out.jsonl            rows and files that could not be used, if there are any, with place and reason
//! metrics.jsonl             a line for every so many steps and for every evaluation
//! events.out.tfevents.retune   the same for TensorBoard
//! checkpoints/step-00000042.safetensors, .json    the newest ones
//! checkpoints/best.safetensors, .json             the best one
//! evaluation.json, report.html, model.keras …     at the end
//! outcome.json              the very last: how it ended, and what it took
//! ```
//!
//! - [`lock`]: one process at a time;
//! - [`checkpoint`]: all that is needed to go on;
//! - [`left_out`][]: `left-out.jsonl`;
//! - [`log`][]: `metrics.jsonl`;
//! - [`tensorboard`]: event files;
//! - [`manifest`][]: `run.json`;
//! - [`overview`]: what all of that tells, for those who look on;
//! - [`energy`]: what the processor took;
//! - here: [`RunDirectory`].

pub mod checkpoint;
pub mod energy;
pub mod left_out;
pub mod lock;
pub mod log;
pub mod manifest;
pub mod overview;
pub mod tensorboard;

pub use checkpoint::{BEST, Checkpoint};
pub use energy::EnergyMeter;
pub use manifest::{DataManifest, Manifest, path_sha256};
pub use overview::{RunOverview, RunPlan, RunState};

use crate::error::TrainError;
use crate::language::{Said, phrases};
use crate::metrics::Metric;
use crate::steps::StepSummary;
use crate::trainer::{EpochSums, Event, Observer, Trainer};
use lock::Lock;
use log::MetricsLog;
use retune_formats::atomic::write_bytes_atomic;
use serde::Serialize;
use std::path::{Path, PathBuf};
use tensorboard::EventFile;

/// The open folder of a run, locked against other processes.
#[derive(Debug)]
pub struct RunDirectory {
    root: PathBuf,
    keep_last: usize,
    log: MetricsLog,
    events: EventFile,
    _lock: Lock,
}

impl RunDirectory {
    /// Makes the folder of a new run.
    ///
    /// # Errors
    /// A folder that holds a run already or is in use; files that cannot be written.
    pub fn create(root: &Path, manifest: &Manifest, recipe: Option<&str>) -> Result<RunDirectory, TrainError> {
        let checkpoints = root.join("checkpoints");
        std::fs::create_dir_all(&checkpoints).map_err(TrainError::write(&checkpoints))?;
        let lock = Lock::take(root)?;
        if root.join("run.json").exists() {
            return Err(TrainError::RunExists { path: root.to_owned() });
        }
        if let Some(recipe) = recipe {
            let path = root.join("recipe.toml");
            write_bytes_atomic(&path, recipe.as_bytes()).map_err(TrainError::write(&path))?;
        }
        write_json(&root.join("run.json"), manifest)?;
        RunDirectory::with_lock(root, lock)
    }

    /// Opens the folder of a run to go on with it.
    ///
    /// # Errors
    /// A folder without a run, or in use.
    pub fn open(root: &Path) -> Result<(RunDirectory, Manifest), TrainError> {
        let manifest = Manifest::read(root)?;
        let lock = Lock::take(root)?;
        Ok((RunDirectory::with_lock(root, lock)?, manifest))
    }

    fn with_lock(root: &Path, lock: Lock) -> Result<RunDirectory, TrainError> {
        Ok(RunDirectory {
            root: root.to_owned(),
            keep_last: 2,
            log: MetricsLog::open(&root.join("metrics.jsonl"))?,
            events: EventFile::open(&root.join("events.out.tfevents.retune"))?,
            _lock: lock,
        })
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// How many checkpoints are kept beside the best. 2 by default; at least 1.
    pub fn keep_last(&mut self, count: usize) {
        self.keep_last = count.max(1);
    }

    fn checkpoints(&self) -> PathBuf {
        self.root.join("checkpoints")
    }

    /// The newest checkpoint, by its name.
    pub fn newest_checkpoint(&self) -> Option<PathBuf> {
        checkpoint::list(&self.checkpoints()).ok()?.pop()
    }

    /// Saves a checkpoint, and deletes those that are older than the last few.
    ///
    /// # Errors
    /// A file that cannot be written; the checkpoints before it are then unharmed.
    pub fn save(&mut self, trainer: &Trainer) -> Result<PathBuf, TrainError> {
        let folder = self.checkpoints();
        let name = checkpoint::name(trainer.progress().step);
        let path = Checkpoint::write(&folder, &name, trainer, self.log.bytes(), self.events.bytes())?;
        let all = checkpoint::list(&folder)?;
        for old in &all[..all.len().saturating_sub(self.keep_last)] {
            checkpoint::remove(old)?;
        }
        Ok(path)
    }

    /// Saves the weights as the best so far.
    ///
    /// # Errors
    /// A file that cannot be written; the best before is then unharmed.
    pub fn save_best(&mut self, trainer: &Trainer) -> Result<PathBuf, TrainError> {
        Checkpoint::write(&self.checkpoints(), BEST, trainer, self.log.bytes(), self.events.bytes())
    }

    /// Brings a trainer to where the newest undamaged checkpoint was taken, and the logs too. Without a checkpoint the run begins
    /// anew. Says through `observer` what it passes over.
    ///
    /// # Errors
    /// Checkpoints that do not fit the trainer, or none that is undamaged although there are some.
    pub fn restore(&mut self, trainer: &mut Trainer, observer: &mut dyn Observer) -> Result<(), TrainError> {
        let mut paths = checkpoint::list(&self.checkpoints())?;
        let mut damage = None;
        while let Some(path) = paths.pop() {
            match Checkpoint::read(&path) {
                Ok(checkpoint) => {
                    checkpoint.restore(trainer)?;
                    self.log.truncate(checkpoint.log_bytes)?;
                    self.events.truncate(checkpoint.event_bytes)?;
                    return Ok(());
                }
                Err(error) => {
                    let text = Said::new(
                        format!("{error}; the checkpoint before it is taken"),
                        format!("{}；改用它之前的检查点", phrases::chinese(&error.to_string())),
                    );
                    observer.event(&Event::Note { text: &text });
                    damage.get_or_insert(error);
                }
            }
        }
        match damage {
            Some(error) => Err(error),
            None => {
                self.log.truncate(0)?;
                self.events.truncate(0)
            }
        }
    }

    /// Gives a trainer the best weights, if some were saved.
    ///
    /// # Errors
    /// A best checkpoint that is damaged or does not fit.
    pub fn restore_best_weights(&self, trainer: &mut Trainer) -> Result<bool, TrainError> {
        let path = self.checkpoints().join(format!("{BEST}.json"));
        if trainer.progress().best.is_none() || !path.exists() {
            return Ok(false);
        }
        Checkpoint::read(&path)?.restore_weights(trainer)?;
        Ok(true)
    }

    /// Notes an optimizer step.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn log_step(
        &mut self,
        epoch: u64,
        step: u64,
        loss: f64,
        summary: &StepSummary,
        examples: usize,
        secs: f64,
    ) -> Result<(), TrainError> {
        self.log.step(epoch, step, loss, summary, examples, secs)?;
        let values = [("train/loss", loss), ("train/gradient_norm", summary.gradient_norm)];
        self.events.scalars(step, &values)?;
        self.events.scalars(step, &[("learning_rate", summary.learning_rate)])
    }

    /// Notes an evaluation.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn log_evaluation(
        &mut self,
        epoch: u64,
        step: u64,
        sums: &EpochSums,
        values: &[(Metric, f64)],
        learning_rate: f64,
        secs: f64,
    ) -> Result<(), TrainError> {
        self.log.evaluation(epoch, step, sums, values, learning_rate, secs)?;
        self.events.scalars(step, &[("epoch/loss", sums.mean_loss()), ("epoch/accuracy", sums.accuracy())])?;
        for (metric, value) in values {
            self.events.scalars(step, &[(&format!("validation/{metric}"), *value)])?;
        }
        Ok(())
    }
}

/// Writes a value as JSON, wholly or not at all.
///
/// # Errors
/// A file that cannot be written.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), TrainError> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| TrainError::Damaged { path: path.to_owned(), reason: error.to_string() })?;
    write_bytes_atomic(path, text.as_bytes()).map_err(TrainError::write(path))
}

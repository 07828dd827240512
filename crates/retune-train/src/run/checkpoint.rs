//! Checkpoints: `name.safetensors` with weights and optimizer state, `name.json` with everything else and checksums of both.
//!
//! Weights that never change are not saved: they follow from the model's file and the recipe. The JSON file is written last,
//! so a checkpoint without it was never finished and does not count.

use crate::error::TrainError;
use crate::trainer::{Progress, Trainer};
use retune_data::BadExample;
use retune_formats::atomic::write_bytes_atomic;
use retune_formats::safetensors::{self, SafetensorsFile};
use retune_tensor::Tensor;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::manifest::{file_sha256, hex};

/// Name of the best checkpoint.
pub const BEST: &str = "best";

/// The JSON file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Sealed {
    /// SHA-256 of the `.safetensors` file.
    tensors_sha256: String,
    /// SHA-256 of `state` as compact JSON.
    state_sha256: String,
    /// [`State`].
    state: Value,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct State {
    optimizer: String,
    optimizer_steps: u64,
    progress: Progress,
    /// Training examples skipped so far; they count against the tolerance.
    #[serde(default)]
    skipped: Vec<BadExample>,
    log_bytes: u64,
    event_bytes: u64,
}

/// A checkpoint that was read and found undamaged.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    tensors: SafetensorsFile,
    state: State,
    /// Length of `metrics.jsonl` when it was taken.
    pub log_bytes: u64,
    /// Length of the event file when it was taken.
    pub event_bytes: u64,
}

/// Name of the checkpoint after so many steps; names sort as the steps do.
pub fn name(step: u64) -> String {
    format!("step-{step:08}")
}

/// The JSON files of the checkpoints of a folder, oldest first, the best one left out.
///
/// # Errors
/// A folder that cannot be read.
pub fn list(folder: &Path) -> Result<Vec<PathBuf>, TrainError> {
    let entries = std::fs::read_dir(folder).map_err(TrainError::read(folder))?;
    let mut found: Vec<(u64, PathBuf)> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let step = path.file_name()?.to_str()?.strip_prefix("step-")?.strip_suffix(".json")?.parse().ok()?;
            Some((step, path))
        })
        .collect();
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// Deletes a checkpoint: first what makes it count, then the rest.
///
/// # Errors
/// A file that cannot be deleted.
pub fn remove(json: &Path) -> Result<(), TrainError> {
    for path in [json.to_owned(), json.with_extension("safetensors")] {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(TrainError::write(&path)(error)),
            _ => (),
        }
    }
    Ok(())
}

impl Checkpoint {
    /// Writes a checkpoint and returns its JSON file.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(
        folder: &Path,
        name: &str,
        trainer: &Trainer,
        log_bytes: u64,
        event_bytes: u64,
    ) -> Result<PathBuf, TrainError> {
        let optimizer = trainer.optimizer();
        let model = &trainer.job().model;
        let slots: Vec<(String, Tensor)> = optimizer
            .slots()
            .map(|(name, values)| {
                let tensor = Tensor::new([values.len()], values.to_vec()).expect("a vector is as long as it is");
                (format!("optimizer/{name}"), tensor)
            })
            .collect();
        let names: Vec<String> = model.weights.iter().map(|weight| format!("weight/{}", weight.name)).collect();
        let changing = model.weights.iter().zip(&names).zip(trainer.weights());
        let weights = changing
            .filter(|((weight, _), _)| weight.trainable || weight.statistic)
            .map(|((_, name), value)| (name.as_str(), value));
        let path = folder.join(format!("{name}.safetensors"));
        let tensors = weights.chain(slots.iter().map(|(name, tensor)| (name.as_str(), tensor)));
        safetensors::write(&path, tensors, &BTreeMap::new())
            .map_err(|source| TrainError::SaveTensors { path: path.clone(), source: Box::new(source) })?;

        let state = State {
            optimizer: optimizer.optimizer().name().to_owned(),
            optimizer_steps: optimizer.steps(),
            progress: trainer.progress().clone(),
            skipped: trainer.job().train.skipped(),
            log_bytes,
            event_bytes,
        };
        let json = folder.join(format!("{name}.json"));
        let state = serde_json::to_value(state).map_err(|error| damaged(&json, error))?;
        let sealed = Sealed { tensors_sha256: file_sha256(&path)?, state_sha256: value_sha256(&state), state };
        let text = serde_json::to_string_pretty(&sealed).map_err(|error| damaged(&json, error))?;
        write_bytes_atomic(&json, text.as_bytes()).map_err(TrainError::write(&json))?;
        Ok(json)
    }

    /// Reads a checkpoint by its JSON file and checks both files' sums.
    ///
    /// # Errors
    /// Files that are missing, damaged, or do not belong together.
    pub fn read(json: &Path) -> Result<Checkpoint, TrainError> {
        let text = std::fs::read_to_string(json).map_err(|error| damaged(json, error))?;
        let sealed: Sealed = serde_json::from_str(&text).map_err(|error| damaged(json, error))?;
        if value_sha256(&sealed.state) != sealed.state_sha256 {
            return Err(damaged(json, "its checksum is wrong"));
        }
        let path = json.with_extension("safetensors");
        let found = file_sha256(&path).map_err(|error| damaged(&path, error))?;
        if found != sealed.tensors_sha256 {
            return Err(damaged(&path, "its checksum is wrong"));
        }
        let state: State = serde_json::from_value(sealed.state).map_err(|error| damaged(json, error))?;
        let tensors = SafetensorsFile::read(&path).map_err(|error| damaged(&path, error))?;
        let (log_bytes, event_bytes) = (state.log_bytes, state.event_bytes);
        Ok(Checkpoint { path: json.to_owned(), tensors, state, log_bytes, event_bytes })
    }

    /// Brings a trainer to where the checkpoint was taken.
    ///
    /// # Errors
    /// A checkpoint of another model or optimizer.
    pub fn restore(&self, trainer: &mut Trainer) -> Result<(), TrainError> {
        self.restore_weights(trainer)?;
        trainer.enter_stage_of(self.state.progress.cursor.epoch);
        let (_, optimizer, progress, _) = trainer.parts_mut();
        if optimizer.optimizer().name() != self.state.optimizer {
            return Err(TrainError::Mismatch {
                what: "optimizer of the checkpoint",
                expected: optimizer.optimizer().name().to_owned(),
                found: self.state.optimizer.clone(),
            });
        }
        let slot = |name: &str| Some(self.tensors.tensors.get(&format!("optimizer/{name}"))?.as_f32()?.to_vec());
        let missing = |name| damaged(&self.path, format!("it has no optimizer state `{name}` of the right size"));
        optimizer.restore(self.state.optimizer_steps, slot).map_err(missing)?;
        *progress = self.state.progress.clone();
        trainer.job().train.restore_skipped(self.state.skipped.iter().cloned());
        Ok(())
    }

    /// Gives a trainer the checkpoint's weights and statistics, nothing else.
    ///
    /// # Errors
    /// A checkpoint of another model.
    pub fn restore_weights(&self, trainer: &mut Trainer) -> Result<(), TrainError> {
        let (weights, _, _, model) = trainer.parts_mut();
        for (weight, value) in model.weights.iter().zip(weights) {
            if !(weight.trainable || weight.statistic) {
                continue;
            }
            let saved = self.tensors.tensors.get(&format!("weight/{}", weight.name));
            let fitting = saved.filter(|saved| saved.shape() == value.shape() && saved.dtype() == value.dtype());
            *value = fitting
                .ok_or_else(|| damaged(&self.path, format!("it has no weight `{}` of the right shape", weight.name)))?
                .clone();
        }
        Ok(())
    }
}

fn damaged(path: &Path, reason: impl ToString) -> TrainError {
    TrainError::Damaged { path: path.to_owned(), reason: reason.to_string() }
}

fn value_sha256(value: &Value) -> String {
    hex(&Sha256::digest(value.to_string().as_bytes()))
}

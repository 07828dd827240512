//! `metrics.jsonl`: one JSON object a line.
//!
//! A resumed run cuts the file to what its checkpoint knew, so the lines end up the same as without interruption, but for
//! the fields that tell the time: `secs` and `examples-per-sec`, always the last ones.

use crate::error::TrainError;
use crate::metrics::Metric;
use crate::steps::StepSummary;
use crate::trainer::EpochSums;
use serde_json::{Map, Value, json};
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The open file.
#[derive(Debug)]
pub struct MetricsLog {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl MetricsLog {
    /// Opens or makes the file, to write at its end.
    ///
    /// # Errors
    /// A file that cannot be opened.
    pub fn open(path: &Path) -> Result<MetricsLog, TrainError> {
        let (file, bytes) = open_at_end(path)?;
        Ok(MetricsLog { path: path.to_owned(), file, bytes })
    }

    /// Length of the file.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Cuts the file.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn truncate(&mut self, bytes: u64) -> Result<(), TrainError> {
        self.bytes = truncate(&mut self.file, bytes).map_err(TrainError::write(&self.path))?;
        Ok(())
    }

    /// A step.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn step(
        &mut self,
        epoch: u64,
        step: u64,
        loss: f64,
        summary: &StepSummary,
        examples: usize,
        secs: f64,
    ) -> Result<(), TrainError> {
        self.line(&json!({
            "kind": "step",
            "epoch": epoch + 1,
            "step": step,
            "loss": loss,
            "gradient-norm": summary.gradient_norm,
            "learning-rate": summary.learning_rate,
            "secs": secs,
            "examples-per-sec": examples as f64 / secs.max(1e-9),
        }))
    }

    /// An evaluation.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn evaluation(
        &mut self,
        epoch: u64,
        step: u64,
        sums: &EpochSums,
        values: &[(Metric, f64)],
        learning_rate: f64,
        secs: f64,
    ) -> Result<(), TrainError> {
        let validation: Map<String, Value> =
            values.iter().map(|(metric, value)| (metric.to_string(), json!(value))).collect();
        self.line(&json!({
            "kind": "evaluation",
            "epoch": epoch + 1,
            "step": step,
            "train": { "loss": sums.mean_loss(), "accuracy": sums.accuracy() },
            "validation": validation,
            "learning-rate": learning_rate,
            "secs": secs,
        }))
    }

    fn line(&mut self, value: &Value) -> Result<(), TrainError> {
        let line = format!("{value}\n");
        self.file.write_all(line.as_bytes()).map_err(TrainError::write(&self.path))?;
        self.bytes += line.len() as u64;
        Ok(())
    }
}

/// Opens or makes a file to write at its end.
pub(super) fn open_at_end(path: &Path) -> Result<(File, u64), TrainError> {
    let open = || {
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        let bytes = file.seek(SeekFrom::End(0))?;
        Ok((file, bytes))
    };
    open().map_err(TrainError::write(path))
}

/// Cuts a file to at most `bytes` and goes to its end.
pub(super) fn truncate(file: &mut File, bytes: u64) -> std::io::Result<u64> {
    if file.metadata()?.len() > bytes {
        file.set_len(bytes)?;
    }
    file.seek(SeekFrom::End(0))
}

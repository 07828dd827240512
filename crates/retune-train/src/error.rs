//! What can go wrong in a run, said with the place and what to do.

use crate::language::Said;
use retune_cpu::CpuError;
use retune_data::DataError;
use retune_graph::GraphError;
use std::path::{Path, PathBuf};

/// An error of training, evaluation, or of a run's folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The recipe has problems; all of them are listed.
    #[error(transparent)]
    Recipe(#[from] crate::recipe::RecipeError),
    /// Something is wrong with the model's file, or with what is to be done to the model.
    #[error(transparent)]
    Model(Box<retune_models::ModelError>),
    /// Something is wrong with the data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The training graph cannot be built.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The training graph cannot be run.
    #[error(transparent)]
    Cpu(#[from] CpuError),
    /// Values of the frozen part of a network cannot be kept.
    #[error(
        "values of frozen layers cannot be kept in `{}`: {error}\nhint: name another folder with `train.cache-folder`, or set \
         `train.cache = false`",
        folder.display()
    )]
    Features {
        /// The folder.
        folder: PathBuf,
        /// What the operating system says.
        error: std::io::Error,
    },
    /// Two things that must agree do not.
    #[error("{what}: expected {expected}, found {found}")]
    Mismatch {
        /// What must agree.
        what: &'static str,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// What is asked for cannot work as it stands; the check before training found it.
    #[error("{problem}\nhint: {hint}")]
    Unfit {
        /// What is wrong, in a sentence.
        problem: Said,
        /// What to do.
        hint: String,
    },
    /// The loss is not a number or infinite.
    #[error(
        "the loss is {value} at epoch {epoch}, step {step}: training has diverged{}\nhint: lower the learning rate, clip \
         gradients (`clip-norm = 1.0`), or check the inputs for extreme values",
        checkpoint_note(checkpoint.as_deref())
    )]
    Diverged {
        /// The loss.
        value: f32,
        /// The epoch, counted from 1.
        epoch: u64,
        /// Optimizer steps done before.
        step: u64,
        /// The last good checkpoint.
        checkpoint: Option<PathBuf>,
    },
    /// A file or folder of the run cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file or folder of the run cannot be written (a full disk, missing rights).
    #[error(
        "cannot write `{}`: {source}\nhint: what was saved before is unharmed; make room or check the rights, then resume",
        path.display()
    )]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Tensors of the run cannot be written.
    #[error(
        "cannot write `{}`: {source}\nhint: what was saved before is unharmed; make room or check the rights, then resume",
        path.display()
    )]
    SaveTensors {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: Box<retune_formats::FormatError>,
    },
    /// A file of the run does not hold what it should.
    #[error("`{}` is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Another process works in the run's folder.
    #[error("`{}` is in use by another process\nhint: wait until it ends, or choose another output folder", path.display())]
    Locked {
        /// The run's folder.
        path: PathBuf,
    },
    /// There is a run in the folder already.
    #[error(
        "`{}` already holds a run\nhint: resume it with `retune resume {}`, or choose another output folder",
        path.display(), path.display()
    )]
    RunExists {
        /// The run's folder.
        path: PathBuf,
    },
    /// The folder holds nothing that could be resumed.
    #[error("`{}` holds no run that can be resumed: {reason}", path.display())]
    NoRun {
        /// The folder.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// Model, data or settings are not those that the run began with.
    #[error(
        "{what} changed since the run began: it was {before}, now it is {now}\nhint: put it back, or begin a new run"
    )]
    Changed {
        /// What changed.
        what: String,
        /// Its hash then.
        before: String,
        /// Its hash now.
        now: String,
    },
}

impl From<retune_models::ModelError> for TrainError {
    fn from(error: retune_models::ModelError) -> TrainError {
        TrainError::Model(Box::new(error))
    }
}

fn checkpoint_note(checkpoint: Option<&Path>) -> String {
    match checkpoint {
        Some(path) => format!("; the last good checkpoint is `{}`", path.display()),
        None => String::new(),
    }
}

impl TrainError {
    pub(crate) fn read(path: &Path) -> impl FnOnce(std::io::Error) -> TrainError {
        let path = path.to_path_buf();
        move |source| TrainError::Read { path, source }
    }

    pub(crate) fn write(path: &Path) -> impl FnOnce(std::io::Error) -> TrainError {
        let path = path.to_path_buf();
        move |source| TrainError::Write { path, source }
    }

    pub(crate) fn unfit(problem: impl Into<Said>, hint: impl Into<String>) -> TrainError {
        TrainError::Unfit { problem: problem.into(), hint: hint.into() }
    }
}

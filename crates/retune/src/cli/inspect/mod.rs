//! `retune inspect`: what a model or a data set holds.
//!
//! - [`model`]: layers, shapes, parameters, preprocessing, classes;
//! - [`data`]: kind, counts, shapes, problems.

mod data;
mod model;

use super::{Context, Result, models, paths};
use std::path::{Path, PathBuf};

/// Show what a model or a data set holds.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A model (.keras, .h5, .hdf5, .weights.h5, a folder with config.json, `hf://org/name`) or data (a folder of images per class, CIFAR-10 batches, IDX, .npy,
    /// .npz, .csv, .jsonl)
    #[arg(value_name = "FILE|DATA")]
    path: PathBuf,
    /// Read data without decoding every image
    #[arg(long)]
    fast: bool,
}

/// Prints the description.
pub fn run(context: &Context, arguments: &Arguments) -> Result {
    if models::is_address(&arguments.path) {
        return model::inspect(context, &models::locate(context, &arguments.path)?.path);
    }
    paths::must_exist(&arguments.path)?;
    if is_model(&arguments.path) {
        model::inspect(context, &arguments.path)
    } else {
        data::inspect(context, &arguments.path, arguments.fast)
    }
}

/// Whether a path is that of a model: by its name, as data files have other ones.
fn is_model(path: &Path) -> bool {
    if path.is_dir() {
        return path.join("config.json").is_file() || path.join("adapter_config.json").is_file();
    }
    let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    matches!(extension.as_deref(), Some("keras" | "h5" | "hdf5" | "hdf" | "pth" | "pt" | "th" | "bin" | "safetensors"))
}

//! A file of weights alone: `.pth`, `.pt`, `.th`, `.bin`, `.safetensors`.
//!
//! The network is recognized by the names and shapes of the tensors. What the file cannot hold (preprocessing, names of the
//! labels) stands in a file `….retune.json` beside it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use retune_formats::atomic::write_bytes_atomic;
use retune_formats::torch::TorchFile;
use retune_formats::{FormatError, Limits, Weights, WeightsFormat, safetensors, torch as torch_format};
use retune_tensor::Tensor;
use serde_json::{Value, json};

use super::files::{finished, metadata, read_weights};
use super::vision::Vision;
use super::vision::recognize::{self, Found, Hint};
use super::vision::tensors::Tensors;
use super::{Family, Origin, TorchModel};
use crate::error::{ModelError, Result};
use crate::model::Model;
use crate::report::{LoadReport, Note};

/// The extensions of PyTorch's own format.
const TORCH: [&str; 4] = ["pth", "pt", "th", "bin"];
const SAFETENSORS: &str = "safetensors";

/// The key of the labels in the file beside the weights.
const LABELS: &str = "labels";

fn extension(path: &Path) -> String {
    path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase()).unwrap_or_default()
}

/// Whether a path's extension is that of a file of weights alone.
pub(crate) fn is_one(path: &Path) -> bool {
    let extension = extension(path);
    extension == SAFETENSORS || TORCH.contains(&extension.as_str())
}

/// The file beside the weights.
fn beside(path: &Path) -> PathBuf {
    path.with_extension("retune.json")
}

/// Reads a file. Weights of a head that it lacks are drawn from `seed`.
pub(crate) fn load(path: &Path, seed: u64) -> Result<(Model, LoadReport)> {
    let mut file = Weights::open(path)?;
    let prefix = file.wrapper_prefix();
    if let Some(prefix) = prefix {
        file.strip_prefix(prefix)?;
    }
    let wrapper = match file.format() {
        WeightsFormat::Torch => Some(TorchFile::open(path, &Limits::default())?.state_dictionary().to_owned()),
        _ => None,
    };
    let tensors = Tensors::of(&file);
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().to_lowercase()).unwrap_or_default();
    let Found { net, preparation, name, why } = recognize::recognize(&tensors, Hint(&stem))?;
    let vision = Vision { net, preparation };
    let mut stored = metadata(&beside(path));
    let labels = stored.as_mut().and_then(Value::as_object_mut).and_then(|stored| stored.remove(LABELS));
    let task = recognize::task(&vision, &tensors, labels.and_then(|labels| serde_json::from_value(labels).ok()));
    let origin = Origin::File {
        wrapper: wrapper.filter(|key| !key.is_empty() && !key.contains('.')),
        prefix: prefix.unwrap_or_default(),
    };
    let mut torch = TorchModel::new(origin, Family::Vision(vision), task);
    let (weights, mut report) = read_weights(&mut torch, &file, None, seed)?;
    report.notes.insert(0, Note { layer: String::new(), text: format!("recognized as {name} by {why}") });
    Ok(finished(torch, weights, stored, report))
}

/// Writes a file in the format of its extension, with the names of the file that the model was read from.
pub(crate) fn save(torch: &TorchModel, model: &Model, path: &Path, wrapper: Option<&str>, prefix: &str) -> Result<()> {
    if !is_one(path) {
        return Err(ModelError::Extension { path: path.to_owned() });
    }
    let tensors: Vec<(String, Tensor)> =
        torch.tensors(model).into_iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor)).collect();
    let tensors = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor));
    let mut stored = model.metadata.clone().unwrap_or_else(|| json!({}));
    if let Some(stored) = stored.as_object_mut().filter(|_| torch.task.outputs().is_some()) {
        stored.insert(LABELS.to_owned(), json!(torch.task.labels()));
    }
    let beside = beside(path);
    write_bytes_atomic(&beside, format!("{stored:#}\n").as_bytes())
        .map_err(|error| FormatError::from(error).in_file(&beside))?;
    if extension(path) == SAFETENSORS {
        let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
        safetensors::write(path, tensors, &metadata)?;
    } else {
        torch_format::write(path, tensors, wrapper)?;
    }
    Ok(())
}

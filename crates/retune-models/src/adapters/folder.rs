//! Whole models from folders of adapters: the base that the folder names, with its adapters.

use std::path::{Path, PathBuf};

use retune_graph::ops::sequence::Pooling;
use serde_json::Value;

use super::peft::{self, CONFIG, WEIGHTS};
use crate::error::{ModelError, Result};
use crate::model::{Architecture, Model};
use crate::report::LoadReport;
use crate::torch::config::Config;
use crate::torch::sentence::{self, Modules};
use crate::torch::task::{Task, numbered_labels};
use crate::torch::{self, TorchModel};

/// The scheme of addresses of the Hub.
const HUB: &str = "hf://";

/// The base of adapters, as a folder of them names it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AdapterBase {
    /// A path, or a name on the Hub.
    pub name: String,
    /// Branch, tag or commit on the Hub.
    pub revision: Option<String>,
}

impl From<&str> for AdapterBase {
    fn from(name: &str) -> AdapterBase {
        AdapterBase { name: name.to_owned(), revision: None }
    }
}

impl AdapterBase {
    /// The base at an address `hf://org/name[@revision]`; `None` if it is none.
    pub fn of_address(address: &str) -> Option<AdapterBase> {
        let rest = address.strip_prefix(HUB)?;
        let (name, revision) = rest.split_once('@').map_or((rest, None), |(name, revision)| (name, Some(revision)));
        Some(AdapterBase { name: name.to_owned(), revision: revision.map(str::to_owned) })
    }

    /// The name as an address of the Hub.
    pub fn address(&self) -> String {
        let revision = self.revision.as_ref().map_or(String::new(), |revision| format!("@{revision}"));
        format!("{HUB}{}{revision}", self.name)
    }
}

/// Whether a folder holds adapters and not a model.
pub(crate) fn is_one(path: &Path) -> bool {
    path.join(CONFIG).is_file() && path.join(WEIGHTS).is_file()
}

/// Where the base of a folder of adapters is to be found, as the folder says it. `None` if the folder holds no adapters.
///
/// # Errors
/// If the folder's configuration is damaged or names no base.
pub fn adapter_base(path: impl AsRef<Path>) -> Result<Option<AdapterBase>> {
    let path = path.as_ref();
    if !is_one(path) {
        return Ok(None);
    }
    let config = read(&path.join(CONFIG))?;
    let config = Config::new(&config)?;
    let name = config.text("base_model_name_or_path")?;
    Ok(Some(AdapterBase { name, revision: config.text_if_any("revision")? }))
}

/// The base that the folder names, with the folder's adapters. Paths are those of the working directory, else relative to the folder.
pub(crate) fn load(path: &Path) -> Result<(Model, LoadReport)> {
    let base = adapter_base(path)?.unwrap_or_default().name;
    let places = [PathBuf::from(&base), path.join(&base)];
    let Some(place) = places.into_iter().find(|place| !base.is_empty() && place.exists()) else {
        return Err(ModelError::Surgery {
            what: format!("`{}` holds adapters of `{base}`, which is not there", path.display()),
            hint: "put the base model there, or correct `base_model_name_or_path` in `adapter_config.json`".to_owned(),
        });
    };
    Model::load(place)?.0.with_adapter(path)
}

impl Model {
    /// This model, a base, with the adapters of a folder, the task that they were trained for, and what is stored beside them.
    ///
    /// The task is that of the folder's `config.json`; without one it is this model's own, where the folder's head has as many
    /// outputs, and classes without names else.
    ///
    /// # Errors
    /// As for [`Model::load_adapter`].
    pub fn with_adapter(&self, path: impl AsRef<Path>) -> Result<(Model, LoadReport)> {
        let path = path.as_ref();
        let mut model = self.clone();
        if let Architecture::Torch(torch) = &self.architecture {
            let (task, pooling) = task(torch, path)?;
            if pooling != torch.pooling {
                model = model.with_pooling(pooling, 0)?;
            }
            if Some(&task) != model.task() {
                model = model.with_task(task, 0)?;
            }
        }
        let report = model.load_adapter(path)?;
        if let Some(metadata) = torch::files::metadata(&path.join(torch::files::RETUNE)) {
            model.metadata = Some(metadata);
        }
        Ok((model, report))
    }
}

/// The task that a folder's adapters were trained for, and what a head for texts stands on.
fn task(base: &TorchModel, path: &Path) -> Result<(Task, Option<Pooling>)> {
    let config = path.join("config.json");
    if config.is_file() {
        let (value, pooling) = (read(&config)?, path.join(sentence::POOLING_CONFIG));
        let config = Config::new(&value)?;
        if pooling.is_file() {
            return Ok((Task::of_texts(&config)?, Some(sentence::pooling(&read(&pooling)?)?)));
        }
        let (pooling, normalize) = match base.task {
            Task::Embedding { pooling, normalize } | Task::Similarity { pooling, normalize } => (pooling, normalize),
            _ => (Pooling::Mean, false),
        };
        let task = Task::read(&config, &Modules { pooling: Some(pooling), normalize, ..Modules::default() })?;
        let pooling = base.pooling.filter(|_| task.outputs().is_none());
        return Ok((task, pooling));
    }
    match peft::outputs(base, path)?.filter(|outputs| base.task.outputs() != Some(*outputs)) {
        // PEFT's own classifiers have the head of transformers.
        Some(outputs) => Ok((Task::Classification { labels: numbered_labels(outputs) }, None)),
        None => Ok((base.task.clone(), base.pooling)),
    }
}

fn read(path: &Path) -> Result<Value> {
    let text = retune_formats::Limits::default().read_file(path)?;
    serde_json::from_slice(&text).map_err(|error| ModelError::Description {
        place: path.display().to_string(),
        expected: "JSON".to_owned(),
        found: error.to_string(),
    })
}

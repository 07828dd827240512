//! Values of a model folder → weights, and the other way round.

use std::path::Path;

use indexmap::IndexMap;
use retune_formats::model_directory::{Existing, NewModelDirectory};
use retune_formats::{FormatError, ModelDirectory, Weights};
use retune_graph::ops::sequence::Pooling;
use retune_tensor::{Key, Purpose, Tensor};
use serde_json::{Value, json};

use super::builder::{Builder, Declared};
use super::config::Config;
use super::task::Task;
use super::{Family, TorchModel};
use crate::error::{ModelError, Result};
use crate::model::{Architecture, Model};
use crate::report::{LoadReport, Missing, Note, WrongShape, nearest};
use crate::weight::Weight;

/// What retune itself writes into a folder: preprocessing, and what else travels with the weights.
const RETUNE: &str = "retune.json";

impl TorchModel {
    /// The weights of the architecture with its task, in the order of their first use.
    pub(crate) fn declared(&self) -> Result<Vec<Declared>> {
        let mut builder = Builder::collecting();
        self.family.lower(&mut builder, &self.task)?;
        Ok(builder.collected())
    }
}

/// A weight with a fresh value.
pub(crate) fn fresh(declared: Declared, index: usize, seed: u64) -> Weight {
    let stream = u32::try_from(index).unwrap_or(u32::MAX);
    let value = declared.initializer.tensor(&declared.shape, Key::new(seed).with(Purpose::Init(stream)));
    with_value(declared, value)
}

fn with_value(declared: Declared, value: Tensor) -> Weight {
    Weight {
        name: declared.name,
        value,
        trainable: true,
        decays: declared.decays,
        statistic: false,
        regularizer: None,
        constraint: None,
        group: 0,
        layer: declared.layer,
        class: declared.class,
        keras_path: String::new(),
        torch_layout: declared.layout,
        initializer: declared.initializer,
        integer: false,
    }
}

/// The architecture of a `config.json`, without a tokenizer; sentences are pooled by their mean.
pub(crate) fn described(config: &Value) -> Result<TorchModel> {
    let fields = Config::new(config)?;
    let (family, task) = (Family::read(&fields)?, Task::read(&fields, Pooling::Mean, false)?);
    Ok(TorchModel { config: config.clone(), family, task, companions: Vec::new() })
}

/// Reads a model folder. Weights of a head that the folder lacks are drawn from `seed`.
pub(crate) fn load(path: &Path, seed: u64) -> Result<(Model, LoadReport)> {
    let folder = ModelDirectory::open(path)?;
    let config = Config::new(folder.config())?;
    let family = Family::read(&config)?;
    let (pooling, normalize) = sentence_modules(&folder)?;
    let task = Task::read(&config, pooling, normalize)?;
    let mut companions = Vec::new();
    for name in folder.companions() {
        if let Some(bytes) = folder.bytes(name)? {
            companions.push(((*name).to_owned(), bytes));
        }
    }
    let torch = TorchModel { config: folder.config().clone(), family, task, companions };
    let (weights, report) = read_weights(&torch, folder.weights()?, seed)?;
    let metadata = std::fs::read(path.join(RETUNE)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    Ok((Model::of(Architecture::Torch(Box::new(torch)), weights, metadata), report))
}

/// The pooling of a sentence-transformers model, and whether it makes vectors of length 1; else the mean and no.
fn sentence_modules(folder: &ModelDirectory) -> Result<(Pooling, bool)> {
    let modules = folder.sentence_modules()?.unwrap_or_default();
    let normalize = modules.iter().any(|module| module.class.ends_with(".Normalize"));
    let Some(pooling) = folder.sentence_pooling()? else { return Ok((Pooling::Mean, normalize)) };
    let is_on = |key: &str| pooling.get(key).and_then(Value::as_bool).unwrap_or(false);
    let on: Vec<&String> = pooling
        .as_object()
        .map(|keys| keys.keys().filter(|key| key.starts_with("pooling_mode_") && is_on(key)).collect())
        .unwrap_or_default();
    match on.as_slice() {
        [] => Ok((Pooling::Mean, normalize)),
        [key] => match key.as_str() {
            "pooling_mode_mean_tokens" => Ok((Pooling::Mean, normalize)),
            "pooling_mode_cls_token" => Ok((Pooling::First, normalize)),
            "pooling_mode_lasttoken" => Ok((Pooling::Last, normalize)),
            _ => Err(unsupported_pooling(key)),
        },
        [key, ..] => Err(unsupported_pooling(key)),
    }
}

fn unsupported_pooling(key: &str) -> ModelError {
    ModelError::Unsupported {
        layer: "1_Pooling".to_owned(),
        class: "Pooling".to_owned(),
        what: format!("`{key}`"),
        hint: "use a model that pools by the mean, the first or the last token alone".to_owned(),
    }
}

/// A name as this architecture has it: with the base before it, and with the present names of scales and shifts.
fn present_name(family: &Family, name: &str) -> String {
    let name = match name.rsplit_once('.') {
        Some((layer, "gamma")) => format!("{layer}.weight"),
        Some((layer, "beta")) => format!("{layer}.bias"),
        _ => name.to_owned(),
    };
    let base = family.base();
    // A folder of the bare base has names without it.
    let is_based = name.starts_with(&format!("{base}.")) || family.is_other_head(&name);
    if is_based { name } else { format!("{base}.{name}") }
}

fn read_weights(torch: &TorchModel, mut file: Weights, seed: u64) -> Result<(Vec<Weight>, LoadReport)> {
    if let Some(prefix) = file.wrapper_prefix() {
        file.strip_prefix(prefix)?;
    }
    let family = &torch.family;
    let mut names: IndexMap<String, String> = IndexMap::new();
    for name in file.names() {
        names.insert(present_name(family, name), name.to_owned());
    }
    let mut report = LoadReport::default();
    let mut weights = Vec::new();
    let (mut new, mut narrowed) = (Vec::new(), IndexMap::<String, usize>::new());
    for (index, declared) in torch.declared()?.into_iter().enumerate() {
        let expected = declared.layout.shape_in_file(&declared.shape);
        let found = names.shift_remove(&declared.name);
        let info = found.as_deref().and_then(|name| file.info(name).map(|info| (name, info.shape.clone())));
        match info {
            Some((name, shape)) if shape == expected => {
                let (tensor, conversion) = file.tensor_f32(name)?;
                if let Some(conversion) = conversion {
                    *narrowed.entry(conversion.from.name().to_owned()).or_default() += 1;
                }
                if tensor.as_f32().is_none() {
                    return Err(ModelError::Description {
                        place: declared.name,
                        expected: "floating-point values".to_owned(),
                        found: tensor.dtype().to_string(),
                    });
                }
                report.applied.push(declared.name.clone());
                let value = declared.layout.from_file(tensor);
                weights.push(with_value(declared, value));
            }
            Some((_, shape)) => {
                report.wrong_shape.push(WrongShape { name: declared.name.clone(), expected, found: shape });
            }
            None if family.is_new_where_missing(&declared.name) => {
                new.push(declared.name.clone());
                weights.push(fresh(declared, index, seed));
            }
            None => report.missing.push(Missing { name: declared.name.clone(), shape: expected, nearest: None }),
        }
    }
    let (other, unused): (Vec<String>, Vec<String>) = names.into_keys().partition(|name| family.is_other_head(name));
    for missing in &mut report.missing {
        missing.nearest = nearest(&missing.name, unused.iter().map(String::as_str));
    }
    report.unused = unused;
    if !report.is_complete() {
        return Err(ModelError::Weights(Box::new(report)));
    }
    let mut note = |text: String| report.notes.push(Note { layer: String::new(), text });
    if !new.is_empty() {
        note(format!("not in the file, drawn anew: {}", new.join(", ")));
    }
    if !other.is_empty() {
        note(format!("in the file, of no use for this task: {}", other.join(", ")));
    }
    for (from, count) in narrowed {
        note(format!("{count} tensors of {from} are computed with as float32"));
    }
    Ok((weights, report))
}

/// Writes a folder that transformers loads.
pub(crate) fn save(torch: &TorchModel, model: &Model, path: &Path) -> Result<()> {
    let class = torch.family.class(&torch.task);
    let mut config = torch.config.clone();
    if let Some(config) = config.as_object_mut() {
        torch.task.describe(&class, config);
        config.remove("torch_dtype");
        config.insert("dtype".to_owned(), json!("float32"));
    }
    let mut folder = NewModelDirectory::new(&config, &card(torch, &class));
    for (name, bytes) in &torch.companions {
        folder.file(name, bytes.clone())?;
    }
    if let Some(metadata) = &model.metadata {
        folder.json(RETUNE, metadata)?;
    }
    // A bare base stands in files without its own name.
    let base = format!("{}.", torch.family.base());
    let is_bare = torch.task.outputs().is_none();
    let name = |name: &str| match name.strip_prefix(&base) {
        Some(short) if is_bare => short.to_owned(),
        _ => name.to_owned(),
    };
    let tensors: Vec<(String, Tensor)> =
        model.weights.iter().map(|w| (name(&w.name), w.torch_layout.to_file(&w.value))).collect();
    folder.write(path, tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)), existing(path)?)?;
    Ok(())
}

/// A folder is replaced only if it is a model's, so that nothing else is lost.
fn existing(path: &Path) -> Result<Existing> {
    if !path.is_dir() {
        return Ok(Existing::Refuse);
    }
    let is_empty = path.read_dir().map_err(|error| FormatError::from(error).in_file(path))?.next().is_none();
    Ok(if is_empty || path.join("config.json").is_file() { Existing::Replace } else { Existing::Refuse })
}

/// The model card, as far as the model itself knows what to say.
fn card(torch: &TorchModel, class: &str) -> String {
    let base = torch.config.get("_name_or_path").and_then(Value::as_str).filter(|name| !name.is_empty());
    let mut card = String::from("---\nlibrary_name: transformers\n");
    if let Some(base) = base {
        card.push_str(&format!("base_model: {base}\n"));
    }
    card.push_str("---\n\n");
    card.push_str(&format!("# {class}\n\nFine-tuned with retune.\n"));
    if !torch.task.labels().is_empty() {
        card.push_str(&format!("\nLabels: {}.\n", torch.task.labels().join(", ")));
    }
    card
}

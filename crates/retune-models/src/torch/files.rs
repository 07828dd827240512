//! Values of a model folder → weights, and the other way round.

use std::collections::HashMap;
use std::path::Path;

use indexmap::IndexMap;
use retune_formats::model_directory::{Existing, NewModelDirectory};
use retune_formats::{FormatError, ModelDirectory, Weights};
use retune_tensor::{Key, Purpose, Tensor};
use serde_json::{Value, json};

use super::builder::{Builder, Declared, is_statistic};
use super::config::Config;
use super::sentence::{self, Modules};
use super::task::Task;
use super::vision::Vision;
use super::vision::preprocessing::Preparation;
use super::vision::recognize::{self, Hint};
use super::vision::tensors::Tensors;
use super::{Family, Origin, TorchModel, card, weights_file};
use crate::error::{ModelError, Result};
use crate::model::{Architecture, Model};
use crate::report::{LoadReport, Missing, Note, WrongShape, nearest};
use crate::weight::Weight;

/// What retune itself writes into a folder: preprocessing, and what else travels with the weights.
pub(crate) const RETUNE: &str = "retune.json";

/// What transformers reads for images.
const PROCESSOR: &str = "preprocessor_config.json";

impl TorchModel {
    /// An architecture of no file.
    pub(super) fn new(origin: Origin, family: Family, task: Task) -> TorchModel {
        let (companions, carried, order) = (Vec::new(), Vec::new(), Vec::new());
        TorchModel { origin, config: Value::Null, family, task, pooling: None, companions, carried, order, card: None }
    }

    /// The weights of the architecture with its task, in the order of their first use.
    pub(crate) fn declared(&self) -> Result<Vec<Declared>> {
        let mut builder = Builder::collecting();
        self.lower(&mut builder, None)?;
        Ok(builder.collected())
    }
}

/// A weight with a fresh value.
pub(crate) fn fresh(declared: Declared, index: usize, seed: u64) -> Weight {
    let stream = u32::try_from(index).unwrap_or(u32::MAX);
    let value = declared.initializer.tensor(&declared.shape, Key::new(seed).with(Purpose::Init(stream)));
    with_value(declared, value)
}

pub(crate) fn with_value(declared: Declared, value: Tensor) -> Weight {
    let statistic = is_statistic(&declared.name);
    Weight {
        name: declared.name,
        value,
        trainable: !statistic,
        decays: declared.decays,
        statistic,
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
    let (family, task) = (Family::read(&fields, None)?, Task::read(&fields, &Modules::default())?);
    Ok(TorchModel { config: config.clone(), ..TorchModel::new(Origin::Transformers, family, task) })
}

/// Reads a model folder. Weights of a head that the folder lacks are drawn from `seed`.
pub(crate) fn load(path: &Path, seed: u64) -> Result<(Model, LoadReport)> {
    let folder = ModelDirectory::open(path)?;
    let config = Config::new(folder.config())?;
    if config.get("model_type").is_none() && config.get("architecture").is_some() {
        return load_timm(&folder, &config, seed);
    }
    let processor = folder.bytes(PROCESSOR)?.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let family = Family::read(&config, processor.as_ref())?;
    let modules = Modules::read(&folder)?;
    let task = Task::read(&config, &modules)?;
    // A head of transformers' own is kept.
    let is_own = task.outputs().is_some() && !modules.has_head(&task);
    let pooling = modules.pooling.filter(|_| !is_own && family.max_tokens().is_some());
    let torch = TorchModel { pooling, ..TorchModel::new(Origin::Transformers, family, task) };
    let head = modules.head.filter(|_| torch.pooled_head().is_some());
    let head = head.map(|head| folder.module_weights(&head.module)).transpose()?;
    let (model, mut report) = whole(&folder, torch, head.as_ref(), seed)?;
    let is_classifier = head.is_some() || is_own;
    let left_out = modules.left_out.iter().filter(|_| !is_classifier);
    let note = |name: &String| Note {
        layer: String::new(),
        text: format!("the module `{name}` of the folder is left out: vectors of texts are those before it"),
    };
    report.notes.extend(left_out.map(note));
    Ok((model, report))
}

/// The model of a folder whose architecture and task are known, with its head's weights if they are in a file of their own.
fn whole(folder: &ModelDirectory, torch: TorchModel, head: Option<&Weights>, seed: u64) -> Result<(Model, LoadReport)> {
    let mut companions = Vec::new();
    for name in folder.companions() {
        if let Some(bytes) = folder.bytes(name)? {
            companions.push(((*name).to_owned(), bytes));
        }
    }
    let config = folder.config().clone();
    let card = card::read(&folder.path().join(card::README));
    let mut torch = TorchModel { config, companions, card, ..torch };
    let mut file = folder.weights()?;
    if let Some(prefix) = file.wrapper_prefix() {
        file.strip_prefix(prefix)?;
    }
    let (weights, report) = read_weights(&mut torch, &file, head, seed)?;
    let metadata = metadata(&folder.path().join(RETUNE));
    Ok(finished(torch, weights, metadata, report))
}

/// The model, with its network's own preprocessing where nothing else is stored.
pub(super) fn finished(
    torch: TorchModel,
    weights: Vec<Weight>,
    mut metadata: Option<Value>,
    mut report: LoadReport,
) -> (Model, LoadReport) {
    if let (Family::Vision(vision), None) = (&torch.family, &metadata) {
        metadata = Some(vision.preparation.metadata());
        vision.preparation.notes(&mut report.notes);
    }
    (Model::of(Architecture::Torch(Box::new(torch)), weights, metadata), report)
}

/// What retune stored with a model.
pub(crate) fn metadata(path: &Path) -> Option<Value> {
    std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok())
}

/// Reads a folder of timm: its `config.json` names the architecture, whose sizes follow from the tensors.
fn load_timm(folder: &ModelDirectory, config: &Config<'_>, seed: u64) -> Result<(Model, LoadReport)> {
    let architecture = config.text("architecture")?;
    let mut file = folder.weights()?;
    if let Some(prefix) = file.wrapper_prefix() {
        file.strip_prefix(prefix)?;
    }
    let tensors = Tensors::of(&file);
    let found = recognize::recognize(&tensors, Hint(&architecture))?;
    let preparation = match config.get("pretrained_cfg").and_then(Value::as_object) {
        Some(settings) => found.preparation.with_timm(settings),
        None => found.preparation,
    };
    let vision = Vision { net: found.net, preparation };
    let names = config.get("label_names").and_then(Value::as_array);
    let names = names.and_then(|names| names.iter().map(|name| name.as_str().map(str::to_owned)).collect());
    let task = recognize::task(&vision, &tensors, names);
    whole(folder, TorchModel::new(Origin::Timm, Family::Vision(vision), task), None, seed)
}

/// The weights of an architecture from a file, and from a module's file those of a pooled head. Tensors without meaning, and the
/// file's order, are kept in `torch`.
pub(super) fn read_weights(
    torch: &mut TorchModel,
    file: &Weights,
    head: Option<&Weights>,
    seed: u64,
) -> Result<(Vec<Weight>, LoadReport)> {
    let family = &torch.family;
    let mut names: IndexMap<String, String> = IndexMap::new();
    for name in file.names() {
        names.insert(family.present_name(name), name.to_owned());
    }
    let order: Vec<String> = names.keys().cloned().collect();
    let mut report = LoadReport::default();
    let mut weights = Vec::new();
    let (mut new, mut narrowed) = (Vec::new(), IndexMap::<String, usize>::new());
    for (index, declared) in torch.declared()?.into_iter().enumerate() {
        let expected = declared.layout.shape_in_file(&declared.shape);
        let (file, found) = match head.filter(|_| family.is_head(&declared.name)) {
            Some(head) => (head, Some(sentence::name_in_dense(&declared.name))),
            None => (file, names.shift_remove(&declared.name)),
        };
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
    let mut carried = Vec::new();
    for (name, stored) in names.iter().filter(|(name, _)| family.is_carried(name)) {
        carried.push((name.clone(), file.tensor(stored)?));
    }
    names.retain(|name, _| !family.is_carried(name));
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
    (torch.carried, torch.order) = (carried, order);
    Ok((weights, report))
}

impl TorchModel {
    /// The name of a weight in files, where a bare base stands without its own name.
    pub(crate) fn stored_name<'a>(&self, name: &'a str) -> &'a str {
        let short = name.strip_prefix(self.family.base()).and_then(|rest| rest.strip_prefix('.'));
        let is_bare = self.task.outputs().is_none() || self.pooled_head().is_some();
        short.filter(|_| is_bare).unwrap_or(name)
    }

    /// The tensors of a file, in the order of the file that the model was read from.
    pub(super) fn tensors(&self, model: &Model) -> Vec<(String, Tensor)> {
        let weights = model.weights.iter().map(|w| (w.name.clone(), w.torch_layout.to_file(&w.value)));
        let mut tensors: Vec<(String, Tensor)> = weights.chain(self.carried.iter().cloned()).collect();
        let places: HashMap<&str, usize> =
            self.order.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
        tensors.sort_by_key(|(name, _)| places.get(name.as_str()).copied().unwrap_or(usize::MAX));
        tensors
    }

    /// What images must be made into, unless the folder's own files say so already.
    fn new_preparation(&self, model: &Model) -> Option<Preparation> {
        let Family::Vision(vision) = &self.family else { return None };
        let stored = vision.preparation.with_metadata(model.metadata.as_ref()?)?;
        let is_told = self.origin == Origin::Timm || self.companions.iter().any(|(name, _)| name == PROCESSOR);
        (!is_told || stored != vision.preparation).then_some(stored)
    }

    /// The task in `config.json`.
    pub(crate) fn described(&self, class: &str) -> Value {
        let mut config = self.config.clone();
        let Some(object) = config.as_object_mut() else { return config };
        if self.origin == Origin::Timm {
            let outputs = json!(self.task.outputs().unwrap_or(0));
            if let Some(settings) = object.get_mut("pretrained_cfg").and_then(Value::as_object_mut) {
                settings.insert("num_classes".to_owned(), outputs.clone());
            }
            object.insert("num_classes".to_owned(), outputs);
            object.insert("label_names".to_owned(), json!(self.task.labels()));
        } else {
            self.task.describe(class, object);
            object.remove("torch_dtype");
            object.insert("dtype".to_owned(), json!("float32"));
        }
        config
    }
}

/// Writes the folder or file that the model was read from, such that transformers, timm or torchvision loads it.
pub(crate) fn save(torch: &TorchModel, model: &Model, path: &Path) -> Result<()> {
    if let Origin::File { wrapper, prefix } = &torch.origin {
        return weights_file::save(torch, model, path, wrapper.as_deref(), prefix);
    }
    let class = torch.class();
    let cards = card::files(torch, model, path);
    let mut config = torch.described(&class);
    let preparation = torch.new_preparation(model);
    if let (Some(preparation), Origin::Timm) = (&preparation, &torch.origin)
        && let Some(settings) = config.get_mut("pretrained_cfg").and_then(Value::as_object_mut)
    {
        preparation.describe_to_timm(settings);
    }
    let mut folder = NewModelDirectory::new(&config, "");
    for (name, text) in cards {
        folder.file(name, text.into_bytes())?;
    }
    let pooled = torch.pooled_head();
    for (name, bytes) in torch.companions.iter().filter(|(name, _)| pooled.is_none() || name != sentence::NORMALIZE) {
        folder.file(name, bytes.clone())?;
    }
    if let (Some(preparation), Origin::Transformers) = (&preparation, &torch.origin) {
        folder.json(PROCESSOR, &preparation.processor())?;
    }
    if let Some(metadata) = &model.metadata {
        folder.json(RETUNE, metadata)?;
    }
    let (head, tensors): (Vec<_>, Vec<_>) =
        torch.tensors(model).into_iter().partition(|(name, _)| pooled.is_some() && torch.family.is_head(name));
    match (&torch.task, pooled) {
        (Task::Similarity { pooling, normalize }, _) => {
            sentence::describe(torch, &mut folder, *pooling, *normalize)?;
        }
        (_, Some(pooling)) => sentence::describe_classifier(torch, &mut folder, pooling, &head)?,
        _ => {}
    }
    let tensors: Vec<(String, Tensor)> =
        tensors.into_iter().map(|(name, tensor)| (torch.stored_name(&name).to_owned(), tensor)).collect();
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

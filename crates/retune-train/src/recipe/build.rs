//! From settings to a job: the model changed as asked, the data divided and prepared, everything checked against each other.

use super::keys::Recipe;
use super::method;
use super::rates;
use super::sections::value;
use super::settings::Settings;
use super::table;
use super::values::{Auto, CacheUse, Method, ModelKind, PrecisionKind, Weights};
use crate::baselines::{PROBE_EXAMPLES, ProbePart};
use crate::calibration::CalibrationSettings;
use crate::check::{Facts, check_job, default_loss};
use crate::error::TrainError;
use crate::features::CacheSettings;
use crate::language::{Language, Said, phrases};
use crate::report::Warning;
use crate::run::manifest::{FileManifest, ids_sha256};
use crate::run::{DataManifest, Manifest, path_sha256};
use crate::said;
use crate::stored::Stored;
use crate::task::{self, Asked, Fitted};
use crate::text;
use crate::trainer::{Job, OptimizerSettings, Stage, TrainSettings, steps_per_epoch};
use crate::warnings::warnings;
use retune_cpu::Cpu;
use retune_data::augment::text::{Synonyms, WordList};
use retune_data::augment::{Mixing, TextAugmenter};
use retune_data::column::user_cache;
use retune_data::preprocess::TargetEncoding;
use retune_data::{
    Augmentation, ClassWeights, Dataset, Loader, LoaderOptions, Parts, Preprocessing, Sampling, SourceKind,
    SourceOptions, StoredSplit, TableSchema, open, sources::detect,
};
use retune_models::keras::{LayerConfig, Sequential};
use retune_models::{FinalActivation, LoadReport, Mode, Model, Task};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A job with what is to be known about it.
#[derive(Debug)]
pub struct Built {
    /// Ready to train.
    pub job: Job,
    /// What of the model's file went where, if it came from one.
    pub report: Option<LoadReport>,
    /// Preprocessing as it will be stored with the model.
    pub preprocessing: Preprocessing,
    /// What was found out while building.
    pub facts: Facts,
    /// What was decided about the model's head, for the user.
    pub notes: Vec<Said>,
    /// What is fitted on the validation part after training.
    pub calibration: CalibrationSettings,
    /// What makes the figures less worth than they look.
    pub warnings: Vec<Warning>,
    /// How the training data are divided.
    pub split: StoredSplit,
    /// Language of the report. Default English.
    pub language: Language,
    /// Provenance; the data's hashes are computed here.
    pub manifest: Manifest,
    /// The resolved recipe as TOML, its paths absolute, so that it works from wherever it lies.
    pub recipe: String,
    /// The folder of the run.
    pub output: PathBuf,
    /// Name of the file that the trained model is saved as, in the folder of the run.
    pub model_name: String,
}

/// The examples of each part.
#[derive(Debug, Clone)]
pub struct DataParts {
    /// To train on.
    pub train: (Arc<Dataset>, Vec<u64>),
    /// To choose the best weights by.
    pub validation: Option<(Arc<Dataset>, Vec<u64>)>,
    /// For the final figures.
    pub test: Option<(Arc<Dataset>, Vec<u64>)>,
    /// Other data, measured before and after.
    pub also: Option<(Arc<Dataset>, Vec<u64>)>,
}

impl DataParts {
    /// The parts that there are.
    fn parts(&self) -> impl Iterator<Item = (&Dataset, &[u64])> {
        let parts = [Some(&self.train), self.validation.as_ref(), self.test.as_ref(), self.also.as_ref()];
        parts.into_iter().flatten().map(|(data, ids)| (data.as_ref(), ids.as_slice()))
    }
}

/// Builds what a recipe describes. Relative paths start at `folder`; `command` goes into `run.json`.
///
/// # Errors
/// Files that cannot be read, and everything that does not fit together.
pub fn build(settings: &Settings, folder: &Path, name: &str, command: &[String]) -> Result<Built, TrainError> {
    build_on(settings, folder, name, command, None)
}

/// The same, on data that was read before, where the recipe asks for just that.
///
/// # Errors
/// As for [`build`].
pub fn build_on(
    settings: &Settings,
    folder: &Path,
    name: &str,
    command: &[String],
    read: Option<ReadData>,
) -> Result<Built, TrainError> {
    // The parent of a bare file name is the empty path.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let seed = settings.train().seed;
    let (model, report, files, data, split) = match value(&settings.recipe().model.kind) {
        Some(ModelKind::Table) => {
            let (data, split) = load_data(settings, folder, None, read)?;
            (table::model(settings, &data)?, None, ModelFiles::default(), data, split)
        }
        None => {
            let (model, report, files) = load_model(settings, folder)?;
            let (data, split) = load_data(settings, folder, Some(&model), read)?;
            (model, report, files, data, split)
        }
    };
    let settings = &settings.for_model(&model);
    let recipe = settings.recipe();
    let (data, made) = table::with_smote(settings, data)?;
    let asked = Asked { task: value(&recipe.model.task), pooling: value(&recipe.model.pooling) };
    let Fitted { model, mut notes, is_new_head } = task::for_data(model, &data.train.0, asked, seed)?;
    notes.extend(made);
    let (mut model, last_of_base) = changed(model, settings)?;
    let mut optimizer = settings.optimizer().clone();
    let layer_decay = value(&recipe.optimizer.layer_decay).unwrap_or(1.0);
    let up_factor = value(&recipe.method.up_rate_factor).unwrap_or(1.0);
    rates::scale(&mut model, &mut optimizer.groups, layer_decay, up_factor);
    let has_new_head = is_new_head || recipe.model.head.is_some();
    let new_head = match &last_of_base {
        Some(last) if has_new_head && value(&recipe.eval.probe).unwrap_or(true) => {
            Some(model.weights_up_to(last)?.into_iter().map(|is_base| !is_base).collect())
        }
        _ => None,
    };
    let calibration = settings.calibration();
    check_calibration(&calibration, &data)?;
    let outlines = method::stages(&model, &recipe.method, last_of_base.as_deref(), settings.train().epochs)?;
    let stored = Stored::of(&model)?;
    let stored = stored.map(|stored| stored.preprocessing).unwrap_or_default();
    let mut preprocessing = match settings.preprocessing() {
        Some(own) => own.clone().over(stored),
        None => stored,
    };
    preprocessing.class_names = data.train.0.class_names().map(<[String]>::to_vec);

    let network = model.build(Mode::Inference, None).ok();
    let output = network.as_ref().and_then(|network| network.outputs.first());
    let probabilities = output.is_some_and(|output| output.final_activation != FinalActivation::None);
    let loss = match settings.loss(probabilities) {
        Some(loss) => loss,
        None => {
            // Class numbers cannot be mixed, so they become vectors.
            let name = match default_loss(&data.train.0, output) {
                "sparse-categorical-cross-entropy" if settings.mixing().is_some() => "categorical-cross-entropy",
                name => name,
            };
            settings.loss_named(name, probabilities)
        }
    };
    let targets = match default_targets(loss, &data.train.0) {
        TargetEncoding::AsStored if settings.mixing().is_some() && takes_vectors(loss, &data.train.0) => {
            TargetEncoding::OneHot
        }
        targets => targets,
    };
    preprocessing.targets = value(&recipe.preprocess.targets).unwrap_or(targets);
    // Not that of data which the model was trained on before.
    preprocessing.score_range = value(&recipe.preprocess.score_range);

    let parts = JobParts {
        cpu: value(&recipe.train.threads).map_or_else(Cpu::all_threads, Cpu::new),
        model,
        input_shape: value(&recipe.model.input_shape),
        data,
        preprocessing,
        augment: settings.augment().to_vec(),
        text_augment: text_augmenter(settings, folder)?,
        mixing: settings.mixing(),
        loss,
        class_weights: value(&recipe.loss.class_weights),
        sampling: settings.sampling(),
        draws: value(&recipe.data.sampling_size),
        optimizer,
        settings: TrainSettings { cache: cache(recipe, folder), ..settings.train().clone() },
        batch_sizes: settings.batch_sizes(),
        batch_tokens: value(&recipe.train.batch_tokens),
        bucket: value(&recipe.train.bucket).unwrap_or(false),
        workers: value(&recipe.train.workers),
        drop_last: value(&recipe.train.drop_last).unwrap_or(false),
        tolerance: value(&recipe.data.tolerance).unwrap_or(0),
        new_head,
    };
    if value(&recipe.train.precision) == Some(PrecisionKind::Bf16) && !parts.cpu.multiplies_bf16() {
        notes.push(Said::new(
            "this processor has no instructions for products of bfloat16 (AVX512-BF16); `train.precision` changes nothing",
            "此处理器没有 bfloat16 乘积的指令（AVX512-BF16）；`train.precision` 不起作用",
        ));
    }
    let mut manifest = manifest(&parts, files, folder, command)?;
    manifest.augment = augment_files(settings, folder)?;
    let output = value(&recipe.output.path).map_or_else(|| folder.join("runs").join(name), |path| folder.join(path));
    let warnings = warnings(&parts.data, &parts.settings, &manifest, &output);
    let (job, facts) = parts.job(|steps_per_epoch| with_rates(outlines, settings, steps_per_epoch))?;
    let extension = value(&recipe.model.path)
        .and_then(|path| Some(path.extension()?.to_str()?.to_owned()))
        .filter(|extension| MODEL_EXTENSIONS.contains(&extension.as_str()));
    let model_name = match extension {
        // A folder is written as a folder.
        None if job.model.task().is_some() => "model".to_owned(),
        extension => format!("model.{}", extension.as_deref().unwrap_or("keras")),
    };
    Ok(Built {
        preprocessing: Stored::of(&job.model)?.map(|stored| stored.preprocessing).unwrap_or_default(),
        job,
        report,
        facts,
        notes,
        calibration,
        warnings,
        split,
        language: Language::default(),
        manifest,
        recipe: recipe
            .with_absolute_paths(folder)
            .to_toml()
            .map_err(|error| TrainError::unfit(Said::as_it_is(error.to_string()), "check the recipe's values"))?,
        output,
        model_name: value(&recipe.output.model).unwrap_or(model_name),
    })
}

/// What changes texts, with the files that it needs; `None` where nothing does.
fn text_augmenter(settings: &Settings, folder: &Path) -> Result<Option<Arc<TextAugmenter>>, TrainError> {
    let keys = &settings.recipe().augment;
    let list = settings.text_augment().to_vec();
    if list.is_empty() {
        return Ok(None);
    }
    let words = value(&keys.words_file).map(|path| WordList::read(&folder.join(path))).transpose()?;
    let synonyms = value(&keys.synonyms_file).map(|path| Synonyms::read(&folder.join(path))).transpose()?;
    Ok(Some(Arc::new(TextAugmenter::new(list, words.unwrap_or_default(), synonyms)?)))
}

/// The files of the recipe that change texts, for provenance.
fn augment_files(settings: &Settings, folder: &Path) -> Result<Vec<FileManifest>, TrainError> {
    let keys = &settings.recipe().augment;
    let files = [value(&keys.words_file), value(&keys.synonyms_file)].into_iter().flatten();
    let file = |path: PathBuf| {
        let path = folder.join(path);
        Ok(FileManifest { sha256: path_sha256(&path)?, path, address: None })
    };
    files.map(file).collect()
}

/// The stages with the recipe's schedule, which each of them goes through from its beginning.
fn with_rates(outlines: Vec<method::Outline>, settings: &Settings, steps_per_epoch: u64) -> Vec<Stage> {
    let ends: Vec<u64> =
        outlines.iter().skip(1).map(|next| next.first_epoch).chain([settings.train().epochs]).collect();
    let stage = |(outline, end): (method::Outline, u64)| {
        let mut schedule = settings.schedule(steps_per_epoch, [outline.first_epoch, end]);
        schedule.learning_rate = outline.learning_rate.unwrap_or(schedule.learning_rate);
        Stage { name: outline.name, first_epoch: outline.first_epoch, trained: outline.trained, schedule }
    };
    outlines.into_iter().zip(ends).map(stage).collect()
}

/// Extensions of files that a model can come from and be written to.
const MODEL_EXTENSIONS: [&str; 8] = ["keras", "h5", "hdf5", "pth", "pt", "th", "bin", "safetensors"];

/// Where values of frozen layers are kept, and how.
fn cache(recipe: &Recipe, folder: &Path) -> Option<CacheSettings> {
    let keys = &recipe.train;
    let kind = value(&keys.cache).unwrap_or(CacheUse::Auto(Auto::Auto));
    if kind == CacheUse::Always(false) {
        return None;
    }
    // Without a folder for caches they stand beside the runs.
    let default = || user_cache().map_or_else(|| folder.join("runs/.features"), |cache| cache.join("retune/features"));
    let path = value(&keys.cache_folder).map_or_else(default, |path| folder.join(path));
    let defaults = CacheSettings::in_folder(path);
    Some(CacheSettings {
        limit_bytes: value(&keys.cache_bytes).unwrap_or(defaults.limit_bytes),
        precision: value(&keys.cache_precision).unwrap_or_default(),
        always: kind == CacheUse::Always(true),
        ..defaults
    })
}

/// What the recipe path and the builder path have in common: a job before its parts are checked against each other.
#[derive(Debug)]
pub struct JobParts {
    /// Where it runs.
    pub cpu: Cpu,
    /// The model, changed as asked.
    pub model: Model,
    /// Shape of one input, where the model leaves it open.
    pub input_shape: Option<Vec<usize>>,
    /// The examples of each part.
    pub data: DataParts,
    /// From stored values to what the network takes.
    pub preprocessing: Preprocessing,
    /// Random changes to training images and numbers.
    pub augment: Vec<Augmentation>,
    /// Random changes to training texts.
    pub text_augment: Option<Arc<TextAugmenter>>,
    /// How examples are mixed, if they are.
    pub mixing: Option<Mixing>,
    /// The loss.
    pub loss: crate::losses::Loss,
    /// Weights of the classes.
    pub class_weights: Option<ClassWeights>,
    /// How often training examples are drawn, if they are.
    pub sampling: Option<Sampling>,
    /// Examples drawn for an epoch.
    pub draws: Option<usize>,
    /// The optimizer.
    pub optimizer: OptimizerSettings,
    /// How long and how often.
    pub settings: TrainSettings,
    /// Batch sizes in training and in evaluation.
    pub batch_sizes: (usize, usize),
    /// Tokens of texts of a batch at most.
    pub batch_tokens: Option<usize>,
    /// Whether texts of like length stand in a batch.
    pub bucket: bool,
    /// Threads that prepare data.
    pub workers: Option<usize>,
    /// Whether the last, smaller batch of an epoch is left out.
    pub drop_last: bool,
    /// Unreadable examples that are skipped.
    pub tolerance: usize,
    /// Where the head is new and is to be held against a probe: for each weight whether it belongs to the head.
    pub new_head: Option<Vec<bool>>,
}

impl JobParts {
    /// Makes the loaders, which encode texts, checks everything against each other, and stores the preprocessing in the model.
    /// `stages` is given the number of optimizer steps in an epoch.
    ///
    /// # Errors
    /// Whatever does not fit together.
    pub fn job(mut self, stages: impl FnOnce(u64) -> Vec<Stage>) -> Result<(Job, Facts), TrainError> {
        let (train_data, train_ids) = self.data.train.clone();
        if matches!(self.model.task(), Some(Task::Similarity { .. })) && self.preprocessing.score_range.is_none() {
            self.preprocessing.score_range = Some(task::score_range(self.data.parts())?);
        }
        let class_weights = self.class_weights.map(|weights| weights.resolve(&train_data, &train_ids)).transpose()?;
        let sampling = self.sampling.map(|sampling| sampling.resolve(&train_data, &train_ids)).transpose()?;
        let facts = check_job(&self.model, &train_data, &self.preprocessing, self.loss, self.input_shape.as_deref())?;
        let encoder = text::encoder_for(&self.model, &train_data, &mut self.preprocessing)?;
        let labels = self.model.task().map(|task| task.labels().to_vec()).filter(|labels| !labels.is_empty());
        self.preprocessing.class_names = self.preprocessing.class_names.or(labels);
        let seed = self.settings.seed;
        let train = LoaderOptions {
            batch_size: self.batch_sizes.0.min(train_ids.len().max(1)),
            batch_tokens: self.batch_tokens,
            bucket: self.bucket,
            encoder: encoder.clone(),
            shuffle: true,
            sampling,
            draws: self.draws,
            drop_last: self.drop_last,
            seed,
            augment: self.augment,
            text_augment: self.text_augment,
            mixing: self.mixing,
            augmentations: self.settings.augmentations,
            preprocessing: self.preprocessing.clone(),
            class_weights,
            tolerance: self.tolerance,
            workers: self.workers,
            ..LoaderOptions::default()
        };
        let sequential = LoaderOptions {
            tolerance: self.tolerance,
            workers: self.workers,
            batch_tokens: self.batch_tokens,
            encoder,
            ..LoaderOptions::sequential(self.batch_sizes.1, self.preprocessing.clone())
        };
        let evaluation = |part: &Option<(Arc<Dataset>, Vec<u64>)>| {
            let part = part.clone().filter(|(_, ids)| !ids.is_empty());
            part.map(|(data, ids)| Loader::new(data, ids, sequential.clone())).transpose()
        };
        let (validation, test) = (evaluation(&self.data.validation)?, evaluation(&self.data.test)?);
        let also = evaluation(&self.data.also)?;
        let probe = match self.new_head {
            Some(head) => {
                let step = train_ids.len().div_ceil(PROBE_EXAMPLES).max(1);
                let some: Vec<u64> = train_ids.iter().copied().step_by(step).collect();
                evaluation(&Some((train_data.clone(), some)))?.map(|train| ProbePart { train, head })
            }
            None => None,
        };
        let train = Loader::new(train_data, train_ids, train)?;
        let loss = Some(self.loss.name().to_owned());
        let stored = Stored { preprocessing: self.preprocessing.clone(), loss, ..Stored::default() };
        stored.put_into(&mut self.model)?;
        let steps = steps_per_epoch(&train, self.settings.accumulate, &self.optimizer);
        let job = Job {
            cpu: self.cpu,
            model: self.model,
            input_shapes: facts.input_shape.clone().map(|shape| vec![shape.into_iter().map(Some).collect()]),
            loss: self.loss,
            optimizer: self.optimizer,
            stages: stages(steps),
            train,
            validation,
            test,
            also,
            probe,
            settings: self.settings,
        };
        Ok((job, facts))
    }
}

/// Whether a loss takes vectors where the data has class numbers.
fn takes_vectors(loss: crate::losses::Loss, data: &Dataset) -> bool {
    loss.target_form() == crate::losses::TargetForm::ClassProbabilities
        && matches!(data.label_kind(), retune_data::LabelKind::ClassIndex { .. })
}

/// How labels are given to a loss where the recipe does not say: as stored, but for a class number that is to be a value.
pub(crate) fn default_targets(loss: crate::losses::Loss, data: &Dataset) -> TargetEncoding {
    use crate::losses::TargetForm;
    use retune_data::LabelKind;
    let is_index = matches!(data.label_kind(), LabelKind::ClassIndex { .. });
    match loss.target_form() {
        TargetForm::Binary | TargetForm::Values if is_index => TargetEncoding::Value,
        _ => TargetEncoding::AsStored,
    }
}

fn layers(tables: &[toml::Table]) -> Result<Vec<LayerConfig>, TrainError> {
    let layer = |table: &toml::Table| {
        let class = table.get("class").and_then(toml::Value::as_str).unwrap_or_default();
        table.iter().filter(|(key, _)| *key != "class").try_fold(LayerConfig::new(class), |layer, (key, value)| {
            let json = serde_json::to_value(value).map_err(|error| {
                TrainError::unfit(Said::as_it_is(error.to_string()), "check the layer's attributes")
            })?;
            // Keys are Keras's names; both ways to join words are taken.
            Ok(layer.with(&key.replace('-', "_"), json))
        })
    };
    tables.iter().map(layer).collect()
}

/// The files that a model's weights come from.
#[derive(Debug, Default)]
struct ModelFiles {
    model: Option<FileManifest>,
    weights: Option<FileManifest>,
}

fn load_model(settings: &Settings, folder: &Path) -> Result<(Model, Option<LoadReport>, ModelFiles), TrainError> {
    let keys = &settings.recipe().model;
    let seed = settings.train().seed;
    let file = |path: PathBuf| Ok::<_, TrainError>(FileManifest { sha256: path_sha256(&path)?, path, address: None });
    let mut files = ModelFiles::default();
    let (mut model, report) = match value(&keys.path) {
        Some(path) => {
            let path = folder.join(path);
            let (mut model, report) = Model::load(&path)?;
            if value(&keys.weights) == Some(Weights::None) {
                model = model.with_fresh_weights(seed)?;
            }
            files.model = Some(file(path)?);
            (model, Some(report))
        }
        None => {
            let shape = value(&keys.input_shape).unwrap_or_default();
            let new = Sequential::new("model").input(&shape);
            let tables = value(&keys.layers).unwrap_or_default();
            let model = layers(&tables)?.into_iter().fold(new, Sequential::add).build(seed)?;
            (model, None)
        }
    };
    if let Some(path) = value(&keys.weights_file) {
        let path = folder.join(path);
        model.load_weights(&path)?;
        files.weights = Some(file(path)?);
    }
    Ok((model, report, files))
}

/// The model with frozen layers, a new head and parameter groups as the recipe says, and the last layer that is not the head's.
fn changed(mut model: Model, settings: &Settings) -> Result<(Model, Option<String>), TrainError> {
    let keys = &settings.recipe().model;
    let seed = settings.train().seed;
    let head = value(&keys.head).map(|tables| layers(&tables)).transpose()?;
    let last_of_base = match &keys.wrap {
        Some(_) => Some(model.name().to_owned()),
        None => value(&keys.head_after).or_else(|| model.layer_before_head()),
    };
    if value(&settings.recipe().method.kind) == Some(Method::Head) {
        if keys.wrap.is_some() {
            model.set_trainable("*", false)?;
        } else if let Some(last) = &last_of_base {
            model.freeze_up_to(last)?;
        }
    }
    if let Some(layer) = value(&keys.freeze_up_to) {
        model.freeze_up_to(&layer)?;
    }
    for pattern in value(&keys.freeze).unwrap_or_default() {
        model.set_trainable(&pattern, false)?;
    }
    for pattern in value(&keys.unfreeze).unwrap_or_default() {
        model.set_trainable(&pattern, true)?;
    }
    if let Some(head) = head {
        model = match value(&keys.wrap) {
            Some(name) => model.wrap(&name, &head, seed)?,
            None => {
                let after = last_of_base.as_ref().ok_or_else(|| {
                    TrainError::unfit(
                        ("the model has no head that could be replaced", "模型没有可以替换的头"),
                        "name `model.head-after`",
                    )
                })?;
                model.replace_head(after, &head, seed)?
            }
        };
    }
    method::add_adapters(&mut model, &settings.recipe().method, seed)?;
    for (index, group) in value(&keys.groups).unwrap_or_default().iter().enumerate() {
        for pattern in &group.layers {
            model.set_group(pattern, index + 1)?;
        }
    }
    Ok((model, last_of_base))
}

/// Data of a recipe, read before the recipe was complete: what it depends on may depend on the data, as a new head does on the
/// classes.
#[derive(Debug)]
pub struct ReadData {
    path: PathBuf,
    options: SourceOptions,
    parts: Parts,
}

impl ReadData {
    /// Reads the data that a recipe names, for a model, with the classes that the data has, whatever the model knows; without one, for a new
    /// model for tables. Relative paths start at `folder`.
    ///
    /// # Errors
    /// Data that cannot be read.
    pub fn open(settings: &Settings, folder: &Path, model: Option<&Model>) -> Result<ReadData, TrainError> {
        let (path, options) = source(settings, folder, model, true)?;
        let parts = open(&path, &options)?;
        Ok(ReadData { path, options, parts })
    }

    /// The examples to train on.
    pub fn train(&self) -> &Dataset {
        &self.parts.train
    }
}

/// Where the data is, and how it is read for a model, which may have classes of its own.
fn source(
    settings: &Settings,
    folder: &Path,
    model: Option<&Model>,
    are_classes_new: bool,
) -> Result<(PathBuf, SourceOptions), TrainError> {
    let keys = settings.recipe();
    let mut options = settings.source_options();
    if model.is_some_and(|model| model.tokenizer().is_some()) {
        options.kind.get_or_insert(SourceKind::Text);
    }
    let (table, names) = match model {
        Some(model) => {
            let stored = Stored::of(model)?.map(|stored| stored.preprocessing).unwrap_or_default();
            (stored.table, stored.class_names)
        }
        None => (Some(TableSchema::default()), None),
    };
    if let Some(schema) = table {
        if !are_classes_new {
            // Classes have the numbers that the model's outputs have.
            options.class_names = options.class_names.or(names);
        }
        let own = schema.source_options();
        options.kind.get_or_insert(SourceKind::Table);
        options.label = options.label.or(own.label);
        options.labels = options.labels.or(own.labels);
        options.header = options.header.or(own.header);
    }
    Ok((folder.join(value(&keys.data.path).unwrap_or_default()), options))
}

/// The data as the recipe reads them, for a model, or for a new one for tables, and how those of the training part are divided.
fn load_data(
    settings: &Settings,
    folder: &Path,
    model: Option<&Model>,
    read: Option<ReadData>,
) -> Result<(DataParts, StoredSplit), TrainError> {
    let keys = settings.recipe();
    let (path, mut options) = source(settings, folder, model, keys.model.head.is_some())?;
    let mut parts = match read.filter(|read| read.path == path && read.options == options) {
        Some(read) => read.parts,
        None => open(&path, &options)?,
    };
    if let Some(names) = model.and_then(|model| task::label_order(model, &parts.train)) {
        options.class_names = Some(names);
        parts = open(&path, &options)?;
    }
    let train = Arc::new(parts.train);
    let options = options.like(&train);
    let other = |path: Option<PathBuf>, own: Option<Dataset>| -> Result<_, TrainError> {
        let data = match path {
            Some(path) => {
                let path = folder.join(path);
                // Groups, times and weights are asked of training data alone: another part may be of a kind without columns.
                match options.kind.map_or_else(|| detect(&path), Ok) {
                    Ok(kind) if !kind.has_columns() => {
                        let options = SourceOptions { group: None, time: None, weight: None, ..options.clone() };
                        Some(open(&path, &options)?.train)
                    }
                    _ => Some(open(&path, &options)?.train),
                }
            }
            None => own,
        };
        Ok(data.map(Arc::new))
    };
    let validation = other(value(&keys.data.validation), parts.validation)?;
    let test = other(value(&keys.data.test), parts.test)?;
    // A part of its own is not touched where the folds of the training data test.
    let test = test.filter(|_| keys.split.folds.is_none());
    let split = settings.divide(&train, folder, [validation.is_some(), test.is_some()])?;
    let stored = StoredSplit::new(&train, split.clone())?;
    let train_ids = split.train;
    let whole = |data: Arc<Dataset>| {
        let ids = data.ids();
        (data, ids)
    };
    let or_split = |own: Option<Arc<Dataset>>, ids: Vec<u64>| match own {
        Some(data) => Some(whole(data)),
        None if ids.is_empty() => None,
        None => Some((train.clone(), ids)),
    };
    let (validation, test) = (or_split(validation, split.validation), or_split(test, split.test));
    let also = value(&keys.eval.also).map(|path| judged(&folder.join(path), &options)).transpose()?;
    let also = also.map(|data| whole(Arc::new(data)));
    Ok((DataParts { train: (train, train_ids), validation, test, also }, stored))
}

/// The part of data that figures are made of: its test part, else its validation part, else all.
fn judged(path: &Path, options: &SourceOptions) -> Result<Dataset, TrainError> {
    let parts = open(path, options).map_err(|error| {
        let text = error.to_string();
        let (problem, hint) = text.split_once("\nhint: ").unwrap_or((&text, "give labels that the model has"));
        let chinese = phrases::chinese(problem);
        TrainError::unfit(Said::new(format!("`eval.also`: {problem}"), format!("`eval.also`：{chinese}")), hint)
    })?;
    Ok(parts.test.or(parts.validation).unwrap_or(parts.train))
}

/// What is fitted after training needs items to fit it on, and to see its effect.
fn check_calibration(calibration: &CalibrationSettings, data: &DataParts) -> Result<(), TrainError> {
    let key = if calibration.temperature { "eval.temperature" } else { "eval.threshold" };
    let is_missing = match calibration.needs_validation() {
        true => data.validation.is_none(),
        false => !calibration.is_empty() && data.validation.is_none() && data.test.is_none(),
    };
    if is_missing {
        return Err(TrainError::unfit(
            said!("`{key}` is fitted on a validation part, and there is none", "`{key}` 在验证集上拟合，而没有验证集"),
            "name one with `data.validation`, or take a share with `validation = 0.1` in `[split]`",
        ));
    }
    Ok(())
}

/// `run.json` of a job.
fn manifest(parts: &JobParts, files: ModelFiles, folder: &Path, command: &[String]) -> Result<Manifest, TrainError> {
    let data = [
        ("train", Some(&parts.data.train)),
        ("validation", parts.data.validation.as_ref()),
        ("test", parts.data.test.as_ref()),
        ("also", parts.data.also.as_ref()),
    ];
    let data = data.into_iter().filter_map(|(part, data)| Some((part, data?)));
    let data = data.map(|(part, (data, ids))| {
        Ok(DataManifest {
            part: part.to_owned(),
            description: data.description().to_owned(),
            examples: ids.len(),
            sha256: data.content_hash()?.to_string(),
            ids_sha256: Some(ids_sha256(ids)),
        })
    });
    Ok(Manifest {
        retune: env!("CARGO_PKG_VERSION").to_owned(),
        command: command.to_vec(),
        folder: std::path::absolute(folder).map_err(TrainError::read(folder))?,
        seed: parts.settings.seed,
        threads: parts.cpu.threads(),
        instruction_set: format!("{:?}", parts.cpu.level()),
        model: files.model,
        weights: files.weights,
        augment: Vec::new(),
        data: data.collect::<Result<_, TrainError>>()?,
    })
}

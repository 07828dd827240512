//! What is to be trained: a recipe's file, or flags in its place.

use super::failure::Failure;
use super::models::Located;
use super::parts::PartsArguments;
use super::{Context, Result, models, outcome, paths};
use retune::Model;
use retune::data::{Dataset, Inputs};
use retune::models::Mode;
use retune::train::language::{Language, Said};
use retune::train::recipe::{self, Built, ReadData, Settings};
use retune::train::repeats::{Repeat, RepeatKind};
use retune::train::stored::Stored;
use std::path::{Path, PathBuf};

/// A recipe, or flags in its place.
#[derive(Debug, Clone, clap::Args)]
pub struct JobArguments {
    /// A recipe (TOML)
    #[arg(value_name = "RECIPE", required_unless_present_any = ["model", "data"], conflicts_with = "model")]
    pub recipe: Option<PathBuf>,
    /// The pretrained model, in place of a recipe: a file, a folder, or `hf://org/name`
    #[arg(long, value_name = "MODEL", requires = "data")]
    pub model: Option<PathBuf>,
    /// What to train on: a folder with one sub-folder of images per class; a table of texts, numbers or image files (.csv, .tsv, .json,
    /// .jsonl, .parquet, .arrow); lines of label and text; labelled words (.conll); CIFAR-10 batches, IDX, .npy, .npz
    #[arg(long, value_name = "DATA", conflicts_with = "recipe")]
    pub data: Option<PathBuf>,
    #[command(flatten)]
    pub parts: PartsArguments,
    /// Which weights are trained: `full`, `head`, `lp-ft`, `gradual`, `lora`, `ia3`, `bottleneck`, `prompt`, `prefix`, `biases` or
    /// `norms`
    #[arg(long, value_name = "METHOD")]
    pub method: Option<String>,
    /// Passes over the data
    #[arg(long, value_name = "N")]
    pub epochs: Option<u64>,
    /// Examples that go through the network together
    #[arg(long, value_name = "N")]
    pub batch_size: Option<usize>,
    /// Learning rate
    #[arg(long, value_name = "RATE")]
    pub learning_rate: Option<f64>,
    /// Factor of pixel values, for a model that does not say how it was trained: 0.00392156862745098 brings 0–255 to 0–1
    #[arg(long, value_name = "FACTOR")]
    pub scale: Option<f32>,
    /// Seed of everything random
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Folder where what frozen layers give is kept from run to run [default: `retune/features` in the user's folder for caches]
    #[arg(long, value_name = "FOLDER")]
    pub cache_dir: Option<PathBuf>,
    /// Folder of the run [default: runs/ and the name of the recipe or the data]
    #[arg(long, short, value_name = "FOLDER")]
    pub output: Option<PathBuf>,
    /// Set a value of the recipe, such as `train.epochs=3`; may be given several times. Relative paths start at the current folder
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    pub overrides: Vec<String>,
}

/// What is to be trained.
struct Job {
    settings: Settings,
    /// The folder that relative paths of the recipe start at.
    folder: PathBuf,
    /// The recipe's name.
    name: String,
    /// The exact address of the model on the Hub.
    address: Option<String>,
    /// The data, where it was looked at to make the recipe.
    read: Option<ReadData>,
}

impl JobArguments {
    /// Reads the recipe, or makes one of the flags, and builds what it describes.
    pub fn build(&self, context: &Context) -> Result<Built> {
        let command: Vec<String> = std::env::args().collect();
        let Job { settings, folder, name, address, read } = self.settings(context)?;
        let mut built = recipe::build_on(&settings, &folder, &name, &command, read)?;
        if let Some(model) = &mut built.manifest.model {
            model.address = address;
        }
        for note in &built.notes {
            let mark = |language| if language == Language::Chinese { "注意：" } else { "note: " };
            context.console.said(&Said::in_each(|language| mark(language).to_owned() + note.of(language)));
        }
        for warning in &built.warnings {
            context.console.note(outcome::warning_text(warning, context.language));
        }
        built.language = context.language;
        // Said as the user said it: the same folder, as the command runs where its relative paths start.
        built.output = paths::tidy(self.output.as_deref().unwrap_or(&built.output));
        Ok(built)
    }

    /// The recipe or what the flags stand for.
    fn settings(&self, context: &Context) -> Result<Job> {
        match (&self.recipe, &self.model, &self.data) {
            (Some(path), _, _) => self.read_recipe(context, path),
            (None, Some(model), Some(data)) => self.recipe_of_flags(context, model, data),
            _ => Err(Failure::usage(Said::new("name a recipe, or a model and data", "请指定配方，或模型和数据"))
                .hint("--model MODEL --data DATA")),
        }
    }

    /// The same job several times, each in its own folder in the job's: the folder of all, and the job of each repeat. Under several seeds
    /// the data are divided the same way for all, unless the recipe has a seed for that.
    pub fn of_repeats(
        &self,
        context: &Context,
        kind: RepeatKind,
        count: u64,
    ) -> Result<(PathBuf, Vec<(Repeat, JobArguments)>)> {
        let quiet = Context { console: context.console.silenced(), ..*context };
        let Job { settings, folder, name, .. } = self.settings(&quiet)?;
        let recipe = settings.recipe();
        let own = recipe.output.path.as_ref().map(|path| folder.join(&path.value));
        let root = paths::tidy(&self.output.clone().or(own).unwrap_or_else(|| folder.join("runs").join(name)));
        if kind == RepeatKind::Draws && recipe.data.per_class.is_none() {
            let failure = Failure::usage((
                "`--draws` draws few examples of each class, and nothing says how many",
                "`--draws` 从每类抽取少量样本，而没有说明抽多少",
            ));
            return Err(failure.hint("add `per-class = 8` to `[data]`, or `--set data.per-class=8`"));
        }
        let first = match kind {
            RepeatKind::Seeds => settings.train().seed,
            RepeatKind::Folds | RepeatKind::Draws => 1,
        };
        // These are what differs; whatever else the user sets counts for all.
        let own_keys: &[&str] = match kind {
            RepeatKind::Seeds => &["train.seed"],
            RepeatKind::Folds => &["split.folds", "split.fold"],
            RepeatKind::Draws => &["data.draw"],
        };
        let of_repeat = |number: u64| {
            let repeat = kind.number(number);
            let mut job = JobArguments { output: Some(repeat.folder(&root)), ..self.clone() };
            let is_own = |text: &str| {
                let key = text.split('=').next().unwrap_or_default().trim();
                key == "output.path" || own_keys.contains(&key)
            };
            job.overrides.retain(|text| !is_own(text));
            match repeat {
                Repeat::Seed(seed) => {
                    job.seed = Some(seed);
                    if recipe.split.seed.is_none() {
                        job.overrides.insert(0, format!("split.seed={first}"));
                    }
                }
                Repeat::Fold(fold) => {
                    job.overrides.extend([format!("split.folds={count}"), format!("split.fold={fold}")]);
                }
                Repeat::Draw(draw) => job.overrides.push(format!("data.draw={draw}")),
            }
            (repeat, job)
        };
        Ok((root.clone(), (first..first + count).map(of_repeat).collect()))
    }

    fn read_recipe(&self, context: &Context, path: &Path) -> Result<Job> {
        paths::must_exist(path)?;
        let mut overrides = self.all_overrides(context)?;
        let mut settings = recipe::read(path, &overrides)?;
        let mut address = None;
        if let Some(model) = settings.recipe().model.path.as_ref().filter(|path| models::is_address(&path.value)) {
            let located = models::locate(context, &model.value)?;
            let path_in_cache = absolute(&located.path)?;
            overrides.push(format!("model.path={}", text_value(&path_in_cache)));
            (settings, address) = (recipe::read(path, &overrides)?, located.address);
        }
        let here = absolute(Path::new("."))?;
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        for key in [&settings.recipe().model.path, &settings.recipe().data.path].into_iter().flatten() {
            paths::must_exist(&as_seen_from(&here, folder.join(&key.value)))?;
        }
        Ok(Job { settings, folder, name: stem(path), address, read: None })
    }

    /// The recipe that flags stand for: inputs brought to the model's shape, and a new head where the classes are others.
    fn recipe_of_flags(&self, context: &Context, model_path: &Path, data_path: &Path) -> Result<Job> {
        paths::must_exist(data_path)?;
        let Located { path, address } = models::locate(context, model_path)?;
        let model_path = path.as_path();
        let (model, _) = Model::load(model_path)?;
        let stored = Stored::of(&model)?;
        let mut overrides =
            vec![format!("model.path={}", text_value(model_path)), format!("data.path={}", text_value(data_path))];
        let given = self.all_overrides(context)?;
        let parse = |overrides: &[String]| recipe::parse("", "", overrides);
        let folder = PathBuf::from(".");
        let known = parse(&[overrides.as_slice(), &given].concat())?;
        let read = ReadData::open(&known, &folder, Some(&model))?;
        let train = read.train();
        if stored.is_none() {
            overrides.extend(fitting_inputs(&model, train));
            if self.scale.is_none()
                && train.has_images()
                && !self.overrides.iter().any(|o| o.starts_with("preprocess."))
            {
                context.console.said(&Said::new(
                    "note: the model does not say how its inputs were scaled; pixels are given as 0–255\n\
                     hint: for a model trained on 0–1, add `--scale 0.00392156862745098`",
                    "注意：模型没有说明其输入如何缩放；像素按 0–255 给出\n\
                     提示：对在 0–1 上训练的模型，请加上 `--scale 0.00392156862745098`",
                ));
            }
        }
        // Models with a task get the head that suits the labels by themselves.
        let knows = |name: &String| {
            let own = stored.as_ref().and_then(|stored| stored.preprocessing.class_names.as_ref());
            own.is_some_and(|own| own.contains(name))
        };
        // Classes of a table that the model knows by their names keep their outputs.
        let is_known = train.table().is_some() && train.class_names().is_some_and(|names| names.iter().all(knows));
        if let Some(head) = fitting_head(&model, train).filter(|_| model.task().is_none() && !is_known) {
            overrides.push(head);
        }
        overrides.extend(given);
        let settings = parse(&overrides)?;
        Ok(Job { settings, folder, name: stem(data_path), address, read: Some(read) })
    }

    /// Flags as overrides, in front of those given as such.
    fn all_overrides(&self, context: &Context) -> Result<Vec<String>> {
        self.parts.must_exist()?;
        let mut overrides = Vec::new();
        let mut set = |key: &str, value: Option<String>| overrides.extend(value.map(|v| format!("{key}={v}")));
        set("method.kind", self.method.clone());
        set("train.epochs", self.epochs.map(|n| n.to_string()));
        set("train.batch-size", self.batch_size.map(|n| n.to_string()));
        set("train.seed", self.seed.map(|n| n.to_string()));
        set("train.threads", context.threads.map(|n| n.to_string()));
        set("optimizer.learning-rate", self.learning_rate.map(|rate| format!("{rate:?}")));
        set("preprocess.scale", self.scale.map(|scale| format!("{scale:?}")));
        for (key, folder) in [("output.path", &self.output), ("train.cache-folder", &self.cache_dir)] {
            let Some(folder) = folder else { continue };
            overrides.push(format!("{key}={}", text_value(&absolute(folder)?)));
        }
        for (part, path) in self.parts.given() {
            overrides.push(format!("data.{part}={}", text_value(&absolute(path)?)));
        }
        let here = absolute(Path::new("."))?;
        overrides.extend(self.overrides.iter().map(|text| recipe::with_path_from(text, &here)));
        Ok(overrides)
    }
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|e| {
        Failure::new(Said::new(
            format!("cannot tell where `{}` is: {e}", path.display()),
            format!("无法确定 `{}` 的位置：{e}", path.display()),
        ))
    })
}

/// Settings that bring the data's images to the model's input.
fn fitting_inputs(model: &Model, data: &Dataset) -> Vec<String> {
    let Ok(network) = model.build(Mode::Inference, None) else { return Vec::new() };
    let sizes: Vec<usize> = network
        .inputs
        .iter()
        .flat_map(|input| input.shape.dims().iter().skip(1))
        .filter_map(|dim| dim.fixed())
        .collect();
    let &[height, width, channels] = sizes.as_slice() else { return Vec::new() };
    let mut overrides = Vec::new();
    let (stored_size, stored_channels) = match (data.inputs(), data.input_shape()) {
        (Inputs::Encoded(images), _) => (images.size, 3),
        (Inputs::Images(_), Some(&[h, w, c])) => (Some([h, w]), c),
        (_, Some(&[values])) if values == height * width * channels => {
            return vec![format!("data.input-shape=[{height}, {width}, {channels}]")];
        }
        _ => return overrides,
    };
    if stored_size != Some([height, width]) {
        overrides.push(format!("preprocess.resize=[{height}, {width}]"));
    }
    if stored_channels != channels && matches!(channels, 1 | 3) {
        overrides.push(format!("preprocess.color={}", if channels == 1 { "grey" } else { "rgb" }));
    }
    overrides
}

/// A new head, where the model tells another number of classes apart than the data has.
fn fitting_head(model: &Model, data: &Dataset) -> Option<String> {
    let classes = data.class_count()?;
    let network = model.build(Mode::Inference, None).ok()?;
    let units = network.graph.shape(network.outputs.first()?.node).dims().last()?.fixed()?;
    let fits = units == classes || (units == 1 && classes == 2);
    (!fits).then(|| format!("model.head=[{{ class = \"Dense\", units = {classes}, activation = \"softmax\" }}]"))
}

/// A path below the current folder as the user said it.
fn as_seen_from(here: &Path, path: PathBuf) -> PathBuf {
    path.strip_prefix(here).map(Path::to_owned).unwrap_or(path)
}

/// A path as a TOML text.
fn text_value(path: &Path) -> String {
    serde_json::Value::from(path.to_string_lossy().into_owned()).to_string()
}

/// A file's or folder's name without its extensions.
fn stem(path: &Path) -> String {
    let name = path.file_name().map_or_else(|| "run".to_owned(), |name| name.to_string_lossy().into_owned());
    name.split('.').find(|part| !part.is_empty()).unwrap_or("run").to_owned()
}

//! A recipe after checking: every value in its range, defaults filled in.

use super::document::{Document, Located, Place, RecipeError, nearest};
use super::keys::{Recipe, ScheduleKeys};
use super::sections::{resolve, value};
use super::values::{Method, PrecisionKind, SamplingKey, ThresholdCosts, ThresholdGoalKey, ThresholdKey, Weights};
use crate::calibration::{CalibrationSettings, ThresholdChoice};
use crate::language::{Language, Said};
use crate::losses::Loss;
use crate::metrics::{Metric, ThresholdGoal};
use crate::optimizers::{Adagrad, Adam, AdamW, GradientDescent, Optimizer, ParameterGroup, RmsProp, Sgd};
use crate::said;
use crate::schedules::{Cosine, Decay, Exponential, Polynomial, ReduceOnPlateau, Schedule, Step, Warmup};
use crate::task::TaskKind;
use crate::trainer::{EarlyStopping, Every, OptimizerSettings, TrainSettings};
use retune_data::augment::{Mixing, TextAugmentation};
use retune_data::{Augmentation, Preprocessing, SourceOptions};
use retune_models::Model;

/// A checked recipe.
#[derive(Debug, Clone)]
pub struct Settings {
    recipe: Recipe,
    optimizer: OptimizerSettings,
    train: TrainSettings,
    preprocessing: Option<Preprocessing>,
    augment: Vec<Augmentation>,
    text_augment: Vec<TextAugmentation>,
    mixing: Option<Mixing>,
}

impl Settings {
    /// Checks a recipe and fills in what it leaves open.
    ///
    /// # Errors
    /// Every problem at once, those that were noted in the document before among them.
    pub fn check(mut recipe: Recipe, mut document: Document) -> Result<Settings, RecipeError> {
        let mut check = Check { document: &mut document };
        check.required(&recipe);
        check.ranges(&recipe);
        check.split(&recipe);
        check.table(&recipe);
        check.loss(&recipe);
        check.task(&recipe);
        let optimizer = check.optimizer(&mut recipe);
        check.schedule(&mut recipe);
        let preprocessing = check.preprocessing(&recipe);
        let augment = check.augment(&recipe);
        let text_augment = check.augment_texts(&recipe);
        let mixing = check.mixing(&recipe);
        let train = check.train(&mut recipe);
        document.finish()?;
        Ok(Settings { recipe, optimizer, train, preprocessing, augment, text_augment, mixing })
    }

    /// The settings with the defaults for a model: those of an encoder of texts are a learning rate that suits the method, and a
    /// schedule with it, where the recipe says nothing about them. Rates are common in the field: 5e-5 is transformers', low ranks
    /// and few weights take more.
    pub fn for_model(&self, model: &Model) -> Settings {
        let mut settings = self.clone();
        let is_adam = matches!(self.optimizer.optimizer, Optimizer::Adam(_) | Optimizer::AdamW(_));
        let is_fresh = value(&self.recipe.model.weights) == Some(Weights::None);
        let Recipe { method, optimizer, schedule, .. } = &mut settings.recipe;
        if model.max_tokens().is_none() || is_fresh || !is_adam || is_given(&optimizer.learning_rate) {
            return settings;
        }
        fn default<T>(value: T) -> Option<Located<T>> {
            Some(Located { value, place: Place::Absent })
        }
        let kind = value(&method.kind).unwrap_or(Method::Full);
        optimizer.learning_rate = default(match kind {
            Method::Full | Method::LpFt | Method::Gradual => 5e-5,
            Method::Lora | Method::Bottleneck | Method::Biases | Method::Norms => 5e-4,
            Method::Head | Method::Ia3 | Method::Prompt | Method::Prefix => HEAD_LEARNING_RATE,
        });
        if kind == Method::LpFt && method.head_learning_rate.is_none() {
            method.head_learning_rate = default(HEAD_LEARNING_RATE);
        }
        let nothing = ScheduleKeys { kind: schedule.kind.clone(), ..ScheduleKeys::default() };
        if *schedule == nothing && !is_given(&schedule.kind) {
            schedule.kind = default("linear".to_owned());
            schedule.warmup_share = default(0.1);
        }
        settings
    }

    /// The recipe with the defaults filled in that do not depend on model and data.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The optimizer.
    pub fn optimizer(&self) -> &OptimizerSettings {
        &self.optimizer
    }

    /// How long and how often.
    pub fn train(&self) -> &TrainSettings {
        &self.train
    }

    /// Preprocessing, if the recipe says anything about it but targets.
    pub fn preprocessing(&self) -> Option<&Preprocessing> {
        self.preprocessing.as_ref()
    }

    /// What is fitted on the validation part after training.
    pub fn calibration(&self) -> CalibrationSettings {
        let threshold = value(&self.recipe.eval.threshold).map(|key| match key {
            ThresholdKey::Given(threshold) => ThresholdChoice::Given(threshold as f32),
            ThresholdKey::Goal(ThresholdGoalKey::F1) => ThresholdChoice::Chosen(ThresholdGoal::F1),
            ThresholdKey::Goal(ThresholdGoalKey::BalancedAccuracy) => {
                ThresholdChoice::Chosen(ThresholdGoal::BalancedAccuracy)
            }
            ThresholdKey::Cost(ThresholdCosts { false_positive, false_negative }) => {
                ThresholdChoice::Chosen(ThresholdGoal::Cost { false_positive, false_negative })
            }
        });
        CalibrationSettings { temperature: value(&self.recipe.eval.temperature).unwrap_or(false), threshold }
    }

    /// Augmentations, in order.
    pub fn augment(&self) -> &[Augmentation] {
        &self.augment
    }

    /// Augmentations of texts, in order.
    pub fn text_augment(&self) -> &[TextAugmentation] {
        &self.text_augment
    }

    /// How examples are mixed, if they are.
    pub fn mixing(&self) -> Option<Mixing> {
        self.mixing
    }

    /// Examples that go through the network together at most: in training, in evaluation.
    pub fn batch_sizes(&self) -> (usize, usize) {
        let any = if self.recipe.train.batch_tokens.is_some() { usize::MAX } else { 32 };
        let train = value(&self.recipe.train.batch_size).unwrap_or(any);
        (train, value(&self.recipe.eval.batch_size).unwrap_or(train))
    }

    /// How the data's source is to be read.
    pub fn source_options(&self) -> SourceOptions {
        let data = &self.recipe.data;
        SourceOptions {
            kind: value(&data.kind),
            tolerance: value(&data.tolerance).unwrap_or(0),
            labels: value(&data.labels).or(value(&self.recipe.model.task).map(TaskKind::labels)),
            classes: value(&data.classes),
            class_names: value(&data.class_names),
            input_shape: value(&data.input_shape),
            layout: value(&data.layout).unwrap_or_default(),
            inputs_key: value(&data.inputs_key),
            labels_key: value(&data.labels_key),
            labels_path: value(&data.labels_path),
            header: value(&data.header),
            label: value(&data.label),
            text: value(&data.text),
            text_pair: value(&data.text_pair),
            format: value(&data.format),
            encoding: value(&data.encoding),
            delimiter: value(&data.delimiter),
            label_separator: value(&data.label_separator),
            image: value(&data.image),
            storage: value(&data.storage).unwrap_or_default(),
            spool_folder: value(&data.spool_folder),
            drop_columns: value(&data.drop_columns).unwrap_or_default(),
            group: value(&self.recipe.split.group),
            time: value(&self.recipe.split.time),
            weight: match value(&data.sampling) {
                Some(SamplingKey::Column(weight)) => Some(weight.column),
                _ => None,
            },
            ..SourceOptions::default()
        }
    }

    /// The loss, if the recipe names one. `ends_in_probabilities`: whether the network ends in softmax or sigmoid.
    pub fn loss(&self, ends_in_probabilities: bool) -> Option<Loss> {
        let name = value(&self.recipe.loss.kind)?;
        Some(self.loss_named(&name, ends_in_probabilities))
    }

    /// The loss of this name with the recipe's settings.
    pub fn loss_named(&self, name: &str, ends_in_probabilities: bool) -> Loss {
        let keys = &self.recipe.loss;
        let from_logits = value(&keys.from_logits).unwrap_or(!ends_in_probabilities);
        let label_smoothing = value(&keys.label_smoothing).unwrap_or(0.0);
        match name {
            "categorical-cross-entropy" => Loss::CategoricalCrossEntropy { from_logits, label_smoothing },
            "binary-cross-entropy" => Loss::BinaryCrossEntropy { from_logits, label_smoothing },
            "mean-squared-error" => Loss::MeanSquaredError,
            "mean-absolute-error" => Loss::MeanAbsoluteError,
            "huber" => Loss::Huber { delta: value(&keys.delta).unwrap_or(1.0) },
            _ => Loss::SparseCategoricalCrossEntropy { from_logits, label_smoothing },
        }
    }

    /// The learning rate of a stage of `epochs` (a pair: the first, and the one after the last), once the number of optimizer steps
    /// in an epoch is known.
    pub fn schedule(&self, steps_per_epoch: u64, epochs: [u64; 2]) -> Schedule {
        let keys = &self.recipe.schedule;
        let in_steps = |epochs: f64| (epochs * steps_per_epoch as f64).round() as u64;
        let most = self.train.max_steps.unwrap_or(u64::MAX);
        let [start, end] = epochs.map(|epoch| (epoch * steps_per_epoch).min(most));
        let total = end - start;
        let warmup_steps = value(&keys.warmup_steps)
            .or_else(|| value(&keys.warmup_epochs).map(in_steps))
            .or_else(|| value(&keys.warmup_share).map(|share| (share * total as f64).round() as u64))
            .unwrap_or(0)
            .min(total);
        let kind = value(&keys.kind).unwrap_or_default();
        let decay_steps = value(&keys.decay_steps)
            .unwrap_or(if kind == "exponential" { steps_per_epoch } else { total - warmup_steps })
            .max(1);
        let end = value(&keys.end).unwrap_or(0.0);
        let decay = match kind.as_str() {
            "step" => {
                let at_steps: Vec<u64> = value(&keys.at_epochs).unwrap_or_default().into_iter().map(in_steps).collect();
                let every = value(&keys.every_epochs).map_or((total / 3).max(1), in_steps);
                let every_steps = if at_steps.is_empty() { every } else { 0 };
                Decay::Step(Step { factor: value(&keys.factor).unwrap_or(0.1), every_steps, at_steps })
            }
            "exponential" => Decay::Exponential(Exponential {
                rate: value(&keys.factor).unwrap_or(0.9),
                decay_steps,
                staircase: value(&keys.staircase).unwrap_or(false),
            }),
            "cosine" => Decay::Cosine(Cosine { decay_steps, end }),
            "linear" => Decay::Linear(Polynomial { decay_steps, end, power: 1.0 }),
            "polynomial" => {
                Decay::Polynomial(Polynomial { decay_steps, end, power: value(&keys.power).unwrap_or(2.0) })
            }
            _ => Decay::Constant,
        };
        let learning_rate =
            value(&self.recipe.optimizer.learning_rate).unwrap_or(self.optimizer.optimizer.default_learning_rate());
        let warmup = Warmup { steps: warmup_steps, start: value(&keys.warmup_start).unwrap_or(0.0) };
        Schedule { learning_rate, warmup, decay }
    }
}

/// Of heads on frozen encoders of texts.
const HEAD_LEARNING_RATE: f64 = 1e-3;

/// Whether the recipe itself says a value.
fn is_given<T>(field: &Option<Located<T>>) -> bool {
    field.as_ref().is_some_and(|located| located.place != Place::Absent)
}

const SCHEDULES: &[&str] = &["constant", "step", "exponential", "cosine", "linear", "polynomial"];

/// The checks of all sections; those of images are in `images`.
pub(super) struct Check<'a> {
    pub(super) document: &'a mut Document,
}

/// What numbers may be, in English and Chinese.
pub(super) const AT_LEAST_1: (&str, &str) = ("at least 1", "不小于 1 的数");
const ABOVE_0: (&str, &str) = ("a number above 0", "大于 0 的数");
pub(super) const SHARE_BELOW_1: (&str, &str) = ("a share from 0 to below 1", "0 到 1（不含 1）的比例");
const SHARE: (&str, &str) = ("a share from 0 to 1", "0 到 1 的比例");
const FROM_0: (&str, &str) = ("a number from 0 up", "不小于 0 的数");
const BETWEEN_0_AND_1: (&str, &str) = ("a number between 0 and 1", "0 与 1 之间的数");
const ABOVE_0_TO_1: (&str, &str) = ("a number above 0, at most 1", "大于 0 且不超过 1 的数");

/// A key has no meaning for what is chosen.
fn meaningless(kind: &str) -> Said {
    said!("has no meaning for `{kind}`", "对 `{kind}` 没有意义")
}

/// A key has a meaning only beside another.
pub(super) fn goes_with(key: &str) -> Said {
    said!("goes with `{key}`", "要与 `{key}` 一起使用")
}

impl Check<'_> {
    /// Notes a problem unless the value, if there is one, is within bounds.
    pub(super) fn require<T: std::fmt::Display>(
        &mut self,
        key: &str,
        field: &Option<Located<T>>,
        expected: impl Into<Said>,
        fits: impl Fn(&T) -> bool,
    ) {
        if let Some(Located { value, place }) = field
            && !fits(value)
        {
            let expected = expected.into();
            let message = Said::new(
                format!("expected {expected}, found {value}"),
                format!("应为{}，实际为 {value}", expected.of(Language::Chinese)),
            );
            self.document.problem(place.clone(), key, message, None);
        }
    }

    /// Notes a problem unless the name, if there is one, is one of `names`.
    fn named(&mut self, key: &str, field: &Option<Located<String>>, names: &[&str]) {
        if let Some(Located { value, place }) = field
            && !names.contains(&value.as_str())
        {
            let hint = match nearest(value, names.iter().copied()) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("it may be {}", names.join(", ")),
            };
            self.document.problem(
                place.clone(),
                key,
                Said::new(format!("`{value}` is not known"), format!("不认识 `{value}`")),
                Some(hint),
            );
        }
    }

    fn required(&mut self, recipe: &Recipe) {
        let model = &recipe.model;
        match (&model.path, &model.layers) {
            (None, None) if model.kind.is_some() => (),
            (None, None) => {
                let hint = Some("name a pretrained model, such as `path = \"model.keras\"`".to_owned());
                self.document.problem(Place::Absent, "model.path", Said::new("is missing", "缺失"), hint);
            }
            (Some(_), Some(layers)) => {
                let hint = Some("keep one of the two; new layers behind a model are its `head`".to_owned());
                self.document.problem(
                    layers.place.clone(),
                    "model.layers",
                    Said::new("stands beside `path`", "与 `path` 同时出现"),
                    hint,
                );
            }
            (None, Some(layers)) if model.input_shape.is_none() => {
                let hint = Some("for example `input-shape = [28, 28, 1]`".to_owned());
                self.document.problem(
                    layers.place.clone(),
                    "model.input-shape",
                    Said::new("`layers` need the input's shape", "`layers` 需要输入的形状"),
                    hint,
                );
            }
            _ => (),
        }
        if recipe.data.path.is_none() {
            let hint = Some("name the data, such as `path = \"photos\"`".to_owned());
            self.document.problem(Place::Absent, "data.path", Said::new("is missing", "缺失"), hint);
        }
        if let (Some(wrap), None) = (&model.wrap, &model.head) {
            let hint = Some("add `head = [{ class = \"Dense\", units = 10, activation = \"softmax\" }]`".to_owned());
            self.document.problem(wrap.place.clone(), "model.wrap", Said::new("needs a `head`", "需要 `head`"), hint);
        }
        if let (Some(wrap), Some(_)) = (&model.wrap, &model.head_after) {
            let message = (
                "does not go with `head-after`: the whole model is wrapped, or its head replaced",
                "不能与 `head-after` 并用：要么包裹整个模型，要么替换它的头",
            );
            self.document.problem(wrap.place.clone(), "model.wrap", message, None);
        }
        for (key, layers) in [("model.head", &model.head), ("model.layers", &model.layers)] {
            let Some(Located { value, place }) = layers else { continue };
            if value.is_empty() || value.iter().any(|layer| !layer.get("class").is_some_and(toml::Value::is_str)) {
                let hint = Some("each layer is a table such as `{ class = \"Dense\", units = 10 }`".to_owned());
                self.document.problem(
                    place.clone(),
                    key,
                    Said::new("every layer needs a `class`", "每一层都需要 `class`"),
                    hint,
                );
            }
        }
    }

    /// Notes keys of another method than the recipe's, which would change nothing.
    fn method_keys(&mut self, recipe: &Recipe) {
        let method = &recipe.method;
        fn place<T>(field: &Option<Located<T>>) -> Option<&Place> {
            field.as_ref().map(|located| &located.place)
        }
        let kind = value(&method.kind).unwrap_or(Method::Full);
        let owners = [
            ("rank", place(&method.rank), "lora", Method::Lora),
            ("size", place(&method.size), "bottleneck", Method::Bottleneck),
            ("activation", place(&method.activation), "bottleneck", Method::Bottleneck),
            ("prompt-text", place(&method.prompt_text), "prompt", Method::Prompt),
            ("alpha", place(&method.alpha), "lora", Method::Lora),
            ("dropout", place(&method.dropout), "lora", Method::Lora),
            ("rank-stabilized", place(&method.rank_stabilized), "lora", Method::Lora),
            ("decomposed", place(&method.decomposed), "lora", Method::Lora),
            ("rank-pattern", place(&method.rank_pattern), "lora", Method::Lora),
            ("init", place(&method.init), "lora", Method::Lora),
            ("up-rate-factor", place(&method.up_rate_factor), "lora", Method::Lora),
            ("head-epochs", place(&method.head_epochs), "lp-ft", Method::LpFt),
            ("head-learning-rate", place(&method.head_learning_rate), "lp-ft", Method::LpFt),
            ("unfreeze-every", place(&method.unfreeze_every), "gradual", Method::Gradual),
        ];
        // Keys of two methods count as those of the one that is chosen.
        let either = |first, second| if kind == second { second } else { first };
        let shared = [
            ("targets", place(&method.targets), "lora", either(Method::Lora, Method::Bottleneck)),
            ("virtual-tokens", place(&method.virtual_tokens), "prompt", either(Method::Prompt, Method::Prefix)),
        ];
        for (key, place, name, owner) in owners.into_iter().chain(shared) {
            let Some(place) = place.filter(|_| owner != kind) else { continue };
            let hint = Some(format!("set `kind = \"{name}\"`, the method it belongs to, or leave it out"));
            self.document.problem(
                place.clone(),
                format!("method.{key}"),
                Said::new("does not belong to this method", "不属于这种方法"),
                hint,
            );
        }
    }

    fn ranges(&mut self, recipe: &Recipe) {
        let share = |x: &f64| (0.0..1.0).contains(x);
        let positive = |x: &f64| x.is_finite() && *x > 0.0;
        let from_zero = |x: &f64| x.is_finite() && *x >= 0.0;
        let (split, train, eval, output) = (&recipe.split, &recipe.train, &recipe.eval, &recipe.output);
        self.require("split.validation", &split.validation, SHARE_BELOW_1, share);
        self.require("split.test", &split.test, SHARE_BELOW_1, share);
        self.require("train.epochs", &train.epochs, AT_LEAST_1, |&n| n > 0);
        self.require("train.max-steps", &train.max_steps, AT_LEAST_1, |&n| n > 0);
        self.require("train.batch-size", &train.batch_size, AT_LEAST_1, |&n| n > 0);
        self.require("train.batch-tokens", &train.batch_tokens, AT_LEAST_1, |&n| n > 0);
        self.require("preprocess.max-tokens", &recipe.preprocess.max_tokens, AT_LEAST_1, |&n| n > 0);
        self.require("train.accumulate", &train.accumulate, AT_LEAST_1, |&n| n > 0);
        self.require("train.threads", &train.threads, ("1 to 1024", "1 到 1024"), |&n| (1..=1024).contains(&n));
        self.require("eval.batch-size", &eval.batch_size, AT_LEAST_1, |&n| n > 0);
        self.require("eval.every-steps", &eval.every_steps, AT_LEAST_1, |&n| n > 0);
        if let Some(Located { value, place }) = &eval.threshold {
            let is_sound = match value {
                ThresholdKey::Given(threshold) => (0.0..=1.0).contains(threshold),
                ThresholdKey::Goal(_) => true,
                ThresholdKey::Cost(costs) => {
                    from_zero(&costs.false_positive)
                        && from_zero(&costs.false_negative)
                        && costs.false_positive + costs.false_negative > 0.0
                }
            };
            if !is_sound {
                let message = (
                    "expected a number from 0 to 1, or costs from 0 up that are not both 0",
                    "应为 0 到 1 的数，或不小于 0 且不全为 0 的代价",
                );
                self.document.problem(place.clone(), "eval.threshold", message, None);
            }
        }
        self.require("output.save-every-steps", &output.save_every_steps, AT_LEAST_1, |&n| n > 0);
        self.require("output.keep-last", &output.keep_last, AT_LEAST_1, |&n| n > 0);
        let is_mark = |c: &char| c.is_ascii() && !matches!(c, '"' | '\n' | '\r');
        let mark = ("one ASCII character, no quotation mark", "一个 ASCII 字符，且不是引号");
        self.require("data.delimiter", &recipe.data.delimiter, mark, is_mark);
        self.require("data.per-class", &recipe.data.per_class, AT_LEAST_1, |&n| n > 0);
        let method = &recipe.method;
        self.require("method.rank", &method.rank, AT_LEAST_1, |&n| n > 0);
        self.require("method.size", &method.size, AT_LEAST_1, |&n| n > 0);
        self.require("method.virtual-tokens", &method.virtual_tokens, AT_LEAST_1, |&n| n > 0);
        self.require("method.alpha", &method.alpha, ABOVE_0, |x| x.is_finite() && *x > 0.0);
        self.require("method.dropout", &method.dropout, SHARE_BELOW_1, |x| (0.0..1.0).contains(x));
        self.require("method.head-epochs", &method.head_epochs, AT_LEAST_1, |&n| n > 0);
        self.require("method.head-learning-rate", &method.head_learning_rate, ABOVE_0, positive);
        self.require("method.unfreeze-every", &method.unfreeze_every, AT_LEAST_1, |&n| n > 0);
        self.require("method.up-rate-factor", &method.up_rate_factor, ABOVE_0, positive);
        self.method_keys(recipe);
        let o = &recipe.optimizer;
        self.require("optimizer.learning-rate", &o.learning_rate, ABOVE_0, positive);
        self.require("optimizer.layer-decay", &o.layer_decay, ABOVE_0_TO_1, |x| *x > 0.0 && *x <= 1.0);
        self.require("optimizer.weight-decay", &o.weight_decay, FROM_0, from_zero);
        self.require("optimizer.clip-norm", &o.clip_norm, ABOVE_0, positive);
        self.require("optimizer.epsilon", &o.epsilon, ABOVE_0, positive);
        self.require("optimizer.initial-accumulator", &o.initial_accumulator, FROM_0, from_zero);
        let shares = [("momentum", &o.momentum), ("beta-1", &o.beta_1), ("beta-2", &o.beta_2), ("rho", &o.rho)];
        for (key, field) in shares {
            self.require(&format!("optimizer.{key}"), field, SHARE_BELOW_1, share);
        }
    }

    /// What does not go with the task.
    fn task(&mut self, recipe: &Recipe) {
        let is_similarity = value(&recipe.model.task) == Some(TaskKind::Similarity);
        if let Some(Located { value: kind @ (Method::Head | Method::LpFt), place }) = &recipe.method.kind
            && is_similarity
        {
            let hint = Some("train the encoder: `full`, `gradual`, `lora`, `bottleneck`, `prompt`, `prefix`, `ia3`, `biases` or `norms`".to_owned());
            let name = if *kind == Method::Head { "head" } else { "lp-ft" };
            let message = Said::new(
                format!("`{name}` trains a head, and a model for `similarity` has none"),
                format!("`{name}` 训练的是头，而用于 `similarity` 的模型没有头"),
            );
            self.document.problem(place.clone(), "method.kind", message, hint);
        }
        if let Some(range) = recipe.preprocess.score_range.as_ref().filter(|_| !is_similarity) {
            let hint = Some("add `task = \"similarity\"` to `[model]`, or leave it out".to_owned());
            self.document.problem(
                range.place.clone(),
                "preprocess.score-range",
                Said::new("belongs to `similarity`", "属于 `similarity`"),
                hint,
            );
        }
    }

    fn loss(&mut self, recipe: &Recipe) {
        let loss = &recipe.loss;
        self.named("loss.kind", &loss.kind, Loss::NAMES);
        self.require("loss.label-smoothing", &loss.label_smoothing, SHARE_BELOW_1, |x| (0.0..1.0).contains(x));
        self.require("loss.delta", &loss.delta, ABOVE_0, |x| x.is_finite() && *x > 0.0);
        if let (Some(delta), Some(kind)) = (&loss.delta, &loss.kind)
            && kind.value != "huber"
        {
            self.document.problem(
                delta.place.clone(),
                "loss.delta",
                Said::new("belongs to `huber`", "属于 `huber`"),
                None,
            );
        }
        let regression = ["mean-squared-error", "mean-absolute-error", "huber"];
        if let Some(kind) = loss.kind.as_ref().filter(|kind| regression.contains(&kind.value.as_str())) {
            let message = meaningless(&kind.value);
            let places = [
                ("loss.from-logits", loss.from_logits.as_ref().map(|l| l.place.clone())),
                ("loss.label-smoothing", loss.label_smoothing.as_ref().map(|l| l.place.clone())),
            ];
            for (key, place) in places {
                if let Some(place) = place {
                    self.document.problem(place, key, message.clone(), None);
                }
            }
        }
    }

    fn optimizer(&mut self, recipe: &mut Recipe) -> OptimizerSettings {
        let keys = &mut recipe.optimizer;
        self.named("optimizer.kind", &keys.kind, Optimizer::NAMES);
        let kind = resolve(&mut keys.kind, Optimizer::default().name().to_owned());
        let adam = ["adam", "adamw"].as_slice();
        let owners: [(&str, Option<Place>, &[&str]); 9] = [
            ("momentum", keys.momentum.as_ref().map(|l| l.place.clone()), &["sgd", "rmsprop"]),
            ("nesterov", keys.nesterov.as_ref().map(|l| l.place.clone()), &["sgd"]),
            ("beta-1", keys.beta_1.as_ref().map(|l| l.place.clone()), adam),
            ("beta-2", keys.beta_2.as_ref().map(|l| l.place.clone()), adam),
            ("amsgrad", keys.amsgrad.as_ref().map(|l| l.place.clone()), adam),
            ("epsilon", keys.epsilon.as_ref().map(|l| l.place.clone()), &["adam", "adamw", "rmsprop", "adagrad"]),
            ("rho", keys.rho.as_ref().map(|l| l.place.clone()), &["rmsprop"]),
            ("centered", keys.centered.as_ref().map(|l| l.place.clone()), &["rmsprop"]),
            ("initial-accumulator", keys.initial_accumulator.as_ref().map(|l| l.place.clone()), &["adagrad"]),
        ];
        for (key, place, owners) in owners {
            if let Some(place) =
                place.filter(|_| Optimizer::NAMES.contains(&kind.as_str()) && !owners.contains(&kind.as_str()))
            {
                let message = meaningless(&kind);
                let hint = Some(format!("it belongs to {}", owners.join(", ")));
                self.document.problem(place, format!("optimizer.{key}"), message, hint);
            }
        }
        let convention = resolve(&mut keys.convention, Default::default());
        let adam = Adam {
            beta_1: value(&keys.beta_1).unwrap_or(0.9),
            beta_2: value(&keys.beta_2).unwrap_or(0.999),
            epsilon: value(&keys.epsilon).unwrap_or(1e-7),
            amsgrad: value(&keys.amsgrad).unwrap_or(false),
            convention,
        };
        let momentum = value(&keys.momentum).unwrap_or(0.0);
        let optimizer = match kind.as_str() {
            "gradient-descent" => Optimizer::GradientDescent(GradientDescent::default()),
            "sgd" => Optimizer::Sgd(Sgd { momentum, nesterov: value(&keys.nesterov).unwrap_or(false), convention }),
            "adam" => Optimizer::Adam(adam),
            "rmsprop" => Optimizer::RmsProp(RmsProp {
                rho: value(&keys.rho).unwrap_or(0.9),
                momentum,
                epsilon: adam.epsilon,
                centered: value(&keys.centered).unwrap_or(false),
                convention,
            }),
            "adagrad" => Optimizer::Adagrad(Adagrad {
                initial_accumulator: value(&keys.initial_accumulator).unwrap_or(0.1),
                epsilon: adam.epsilon,
                convention,
            }),
            _ => Optimizer::AdamW(AdamW(adam)),
        };
        resolve(&mut keys.learning_rate, optimizer.default_learning_rate());
        let groups = value(&recipe.model.groups).unwrap_or_default();
        let factors = groups
            .iter()
            .map(|group| ParameterGroup { learning_rate: group.learning_rate, weight_decay: group.weight_decay });
        OptimizerSettings {
            optimizer,
            weight_decay: resolve(&mut keys.weight_decay, optimizer.default_weight_decay()),
            decay_mode: resolve(&mut keys.decay_mode, Default::default()),
            decay_all: resolve(&mut keys.decay_all, false),
            groups: std::iter::once(ParameterGroup::default()).chain(factors).collect(),
            clip_norm: value(&keys.clip_norm),
        }
    }

    fn schedule(&mut self, recipe: &mut Recipe) {
        let keys = &mut recipe.schedule;
        self.named("schedule.kind", &keys.kind, SCHEDULES);
        let kind = resolve(&mut keys.kind, "constant".to_owned());
        let share = |x: &f64| (0.0..=1.0).contains(x);
        self.require("schedule.warmup-start", &keys.warmup_start, SHARE, share);
        self.require("schedule.end", &keys.end, SHARE, share);
        self.require("schedule.decay-steps", &keys.decay_steps, AT_LEAST_1, |&n| n > 0);
        self.require("schedule.plateau-patience", &keys.plateau_patience, AT_LEAST_1, |&n| n > 0);
        let positive = |x: &f64| x.is_finite() && *x > 0.0;
        self.require("schedule.factor", &keys.factor, ABOVE_0, positive);
        self.require("schedule.power", &keys.power, ABOVE_0, positive);
        self.require("schedule.every-epochs", &keys.every_epochs, ABOVE_0, positive);
        self.require("schedule.warmup-epochs", &keys.warmup_epochs, FROM_0, |x| x.is_finite() && *x >= 0.0);
        self.require("schedule.plateau-factor", &keys.plateau_factor, BETWEEN_0_AND_1, |x| *x > 0.0 && *x < 1.0);
        self.require("schedule.warmup-share", &keys.warmup_share, SHARE, share);
        if let (true, Some(share)) = (keys.warmup_steps.is_some() || keys.warmup_epochs.is_some(), &keys.warmup_share) {
            let message = (
                "stands beside `warmup-steps` or `warmup-epochs`; keep one of them",
                "与 `warmup-steps` 或 `warmup-epochs` 同时出现；只保留其一",
            );
            self.document.problem(share.place.clone(), "schedule.warmup-share", message, None);
        }
        if let (Some(_), Some(epochs)) = (&keys.warmup_steps, &keys.warmup_epochs) {
            let message =
                ("stands beside `warmup-steps`; keep one of the two", "与 `warmup-steps` 同时出现；只保留其一");
            self.document.problem(epochs.place.clone(), "schedule.warmup-epochs", message, None);
        }
        let owners: [(&str, Option<Place>, &[&str]); 7] = [
            ("factor", keys.factor.as_ref().map(|l| l.place.clone()), &["step", "exponential"]),
            ("every-epochs", keys.every_epochs.as_ref().map(|l| l.place.clone()), &["step"]),
            ("at-epochs", keys.at_epochs.as_ref().map(|l| l.place.clone()), &["step"]),
            ("staircase", keys.staircase.as_ref().map(|l| l.place.clone()), &["exponential"]),
            ("end", keys.end.as_ref().map(|l| l.place.clone()), &["cosine", "linear", "polynomial"]),
            ("power", keys.power.as_ref().map(|l| l.place.clone()), &["polynomial"]),
            (
                "decay-steps",
                keys.decay_steps.as_ref().map(|l| l.place.clone()),
                &["exponential", "cosine", "linear", "polynomial"],
            ),
        ];
        for (key, place, owners) in owners {
            if let Some(place) =
                place.filter(|_| SCHEDULES.contains(&kind.as_str()) && !owners.contains(&kind.as_str()))
            {
                let hint = Some(format!("it belongs to {}", owners.join(", ")));
                let message = meaningless(&kind);
                self.document.problem(place, format!("schedule.{key}"), message, hint);
            }
        }
    }

    /// A metric by its name; a problem if there is none.
    fn metric(&mut self, key: &str, name: &str, place: &Place) -> Option<Metric> {
        let metric = name.parse().ok();
        if metric.is_none() {
            let hint = match nearest(name, Metric::NAMES.iter().copied()) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("metrics are {}", Metric::NAMES.join(", ")),
            };
            self.document.problem(
                place.clone(),
                key,
                Said::new(format!("`{name}` is no metric"), format!("没有名为 `{name}` 的指标")),
                Some(hint),
            );
        }
        metric
    }

    fn train(&mut self, recipe: &mut Recipe) -> TrainSettings {
        let defaults = TrainSettings::default();
        let (train, eval, output) = (&mut recipe.train, &recipe.eval, &mut recipe.output);
        let name = resolve(&mut train.monitor, "loss".to_owned());
        let place = train.monitor.as_ref().map_or(Place::Absent, |monitor| monitor.place.clone());
        let monitor = self.metric("train.monitor", &name, &place).unwrap_or(Metric::Loss);
        let mut metrics = Vec::new();
        if let Some(Located { value: names, place }) = &eval.metrics {
            metrics.extend(names.iter().filter_map(|name| self.metric("eval.metrics", name, place)));
        }
        let every = |steps: Option<u64>| steps.map_or(Every::Epoch, Every::Steps);
        let schedule = &recipe.schedule;
        let plateau_defaults = ReduceOnPlateau::default();
        let plateau = value(&schedule.plateau_patience).map(|patience| ReduceOnPlateau {
            factor: value(&schedule.plateau_factor).unwrap_or(plateau_defaults.factor),
            patience,
            min_delta: value(&schedule.plateau_min_delta).unwrap_or(plateau_defaults.min_delta),
            cooldown: value(&schedule.plateau_cooldown).unwrap_or(plateau_defaults.cooldown),
            min_learning_rate: value(&schedule.plateau_min_learning_rate).unwrap_or(plateau_defaults.min_learning_rate),
        });
        let early_stopping = value(&train.early_stopping_patience).map(|patience| EarlyStopping {
            patience,
            min_delta: value(&train.early_stopping_min_delta).unwrap_or(0.0),
        });
        if train.batch_tokens.is_none() {
            resolve(&mut train.batch_size, 32);
        }
        TrainSettings {
            epochs: resolve(&mut train.epochs, defaults.epochs),
            max_steps: value(&train.max_steps),
            accumulate: resolve(&mut train.accumulate, 1),
            // Where they are kept is known when the job is built.
            cache: None,
            frozen_dropout: value(&train.frozen_dropout).unwrap_or(false),
            augmentations: value(&train.cache_augmentations),
            rounds_products: resolve(&mut train.precision, PrecisionKind::F32) == PrecisionKind::Bf16,
            seed: resolve(&mut train.seed, 0),
            evaluate_every: every(value(&eval.every_steps)),
            save_every: every(value(&output.save_every_steps)),
            log_every: resolve(&mut output.log_every_steps, defaults.log_every),
            keep_last: resolve(&mut output.keep_last, defaults.keep_last),
            metrics,
            monitor,
            restore_best: resolve(&mut train.restore_best, true),
            early_stopping,
            plateau,
        }
    }
}

//! Using a saved model: predictions and figures. `predict`, `eval` and `compare` of the command line are calls of these.

use crate::calibration::Calibration;
use crate::check::{check_job, default_loss};
use crate::error::TrainError;
use crate::losses::{Ending, Loss};
use crate::metrics::{Entity, Scored, TagSet, scored::argmax};
use crate::recipe::build::default_targets;
use crate::said;
use crate::steps::Evaluator;
use crate::stored::Stored;
use crate::task;
use crate::text;
use crate::trainer::{Event, Observer};
use crate::views::{Views, mean, mean_of_views};
use retune_cpu::Cpu;
use retune_data::preprocess::TargetEncoding;
use retune_data::{Augmentation, Dataset, Loader, LoaderOptions, Preprocessing};
use retune_models::{Mode, Model, Task};
use retune_tensor::Tensor;
use std::path::Path;
use std::sync::Arc;

/// A saved model, ready to be used on files the way it was trained.
#[derive(Debug)]
pub struct Predictor {
    cpu: Cpu,
    model: Model,
    stored: Stored,
    batch_size: usize,
    views: Views,
}

/// The answer for one example.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The most likely class.
    pub class: usize,
    /// Its name: the stored one, else its number.
    pub name: String,
    /// Probability of every class.
    pub probabilities: Vec<f32>,
}

/// The answer for the words of one text.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledText {
    /// The label of each word, by its number; `None` for words of which the network sees nothing: those that truncation cuts off,
    /// and those for which there is no token.
    pub labels: Vec<Option<usize>>,
    /// Its probability.
    pub probabilities: Vec<f32>,
    /// Entities, where the labels are those of such.
    pub entities: Vec<FoundEntity>,
}

/// An entity that was found in a text.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundEntity {
    /// Its type.
    pub name: String,
    /// Its first word.
    pub start: usize,
    /// The word after its last one.
    pub end: usize,
    /// The mean of its words' probabilities.
    pub score: f32,
}

impl Predictor {
    /// Loads a model with what is stored beside its weights.
    ///
    /// # Errors
    /// A file that cannot be read as a model.
    pub fn load(cpu: &Cpu, path: &Path) -> Result<Predictor, TrainError> {
        Predictor::new(cpu, Model::load(path)?.0)
    }

    /// Takes a model at hand.
    ///
    /// # Errors
    /// An entry of preprocessing that cannot be read.
    pub fn new(cpu: &Cpu, model: Model) -> Result<Predictor, TrainError> {
        let stored = Stored::of(&model)?.unwrap_or_default();
        Ok(Predictor { cpu: cpu.clone(), model, stored, batch_size: 32, views: Views::One })
    }

    /// Preprocessing other than the stored one.
    pub fn with_preprocessing(mut self, preprocessing: Preprocessing) -> Predictor {
        self.stored.preprocessing = preprocessing;
        self
    }

    /// Examples that go through the network together; 32 by default.
    pub fn with_batch_size(mut self, batch_size: usize) -> Predictor {
        self.batch_size = batch_size.max(1);
        self
    }

    /// Images seen several times by [`classify`](Self::classify) and [`evaluate`](Self::evaluate); once by default.
    pub fn with_views(mut self, views: Views) -> Predictor {
        self.views = views;
        self
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Temperature and thresholds of its answers.
    pub fn calibration(&self) -> &Calibration {
        &self.stored.calibration
    }

    /// How inputs are prepared.
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.stored.preprocessing
    }

    /// The network's raw outputs for every usable example: `[examples, …]`. A model that gives a vector for each text gives the
    /// similarity of the two texts of pairs, `[examples, 1]`.
    ///
    /// # Errors
    /// Inputs that do not fit, or an unreadable example.
    pub fn outputs(&self, data: Arc<Dataset>, observer: &mut dyn Observer) -> Result<Tensor, TrainError> {
        self.run(data, observer).map(|(tensor, _)| tensor)
    }

    /// Classes with probabilities for every usable example.
    ///
    /// # Errors
    /// Inputs that do not fit, an unreadable example, or outputs that are not one score per class.
    pub fn classify(&self, data: Arc<Dataset>, observer: &mut dyn Observer) -> Result<Vec<Answer>, TrainError> {
        let mut views = Vec::new();
        for changes in self.views.changes() {
            let (_, outputs, ending) = self.run_loader(data.clone(), changes, observer)?;
            let &[_, width] = outputs.shape() else {
                return Err(TrainError::Mismatch {
                    what: "output of the network",
                    expected: "one score per class".into(),
                    found: format!("shape {:?}", outputs.shape()),
                });
            };
            let rows = outputs.as_f32().unwrap_or(&[]).chunks_exact(width.max(1));
            views.push(rows.map(|row| probabilities(row, ending)).collect::<Vec<_>>());
        }
        let items = views.first().map_or(0, Vec::len);
        let of_item = |item: usize| views.iter().map(|view| view[item].as_slice()).collect::<Vec<_>>();
        let answers: Vec<Answer> = (0..items).map(|item| self.answer(mean(&of_item(item)))).collect();
        if self.stored.calibration.is_empty() {
            return Ok(answers);
        }
        let classes = answers.first().map_or(2, |answer| answer.probabilities.len());
        let scores = answers.iter().flat_map(|answer| &answer.probabilities).copied().collect();
        let unknown = Scored::classes(scores, classes, vec![0; answers.len()])?;
        let scored = self.stored.calibration.apply(unknown);
        let calibrated = |item: usize| {
            let class = scored.predicted_class(item) as usize;
            Answer { class, name: self.class_name(class), probabilities: scored.row(item).to_vec() }
        };
        Ok((0..answers.len()).map(calibrated).collect())
    }

    /// A label for each word of every usable text of words (see [`Dataset::from_words`]).
    ///
    /// # Errors
    /// A model that gives no labels for words, data that are not texts of words.
    pub fn label_words(
        &self,
        data: Arc<Dataset>,
        observer: &mut dyn Observer,
    ) -> Result<Vec<LabelledText>, TrainError> {
        let (Some(Task::TokenClassification { labels }), Some(_)) = (self.model.task(), data.words()) else {
            return Err(TrainError::unfit(
                said!(
                    "the words of `{data}` are to have labels",
                    "要为 `{data}` 的词给出标签",
                    data = data.description()
                ),
                "give texts of words, and a model that was trained on labelled words",
            ));
        };
        let tags = TagSet::new(labels);
        let (loader, evaluated, ending) = self.run_loader(data.clone(), Vec::new(), observer)?;
        let width = labels.len().max(1);
        let mut rows = evaluated.as_f32().unwrap_or(&[]).chunks_exact(width);
        let mut texts = Vec::new();
        for id in loader.order(0) {
            let words = data.words_of(id).map_or(0, |words| words.len());
            let mut found =
                LabelledText { labels: vec![None; words], probabilities: vec![0.0; words], entities: vec![] };
            for (&word, row) in loader.words_of_tokens(id).iter().zip(rows.by_ref()) {
                let Some(word) = usize::try_from(word).ok().filter(|&word| word < words) else { continue };
                let answer = self.answer(probabilities(row, ending));
                (found.labels[word], found.probabilities[word]) =
                    (Some(answer.class), answer.probabilities[answer.class]);
            }
            let spans = tags.iter().flat_map(|tags| tags.entities(&found.labels, false));
            found.entities = spans
                .map(|Entity { kind, start, end }| {
                    let sum: f32 = found.probabilities[start..end].iter().sum();
                    let name = tags.as_ref().map(|tags| tags.types()[kind].clone()).unwrap_or_default();
                    // Probabilities add up to a rounding error more than 1.
                    FoundEntity { name, start, end, score: (sum / (end - start) as f32).min(1.0) }
                })
                .collect();
            texts.push(found);
        }
        Ok(texts)
    }

    fn answer(&self, probabilities: Vec<f32>) -> Answer {
        let class = argmax(&probabilities);
        Answer { class, name: self.class_name(class), probabilities }
    }

    fn class_name(&self, class: usize) -> String {
        let names = self.stored.preprocessing.class_names.as_ref();
        names.and_then(|names| names.get(class).cloned()).unwrap_or_else(|| class.to_string())
    }

    fn run(&self, data: Arc<Dataset>, observer: &mut dyn Observer) -> Result<(Tensor, Ending), TrainError> {
        self.run_loader(data, Vec::new(), observer).map(|(_, outputs, ending)| (outputs, ending))
    }

    /// The outputs on all data, changed, with the loader that made the batches.
    fn run_loader(
        &self,
        data: Arc<Dataset>,
        augment: Vec<Augmentation>,
        observer: &mut dyn Observer,
    ) -> Result<(Loader, Tensor, Ending), TrainError> {
        let ids = data.ids();
        let total = ids.len();
        let mut preprocessing = self.stored.preprocessing.clone();
        let model = task::used_on(&self.model, &data)?;
        let encoder = text::encoder_for(&model, &data, &mut preprocessing)?;
        let options = LoaderOptions { encoder, augment, ..LoaderOptions::sequential(self.batch_size, preprocessing) };
        let loader = Loader::new(data, ids, options)?;
        let shape = loader.input_shape().map(|shape| vec![shape.iter().map(|&size| Some(size)).collect()]);
        let network = model.build(Mode::Inference, shape.as_deref())?;
        let mut evaluator = Evaluator::without_loss(&self.cpu, network)?;
        let weights: Vec<Tensor> = model.weights.iter().map(|weight| weight.value.clone()).collect();
        let outputs =
            evaluator.predict(&weights, &loader, |done| observer.event(&Event::Evaluating { done, total }))?;
        Ok((loader, outputs, evaluator.ending()))
    }

    /// Predictions, truth and losses on labelled data, to compute any metric of. The loss is `loss`, or what suits labels and
    /// network.
    ///
    /// # Errors
    /// Data that does not fit the model, or an unreadable example.
    pub fn evaluate(
        &self,
        data: Arc<Dataset>,
        ids: Option<Vec<u64>>,
        loss: Option<Loss>,
        observer: &mut dyn Observer,
    ) -> Result<Scored, TrainError> {
        let model = task::used_on(&self.model, &data)?;
        let probe = model.build(Mode::Inference, None).ok();
        let output = probe.as_ref().and_then(|network| network.outputs.first());
        let loss = loss.unwrap_or_else(|| suitable(&data, output));
        let mut preprocessing = self.stored.preprocessing.clone();
        if preprocessing.targets == TargetEncoding::AsStored {
            preprocessing.targets = default_targets(loss, &data);
        }
        let facts = check_job(&model, &data, &preprocessing, loss, None)?;
        let shape = facts.input_shape.map(|shape| vec![shape.into_iter().map(Some).collect()]);
        let ids = ids.unwrap_or_else(|| data.ids());
        if matches!(model.task(), Some(Task::Similarity { .. })) && preprocessing.score_range.is_none() {
            preprocessing.score_range = Some(task::score_range([(data.as_ref(), ids.as_slice())])?);
        }
        let total = ids.len();
        let encoder = text::encoder_for(&model, &data, &mut preprocessing)?;
        let options = LoaderOptions { encoder, ..LoaderOptions::sequential(self.batch_size, preprocessing) };
        let network = model.build(Mode::Inference, shape.as_deref())?;
        let mut evaluator = Evaluator::new(&self.cpu, network, loss)?;
        let weights: Vec<Tensor> = model.weights.iter().map(|weight| weight.value.clone()).collect();
        let mut views = Vec::new();
        for augment in self.views.changes() {
            let options = LoaderOptions { augment, ..options.clone() };
            let loader = Loader::new(data.clone(), ids.clone(), options)?;
            let each = |done| observer.event(&Event::Evaluating { done, total });
            views.push(evaluator.evaluate(&weights, &loader, each)?);
        }
        Ok(self.stored.calibration.apply(mean_of_views(views)?))
    }
}

/// The probability of every class, of the network's output for one example.
fn probabilities(row: &[f32], ending: Ending) -> Vec<f32> {
    let mut probabilities = row.to_vec();
    match (ending, row) {
        (_, [yes]) => {
            let yes = if ending == Ending::Other { 1.0 / (1.0 + (-yes).exp()) } else { *yes };
            probabilities = vec![1.0 - yes, yes];
        }
        (Ending::Other, _) => crate::steps::evaluate::softmax(&mut probabilities),
        _ => (),
    }
    probabilities
}

/// The loss that suits labels and network, without label smoothing.
pub fn suitable(data: &Dataset, output: Option<&retune_models::NetworkOutput>) -> Loss {
    let from_logits = output.is_none_or(|output| output.final_activation == retune_models::FinalActivation::None);
    match default_loss(data, output) {
        "mean-squared-error" => Loss::MeanSquaredError,
        "binary-cross-entropy" => Loss::BinaryCrossEntropy { from_logits, label_smoothing: 0.0 },
        "categorical-cross-entropy" => Loss::CategoricalCrossEntropy { from_logits, label_smoothing: 0.0 },
        _ => Loss::SparseCategoricalCrossEntropy { from_logits, label_smoothing: 0.0 },
    }
}

//! Fine-tuning in Rust, as seven steps: load a pretrained model, load data, prepare it, choose a loss, choose an optimizer, train,
//! evaluate.
//!
//! ```no_run
//! use retune_data::preprocess::Rescale;
//! use retune_data::{Preprocessing, SourceOptions, open};
//! use retune_models::{Model, keras::LayerConfig};
//! use retune_train::FineTune;
//! use retune_train::losses::Loss;
//! use retune_train::metrics::Metric;
//! use retune_train::optimizers::{Adam, Optimizer};
//!
//! let (base, _) = Model::load("cnn_model.h5")?;
//! let model = base.wrap("fine-tuned", &[LayerConfig::dense(10).with("activation", "softmax")], 0)?;
//! let data = open("cifar-10-batches-bin".as_ref(), &SourceOptions::default())?;
//! let scale = Rescale { scale: 1.0 / 255.0, offset: 0.0 };
//!
//! let tuned = FineTune::new(model)
//!     .data(data)
//!     .preprocess(Preprocessing { rescale: Some(scale), ..Preprocessing::default() })
//!     .loss(Loss::SparseCategoricalCrossEntropy { from_logits: false, label_smoothing: 0.0 })
//!     .optimizer(Optimizer::Adam(Adam::default()))
//!     .learning_rate(1e-4)
//!     .epochs(3)
//!     .train()?;
//! println!("{:?}", tuned.evaluate().map(|scored| Metric::Accuracy.value(scored)));
//! tuned.save("fine-tuned.keras")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::error::TrainError;
use crate::losses::Loss;
use crate::metrics::Scored;
use crate::optimizers::Optimizer;
use crate::predict::{Predictor, suitable};
use crate::recipe::build::{DataParts, JobParts, default_targets};
use crate::schedules::Schedule;
use crate::task::{self, Asked, PoolingKind, TaskKind};
use crate::trainer::{Job, Observer, OptimizerSettings, Silent, Stage, TrainSettings, Trainer};
use retune_cpu::Cpu;
use retune_data::augment::{Mixing, TextAugmenter};
use retune_data::preprocess::TargetEncoding;
use retune_data::{Augmentation, ClassWeights, Dataset, Parts, Preprocessing, Sampling, Split};
use retune_models::{Mode, Model};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A fine-tuning to be, put together step by step. What is left out has the defaults of recipes.
#[derive(Debug)]
#[must_use = "nothing happens before `train`"]
pub struct FineTune {
    model: Model,
    asked: Asked,
    data: Option<Parts>,
    validation_share: f64,
    test_share: f64,
    preprocessing: Preprocessing,
    augment: Vec<Augmentation>,
    text_augment: Option<Arc<TextAugmenter>>,
    mixing: Option<Mixing>,
    loss: Option<Loss>,
    class_weights: Option<ClassWeights>,
    sampling: Option<Sampling>,
    optimizer: OptimizerSettings,
    learning_rate: Option<f64>,
    schedule: Option<Schedule>,
    settings: TrainSettings,
    batch_size: usize,
    batch_tokens: Option<usize>,
    bucket: bool,
    threads: Option<usize>,
}

impl FineTune {
    /// Begins with a pretrained model, changed as wanted (new head, frozen layers).
    pub fn new(model: Model) -> FineTune {
        FineTune {
            model,
            asked: Asked::default(),
            data: None,
            validation_share: 0.1,
            test_share: 0.0,
            preprocessing: Preprocessing::default(),
            augment: Vec::new(),
            text_augment: None,
            mixing: None,
            loss: None,
            class_weights: None,
            sampling: None,
            optimizer: Optimizer::default().into(),
            learning_rate: None,
            schedule: None,
            settings: TrainSettings::default(),
            batch_size: 32,
            batch_tokens: None,
            bucket: false,
            threads: None,
        }
    }

    /// What the model is trained for. Default: told from the labels.
    pub fn task(mut self, task: TaskKind) -> FineTune {
        self.asked.task = Some(task);
        self
    }

    /// What a head for texts stands on. Default: the pooling module of the model's folder, else the architecture's own head.
    pub fn pooling(mut self, pooling: PoolingKind) -> FineTune {
        self.asked.pooling = Some(pooling);
        self
    }

    /// The data, as [`retune_data::open`] gives it, or a [`Dataset`].
    pub fn data(mut self, data: impl Into<Parts>) -> FineTune {
        self.data = Some(data.into());
        self
    }

    /// Shares for validation and for the final figures, where the data is not divided already. Default 0.1 and 0.
    pub fn split(mut self, validation: f64, test: f64) -> FineTune {
        (self.validation_share, self.test_share) = (validation, test);
        self
    }

    /// From stored values to what the network takes. Default: nothing but the type changes.
    pub fn preprocess(mut self, preprocessing: Preprocessing) -> FineTune {
        self.preprocessing = preprocessing;
        self
    }

    /// Random changes to training images and numbers. Default none.
    pub fn augment(mut self, augmentations: impl Into<Vec<Augmentation>>) -> FineTune {
        self.augment = augmentations.into();
        self
    }

    /// Random changes to training texts. Default none.
    pub fn augment_texts(mut self, augmenter: TextAugmenter) -> FineTune {
        self.text_augment = Some(Arc::new(augmenter));
        self
    }

    /// Examples mixed with others of their batch; they need dense targets, such as [`TargetEncoding::OneHot`]. Default none.
    pub fn mix(mut self, mixing: Mixing) -> FineTune {
        self.mixing = Some(mixing);
        self
    }

    /// The loss. Default: what suits labels and network.
    pub fn loss(mut self, loss: Loss) -> FineTune {
        self.loss = Some(loss);
        self
    }

    /// Weights of the classes in the loss. Default: all weigh 1.
    pub fn class_weights(mut self, weights: ClassWeights) -> FineTune {
        self.class_weights = Some(weights);
        self
    }

    /// Training examples drawn with replacement. Default: each once an epoch.
    pub fn sampling(mut self, sampling: Sampling) -> FineTune {
        self.sampling = Some(sampling);
        self
    }

    /// The optimizer, with or without settings around it. Default AdamW.
    pub fn optimizer(mut self, optimizer: impl Into<OptimizerSettings>) -> FineTune {
        self.optimizer = optimizer.into();
        self
    }

    /// A constant learning rate. Default: Keras's for the optimizer.
    pub fn learning_rate(mut self, learning_rate: f64) -> FineTune {
        self.learning_rate = Some(learning_rate);
        self
    }

    /// A learning rate that changes.
    pub fn schedule(mut self, schedule: Schedule) -> FineTune {
        self.schedule = Some(schedule);
        self
    }

    /// Passes over the data. Default 10.
    pub fn epochs(mut self, epochs: u64) -> FineTune {
        self.settings.epochs = epochs;
        self
    }

    /// Examples that go through the network together. Default 32.
    pub fn batch_size(mut self, batch_size: usize) -> FineTune {
        self.batch_size = batch_size;
        self
    }

    /// Tokens of texts that go through the network together at most, in place of a number of examples. Default: any number.
    pub fn batch_tokens(mut self, batch_tokens: usize) -> FineTune {
        (self.batch_tokens, self.batch_size) = (Some(batch_tokens), usize::MAX);
        self
    }

    /// Whether texts of like length go through the network together. Default no.
    pub fn bucket(mut self, bucket: bool) -> FineTune {
        self.bucket = bucket;
        self
    }

    /// Seed of everything random. Default 0.
    pub fn seed(mut self, seed: u64) -> FineTune {
        self.settings.seed = seed;
        self
    }

    /// Threads. Default one per core; results do not depend on it.
    pub fn threads(mut self, threads: usize) -> FineTune {
        self.threads = Some(threads);
        self
    }

    /// All other settings: early stopping, accumulation, metrics and so on.
    pub fn settings(mut self, change: impl FnOnce(&mut TrainSettings)) -> FineTune {
        change(&mut self.settings);
        self
    }

    /// Everything built and checked, ready to train.
    ///
    /// # Errors
    /// No data, and everything that does not fit together.
    pub fn job(self) -> Result<Job, TrainError> {
        let parts = self
            .data
            .ok_or_else(|| TrainError::unfit(("there is no data", "没有数据"), "call `data` before `train`"))?;
        let data = divided(parts, self.validation_share, self.test_share, self.settings.seed)?;
        let model = task::for_data(self.model, &data.train.0, self.asked, self.settings.seed)?.model;
        let probe = model.build(Mode::Inference, None).ok();
        let output = probe.as_ref().and_then(|network| network.outputs.first());
        let loss = self.loss.unwrap_or_else(|| suitable(&data.train.0, output));
        let mut preprocessing = self.preprocessing;
        preprocessing.class_names = preprocessing.class_names.or(data.train.0.class_names().map(<[String]>::to_vec));
        if preprocessing.targets == TargetEncoding::AsStored {
            preprocessing.targets = default_targets(loss, &data.train.0);
        }
        let default_rate = self.optimizer.optimizer.default_learning_rate();
        let constant = Schedule::constant(self.learning_rate.unwrap_or(default_rate));
        let schedule = self.schedule.unwrap_or(constant);
        let parts = JobParts {
            cpu: self.threads.map_or_else(Cpu::all_threads, Cpu::new),
            model,
            input_shape: None,
            data,
            preprocessing,
            augment: self.augment,
            text_augment: self.text_augment,
            mixing: self.mixing,
            loss,
            class_weights: self.class_weights,
            sampling: self.sampling,
            draws: None,
            optimizer: self.optimizer,
            settings: self.settings,
            batch_sizes: (self.batch_size, self.batch_size),
            batch_tokens: self.batch_tokens,
            bucket: self.bucket,
            workers: None,
            drop_last: false,
            tolerance: 0,
            new_head: None,
        };
        Ok(parts.job(|_| vec![Stage::whole(schedule)])?.0)
    }

    /// Trains, without a run directory and in silence.
    ///
    /// # Errors
    /// Everything that does not fit together, and everything that training can meet.
    pub fn train(self) -> Result<FineTuned, TrainError> {
        self.train_with(&mut Silent)
    }

    /// Trains, and tells `observer` what happens.
    ///
    /// # Errors
    /// As for [`train`](Self::train).
    pub fn train_with(self, observer: &mut dyn Observer) -> Result<FineTuned, TrainError> {
        let job = self.job()?;
        let cpu = job.cpu.clone();
        let judged = job.test.clone().or_else(|| job.validation.clone());
        let mut trainer = Trainer::new(job)?;
        trainer.run(None, observer, &AtomicBool::new(false))?;
        let scored = judged.map(|loader| trainer.evaluate(&loader, observer)).transpose()?;
        Ok(FineTuned { cpu, scored, model: trainer.into_model() })
    }
}

fn divided(parts: Parts, validation: f64, test: f64, seed: u64) -> Result<DataParts, TrainError> {
    let train = Arc::new(parts.train);
    let whole = |data: Dataset| {
        let ids = data.ids();
        (Arc::new(data), ids)
    };
    let share = |share: f64, given: bool| if given { 0.0 } else { share };
    let split = Split::by_fraction(
        &train,
        share(validation, parts.validation.is_some()),
        share(test, parts.test.is_some()),
        seed,
    )?;
    let part = |own: Option<Dataset>, ids: Vec<u64>| {
        own.map(whole).or_else(|| (!ids.is_empty()).then(|| (train.clone(), ids)))
    };
    let validation = part(parts.validation, split.validation);
    let test = part(parts.test, split.test);
    Ok(DataParts { train: (train, split.train), validation, test, also: None })
}

/// A fine-tuned model with its predictions on the data that it did not train on.
#[derive(Debug)]
pub struct FineTuned {
    cpu: Cpu,
    model: Model,
    scored: Option<Scored>,
}

impl FineTuned {
    /// Predictions on the test part, or else on the validation part, to compute any [`Metric`](crate::metrics::Metric) of; `None`
    /// without either.
    pub fn evaluate(&self) -> Option<&Scored> {
        self.scored.as_ref()
    }

    /// The model with its preprocessing.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The model, ready to be used on files.
    ///
    /// # Errors
    /// Never for a model that was trained here.
    pub fn predictor(&self) -> Result<Predictor, TrainError> {
        Predictor::new(&self.cpu, self.model.clone())
    }

    /// Writes the model, its preprocessing with it; the extension says in which format.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), TrainError> {
        Ok(self.model.save(path)?)
    }
}

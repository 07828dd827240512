//! The training loop: short code that calls the [steps](crate::steps).
//!
//! - [`settings`][]: [`TrainSettings`], how long and how often;
//! - [`progress`][]: [`Progress`], where a run stands, as checkpoints keep it;
//! - [`stopping`][]: [`EarlyStopping`];
//! - [`observer`][]: [`Observer`], who wants to know what happens;
//! - here: [`Job`], all that training needs, and [`Trainer`], the loop.

pub mod observer;
pub mod progress;
pub mod settings;
pub mod stopping;

pub use observer::{Event, Observer, Silent};
pub use progress::{Best, EpochSums, Progress};
pub use settings::{Every, OptimizerSettings, TrainSettings};
pub use stopping::{EarlyStopping, Stopping};

use crate::error::TrainError;
use crate::losses::Loss;
use crate::metrics::{Metric, Scored};
use crate::optimizers::OptimizerState;
use crate::run::RunDirectory;
use crate::schedules::Schedule;
use crate::steps::{
    Evaluator, FeatureStore, GradientSums, StepSummary, TrainingProgram, optimizer_step, update_statistics,
};
use retune_cpu::Cpu;
use retune_data::{BatchSize, Batches, Dataset, Loader};
use retune_graph::WeightId;
use retune_models::{Mode, Model};
use retune_tensor::Tensor;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// All that training needs, built and checked.
#[derive(Debug)]
pub struct Job {
    /// Where it runs.
    pub cpu: Cpu,
    /// The model, with frozen and trainable weights as they are to be.
    pub model: Model,
    /// Shapes of one example for each input, where the model leaves them open.
    pub input_shapes: Option<Vec<Vec<Option<usize>>>>,
    /// The loss.
    pub loss: Loss,
    /// The optimizer.
    pub optimizer: OptimizerSettings,
    /// The learning rate.
    pub schedule: Schedule,
    /// Examples to train on.
    pub train: Loader,
    /// Examples to choose the best weights by.
    pub validation: Option<Loader>,
    /// Examples for the final figures.
    pub test: Option<Loader>,
    /// How long and how often.
    pub settings: TrainSettings,
}

/// How a loop ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All epochs or steps are done.
    Completed,
    /// The monitored metric stopped improving.
    StoppedEarly,
    /// It was asked to stop; a checkpoint was saved, and the run can be resumed.
    Interrupted,
}

/// A training loop at work.
#[derive(Debug)]
pub struct Trainer {
    job: Job,
    weights: Vec<Tensor>,
    program: TrainingProgram,
    evaluator: Evaluator,
    optimizer: OptimizerState,
    sums: GradientSums,
    progress: Progress,
}

impl Trainer {
    /// Builds the graphs of a job.
    ///
    /// # Errors
    /// A model that does not fit the data or the loss, or without trainable weights.
    pub fn new(mut job: Job) -> Result<Trainer, TrainError> {
        let shapes = job.input_shapes.as_deref();
        let build = |mode: Mode| {
            let network = job.model.build(mode, shapes)?;
            Ok::<_, TrainError>(if job.settings.rounds_products { network.with_rounded_products()? } else { network })
        };
        let network = build(Mode::Training)?;
        let weights = job.model.weights.iter().enumerate();
        let regularizers: Vec<_> =
            weights.filter_map(|(index, weight)| Some((WeightId(index), weight.regularizer?))).collect();
        let infos = network.graph.weights().to_vec();
        let store = match &job.settings.cache {
            Some((folder, limit_bytes)) => {
                let store = FeatureStore::create(folder, *limit_bytes);
                Some(store.map_err(|error| TrainError::Features { error })?)
            }
            None => None,
        };
        // Examples that are changed at random are others in each epoch.
        let own = store.as_ref().filter(|_| !job.train.is_augmented());
        let program = TrainingProgram::with_store(&job.cpu, network, job.loss, &regularizers, own)?;
        let is_learned: Vec<bool> = job.model.weights.iter().map(|w| w.trainable || w.statistic).collect();
        let inference = build(Mode::Inference)?;
        let evaluator = match &store {
            Some(store) => Evaluator::with_store(&job.cpu, inference, job.loss, &is_learned, store)?,
            None => Evaluator::new(&job.cpu, inference, job.loss)?,
        };
        let weights =
            job.model.weights.iter_mut().map(|weight| std::mem::replace(&mut weight.value, Tensor::zeros([0])));
        let weights = weights.collect();
        let o = &job.optimizer;
        let optimizer = OptimizerState::new(o.optimizer, o.weight_decay, o.decay_mode, o.decay_all, &o.groups, &infos);
        Ok(Trainer {
            job,
            weights,
            program,
            evaluator,
            optimizer,
            sums: GradientSums::default(),
            progress: Progress::default(),
        })
    }

    /// The job. Its model has no values of weights while the trainer has them.
    pub fn job(&self) -> &Job {
        &self.job
    }

    /// Where the run stands.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The weights as they are.
    pub fn weights(&self) -> &[Tensor] {
        &self.weights
    }

    /// The training program, to ask for its plan.
    pub fn program(&mut self) -> &mut TrainingProgram {
        &mut self.program
    }

    /// The optimizer and what it remembers.
    pub fn optimizer(&self) -> &OptimizerState {
        &self.optimizer
    }

    /// Weights and progress as a checkpoint has them.
    pub(crate) fn parts_mut(&mut self) -> (&mut Vec<Tensor>, &mut OptimizerState, &mut Progress, &Model) {
        (&mut self.weights, &mut self.optimizer, &mut self.progress, &self.job.model)
    }

    /// The model with the weights as they are now.
    pub fn into_model(mut self) -> Model {
        for (weight, value) in self.job.model.weights.iter_mut().zip(self.weights.drain(..)) {
            weight.value = value;
        }
        self.job.model
    }

    /// Values that training changes, and values of all weights.
    pub fn weight_counts(&self) -> (usize, usize) {
        let trainable = self.optimizer.trainable().map(|id| self.weights[id.0].len()).sum();
        (trainable, self.weights.iter().map(Tensor::len).sum())
    }

    /// Planned bytes and floating-point operations of the largest batch, forward and backward.
    ///
    /// # Errors
    /// If the memory cannot be had.
    pub fn step_costs(&mut self) -> Result<(usize, u64), TrainError> {
        self.step_costs_of(self.job.train.largest_batch())
    }

    /// Planned bytes and floating-point operations of a batch of this size, forward and backward.
    ///
    /// # Errors
    /// If the memory cannot be had.
    pub fn step_costs_of(&mut self, size: BatchSize) -> Result<(usize, u64), TrainError> {
        let plan = self.program.plan(size)?;
        Ok((plan.peak_bytes(), plan.flops()))
    }

    /// Bytes that a whole run holds at its peak, as known before it starts: a training step, an evaluation if there is
    /// one, the optimizer, gradients summed over batches, batches prepared ahead, data kept in memory, what a checkpoint and
    /// the exported model copy, and the program.
    ///
    /// # Errors
    /// If the memory cannot be had.
    pub fn run_bytes(&mut self) -> Result<usize, TrainError> {
        /// The program with its threads, measured with a model of a few weights.
        const PROGRAM_BYTES: usize = 10 << 20;
        let (step, _) = self.step_costs()?;
        let largest = self.job.train.largest_batch();
        let step = step + self.program.prefix_bytes(largest)?;
        let (trainable, total) = self.weight_counts();
        let optimizer = self.optimizer.size_bytes();
        let sums = if self.job.settings.accumulate > 1 { 4 * trainable } else { 0 };
        let evaluated = [&self.job.validation, &self.job.test].into_iter().flatten();
        let mut evaluation = 0;
        for size in evaluated.map(Loader::largest_batch) {
            let kept = self.evaluator.prefix_bytes(size)?;
            evaluation = evaluation.max(kept + self.evaluator.plan(size)?.arena_bytes());
        }
        let saving = 2 * 4 * total + optimizer;
        Ok(step + evaluation + optimizer + sums + self.data_bytes() + saving + PROGRAM_BYTES)
    }

    /// Bytes of the data kept in memory, each data set once, and of the batches prepared ahead of a step and of an evaluation.
    fn data_bytes(&self) -> usize {
        let Job { train, validation, test, .. } = &self.job;
        let evaluated: Vec<&Loader> = [validation, test].into_iter().flatten().collect();
        let mut kept: Vec<&Dataset> = vec![train.data()];
        for loader in &evaluated {
            if !kept.iter().any(|data| std::ptr::eq(*data, loader.data())) {
                kept.push(loader.data());
            }
        }
        let kept: usize = kept.into_iter().map(Dataset::size_bytes).sum();
        let tokens: usize = evaluated.iter().map(|loader| loader.token_bytes()).sum::<usize>() + train.token_bytes();
        let ahead = evaluated.into_iter().map(Loader::prepared_bytes).max().unwrap_or(0);
        kept + tokens + train.prepared_bytes() + ahead
    }

    /// Seconds of an optimizer step, the median of a few real ones after the first, which makes the plan. Their results are
    /// thrown away, nothing is evaluated or saved. `None` where the job has a single step.
    ///
    /// # Errors
    /// As for [`run`](Self::run).
    pub fn time_steps(mut self, count: u64) -> Result<Option<f64>, TrainError> {
        (self.job.validation, self.job.test) = (None, None);
        self.job.settings.max_steps = Some(count.min(self.job.settings.max_steps.unwrap_or(u64::MAX)));
        let mut times = Vec::new();
        let mut observer = |event: &Event<'_>| {
            if let Event::Step { secs, .. } = event {
                times.push(*secs);
            }
        };
        self.run(None, &mut observer, &AtomicBool::new(false))?;
        let mut times = times.split_off(times.len().min(1));
        times.sort_by(f64::total_cmp);
        Ok(times.get(times.len() / 2).copied())
    }

    /// Optimizer steps in an epoch.
    pub fn steps_per_epoch(&self) -> u64 {
        steps_per_epoch(&self.job.train, self.job.settings.accumulate, &self.job.optimizer)
    }

    /// Predictions and losses of the current weights on a part of the data.
    ///
    /// # Errors
    /// Inputs or labels that do not fit, or an unreadable example.
    pub fn evaluate(&mut self, loader: &Loader, observer: &mut dyn Observer) -> Result<Scored, TrainError> {
        let total = loader.len();
        self.evaluator.evaluate(&self.weights, loader, |done| observer.event(&Event::Evaluating { done, total }))
    }

    /// Trains to the end, from wherever the run stands. With a run directory, everything that is needed to resume is kept there.
    ///
    /// When `interrupt` becomes true, the step at hand is finished and saved.
    ///
    /// # Errors
    /// A loss that is not finite, an unreadable example, a file that cannot be written. Checkpoints saved before stay.
    pub fn run(
        &mut self,
        mut run: Option<&mut RunDirectory>,
        observer: &mut dyn Observer,
        interrupt: &AtomicBool,
    ) -> Result<Ending, TrainError> {
        let epochs = self.job.settings.epochs;
        observer.event(&Event::Started {
            epochs,
            steps_per_epoch: self.steps_per_epoch(),
            step: self.progress.step,
            examples: self.job.train.len(),
        });
        let mut batches = self.job.train.batches(self.progress.cursor, epochs);
        while !self.is_finished() {
            let epoch = self.progress.cursor.epoch;
            let newest = run.as_deref().and_then(RunDirectory::newest_checkpoint);
            let Some(summary) = self.step(&mut batches, newest.as_deref(), run.as_deref_mut(), observer)? else {
                break;
            };
            let epoch_ended = self.progress.cursor.epoch > epoch;
            let evaluated = self.job.settings.evaluate_every.is_due(self.progress.step, epoch_ended);
            if evaluated {
                self.evaluate_and_judge(epoch, summary, run.as_deref_mut(), newest.as_deref(), observer)?;
            }
            if epoch_ended {
                self.progress.sums = EpochSums::default();
            }
            let interrupted = interrupt.load(Ordering::Relaxed) && !self.is_finished();
            let save_due = self.job.settings.save_every.is_due(self.progress.step, epoch_ended);
            if let Some(run) = run.as_deref_mut()
                && (save_due || interrupted || self.is_finished())
            {
                let path = run.save(self)?;
                observer.event(&Event::Saved { path: &path });
            }
            if interrupted {
                return Ok(Ending::Interrupted);
            }
        }
        Ok(if self.progress.stopped_early { Ending::StoppedEarly } else { Ending::Completed })
    }

    fn is_finished(&self) -> bool {
        let settings = &self.job.settings;
        self.progress.stopped_early
            || self.progress.cursor.epoch >= settings.epochs
            || settings.max_steps.is_some_and(|most| self.progress.step >= most)
    }

    /// One optimizer step over one or several batches of one epoch; `None` where there are no more.
    fn step(
        &mut self,
        batches: &mut Batches,
        newest: Option<&Path>,
        run: Option<&mut RunDirectory>,
        observer: &mut dyn Observer,
    ) -> Result<Option<StepSummary>, TrainError> {
        let start = Instant::now();
        let Trainer { job, weights, program, optimizer, sums, progress, .. } = self;
        let wanted = batches_per_step(&job.train, job.settings.accumulate, &job.optimizer);
        let epoch = progress.cursor.epoch;
        let diverged = |value: f64, step: u64| TrainError::Diverged {
            value: value as f32,
            epoch: epoch + 1,
            step,
            checkpoint: newest.map(Path::to_path_buf),
        };
        let (mut taken, mut loss_sum, mut examples) = (0, 0.0, 0);
        sums.clear();
        let summary = loop {
            let Some(batch) = batches.next().transpose()? else { return Ok(None) };
            let ends_epoch = batch.next.epoch > batch.cursor.epoch;
            let outputs = program.run(weights, &batch, job.train.data(), job.settings.seed)?;
            if !outputs.loss_sum.is_finite() {
                return Err(diverged(outputs.loss_sum, progress.step));
            }
            taken += 1;
            loss_sum += outputs.loss_sum;
            examples += outputs.examples;
            progress.sums.add(outputs.loss_sum, outputs.right, outputs.examples);
            update_statistics(&outputs, weights);
            let complete = taken == wanted || ends_epoch;
            let alone = complete && taken == 1;
            if !alone {
                sums.add(&job.cpu, &outputs);
            }
            if complete {
                let gradients = if alone { outputs.gradients() } else { sums.gradients() };
                let rate = job.schedule.at(progress.step) * progress.plateau.factor;
                let clip = job.optimizer.clip_norm;
                let summary = optimizer_step(&job.cpu, optimizer, rate, clip, &gradients, examples, weights);
                if !summary.gradient_norm.is_finite() {
                    return Err(diverged(summary.gradient_norm, progress.step));
                }
                progress.cursor = batch.next;
                break summary;
            }
        };
        progress.step += 1;
        let secs = start.elapsed().as_secs_f64();
        let loss = loss_sum / examples as f64;
        let event = Event::Step { epoch, step: progress.step, loss, examples, summary, sums: progress.sums, secs };
        observer.event(&event);
        if let Some(run) = run
            && (progress.step == 1 || progress.step.is_multiple_of(job.settings.log_every.max(1)))
        {
            run.log_step(epoch, progress.step, loss, &summary, examples, secs)?;
        }
        Ok(Some(summary))
    }

    /// Evaluates on the validation part, if there is one, and acts on it: learning rate, best weights, early stopping.
    fn evaluate_and_judge(
        &mut self,
        epoch: u64,
        summary: StepSummary,
        run: Option<&mut RunDirectory>,
        newest: Option<&Path>,
        observer: &mut dyn Observer,
    ) -> Result<(), TrainError> {
        let start = Instant::now();
        let mut values: Vec<(Metric, f64)> = Vec::new();
        if let Some(validation) = self.job.validation.clone() {
            let scored = self.evaluate(&validation, observer)?;
            let metrics = self.job.settings.metrics_for(scored.problem());
            values.extend(metrics.into_iter().filter_map(|metric| Some((metric, metric.value(&scored)?))));
            if Metric::Loss.value(&scored).is_none() {
                let checkpoint = newest.map(Path::to_path_buf);
                let step = self.progress.step;
                return Err(TrainError::Diverged { value: f32::NAN, epoch: epoch + 1, step, checkpoint });
            }
        }
        let monitor = self.job.settings.monitor;
        // Without a validation part the training loss is all there is to go by.
        let judged = match values.iter().find(|(metric, _)| *metric == monitor) {
            Some(&(_, value)) => Some(value),
            None if self.job.validation.is_none() && monitor == Metric::Loss => Some(self.progress.sums.mean_loss()),
            None => None,
        };
        let (direction, step) = (monitor.direction(), self.progress.step);
        let mut improved = false;
        if let Some(value) = judged {
            if let Some(plateau) = &self.job.settings.plateau {
                let rate = self.job.schedule.at(step);
                if self.progress.plateau.observe(plateau, direction, value, rate) {
                    observer.event(&Event::LearningRateReduced { rate: rate * self.progress.plateau.factor });
                }
            }
            improved = self.progress.best.is_none_or(|best| direction.improves(value, best.value, 0.0));
            if improved {
                self.progress.best = Some(Best { value, step, epoch });
            }
            if let Some(stopping) = &self.job.settings.early_stopping {
                self.progress.stopped_early = self.progress.stopping.observe(stopping, direction, value);
            }
        }
        let sums = self.progress.sums;
        let secs = start.elapsed().as_secs_f64();
        if let Some(run) = run {
            run.log_evaluation(epoch, step, &sums, &values, summary.learning_rate, secs)?;
            if improved && self.job.validation.is_some() {
                run.save_best(self)?;
            }
        }
        let best = if improved { judged } else { None };
        observer.event(&Event::Evaluated { epoch, step, sums, values: &values, best });
        if self.progress.stopped_early {
            observer.event(&Event::StoppedEarly { epoch, best: self.progress.best });
        }
        Ok(())
    }
}

fn batches_per_step(train: &Loader, accumulate: usize, optimizer: &OptimizerSettings) -> usize {
    if optimizer.optimizer.takes_all_examples() { train.batches_per_epoch() } else { accumulate.max(1) }
}

/// Optimizer steps in an epoch of `train`.
pub fn steps_per_epoch(train: &Loader, accumulate: usize, optimizer: &OptimizerSettings) -> u64 {
    train.batches_per_epoch().div_ceil(batches_per_step(train, accumulate, optimizer)) as u64
}

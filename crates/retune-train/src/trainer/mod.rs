//! The training loop: short code that calls the [steps](crate::steps).
//!
//! - [`settings`][]: [`TrainSettings`], how long and how often;
//! - [`progress`][]: [`Progress`], where a run stands, as checkpoints keep it;
//! - [`stopping`][]: [`EarlyStopping`];
//! - [`features`][]: what is kept of the frozen part;
//! - [`stages`][]: [`Stage`], what is trained from which epoch on;
//! - [`observer`][]: [`Observer`], who wants to know what happens;
//! - here: [`Job`], all that training needs, and [`Trainer`], the loop.

pub mod features;
pub mod observer;
pub mod progress;
pub mod settings;
pub mod stages;
pub mod stopping;

pub use features::FeaturePlan;
pub use observer::{Event, Observer, Silent};
pub use progress::{Best, EpochSums, Progress};
pub use settings::{Every, OptimizerSettings, TrainSettings};
pub use stages::Stage;
pub use stopping::{EarlyStopping, Stopping};

use crate::baselines::ProbePart;
use crate::error::TrainError;
use crate::features::FeatureStore;
use crate::losses::Loss;
use crate::metrics::{Metric, Scored};
use crate::optimizers::OptimizerState;
use crate::run::RunDirectory;
use crate::schedules::{Plateau, Schedule};
use crate::steps::{GradientSums, StepSummary, TrainingProgram, optimizer_step, update_statistics};
use retune_cpu::{Cpu, Plan};
use retune_data::{BatchSize, Batches, Cursor, Dataset, Loader};
use retune_models::Model;
use retune_tensor::Tensor;
use serde::Serialize;
use stages::{Programs, stage_of};
use std::collections::VecDeque;
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
    /// What is trained from which epoch on, and at which rates; the first begins with the run.
    pub stages: Vec<Stage>,
    /// Examples to train on.
    pub train: Loader,
    /// Examples to choose the best weights by.
    pub validation: Option<Loader>,
    /// Examples for the final figures.
    pub test: Option<Loader>,
    /// Examples of other data, measured before and after training.
    pub also: Option<Loader>,
    /// What the probe of the untouched model learns from, where the head is new.
    pub probe: Option<ProbePart>,
    /// How long and how often.
    pub settings: TrainSettings,
}

/// Seconds of an optimizer step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StepTimes {
    /// In the first epoch, where what is frozen is computed.
    pub first_secs: f64,
    /// In later epochs, where it is read; the same where nothing is kept.
    pub later_secs: f64,
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
    /// Number of the stage at hand.
    stage: usize,
    programs: Programs,
    /// Those of the stages to come.
    ahead: VecDeque<Programs>,
    store: Option<FeatureStore>,
    dropouts_left_out: usize,
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
        let store = job.settings.cache.clone().map(|settings| {
            let folder = settings.folder.clone();
            FeatureStore::open(settings).map_err(|error| TrainError::Features { folder, error })
        });
        let store = store.transpose()?;
        let mut ahead = Programs::of(&mut job, store.as_ref())?;
        let dropouts_left_out = ahead.iter().map(|programs| programs.dropouts_left_out).max().unwrap_or(0);
        let programs = ahead.pop_front().expect("a job has a stage, which was checked");
        let weights =
            job.model.weights.iter_mut().map(|weight| std::mem::replace(&mut weight.value, Tensor::zeros([0])));
        let weights = weights.collect();
        let optimizer = programs.optimizer(&job);
        Ok(Trainer {
            job,
            weights,
            stage: 0,
            programs,
            ahead,
            store,
            dropouts_left_out,
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

    /// The training program of the stage at hand, to ask for its plan.
    pub fn program(&mut self) -> &mut TrainingProgram {
        &mut self.programs.program
    }

    /// That of the stage of this number, if it is not over.
    pub fn program_of(&mut self, stage: usize) -> Option<&mut TrainingProgram> {
        let programs = match stage.checked_sub(self.stage)? {
            0 => Some(&mut self.programs),
            later => self.ahead.get_mut(later - 1),
        };
        programs.map(|programs| &mut programs.program)
    }

    /// The stage at hand.
    pub fn stage(&self) -> &Stage {
        &self.job.stages[self.stage]
    }

    /// Goes to the stage of an epoch, if that is a later one: with an optimizer that remembers nothing. What the stages before it
    /// held is freed.
    pub(crate) fn enter_stage_of(&mut self, epoch: u64) {
        let wanted = stage_of(&self.job.stages, epoch);
        while self.stage < wanted
            && let Some(next) = self.ahead.pop_front()
        {
            self.stage += 1;
            self.optimizer = next.optimizer(&self.job);
            self.programs = next;
            self.sums = GradientSums::default();
            self.progress.plateau = Plateau::default();
            self.progress.stopping = Stopping::default();
        }
    }

    /// The epochs of a stage, from its first to before the next one's.
    pub fn epochs_of(&self, stage: usize) -> std::ops::Range<u64> {
        let stages = &self.job.stages;
        let end = stages.get(stage + 1).map_or(self.job.settings.epochs, |next| next.first_epoch);
        stages[stage].first_epoch..end
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
    pub fn into_model(self) -> Model {
        self.into_job().model
    }

    /// The job, its model with the weights as they are now.
    fn into_job(mut self) -> Job {
        for (weight, value) in self.job.model.weights.iter_mut().zip(self.weights.drain(..)) {
            weight.value = value;
        }
        self.job
    }

    /// Dropouts inside of frozen layers that are left out; see [`TrainSettings::frozen_dropout`].
    pub fn dropouts_left_out(&self) -> usize {
        self.dropouts_left_out
    }

    /// Values that training changes in any stage, and values of all weights.
    pub fn weight_counts(&self) -> (usize, usize) {
        let trained = self.job.model.weights.iter().zip(&self.weights).filter(|(weight, _)| weight.trainable);
        let trainable = trained.map(|(_, value)| value.len()).sum();
        (trainable, self.weights.iter().map(Tensor::len).sum())
    }

    /// Planned bytes and floating-point operations of the largest batch, forward and backward, in the stage at hand.
    ///
    /// # Errors
    /// If the memory cannot be had.
    pub fn step_costs(&mut self) -> Result<(usize, u64), TrainError> {
        self.step_costs_of(self.job.train.largest_batch())
    }

    /// Planned bytes and floating-point operations of a batch of this size, forward and backward, in the stage at hand.
    ///
    /// # Errors
    /// If the memory cannot be had.
    pub fn step_costs_of(&mut self, size: BatchSize) -> Result<(usize, u64), TrainError> {
        let plan = self.programs.program.plan(size)?;
        Ok((plan.peak_bytes(), plan.flops()))
    }

    /// Bytes that a run holds at its peak, as known before it starts: a training step, an evaluation if there is one, the optimizer
    /// (all three in the stage, of that at hand and those to come, where they are most), gradients summed over batches, batches
    /// prepared ahead, data kept in memory, what a checkpoint and the exported model copy, and the program.
    ///
    /// # Errors
    /// If the memory cannot be had.
    pub fn run_bytes(&mut self) -> Result<usize, TrainError> {
        /// The program with its threads, measured with a model of a few weights.
        const PROGRAM_BYTES: usize = 10 << 20;
        let (trainable, total) = self.weight_counts();
        let sums = if self.job.settings.accumulate > 1 { 4 * trainable } else { 0 };
        let largest = self.job.train.largest_batch();
        let evaluated = [&self.job.validation, &self.job.test, &self.job.also].into_iter().flatten();
        let evaluated: Vec<BatchSize> = evaluated.map(Loader::largest_batch).collect();
        // Weights are counted with the step.
        let own_bytes = |plan: &Plan| plan.arena_bytes() + plan.constant_bytes();
        let mut most = 0;
        for programs in std::iter::once(&mut self.programs).chain(&mut self.ahead) {
            let kept = programs.feature_bytes(&self.job);
            let Programs { program, evaluator, .. } = programs;
            let frozen = program.prefix_plan(largest)?.map_or(0, Plan::peak_bytes);
            let step = program.plan(largest)?.peak_bytes() + frozen;
            let mut evaluation = 0;
            for &size in &evaluated {
                let frozen = evaluator.prefix_plan(size)?.map_or(0, own_bytes);
                evaluation = evaluation.max(frozen + own_bytes(evaluator.plan(size)?));
            }
            let trained: usize = program.trainable().iter().map(|id| self.weights[id.0].len()).sum();
            // Twice: a checkpoint is written of a copy.
            most = most.max(step + evaluation + kept + 2 * self.job.optimizer.optimizer.state_bytes(trained));
        }
        Ok(most + sums + self.data_bytes() + 2 * 4 * total + PROGRAM_BYTES)
    }

    /// Bytes of the data kept in memory, each data set once, and of the batches prepared ahead of a step and of an evaluation.
    fn data_bytes(&self) -> usize {
        let Job { train, validation, test, also, probe, .. } = &self.job;
        let probe = probe.as_ref().map(|part| &part.train);
        let evaluated: Vec<&Loader> = [validation, test, also].into_iter().flatten().chain(probe).collect();
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

    /// Seconds of an optimizer step in each stage, the median of a few real ones after the first, which makes the plan. Their
    /// results are thrown away, nothing is evaluated or saved. `None` where a stage has a single step.
    ///
    /// # Errors
    /// As for [`run`](Self::run).
    pub fn time_steps(self, count: u64) -> Result<Vec<Option<StepTimes>>, TrainError> {
        let mut job = self.into_job();
        (job.validation, job.test, job.also, job.probe) = (None, None, None, None);
        // Neither do values kept by other runs hide what the first epoch costs, nor are any left behind.
        let folder = tempfile::tempdir().map_err(TrainError::write(&std::env::temp_dir()))?;
        job.settings.cache.iter_mut().for_each(|cache| folder.path().clone_into(&mut cache.folder));
        let most = job.settings.max_steps.unwrap_or(u64::MAX);
        let mut trainer = Trainer::new(job)?;
        let mut times = Vec::new();
        for stage in 0..trainer.job.stages.len() {
            let range = trainer.epochs_of(stage);
            trainer.enter_stage_of(range.start);
            let epochs = std::mem::replace(&mut trainer.job.settings.epochs, range.end);
            let step = range.start * trainer.steps_per_epoch();
            trainer.job.settings.max_steps = Some(most.min(step + count));
            let first = trainer.median_step(range.start, step)?;
            let keeps = trainer.programs.program.kept_bytes(0).is_some();
            let later = if keeps { trainer.median_step(range.start, step)? } else { first };
            times.push(first.zip(later).map(|(first_secs, later_secs)| StepTimes { first_secs, later_secs }));
            trainer.job.settings.epochs = epochs;
        }
        Ok(times)
    }

    /// Seconds of the steps from the beginning of an epoch on, which is at this step.
    fn median_step(&mut self, epoch: u64, step: u64) -> Result<Option<f64>, TrainError> {
        self.progress = Progress { cursor: Cursor { epoch, ..Cursor::default() }, step, ..Progress::default() };
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
        self.programs
            .evaluator
            .evaluate(&self.weights, loader, |done| observer.event(&Event::Evaluating { done, total }))
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
        let mut batches = self.batches();
        while !self.is_finished() {
            let epoch = self.progress.cursor.epoch;
            let newest = run.as_deref().and_then(RunDirectory::newest_checkpoint);
            let Some(summary) = self.step(&mut batches, newest.as_deref(), run.as_deref_mut(), observer)? else {
                break;
            };
            self.note_features(observer);
            let epoch_ended = self.progress.cursor.epoch > epoch;
            let evaluated = self.job.settings.evaluate_every.is_due(self.progress.step, epoch_ended);
            if evaluated {
                self.evaluate_and_judge(epoch, summary, run.as_deref_mut(), newest.as_deref(), observer)?;
            }
            if epoch_ended {
                self.progress.sums = EpochSums::default();
                // Before the checkpoint, which then belongs to the stage that goes on from it.
                let stage = self.stage;
                self.enter_stage_of(self.progress.cursor.epoch);
                if self.stage != stage {
                    batches = self.batches();
                }
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

    /// The batches of the stage at hand from where the run stands, without inputs where values of its frozen part are kept.
    fn batches(&mut self) -> Batches {
        let end = self.epochs_of(self.stage).end;
        let keeper = self.programs.program.keeper(&self.weights);
        self.job.train.batches_with(self.progress.cursor, end, keeper)
    }

    /// Passes on what the store of kept values has to say.
    fn note_features(&self, observer: &mut dyn Observer) {
        for text in self.store.iter().flat_map(FeatureStore::take_notes) {
            observer.event(&Event::Note { text: &text });
        }
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
        let Trainer { job, weights, stage, programs: Programs { program, .. }, optimizer, sums, progress, .. } = self;
        let (schedule, first_step) = stage_rate(job, *stage);
        let wanted = batches_per_step(&job.train, job.settings.accumulate, &job.optimizer);
        let epoch = progress.cursor.epoch;
        let diverged = |value: f64, step: u64| TrainError::Diverged {
            value: value as f32,
            epoch: epoch + 1,
            step,
            checkpoint: newest.map(Path::to_path_buf),
        };
        let (mut taken, mut loss_sum, mut examples, mut items) = (0, 0.0, 0, 0);
        sums.clear();
        let summary = loop {
            let Some(batch) = batches.next().transpose()? else { return Ok(None) };
            let ends_epoch = batch.next.epoch > batch.cursor.epoch;
            let outputs = program.run(weights, &batch, job.settings.seed)?;
            if !outputs.loss_sum.is_finite() {
                return Err(diverged(outputs.loss_sum, progress.step));
            }
            taken += 1;
            loss_sum += outputs.loss_sum;
            examples += outputs.examples;
            items += outputs.items;
            progress.sums.add(outputs.loss_sum, outputs.right, outputs.items);
            update_statistics(&outputs, weights);
            let complete = taken == wanted || ends_epoch;
            let alone = complete && taken == 1;
            if !alone {
                sums.add(&job.cpu, &outputs);
            }
            if complete {
                let gradients = if alone { outputs.gradients() } else { sums.gradients() };
                let rate = schedule.at(progress.step - first_step) * progress.plateau.factor;
                let clip = job.optimizer.clip_norm;
                let summary = optimizer_step(&job.cpu, optimizer, rate, clip, &gradients, items, weights);
                if !summary.gradient_norm.is_finite() {
                    return Err(diverged(summary.gradient_norm, progress.step));
                }
                progress.cursor = batch.next;
                break summary;
            }
        };
        progress.step += 1;
        let secs = start.elapsed().as_secs_f64();
        let loss = loss_sum / items.max(1) as f64;
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
                let (schedule, first_step) = stage_rate(&self.job, self.stage);
                let rate = schedule.at(step - first_step);
                if self.progress.plateau.observe(plateau, direction, value, rate) {
                    observer.event(&Event::LearningRateReduced { rate: rate * self.progress.plateau.factor });
                }
            }
            improved = self.progress.best.is_none_or(|best| direction.improves(value, best.value, 0.0));
            if improved {
                self.progress.best = Some(Best { value, step, epoch });
            }
            if let Some(stopping) = self.job.settings.early_stopping.as_ref().filter(|_| self.ahead.is_empty()) {
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

/// The learning rate of a stage, and the number of optimizer steps before it.
fn stage_rate(job: &Job, stage: usize) -> (&Schedule, u64) {
    let Stage { schedule, first_epoch, .. } = &job.stages[stage];
    (schedule, first_epoch * steps_per_epoch(&job.train, job.settings.accumulate, &job.optimizer))
}

fn batches_per_step(train: &Loader, accumulate: usize, optimizer: &OptimizerSettings) -> usize {
    if optimizer.optimizer.takes_all_examples() { train.batches_per_epoch() } else { accumulate.max(1) }
}

/// Optimizer steps in an epoch of `train`.
pub fn steps_per_epoch(train: &Loader, accumulate: usize, optimizer: &OptimizerSettings) -> u64 {
    train.batches_per_epoch().div_ceil(batches_per_step(train, accumulate, optimizer)) as u64
}

//! A whole run: evaluate, train, evaluate again, save, report. `fit`, `resume` and `check` of the command line are calls of
//! these functions.

use crate::baselines::baselines;
use crate::calibration::{Calibration, CalibrationSettings};
use crate::card::CardFacts;
use crate::comparison::{Baseline, BaselineKind, Comparison};
use crate::error::TrainError;
use crate::features::StoreCounts;
use crate::language::{Language, Said, phrases};
use crate::metrics::{Resampling, Scored};
use crate::recipe::{self, Built};
use crate::report::Warning;
use crate::run::left_out::{LEFT_OUT, write_left_out};
use crate::run::manifest::FileManifest;
use crate::run::overview::{RunOutcome, RunPlan, ending_name};
use crate::run::{EnergyMeter, Manifest, RunDirectory, path_sha256, write_json};
use crate::stored::Stored;
use crate::summary::Summary;
use crate::trainer::{Ending, Event, FeaturePlan, Job, Observer, Stage, StepTimes, Trainer};
use retune_data::{BatchSize, Loader, TokenStatistics};
use retune_models::{AdapterBase, Model};
use retune_tensor::Tensor;
use serde::Serialize;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// The file of a run that says how its data were divided.
const SPLIT: &str = "split.json";

/// The folder of a run that holds its adapters alone, as PEFT reads them.
const ADAPTER: &str = "adapter";

/// How a run went.
#[derive(Debug)]
pub struct Outcome {
    /// How the loop ended.
    pub ending: Ending,
    /// The run's folder.
    pub root: PathBuf,
    /// The saved model; none after an interruption.
    pub model: Option<PathBuf>,
    /// The report; none after an interruption.
    pub report: Option<PathBuf>,
    /// Before and after, where there is data to compare on.
    pub comparison: Option<Comparison>,
    /// The same on the other data of `eval.also`: what was forgotten.
    pub also: Option<Comparison>,
    /// Time and memory.
    pub cost: Cost,
}

/// What a run cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Cost {
    /// Seconds of training and evaluation, since the start or the last resumption.
    pub secs: f64,
    /// Mean seconds of an epoch, evaluations and checkpoints included; none where no step was done.
    pub epoch_secs: Option<f64>,
    /// Optimizer steps in that time.
    pub steps: u64,
    /// Training examples in that time, about.
    pub examples: u64,
    /// Energy that the processor took in that time, in joules; see [`EnergyMeter`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub energy_joules: Option<f64>,
    /// The most memory that the process ever held, in bytes; 0 where the system does not tell.
    pub peak_bytes: u64,
    /// Peak memory of the run as planned, in bytes; see [`Trainer::run_bytes`].
    pub planned_bytes: usize,
    /// Floating-point operations of a batch, forward and backward.
    pub step_flops: u64,
    /// Values that training changes.
    pub trainable_weights: usize,
    /// Values of all weights.
    pub total_weights: usize,
    /// Examples that went through frozen layers, evaluations included; none where nothing of these is kept.
    pub features: Option<StoreCounts>,
    /// Dropouts inside of frozen layers that were left out in training.
    pub dropouts_left_out: usize,
}

/// What `check` tells: everything that can be known before training.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Plan {
    /// Examples: to train, to validate, to test.
    pub examples: [usize; 3],
    /// Examples of a batch at most.
    pub batch_size: usize,
    /// Of texts: how long they are, and what a batch in the mean costs.
    pub tokens: Option<TokenPlan>,
    /// What is trained from which epoch on, and what it costs; one entry for a usual run.
    pub stages: Vec<StagePlan>,
    /// Bytes that the largest training step holds at its peak: weights, activations, gradients and the batch.
    pub step_bytes: usize,
    /// Bytes of the optimizer's state.
    pub optimizer_bytes: usize,
    /// Bytes that the whole run holds at its peak; see [`Trainer::run_bytes`].
    pub run_bytes: usize,
    /// Floating-point operations of the largest training step, forward and backward.
    pub step_flops: u64,
    /// Optimizer steps in an epoch.
    pub steps_per_epoch: u64,
    /// Optimizer steps of the whole run at most.
    pub steps: u64,
    /// Dropouts inside of frozen layers that are left out in training; see `train.frozen-dropout`.
    pub dropouts_left_out: usize,
    /// Seconds of a step in the mean of the run, if it was timed.
    pub secs_per_step: Option<f64>,
}

/// A stage of a run, before it starts.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StagePlan {
    /// What it trains, in words.
    pub name: String,
    /// Its first epoch, from 0, and the one after its last.
    pub epochs: [u64; 2],
    /// Optimizer steps at most.
    pub steps: u64,
    /// Values that it trains.
    pub trainable_parameters: usize,
    /// Bytes that its largest step holds at its peak.
    pub step_bytes: usize,
    /// Floating-point operations of its largest step, forward and backward.
    pub step_flops: u64,
    /// What is kept of what is frozen in it. None where nothing is.
    pub features: Option<FeaturePlan>,
    /// Seconds of a step, if it was timed.
    pub step_times: Option<StepTimes>,
}

impl StagePlan {
    /// Seconds of its steps, if some were timed. Those of its first epoch take as long as there are examples of which nothing is kept
    /// yet.
    pub fn secs(&self, steps_per_epoch: u64) -> Option<f64> {
        let times = self.step_times?;
        let kept = self.features.as_ref().map_or(0.0, |plan| plan.present as f64 / plan.examples as f64);
        let first_steps = self.steps.min(steps_per_epoch) as f64 * (1.0 - kept);
        Some(first_steps * times.first_secs + (self.steps as f64 - first_steps) * times.later_secs)
    }
}

/// Token counts of the training part, and what follows from them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TokenPlan {
    /// How long examples are.
    pub statistics: TokenStatistics,
    /// Whether texts are changed at random in each epoch, or only a sample of very many was looked at, so that all that follows from
    /// their lengths is an estimate.
    pub is_estimate: bool,
    /// Examples and tokens of a batch in the mean.
    pub mean_batch: BatchSize,
    /// Most examples and most tokens of a batch.
    pub largest_batch: BatchSize,
    /// Bytes that a step on a mean batch holds at its peak.
    pub mean_step_bytes: usize,
    /// Floating-point operations of a step on a mean batch, forward and backward.
    pub mean_step_flops: u64,
}

/// Trains from the beginning in a new folder.
///
/// # Errors
/// A folder that holds a run already, and everything that training can meet.
pub fn fit(built: Built, observer: &mut dyn Observer, interrupt: &AtomicBool) -> Result<Outcome, TrainError> {
    let mut run = RunDirectory::create(&built.output, &built.manifest, Some(&built.recipe))?;
    write_json(&run.root().join(SPLIT), &built.split)?;
    run.keep_last(built.job.settings.keep_last);
    let trainer = Trainer::new(built.job)?;
    let extras = Extras {
        model_name: &built.model_name,
        recipe: &built.recipe,
        manifest: &built.manifest,
        calibration: &built.calibration,
        warnings: &built.warnings,
        language: built.language,
    };
    finish(trainer, &mut run, false, &extras, observer, interrupt)
}

/// What may be other when a run goes on; none of it changes the result.
#[derive(Debug, Clone, Copy, Default)]
pub struct ResumeOptions {
    /// Threads, in place of those of the recipe.
    pub threads: Option<NonZeroUsize>,
    /// Language of the report.
    pub language: Language,
}

/// Goes on with the run in the folder `root`, exactly where its newest checkpoint was taken.
///
/// # Errors
/// No run there, a model or data that changed, and everything that training can meet.
pub fn resume(
    root: &Path,
    options: ResumeOptions,
    observer: &mut dyn Observer,
    interrupt: &AtomicBool,
) -> Result<Outcome, TrainError> {
    let (mut run, manifest) = RunDirectory::open(root)?;
    let path = root.join("recipe.toml");
    let text = std::fs::read_to_string(&path).map_err(TrainError::read(&path))?;
    let overrides: Vec<String> =
        options.threads.map(|threads| format!("train.threads={threads}")).into_iter().collect();
    let settings = recipe::parse(&path.display().to_string(), &text, &overrides)?;
    let built = recipe::build(&settings, &manifest.folder, "resumed", &manifest.command)?;
    built.manifest.check_unchanged(&manifest)?;
    run.keep_last(built.job.settings.keep_last);
    let trainer = Trainer::new(built.job)?;
    let extras = Extras {
        model_name: &built.model_name,
        recipe: &text,
        manifest: &manifest,
        calibration: &built.calibration,
        warnings: &built.warnings,
        language: options.language,
    };
    finish(trainer, &mut run, true, &extras, observer, interrupt)
}

/// Trains without a folder: nothing is written. Returns the trainer, whose weights are those at the end.
///
/// # Errors
/// Everything that training can meet.
pub fn train(job: Job, observer: &mut dyn Observer) -> Result<Trainer, TrainError> {
    let mut trainer = Trainer::new(job)?;
    trainer.run(None, observer, &AtomicBool::new(false))?;
    Ok(trainer)
}

/// Memory and work of a job, without training. `timed_steps` real steps are done to see how long one takes, and thrown away; 0 for
/// none.
///
/// # Errors
/// A model that does not fit data or loss; of timed steps, everything that training can meet.
pub fn plan(job: Job, timed_steps: u64) -> Result<Plan, TrainError> {
    let len = |part: Option<&Loader>| part.map_or(0, Loader::len);
    let examples = [len(Some(&job.train)), len(job.validation.as_ref()), len(job.test.as_ref())];
    let batch_size = job.train.batch_size();
    let mut trainer = Trainer::new(job)?;
    let tokens = token_plan(&mut trainer)?;
    let steps_per_epoch = trainer.steps_per_epoch();
    let mut stages = stage_plans(&mut trainer)?;
    let steps = stages.iter().map(|stage| stage.steps).sum();
    let trained = stages.iter().map(|stage| stage.trainable_parameters).max().unwrap_or(0);
    let optimizer_bytes = trainer.job().optimizer.optimizer.state_bytes(trained);
    let (run_bytes, dropouts_left_out) = (trainer.run_bytes()?, trainer.dropouts_left_out());
    if timed_steps > 0 {
        for (stage, times) in stages.iter_mut().zip(trainer.time_steps(timed_steps)?) {
            stage.step_times = times;
        }
    }
    let secs: Option<f64> = stages.iter().map(|stage| stage.secs(steps_per_epoch)).sum();
    Ok(Plan {
        dropouts_left_out,
        examples,
        batch_size,
        tokens,
        step_bytes: stages.iter().map(|stage| stage.step_bytes).max().unwrap_or(0),
        step_flops: stages.iter().map(|stage| stage.step_flops).max().unwrap_or(0),
        optimizer_bytes,
        run_bytes,
        steps_per_epoch,
        steps,
        secs_per_step: secs.filter(|_| steps > 0).map(|secs| secs / steps as f64),
        stages,
    })
}

fn stage_plans(trainer: &mut Trainer) -> Result<Vec<StagePlan>, TrainError> {
    let Job { train, settings, stages, .. } = trainer.job();
    let (largest, most) = (train.largest_batch(), settings.max_steps.unwrap_or(u64::MAX));
    let steps_per_epoch = trainer.steps_per_epoch();
    let names: Vec<String> = stages.iter().map(|stage| stage.name.clone()).collect();
    let sizes: Vec<usize> = trainer.weights().iter().map(Tensor::len).collect();
    let mut plans = Vec::new();
    for (index, name) in names.into_iter().enumerate() {
        let (epochs, features) = (trainer.epochs_of(index), trainer.feature_plan_of(index));
        let Some(program) = trainer.program_of(index) else { continue };
        let plan = program.plan(largest)?;
        let (step_bytes, step_flops) = (plan.peak_bytes(), plan.flops());
        let [start, end] = [epochs.start, epochs.end].map(|epoch| (epoch * steps_per_epoch).min(most));
        plans.push(StagePlan {
            name,
            epochs: [epochs.start, epochs.end],
            steps: end - start,
            trainable_parameters: program.trainable().iter().map(|id| sizes[id.0]).sum(),
            step_bytes,
            step_flops,
            features,
            step_times: None,
        });
    }
    Ok(plans)
}

fn token_plan(trainer: &mut Trainer) -> Result<Option<TokenPlan>, TrainError> {
    let train = &trainer.job().train;
    let (mean_batch, largest_batch) = (train.mean_batch(), train.largest_batch());
    let Some(statistics) = train.token_statistics() else { return Ok(None) };
    let is_estimate = train.estimates_tokens();
    let (mut mean_step_bytes, mut mean_step_flops) = (0, 0);
    for stage in 0..trainer.job().stages.len() {
        let Some(program) = trainer.program_of(stage) else { continue };
        let plan = program.plan(mean_batch)?;
        mean_step_bytes = mean_step_bytes.max(plan.peak_bytes());
        mean_step_flops = mean_step_flops.max(plan.flops());
    }
    Ok(Some(TokenPlan { statistics, is_estimate, mean_batch, largest_batch, mean_step_bytes, mean_step_flops }))
}

struct Extras<'a> {
    model_name: &'a str,
    recipe: &'a str,
    manifest: &'a Manifest,
    calibration: &'a CalibrationSettings,
    warnings: &'a [Warning],
    language: Language,
}

/// The loaders of a job's parts.
fn loaders(job: &Job) -> impl Iterator<Item = &Loader> {
    std::iter::once(&job.train).chain([&job.validation, &job.test, &job.also].into_iter().flatten())
}

/// Evaluates, trains, evaluates again, saves, reports.
fn finish(
    mut trainer: Trainer,
    run: &mut RunDirectory,
    is_resumed: bool,
    extras: &Extras<'_>,
    observer: &mut dyn Observer,
    interrupt: &AtomicBool,
) -> Result<Outcome, TrainError> {
    let job = trainer.job();
    let restores_best = job.settings.restore_best && job.validation.is_some();
    let batch_examples = job.train.len() as u64;
    let judged = Judged::of(job);
    let probe = job.probe.clone();
    // Of all stages, none of which is over yet.
    let planned_bytes = trainer.run_bytes()?;
    let (start, mut energy) = (Instant::now(), EnergyMeter::start());
    if let Some(plan) = trainer.feature_plan().filter(|plan| plan.present > 0) {
        let (present, examples, folder) = (plan.present, plan.examples, plan.folder.display());
        let text = Said::new(
            format!("values of frozen layers are there for {present} of {examples} examples, in `{folder}`"),
            format!("{examples} 个样本中有 {present} 个的冻结层的值已存于 `{folder}`"),
        );
        observer.event(&Event::Note { text: &text });
    }
    run_plan(&trainer).write(run.root())?;
    let left_out = write_left_out(run.root(), loaders(trainer.job()))?;
    if left_out > 0 {
        let path = run.root().join(LEFT_OUT);
        let text = Said::new(
            format!("{left_out} rows or files cannot be used and are left out, listed in `{}`", path.display()),
            format!("有 {left_out} 行或文件无法使用，已被略去，列在 `{}` 中", path.display()),
        );
        observer.event(&Event::Note { text: &text });
    }
    // The weights are still those that the run began with, also when it is resumed.
    let before =
        judged.as_ref().map(|judged| measure(&mut trainer, judged, extras.calibration, observer)).transpose()?;
    let baselines = match (&judged, &before, probe) {
        (Some(judged), Some(before), Some(probe)) => {
            baselines(&mut trainer, &probe, &judged.loader, &before.scored, observer)?
        }
        _ => Vec::new(),
    };
    if is_resumed {
        run.restore(&mut trainer, observer)?;
    }
    let first_step = trainer.progress().step;
    let training = Instant::now();
    let ending = trainer.run(Some(run), observer, interrupt)?;
    let training_secs = training.elapsed().as_secs_f64();
    let steps = trainer.progress().step - first_step;
    let epochs = steps as f64 / trainer.steps_per_epoch().max(1) as f64;
    let (trainable_weights, total_weights) = trainer.weight_counts();
    let (_, step_flops) = trainer.step_costs()?;
    let cost = Cost {
        secs: start.elapsed().as_secs_f64(),
        epoch_secs: (steps > 0).then(|| training_secs / epochs),
        steps,
        examples: steps * batch_examples / trainer.steps_per_epoch().max(1),
        energy_joules: energy.joules(),
        peak_bytes: peak_memory_bytes(),
        planned_bytes,
        step_flops,
        trainable_weights,
        total_weights,
        features: trainer.feature_counts(),
        dropouts_left_out: trainer.dropouts_left_out(),
    };
    let root = run.root().to_owned();
    let more = write_left_out(&root, loaders(trainer.job()))?.saturating_sub(left_out);
    if more > 0 {
        let path = root.join(LEFT_OUT);
        let text = Said::new(
            format!("{more} more could not be used on the way and were left out, listed in `{}`", path.display()),
            format!("途中又有 {more} 个无法使用，已被略去，列在 `{}` 中", path.display()),
        );
        observer.event(&Event::Note { text: &text });
    }
    if ending == Ending::Interrupted {
        return Ok(Outcome { ending, root, model: None, report: None, comparison: None, also: None, cost });
    }
    let restored = restores_best && run.restore_best_weights(&mut trainer)?;
    let kept_step = trainer.progress().best.filter(|_| restored).map(|best| best.step);
    let after =
        judged.as_ref().map(|judged| measure(&mut trainer, judged, extras.calibration, observer)).transpose()?;
    let (comparison, also) = match (&judged, &before, &after) {
        (Some(judged), Some(before), Some(after)) => {
            let (comparison, also) = compare(&trainer, judged.part, before, after, &baselines)?;
            (Some(comparison), also)
        }
        _ => (None, None),
    };
    if let Some(comparison) = &comparison {
        write_json(&root.join("evaluation.json"), comparison)?;
    }
    if let Some(also) = &also {
        write_json(&root.join("evaluation-also.json"), also)?;
    }
    let stages = described(&trainer);
    let model_path = root.join(extras.model_name);
    let Job { train, validation, test, .. } = trainer.job();
    let parts = [("training", Some(train)), ("validation", validation.as_ref()), ("test", test.as_ref())];
    let parts = parts.map(|(name, loader)| (name, loader.cloned()));
    let mut model = trainer.into_model();
    if let Some(calibration) = after.as_ref().map(|after| &after.calibration).filter(|found| !found.is_empty()) {
        let stored = Stored::of(&model)?.unwrap_or_default();
        Stored { calibration: calibration.clone(), ..stored }.put_into(&mut model)?;
    }
    let name = root.file_name().unwrap_or_default().to_string_lossy();
    let card = |is_adapter| {
        let (comparison, stages) = (comparison.as_ref(), stages.as_ref().map(Said::english));
        let Extras { recipe, manifest, .. } = *extras;
        CardFacts { model: &model, name: &name, manifest, comparison, cost: &cost, recipe, stages, is_adapter }.text()
    };
    let cards = [card(false)?, card(true)?];
    let model_path = save(&mut model, model_path, &root, extras.manifest, cards, observer)?;
    let class_names = Stored::of(&model)?.and_then(|stored| stored.preprocessing.class_names);
    let parts: Vec<_> = parts.iter().filter_map(|(name, loader)| Some((*name, loader.as_ref()?))).collect();
    let summary = Summary {
        root: &root,
        manifest: extras.manifest,
        comparison: comparison.as_ref(),
        class_names: class_names.as_deref(),
        cost: &cost,
        recipe: extras.recipe,
        parts: &parts,
        also: also.as_ref(),
        answers: judged.as_ref().map(|judged| &judged.loader).zip(after.as_ref().map(|after| &after.scored)),
        kept_step,
        stages: stages.as_ref(),
        warnings: extras.warnings,
        language: extras.language,
        saved: Some(FileManifest { sha256: path_sha256(&model_path)?, path: model_path.clone(), address: None }),
    };
    let report = Some(summary.write()?);
    RunOutcome { ending: ending_name(ending), model: &model_path, cost: &cost }.write(&root)?;
    Ok(Outcome { ending, root, model: Some(model_path), report, comparison, also, cost })
}

/// How long a run is to be, for those who look on.
fn run_plan(trainer: &Trainer) -> RunPlan {
    let Job { train, validation, test, settings, .. } = trainer.job();
    let len = |part: Option<&Loader>| part.map_or(0, Loader::len);
    RunPlan {
        epochs: settings.epochs,
        steps: (settings.epochs * trainer.steps_per_epoch()).min(settings.max_steps.unwrap_or(u64::MAX)),
        examples: [train.len(), len(validation.as_ref()), len(test.as_ref())],
        monitor: settings.monitor.to_string(),
        process: std::process::id(),
    }
}

/// Where the base of adapters is to be found: on the Hub where it came from there, else at a path that says the same wherever the
/// folder is read from.
fn adapter_base(model: &FileManifest) -> Result<AdapterBase, TrainError> {
    if let Some(base) = model.address.as_deref().and_then(AdapterBase::of_address) {
        return Ok(base);
    }
    let path = std::path::absolute(&model.path).map_err(TrainError::read(&model.path))?;
    Ok(AdapterBase::from(path.display().to_string().as_str()))
}

/// Saves the model, and its adapters alone beside it, each with its card. What cannot be merged into the weights is saved alone. Returns where a whole
/// model is to be found.
fn save(
    model: &mut Model,
    model_path: PathBuf,
    root: &Path,
    manifest: &Manifest,
    [card, adapter_card]: [String; 2],
    observer: &mut dyn Observer,
) -> Result<PathBuf, TrainError> {
    let merges = model.adapters().iter().all(|adapter| adapter.kind.merges());
    if merges || model.task().is_none() {
        model.set_card(card);
        model.save(&model_path)?;
        observer.event(&Event::Saved { path: &model_path });
    }
    if model.task().is_none() || model.adapters().is_empty() {
        return Ok(model_path);
    }
    let base = manifest.model.as_ref().map(adapter_base).transpose()?.unwrap_or_default();
    let path = root.join(ADAPTER);
    model.set_card(adapter_card);
    model.save_adapter(&path, base)?;
    observer.event(&Event::Saved { path: &path });
    Ok(if merges { model_path } else { path })
}

/// The stages of a run that has several, in words: `head for 2 epochs, then all weights for 8`.
fn described(trainer: &Trainer) -> Option<Said> {
    let stages = &trainer.job().stages;
    let count = |index| trainer.epochs_of(index).count();
    let english = |(index, stage): (usize, &Stage)| match index {
        0 => format!("{} for {} epoch{}", stage.name, count(0), if count(0) == 1 { "" } else { "s" }),
        _ => format!("then {} for {}", stage.name, count(index)),
    };
    let chinese = |(index, stage): (usize, &Stage)| format!("{} {} 轮", phrases::chinese(&stage.name), count(index));
    (stages.len() > 1).then(|| {
        Said::new(
            stages.iter().enumerate().map(english).collect::<Vec<_>>().join(", "),
            stages.iter().enumerate().map(chinese).collect::<Vec<_>>().join("，然后"),
        )
    })
}

/// The most memory that this process ever held, in bytes; 0 where the system does not tell (it does on Linux).
pub fn peak_memory_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// Items that figures are made of: their part, and how to load them.
struct Judged {
    part: &'static str,
    loader: Loader,
}

impl Judged {
    /// The test part, else the validation part.
    fn of(job: &Job) -> Option<Judged> {
        let judged = |part, loader: &Option<Loader>| loader.clone().map(|loader| Judged { part, loader });
        judged("test", &job.test).or_else(|| judged("validation", &job.validation))
    }
}

/// What was measured of a model's weights.
struct Measurement {
    scored: Scored,
    also: Option<Scored>,
    calibration: Calibration,
}

/// Measures the weights as they are; thresholds and temperature are fitted to them as well.
fn measure(
    trainer: &mut Trainer,
    judged: &Judged,
    settings: &CalibrationSettings,
    observer: &mut dyn Observer,
) -> Result<Measurement, TrainError> {
    let scored = trainer.evaluate(&judged.loader, observer)?;
    let validation = trainer.job().validation.clone().filter(|_| judged.part != "validation");
    let calibration = match validation.filter(|_| settings.needs_validation()) {
        _ if settings.is_empty() => Calibration::default(),
        Some(validation) => settings.fit(&trainer.evaluate(&validation, observer)?)?,
        None => settings.fit(&scored)?,
    };
    let also = trainer.job().also.clone().map(|loader| trainer.evaluate(&loader, observer)).transpose()?;
    let also = also.map(|scored| calibration.apply(scored));
    Ok(Measurement { scored: calibration.apply(scored), also, calibration })
}

/// Before and after on the same items, beside the baselines; and the same of other data, if there are any.
fn compare(
    trainer: &Trainer,
    part: &'static str,
    before: &Measurement,
    after: &Measurement,
    baselines: &[(BaselineKind, Scored)],
) -> Result<(Comparison, Option<Comparison>), TrainError> {
    let job = trainer.job();
    let threads = NonZeroUsize::new(job.cpu.threads()).unwrap_or(NonZeroUsize::MIN);
    let resampling = Resampling { threads, ..Resampling::new(job.settings.seed) };
    let metrics = job.settings.metrics_for(after.scored.problem());
    let mut comparison = Comparison::new(part, &metrics, &before.scored, &after.scored, &resampling)?;
    for (kind, scored) in baselines {
        comparison.baselines.push(Baseline::new(*kind, &metrics, scored, &after.scored, &resampling)?);
    }
    comparison.calibration = Some(after.calibration.clone()).filter(|calibration| !calibration.is_empty());
    let also = before.also.as_ref().zip(after.also.as_ref());
    let also = also.map(|(before, after)| Comparison::new("also", &metrics, before, after, &resampling)).transpose()?;
    Ok((comparison, also))
}

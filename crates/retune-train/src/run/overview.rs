//! What the folder of a run tells about it: how far it is, how well it does, what it took. Reads only, so that a run that goes on
//! meanwhile is not disturbed.
//!
//! Beside what [`RunDirectory`](super::RunDirectory) lists, a run leaves two small files for this: `plan.json` when it begins, and
//! `outcome.json` when it is over.

use super::lock;
use super::{Manifest, write_json};
use crate::error::TrainError;
use crate::fit::Cost;
use crate::metrics::Metric;
use crate::trainer::Ending;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// How long a run is to be; `plan.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunPlan {
    /// Passes over the training part.
    pub epochs: u64,
    /// Optimizer steps at most.
    pub steps: u64,
    /// What the training part, the validation part and the test part hold.
    pub examples: [usize; 3],
    /// The metric that decides which weights are kept.
    pub monitor: String,
    /// The process that last trained.
    pub process: u32,
}

/// How a run went; `outcome.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct RunOutcome<'a> {
    pub(crate) ending: &'static str,
    pub(crate) model: &'a Path,
    pub(crate) cost: &'a Cost,
}

impl RunPlan {
    /// Writes it into a run's folder.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, root: &Path) -> Result<(), TrainError> {
        write_json(&root.join("plan.json"), self)
    }
}

impl RunOutcome<'_> {
    /// Writes it into a run's folder, as the last of its files.
    pub(crate) fn write(&self, root: &Path) -> Result<(), TrainError> {
        write_json(&root.join(OUTCOME), self)
    }
}

const OUTCOME: &str = "outcome.json";

/// The word for an ending in `outcome.json`.
pub(crate) fn ending_name(ending: Ending) -> &'static str {
    match ending {
        Ending::Completed => "completed",
        Ending::StoppedEarly => "stopped-early",
        Ending::Interrupted => "interrupted",
    }
}

/// Whether the run in a folder is over, its report and model written.
pub fn is_finished(root: &Path) -> bool {
    root.join(OUTCOME).exists()
}

/// Whether a folder holds a run.
pub fn is_run(root: &Path) -> bool {
    root.join("run.json").exists()
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// All is done.
    Completed,
    /// All is done; it stopped early, for nothing improved any more.
    StoppedEarly,
    /// A process works on it.
    Running,
    /// It was interrupted or failed, and can be resumed.
    Stopped,
}

/// A step that was noted in `metrics.jsonl`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct LoggedStep {
    /// The epoch, from 1.
    pub epoch: u64,
    /// Optimizer steps done.
    pub step: u64,
    /// Mean loss of the step's examples.
    pub loss: f64,
    /// Length of the gradients.
    pub gradient_norm: f64,
    /// Learning rate.
    pub learning_rate: f64,
    /// Seconds that the step took.
    pub secs: f64,
    /// Examples in a second.
    pub examples_per_sec: f64,
}

/// An evaluation that was noted in `metrics.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct LoggedEvaluation {
    /// The epoch, from 1.
    pub epoch: u64,
    /// Optimizer steps done.
    pub step: u64,
    /// Mean training loss of the epoch so far.
    pub train_loss: f64,
    /// Metrics of the validation part; empty without one.
    pub validation: Vec<(Metric, f64)>,
    /// Seconds that it took.
    pub secs: f64,
}

/// A metric of the final figures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct FinalFigure {
    /// The metric.
    pub metric: Metric,
    /// Before training.
    pub before: Option<f64>,
    /// After training.
    pub after: Option<f64>,
}

/// What a run's folder tells.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunOverview {
    /// The folder.
    pub root: PathBuf,
    /// Where it stands.
    pub state: RunState,
    /// Provenance.
    pub manifest: Manifest,
    /// How long it is to be; none of runs that began before there was such a file.
    pub plan: Option<RunPlan>,
    /// The resolved recipe; empty where there is none.
    pub recipe: toml::Table,
    /// Steps, as noted.
    pub steps: Vec<LoggedStep>,
    /// Evaluations, as noted.
    pub evaluations: Vec<LoggedEvaluation>,
    /// The final figures; empty before the end.
    pub figures: Vec<FinalFigure>,
    /// What the figures are of: `test` or `validation`.
    pub part: Option<String>,
    /// Seconds of training and evaluation: as noted at the end, else the sum of what the log says.
    pub secs: Option<f64>,
    /// The most memory that the process held, in bytes; at the end.
    pub peak_bytes: Option<u64>,
}

impl RunOverview {
    /// Reads what there is; a line of the log that is not whole yet is left out.
    ///
    /// # Errors
    /// A folder without a run.
    pub fn read(root: &Path) -> Result<RunOverview, TrainError> {
        let manifest = Manifest::read(root)?;
        let json = |name: &str| -> Option<Value> {
            serde_json::from_str(&std::fs::read_to_string(root.join(name)).ok()?).ok()
        };
        let log = std::fs::read_to_string(root.join("metrics.jsonl")).unwrap_or_default();
        let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let steps: Vec<LoggedStep> = lines.iter().filter_map(step).collect();
        let evaluations: Vec<LoggedEvaluation> = lines.iter().filter_map(evaluation).collect();
        let outcome = json(OUTCOME);
        let state = match outcome.as_ref().and_then(|outcome| outcome["ending"].as_str()) {
            Some("stopped-early") => RunState::StoppedEarly,
            Some(_) => RunState::Completed,
            None if lock::is_taken(root) => RunState::Running,
            None => RunState::Stopped,
        };
        let measured = json("evaluation.json").filter(|_| outcome.is_some());
        let cost = outcome.as_ref().map(|outcome| &outcome["cost"]);
        let plan = json("plan.json").and_then(|plan| serde_json::from_value(plan).ok());
        let logged = seconds_of(&steps, &evaluations);
        Ok(RunOverview {
            root: root.to_owned(),
            state,
            manifest,
            plan,
            recipe: std::fs::read_to_string(root.join("recipe.toml"))
                .ok()
                .and_then(|text| toml::from_str(&text).ok())
                .unwrap_or_default(),
            figures: measured.as_ref().map(figures).unwrap_or_default(),
            part: measured.as_ref().and_then(|measured| Some(measured["part"].as_str()?.to_owned())),
            secs: cost.and_then(|cost| cost["secs"].as_f64()).or(logged),
            peak_bytes: cost.and_then(|cost| cost["peak-bytes"].as_u64()).filter(|&bytes| bytes > 0),
            steps,
            evaluations,
        })
    }

    /// The folder's name.
    pub fn name(&self) -> String {
        self.root.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// A value of the recipe, such as `train.epochs`.
    pub fn recipe_value(&self, key: &str) -> Option<&toml::Value> {
        let (section, key) = key.split_once('.')?;
        self.recipe.get(section)?.get(key)
    }

    /// Optimizer steps done, as far as noted.
    pub fn step(&self) -> u64 {
        let steps = self.steps.last().map_or(0, |step| step.step);
        steps.max(self.evaluations.last().map_or(0, |evaluation| evaluation.step))
    }

    /// The epoch at hand or the last one, from 1; 0 before the first step was noted.
    pub fn epoch(&self) -> u64 {
        let steps = self.steps.last().map_or(0, |step| step.epoch);
        steps.max(self.evaluations.last().map_or(0, |evaluation| evaluation.epoch))
    }

    /// The metric that tells most, and its newest value: the final one, else that of the last evaluation.
    pub fn newest(&self) -> Option<(Metric, f64)> {
        if !self.figures.is_empty() {
            let known = self.figures.iter().filter_map(|figure| Some((figure.metric, figure.after?)));
            return main_metric(&known.collect::<Vec<_>>());
        }
        main_metric(&self.evaluations.last()?.validation)
    }

    /// Seconds that are left, by the mean time of what was noted; none before a step was, or after the end.
    pub fn secs_left(&self) -> Option<f64> {
        let plan = self.plan.as_ref().filter(|_| matches!(self.state, RunState::Running | RunState::Stopped))?;
        let done = self.step();
        let secs = seconds_of(&self.steps, &self.evaluations)?;
        (done > 0).then(|| secs / done as f64 * plan.steps.saturating_sub(done) as f64)
    }
}

/// Entity F1, accuracy, or the first that is not the loss.
fn main_metric(values: &[(Metric, f64)]) -> Option<(Metric, f64)> {
    let find = |wanted: &dyn Fn(&Metric) -> bool| values.iter().find(|(metric, _)| wanted(metric)).copied();
    find(&|metric| metric.to_string() == "entity-f1")
        .or_else(|| find(&|metric| *metric == Metric::Accuracy))
        .or_else(|| find(&|metric| *metric != Metric::Loss))
        .or_else(|| values.first().copied())
}

/// Seconds of steps and evaluations: of steps not noted, those of the noted ones in the mean.
fn seconds_of(steps: &[LoggedStep], evaluations: &[LoggedEvaluation]) -> Option<f64> {
    let last = steps.last()?;
    // The first step makes the plan, and is slower than the others.
    let usual = if steps.len() > 1 { &steps[1..] } else { steps };
    let mean = usual.iter().map(|step| step.secs).sum::<f64>() / usual.len() as f64;
    let done = last.step.max(evaluations.last().map_or(0, |evaluation| evaluation.step));
    Some(mean * done as f64 + evaluations.iter().map(|evaluation| evaluation.secs).sum::<f64>())
}

fn step(line: &Value) -> Option<LoggedStep> {
    if line["kind"] != "step" {
        return None;
    }
    let number = |key: &str| line[key].as_f64();
    Some(LoggedStep {
        epoch: line["epoch"].as_u64()?,
        step: line["step"].as_u64()?,
        loss: number("loss")?,
        gradient_norm: number("gradient-norm")?,
        learning_rate: number("learning-rate")?,
        secs: number("secs")?,
        examples_per_sec: number("examples-per-sec")?,
    })
}

fn evaluation(line: &Value) -> Option<LoggedEvaluation> {
    if line["kind"] != "evaluation" {
        return None;
    }
    let validation = line["validation"].as_object()?.iter();
    let mut validation: Vec<(Metric, f64)> =
        validation.filter_map(|(name, value)| Some((Metric::from_str(name).ok()?, value.as_f64()?))).collect();
    validation.sort_by_key(|(metric, _)| *metric != Metric::Loss);
    Some(LoggedEvaluation {
        epoch: line["epoch"].as_u64()?,
        step: line["step"].as_u64()?,
        train_loss: line["train"]["loss"].as_f64()?,
        validation,
        secs: line["secs"].as_f64()?,
    })
}

fn figures(measured: &Value) -> Vec<FinalFigure> {
    let figure = |line: &Value| {
        Some(FinalFigure {
            metric: line["metric"].as_str()?.parse().ok()?,
            before: line["before"]["value"].as_f64(),
            after: line["after"]["value"].as_f64(),
        })
    };
    measured["metrics"].as_array().into_iter().flatten().filter_map(figure).collect()
}

/// The runs in a folder and in the folders in it, by name; the folder itself if it is a run.
///
/// # Errors
/// A folder that cannot be read. Runs that cannot be read are left out.
pub fn runs_in(folder: &Path) -> Result<Vec<RunOverview>, TrainError> {
    if is_run(folder) {
        return Ok(vec![RunOverview::read(folder)?]);
    }
    let folders = |of: &Path| -> Result<Vec<PathBuf>, TrainError> {
        let entries = std::fs::read_dir(of).map_err(TrainError::read(of))?;
        let mut paths: Vec<PathBuf> =
            entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
        paths.sort();
        Ok(paths)
    };
    let mut roots = Vec::new();
    for path in folders(folder)? {
        match is_run(&path) {
            true => roots.push(path),
            false => roots.extend(folders(&path).unwrap_or_default().into_iter().filter(|path| is_run(path))),
        }
    }
    Ok(roots.iter().filter_map(|root| RunOverview::read(root).ok()).collect())
}

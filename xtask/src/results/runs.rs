//! One run of retune or of a peer, and what is kept of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};

use super::data::Parts;
use super::folder;
use super::tasks::{Method, Task};
use crate::Result;
use crate::process::{output, program, root, shown};
use crate::python::Environment;

/// Where the figures of whole runs are kept, from the repository's root.
pub(super) const KEPT: &str = "bench/results/recipes";

/// Who trains.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Trainer {
    Retune,
    Peer,
}

/// Which run.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) task: &'a Task,
    pub(super) method: Method,
    pub(super) seed: u64,
    /// Stop after this many steps, to see that all works. Such runs are kept apart.
    pub(super) max_steps: Option<u64>,
    /// Whether the machine is free for the run, so that its time tells something.
    pub(super) timed: bool,
}

impl Run<'_> {
    fn name(&self) -> String {
        format!("{}-{}-{}", self.task.name, self.method.name(), self.seed)
    }

    /// The folder of retune's run.
    fn folder(&self) -> PathBuf {
        folder().join(if self.max_steps.is_some() { "quick" } else { "runs" }).join(self.name())
    }

    /// The file in which the figures of a run are kept.
    pub(super) fn kept(&self, trainer: Trainer) -> PathBuf {
        let program = if trainer == Trainer::Retune { "retune" } else { "peer" };
        let folder = if self.max_steps.is_some() { folder().join("quick") } else { root().join(KEPT) };
        folder.join(format!("{}-{program}.json", self.name()))
    }

    /// What the command line sets, in its order: the model, the data, what the method changes, the seed.
    fn settings(&self, model: &Path, parts: &Parts) -> Vec<String> {
        let path = |key: &str, path: &Path| format!("{key}={}", path.display());
        let mut settings = vec![path("model.path", model)];
        settings.extend(parts.paths.iter().map(|(key, part)| path(key, part)));
        settings.extend(self.task.changes(self.method).iter().map(|&change| change.to_owned()));
        settings.push(format!("train.seed={}", self.seed));
        settings.extend(self.max_steps.map(|steps| format!("train.max-steps={steps}")));
        settings
    }

    /// The command as the document shows it: without where this machine has model and data.
    fn command(&self) -> String {
        let changes = self.task.changes(self.method).iter().map(|change| format!(" --set {change}"));
        let changes: String = changes.collect();
        format!("retune fit recipes/{}.toml{changes} --set train.seed={}", self.task.recipe, self.seed)
    }

    /// A command of retune on the recipe.
    fn job(&self, name: &str, retune: &Path, model: &Path, parts: &Parts) -> Command {
        let mut command = program(retune);
        command.arg(name).arg(format!("recipes/{}.toml", self.task.recipe));
        for setting in self.settings(model, parts) {
            command.args(["--set", &setting]);
        }
        command
    }

    /// Trains by retune and keeps the figures.
    pub(super) fn retune(&self, retune: &Path, model: &Path, parts: &Parts) -> Result {
        let run = self.folder();
        if run.exists() {
            fs::remove_dir_all(&run)?;
        }
        let job = |name: &str| self.job(name, retune, model, parts);
        let checked = json_of(job("check").arg("--json"))?;
        // What frozen layers give is computed anew in each run, or the time would tell of the run before.
        let cache = run.with_extension("cache");
        let mut fit = job("fit");
        let start = Instant::now();
        let done = json_of(fit.arg("--output").arg(&run).arg("--cache-dir").arg(&cache).arg("--json"))?;
        let seconds = start.elapsed().as_secs_f64();
        if cache.exists() {
            fs::remove_dir_all(&cache)?;
        }
        let comparison = &done["comparison"];
        let mut scores = vec![score("test", comparison, self.task.metric, "after")?];
        let before = score("before", comparison, self.task.metric, "before")?;
        if let Some(unseen) = &parts.unseen {
            let saved = done["model"].as_str().ok_or("retune saved no model")?;
            let part = json_of(program(retune).args(["eval", "--model", saved, "--json", "--data"]).arg(unseen))?;
            scores.push(score("test without texts of train", &part, self.task.metric, "after")?);
        }
        let figures = json!({
            "command": self.command(),
            "seconds": self.timed.then_some(seconds),
            "peak_bytes": done["peak_bytes"],
            "trainable": checked["facts"]["trainable-parameters"],
            "before": before,
            "scores": scores,
        });
        self.keep(Trainer::Retune, &figures)
    }

    /// The recipe as retune's run has kept it, with all that it fills in. Where retune was run on another machine, it makes one step for it.
    fn filled_recipe(&self, retune: &Path, model: &Path, parts: &Parts) -> Result<PathBuf> {
        let kept = self.folder().join("recipe.toml");
        if kept.exists() {
            return Ok(kept);
        }
        let run = folder().join("single-steps").join(self.name());
        if run.exists() {
            fs::remove_dir_all(&run)?;
        }
        let mut fit = self.job("fit", retune, model, parts);
        json_of(fit.args(["--set", "train.max-steps=1", "--json", "--output"]).arg(&run))?;
        let recipe = fs::read_to_string(run.join("recipe.toml"))?;
        // The peer makes as many steps as retune would have.
        let lines = recipe.lines().filter_map(|line| match line.starts_with("max-steps") {
            true => self.max_steps.map(|steps| format!("max-steps = {steps}\n")),
            false => Some(format!("{line}\n")),
        });
        let path = run.with_extension("toml");
        fs::write(&path, lines.collect::<String>())?;
        fs::remove_dir_all(&run)?;
        Ok(path)
    }

    /// Trains by the peer as the recipe of retune's run says, and keeps the figures.
    pub(super) fn peer(&self, script: &str, torch: &Environment, retune: &Path, model: &Path, parts: &Parts) -> Result {
        let recipe = self.filled_recipe(retune, model, parts)?;
        let mut command = torch.python();
        command.arg(format!("bench/peers/{script}")).arg(recipe).args(["--metric", self.task.metric]);
        if let Some(unseen) = &parts.unseen {
            command.arg("--unseen").arg(unseen);
        }
        let mut figures = json_of(&mut command)?;
        if !self.timed {
            figures["seconds"] = Value::Null;
        }
        self.keep(Trainer::Peer, &figures)
    }

    fn keep(&self, trainer: Trainer, figures: &Value) -> Result {
        let path = self.kept(trainer);
        fs::create_dir_all(path.parent().ok_or("figures are kept in a folder")?)?;
        fs::write(&path, format!("{figures:#}\n"))?;
        eprintln!("kept in {}", path.display());
        Ok(())
    }
}

/// Runs a program whose last line of output is an object of JSON.
fn json_of(command: &mut Command) -> Result<Value> {
    eprintln!("$ {}", shown(command));
    let text = output(command)?;
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line).map_err(|error| format!("expected JSON, got `{line}`: {error}").into())
}

/// The metric of this name in what retune printed, as an object of `part`, `items`, `value`, `low` and `high`.
fn score(part: &str, printed: &Value, metric: &str, when: &str) -> Result<Value> {
    let estimate = match &printed["metrics"] {
        // Of a comparison: a list, each with its values before and after.
        Value::Array(metrics) => metrics.iter().find(|measured| measured["metric"] == metric).map(|found| &found[when]),
        // Of an evaluation: one estimate by name.
        metrics => metrics.get(metric),
    };
    let estimate = estimate.ok_or_else(|| format!("retune did not report `{metric}`"))?;
    if estimate.is_null() {
        return Ok(Value::Null);
    }
    let mut score = json!({ "part": part, "items": printed["items"] });
    for key in ["value", "low", "high"] {
        score[key] = estimate[key].clone();
    }
    Ok(score)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_those_of_any_machine() {
        let task = super::super::tasks::TASKS.iter().find(|task| task.name == "sst2").unwrap();
        let run = Run { task, method: Method::Lora, seed: 2, max_steps: None, timed: true };
        let changes = "--set method.kind=lora --set optimizer.learning-rate=0.001 --set train.seed=2";
        assert_eq!(run.command(), format!("retune fit recipes/sst2.toml {changes}"));
    }

    #[test]
    fn scores_are_found_by_name() {
        let printed = json!({ "items": 372, "metrics": [
            { "metric": "loss", "after": { "value": 0.5, "low": 0.4, "high": 0.6 } },
            { "metric": "accuracy", "before": null, "after": { "value": 0.9, "low": 0.8, "high": 0.95 } },
        ]});
        let after = score("test", &printed, "accuracy", "after").unwrap();
        assert_eq!(after, json!({ "part": "test", "items": 372, "value": 0.9, "low": 0.8, "high": 0.95 }));
        assert!(score("test", &printed, "accuracy", "before").unwrap().is_null());
        let evaluated = json!({ "items": 5, "metrics": { "accuracy": { "value": 0.6, "low": 0.2, "high": 0.9 } } });
        assert_eq!(score("test", &evaluated, "accuracy", "after").unwrap()["value"], 0.6);
        assert!(score("test", &printed, "spearman", "after").unwrap_err().to_string().contains("`spearman`"));
    }
}

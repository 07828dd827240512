//! What the report tells about a run, gathered from the run.

use crate::error::TrainError;
use crate::fit::{Comparison, Cost, Measured};
use crate::metrics::{ConfusionMatrix, Direction, Estimate, Metric};
use crate::report::{
    self, Chart, ClassRow, Confusion, InputHash, Part, Reproduction, ResultRow, RunReport, Series, Subject, Unit,
    Verdict,
};
use crate::run::Manifest;
use retune_formats::atomic::write_bytes_atomic;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// All that the report is made of.
#[derive(Debug)]
pub struct Summary<'a> {
    /// The run's folder.
    pub root: &'a Path,
    /// Provenance.
    pub manifest: &'a Manifest,
    /// Before and after.
    pub comparison: Option<&'a Comparison>,
    /// Names of the classes.
    pub class_names: Option<&'a [String]>,
    /// Time and memory.
    pub cost: &'a Cost,
    /// The resolved recipe.
    pub recipe: &'a str,
}

impl Summary<'_> {
    /// Writes `report.html` into the run's folder and returns its path.
    ///
    /// # Errors
    /// A file that cannot be read or written.
    pub fn write(&self) -> Result<PathBuf, TrainError> {
        let log = self.root.join("metrics.jsonl");
        let lines = std::fs::read_to_string(&log).map_err(TrainError::read(&log))?;
        let path = self.root.join("report.html");
        write_bytes_atomic(&path, self.report(&lines).html().as_bytes()).map_err(TrainError::write(&path))?;
        Ok(path)
    }

    /// The report, given the lines of `metrics.jsonl`.
    pub fn report(&self, log: &str) -> RunReport {
        let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let Cost { secs, examples, trainable_weights, total_weights, peak_bytes, planned_bytes, step_flops, .. } =
            *self.cost;
        RunReport {
            title: self.root.file_name().map_or_else(|| "run".into(), |name| name.to_string_lossy().into_owned()),
            subject: Some(self.subject(trainable_weights, total_weights)),
            part: match self.comparison {
                Some(comparison) if comparison.part == "validation" => Part::Validation,
                _ => Part::Test,
            },
            verdict: self.comparison.and_then(verdict),
            results: self.comparison.map(results).unwrap_or_default(),
            curves: curves(&lines),
            confusion: self.confusion().map(|matrix| self.confusion_table(matrix)),
            classes: self.confusion().map(|matrix| self.class_rows(matrix)).unwrap_or_default(),
            cost: Some(report::Cost {
                wall_secs: Some(secs),
                examples_per_sec: (secs > 0.0 && examples > 0).then(|| examples as f64 / secs),
                peak_bytes: (peak_bytes > 0).then_some(peak_bytes),
                planned_bytes: Some(planned_bytes as u64),
                trainable_weights: Some(trainable_weights as u64),
                total_weights: Some(total_weights as u64),
                flops_per_step: Some(step_flops),
                ..report::Cost::default()
            }),
            recipe: Some(self.recipe.to_owned()),
            reproduction: Some(self.reproduction()),
            ..RunReport::default()
        }
    }

    fn subject(&self, trainable: usize, total: usize) -> Subject {
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let model = self.manifest.model.as_ref().map_or_else(|| "a new network".to_owned(), |file| name(&file.path));
        let data = self.manifest.data.first().map_or_else(|| "data".to_owned(), |part| part.description.clone());
        let share =
            if trainable == total { "all weights".to_owned() } else { format!("{trainable} of {total} weights") };
        Subject { model, data, method: share }
    }

    fn confusion(&self) -> Option<&ConfusionMatrix> {
        self.comparison?.confusion.as_ref()
    }

    fn class_name(&self, class: usize) -> String {
        self.class_names.and_then(|names| names.get(class).cloned()).unwrap_or_else(|| class.to_string())
    }

    fn confusion_table(&self, matrix: &ConfusionMatrix) -> Confusion {
        Confusion {
            classes: (0..matrix.counts.len()).map(|class| self.class_name(class)).collect(),
            counts: matrix.counts.iter().flatten().map(|&count| count.round() as u64).collect(),
        }
    }

    fn class_rows(&self, matrix: &ConfusionMatrix) -> Vec<ClassRow> {
        let ratio = |above: f64, below: f64| if below > 0.0 { above / below } else { 0.0 };
        let row = |class: usize| {
            let right = matrix.counts[class][class];
            let items: f64 = matrix.counts[class].iter().sum();
            let answers: f64 = matrix.counts.iter().map(|row| row[class]).sum();
            ClassRow {
                name: self.class_name(class),
                precision: ratio(right, answers),
                recall: ratio(right, items),
                f1: ratio(2.0 * right, answers + items),
                items: items.round() as u64,
            }
        };
        (0..matrix.counts.len()).map(row).collect()
    }

    fn reproduction(&self) -> Reproduction {
        let manifest = self.manifest;
        let model = manifest.model.iter().map(|file| (file.path.display().to_string(), file.sha256.clone()));
        let data = manifest.data.iter().map(|part| (part.description.clone(), part.sha256.clone()));
        Reproduction {
            version: manifest.retune.clone(),
            seed: manifest.seed,
            threads: manifest.threads,
            inputs: model.chain(data).map(|(place, sha256)| InputHash { place, sha256 }).collect(),
            command: manifest.command.join(" "),
            facts: Vec::new(),
        }
    }
}

fn unit(metric: Metric) -> Unit {
    if metric.is_share() { Unit::Share } else { Unit::Number }
}

/// Accuracy or, without classes, the first metric that is not the loss.
fn verdict(comparison: &Comparison) -> Option<Verdict> {
    let has_both = |m: &&Measured| m.before.is_some() && m.after.is_some();
    let find = |wanted: &dyn Fn(Metric) -> bool| comparison.metrics.iter().filter(has_both).find(|m| wanted(m.metric));
    let shown =
        find(&|m| m == Metric::Accuracy).or_else(|| find(&|m| m != Metric::Loss)).or_else(|| find(&|_| true))?;
    Some(Verdict {
        metric: shown.metric.to_string(),
        unit: unit(shown.metric),
        lower_is_better: shown.metric.direction() == Direction::Lower,
        items: comparison.items,
        baseline: None,
        before: shown.before?,
        after: shown.after?,
        difference: shown.difference.map(|paired| paired.difference),
        mcnemar: comparison.mcnemar.filter(|_| shown.metric == Metric::Accuracy),
    })
}

fn results(comparison: &Comparison) -> Vec<ResultRow> {
    let row = |name: &str, metric: Metric, estimate: Option<Estimate>| {
        estimate.map(|Estimate { value, low, high }| ResultRow {
            name: name.to_owned(),
            metric: metric.to_string(),
            unit: unit(metric),
            value,
            low: Some(low),
            high: Some(high),
            items: comparison.items,
        })
    };
    let rows = |name: &'static str, of: fn(&Measured) -> Option<Estimate>| {
        comparison.metrics.iter().filter_map(move |m| row(name, m.metric, of(m)))
    };
    rows("before", |m| m.before).chain(rows("after", |m| m.after)).collect()
}

/// One chart per metric of the evaluations, with the training curve where there is one.
fn curves(lines: &[Value]) -> Vec<Chart> {
    let evaluations: Vec<&Value> = lines.iter().filter(|line| line["kind"] == "evaluation").collect();
    let mut names = vec!["loss".to_owned()];
    for line in &evaluations {
        let known = line["validation"].as_object().into_iter().flat_map(|map| map.keys());
        names.extend(known.filter(|name| !names.contains(name)).cloned().collect::<Vec<_>>());
    }
    let chart = |name: String| {
        let series: Vec<Series> = ["train", "validation"]
            .into_iter()
            .filter_map(|part| {
                let point = |line: &&Value| Some((line["step"].as_f64()?, line[part][&name].as_f64()?));
                let points: Vec<(f64, f64)> = evaluations.iter().filter_map(point).collect();
                (!points.is_empty()).then(|| Series { name: part.to_owned(), points })
            })
            .collect();
        Some(series).filter(|series| !series.is_empty()).map(|series| Chart {
            unit: name.parse().map_or(Unit::Number, unit),
            title: name,
            x_label: "step".to_owned(),
            series,
            ..Chart::default()
        })
    };
    names.into_iter().filter_map(chart).collect()
}

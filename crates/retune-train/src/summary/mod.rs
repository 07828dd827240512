//! What the report tells about a run, gathered from the run.
//!
//! - [`mod@curves`]: learning curves, from the log;
//! - [`mod@data`]: what is in the data;
//! - [`mod@findings`]: what the checks find in them;
//! - [`mod@mistakes`]: what the network got wrong;
//! - here: [`Summary`], and the rest.

mod curves;
mod data;
mod findings;
pub(crate) mod mistakes;

use crate::comparison::{BaselineKind, Comparison, Measured, unit};
use crate::error::TrainError;
use crate::fit::Cost;
use crate::language::{Language, Said};
use crate::metrics::{ConfusionMatrix, Estimate, Metric, Scored, TypeScores};
use crate::report::{
    self, ClassRow, Confusion, DataFacts, Fact, InputHash, Mistake, Part, Reproduction, ResultName, ResultRow,
    RunReport, Skipped, Subject, Warning,
};
use crate::run::Manifest;
use crate::run::manifest::FileManifest;
use crate::said;
use retune_data::{Dataset, Loader};
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
    /// The parts of the data by name, the training part first.
    pub parts: &'a [(&'a str, &'a Loader)],
    /// Before and after on other data.
    pub also: Option<&'a Comparison>,
    /// The items compared on, and the answers after training.
    pub answers: Option<(&'a Loader, &'a Scored)>,
    /// The step whose weights were kept, where they are not those at the end.
    pub kept_step: Option<u64>,
    /// The stages of a run that has several, in words.
    pub stages: Option<&'a Said>,
    /// What makes the figures less worth than they look.
    pub warnings: &'a [Warning],
    /// Language of the report.
    pub language: Language,
    /// The saved model.
    pub saved: Option<FileManifest>,
}

/// Finds items of a data set that the answers get wrong, given the names of classes.
type Finder = fn(&Scored, &Dataset, &dyn Fn(usize) -> String) -> Vec<Mistake>;

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
        let Cost {
            secs,
            epoch_secs,
            examples,
            trainable_weights,
            total_weights,
            peak_bytes,
            planned_bytes,
            step_flops,
            features,
            dropouts_left_out,
            ..
        } = *self.cost;
        RunReport {
            title: self.root.file_name().map_or_else(|| "run".into(), |name| name.to_string_lossy().into_owned()),
            subject: Some(self.subject(trainable_weights, total_weights)),
            part: match self.comparison {
                Some(comparison) if comparison.part == "validation" => Part::Validation,
                _ => Part::Test,
            },
            language: self.language,
            verdict: self.comparison.and_then(Comparison::verdict),
            warnings: self.warnings.to_vec(),
            calibration: self.comparison.and_then(|comparison| comparison.calibration.clone()).unwrap_or_default(),
            results: self.comparison.map(results).unwrap_or_default(),
            also: self.also.map(results).unwrap_or_default(),
            reliability: self.comparison.and_then(|comparison| comparison.reliability.clone()).unwrap_or_default(),
            curves: curves::curves(&lines, self.kept_step),
            confusion: self.confusion().map(|matrix| self.confusion_table(matrix)),
            classes: match self.comparison.and_then(|comparison| comparison.entities.as_ref()) {
                Some(types) => types.iter().map(entity_row).collect(),
                None => self.confusion().map(|matrix| self.class_rows(matrix)).unwrap_or_default(),
            },
            mistakes: self.placed(mistakes::mistakes),
            hardest: self.placed(mistakes::hardest),
            data: Some(self.data_facts()),
            cost: Some(report::Cost {
                wall_secs: Some(secs),
                epoch_secs,
                energy_joules: self.cost.energy_joules,
                examples_per_sec: (secs > 0.0 && examples > 0).then(|| examples as f64 / secs),
                peak_bytes: (peak_bytes > 0).then_some(peak_bytes),
                planned_bytes: Some(planned_bytes as u64),
                trainable_weights: Some(trainable_weights as u64),
                total_weights: Some(total_weights as u64),
                flops_per_step: Some(step_flops),
                features: features.map(|counts| (counts.read, counts.computed)),
                dropouts_left_out,
            }),
            recipe: Some(self.recipe.to_owned()),
            reproduction: Some(self.reproduction()),
        }
    }

    fn subject(&self, trainable: usize, total: usize) -> Subject {
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let of = |said: Said| said.of(self.language).to_owned();
        let model = match &self.manifest.model {
            Some(file) => name(&file.path),
            None => of(("a new network", "新的网络").into()),
        };
        let data = match self.manifest.data.first() {
            Some(part) => of(Said::looked_up(&part.description)),
            None => of(("data", "数据").into()),
        };
        let share = match trainable == total {
            true => ("all weights", "全部权重").into(),
            false => said!("{trainable} of {total} weights", "{total} 个权重中的 {trainable} 个"),
        };
        let method = match self.stages {
            Some(stages) => of(Said::in_each(|language| {
                let colon = if language == Language::Chinese { "：" } else { ": " };
                [share.of(language), stages.of(language)].join(colon)
            })),
            None => of(share),
        };
        Subject { model, data, method }
    }

    fn data_facts(&self) -> DataFacts {
        let facts = data::facts(self.parts, &|class| self.class_name(class));
        let said = |text: &str| Said::looked_up(text).of(self.language).to_owned();
        let skipped = facts.skipped.iter().map(|bad| Skipped { place: said(&bad.place), reason: said(&bad.reason) });
        DataFacts { findings: findings::findings(self.parts, self.language), skipped: skipped.collect(), ..facts }
    }

    /// Items that the network gets wrong, their places in the report's language.
    fn placed(&self, found: Finder) -> Vec<Mistake> {
        let Some((loader, scored)) = self.answers else { return Vec::new() };
        let mistakes = found(scored, loader.data(), &|class| self.class_name(class)).into_iter();
        let said = |place: &str| Said::looked_up(place).of(self.language).to_owned();
        mistakes.map(|mistake| Mistake { place: said(&mistake.place), ..mistake }).collect()
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

    fn facts(&self) -> Vec<Fact> {
        let system = format!("{} · {}", std::env::consts::OS, std::env::consts::ARCH);
        let facts = [
            ("Instruction set", Some(self.manifest.instruction_set.clone())),
            ("Processor", processor()),
            ("System", Some(system)),
            ("Saved model, SHA-256", self.saved.as_ref().map(|file| file.sha256.clone())),
        ];
        facts.into_iter().filter_map(|(name, value)| Some(Fact { name: name.to_owned(), value: value? })).collect()
    }

    fn reproduction(&self) -> Reproduction {
        let manifest = self.manifest;
        let files = manifest.model.iter().chain(&manifest.weights);
        let files = files.map(|file| (file.path.display().to_string(), file.sha256.clone()));
        let data = manifest.data.iter().map(|part| (part.description.clone(), part.sha256.clone()));
        Reproduction {
            version: manifest.retune.clone(),
            seed: manifest.seed,
            threads: manifest.threads,
            inputs: files.chain(data).map(|(place, sha256)| InputHash { place, sha256 }).collect(),
            command: manifest.command.join(" "),
            facts: self.facts(),
        }
    }
}

/// The model of the processor, where the system tells it (Linux does).
fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn entity_row(scores: &TypeScores) -> ClassRow {
    let TypeScores { name, precision, recall, f1, entities } = scores;
    ClassRow { name: name.clone(), precision: *precision, recall: *recall, f1: *f1, items: *entities }
}

fn results(comparison: &Comparison) -> Vec<ResultRow> {
    let row = |name: ResultName, metric: Metric, estimate: Option<Estimate>| {
        estimate.map(|Estimate { value, low, high }| ResultRow {
            name,
            metric: metric.to_string(),
            unit: unit(metric),
            value,
            low: Some(low),
            high: Some(high),
            items: comparison.items,
        })
    };
    let baselines = comparison.baselines.iter().flat_map(|baseline| {
        let name = match baseline.kind {
            BaselineKind::MostFrequent => ResultName::MostFrequent,
            BaselineKind::Probe => ResultName::Probe,
        };
        baseline.metrics.iter().map(move |m| (name.clone(), m.metric, m.before))
    });
    let of = |name: ResultName, value: fn(&Measured) -> Option<Estimate>| {
        comparison.metrics.iter().map(move |m| (name.clone(), m.metric, value(m)))
    };
    let before = of(ResultName::Before, |m| m.before);
    let after = of(ResultName::After, |m| m.after);
    before.chain(baselines).chain(after).filter_map(|(name, metric, estimate)| row(name, metric, estimate)).collect()
}

//! What a report tells, as plain data. Every part may be missing; the page then lacks its section.

use super::chart::Chart;
use super::html;
use crate::calibration::Calibration;
use crate::comparison::BaselineKind;
use crate::language::Language;
use crate::metrics::{Estimate, McNemar, ReliabilityBin};
use serde::Serialize;

/// All that the report of a run tells.
///
/// ```
/// use retune_train::report::{RunReport, Subject};
///
/// let report = RunReport {
///     title: "Digits".into(),
///     subject: Some(Subject { model: "base.keras".into(), data: "digits/".into(), method: "new head".into() }),
///     ..RunReport::default()
/// };
/// assert!(report.html().contains("<h1>Digits</h1>"));
/// ```
#[derive(Debug, Clone, Default, Serialize)]
pub struct RunReport {
    /// Language of the page's own words.
    pub language: Language,
    /// Heading of the page.
    pub title: String,
    /// What was trained, on what, and how.
    pub subject: Option<Subject>,
    /// Which items verdict, results, confusion matrix, classes and mistakes are about.
    pub part: Part,
    /// Before and after in one metric.
    pub verdict: Option<Verdict>,
    /// What makes the figures less worth than they look.
    pub warnings: Vec<Warning>,
    /// Temperature and thresholds of the answers after training.
    pub calibration: Calibration,
    /// Results on the same items, in the order in which they are to be read.
    pub results: Vec<ResultRow>,
    /// Results on other data: what was forgotten.
    pub also: Vec<ResultRow>,
    /// Learning curves.
    pub curves: Vec<Chart>,
    /// True classes against predicted ones.
    pub confusion: Option<Confusion>,
    /// Precision, recall and F1 of each class.
    pub classes: Vec<ClassRow>,
    /// How often answers of each probability are right; empty without probabilities.
    pub reliability: Vec<ReliabilityBin>,
    /// Items that the network got wrong, the surest or farthest off first.
    pub mistakes: Vec<Mistake>,
    /// Items of the largest loss, with the probability that the network gave to what is true; empty where these are the same as
    /// `mistakes`.
    pub hardest: Vec<Mistake>,
    /// What is in the data.
    pub data: Option<DataFacts>,
    /// What the run took.
    pub cost: Option<Cost>,
    /// The resolved recipe, TOML.
    pub recipe: Option<String>,
    /// What is needed to do the same again.
    pub reproduction: Option<Reproduction>,
}

impl RunReport {
    /// The page: one HTML file with style and charts in it.
    pub fn html(&self) -> String {
        html::page(self)
    }
}

/// What was trained, on what, and how; each completes the sentence "`model` was fine-tuned on `data` (`method`)".
#[derive(Debug, Clone, Default, Serialize)]
pub struct Subject {
    /// The pretrained model, by its file's name.
    pub model: String,
    /// The training data, by its name.
    pub data: String,
    /// What was trained of the model: "all weights", "new head, base frozen".
    pub method: String,
}

/// The part of the data that results are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Items that training never saw.
    #[default]
    Test,
    /// Items that no weight was trained on, but that may have decided which weights were kept, so that results on them can be too
    /// good. The page says so.
    Validation,
}

/// How a metric's values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// As it is.
    #[default]
    Number,
    /// A share of 1, written in percent.
    Share,
}

/// Before and after in one metric on the same items.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// The metric's name.
    pub metric: String,
    /// How its values are written.
    pub unit: Unit,
    /// Whether lower values are better.
    pub lower_is_better: bool,
    /// Number of items.
    pub items: usize,
    /// What stands in for the untouched model, where the head is new.
    pub baseline: Option<BaselineKind>,
    /// The value before training, or that of the baseline.
    pub before: Estimate,
    /// The value after training.
    pub after: Estimate,
    /// After minus before with the interval of the paired bootstrap.
    pub difference: Option<Estimate>,
    /// p of the paired permutation test.
    pub p_value: Option<f64>,
    /// McNemar's exact test, before against after. Where given, it decides.
    pub mcnemar: Option<McNemar>,
}

/// What can be said of the difference between before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Better, by more than chance.
    Better,
    /// Worse, by more than chance.
    Worse,
    /// The items do not suffice to tell.
    Unclear,
}

impl Verdict {
    /// Whether the difference is more than chance at the 5 % level: by McNemar's test where there is one, else by the permutation
    /// test, else by whether the interval of the difference leaves out 0, else by whether the two intervals are apart.
    pub fn outcome(&self) -> Outcome {
        let gain = if self.lower_is_better {
            self.before.value - self.after.value
        } else {
            self.after.value - self.before.value
        };
        let real = match (self.mcnemar.map(|test| test.p_value).or(self.p_value), &self.difference) {
            (Some(p_value), _) => p_value < 0.05,
            (None, Some(difference)) => difference.low > 0.0 || difference.high < 0.0,
            (None, None) => self.after.low > self.before.high || self.after.high < self.before.low,
        };
        match real {
            true if gain > 0.0 => Outcome::Better,
            true if gain < 0.0 => Outcome::Worse,
            _ => Outcome::Unclear,
        }
    }
}

/// What was evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResultName {
    /// The untouched model.
    Before,
    /// Always the most frequent class.
    MostFrequent,
    /// Logistic regression on features of the untouched model.
    Probe,
    /// The fine-tuned model.
    #[default]
    After,
    /// A model by its name.
    Model(String),
}

/// One value of the table of results.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ResultRow {
    /// What was evaluated.
    pub name: ResultName,
    /// The metric's name.
    pub metric: String,
    /// How its values are written.
    pub unit: Unit,
    /// The value.
    pub value: f64,
    /// Lower end of its 95 % interval.
    pub low: Option<f64>,
    /// Upper end of its 95 % interval.
    pub high: Option<f64>,
    /// Number of items.
    pub items: usize,
}

/// A confusion matrix.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Confusion {
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Items by true class (row) and predicted class (column), row after row: `classes × classes` numbers.
    pub counts: Vec<u64>,
}

impl Confusion {
    /// Items of class `truth` that were taken for class `answer`; 0 outside the matrix.
    pub fn count(&self, truth: usize, answer: usize) -> u64 {
        self.counts.get(truth * self.classes.len() + answer).copied().unwrap_or(0)
    }

    /// Items of class `truth`.
    pub fn row_total(&self, truth: usize) -> u64 {
        (0..self.classes.len()).map(|answer| self.count(truth, answer)).sum()
    }
}

/// How well one class is recognized.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ClassRow {
    /// The class.
    pub name: String,
    /// Right answers of all answers with this class.
    pub precision: f64,
    /// Right answers of all items of this class.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
    /// Items of this class.
    pub items: u64,
}

/// An item that the network got wrong.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Mistake {
    /// Where the item is: a file, a row of a file.
    pub place: String,
    /// Its true class, labels or values.
    pub truth: String,
    /// What the network gave.
    pub answer: String,
    /// The probability that the network gave to its answer or, of the hardest items, to what is true; where items have one class
    /// each.
    pub probability: Option<f64>,
    /// A small picture, from [`png_address`](super::png_address). Anything but a PNG data address is left out.
    pub picture: Option<String>,
}

/// What is in the data.
#[derive(Debug, Clone, Default, Serialize)]
pub struct DataFacts {
    /// Names of the parts: "training", "validation", "test".
    pub splits: Vec<String>,
    /// Items in each part.
    pub items: Vec<u64>,
    /// Items of each class in each part; empty where there are no classes.
    pub classes: Vec<ClassCounts>,
    /// Remarks on the data: how it was split, what is uneven.
    pub notes: Vec<DataNote>,
    /// What the checks found.
    pub findings: Vec<DataFinding>,
    /// Items that were left out; may be only the first of them.
    pub skipped: Vec<Skipped>,
    /// How many items were left out in all.
    pub skipped_total: u64,
}

/// Something that is wrong with the data.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct DataFinding {
    /// How much it matters.
    pub weight: FindingWeight,
    /// The finding in one sentence.
    pub title: String,
    /// Why it matters.
    pub why: String,
    /// What to do: a command, or words.
    pub advice: String,
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingWeight {
    /// Figures would mislead, or training would suffer.
    Problem,
    /// To be looked at.
    #[default]
    Warning,
}

/// A remark on the data.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DataNote {
    /// Parts are shares of the training data's source.
    SameSource {
        /// The parts.
        parts: Vec<String>,
    },
    /// Classes without training items.
    MissingClasses {
        /// The first of them.
        first: String,
        /// How many there are.
        count: usize,
    },
    /// A class has many times the items of another.
    Uneven {
        /// The most frequent class.
        most: String,
        /// Its training items.
        largest: usize,
        /// The least frequent class.
        least: String,
        /// Its training items.
        smallest: usize,
    },
}

/// What makes the figures of a run less worth than they look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Warning {
    /// The weights are chosen by the test items.
    ValidationIsTest,
    /// The test items are trained on.
    TrainIsTest,
    /// Early stopping goes by the training loss.
    StopsWithoutValidation,
    /// Other runs in the same folder were measured on the same test items.
    TestUsedBefore {
        /// Their folders' names.
        runs: Vec<String>,
    },
}

/// Items of a class in each part of the data.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ClassCounts {
    /// The class.
    pub name: String,
    /// Items, in the order of [`DataFacts::splits`].
    pub items: Vec<u64>,
}

/// An item that was left out.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Skipped {
    /// Where it is.
    pub place: String,
    /// Why it cannot be used.
    pub reason: String,
}

/// What the run took, and what was planned.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Cost {
    /// Time from the beginning, or from the last resumption, to the end.
    pub wall_secs: Option<f64>,
    /// Mean time of an epoch.
    pub epoch_secs: Option<f64>,
    /// Training examples in a second.
    pub examples_per_sec: Option<f64>,
    /// Energy that the processor took, where the system tells, in joules; that of other programs at the same time is in it.
    pub energy_joules: Option<f64>,
    /// Most memory that the process held.
    pub peak_bytes: Option<u64>,
    /// Memory of a step as planned before training.
    pub planned_bytes: Option<u64>,
    /// Numbers in trained weights.
    pub trainable_weights: Option<u64>,
    /// Numbers in all weights.
    pub total_weights: Option<u64>,
    /// Floating-point operations of a training step.
    pub flops_per_step: Option<u64>,
    /// Examples whose values of frozen layers were read, and examples whose values were computed.
    pub features: Option<(u64, u64)>,
    /// Dropouts inside of frozen layers that were left out.
    pub dropouts_left_out: usize,
}

/// What is needed to do the same again.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Reproduction {
    /// retune's version.
    pub version: String,
    /// The seed of all randomness.
    pub seed: u64,
    /// Threads; they do not change the result.
    pub threads: usize,
    /// Files and data that went in.
    pub inputs: Vec<InputHash>,
    /// The command that does it again.
    pub command: String,
    /// Anything else: processor, operating system, date.
    pub facts: Vec<Fact>,
}

/// The hash of something that went into the run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct InputHash {
    /// A file or folder.
    pub place: String,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

/// A name and a value.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Fact {
    /// What it is.
    pub name: String,
    /// Its value.
    pub value: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(before: [f64; 3], after: [f64; 3]) -> Verdict {
        let estimate = |[low, value, high]: [f64; 3]| Estimate { value, low, high };
        Verdict {
            metric: "accuracy".into(),
            unit: Unit::Share,
            lower_is_better: false,
            items: 100,
            baseline: None,
            before: estimate(before),
            after: estimate(after),
            difference: None,
            p_value: None,
            mcnemar: None,
        }
    }

    #[test]
    fn the_strongest_evidence_at_hand_decides() {
        let apart = verdict([0.1, 0.2, 0.3], [0.4, 0.5, 0.6]);
        assert_eq!(apart.outcome(), Outcome::Better);
        assert_eq!(Verdict { lower_is_better: true, ..apart.clone() }.outcome(), Outcome::Worse);
        let overlap = verdict([0.1, 0.2, 0.3], [0.25, 0.35, 0.45]);
        assert_eq!(overlap.outcome(), Outcome::Unclear);
        let difference = Some(Estimate { value: 0.15, low: 0.01, high: 0.3 });
        let paired = Verdict { difference, ..overlap };
        assert_eq!(paired.outcome(), Outcome::Better);
        let tested = Verdict { p_value: Some(0.2), ..paired.clone() };
        assert_eq!(tested.outcome(), Outcome::Unclear);
        let mcnemar = Some(McNemar { only_first: 5, only_second: 9, p_value: 0.42 });
        assert_eq!(Verdict { mcnemar, ..paired }.outcome(), Outcome::Unclear);
    }

    #[test]
    fn values_that_are_not_numbers_prove_nothing() {
        let nan = f64::NAN;
        assert_eq!(verdict([nan, nan, nan], [0.4, 0.5, 0.6]).outcome(), Outcome::Unclear);
    }
}

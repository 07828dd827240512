//! Metrics: how good predictions are, with the uncertainty that comes from the number of items.
//!
//! | file | what it computes |
//! | --- | --- |
//! | [`scored`] | [`Scored`]: the predictions on a set of items with their targets |
//! | [`accuracy`] | share of right answers, and of answers among the k most likely |
//! | [`class_scores`] | precision, recall, F1 and their averages; the confusion matrix |
//! | [`roc_auc`] | area under the receiver operating characteristic |
//! | [`regression`] | mean squared and absolute error, R² |
//! | [`correlation`] | Pearson's and Spearman's correlation |
//! | [`interval`] | 95 % intervals by the bootstrap |
//! | [`compare`] | two models on the same items |
//!
//! Every metric takes a weight per item: an item of weight 2 counts as two. That is also how the bootstrap resamples, so every
//! metric has an interval. Definitions are scikit-learn's, a division by zero gives 0.

pub mod accuracy;
pub mod class_scores;
pub mod compare;
pub mod correlation;
pub mod interval;
pub mod regression;
pub mod roc_auc;
pub mod scored;

pub use class_scores::{Average, ClassCounts, ClassScore, ConfusionMatrix};
pub use compare::{McNemar, PairedDifference, compare_accuracy, paired_difference};
pub use interval::{Estimate, bootstrap};
pub use scored::{Problem, Scored};

use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Which values of a metric are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Higher is better.
    Higher,
    /// Lower is better.
    Lower,
}

impl Direction {
    /// Whether `value` is better than `best` by more than `min_delta`.
    pub fn improves(self, value: f64, best: f64, min_delta: f64) -> bool {
        match self {
            Direction::Higher => value > best + min_delta,
            Direction::Lower => value < best - min_delta,
        }
    }
}

/// A metric: one number for a set of predictions. Recipes name it as [`Display`](fmt::Display) writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Metric {
    /// `loss`: the mean loss.
    Loss,
    /// `accuracy`: share of right answers.
    Accuracy,
    /// `top-5-accuracy`: share of items whose class is among the k most likely.
    TopK(usize),
    /// `precision`, `recall`, `f1`, with `-micro`, `-macro`, `-weighted` or `-class-3` behind; see [`class_scores`].
    ClassScore(ClassScore, Average),
    /// `roc-auc`: of the positive class, or the mean over classes of one against the rest.
    RocAuc,
    /// `mean-squared-error`.
    MeanSquaredError,
    /// `mean-absolute-error`.
    MeanAbsoluteError,
    /// `root-mean-squared-error`.
    RootMeanSquaredError,
    /// `r2`: share of the variance that is explained.
    R2,
    /// `pearson`: linear correlation.
    Pearson,
    /// `spearman`: correlation of ranks.
    Spearman,
}

impl Metric {
    /// The names that recipes may use.
    pub const NAMES: &[&str] = &[
        "loss",
        "accuracy",
        "top-5-accuracy",
        "precision",
        "recall",
        "f1",
        "f1-micro",
        "f1-macro",
        "f1-weighted",
        "f1-class-0",
        "roc-auc",
        "mean-squared-error",
        "root-mean-squared-error",
        "mean-absolute-error",
        "r2",
        "pearson",
        "spearman",
    ];

    /// Which values are better.
    pub fn direction(self) -> Direction {
        match self {
            Metric::Loss | Metric::MeanSquaredError | Metric::RootMeanSquaredError | Metric::MeanAbsoluteError => {
                Direction::Lower
            }
            _ => Direction::Higher,
        }
    }

    /// Whether the metric is a share, better read in percent.
    pub fn is_share(self) -> bool {
        matches!(self, Metric::Accuracy | Metric::TopK(_) | Metric::ClassScore(..))
    }

    /// Whether the metric has a meaning for such predictions.
    pub fn applies_to(self, problem: Problem) -> bool {
        match self {
            Metric::Loss => true,
            Metric::Accuracy | Metric::ClassScore(..) | Metric::RocAuc => {
                matches!(problem, Problem::MultiClass | Problem::Binary | Problem::MultiLabel)
            }
            Metric::TopK(_) => problem == Problem::MultiClass,
            Metric::MeanSquaredError
            | Metric::RootMeanSquaredError
            | Metric::MeanAbsoluteError
            | Metric::R2
            | Metric::Pearson
            | Metric::Spearman => problem == Problem::Regression,
        }
    }

    /// The metrics that are reported where none are named.
    pub fn defaults(problem: Problem) -> Vec<Metric> {
        match problem {
            Problem::MultiClass => {
                vec![Metric::Loss, Metric::Accuracy, Metric::ClassScore(ClassScore::F1, Average::Macro)]
            }
            Problem::Binary => vec![
                Metric::Loss,
                Metric::Accuracy,
                Metric::ClassScore(ClassScore::F1, Average::Default),
                Metric::RocAuc,
            ],
            Problem::MultiLabel => {
                vec![Metric::Loss, Metric::Accuracy, Metric::ClassScore(ClassScore::F1, Average::Macro)]
            }
            Problem::Regression => {
                vec![Metric::Loss, Metric::MeanAbsoluteError, Metric::R2, Metric::Pearson, Metric::Spearman]
            }
            Problem::Unknown => vec![Metric::Loss],
        }
    }

    /// Does the part that does not depend on weights; `None` where the metric does not apply to the predictions.
    pub fn prepare(self, scored: &Scored) -> Option<Prepared> {
        if !self.applies_to(scored.problem()) {
            return None;
        }
        Some(match self {
            Metric::Loss => Prepared::Mean(scored.losses().iter().map(|&loss| f64::from(loss)).collect()),
            Metric::Accuracy => Prepared::Mean(accuracy::correct(scored)),
            Metric::TopK(k) => Prepared::Mean(accuracy::in_top(scored, k)),
            Metric::ClassScore(score, average) => {
                Prepared::ClassScore(class_scores::Answers::new(scored), score, average.resolve(scored.problem()))
            }
            Metric::RocAuc => Prepared::RocAuc(roc_auc::Ranking::of(scored)),
            Metric::MeanSquaredError => Prepared::Mean(regression::squared_errors(scored)),
            Metric::MeanAbsoluteError => Prepared::Mean(regression::absolute_errors(scored)),
            Metric::RootMeanSquaredError => Prepared::RootMeans(regression::squared_errors_of_outputs(scored)),
            Metric::R2 => Prepared::R2(regression::Variance::new(scored)),
            Metric::Pearson => Prepared::Pearson(correlation::Pairs::of(scored)),
            Metric::Spearman => Prepared::Spearman(correlation::RankPairs::of(scored)),
        })
    }

    /// The metric of all items by their own weights; `None` where it does not apply or is not defined.
    pub fn value(self, scored: &Scored) -> Option<f64> {
        self.prepare(scored)?.value(scored.weights())
    }
}

/// A metric on certain predictions, ready to be computed for any weights of the items.
#[derive(Debug, Clone)]
pub enum Prepared {
    /// `Σ w x / Σ w` of a value per item.
    Mean(Vec<f64>),
    /// See [`class_scores`].
    ClassScore(class_scores::Answers, ClassScore, Average),
    /// See [`roc_auc`]; the mean of the classes for which it is defined.
    RocAuc(Vec<roc_auc::Ranking>),
    /// `√(Σ w x / Σ w)` of a value per item, for each output; the mean over the outputs.
    RootMeans(Vec<Vec<f64>>),
    /// See [`regression`].
    R2(regression::Variance),
    /// See [`correlation`]; the mean over the outputs.
    Pearson(Vec<correlation::Pairs>),
    /// See [`correlation`]; the mean over the outputs.
    Spearman(Vec<correlation::RankPairs>),
}

impl Prepared {
    /// The metric for these weights of the items; `None` where it is not defined.
    pub fn value(&self, weights: &[f64]) -> Option<f64> {
        let value = match self {
            Prepared::Mean(values) => weighted_mean(values, weights),
            Prepared::ClassScore(answers, score, average) => answers.counts(weights).score(*score, *average),
            Prepared::RocAuc(rankings) => {
                let areas: Vec<f64> = rankings.iter().filter_map(|ranking| ranking.area(weights)).collect();
                areas.iter().sum::<f64>() / areas.len() as f64
            }
            Prepared::RootMeans(outputs) => mean(outputs, |squares| weighted_mean(squares, weights).sqrt()),
            Prepared::R2(variance) => variance.explained(weights),
            Prepared::Pearson(outputs) => mean(outputs, |pairs| pairs.pearson(weights)),
            Prepared::Spearman(outputs) => mean(outputs, |pairs| pairs.spearman(weights)),
        };
        value.is_finite().then_some(value)
    }
}

fn weighted_mean(values: &[f64], weights: &[f64]) -> f64 {
    let sum: f64 = values.iter().zip(weights).map(|(value, weight)| value * weight).sum();
    sum / weights.iter().sum::<f64>()
}

fn mean<T>(outputs: &[T], of: impl Fn(&T) -> f64) -> f64 {
    outputs.iter().map(of).sum::<f64>() / outputs.len() as f64
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Metric::Loss => f.write_str("loss"),
            Metric::Accuracy => f.write_str("accuracy"),
            Metric::TopK(k) => write!(f, "top-{k}-accuracy"),
            Metric::ClassScore(score, average) => write!(f, "{}{average}", score.name()),
            Metric::RocAuc => f.write_str("roc-auc"),
            Metric::MeanSquaredError => f.write_str("mean-squared-error"),
            Metric::MeanAbsoluteError => f.write_str("mean-absolute-error"),
            Metric::RootMeanSquaredError => f.write_str("root-mean-squared-error"),
            Metric::R2 => f.write_str("r2"),
            Metric::Pearson => f.write_str("pearson"),
            Metric::Spearman => f.write_str("spearman"),
        }
    }
}

impl FromStr for Metric {
    type Err = ();

    fn from_str(name: &str) -> Result<Metric, ()> {
        let simple = [
            Metric::Loss,
            Metric::Accuracy,
            Metric::RocAuc,
            Metric::MeanSquaredError,
            Metric::RootMeanSquaredError,
            Metric::MeanAbsoluteError,
            Metric::R2,
            Metric::Pearson,
            Metric::Spearman,
        ];
        if let Some(metric) = simple.into_iter().find(|metric| metric.to_string() == name) {
            return Ok(metric);
        }
        if let Some(k) = name.strip_prefix("top-").and_then(|rest| rest.strip_suffix("-accuracy")) {
            return k.parse().ok().filter(|&k| k > 0).map(Metric::TopK).ok_or(());
        }
        let with_score = |score: ClassScore| Some((score, name.strip_prefix(score.name())?));
        let (score, rest) = ClassScore::ALL.into_iter().find_map(with_score).ok_or(())?;
        Ok(Metric::ClassScore(score, rest.parse()?))
    }
}

impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for name in Metric::NAMES {
            assert_eq!(&name.parse::<Metric>().unwrap().to_string(), name);
        }
        for name in ["", "f2", "top-0-accuracy", "f1-class-", "f1-mean", "precision-"] {
            assert!(name.parse::<Metric>().is_err(), "{name}");
        }
    }
}

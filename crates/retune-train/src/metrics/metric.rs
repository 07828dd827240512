//! The metrics by name.

use super::class_scores::{Answers, ClassCounts};
use super::entities::{self, EntityScore};
use super::prepared::{Prepared, mean, weighted_mean};
use super::{
    Average, ClassScore, Problem, Ranking, Scored, accuracy, calibration, correlation, probabilities, ranking,
    regression,
};
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
///
/// ```
/// use retune_train::metrics::{Metric, Scored};
///
/// let scored = Scored::classes(vec![0.9, 0.1, 0.4, 0.6], 2, vec![0, 0])?;
/// let metric: Metric = "accuracy".parse()?;
/// assert_eq!(metric.value(&scored), Some(0.5));
/// assert_eq!(metric.value(&scored.with_weights(vec![3.0, 1.0])), Some(0.75));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Metric {
    /// `loss`: the mean loss that training minimizes.
    Loss,
    /// `accuracy`: share of right answers; of labels, the share of labels that are right; of words, the share of words.
    Accuracy,
    /// `balanced-accuracy`: mean recall of the classes that have items; see [`class_scores`](super::class_scores).
    BalancedAccuracy,
    /// `subset-accuracy`: share of items whose labels are all right.
    SubsetAccuracy,
    /// `hamming-loss`: share of labels that are wrong.
    HammingLoss,
    /// `top-5-accuracy`: share of items whose class is among the k most likely.
    TopK(usize),
    /// `precision`, `recall`, `f1`, `jaccard`, with `-micro`, `-macro`, `-weighted`, `-samples` or `-class-3` behind; see
    /// [`class_scores`](super::class_scores).
    ClassScore(ClassScore, Average),
    /// `entity-precision`, `entity-recall`, `entity-f1`, with `-micro`, `-macro`, `-weighted` or, for a type, `-class-3` behind, and
    /// with `strict-` in front; see [`entities`].
    Entity(EntityScore),
    /// `matthews-correlation`; see [`class_scores`](super::class_scores).
    MatthewsCorrelation,
    /// `cohen-kappa`: agreement beyond chance; see [`class_scores`](super::class_scores).
    CohenKappa,
    /// `roc-auc`, with `-micro`, `-macro`, `-weighted` or `-class-3` behind; see [`ranking`].
    RocAuc(Average),
    /// `pr-auc`: average precision, averages as of `roc-auc`; see [`ranking`].
    PrAuc(Average),
    /// `log-loss`; see [`probabilities`].
    LogLoss,
    /// `brier-score`; see [`probabilities`].
    BrierScore,
    /// `expected-calibration-error`; see [`calibration`].
    ExpectedCalibrationError,
    /// `mean-squared-error`.
    MeanSquaredError,
    /// `root-mean-squared-error`.
    RootMeanSquaredError,
    /// `mean-absolute-error`.
    MeanAbsoluteError,
    /// `r2`: share of the variance that is explained.
    R2,
    /// `pearson`: linear correlation; see [`correlation`].
    Pearson,
    /// `spearman`: correlation of ranks; see [`correlation`].
    Spearman,
}

/// The metrics that have one name.
const SIMPLE: &[(&str, Metric)] = &[
    ("loss", Metric::Loss),
    ("accuracy", Metric::Accuracy),
    ("balanced-accuracy", Metric::BalancedAccuracy),
    ("subset-accuracy", Metric::SubsetAccuracy),
    ("hamming-loss", Metric::HammingLoss),
    ("matthews-correlation", Metric::MatthewsCorrelation),
    ("cohen-kappa", Metric::CohenKappa),
    ("log-loss", Metric::LogLoss),
    ("brier-score", Metric::BrierScore),
    ("expected-calibration-error", Metric::ExpectedCalibrationError),
    ("mean-squared-error", Metric::MeanSquaredError),
    ("root-mean-squared-error", Metric::RootMeanSquaredError),
    ("mean-absolute-error", Metric::MeanAbsoluteError),
    ("r2", Metric::R2),
    ("pearson", Metric::Pearson),
    ("spearman", Metric::Spearman),
];

/// Short names that are understood as well.
const ALIASES: &[(&str, Metric)] = &[
    ("mcc", Metric::MatthewsCorrelation),
    ("kappa", Metric::CohenKappa),
    ("brier", Metric::BrierScore),
    ("ece", Metric::ExpectedCalibrationError),
    ("mse", Metric::MeanSquaredError),
    ("rmse", Metric::RootMeanSquaredError),
    ("mae", Metric::MeanAbsoluteError),
    ("average-precision", Metric::PrAuc(Average::Default)),
];

impl Metric {
    /// The names that recipes may use; of those with a number or an average, examples.
    pub const NAMES: &[&str] = &[
        "loss",
        "accuracy",
        "balanced-accuracy",
        "subset-accuracy",
        "hamming-loss",
        "top-5-accuracy",
        "precision",
        "precision-macro",
        "recall",
        "recall-macro",
        "f1",
        "f1-micro",
        "f1-macro",
        "f1-weighted",
        "f1-samples",
        "f1-class-0",
        "jaccard",
        "jaccard-macro",
        "entity-precision",
        "entity-recall",
        "entity-f1",
        "entity-f1-macro",
        "entity-f1-weighted",
        "strict-entity-f1",
        "matthews-correlation",
        "cohen-kappa",
        "roc-auc",
        "roc-auc-weighted",
        "pr-auc",
        "pr-auc-weighted",
        "log-loss",
        "brier-score",
        "expected-calibration-error",
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
            Metric::Loss
            | Metric::HammingLoss
            | Metric::LogLoss
            | Metric::BrierScore
            | Metric::ExpectedCalibrationError
            | Metric::MeanSquaredError
            | Metric::RootMeanSquaredError
            | Metric::MeanAbsoluteError => Direction::Lower,
            _ => Direction::Higher,
        }
    }

    /// Whether the metric is a share, better read in percent.
    pub fn is_share(self) -> bool {
        matches!(
            self,
            Metric::Accuracy
                | Metric::BalancedAccuracy
                | Metric::SubsetAccuracy
                | Metric::HammingLoss
                | Metric::TopK(_)
                | Metric::ClassScore(..)
                | Metric::Entity(_)
        )
    }

    /// Whether the metric has a meaning for such predictions.
    pub fn applies_to(self, problem: Problem) -> bool {
        let one_class = matches!(problem, Problem::MultiClass | Problem::Binary);
        let labels = problem == Problem::MultiLabel;
        let words = matches!(problem, Problem::Words | Problem::Entities);
        match self {
            Metric::Loss => true,
            Metric::TopK(_) => problem == Problem::MultiClass,
            Metric::BalancedAccuracy | Metric::MatthewsCorrelation | Metric::CohenKappa => one_class,
            Metric::SubsetAccuracy | Metric::HammingLoss | Metric::ClassScore(_, Average::Samples) => labels,
            Metric::RocAuc(Average::Samples) | Metric::PrAuc(Average::Samples) => false,
            Metric::Accuracy => one_class || labels || words,
            Metric::Entity(_) => problem == Problem::Entities,
            Metric::ClassScore(..)
            | Metric::RocAuc(_)
            | Metric::PrAuc(_)
            | Metric::LogLoss
            | Metric::BrierScore
            | Metric::ExpectedCalibrationError => one_class || labels,
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
        let f1 = |average| Metric::ClassScore(ClassScore::F1, average);
        match problem {
            Problem::MultiClass => vec![Metric::Loss, Metric::Accuracy, f1(Average::Macro)],
            Problem::Binary => {
                vec![Metric::Loss, Metric::Accuracy, f1(Average::Default), Metric::RocAuc(Average::Default)]
            }
            Problem::MultiLabel => vec![Metric::Loss, Metric::Accuracy, f1(Average::Macro)],
            Problem::Regression => {
                vec![Metric::Loss, Metric::MeanAbsoluteError, Metric::R2, Metric::Pearson, Metric::Spearman]
            }
            Problem::Words => vec![Metric::Loss, Metric::Accuracy],
            Problem::Entities => {
                let entity = |score| Metric::Entity(EntityScore { score, average: Average::Default, is_strict: false });
                let mut metrics = vec![Metric::Loss, Metric::Accuracy];
                metrics.extend(ClassScore::OF_ENTITIES.map(entity));
                metrics
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
            Metric::Loss | Metric::Accuracy if scored.words().is_some() => {
                let right = accuracy::words_right(scored);
                let losses =
                    scored.losses().iter().zip(&right).map(|(&loss, (_, words))| (f64::from(loss) * words, *words));
                Prepared::ratio(if self == Metric::Loss { losses.collect() } else { right })
            }
            Metric::Entity(score) => entities::prepared(scored, score)?,
            Metric::Loss => Prepared::mean(scored.losses().iter().map(|&loss| f64::from(loss)).collect()),
            Metric::Accuracy => Prepared::mean(accuracy::correct(scored)),
            Metric::SubsetAccuracy => Prepared::mean(accuracy::all_labels_correct(scored)),
            Metric::HammingLoss => Prepared::mean(accuracy::labels_wrong(scored)),
            Metric::TopK(k) => Prepared::mean(accuracy::in_top(scored, k)),
            Metric::ClassScore(score, Average::Samples) => Prepared::mean(Answers::new(scored).of_items(score)),
            Metric::ClassScore(score, average) => {
                let average = average.resolve(scored.problem());
                counted(scored, move |counts| counts.score(score, average))
            }
            Metric::BalancedAccuracy => counted(scored, ClassCounts::balanced_accuracy),
            Metric::MatthewsCorrelation => counted(scored, ClassCounts::matthews_correlation),
            Metric::CohenKappa => counted(scored, ClassCounts::cohen_kappa),
            Metric::RocAuc(average) => ranking::prepared(scored, average, Ranking::roc_auc),
            Metric::PrAuc(average) => ranking::prepared(scored, average, Ranking::average_precision),
            Metric::LogLoss => Prepared::mean(probabilities::log_losses(scored)),
            Metric::BrierScore => Prepared::mean(probabilities::brier_scores(scored)),
            Metric::ExpectedCalibrationError => calibration::expected_error(scored),
            Metric::MeanSquaredError => Prepared::mean(regression::squared_errors(scored)),
            Metric::RootMeanSquaredError => {
                let outputs = regression::squared_errors_of_outputs(scored);
                Prepared::new(move |weights| mean(&outputs, |squares| weighted_mean(squares, weights).sqrt()))
            }
            Metric::MeanAbsoluteError => Prepared::mean(regression::absolute_errors(scored)),
            Metric::R2 => {
                let variance = regression::Variance::new(scored);
                Prepared::new(move |weights| variance.explained(weights))
            }
            Metric::Pearson => {
                let outputs = correlation::Pairs::of(scored);
                Prepared::new(move |weights| mean(&outputs, |pairs| pairs.pearson(weights)))
            }
            Metric::Spearman => {
                let outputs = correlation::RankPairs::of(scored);
                Prepared::new(move |weights| mean(&outputs, |pairs| pairs.spearman(weights)))
            }
        })
    }

    /// The metric of all items by their own weights; `None` where it does not apply or is not defined.
    pub fn value(self, scored: &Scored) -> Option<f64> {
        self.prepare(scored)?.value(scored.weights())
    }
}

/// A metric of the counts of each class.
fn counted(scored: &Scored, of: impl Fn(&ClassCounts) -> f64 + Send + Sync + 'static) -> Prepared {
    let answers = Answers::new(scored);
    Prepared::new(move |weights| of(&answers.counts(weights)))
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Metric::TopK(k) => write!(f, "top-{k}-accuracy"),
            Metric::ClassScore(score, average) => write!(f, "{}{average}", score.name()),
            Metric::Entity(EntityScore { score, average, is_strict }) => {
                write!(f, "{}entity-{}{average}", if *is_strict { "strict-" } else { "" }, score.name())
            }
            Metric::RocAuc(average) => write!(f, "roc-auc{average}"),
            Metric::PrAuc(average) => write!(f, "pr-auc{average}"),
            simple => {
                let name = SIMPLE.iter().find(|(_, metric)| metric == simple).map(|(name, _)| *name);
                f.write_str(name.expect("every metric without parameters stands in the list"))
            }
        }
    }
}

/// There is no metric of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no metric `{name}`")]
pub struct UnknownMetric {
    /// The name.
    pub name: String,
}

impl FromStr for Metric {
    type Err = UnknownMetric;

    fn from_str(name: &str) -> Result<Metric, UnknownMetric> {
        let listed = SIMPLE.iter().chain(ALIASES).find(|(listed, _)| *listed == name).map(|(_, metric)| *metric);
        listed.or_else(|| parameterized(name)).ok_or_else(|| UnknownMetric { name: name.to_owned() })
    }
}

fn parameterized(name: &str) -> Option<Metric> {
    if let Some(k) = name.strip_prefix("top-").and_then(|rest| rest.strip_suffix("-accuracy")) {
        return k.parse().ok().filter(|&k| k > 0).map(Metric::TopK);
    }
    let (rest, is_strict) = name.strip_prefix("strict-").map_or((name, false), |rest| (rest, true));
    if let Some(rest) = rest.strip_prefix("entity-") {
        let entity = |score: ClassScore| {
            let average =
                rest.strip_prefix(score.name())?.parse().ok().filter(|average| *average != Average::Samples)?;
            Some(Metric::Entity(EntityScore { score, average, is_strict }))
        };
        return ClassScore::OF_ENTITIES.into_iter().find_map(entity);
    }
    let area = |prefix: &str| name.strip_prefix(prefix)?.parse().ok().filter(|average| *average != Average::Samples);
    if let Some(average) = area("roc-auc") {
        return Some(Metric::RocAuc(average));
    }
    if let Some(average) = area("pr-auc") {
        return Some(Metric::PrAuc(average));
    }
    let of_score = |score: ClassScore| Some(Metric::ClassScore(score, name.strip_prefix(score.name())?.parse().ok()?));
    ClassScore::ALL.into_iter().find_map(of_score)
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
        for (name, metric) in SIMPLE {
            assert!(Metric::NAMES.contains(name), "{name}");
            assert_eq!(metric.to_string(), *name);
        }
        for (name, metric) in ALIASES {
            assert_eq!(&name.parse::<Metric>().unwrap(), metric);
            assert_eq!(&metric.to_string().parse::<Metric>().unwrap(), metric);
        }
        for name in [
            "",
            "f2",
            "top-0-accuracy",
            "f1-class-",
            "f1-mean",
            "precision-",
            "roc-auc-samples",
            "pr-aucs",
            "entity-jaccard",
            "strict-f1",
        ] {
            assert_eq!(name.parse::<Metric>(), Err(UnknownMetric { name: name.to_owned() }));
        }
    }

    #[test]
    fn each_problem_has_metrics_of_its_own() {
        let of =
            |problem| Metric::NAMES.iter().filter(|name| name.parse::<Metric>().unwrap().applies_to(problem)).count();
        assert_eq!(of(Problem::Unknown), 1);
        assert_eq!(of(Problem::Regression), 7);
        assert_eq!(of(Problem::MultiClass), Metric::NAMES.len() - 6 - 3 - 6);
        assert_eq!((of(Problem::Words), of(Problem::Entities)), (2, 2 + 6));
        assert_eq!(of(Problem::Binary), of(Problem::MultiClass) - 1);
        assert_eq!(of(Problem::MultiLabel), Metric::NAMES.len() - 6 - 4 - 6);
    }
}

//! A model before and after training, on the same items, and beside what can be had without training.

use crate::calibration::Calibration;
use crate::error::TrainError;
use crate::metrics::{
    self, ClassScore, Compared, ConfusionMatrix, Direction, EntityScore, Estimate, McNemar, Metric, PairedDifference,
    ReliabilityBin, Resampling, Scored, TypeScores, compare_accuracy, reliability,
};
use crate::report::{Unit, Verdict};
use serde::{Deserialize, Serialize};

/// A model before and after training, on the same items.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Comparison {
    /// `test`, `validation` or, of a second data set, `also`.
    pub part: &'static str,
    /// Number of items.
    pub items: usize,
    /// Each metric before and after.
    pub metrics: Vec<Measured>,
    /// Whether the right and wrong answers differ by more than chance, for classes.
    pub mcnemar: Option<McNemar>,
    /// What can be had without training, where the head is new and so the untouched model says nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub baselines: Vec<Baseline>,
    /// Answers after training, for classes.
    pub confusion: Option<ConfusionMatrix>,
    /// How well entities of each type are found after training, where words are labelled so.
    pub entities: Option<Vec<TypeScores>>,
    /// Whether answers after training are right as often as their probability says.
    pub reliability: Option<Vec<ReliabilityBin>>,
    /// Temperature and thresholds, of which the figures after training are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
}

/// A metric before and after training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Measured {
    /// The metric.
    pub metric: Metric,
    /// Before, with its 95 % interval.
    pub before: Option<Estimate>,
    /// After, with its 95 % interval.
    pub after: Option<Estimate>,
    /// The difference on the same items.
    pub difference: Option<PairedDifference>,
}

/// What stands in for the untouched model where that has no head for the labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum BaselineKind {
    /// Always the most frequent class of the training part, with the classes' shares as probabilities.
    MostFrequent,
    /// Logistic regression on what the untouched model gives to its head.
    Probe,
}

/// The fine-tuned model beside something simpler, on the same items.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Baseline {
    /// What it is.
    pub kind: BaselineKind,
    /// Each metric: `before` is that of the baseline, `after` that of the fine-tuned model.
    pub metrics: Vec<Measured>,
    /// Whether right and wrong answers differ by more than chance.
    pub mcnemar: Option<McNemar>,
}

impl Comparison {
    /// Compares predictions on the same items.
    ///
    /// # Errors
    /// Predictions on other items.
    pub fn new(
        part: &'static str,
        metrics: &[Metric],
        before: &Scored,
        after: &Scored,
        resampling: &Resampling,
    ) -> Result<Comparison, TrainError> {
        Ok(Comparison {
            part,
            items: after.len(),
            metrics: measured(metrics, before, after, resampling)?,
            mcnemar: mcnemar(before, after)?,
            baselines: Vec::new(),
            confusion: ConfusionMatrix::new(after),
            entities: metrics::entities::by_type(after),
            reliability: reliability(after),
            calibration: None,
        })
    }

    /// The metric that decides whether training was worth it, before and after: F1 of entities, accuracy or, without classes, the
    /// first that is not the loss.
    pub fn decisive(&self) -> Option<&Measured> {
        decisive(&self.metrics)
    }

    /// The baseline that is hardest to beat, by the decisive metric.
    pub fn best_baseline(&self) -> Option<&Baseline> {
        let metric = self.decisive()?.metric;
        let value = |baseline: &Baseline| {
            baseline.metrics.iter().find(|m| m.metric == metric).and_then(|m| m.before).map(|e| e.value)
        };
        let better = |a: f64, b: f64| match metric.direction() {
            Direction::Higher => a.total_cmp(&b),
            Direction::Lower => b.total_cmp(&a),
        };
        let values = self.baselines.iter().filter_map(|baseline| Some((value(baseline)?, baseline)));
        values.max_by(|a, b| better(a.0, b.0)).map(|(_, baseline)| baseline)
    }

    /// Whether the gain is real, in the decisive metric: over the untouched model, or over the best baseline where the head is new.
    pub fn verdict(&self) -> Option<Verdict> {
        let baseline = self.best_baseline();
        let (metrics, mcnemar) = match baseline {
            Some(baseline) => (&baseline.metrics, baseline.mcnemar),
            None => (&self.metrics, self.mcnemar),
        };
        let shown = decisive(metrics)?;
        let metric = shown.metric;
        Some(Verdict {
            metric: metric.to_string(),
            unit: unit(metric),
            lower_is_better: metric.direction() == Direction::Lower,
            items: self.items,
            baseline: baseline.map(|baseline| baseline.kind),
            before: shown.before?,
            after: shown.after?,
            difference: shown.difference.map(|paired| paired.difference),
            p_value: shown.difference.and_then(|paired| paired.p_value),
            mcnemar: mcnemar.filter(|_| metric == Metric::Accuracy),
        })
    }
}

impl Baseline {
    /// Compares a baseline's predictions with those after training; it has no loss.
    ///
    /// # Errors
    /// Predictions on other items.
    pub fn new(
        kind: BaselineKind,
        metrics: &[Metric],
        baseline: &Scored,
        after: &Scored,
        resampling: &Resampling,
    ) -> Result<Baseline, TrainError> {
        let metrics: Vec<Metric> = metrics.iter().copied().filter(|metric| *metric != Metric::Loss).collect();
        Ok(Baseline {
            kind,
            metrics: measured(&metrics, baseline, after, resampling)?,
            mcnemar: mcnemar(baseline, after)?,
        })
    }
}

/// How a metric's values are written.
pub fn unit(metric: Metric) -> Unit {
    if metric.is_share() { Unit::Share } else { Unit::Number }
}

fn decisive(metrics: &[Measured]) -> Option<&Measured> {
    let is_entity_f1 = |m: Metric| matches!(m, Metric::Entity(EntityScore { score: ClassScore::F1, .. }));
    let has_both = |m: &&Measured| m.before.is_some() && m.after.is_some();
    let find = |wanted: &dyn Fn(Metric) -> bool| metrics.iter().filter(has_both).find(|m| wanted(m.metric));
    find(&is_entity_f1)
        .or_else(|| find(&|m| m == Metric::Accuracy))
        .or_else(|| find(&|m| m != Metric::Loss))
        .or_else(|| find(&|_| true))
}

fn measured(
    metrics: &[Metric],
    before: &Scored,
    after: &Scored,
    resampling: &Resampling,
) -> Result<Vec<Measured>, TrainError> {
    let measured =
        |Compared { metric, first, second, difference }| Measured { metric, before: first, after: second, difference };
    Ok(metrics::compare(metrics, before, after, resampling)?.into_iter().map(measured).collect())
}

fn mcnemar(before: &Scored, after: &Scored) -> Result<Option<McNemar>, TrainError> {
    let applies = Metric::Accuracy.applies_to(after.problem()) && after.words().is_none();
    applies.then(|| compare_accuracy(before, after)).transpose()
}

//! What can be had without training: where the head is new, the untouched model says nothing, and a gain over it would say nothing
//! either. The fine-tuned model is held against these instead.

use crate::comparison::BaselineKind;
use crate::error::TrainError;
use crate::metrics::{Problem, Scored};
use crate::trainer::{Event, Observer, Trainer};
use retune_audit::probe::Features;
use retune_audit::probe::logistic::Probe;
use retune_data::Loader;

/// The most examples that a probe learns from: of a small encoder's two epochs over 7,000 sentences, the probe is a tenth then.
pub const PROBE_EXAMPLES: usize = 2_000;
/// The most values of features that are held at a time, 256 MiB.
const MOST_VALUES: usize = 64 << 20;

/// What a probe needs beside the model.
#[derive(Debug, Clone)]
pub struct ProbePart {
    /// The training part or, where it has more than [`PROBE_EXAMPLES`], some of it; in order, and not augmented.
    pub train: Loader,
    /// For each weight of the model whether it belongs to the new head.
    pub head: Vec<bool>,
}

/// The baselines' predictions on the items of `judged`, whose truth is `truth`. The trainer's weights must be untouched.
///
/// # Errors
/// An unreadable example.
pub fn baselines(
    trainer: &mut Trainer,
    probe: &ProbePart,
    judged: &Loader,
    truth: &Scored,
    observer: &mut dyn Observer,
) -> Result<Vec<(BaselineKind, Scored)>, TrainError> {
    let most_frequent = most_frequent(&trainer.job().train, truth)?;
    let probe = probed(trainer, probe, judged, truth, observer)?;
    let kinds = [(BaselineKind::MostFrequent, most_frequent), (BaselineKind::Probe, probe)];
    Ok(kinds.into_iter().filter_map(|(kind, scored)| Some((kind, scored?))).collect())
}

/// For each item the shares of the classes, or of each label, in the training part; `None` without classes.
fn most_frequent(train: &Loader, truth: &Scored) -> Result<Option<Scored>, TrainError> {
    let ids = train.order(0);
    let Some(counts) = train.data().class_counts(&ids) else { return Ok(None) };
    let share = |class: usize| counts.get(class).copied().unwrap_or(0) as f32 / ids.len().max(1) as f32;
    let width = truth.width();
    let row: Vec<f32> = match truth.problem() {
        Problem::Binary => vec![share(1)],
        Problem::MultiClass | Problem::MultiLabel => (0..width).map(share).collect(),
        Problem::Regression | Problem::Words | Problem::Entities | Problem::Unknown => return Ok(None),
    };
    with_scores(truth, row.repeat(truth.len())).map(Some)
}

/// The answers of a logistic regression on what the untouched model gives to its head; `None` where the items have not one class
/// each, or where the head reads other than a row of values.
fn probed(
    trainer: &mut Trainer,
    part: &ProbePart,
    judged: &Loader,
    truth: &Scored,
    observer: &mut dyn Observer,
) -> Result<Option<Scored>, TrainError> {
    if !matches!(truth.problem(), Problem::MultiClass | Problem::Binary) {
        return Ok(None);
    }
    let Some(mut frozen) = trainer.frozen_part(&part.head)? else { return Ok(None) };
    let (width, total) = (frozen.width(), part.train.len() + judged.len());
    if width * total > MOST_VALUES {
        return Ok(None);
    }
    let weights = trainer.weights();
    let (mut values, train_ids) =
        frozen.rows(weights, &part.train, |done| observer.event(&Event::Evaluating { done, total }))?;
    let seen = train_ids.len();
    let (more, ids) =
        frozen.rows(weights, judged, |done| observer.event(&Event::Evaluating { done: seen + done, total }))?;
    values.extend(more);
    let labels: Option<Vec<usize>> =
        train_ids.iter().map(|&id| part.train.data().labels().class_of(id as usize)).collect();
    let Some(labels) = labels.filter(|_| ids == truth.ids()) else { return Ok(None) };
    let classes = truth.class_count();
    let features = Features::dense_by(width, values, labels.len());
    let rows: Vec<usize> = (0..labels.len()).collect();
    let probe = Probe::fit(&features, &rows, &labels, classes);
    let mut scores = Vec::with_capacity(ids.len() * truth.width());
    let mut row = vec![0.0; classes];
    for item in 0..ids.len() {
        probe.predict(&features, labels.len() + item, &mut row);
        scores.extend_from_slice(&row[classes - truth.width()..]);
    }
    with_scores(truth, scores).map(Some)
}

/// Other scores for the same items.
fn with_scores(truth: &Scored, scores: Vec<f32>) -> Result<Scored, TrainError> {
    let scored = match truth.problem() {
        Problem::MultiLabel => Scored::labels(scores, truth.width(), truth.true_values().to_vec())?,
        _ => Scored::classes(scores, truth.width(), truth.true_classes().to_vec())?,
    };
    Ok(scored.with_ids(truth.ids().to_vec()))
}

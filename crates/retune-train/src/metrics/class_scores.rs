//! Scores of counts of right and wrong answers, and the confusion matrix.
//!
//! Of each class or label: precision = right / answered, recall = right / true, F1 = 2 · right / (answered + true),
//! Jaccard = right / (answered + true − right); 0 where the divisor is 0. All are in `[0, 1]`. Averages over classes: *macro*
//! counts each class alike, also one without items, *weighted* by its true items, *micro* sums the counts first; *samples*
//! scores the labels of each item, then takes the mean over the items.
//!
//! Of all classes, with `w` the weight of all items and `t`, `a` the vectors of true and answered weight of each class:
//! - balanced accuracy: the mean recall of the classes that have items, in `[0, 1]`;
//! - Matthews' correlation: `(w · right − t·a) / √((w² − t·t)(w² − a·a))`, 0 where the divisor is 0, in `[−1, 1]`
//!   (Gorodkin, 2004, for more than two classes);
//! - Cohen's kappa: `1 − (w − right) / (w − t·a / w)`, in `[−1, 1]`, not defined where all items are and are taken for one class.
//!
//! All of these are scikit-learn's, with `zero_division=0`.

use super::{Problem, Scored};
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// What is computed of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClassScore {
    /// Share of the answers that are right.
    Precision,
    /// Share of the true items that are found.
    Recall,
    /// Harmonic mean of the two.
    F1,
    /// Share that is right of what is true or answered.
    Jaccard,
}

impl ClassScore {
    /// Those that entities have.
    pub(super) const OF_ENTITIES: [ClassScore; 3] = [ClassScore::Precision, ClassScore::Recall, ClassScore::F1];
    pub(super) const ALL: [ClassScore; 4] =
        [ClassScore::Precision, ClassScore::Recall, ClassScore::F1, ClassScore::Jaccard];

    pub(super) fn name(self) -> &'static str {
        match self {
            ClassScore::Precision => "precision",
            ClassScore::Recall => "recall",
            ClassScore::F1 => "f1",
            ClassScore::Jaccard => "jaccard",
        }
    }
}

/// How the classes are taken together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Average {
    /// The positive class where there are two and one score; else [`Average::Macro`].
    Default,
    /// Counts of all classes summed.
    Micro,
    /// Every class alike.
    Macro,
    /// Every class by its true items.
    Weighted,
    /// Of the labels of each item; the mean over the items.
    Samples,
    /// One class.
    Class(usize),
}

impl Average {
    pub(super) fn resolve(self, problem: Problem) -> Average {
        match (self, problem) {
            (Average::Default, Problem::Binary) => Average::Class(1),
            (Average::Default, _) => Average::Macro,
            (average, _) => average,
        }
    }
}

/// What stands behind the score's name: nothing, or `-micro`, `-macro`, `-weighted`, `-samples`, `-class-3`.
impl fmt::Display for Average {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Average::Default => Ok(()),
            Average::Micro => f.write_str("-micro"),
            Average::Macro => f.write_str("-macro"),
            Average::Weighted => f.write_str("-weighted"),
            Average::Samples => f.write_str("-samples"),
            Average::Class(class) => write!(f, "-class-{class}"),
        }
    }
}

impl FromStr for Average {
    type Err = ();

    fn from_str(text: &str) -> Result<Average, ()> {
        Ok(match text {
            "" => Average::Default,
            "-micro" => Average::Micro,
            "-macro" => Average::Macro,
            "-weighted" => Average::Weighted,
            "-samples" => Average::Samples,
            other => Average::Class(other.strip_prefix("-class-").and_then(|n| n.parse().ok()).ok_or(())?),
        })
    }
}

/// Answers and truth of each item, as classes or as sets of labels.
#[derive(Debug, Clone)]
pub struct Answers {
    classes: usize,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    /// `(true, answered)` of each item.
    Single(Vec<(u32, u32)>),
    /// The labels of each item that are true or answered, and where those of each item end.
    Multiple(Vec<LabelAnswer>, Vec<usize>),
}

#[derive(Debug, Clone, Copy)]
struct LabelAnswer {
    label: u32,
    is_true: bool,
    is_answered: bool,
}

impl Answers {
    /// The answers that the scores stand for.
    pub fn new(scored: &Scored) -> Answers {
        let classes = scored.class_count();
        let kind = if scored.problem() == Problem::MultiLabel {
            let (mut answers, mut ends) = (Vec::new(), Vec::with_capacity(scored.len()));
            for (item, truth) in scored.true_values().chunks_exact(scored.width()).enumerate() {
                for (label, &truth) in truth.iter().enumerate() {
                    let (is_true, is_answered) = (truth > 0.5, scored.predicted_label(item, label));
                    if is_true || is_answered {
                        answers.push(LabelAnswer { label: label as u32, is_true, is_answered });
                    }
                }
                ends.push(answers.len());
            }
            Kind::Multiple(answers, ends)
        } else {
            let truth = scored.true_classes().iter().enumerate();
            Kind::Single(truth.map(|(item, &class)| (class, scored.predicted_class(item))).collect())
        };
        Answers { classes, kind }
    }

    /// Counts by these weights of the items.
    pub fn counts(&self, weights: &[f64]) -> ClassCounts {
        let mut counts = ClassCounts {
            right: vec![0.0; self.classes],
            answered: vec![0.0; self.classes],
            true_items: vec![0.0; self.classes],
        };
        match &self.kind {
            Kind::Single(answers) => {
                for (&(truth, answer), weight) in answers.iter().zip(weights) {
                    counts.true_items[truth as usize] += weight;
                    counts.answered[answer as usize] += weight;
                    counts.right[truth as usize] += if truth == answer { *weight } else { 0.0 };
                }
            }
            Kind::Multiple(answers, ends) => {
                let mut start = 0;
                for (&end, &weight) in ends.iter().zip(weights) {
                    for answer in &answers[start..end] {
                        let (label, add) = (answer.label as usize, |on: bool| if on { weight } else { 0.0 });
                        counts.true_items[label] += add(answer.is_true);
                        counts.answered[label] += add(answer.is_answered);
                        counts.right[label] += add(answer.is_true && answer.is_answered);
                    }
                    start = end;
                }
            }
        }
        counts
    }

    /// One score of the labels of each item.
    pub fn of_items(&self, score: ClassScore) -> Vec<f64> {
        match &self.kind {
            Kind::Single(answers) => answers
                .iter()
                .map(|&(truth, answer)| ratio(score, f64::from(u8::from(truth == answer)), 1.0, 1.0))
                .collect(),
            Kind::Multiple(answers, ends) => {
                let mut start = 0;
                let of_item = |&end: &usize| {
                    let labels = &answers[std::mem::replace(&mut start, end)..end];
                    let count = |of: fn(&LabelAnswer) -> bool| labels.iter().filter(|label| of(label)).count() as f64;
                    let right = count(|label| label.is_true && label.is_answered);
                    ratio(score, right, count(|label| label.is_answered), count(|label| label.is_true))
                };
                ends.iter().map(of_item).collect()
            }
        }
    }
}

/// Weighted counts of each class.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassCounts {
    /// Right answers.
    pub right: Vec<f64>,
    /// Answers.
    pub answered: Vec<f64>,
    /// Items of the class.
    pub true_items: Vec<f64>,
}

impl ClassCounts {
    /// One score of one class.
    pub fn of_class(&self, score: ClassScore, class: usize) -> f64 {
        match self.right.get(class) {
            Some(&right) => ratio(score, right, self.answered[class], self.true_items[class]),
            None => f64::NAN,
        }
    }

    /// One score over the classes.
    pub fn score(&self, score: ClassScore, average: Average) -> f64 {
        let classes = self.right.len();
        let each = (0..classes).map(|class| self.of_class(score, class));
        match average {
            Average::Class(class) => self.of_class(score, class),
            Average::Micro => {
                ratio(score, self.right.iter().sum(), self.answered.iter().sum(), self.true_items.iter().sum())
            }
            Average::Macro | Average::Default | Average::Samples => each.sum::<f64>() / classes as f64,
            Average::Weighted => {
                let total: f64 = self.true_items.iter().sum();
                each.zip(&self.true_items).map(|(score, items)| score * items).sum::<f64>() / total
            }
        }
    }
}

impl ClassCounts {
    /// The mean recall of the classes that have items.
    pub fn balanced_accuracy(&self) -> f64 {
        let recalls = self.right.iter().zip(&self.true_items).filter(|(_, items)| **items > 0.0);
        let (sum, classes) = recalls.fold((0.0, 0.0), |(sum, n), (right, items)| (sum + right / items, n + 1.0));
        sum / classes
    }

    /// Matthews' correlation.
    pub fn matthews_correlation(&self) -> f64 {
        let ClassCounts { right, answered, true_items } = self;
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let (all, right) = (true_items.iter().sum::<f64>(), right.iter().sum::<f64>());
        let spread = (all * all - dot(answered, answered)) * (all * all - dot(true_items, true_items));
        // Where all is one class, the difference is 0 but for rounding.
        if spread <= 1e-12 * all.powi(4) {
            return if all > 0.0 { 0.0 } else { f64::NAN };
        }
        (all * right - dot(true_items, answered)) / spread.sqrt()
    }

    /// Cohen's kappa; NaN where it is not defined.
    pub fn cohen_kappa(&self) -> f64 {
        let ClassCounts { right, answered, true_items } = self;
        let (all, right) = (true_items.iter().sum::<f64>(), right.iter().sum::<f64>());
        let by_chance = true_items.iter().zip(answered).map(|(t, a)| t * a).sum::<f64>() / all;
        let wrong_by_chance = all - by_chance;
        if wrong_by_chance <= 1e-12 * all { f64::NAN } else { 1.0 - (all - right) / wrong_by_chance }
    }
}

fn ratio(score: ClassScore, right: f64, answered: f64, true_items: f64) -> f64 {
    let (above, below) = match score {
        ClassScore::Precision => (right, answered),
        ClassScore::Recall => (right, true_items),
        ClassScore::F1 => (2.0 * right, answered + true_items),
        ClassScore::Jaccard => (right, answered + true_items - right),
    };
    if below == 0.0 { 0.0 } else { above / below }
}

/// How often each class was answered for items of each class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConfusionMatrix {
    /// Sum of weights; row: true class, column: answered class.
    pub counts: Vec<Vec<f64>>,
}

impl ConfusionMatrix {
    /// The matrix of items of one class each, `None` for others.
    pub fn new(scored: &Scored) -> Option<ConfusionMatrix> {
        if !matches!(scored.problem(), Problem::MultiClass | Problem::Binary) {
            return None;
        }
        let classes = scored.class_count();
        let mut counts = vec![vec![0.0; classes]; classes];
        for (item, (&class, weight)) in scored.true_classes().iter().zip(scored.weights()).enumerate() {
            counts[class as usize][scored.predicted_class(item) as usize] += weight;
        }
        Some(ConfusionMatrix { counts })
    }
}

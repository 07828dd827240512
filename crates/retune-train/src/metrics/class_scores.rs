//! Precision, recall and F1 from counts of right and wrong answers, and the confusion matrix.
//!
//! Of each class: precision = right / answered, recall = right / true, F1 = 2 · right / (answered + true); 0 where the divisor
//! is 0. Averages over classes: *macro* counts each class alike, *weighted* by its true items, *micro* sums the counts first.

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
}

impl ClassScore {
    pub(super) const ALL: [ClassScore; 3] = [ClassScore::Precision, ClassScore::Recall, ClassScore::F1];

    pub(super) fn name(self) -> &'static str {
        match self {
            ClassScore::Precision => "precision",
            ClassScore::Recall => "recall",
            ClassScore::F1 => "f1",
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

/// What stands behind the score's name: nothing, or `-micro`, `-macro`, `-weighted`, `-class-3`.
impl fmt::Display for Average {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Average::Default => Ok(()),
            Average::Micro => f.write_str("-micro"),
            Average::Macro => f.write_str("-macro"),
            Average::Weighted => f.write_str("-weighted"),
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
    /// `(true, answered)` of each label of each item.
    Multiple(Vec<(bool, bool)>),
}

impl Answers {
    /// The answers that the scores stand for.
    pub fn new(scored: &Scored) -> Answers {
        let classes = scored.class_count();
        let kind = if scored.problem() == Problem::MultiLabel {
            Kind::Multiple(
                scored.true_values().iter().zip(scored.scores()).map(|(t, s)| (*t > 0.5, *s > 0.5)).collect(),
            )
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
            Kind::Multiple(answers) => {
                for (row, weight) in answers.chunks_exact(self.classes.max(1)).zip(weights) {
                    for (label, &(truth, answer)) in row.iter().enumerate() {
                        let add = |on: bool| if on { *weight } else { 0.0 };
                        counts.true_items[label] += add(truth);
                        counts.answered[label] += add(answer);
                        counts.right[label] += add(truth && answer);
                    }
                }
            }
        }
        counts
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
            Average::Macro | Average::Default => each.sum::<f64>() / classes as f64,
            Average::Weighted => {
                let total: f64 = self.true_items.iter().sum();
                each.zip(&self.true_items).map(|(score, items)| score * items).sum::<f64>() / total
            }
        }
    }
}

fn ratio(score: ClassScore, right: f64, answered: f64, true_items: f64) -> f64 {
    let (above, below) = match score {
        ClassScore::Precision => (right, answered),
        ClassScore::Recall => (right, true_items),
        ClassScore::F1 => (2.0 * right, answered + true_items),
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

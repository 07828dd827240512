//! Predictions on a set of items, with what is true of them.

use super::entities::TagSet;
use crate::error::TrainError;
use std::ops::Range;
use std::sync::Arc;

/// What is predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// One of several classes, a score for each.
    MultiClass,
    /// Yes or no, the score of yes.
    Binary,
    /// Any number of labels, a score for each.
    MultiLabel,
    /// Real values.
    Regression,
    /// One of several classes for each word of an item, a score for each class.
    Words,
    /// The same, where the classes mark entities.
    Entities,
    /// Outputs that metrics know nothing about; only their loss is known.
    Unknown,
}

/// Scores and truth of a set of items, in the items' order. Scores are probabilities where the problem has classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    problem: Problem,
    width: usize,
    scores: Vec<f32>,
    classes: Vec<u32>,
    values: Vec<f32>,
    losses: Vec<f32>,
    weights: Vec<f64>,
    ids: Vec<u64>,
    /// Above which probability the answer is yes, for each score; empty stands for one half.
    thresholds: Vec<f32>,
    /// The thresholds of the items from some place on, where they are other than those before.
    later_thresholds: Option<(usize, Vec<f32>)>,
    words: Option<LabelledWords>,
}

/// Which words of the items are labelled. Those that a text lost by truncation are not.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledWords {
    /// Where the words of each item end among all words.
    pub ends: Vec<usize>,
    /// The place of each word in its text.
    pub places: Vec<u32>,
    /// What the classes say of entities; `None` where they are not about these.
    pub tags: Option<Arc<TagSet>>,
}

impl LabelledWords {
    /// The words of one item among those of all items.
    pub fn range(&self, item: usize) -> Range<usize> {
        item.checked_sub(1).map_or(0, |before| self.ends[before])..self.ends[item]
    }
}

impl Scored {
    /// Items of one class each. `scores` is `[items, width]`; of width 1 it holds the probability of class 1.
    ///
    /// # Errors
    /// Lengths that do not agree, or a class without a score.
    pub fn classes(scores: Vec<f32>, width: usize, classes: Vec<u32>) -> Result<Scored, TrainError> {
        let items = classes.len();
        let problem = if width == 1 { Problem::Binary } else { Problem::MultiClass };
        if let Some(&class) = classes.iter().find(|&&class| class as usize >= width.max(2)) {
            return Err(TrainError::Mismatch {
                what: "class of an item",
                expected: format!("below {}", width.max(2)),
                found: class.to_string(),
            });
        }
        Scored { problem, width, scores, classes, ..Scored::empty(items) }.checked()
    }

    /// Items of any number of labels each: `labels` is `[items, width]` of 0 and 1.
    ///
    /// # Errors
    /// Lengths that do not agree.
    pub fn labels(scores: Vec<f32>, width: usize, labels: Vec<f32>) -> Result<Scored, TrainError> {
        let empty = Scored::empty(labels.len() / width.max(1));
        Scored { problem: Problem::MultiLabel, width, scores, values: labels, ..empty }.checked()
    }

    /// Items with real values: `values` is `[items, width]`.
    ///
    /// # Errors
    /// Lengths that do not agree.
    pub fn values(scores: Vec<f32>, width: usize, values: Vec<f32>) -> Result<Scored, TrainError> {
        let empty = Scored::empty(values.len() / width.max(1));
        Scored { problem: Problem::Regression, width, scores, values, ..empty }.checked()
    }

    /// Items whose words have one class each: `scores` is `[words, width]`, `classes` one per word.
    ///
    /// # Errors
    /// Lengths that do not agree, or a class without a score.
    pub fn of_words(
        scores: Vec<f32>,
        width: usize,
        classes: Vec<u32>,
        words: LabelledWords,
    ) -> Result<Scored, TrainError> {
        let count = words.ends.last().copied().unwrap_or(0);
        let fits = [scores.len() == count * width, classes.len() == count, words.places.len() == count];
        if fits.contains(&false) || classes.iter().any(|&class| class as usize >= width) {
            return Err(TrainError::Mismatch {
                what: "scores of words",
                expected: format!("{width} values and a class below {width} for each of {count} words"),
                found: format!("{} values and {} classes", scores.len(), classes.len()),
            });
        }
        let problem = if words.tags.is_some() { Problem::Entities } else { Problem::Words };
        let empty = Scored::empty(words.ends.len());
        Ok(Scored { problem, width, scores, classes, words: Some(words), ..empty })
    }

    /// Items of which only the loss will be known.
    pub fn unknown(items: usize) -> Scored {
        Scored::empty(items)
    }

    fn empty(items: usize) -> Scored {
        Scored {
            problem: Problem::Unknown,
            width: 0,
            scores: Vec::new(),
            classes: Vec::new(),
            values: Vec::new(),
            losses: vec![0.0; items],
            weights: vec![1.0; items],
            ids: (0..items as u64).collect(),
            thresholds: Vec::new(),
            later_thresholds: None,
            words: None,
        }
    }

    fn checked(self) -> Result<Scored, TrainError> {
        let items = self.losses.len();
        let truth = if self.values.is_empty() { items } else { self.values.len() / self.width.max(1) };
        if self.width == 0 || self.scores.len() != items * self.width || truth != items {
            return Err(TrainError::Mismatch {
                what: "scores",
                expected: format!("{} values for each of {items} items", self.width),
                found: self.scores.len().to_string(),
            });
        }
        Ok(self)
    }

    /// Gives each item its loss.
    pub fn with_losses(mut self, losses: Vec<f32>) -> Scored {
        assert_eq!(losses.len(), self.len(), "a loss for each item");
        self.losses = losses;
        self
    }

    /// Gives each item its weight.
    pub fn with_weights(mut self, weights: Vec<f64>) -> Scored {
        assert_eq!(weights.len(), self.len(), "a weight for each item");
        self.weights = weights;
        self
    }

    /// Lets `change` write over the scores of each item.
    pub(super) fn with_scores_by_row(mut self, change: impl FnMut(&mut [f32])) -> Scored {
        self.scores.chunks_exact_mut(self.width.max(1)).for_each(change);
        self
    }

    /// The same with classes in another order: class `i` is what was class `order[i]`.
    ///
    /// # Errors
    /// An order that does not have every class once.
    pub fn with_class_order(mut self, order: &[usize]) -> Result<Scored, TrainError> {
        let mut places = vec![usize::MAX; self.width];
        order.iter().enumerate().for_each(|(place, &class)| {
            if let Some(slot) = places.get_mut(class) {
                *slot = place;
            }
        });
        if order.len() != self.width || places.contains(&usize::MAX) || self.width < 2 {
            return Err(TrainError::Mismatch {
                what: "order of classes",
                expected: format!("each of {} classes once", self.width),
                found: format!("{order:?}"),
            });
        }
        let mut old = Vec::new();
        for row in self.scores.chunks_exact_mut(self.width).chain(self.values.chunks_exact_mut(self.width)) {
            old.clear();
            old.extend_from_slice(row);
            row.iter_mut().zip(order).for_each(|(score, &class)| *score = old[class]);
        }
        self.classes.iter_mut().for_each(|class| *class = places[*class as usize] as u32);
        if self.thresholds.len() == self.width {
            self.thresholds = order.iter().map(|&class| self.thresholds[class]).collect();
        } else if self.thresholds.len() == 1 && order == [1, 0] {
            self.thresholds[0] = 1.0 - self.thresholds[0];
        }
        Ok(self)
    }

    /// Of answers of yes or no with one score each, those of two classes with a score each; others as they are.
    pub fn with_both_classes(mut self) -> Scored {
        if self.problem == Problem::Binary {
            self.scores = self.scores.iter().flat_map(|&yes| [1.0 - yes, yes]).collect();
            (self.problem, self.width) = (Problem::MultiClass, 2);
        }
        self
    }

    /// Gives each item its id in the data set.
    pub fn with_ids(mut self, ids: Vec<u64>) -> Scored {
        assert_eq!(ids.len(), self.len(), "an id for each item");
        self.ids = ids;
        self
    }

    /// Answers yes above this probability: of the second of two classes, or of each label. Default one half; of two classes with
    /// a score each, the larger.
    pub fn with_thresholds(mut self, thresholds: Vec<f32>) -> Scored {
        let expected = match self.problem {
            Problem::Binary => 1,
            Problem::MultiClass if self.width == 2 => 1,
            Problem::MultiLabel => self.width,
            _ => 0,
        };
        assert_eq!(thresholds.len(), expected, "a threshold for each answer of yes or no");
        self.thresholds = thresholds;
        self
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.losses.len()
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.losses.is_empty()
    }

    /// What is predicted.
    pub fn problem(&self) -> Problem {
        self.problem
    }

    /// Number of scores per item.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of classes or labels of items that can be told apart; 0 for values and words.
    pub fn class_count(&self) -> usize {
        match self.problem {
            Problem::MultiClass | Problem::MultiLabel => self.width,
            Problem::Binary => 2,
            Problem::Regression | Problem::Words | Problem::Entities | Problem::Unknown => 0,
        }
    }

    /// Scores of all items, or of all words, `[items, width]`.
    pub fn scores(&self) -> &[f32] {
        &self.scores
    }

    /// Scores of one item, or of one word.
    pub fn row(&self, item: usize) -> &[f32] {
        &self.scores[item * self.width..(item + 1) * self.width]
    }

    /// True classes, for items or words of one class each.
    pub fn true_classes(&self) -> &[u32] {
        &self.classes
    }

    /// Which words of the items are labelled, where words are.
    pub fn words(&self) -> Option<&LabelledWords> {
        self.words.as_ref()
    }

    /// The true and the answered classes of an item's labelled words; nothing where words have none.
    pub fn labels_of_words(&self, item: usize) -> (Vec<Option<usize>>, Vec<Option<usize>>) {
        let words = self.words.as_ref().map_or(0..0, |words| words.range(item));
        let truth = self.classes[words.clone()].iter().map(|&class| Some(class as usize)).collect();
        (truth, words.map(|word| Some(argmax(self.row(word)))).collect())
    }

    /// True labels or values, `[items, width]`.
    pub fn true_values(&self) -> &[f32] {
        &self.values
    }

    /// Loss of each item.
    pub fn losses(&self) -> &[f32] {
        &self.losses
    }

    /// Weight of each item.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Id of each item.
    pub fn ids(&self) -> &[u64] {
        &self.ids
    }

    /// These predictions and then others on the same items; `None` where they differ in kind.
    pub(super) fn joined(&self, other: &Scored) -> Option<Scored> {
        let kind = |scored: &Scored| (scored.problem, scored.width);
        if kind(self) != kind(other) {
            return None;
        }
        fn chained<T: Copy>(a: &[T], b: &[T]) -> Vec<T> {
            [a, b].concat()
        }
        let later_thresholds = (self.thresholds != other.thresholds).then(|| (self.len(), other.thresholds.clone()));
        Some(Scored {
            later_thresholds,
            scores: chained(&self.scores, &other.scores),
            classes: chained(&self.classes, &other.classes),
            values: chained(&self.values, &other.values),
            losses: chained(&self.losses, &other.losses),
            weights: chained(&self.weights, &other.weights),
            ids: chained(&self.ids, &other.ids),
            words: self.words.as_ref().zip(other.words.as_ref()).map(|(a, b)| {
                let count = a.places.len();
                LabelledWords {
                    ends: a.ends.iter().copied().chain(b.ends.iter().map(|end| count + end)).collect(),
                    places: chained(&a.places, &b.places),
                    tags: a.tags.clone(),
                }
            }),
            ..self.clone()
        })
    }

    /// The thresholds given by [`Scored::with_thresholds`].
    pub fn thresholds(&self) -> &[f32] {
        &self.thresholds
    }

    /// The class answered for an item of one class: the largest score, the first of equals; of a single score, whether it is above
    /// the threshold, by default one half (Keras's rule).
    pub fn predicted_class(&self, item: usize) -> u32 {
        match (self.row(item), self.thresholds_of(item)) {
            ([yes], thresholds) => u32::from(*yes > thresholds.first().copied().unwrap_or(0.5)),
            ([_, yes], [threshold]) => u32::from(yes > threshold),
            (row, _) => argmax(row) as u32,
        }
    }

    /// Whether a label of an item is answered: its score is above the threshold, by default one half.
    pub fn predicted_label(&self, item: usize, label: usize) -> bool {
        self.row(item)[label] > self.thresholds_of(item).get(label).copied().unwrap_or(0.5)
    }

    fn thresholds_of(&self, item: usize) -> &[f32] {
        match &self.later_thresholds {
            Some((first, thresholds)) if item >= *first => thresholds,
            _ => &self.thresholds,
        }
    }
}

/// Place of the largest value, the first of equals.
pub fn argmax(row: &[f32]) -> usize {
    row.iter().enumerate().fold(0, |best, (place, &score)| if score > row[best] { place } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_predictions_keep_their_own_thresholds() {
        let scored = |threshold: f32| {
            let scored = Scored::classes(vec![0.6, 0.4, 0.2, 0.8], 2, vec![0, 1]).unwrap();
            scored.with_thresholds(vec![threshold])
        };
        let joined = scored(0.3).joined(&scored(0.9)).unwrap();
        assert_eq!((0..4).map(|item| joined.predicted_class(item)).collect::<Vec<_>>(), [1, 1, 0, 0]);
    }

    #[test]
    fn classes_change_their_places() {
        let scored = Scored::classes(vec![0.5, 0.3, 0.2, 0.1, 0.2, 0.7], 3, vec![1, 2]).unwrap();
        let turned = scored.clone().with_class_order(&[2, 0, 1]).unwrap();
        assert_eq!((turned.row(0), turned.true_classes()), (&[0.2f32, 0.5, 0.3][..], &[2, 0][..]));
        assert_eq!(turned.predicted_class(1), 0);
        assert!(scored.with_class_order(&[0, 0, 1]).is_err());
        let yes = Scored::classes(vec![0.9, 0.25], 1, vec![1, 0]).unwrap().with_both_classes();
        assert_eq!((yes.problem(), yes.row(1)), (Problem::MultiClass, &[0.75f32, 0.25][..]));
    }
}

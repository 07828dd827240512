//! The targets of a batch, and how much its examples count.

use super::Targets;
use super::prepare::Preparer;
use super::tokens::BatchTokens;
use crate::labels::Labels;
use crate::preprocess::TargetEncoding;
use retune_tensor::Tensor;

impl Preparer {
    pub(super) fn targets(&self, ids: &[u64], tokens: Option<&BatchTokens<'_>>) -> Targets {
        let labels = self.data.labels();
        let indices = || -> Vec<i32> {
            ids.iter().map(|&id| labels.class_of(id as usize).map_or(-1, |class| class as i32)).collect()
        };
        let dense = |shape: &[usize], values: Vec<f32>| {
            let shape = self.batch_shape(ids.len(), shape);
            Targets::Dense(Tensor::new(shape, values).expect("one row was appended for each example"))
        };
        match (labels, self.preprocessing.targets) {
            (Labels::None, _) => Targets::None,
            (Labels::WordClasses { .. }, _) => Targets::TokenClasses(self.word_classes(ids, tokens).concat()),
            (Labels::Classes { .. }, TargetEncoding::AsStored | TargetEncoding::Integer)
            | (Labels::OneHot(_), TargetEncoding::Integer) => Targets::ClassIndex(indices()),
            (Labels::Classes { classes, .. }, TargetEncoding::OneHot) => {
                let mut values = vec![0.0; ids.len() * classes];
                for (row, index) in values.chunks_exact_mut((*classes).max(1)).zip(indices()) {
                    row[index as usize] = 1.0;
                }
                dense(&[*classes], values)
            }
            (Labels::Classes { .. } | Labels::OneHot(_), TargetEncoding::Value) => {
                dense(&[1], indices().into_iter().map(|index| index as f32).collect())
            }
            (Labels::OneHot(t) | Labels::MultiHot(t) | Labels::Real(t), _) => {
                let rows = ids.iter().filter_map(|&id| labels.row(id as usize));
                let mut values: Vec<f32> = rows.flatten().copied().collect();
                if let (Labels::Real(_), Some([low, high])) = (labels, self.preprocessing.score_range) {
                    values.iter_mut().for_each(|value| *value = (*value - low) / (high - low));
                }
                dense(&t.shape()[1..], values)
            }
        }
    }

    /// For each token of each example the class of the word that begins with it, −1 for others.
    fn word_classes(&self, ids: &[u64], tokens: Option<&BatchTokens<'_>>) -> Vec<Vec<i32>> {
        let of = |(place, &id)| tokens.map(|tokens| tokens.classes(place, id, self.data.labels()).collect());
        ids.iter().enumerate().filter_map(of).collect()
    }

    pub(super) fn sample_weights(&self, ids: &[u64], tokens: Option<&BatchTokens<'_>>) -> Option<Vec<f32>> {
        if self.class_weights.is_none() && self.example_weights.is_none() {
            return None;
        }
        if let Labels::WordClasses { .. } = self.data.labels() {
            let of_class = |class: i32| match (usize::try_from(class), &self.class_weights) {
                (Err(_), _) => 0.0,
                (Ok(_), None) => 1.0,
                (Ok(class), Some(weights)) => weights[class],
            };
            let of_example = |(&id, classes): (&u64, Vec<i32>)| {
                let weight = self.example_weights.as_ref().map_or(1.0, |weights| weights[id as usize]);
                classes.into_iter().map(move |class| weight * of_class(class)).collect::<Vec<_>>()
            };
            return Some(ids.iter().zip(self.word_classes(ids, tokens)).flat_map(of_example).collect());
        }
        let weight = |&id: &u64| {
            let class = self.data.labels().class_of(id as usize);
            let of_class = self.class_weights.as_ref().zip(class).map_or(1.0, |(weights, class)| weights[class]);
            of_class * self.example_weights.as_ref().map_or(1.0, |weights| weights[id as usize])
        };
        Some(ids.iter().map(weight).collect())
    }
}

//! Weights of classes and examples, turned into one weight per example of a batch.

use crate::dataset::Dataset;
use crate::error::DataError;
use serde::{Deserialize, Serialize};

/// Weights of the classes in the loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassWeights {
    /// `n / (k · count[class])` for `n` examples (or labelled words) of `k` classes, so that every class weighs the same in all and the
    /// mean weight is 1 (scikit-learn's `balanced`).
    Balanced,
    /// One weight per class.
    Given(Vec<f32>),
}

impl ClassWeights {
    /// One weight per class, for the examples `ids` that are trained on.
    ///
    /// # Errors
    /// Labels that are not one class per example; another number of weights than classes; a negative weight or one
    /// that is not finite; for [`Balanced`](ClassWeights::Balanced), a class without examples.
    pub fn resolve(&self, data: &Dataset, ids: &[u64]) -> Result<Vec<f32>, DataError> {
        let counts = data.class_counts(ids).filter(|_| ids.first().is_none_or(|&id| has_one_class(data, id)));
        let Some(counts) = counts else {
            let found = format!("{:?}", data.label_kind());
            return Err(DataError::setting("class-weights", "labels of one class per example", found));
        };
        match self {
            ClassWeights::Balanced => {
                data.check_classes_present(ids)?;
                let share = counts.iter().sum::<usize>() as f64 / counts.len() as f64;
                Ok(counts.iter().map(|&count| (share / count as f64) as f32).collect())
            }
            ClassWeights::Given(weights) if weights.len() != counts.len() => Err(DataError::setting(
                "class-weights",
                format!("{} weights, one per class", counts.len()),
                format!("{} weights", weights.len()),
            )),
            ClassWeights::Given(weights) => check_weights("class-weights", weights).map(|()| weights.clone()),
        }
    }
}

fn has_one_class(data: &Dataset, id: u64) -> bool {
    data.labels().class_of(id as usize).is_some() || data.labels().word_classes(id as usize).is_some()
}

/// An error if a weight is negative or not finite.
pub(crate) fn check_weights(name: &str, weights: &[f32]) -> Result<(), DataError> {
    match weights.iter().position(|w| !w.is_finite() || *w < 0.0) {
        Some(i) => Err(DataError::setting(format!("{name}, number {i}"), "a finite number from 0 up", weights[i])),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Inputs;
    use crate::labels::Labels;
    use retune_tensor::Tensor;

    fn dataset(labels: Labels) -> Dataset {
        Dataset::new("t", Inputs::Features(Tensor::zeros([4, 1])), labels).unwrap()
    }

    #[test]
    fn balanced_is_scikit_learns() {
        let data = dataset(Labels::classes("t", vec![0, 0, 0, 1], 2).unwrap());
        let weights = ClassWeights::Balanced.resolve(&data, &data.ids()).unwrap();
        assert_eq!(weights, [4.0 / (2.0 * 3.0), 2.0]);
        assert!(matches!(ClassWeights::Balanced.resolve(&data, &[0, 1]), Err(DataError::EmptyClass { .. })));
    }

    #[test]
    fn given_weights_are_checked() {
        let data = dataset(Labels::classes("t", vec![0, 0, 0, 1], 2).unwrap());
        assert_eq!(ClassWeights::Given(vec![1.0, 3.0]).resolve(&data, &[0]).unwrap(), [1.0, 3.0]);
        for weights in [vec![1.0], vec![1.0, -1.0], vec![1.0, f32::NAN]] {
            assert!(matches!(ClassWeights::Given(weights).resolve(&data, &[0]), Err(DataError::Setting { .. })));
        }
        let real = dataset(Labels::Real(Tensor::zeros([4, 1])));
        assert!(matches!(ClassWeights::Balanced.resolve(&real, &[0]), Err(DataError::Setting { .. })));
    }
}

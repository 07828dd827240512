//! Splits: which examples train, which choose the best epoch, and which only test. Every split is a list of ids, so
//! that it can be stored with a run and used again.

use crate::dataset::Dataset;
use crate::error::DataError;
use retune_tensor::{Key, Purpose};
use serde::{Deserialize, Serialize};

/// A data set divided into three lists of example ids, each ascending.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Split {
    /// Examples to train on.
    pub train: Vec<u64>,
    /// Examples to choose the best epoch by.
    pub validation: Vec<u64>,
    /// Examples for the final figures only.
    pub test: Vec<u64>,
}

impl Split {
    /// All usable examples to train on.
    pub fn all_train(data: &Dataset) -> Split {
        Split { train: data.ids(), ..Split::default() }
    }

    /// Draws a share of the examples for validation and one for test; the rest trains.
    ///
    /// Stratified where each example has one class: of each class, each part gets its share within one example, the
    /// parts' totals are the shares of the whole rounded to nearest, and no class loses its last training example.
    /// Drawn by `Key::new(seed).with(Purpose::Split)`, so the same seed and data give the same split on any machine.
    ///
    /// # Errors
    /// Shares that are negative or leave nothing to train on.
    pub fn by_fraction(data: &Dataset, validation: f64, test: f64, seed: u64) -> Result<Split, DataError> {
        let fine = |share: f64| (0.0..1.0).contains(&share);
        if !fine(validation) || !fine(test) || validation + test >= 1.0 {
            let found = format!("{validation} and {test}");
            return Err(DataError::setting("split", "shares from 0 up whose sum is below 1", found));
        }
        let mut groups = grouped(data, &data.ids(), seed);
        let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
        let mut draw = |share: f64| {
            let room: Vec<usize> = groups.iter().map(|g| g.len().saturating_sub(1)).collect();
            let quotas = quotas(&sizes, &room, share);
            let mut ids: Vec<u64> =
                groups.iter_mut().zip(quotas).flat_map(|(group, n)| group.split_off(group.len() - n)).collect();
            ids.sort_unstable();
            ids
        };
        let (test, validation) = (draw(test), draw(validation));
        let mut train = groups.concat();
        train.sort_unstable();
        if train.is_empty() {
            return Err(DataError::NoExamples { place: format!("the training part of {}", data.description()) });
        }
        Ok(Split { train, validation, test })
    }

    /// Draws `per_class` training examples of each class; all others are for test.
    ///
    /// # Errors
    /// Labels that are not one class per example, or a class with fewer examples.
    pub fn few_shot(data: &Dataset, per_class: usize, seed: u64) -> Result<Split, DataError> {
        let train = few_per_class(data, &data.ids(), per_class, seed)?;
        let test = data.ids().into_iter().filter(|id| train.binary_search(id).is_err()).collect();
        Ok(Split { train, validation: Vec::new(), test })
    }

    /// Checks a split against the data: every id usable and in one part only, and something to train on.
    pub fn check(&self, data: &Dataset) -> Result<(), DataError> {
        if self.train.is_empty() {
            return Err(DataError::NoExamples { place: format!("the training part of {}", data.description()) });
        }
        data.check_ids(&[self.train.as_slice(), &self.validation, &self.test].concat())
    }
}

/// Draws `per_class` examples of each class from `ids`; ascending.
///
/// # Errors
/// Labels that are not one class per example, or a class with fewer examples.
pub fn few_per_class(data: &Dataset, ids: &[u64], per_class: usize, seed: u64) -> Result<Vec<u64>, DataError> {
    let Some(classes) = data.class_count().filter(|_| ids.iter().all(|&id| class_of(data, id).is_some())) else {
        let found = format!("{:?}", data.label_kind());
        return Err(DataError::setting("per-class", "labels of one class per example", found));
    };
    let mut chosen = Vec::with_capacity(classes * per_class);
    for (class, group) in grouped(data, ids, seed).into_iter().enumerate() {
        match group.get(..per_class) {
            Some(first) => chosen.extend(first),
            None => {
                let class = data.class_name(class);
                return Err(DataError::TooFewExamples { class, expected: per_class, found: group.len() });
            }
        }
    }
    chosen.sort_unstable();
    Ok(chosen)
}

fn class_of(data: &Dataset, id: u64) -> Option<usize> {
    data.labels().class_of(id as usize)
}

/// The ids of each class in random order; a single group where examples have not one class each.
fn grouped(data: &Dataset, ids: &[u64], seed: u64) -> Vec<Vec<u64>> {
    let one_class = ids.iter().all(|&id| class_of(data, id).is_some());
    let mut groups = vec![Vec::new(); data.class_count().filter(|_| one_class).unwrap_or(1)];
    for &id in ids {
        groups[class_of(data, id).filter(|_| one_class).unwrap_or(0)].push(id);
    }
    let key = Key::new(seed).with(Purpose::Split);
    for (class, group) in groups.iter_mut().enumerate() {
        let order = key.at(0, class as u64).permutation(group.len());
        *group = order.into_iter().map(|i| group[i]).collect();
    }
    groups
}

/// How many of each group make up `share` of all: the whole part of each group's share, and one more for the largest
/// remainders until the total is right, never beyond `room`.
fn quotas(sizes: &[usize], room: &[usize], share: f64) -> Vec<usize> {
    let exact: Vec<f64> = sizes.iter().map(|&n| n as f64 * share).collect();
    // A share such as 0.1 of 30 is not exact in binary; what is within rounding of a whole number is that number.
    let floor = |x: f64| (x + 1e-9).floor();
    let mut quotas: Vec<usize> = exact.iter().zip(room).map(|(&x, &room)| (floor(x) as usize).min(room)).collect();
    let total = (sizes.iter().sum::<usize>() as f64 * share).round() as usize;
    let mut by_remainder: Vec<usize> = (0..sizes.len()).collect();
    by_remainder.sort_by(|&a, &b| (exact[b] - floor(exact[b])).total_cmp(&(exact[a] - floor(exact[a]))));
    for group in by_remainder {
        let missing = quotas.iter().sum::<usize>() < total;
        if missing && quotas[group] < room[group] && exact[group] - floor(exact[group]) > 1e-9 {
            quotas[group] += 1;
        }
    }
    quotas
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Inputs;
    use crate::labels::Labels;
    use proptest::prelude::*;
    use retune_tensor::Tensor;

    fn dataset(labels: Vec<i32>, classes: usize) -> Dataset {
        let inputs = Inputs::Features(Tensor::zeros([labels.len(), 1]));
        Dataset::new("t", inputs, Labels::classes("t", labels, classes).unwrap()).unwrap()
    }

    proptest! {
        #[test]
        fn stratified_within_one(
            counts in prop::collection::vec(1usize..60, 1..6),
            validation in 0.0f64..0.45,
            test in 0.0f64..0.45,
            seed: u64,
        ) {
            let labels: Vec<i32> = counts.iter().enumerate().flat_map(|(c, &n)| vec![c as i32; n]).collect();
            let data = dataset(labels, counts.len());
            let split = Split::by_fraction(&data, validation, test, seed).unwrap();
            prop_assert!(split.check(&data).is_ok());
            prop_assert_eq!(split.train.len() + split.validation.len() + split.test.len(), data.len());
            prop_assert_eq!(&split, &Split::by_fraction(&data, validation, test, seed).unwrap());
            prop_assert!(data.class_counts(&split.train).unwrap().iter().all(|&n| n > 0));
            for (ids, share) in [(&split.validation, validation), (&split.test, test)] {
                for (found, &n) in data.class_counts(ids).unwrap().into_iter().zip(&counts) {
                    // The last training example of a class stays, which may cost one more in a tiny class.
                    let spare = if n <= 3 { 1.0 } else { 0.0 };
                    prop_assert!((found as f64 - n as f64 * share).abs() < 1.0 + spare, "{} of {} at {}", found, n, share);
                }
            }
        }
    }

    #[test]
    fn large_parts_have_exactly_their_size() {
        let data = dataset((0..1000).map(|i| (i % 7) % 3).collect(), 3);
        let split = Split::by_fraction(&data, 0.1, 0.2, 5).unwrap();
        assert_eq!((split.train.len(), split.validation.len(), split.test.len()), (700, 100, 200));
        assert_ne!(split, Split::by_fraction(&data, 0.1, 0.2, 6).unwrap());
        assert!(Split::by_fraction(&data, 0.5, 0.5, 5).is_err());
        assert!(Split::by_fraction(&data, -0.1, 0.5, 5).is_err());
    }

    #[test]
    fn few_shot_takes_as_many_of_each_class() {
        let data = dataset((0..100).map(|i| i % 4).collect(), 4);
        let split = Split::few_shot(&data, 5, 1).unwrap();
        assert_eq!(data.class_counts(&split.train), Some(vec![5; 4]));
        assert_eq!(split.test.len(), 80);
        assert!(split.check(&data).is_ok());
        let error = Split::few_shot(&data, 26, 1).unwrap_err();
        assert!(matches!(error, DataError::TooFewExamples { expected: 26, found: 25, .. }));
    }

    #[test]
    fn survives_being_stored_and_is_checked_against_other_data() {
        let data = dataset(vec![0, 1, 0, 1], 2);
        let split = Split::by_fraction(&data, 0.0, 0.5, 1).unwrap();
        let again: Split = serde_json::from_str(&serde_json::to_string(&split).unwrap()).unwrap();
        assert_eq!(again, split);
        let overlapping = Split { train: vec![0, 1], validation: vec![1], test: vec![] };
        assert!(matches!(overlapping.check(&data), Err(DataError::BadId { id: 1, .. })));
        let foreign = Split { train: vec![0, 9], ..Split::default() };
        assert!(matches!(foreign.check(&data), Err(DataError::BadId { id: 9, .. })));
        assert!(matches!(Split::default().check(&data), Err(DataError::NoExamples { .. })));
    }
}

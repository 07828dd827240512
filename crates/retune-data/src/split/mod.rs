//! Splits: which examples train, which choose the best epoch, and which only test. Every split is a list of ids, so
//! that it can be stored with a run and used again.
//!
//! - [`Division`]: by which rule; [`Division::shares`] draws shares, [`Division::fold`] one of several folds;
//! - `classes`: of each class alike;
//! - `groups`: no group in two parts;
//! - `time`: the latest apart;
//! - [`stored`]: [`StoredSplit`], a split as a file.

mod classes;
mod groups;
pub mod stored;
mod time;

pub use stored::StoredSplit;

use crate::dataset::Dataset;
use crate::error::DataError;
use classes::{class_of, classes_of};
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

    /// Draws a share of the examples for validation and one for test, of each class alike; the rest trains. See [`Division::shares`].
    ///
    /// # Errors
    /// Shares that are negative or leave nothing to train on.
    pub fn by_fraction(data: &Dataset, validation: f64, test: f64, seed: u64) -> Result<Split, DataError> {
        Division::Classes.shares(data, validation, test, seed)
    }

    /// Draws `per_class` training examples of each class; all others are for test.
    ///
    /// # Errors
    /// Labels that are not one class per example, or a class with fewer examples.
    pub fn few_shot(data: &Dataset, per_class: usize, seed: u64) -> Result<Split, DataError> {
        let train = few_per_class(data, &data.ids(), per_class, seed, 0)?;
        let test = data.ids().into_iter().filter(|id| train.binary_search(id).is_err()).collect();
        Ok(Split { train, validation: Vec::new(), test })
    }

    fn checked(self, data: &Dataset) -> Result<Split, DataError> {
        if self.train.is_empty() {
            return Err(DataError::NoExamples { place: format!("the training part of {}", data.description()) });
        }
        Ok(self)
    }

    /// Checks a split against the data: every id usable and in one part only, and something to train on.
    pub fn check(&self, data: &Dataset) -> Result<(), DataError> {
        if self.train.is_empty() {
            return Err(DataError::NoExamples { place: format!("the training part of {}", data.description()) });
        }
        data.check_ids(&[self.train.as_slice(), &self.validation, &self.test].concat())
    }
}

/// By which rule examples are divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Division {
    /// Of each class alike, where each example has one class; otherwise at random.
    #[default]
    Classes,
    /// No [group](crate::SideColumns::group) in two parts, and of each class as alike as can be.
    Groups,
    /// The latest by [time](crate::SideColumns::time) are for test, those before them for validation.
    Time,
}

impl Division {
    /// Draws a share of the examples for validation and one for test; the rest trains.
    ///
    /// - [`Classes`](Division::Classes): of each class, each part gets its share within one example, the parts' totals are the shares of
    ///   the whole rounded to nearest, and no class loses its last training example. Drawn by `Key::new(seed).with(Purpose::Split)`, so
    ///   the same seed and data give the same split on any machine.
    /// - [`Groups`](Division::Groups): whole groups, drawn by the same key; each goes where it leaves the classes' shares least apart, as
    ///   in scikit-learn's `StratifiedGroupKFold`.
    /// - [`Time`](Division::Time): nothing is drawn. Examples of the same time are not parted, so that a part may be smaller than its
    ///   share.
    ///
    /// # Errors
    /// Shares that are negative or leave nothing to train on; groups or times that the data does not have; fewer groups or times than
    /// parts.
    pub fn shares(self, data: &Dataset, validation: f64, test: f64, seed: u64) -> Result<Split, DataError> {
        check_shares(validation, test)?;
        let ids = data.ids();
        let [train, validation, test] = match self {
            Division::Classes => classes::shares(data, &ids, [validation, test], seed),
            Division::Groups => groups::shares(data, &ids, &[1.0 - validation - test, validation, test], seed)?
                .try_into()
                .expect("as many parts as shares"),
            Division::Time => time::shares(data, ids, [validation, test])?,
        };
        Split { train, validation, test }.checked(data)
    }

    /// Fold number `fold` (from 0) of `folds`: each example is in the test part of exactly one fold. Of the others a share
    /// `validation` (of all) is drawn for validation, by the same rule.
    ///
    /// - [`Classes`](Division::Classes): the test parts of any two folds differ by at most one example of each class, and in all
    ///   (scikit-learn's `StratifiedKFold`);
    /// - [`Groups`](Division::Groups): each group is in one test part (`StratifiedGroupKFold`).
    ///
    /// # Errors
    /// Fewer than 2 folds, more than examples or groups, a fold that there is not; folds by time, which would test on what came before
    /// training.
    pub fn fold(
        self,
        data: &Dataset,
        [fold, folds]: [usize; 2],
        validation: f64,
        seed: u64,
    ) -> Result<Split, DataError> {
        if folds < 2 || folds > data.len() {
            let expected = format!("2 to {}, the number of examples", data.len());
            return Err(DataError::setting("folds", expected, folds));
        }
        if fold >= folds {
            return Err(DataError::setting("fold", format!("one of the {folds} folds"), fold + 1));
        }
        check_shares(validation, 1.0 / folds as f64)?;
        let ids = data.ids();
        let mut parts = match self {
            Division::Classes => classes::folds(data, &ids, folds, seed),
            Division::Groups => groups::shares(data, &ids, &vec![1.0 / folds as f64; folds], seed)?,
            Division::Time => {
                return Err(DataError::setting("folds", "a division by classes or groups", "one by time"));
            }
        };
        let test = parts.swap_remove(fold);
        let mut rest = parts.concat();
        rest.sort_unstable();
        let share = validation * ids.len() as f64 / rest.len().max(1) as f64;
        let [train, validation] = match self {
            Division::Groups => {
                groups::shares(data, &rest, &[1.0 - share, share], seed)?.try_into().expect("as many parts as shares")
            }
            _ => {
                let [train, validation, _] = classes::shares(data, &rest, [share, 0.0], seed);
                [train, validation]
            }
        };
        Split { train, validation, test }.checked(data)
    }
}

fn check_shares(validation: f64, test: f64) -> Result<(), DataError> {
    let fine = |share: f64| (0.0..1.0).contains(&share);
    if fine(validation) && fine(test) && validation + test < 1.0 {
        return Ok(());
    }
    let found = format!("{validation} and {test}");
    Err(DataError::setting("split", "shares from 0 up whose sum is below 1", found))
}

/// Draws `per_class` examples of each class from `ids`; ascending. Draw number `draw` is another one of the same seed.
///
/// # Errors
/// Labels that are not one class per example, or a class with fewer examples.
pub fn few_per_class(
    data: &Dataset,
    ids: &[u64],
    per_class: usize,
    seed: u64,
    draw: u64,
) -> Result<Vec<u64>, DataError> {
    let Some(classes) = data.class_count().filter(|_| ids.iter().all(|&id| class_of(data, id).is_some())) else {
        let found = format!("{:?}", data.label_kind());
        return Err(DataError::setting("per-class", "labels of one class per example", found));
    };
    let mut chosen = Vec::with_capacity(classes * per_class);
    for (class, group) in classes_of(data, ids, seed, draw).into_iter().enumerate() {
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

/// The random order of what is divided.
fn key(seed: u64) -> Key {
    Key::new(seed).with(Purpose::Split)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SideColumns;
    use crate::dataset::Inputs;
    use crate::labels::Labels;
    use proptest::prelude::*;
    use retune_tensor::Tensor;
    use std::collections::BTreeSet;

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

    /// Examples of 2 classes in groups of different sizes; the class depends on the group a little.
    fn grouped(sizes: &[usize]) -> Dataset {
        let group: Vec<String> =
            sizes.iter().enumerate().flat_map(|(group, &size)| vec![format!("g{group}"); size]).collect();
        let labels = (0..group.len()).map(|i| i32::from(i % 3 == 0)).collect();
        let side = SideColumns { group: Some(group), ..SideColumns::default() };
        dataset(labels, 2).with_side(side)
    }

    proptest! {
        #[test]
        fn each_example_is_tested_once_and_classes_are_alike(
            counts in prop::collection::vec(1usize..40, 1..5),
            folds in 2usize..8,
            seed: u64,
        ) {
            let labels: Vec<i32> = counts.iter().enumerate().flat_map(|(c, &n)| vec![c as i32; n]).collect();
            let data = dataset(labels, counts.len());
            prop_assume!(data.len() >= 2 * folds);
            let splits: Vec<Split> =
                (0..folds).map(|fold| Division::Classes.fold(&data, [fold, folds], 0.1, seed).unwrap()).collect();
            let mut tested = splits.iter().flat_map(|split| split.test.clone()).collect::<Vec<_>>();
            tested.sort_unstable();
            prop_assert_eq!(tested, data.ids());
            for split in &splits {
                prop_assert!(split.check(&data).is_ok());
                prop_assert_eq!(split.train.len() + split.validation.len() + split.test.len(), data.len());
                let (low, high) = (data.len() / folds, data.len().div_ceil(folds));
                prop_assert!((low..=high).contains(&split.test.len()));
                for (found, &n) in data.class_counts(&split.test).unwrap().into_iter().zip(&counts) {
                    prop_assert!((n / folds..=n.div_ceil(folds)).contains(&found), "{} of {} in {} folds", found, n, folds);
                }
            }
        }

        #[test]
        fn no_group_is_in_two_parts(
            sizes in prop::collection::vec(1usize..12, 12..40),
            folds in 2usize..6,
            seed: u64,
        ) {
            let data = grouped(&sizes);
            let groups = |ids: &[u64]| ids.iter().map(|&id| data.side().group.as_ref().unwrap()[id as usize].clone()).collect::<BTreeSet<_>>();
            let apart = |split: &Split| {
                let [a, b, c] = [&split.train, &split.validation, &split.test].map(|ids| groups(ids));
                a.is_disjoint(&b) && a.is_disjoint(&c) && b.is_disjoint(&c)
            };
            let split = Division::Groups.shares(&data, 0.2, 0.2, seed).unwrap();
            prop_assert!(apart(&split) && split.check(&data).is_ok());
            prop_assert_eq!(&split, &Division::Groups.shares(&data, 0.2, 0.2, seed).unwrap());
            // As near to the share as the largest group allows.
            let largest = *sizes.iter().max().unwrap() as f64;
            prop_assert!((split.test.len() as f64 - 0.2 * data.len() as f64).abs() <= largest + 1.0);
            let mut tested = Vec::new();
            for fold in 0..folds {
                let split = Division::Groups.fold(&data, [fold, folds], 0.1, seed).unwrap();
                prop_assert!(apart(&split) && !split.test.is_empty());
                tested.extend(split.test);
            }
            tested.sort_unstable();
            prop_assert_eq!(tested, data.ids());
        }

        #[test]
        fn what_is_tested_came_last(times in prop::collection::vec(0u32..50, 20..80)) {
            let side = SideColumns { time: Some(times.iter().map(u32::to_string).collect()), ..SideColumns::default() };
            let data = dataset(vec![0; times.len()], 1).with_side(side);
            let Ok(split) = Division::Time.shares(&data, 0.2, 0.2, 0) else { return Ok(()) };
            let ends = |ids: &[u64]| {
                let of = ids.iter().map(|&id| times[id as usize]);
                (of.clone().min().unwrap(), of.max().unwrap())
            };
            prop_assert!(ends(&split.train).1 < ends(&split.validation).0);
            prop_assert!(ends(&split.validation).1 < ends(&split.test).0);
            prop_assert_eq!(split.train.len() + split.validation.len() + split.test.len(), times.len());
        }
    }

    #[test]
    fn classes_are_alike_across_groups() {
        let data = grouped(&[3; 100]);
        let split = Division::Groups.shares(&data, 0.0, 0.25, 1).unwrap();
        let [no, yes] = data.class_counts(&split.test).unwrap()[..] else { panic!("two classes") };
        assert_eq!((no, yes), (50, 25), "the shares of the whole");
    }

    #[test]
    fn what_cannot_be_divided_so_is_told() {
        let data = dataset(vec![0, 1, 0, 1], 2);
        let told = |result: Result<Split, DataError>, text: &str| {
            let error = result.unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        };
        told(Division::Groups.shares(&data, 0.0, 0.5, 0), "group");
        told(Division::Time.shares(&data, 0.0, 0.5, 0), "time");
        told(Division::Classes.fold(&data, [0, 1], 0.0, 0), "folds");
        told(Division::Classes.fold(&data, [0, 5], 0.0, 0), "folds");
        told(Division::Classes.fold(&data, [2, 2], 0.0, 0), "fold");
        let two = grouped(&[3, 3]);
        told(Division::Groups.shares(&two, 0.2, 0.2, 0), "groups");
        told(Division::Groups.fold(&two, [0, 3], 0.0, 0), "groups");
        let side =
            |time: [&str; 4]| SideColumns { time: Some(time.map(str::to_owned).to_vec()), ..SideColumns::default() };
        let same = dataset(vec![0; 4], 1).with_side(side(["2020-01-01"; 4]));
        told(Division::Time.shares(&same, 0.0, 0.5, 0), "different times");
        let mixed = dataset(vec![0; 4], 1).with_side(side(["2020-01-01", "3", "soon", "5/6/2020"]));
        told(Division::Time.shares(&mixed, 0.0, 0.5, 0), "date");
        let dates =
            dataset(vec![0; 4], 1).with_side(side(["2021-01-01", "2020-12-31T23:00", "2019-05-05", "2020-12-31"]));
        assert_eq!(Division::Time.shares(&dates, 0.0, 0.25, 0).unwrap().test, [0]);
    }

    #[test]
    fn draws_differ_and_share_nothing_else() {
        let data = dataset((0..100).map(|i| i % 4).collect(), 4);
        let draw = |number| few_per_class(&data, &data.ids(), 5, 1, number).unwrap();
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(0), draw(1));
        assert_eq!(data.class_counts(&draw(7)), Some(vec![5; 4]));
    }
}

//! SMOTE: rows made for classes that have few (Chawla, Bowyer, Hall and Kegelmeyer, *SMOTE: synthetic minority over-sampling technique*,
//! 2002), with categories as in SMOTE-NC of the same paper.

use super::schema::number;
use crate::augment::draws::Draws;
use crate::dataset::{Dataset, Inputs};
use crate::error::DataError;
use crate::labels::Labels;
use crate::table::{TableColumns, TableSchema};
use retune_tensor::{Key, Purpose, Tensor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many rows are made, and of which.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Smote {
    /// Nearest rows of the same class that a row is mixed with one of. Default 5; all others where the class has fewer.
    pub neighbours: usize,
    /// Every class is brought to this share of the largest one, 0 to 1. Default 1.
    pub ratio: f64,
}

impl Default for Smote {
    fn default() -> Smote {
        Smote { neighbours: 5, ratio: 1.0 }
    }
}

/// Number of the stream among those of augmentations, which are counted from 0.
const STREAM: u32 = u32::MAX - 1;

impl Smote {
    /// Checks the settings.
    ///
    /// # Errors
    /// No neighbours, a ratio outside of 0 to 1.
    pub fn check(&self) -> Result<(), DataError> {
        if self.neighbours == 0 {
            return Err(DataError::setting("smote, neighbours", "at least 1", 0));
        }
        if !(0.0..=1.0).contains(&self.ratio) {
            return Err(DataError::setting("smote, ratio", "a number in [0, 1]", self.ratio));
        }
        Ok(())
    }
}

/// The data with rows added, and the ids of those of `ids` with the added ones behind them. Only rows of `ids` are looked at.
///
/// Each row made is `a + g (b − a)` of numbers, with `a` a random row of the class, `b` a random one of its `k` nearest in the class, and `g`
/// uniform in `[0, 1)`; of categories the most frequent one among those `k` (of several as frequent ones a random one). Near is by the
/// Euclidean distance of numbers divided by their standard deviations over `ids`, a different category counting as the median of the
/// standard deviations of the class's numbers. Where a number is missing in `a` or `b`, it is that of `a`, or missing. Row number `i` is drawn by
/// `Key::new(seed).with(Purpose::Augment(2³² − 2)).at(0, i)`.
///
/// # Errors
/// Data that are no table of numbers or categories, or labels of other than one class per example; a class with a single row.
pub fn smote(data: &Dataset, ids: &[u64], settings: &Smote, seed: u64) -> Result<(Dataset, Vec<u64>), DataError> {
    settings.check()?;
    let Labels::Classes { indices, classes } = data.labels() else {
        let found = format!("{:?}", data.label_kind());
        return Err(DataError::setting("smote", "labels of one class per example", found));
    };
    let rows = Rows::of(data, ids)?;
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); *classes];
    for (place, &id) in ids.iter().enumerate() {
        members[indices[id as usize] as usize].push(place);
    }
    let largest = members.iter().map(Vec::len).max().unwrap_or(0);
    let wanted = (largest as f64 * settings.ratio).round() as usize;
    let mut made = Vec::new();
    let mut labels = indices.clone();
    for (class, members) in members.iter().enumerate() {
        let missing = wanted.saturating_sub(members.len());
        if missing == 0 || members.is_empty() {
            continue;
        }
        if members.len() < 2 {
            let class = data.class_name(class);
            return Err(DataError::TooFewExamples { class, expected: 2, found: members.len() });
        }
        let penalty = rows.penalty(members);
        let mut near: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for _ in 0..missing {
            let mut draws = Draws::new(Key::new(seed).with(Purpose::Augment(STREAM)).at(0, made.len() as u64));
            let a = members[draws.below(members.len())];
            let near = near.entry(a).or_insert_with(|| rows.nearest(a, members, settings.neighbours, penalty));
            let b = near[draws.below(near.len())];
            let share = draws.uniform();
            made.push(rows.made(a, b, share, near, &mut draws));
            labels.push(class as i32);
        }
    }
    let total = data.total();
    let inputs = rows.extended(data, &made);
    let labels = Labels::Classes { indices: labels, classes: *classes };
    let all = ids.iter().copied().chain((total..total + made.len()).map(|id| id as u64)).collect();
    Ok((data.extended(inputs, labels, made.len()), all))
}

/// The rows of a part, in its order: numbers and categories.
struct Rows {
    /// By row, then by column; not a number where missing.
    numbers: Vec<Vec<f64>>,
    /// Standard deviations of the columns.
    stds: Vec<f64>,
    /// By row, then by column; as texts, nothing where missing.
    categories: Vec<Vec<Option<String>>>,
    /// Of a table, in its order: whether a column is one of numbers.
    are_numbers: Vec<bool>,
}

/// A row that is made.
struct Made {
    numbers: Vec<f64>,
    categories: Vec<Option<String>>,
}

impl Rows {
    fn of(data: &Dataset, ids: &[u64]) -> Result<Rows, DataError> {
        let (mut numbers, mut categories) = (Vec::with_capacity(ids.len()), Vec::with_capacity(ids.len()));
        let are_numbers: Vec<bool> = match data.inputs() {
            Inputs::Features(table) if table.shape().len() == 2 => {
                let width = table.shape()[1];
                for &id in ids {
                    numbers.push(data.first_values(id, width).into_iter().map(f64::from).collect());
                    categories.push(Vec::new());
                }
                vec![true; width]
            }
            Inputs::Table(table) => {
                let schema = TableSchema::fit(data.description(), table, ids, 0)?;
                let is_number = |name: &str| schema.numbers().any(|column| column.name == name);
                let are_numbers: Vec<bool> = table.columns().iter().map(|column| is_number(column.name())).collect();
                for &id in ids {
                    let (mut values, mut texts): (Vec<f64>, Vec<Option<String>>) = Default::default();
                    for (text, is_number) in table.row(id as usize).into_iter().zip(&are_numbers) {
                        match is_number {
                            true => values.push(text.and_then(number).unwrap_or(f64::NAN)),
                            false => texts.push(text.map(str::to_owned)),
                        }
                    }
                    numbers.push(values);
                    categories.push(texts);
                }
                are_numbers
            }
            _ => {
                return Err(DataError::setting("smote", "a table of numbers or categories", data.description()));
            }
        };
        let all: Vec<usize> = (0..ids.len()).collect();
        let stds = deviations(&numbers, &all).into_iter().map(|std| if std > 0.0 { std } else { 1.0 }).collect();
        Ok(Rows { numbers, stds, categories, are_numbers })
    }

    /// The square of what a different category counts as.
    fn penalty(&self, members: &[usize]) -> f64 {
        let mut stds: Vec<f64> =
            deviations(&self.numbers, members).iter().zip(&self.stds).map(|(own, all)| own / all).collect();
        stds.sort_by(f64::total_cmp);
        let median = match stds.len() {
            0 => 1.0,
            count if count % 2 == 1 => stds[count / 2],
            count => (stds[count / 2 - 1] + stds[count / 2]) / 2.0,
        };
        median * median
    }

    fn distance(&self, a: usize, b: usize, penalty: f64) -> f64 {
        let numbers = self.numbers[a].iter().zip(&self.numbers[b]).zip(&self.stds);
        let numbers: f64 = numbers
            .map(|((x, y), std)| {
                let difference = (x - y) / std;
                // Nothing is known of how far a missing number is.
                if difference.is_nan() { 0.0 } else { difference * difference }
            })
            .sum();
        let different = self.categories[a].iter().zip(&self.categories[b]).filter(|(x, y)| x != y).count();
        numbers + different as f64 * penalty
    }

    fn nearest(&self, row: usize, members: &[usize], count: usize, penalty: f64) -> Vec<usize> {
        let others = members.iter().filter(|&&other| other != row);
        let mut near: Vec<(f64, usize)> = others.map(|&other| (self.distance(row, other, penalty), other)).collect();
        near.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        // Not out of `near` itself, whose memory the few that are kept would hold.
        near.iter().take(count).map(|(_, other)| *other).collect()
    }

    fn made(&self, a: usize, b: usize, share: f64, near: &[usize], draws: &mut Draws) -> Made {
        let mix = |(&x, &y): (&f64, &f64)| if y.is_nan() { x } else { x + share * (y - x) };
        let numbers = self.numbers[a].iter().zip(&self.numbers[b]).map(mix).collect();
        let most_frequent = |column: usize| {
            let mut counts: BTreeMap<&Option<String>, usize> = BTreeMap::new();
            near.iter().for_each(|&row| *counts.entry(&self.categories[row][column]).or_default() += 1);
            let most = counts.values().copied().max().unwrap_or(0);
            let all: Vec<_> = counts.into_iter().filter(|(_, count)| *count == most).map(|(text, _)| text).collect();
            all[if all.len() > 1 { draws.below(all.len()) } else { 0 }].clone()
        };
        let categories = (0..self.categories[a].len()).map(most_frequent).collect();
        Made { numbers, categories }
    }

    /// The inputs with the rows made behind them.
    fn extended(&self, data: &Dataset, made: &[Made]) -> Inputs {
        match data.inputs() {
            Inputs::Table(table) => {
                let (mut number, mut category) = (0, 0);
                let columns = table.columns().iter().zip(&self.are_numbers).map(|(column, is_number)| {
                    let texts: Vec<Option<String>> = if *is_number {
                        number += 1;
                        let text = |row: &Made| Some(row.numbers[number - 1]).filter(|x| !x.is_nan());
                        made.iter().map(|row| text(row).map(|x| x.to_string())).collect()
                    } else {
                        category += 1;
                        made.iter().map(|row| row.categories[category - 1].clone()).collect()
                    };
                    column.extended(&texts)
                });
                Inputs::Table(TableColumns::new(columns.collect()).with_label(table.label().map(str::to_owned)))
            }
            _ => {
                let width = self.are_numbers.len();
                let mut values: Vec<f32> =
                    (0..data.total() as u64).flat_map(|id| data.first_values(id, width)).collect();
                values.extend(made.iter().flat_map(|row| row.numbers.iter().map(|x| *x as f32)));
                let rows = data.total() + made.len();
                Inputs::Features(Tensor::new([rows, width], values).expect("a row of the table's width for each"))
            }
        }
    }
}

/// The standard deviations of the columns over some rows, missing numbers left out.
fn deviations(numbers: &[Vec<f64>], rows: &[usize]) -> Vec<f64> {
    let width = numbers.first().map_or(0, Vec::len);
    let of = |column: usize| {
        let known: Vec<f64> = rows.iter().map(|&row| numbers[row][column]).filter(|x| !x.is_nan()).collect();
        let count = known.len().max(1) as f64;
        let mean = known.iter().sum::<f64>() / count;
        (known.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count).sqrt()
    };
    (0..width).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::TextColumn;
    use proptest::prelude::*;

    fn features(points: &[[f32; 2]], labels: &[i32]) -> Dataset {
        let values = points.concat();
        let inputs = Inputs::Features(Tensor::new([points.len(), 2], values).unwrap());
        Dataset::new("t", inputs, Labels::classes("t", labels.to_vec(), 2).unwrap()).unwrap()
    }

    proptest! {
        #[test]
        fn what_is_made_lies_between_two_rows_of_its_class(
            points in prop::collection::vec([-9.0f32..9.0, -9.0f32..9.0], 12..40),
            few in 3usize..6,
            seed: u64,
        ) {
            let labels: Vec<i32> = (0..points.len()).map(|i| i32::from(i < few)).collect();
            let data = features(&points, &labels);
            // The last row of each class does not train.
            let ids: Vec<u64> = (0..points.len() as u64).filter(|&id| id != few as u64 - 1 && id != points.len() as u64 - 1).collect();
            let settings = Smote { neighbours: 2, ratio: 1.0 };
            let (more, all) = smote(&data, &ids, &settings, seed).unwrap();
            let counts = more.class_counts(&all).unwrap();
            prop_assert_eq!(counts[0], counts[1]);
            prop_assert_eq!(&all[..ids.len()], &ids[..]);
            for &id in &all[ids.len()..] {
                prop_assert_eq!(more.labels().class_of(id as usize), Some(1));
                let x = more.first_values(id, 2);
                // On the line between two training rows of the class.
                let between = |a: &[f32; 2], b: &[f32; 2]| {
                    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
                    let (ex, ey) = (x[0] - a[0], x[1] - a[1]);
                    let cross = (dx * ey - dy * ex).abs();
                    let along = ex * dx + ey * dy;
                    cross <= 1e-3 * (1.0 + dx.abs() + dy.abs()) && along >= -1e-3 && along <= dx * dx + dy * dy + 1e-3
                };
                let members = &points[..few - 1];
                prop_assert!(members.iter().any(|a| members.iter().any(|b| a != b && between(a, b))), "{:?}", x);
            }
            let again = smote(&data, &ids, &settings, seed).unwrap();
            prop_assert_eq!(again.0.content_hash().unwrap(), more.content_hash().unwrap());
        }
    }

    #[test]
    fn neighbours_are_the_nearest_and_categories_the_most_frequent() {
        let number = TextColumn::new("x", ["0", "1", "2", "3", "100", "5", "6", "7", "8", "9", "10", "11"]);
        let category = TextColumn::new("c", ["a", "a", "b", "a", "z", "q", "q", "q", "q", "q", "q", "q"]);
        let labels = (0..12).map(|i| i32::from(i < 5)).collect();
        let inputs = Inputs::Table(TableColumns::new(vec![number, category]));
        let data = Dataset::new("t", inputs, Labels::classes("t", labels, 2).unwrap()).unwrap();
        let (more, all) = smote(&data, &data.ids(), &Smote { neighbours: 3, ratio: 1.0 }, 1).unwrap();
        assert_eq!((more.class_counts(&all), all.len()), (Some(vec![7, 7]), 14));
        let Inputs::Table(table) = more.inputs() else { panic!("a table") };
        for id in 12..14 {
            let x: f64 = table.columns()[0].get(id).unwrap().parse().unwrap();
            assert!((0.0..=100.0).contains(&x));
            assert!(["a", "b"].contains(&table.columns()[1].get(id).unwrap()));
        }
        assert!(smote(&data, &data.ids(), &Smote { ratio: 0.5, ..Smote::default() }, 1).unwrap().1.len() == 12);
        assert!(smote(&data, &[0, 5, 6, 7], &Smote::default(), 1).is_err(), "one row has no neighbour");
        let real =
            Dataset::new("t", Inputs::Features(Tensor::zeros([2, 1])), Labels::Real(Tensor::zeros([2, 1]))).unwrap();
        assert!(smote(&real, &[0, 1], &Smote::default(), 1).is_err());
        assert!(
            Smote { neighbours: 0, ..Smote::default() }.check().is_err()
                && Smote { ratio: 2.0, ..Smote::default() }.check().is_err()
        );
    }
}

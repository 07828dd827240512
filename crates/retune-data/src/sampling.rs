//! [`Sampling`]: examples drawn with replacement, some more often than others.

use crate::dataset::Dataset;
use crate::error::DataError;
use crate::weights::{ClassWeights, check_weights};
use retune_tensor::{Key, Purpose};

/// How often each example is drawn, in place of once an epoch.
#[derive(Debug, Clone, PartialEq)]
pub enum Sampling {
    /// Every class as often, every example of a class as often.
    Balanced,
    /// Every example as often as the weight of its class says, in proportion to those of others.
    Classes(Vec<f32>),
    /// Every example as often as its own [weight](crate::SideColumns::weight) says.
    Column,
}

impl Sampling {
    /// One weight per example of the data set, 0 for those that are not among `ids`.
    ///
    /// # Errors
    /// Labels that are not one class per example where classes have weights; a weight that is missing, negative or not finite; weights
    /// that are all 0.
    pub fn resolve(&self, data: &Dataset, ids: &[u64]) -> Result<Vec<f32>, DataError> {
        let of_classes = |weights: &ClassWeights| {
            let weights = weights.resolve(data, ids).map_err(of_sampling)?;
            let class = |&id: &u64| data.labels().class_of(id as usize);
            let of = |id: &u64| class(id).and_then(|class| weights.get(class)).copied();
            ids.iter().map(of).collect::<Option<Vec<f32>>>().ok_or_else(|| {
                let found = format!("{:?}", data.label_kind());
                DataError::setting("sampling", "labels of one class per example", found)
            })
        };
        let weights = match self {
            Sampling::Balanced => of_classes(&ClassWeights::Balanced)?,
            Sampling::Classes(weights) => of_classes(&ClassWeights::Given(weights.clone()))?,
            Sampling::Column => {
                let Some(column) = &data.side().weight else {
                    let found = format!("none in {}", data.description());
                    return Err(DataError::setting("sampling", "a column of weights", found));
                };
                let weight = |&id: &u64| {
                    let text = &column[id as usize];
                    text.parse::<f32>().ok().filter(|weight| weight.is_finite() && *weight >= 0.0).ok_or_else(|| {
                        let name = format!("weight of {}", data.place(id));
                        DataError::setting(name, "a finite number from 0 up", format!("`{text}`"))
                    })
                };
                ids.iter().map(weight).collect::<Result<_, _>>()?
            }
        };
        check_weights("sampling", &weights)?;
        if weights.iter().all(|&weight| weight == 0.0) {
            return Err(DataError::setting("sampling", "a weight above 0", "weights that are all 0"));
        }
        let mut all = vec![0.0; data.total()];
        ids.iter().zip(weights).for_each(|(&id, weight)| all[id as usize] = weight);
        Ok(all)
    }
}

/// An error about weights of classes, of the setting that has them here.
fn of_sampling(error: DataError) -> DataError {
    match error {
        DataError::Setting { expected, found, .. } => DataError::setting("sampling", expected, found),
        error => error,
    }
}

/// The ids of an epoch drawn with replacement: number `i` is the one in whose part of the sum of all weights the number
/// `Key::new(seed).with(Purpose::Shuffle).at(epoch, 2).uniform(i)` falls.
pub(crate) fn drawn(ids: &[u64], weights: &[f32], count: usize, seed: u64, epoch: u64) -> Vec<u64> {
    let ends: Vec<f64> = ids
        .iter()
        .scan(0.0, |sum, &id| {
            *sum += f64::from(weights.get(id as usize).copied().unwrap_or(0.0));
            Some(*sum)
        })
        .collect();
    let total = ends.last().copied().unwrap_or(0.0);
    let key = Key::new(seed).with(Purpose::Shuffle).at(epoch, 2);
    let draw = |i: usize| {
        let [low, high, ..] = key.block(i as u64);
        // Of 53 bits, as 24 are too few to reach each of many examples.
        let share = ((u64::from(high) << 32 | u64::from(low)) >> 11) as f64 / (1u64 << 53) as f64;
        let at = ends.partition_point(|&end| end <= share * total);
        ids[at.min(ids.len() - 1)]
    };
    (0..count).map(draw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Inputs, Labels, SideColumns};
    use retune_tensor::Tensor;

    fn dataset(labels: Vec<i32>) -> Dataset {
        let inputs = Inputs::Features(Tensor::zeros([labels.len(), 1]));
        Dataset::new("t", inputs, Labels::classes("t", labels, 3).unwrap()).unwrap()
    }

    #[test]
    fn balanced_draws_each_class_alike() {
        let data = dataset((0..3000).map(|i| if i < 30 { 0 } else { 1 + i % 2 }).collect());
        let ids = data.ids();
        let weights = Sampling::Balanced.resolve(&data, &ids).unwrap();
        let order = drawn(&ids, &weights, 6000, 1, 0);
        let counts = data.class_counts(&order).unwrap();
        assert!(counts.iter().all(|&count| (1850..2150).contains(&count)), "{counts:?}");
        assert_eq!(order, drawn(&ids, &weights, 6000, 1, 0));
        assert_ne!(order, drawn(&ids, &weights, 6000, 1, 1));
        assert_ne!(order, drawn(&ids, &weights, 6000, 2, 0));
    }

    #[test]
    fn weights_say_how_often() {
        let data = dataset(vec![0, 1, 2, 2]);
        let ids = data.ids();
        let share = |sampling: Sampling, data: &Dataset| {
            let weights = sampling.resolve(data, &ids).unwrap();
            let order = drawn(&ids, &weights, 20_000, 3, 0);
            ids.iter().map(|id| order.iter().filter(|drawn| *drawn == id).count() as f64 / 20_000.0).collect::<Vec<_>>()
        };
        let near = |found: Vec<f64>, expected: [f64; 4]| {
            assert!(
                found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 0.015 && (b > 0.0 || *a == 0.0)),
                "{found:?}"
            );
        };
        near(share(Sampling::Classes(vec![1.0, 0.0, 2.0]), &data), [0.2, 0.0, 0.4, 0.4]);
        let side = |texts: [&str; 4]| SideColumns {
            weight: Some(texts.map(str::to_owned).to_vec()),
            ..SideColumns::default()
        };
        let weighted = dataset(vec![0, 1, 2, 2]).with_side(side(["1", "2.5", "0", "1.5"]));
        near(share(Sampling::Column, &weighted), [0.2, 0.5, 0.0, 0.3]);
        for texts in [["1", "-1", "0", "0"], ["0", "0", "0", "0"], ["1", "", "1", "1"]] {
            assert!(Sampling::Column.resolve(&dataset(vec![0, 1, 2, 2]).with_side(side(texts)), &ids).is_err());
        }
        assert!(Sampling::Column.resolve(&data, &ids).is_err());
        let error = Sampling::Classes(vec![1.0]).resolve(&data, &ids).unwrap_err().to_string();
        assert!(error.starts_with("`sampling`: expected 3 weights, one per class"), "{error}");
    }
}

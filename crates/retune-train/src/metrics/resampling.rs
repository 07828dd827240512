//! Drawing items again: what a metric would have been on other items of the same kind.
//!
//! Items of one class each are drawn class by class, so that every resample has as many of each class as there are; other items
//! are drawn from all. A resample is a weight per item: its own times how often it was drawn. So no score is computed again.
//!
//! Beside the resamples stand the values without some of the items (the jackknife), which tell how skewed the metric is. Items are
//! left out one by one up to 400, else in as many groups within their classes: the groups' influence has the skewness that the
//! items' has, divided by the root of their number, which is all that is asked for.

use super::{Prepared, Problem, Scored};
use retune_tensor::{Key, Purpose};
use std::num::NonZeroUsize;

/// Items are left out in about so many groups.
const GROUPS: usize = 400;

/// How items are drawn again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resampling {
    /// Seed of the draws. The same seed gives the same draws, whatever the threads.
    pub seed: u64,
    /// How often. Default 2,000.
    pub resamples: usize,
    /// Threads that compute. Default as many as the machine runs at a time.
    pub threads: NonZeroUsize,
}

impl Resampling {
    /// The defaults with this seed.
    pub fn new(seed: u64) -> Resampling {
        let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Resampling { seed, resamples: 2000, threads }
    }

    /// The values of metrics on resamples of these items.
    pub(super) fn replicates(&self, scored: &Scored, metrics: &[&Prepared]) -> Vec<Replicates> {
        let strata = strata(scored);
        let left_out = left_out(&strata, scored.len());
        let (weights, key) = (scored.weights(), Key::new(self.seed).with(Purpose::Bootstrap));
        let values = self.repeat(self.resamples + left_out.len(), metrics.len(), |job, drawn, values| {
            match job.checked_sub(self.resamples) {
                None => draw(key.at(job as u64, 0), &strata, weights, drawn),
                Some(group) => {
                    drawn.clear();
                    drawn.extend_from_slice(weights);
                    left_out[group].items.iter().for_each(|&item| drawn[item as usize] = 0.0);
                }
            }
            for (metric, value) in metrics.iter().zip(values) {
                *value = metric.value(drawn).unwrap_or(f64::NAN);
            }
        });
        let column = |place: usize| values.iter().skip(place).step_by(metrics.len()).copied();
        let of_metric = |(place, metric): (usize, &&Prepared)| Replicates {
            value: metric.value(weights).unwrap_or(f64::NAN),
            resampled: column(place).take(self.resamples).collect(),
            left_out: left_out.iter().map(|group| group.stratum).zip(column(place).skip(self.resamples)).collect(),
        };
        metrics.iter().enumerate().map(of_metric).collect()
    }

    /// What `job` writes for each of `jobs` numbers: `[jobs, width]`. It is given a buffer of its thread.
    pub(super) fn repeat(
        &self,
        jobs: usize,
        width: usize,
        job: impl Fn(usize, &mut Vec<f64>, &mut [f64]) + Sync,
    ) -> Vec<f64> {
        let mut values = vec![0.0; jobs * width];
        if values.is_empty() {
            return values;
        }
        let share = jobs.div_ceil(self.threads.get());
        std::thread::scope(|scope| {
            for (thread, rows) in values.chunks_mut(share * width).enumerate() {
                let job = &job;
                scope.spawn(move || {
                    let mut buffer = Vec::new();
                    for (place, row) in rows.chunks_exact_mut(width).enumerate() {
                        job(thread * share + place, &mut buffer, row);
                    }
                });
            }
        });
        values
    }
}

/// A metric on all items, on resamples of them, and without some of them. Not a number where it is not defined.
#[derive(Debug, Clone)]
pub(super) struct Replicates {
    pub(super) value: f64,
    pub(super) resampled: Vec<f64>,
    /// With the stratum of the items that are left out.
    pub(super) left_out: Vec<(usize, f64)>,
}

impl Replicates {
    /// The difference from another metric on the same draws.
    pub(super) fn minus(&self, other: &Replicates) -> Replicates {
        let difference = |(a, b): (&(usize, f64), &(usize, f64))| (a.0, a.1 - b.1);
        Replicates {
            value: self.value - other.value,
            resampled: self.resampled.iter().zip(&other.resampled).map(|(a, b)| a - b).collect(),
            left_out: self.left_out.iter().zip(&other.left_out).map(difference).collect(),
        }
    }
}

/// Items of one stratum that are left out together.
struct Group {
    stratum: usize,
    items: Vec<u32>,
}

/// The items of each class that has any, or all items.
fn strata(scored: &Scored) -> Vec<Vec<u32>> {
    if !matches!(scored.problem(), Problem::MultiClass | Problem::Binary) {
        return vec![(0..scored.len() as u32).collect()];
    }
    let mut strata = vec![Vec::new(); scored.class_count()];
    for (item, &class) in scored.true_classes().iter().enumerate() {
        strata[class as usize].push(item as u32);
    }
    strata.retain(|items| !items.is_empty());
    strata
}

fn left_out(strata: &[Vec<u32>], items: usize) -> Vec<Group> {
    let mut groups = Vec::new();
    for (stratum, members) in strata.iter().enumerate() {
        let wanted = if items <= GROUPS { members.len() } else { (GROUPS * members.len()).div_ceil(items).max(2) };
        let count = wanted.min(members.len());
        // Neighbours are often alike, so each group takes every so manieth item.
        let group = |first| Group { stratum, items: members[first..].iter().step_by(count).copied().collect() };
        groups.extend((0..count).map(group));
    }
    groups
}

fn draw(key: Key, strata: &[Vec<u32>], weights: &[f64], drawn: &mut Vec<f64>) {
    drawn.clear();
    drawn.resize(weights.len(), 0.0);
    let mut block = 0;
    for items in strata {
        for start in (0..items.len()).step_by(4) {
            let words = key.block(block);
            block += 1;
            for word in &words[..(items.len() - start).min(4)] {
                // There are far fewer items than words, so that the bias of multiply and shift is not worth noticing.
                let item = items[((u64::from(*word) * items.len() as u64) >> 32) as usize] as usize;
                drawn[item] += weights[item];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metric;

    fn scored() -> Scored {
        let classes: Vec<u32> = (0..1000).map(|item| u32::from(item % 10 == 0)).collect();
        let scores = (0..1000).flat_map(|item| if item % 3 == 0 { [0.9, 0.1] } else { [0.2, 0.8] }).collect();
        Scored::classes(scores, 2, classes).unwrap()
    }

    #[test]
    fn every_resample_has_as_many_items_of_each_class() {
        let (scored, mut drawn) = (scored(), Vec::new());
        let strata = strata(&scored);
        assert_eq!(strata.iter().map(Vec::len).collect::<Vec<_>>(), [900, 100]);
        for resample in 0..50 {
            draw(Key::new(resample), &strata, scored.weights(), &mut drawn);
            let of_class = |class: usize| strata[class].iter().map(|&item| drawn[item as usize]).sum::<f64>();
            assert_eq!((of_class(0), of_class(1)), (900.0, 100.0));
            assert!(drawn.contains(&0.0) && drawn.iter().any(|&weight| weight > 1.0));
        }
    }

    #[test]
    fn every_item_is_left_out_once() {
        let scored = scored();
        let groups = left_out(&strata(&scored), scored.len());
        assert!((GROUPS..=GROUPS + 2).contains(&groups.len()), "{}", groups.len());
        let mut items: Vec<u32> = groups.iter().flat_map(|group| group.items.iter().copied()).collect();
        items.sort_unstable();
        assert!(items.into_iter().eq(0..1000));
    }

    #[test]
    fn threads_change_nothing() {
        let scored = scored();
        let metric = Metric::MatthewsCorrelation.prepare(&scored).unwrap();
        let with = |threads| {
            let threads = NonZeroUsize::new(threads).unwrap();
            Resampling { threads, resamples: 101, ..Resampling::new(5) }.replicates(&scored, &[&metric]).remove(0)
        };
        let (one, three) = (with(1), with(3));
        assert_eq!(one.resampled, three.resampled);
        assert_eq!(one.left_out, three.left_out);
    }
}

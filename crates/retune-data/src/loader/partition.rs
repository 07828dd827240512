//! How the order of an epoch is cut into batches: by number of examples, by number of tokens, and by length.

use super::order::{Order, epoch_order};
use retune_tensor::{Key, Purpose};
use std::ops::Range;

/// Batches of a window that examples of like length are looked for in.
const WINDOW_BATCHES: usize = 50;

/// How the examples of an epoch are put into batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// Most examples of a batch.
    pub examples: usize,
    /// Most tokens of a batch; an example that has more is a batch by itself. `None`: any number.
    pub tokens: Option<usize>,
    /// Whether a batch's examples are of like length. Acts on shuffled epochs only.
    pub bucket: bool,
    /// Whether a last batch of fewer examples than others is left out.
    pub drop_last: bool,
}

/// The order of one epoch, and where its batches end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochPlan {
    /// Ids in their order.
    pub ids: Vec<u64>,
    /// Where each batch ends in `ids`.
    ends: Vec<usize>,
}

impl EpochPlan {
    /// The order and the batches of an epoch, a pure function of the arguments. `length` tells the tokens of an example.
    ///
    /// By length: the shuffled order is cut into windows of 50 batches, each window is sorted by length, longest first and
    /// otherwise as shuffled, and cut into batches; then the batches are shuffled, by
    /// `Key::new(seed).with(Purpose::Shuffle).at(epoch, 1)`. (Hugging Face's `group_by_length` sorts such windows too, but keeps the
    /// batches of a window in the order of their lengths.)
    pub fn new(
        ids: &[u64],
        order: &Order,
        epoch: u64,
        partition: &Partition,
        length: impl Fn(u64) -> usize,
    ) -> EpochPlan {
        let mut ids = epoch_order(ids, order, epoch);
        let Some(seed) = order.seed().filter(|_| partition.bucket) else {
            let ends = partition.cut(&ids, 1, &length);
            return EpochPlan { ends: partition.kept(ends, ids.len()), ids };
        };
        let mut batches: Vec<Range<usize>> = Vec::new();
        let mut start = 0;
        for end in partition.cut(&ids, WINDOW_BATCHES, &length) {
            let window = &mut ids[start..end];
            window.sort_by_key(|&id| std::cmp::Reverse(length(id)));
            for batch_end in partition.cut(window, 1, &length) {
                let first = batches.last().map_or(0, |batch| batch.end);
                batches.push(first..start + batch_end);
            }
            start = end;
        }
        let (all, kept) = (batches.len(), partition.kept(batches.iter().map(|batch| batch.end).collect(), ids.len()));
        // The batch that is left out, if one is, goes to the end, where no batch reaches it.
        let order = Key::new(seed).with(Purpose::Shuffle).at(epoch, 1).permutation(kept.len());
        let mut plan = EpochPlan { ids: Vec::with_capacity(ids.len()), ends: Vec::with_capacity(kept.len()) };
        for batch in order {
            plan.ids.extend_from_slice(&ids[batches[batch].clone()]);
            plan.ends.push(plan.ids.len());
        }
        batches[kept.len()..all].iter().for_each(|batch| plan.ids.extend_from_slice(&ids[batch.clone()]));
        plan
    }

    /// Number of batches.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no batches.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The places in the order that a batch takes.
    pub fn range(&self, batch: usize) -> Range<usize> {
        batch.checked_sub(1).map_or(0, |before| self.ends[before])..self.ends[batch]
    }

    /// The batch that a place in the order belongs to; the number of batches for a place behind all of them.
    pub fn batch_at(&self, position: u64) -> usize {
        self.ends.partition_point(|&end| end as u64 <= position)
    }
}

impl Partition {
    /// Where batches end that are `factor` times as large as they may be, filled one after the other.
    fn cut(&self, ids: &[u64], factor: usize, length: &impl Fn(u64) -> usize) -> Vec<usize> {
        let most_examples = self.examples.max(1).saturating_mul(factor);
        let most_tokens = self.tokens.map_or(usize::MAX, |tokens| tokens.saturating_mul(factor));
        let (mut ends, mut examples, mut tokens) = (Vec::new(), 0, 0usize);
        for (place, &id) in ids.iter().enumerate() {
            let one = if self.tokens.is_some() { length(id) } else { 0 };
            if examples > 0 && (examples == most_examples || tokens.saturating_add(one) > most_tokens) {
                ends.push(place);
                (examples, tokens) = (0, 0);
            }
            examples += 1;
            tokens = tokens.saturating_add(one);
        }
        if examples > 0 {
            ends.push(ids.len());
        }
        ends
    }

    /// The ends without that of a last, smaller batch, where it is to be left out.
    fn kept(&self, mut ends: Vec<usize>, examples: usize) -> Vec<usize> {
        if self.drop_last && !examples.is_multiple_of(self.examples.max(1)) {
            ends.pop();
        }
        ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Partition = Partition { examples: 4, tokens: None, bucket: false, drop_last: false };

    fn length(id: u64) -> usize {
        (id * 37 % 50) as usize + 3
    }

    fn batches(plan: &EpochPlan) -> Vec<Vec<u64>> {
        (0..plan.len()).map(|batch| plan.ids[plan.range(batch)].to_vec()).collect()
    }

    fn sorted(mut ids: Vec<u64>) -> Vec<u64> {
        ids.sort_unstable();
        ids
    }

    #[test]
    fn every_example_stands_in_one_batch_within_the_limits() {
        let ids: Vec<u64> = (0..1003).collect();
        for (examples, tokens) in [(4, None), (usize::MAX, Some(90)), (3, Some(90)), (usize::MAX, Some(1))] {
            for (bucket, seed) in [(false, None), (false, Some(1)), (true, Some(1)), (true, None)] {
                let partition = Partition { examples, tokens, bucket, drop_last: false };
                let plan = EpochPlan::new(&ids, &Order::of(seed), 2, &partition, length);
                assert_eq!(sorted(batches(&plan).concat()), ids);
                assert_eq!(batches(&plan).concat(), plan.ids);
                for batch in batches(&plan) {
                    let total: usize = batch.iter().map(|&id| length(id)).sum();
                    assert!(!batch.is_empty() && batch.len() <= examples);
                    assert!(batch.len() == 1 || tokens.is_none_or(|most| total <= most), "{batch:?}");
                }
                // Filled one after the other: two neighbours never fit into one batch, but where windows end.
                let fits = |pair: &[Vec<u64>]| {
                    let both = pair.concat();
                    both.len() <= examples
                        && tokens.is_none_or(|most| both.iter().map(|&id| length(id)).sum::<usize>() <= most)
                };
                if !bucket || seed.is_none() {
                    assert!(!batches(&plan).windows(2).any(fits));
                }
            }
        }
    }

    #[test]
    fn buckets_hold_examples_of_like_length_in_random_order() {
        let ids: Vec<u64> = (0..4000).collect();
        let partition = Partition { bucket: true, ..PLAIN };
        let plan = EpochPlan::new(&ids, &Order::Shuffled(3), 1, &partition, length);
        assert_eq!(plan.len(), 1000);
        let spread = |plan: &EpochPlan| -> usize {
            let spread = |batch: &Vec<u64>| {
                let lengths = batch.iter().map(|&id| length(id));
                lengths.clone().max().unwrap() - lengths.min().unwrap()
            };
            batches(plan).iter().map(spread).sum()
        };
        let plain = EpochPlan::new(&ids, &Order::Shuffled(3), 1, &PLAIN, length);
        assert!(spread(&plan) * 10 < spread(&plain), "{} and {}", spread(&plan), spread(&plain));
        assert_eq!(plan, EpochPlan::new(&ids, &Order::Shuffled(3), 1, &partition, length));
        assert_ne!(plan, EpochPlan::new(&ids, &Order::Shuffled(4), 1, &partition, length));
        assert_ne!(plan, EpochPlan::new(&ids, &Order::Shuffled(3), 2, &partition, length));
        // No order of lengths from batch to batch: about half of the steps go up.
        let first: Vec<usize> = batches(&plan).iter().map(|batch| length(batch[0])).collect();
        let rising = first.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!((400..600).contains(&rising), "{rising}");
    }

    #[test]
    fn a_last_smaller_batch_can_be_left_out() {
        let ids: Vec<u64> = (0..1003).collect();
        for bucket in [false, true] {
            let partition = Partition { bucket, drop_last: true, ..PLAIN };
            let plan = EpochPlan::new(&ids, &Order::Shuffled(3), 1, &partition, length);
            assert_eq!((plan.len(), plan.ids.len()), (250, 1003));
            assert!(batches(&plan).iter().all(|batch| batch.len() == 4));
            assert_eq!(sorted(plan.ids.clone()), ids);
        }
    }

    #[test]
    fn places_belong_to_batches() {
        let plan = EpochPlan::new(&(0..10).collect::<Vec<_>>(), &Order::AsGiven, 0, &PLAIN, length);
        let found: Vec<usize> = [0, 3, 4, 7, 8, 9, 10, 99].map(|position| plan.batch_at(position)).to_vec();
        assert_eq!(found, [0, 0, 1, 1, 2, 2, 3, 3]);
        assert_eq!((plan.range(0), plan.range(2)), (0..4, 8..10));
    }
}

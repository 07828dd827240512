//! The order of an epoch: a pure function of (seed, epoch).

use super::partition::{EpochPlan, Partition};
use crate::sampling::drawn;
use retune_tensor::{Key, Purpose};
use std::sync::{Arc, Mutex, PoisonError};

/// In which order the examples of an epoch come.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// As the ids are given, in every epoch.
    AsGiven,
    /// Each once, in another random order in each epoch, by this seed.
    Shuffled(u64),
    /// Drawn with replacement.
    Drawn {
        /// The seed.
        seed: u64,
        /// One weight per example of the data set, by id.
        weights: Vec<f32>,
        /// Examples of an epoch.
        count: usize,
    },
}

impl Order {
    /// Shuffled where there is a seed.
    #[cfg(test)]
    pub(crate) fn of(seed: Option<u64>) -> Order {
        seed.map_or(Order::AsGiven, Order::Shuffled)
    }

    /// The seed, where the order is random.
    pub fn seed(&self) -> Option<u64> {
        match self {
            Order::AsGiven => None,
            Order::Shuffled(seed) | Order::Drawn { seed, .. } => Some(*seed),
        }
    }
}

/// The ids of one epoch in their order: the ids as given, permuted by `Key::new(seed).with(Purpose::Shuffle).at(epoch, 0)`, or drawn, see
/// [`Sampling`](crate::Sampling).
pub fn epoch_order(ids: &[u64], order: &Order, epoch: u64) -> Vec<u64> {
    match order {
        Order::AsGiven => ids.to_vec(),
        Order::Drawn { seed, weights, count } => drawn(ids, weights, *count, *seed, epoch),
        &Order::Shuffled(seed) => {
            let order = Key::new(seed).with(Purpose::Shuffle).at(epoch, 0).permutation(ids.len());
            order.into_iter().map(|i| ids[i]).collect()
        }
    }
}

/// The plans of the epochs, the latest two kept: threads that run ahead are in the next epoch while others end the last.
#[derive(Debug)]
pub(crate) struct EpochPlans {
    ids: Vec<u64>,
    order: Order,
    partition: Partition,
    recent: Mutex<Vec<(u64, Arc<EpochPlan>)>>,
}

impl EpochPlans {
    pub(crate) fn new(ids: Vec<u64>, order: Order, partition: Partition) -> EpochPlans {
        EpochPlans { ids, order, partition, recent: Mutex::default() }
    }

    /// Examples of an epoch.
    pub(crate) fn len(&self) -> usize {
        match self.order {
            Order::AsGiven | Order::Shuffled(_) => self.ids.len(),
            Order::Drawn { count, .. } => count,
        }
    }

    /// The examples that there are, each once.
    pub(crate) fn ids(&self) -> &[u64] {
        &self.ids
    }

    pub(crate) fn partition(&self) -> &Partition {
        &self.partition
    }

    /// The plan of an epoch; `length` tells the tokens of an example.
    pub(crate) fn of(&self, epoch: u64, length: impl Fn(u64) -> usize) -> Arc<EpochPlan> {
        let epoch = if self.order == Order::AsGiven { 0 } else { epoch };
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, plan)) = recent.iter().find(|(e, _)| *e == epoch) {
            return plan.clone();
        }
        let plan = Arc::new(EpochPlan::new(&self.ids, &self.order, epoch, &self.partition, length));
        if recent.len() == 2 {
            recent.remove(0);
        }
        recent.push((epoch, plan.clone()));
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_holds_every_id_once_in_its_own_order() {
        let ids: Vec<u64> = (0..100).map(|i| i * 3).collect();
        let partition = Partition { examples: 7, tokens: None, bucket: false, drop_last: false };
        let plans = EpochPlans::new(ids.clone(), Order::Shuffled(4), partition);
        let order_of = |plans: &EpochPlans, epoch| plans.of(epoch, |_| 0).ids.clone();
        let first = order_of(&plans, 0);
        for epoch in [0, 1, 2, 3, 0] {
            let order = order_of(&plans, epoch);
            assert_eq!(order, epoch_order(&ids, &Order::Shuffled(4), epoch));
            assert_eq!(order == first, epoch == 0);
            let mut sorted = order;
            sorted.sort_unstable();
            assert_eq!(sorted, ids);
        }
        assert_eq!(order_of(&EpochPlans::new(ids.clone(), Order::AsGiven, partition), 7), ids);
        assert_ne!(epoch_order(&ids, &Order::Shuffled(4), 0), epoch_order(&ids, &Order::Shuffled(5), 0));
    }
}

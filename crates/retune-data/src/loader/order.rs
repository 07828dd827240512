//! The order of an epoch: a pure function of (seed, epoch).

use super::partition::{EpochPlan, Partition};
use retune_tensor::{Key, Purpose};
use std::sync::{Arc, Mutex, PoisonError};

/// The ids of one epoch in their order: the ids as given, or permuted by
/// `Key::new(seed).with(Purpose::Shuffle).at(epoch, 0)`.
pub fn epoch_order(ids: &[u64], shuffle_seed: Option<u64>, epoch: u64) -> Vec<u64> {
    match shuffle_seed {
        None => ids.to_vec(),
        Some(seed) => {
            let order = Key::new(seed).with(Purpose::Shuffle).at(epoch, 0).permutation(ids.len());
            order.into_iter().map(|i| ids[i]).collect()
        }
    }
}

/// The plans of the epochs, the latest two kept: threads that run ahead are in the next epoch while others end the last.
#[derive(Debug)]
pub(crate) struct EpochPlans {
    ids: Vec<u64>,
    shuffle_seed: Option<u64>,
    partition: Partition,
    recent: Mutex<Vec<(u64, Arc<EpochPlan>)>>,
}

impl EpochPlans {
    pub(crate) fn new(ids: Vec<u64>, shuffle_seed: Option<u64>, partition: Partition) -> EpochPlans {
        EpochPlans { ids, shuffle_seed, partition, recent: Mutex::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn partition(&self) -> &Partition {
        &self.partition
    }

    /// The plan of an epoch; `length` tells the tokens of an example.
    pub(crate) fn of(&self, epoch: u64, length: impl Fn(u64) -> usize) -> Arc<EpochPlan> {
        let epoch = if self.shuffle_seed.is_none() { 0 } else { epoch };
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, plan)) = recent.iter().find(|(e, _)| *e == epoch) {
            return plan.clone();
        }
        let plan = Arc::new(EpochPlan::new(&self.ids, self.shuffle_seed, epoch, &self.partition, length));
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
        let plans = EpochPlans::new(ids.clone(), Some(4), partition);
        let order_of = |plans: &EpochPlans, epoch| plans.of(epoch, |_| 0).ids.clone();
        let first = order_of(&plans, 0);
        for epoch in [0, 1, 2, 3, 0] {
            let order = order_of(&plans, epoch);
            assert_eq!(order, epoch_order(&ids, Some(4), epoch));
            assert_eq!(order == first, epoch == 0);
            let mut sorted = order;
            sorted.sort_unstable();
            assert_eq!(sorted, ids);
        }
        assert_eq!(order_of(&EpochPlans::new(ids.clone(), None, partition), 7), ids);
        assert_ne!(epoch_order(&ids, Some(4), 0), epoch_order(&ids, Some(5), 0));
    }
}

//! The order of an epoch: a pure function of (seed, epoch).

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

/// The orders of the epochs, the latest two kept: threads that run ahead are in the next epoch while others end the
/// last.
#[derive(Debug)]
pub(crate) struct EpochOrders {
    ids: Arc<Vec<u64>>,
    shuffle_seed: Option<u64>,
    recent: Mutex<Vec<(u64, Arc<Vec<u64>>)>>,
}

impl EpochOrders {
    pub(crate) fn new(ids: Vec<u64>, shuffle_seed: Option<u64>) -> EpochOrders {
        EpochOrders { ids: Arc::new(ids), shuffle_seed, recent: Mutex::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn of(&self, epoch: u64) -> Arc<Vec<u64>> {
        if self.shuffle_seed.is_none() {
            return self.ids.clone();
        }
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, order)) = recent.iter().find(|(e, _)| *e == epoch) {
            return order.clone();
        }
        let order = Arc::new(epoch_order(&self.ids, self.shuffle_seed, epoch));
        if recent.len() == 2 {
            recent.remove(0);
        }
        recent.push((epoch, order.clone()));
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_holds_every_id_once_in_its_own_order() {
        let ids: Vec<u64> = (0..100).map(|i| i * 3).collect();
        let orders = EpochOrders::new(ids.clone(), Some(4));
        let first = orders.of(0);
        for epoch in [0, 1, 2, 3, 0] {
            let order = orders.of(epoch);
            assert_eq!(*order, epoch_order(&ids, Some(4), epoch));
            assert_eq!(*order == *first, epoch == 0);
            let mut sorted = order.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, ids);
        }
        assert_eq!(*EpochOrders::new(ids.clone(), None).of(7), ids);
        assert_ne!(epoch_order(&ids, Some(4), 0), epoch_order(&ids, Some(5), 0));
    }
}

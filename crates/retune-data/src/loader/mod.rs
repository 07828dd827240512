//! From a data set to batches: prepared ahead by worker threads, in an order that depends on nothing but seed and
//! epoch.
//!
//! - [`batch`]: [`Batch`], [`Targets`], and [`Cursor`], a place in the stream of batches;
//! - [`order`]: the order of an epoch;
//! - `prepare`: one batch from its ids: decode, preprocess, augment, gather targets;
//! - `run_ahead`: the threads, and their results in order.

pub mod batch;
pub mod order;
pub(crate) mod prepare;
mod run_ahead;

pub use batch::{Batch, Cursor, Targets};
pub use run_ahead::Batches;

use crate::augment::Augmentation;
use crate::dataset::{Dataset, Inputs};
use crate::error::{BadExample, DataError};
use crate::preprocess::Preprocessing;
use order::EpochOrders;
use prepare::Preparer;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How batches are made.
#[derive(Debug, Clone)]
pub struct LoaderOptions {
    /// Examples per batch.
    pub batch_size: usize,
    /// Whether each epoch has its own random order; otherwise the order of the ids given.
    pub shuffle: bool,
    /// Whether a last batch of fewer examples is left out.
    pub drop_last: bool,
    /// Seed of the order and of the augmentation.
    pub seed: u64,
    /// Augmentations, in order.
    pub augment: Vec<Augmentation>,
    /// From stored inputs and labels to what the network takes.
    pub preprocessing: Preprocessing,
    /// One weight per class, see [`ClassWeights::resolve`](crate::ClassWeights::resolve).
    pub class_weights: Option<Vec<f32>>,
    /// One weight per example of the data set, by id.
    pub example_weights: Option<Vec<f32>>,
    /// How many examples that turn out to be unreadable are skipped, and reported, before it is an error.
    pub tolerance: usize,
    /// Threads that prepare batches; 0 prepares each batch when it is asked for. `None`: one for data in memory, else
    /// one per core.
    pub workers: Option<usize>,
    /// Batches prepared ahead at most.
    pub prefetch: usize,
}

impl Default for LoaderOptions {
    /// 32 examples, shuffled by seed 0, nothing left out, two batches ahead.
    fn default() -> LoaderOptions {
        LoaderOptions {
            batch_size: 32,
            shuffle: true,
            drop_last: false,
            seed: 0,
            augment: Vec::new(),
            preprocessing: Preprocessing::default(),
            class_weights: None,
            example_weights: None,
            tolerance: 0,
            workers: None,
            prefetch: 2,
        }
    }
}

impl LoaderOptions {
    /// For evaluation and prediction: in the order of the ids, each once, not augmented.
    pub fn sequential(batch_size: usize, preprocessing: Preprocessing) -> LoaderOptions {
        LoaderOptions { batch_size, shuffle: false, preprocessing, ..LoaderOptions::default() }
    }
}

/// Makes the batches of a part of a data set, epoch by epoch.
#[derive(Debug, Clone)]
pub struct Loader {
    shared: Arc<Shared>,
}

/// What all threads need.
#[derive(Debug)]
struct Shared {
    preparer: Preparer,
    orders: EpochOrders,
    batch_size: usize,
    drop_last: bool,
    workers: usize,
    prefetch: usize,
    tolerance: usize,
    skipped: Mutex<BTreeMap<u64, BadExample>>,
}

impl Loader {
    /// A loader of the examples `ids` of `data`. All that can be checked without decoding is checked here.
    ///
    /// # Errors
    /// No ids, or ids not in the data; a setting outside what it may be; images of different sizes and no
    /// [`Resize`](crate::preprocess::Resize); labels that cannot be encoded as asked for.
    pub fn new(data: Arc<Dataset>, ids: Vec<u64>, options: LoaderOptions) -> Result<Loader, DataError> {
        if options.batch_size == 0 {
            return Err(DataError::setting("batch-size", "at least 1", 0));
        }
        if ids.is_empty() {
            return Err(DataError::NoExamples { place: format!("the part of {} to load", data.description()) });
        }
        data.check_ids(&ids)?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = options.workers.unwrap_or(if matches!(data.inputs(), Inputs::Files(_)) { cores } else { 1 });
        let orders = EpochOrders::new(ids, options.shuffle.then_some(options.seed));
        Ok(Loader {
            shared: Arc::new(Shared {
                batch_size: options.batch_size,
                drop_last: options.drop_last,
                workers,
                prefetch: options.prefetch.max(1),
                tolerance: options.tolerance,
                skipped: Mutex::default(),
                preparer: Preparer::new(data, options)?,
                orders,
            }),
        })
    }

    /// The data set that the examples are taken from.
    pub fn data(&self) -> &Dataset {
        self.shared.preparer.data()
    }

    /// Number of examples in an epoch, those of a dropped last batch included.
    pub fn len(&self) -> usize {
        self.shared.orders.len()
    }

    /// Whether there are no examples; never, as [`Loader::new`] refuses it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Examples of a batch, the last of an epoch excepted.
    pub fn batch_size(&self) -> usize {
        self.shared.batch_size.min(self.len())
    }

    /// Bytes of the inputs of all batches that there are at a time: prepared ahead, at work and to be used again. 0 where
    /// their shape is not known before they are decoded.
    pub fn prepared_bytes(&self) -> usize {
        let batches = self.shared.prefetch.max(self.shared.workers) + 1;
        let values: usize = self.input_shape().map_or(0, |shape| shape.iter().product());
        4 * values * self.batch_size() * batches
    }

    /// Number of batches in an epoch.
    pub fn batches_per_epoch(&self) -> usize {
        self.shared.batches_per_epoch()
    }

    /// Shape of one prepared input, where it is known before the first batch (not for image files that keep their
    /// stored size, and none are known to share).
    pub fn input_shape(&self) -> Option<&[usize]> {
        self.shared.preparer.input_shape()
    }

    /// The ids of an epoch in their order.
    pub fn order(&self, epoch: u64) -> Arc<Vec<u64>> {
        self.shared.orders.of(epoch)
    }

    /// The batches of one epoch.
    pub fn epoch(&self, epoch: u64) -> Batches {
        self.batches(Cursor { epoch, position: 0 }, epoch + 1)
    }

    /// The batches from a place on, up to the beginning of epoch `end`. Threads run on across epochs, so that no epoch
    /// begins with a wait. A stream begun at [`Batch::next`] of some batch goes on exactly as the one that gave that
    /// batch.
    pub fn batches(&self, from: Cursor, end: u64) -> Batches {
        Batches::start(self.shared.clone(), from, end)
    }

    /// The examples skipped so far because they could not be read, ascending by id.
    pub fn skipped(&self) -> Vec<BadExample> {
        self.shared.skipped.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Counts examples that were skipped before, when a run goes on that was stopped.
    pub fn restore_skipped(&self, skipped: impl IntoIterator<Item = BadExample>) {
        let mut all = self.shared.skipped.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(skipped.into_iter().map(|bad| (bad.id, bad)));
    }
}

impl Shared {
    fn batches_per_epoch(&self) -> usize {
        let n = self.orders.len();
        if self.drop_last { n / self.batch_size } else { n.div_ceil(self.batch_size) }
    }

    /// Notes examples that a delivered batch had to skip; an error once they are more than tolerated.
    fn note_skipped(&self, bad: Vec<BadExample>) -> Result<(), DataError> {
        if bad.is_empty() {
            return Ok(());
        }
        let mut skipped = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
        skipped.extend(bad.into_iter().map(|b| (b.id, b)));
        if skipped.len() <= self.tolerance {
            return Ok(());
        }
        Err(DataError::BadExamples {
            origin: self.preparer.data().description().to_owned(),
            total: self.orders.len(),
            tolerance: self.tolerance,
            bad: skipped.values().cloned().collect(),
        })
    }
}

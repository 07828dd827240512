//! From a data set to batches: prepared ahead by worker threads, in an order that depends on nothing but seed and
//! epoch.
//!
//! - [`batch`]: [`Batch`], [`Targets`], and [`Cursor`], a place in the stream of batches;
//! - [`keep`]: values made of examples, kept by somebody so that these need not be prepared again;
//! - [`order`]: the order of an epoch;
//! - [`partition`]: how it is cut into batches;
//! - `prepare`: one batch from its ids, of its `inputs`, tokens and `targets`; `checks` what must fit before the first one, `numbers` stored values
//!   as those of a batch;
//! - `tokens`: texts as tokens, encoded once, or for each batch where texts are on disk or changed at random;
//! - `run_ahead`: the threads, and their results in order.

pub mod batch;
mod checks;
mod inputs;
pub mod keep;
pub(crate) mod numbers;
pub mod order;
pub mod partition;
mod prepare;
mod run_ahead;
mod targets;
mod tokens;

pub use batch::{Batch, BatchInputs, BatchSize, Cursor, Targets};
pub use keep::{Keeper, KeptRows};
pub use run_ahead::Batches;

use crate::augment::{Augmentation, Mixing, TextAugmenter};
use crate::dataset::{Dataset, Inputs};
use crate::error::{BadExample, DataError};
use crate::hash::ContentHash;
use crate::preprocess::Preprocessing;
use crate::text::{TextEncoder, TokenStatistics};
use order::{EpochPlans, Order};
use partition::{EpochPlan, Partition};
use prepare::{Buffers, Preparer, Worker};
use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, PoisonError};

/// How batches are made.
#[derive(Debug, Clone)]
pub struct LoaderOptions {
    /// Examples per batch at most.
    pub batch_size: usize,
    /// Tokens per batch at most, for texts: as many examples as fit, of at most `batch_size`. An example that has more is a batch
    /// by itself. `None`: any number.
    pub batch_tokens: Option<usize>,
    /// Whether texts of like length are put together, see [`EpochPlan::new`]. Acts where epochs are shuffled.
    pub bucket: bool,
    /// Cuts texts into tokens: those in memory when the loader is made; those on disk, and those that are changed, as batches are made.
    pub encoder: Option<Arc<TextEncoder>>,
    /// Whether each epoch has its own random order; otherwise the order of the ids given.
    pub shuffle: bool,
    /// How often each example is drawn, with replacement, by id (see [`Sampling::resolve`](crate::Sampling::resolve)); acts where
    /// epochs are shuffled. An example that comes several times in an epoch is changed in the same way each time. Default: each example
    /// once.
    pub sampling: Option<Vec<f32>>,
    /// Examples of an epoch where they are drawn. Default: as many as there are.
    pub draws: Option<usize>,
    /// Whether a last batch of fewer examples is left out.
    pub drop_last: bool,
    /// Seed of the order and of the augmentation.
    pub seed: u64,
    /// Augmentations of images and numbers, in order.
    pub augment: Vec<Augmentation>,
    /// Augmentations of texts. With any, the worker threads cut texts into tokens in each epoch, and batches are planned by the lengths of
    /// the unchanged texts: one may have more tokens than `batch_tokens`. Default: none, and texts are cut once.
    pub text_augment: Option<Arc<TextAugmenter>>,
    /// Examples mixed with others of their batch. Default: none.
    pub mixing: Option<Mixing>,
    /// How many different augmentations an example has: epoch e takes that of epoch `e mod k`. `None`: another one in each epoch.
    pub augmentations: Option<NonZeroU64>,
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
            batch_tokens: None,
            bucket: false,
            encoder: None,
            shuffle: true,
            sampling: None,
            draws: None,
            drop_last: false,
            seed: 0,
            augment: Vec::new(),
            text_augment: None,
            mixing: None,
            augmentations: None,
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
    plans: EpochPlans,
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
    /// [`Resize`](crate::preprocess::Resize); labels that cannot be encoded as asked for; texts without an encoder, or more texts
    /// without any token than tolerated.
    pub fn new(data: Arc<Dataset>, ids: Vec<u64>, options: LoaderOptions) -> Result<Loader, DataError> {
        if options.batch_size == 0 {
            return Err(DataError::setting("batch-size", "at least 1", 0));
        }
        if options.batch_tokens == Some(0) {
            return Err(DataError::setting("batch-tokens", "at least 1", 0));
        }
        if data.texts().is_none() && (options.batch_tokens.is_some() || options.bucket) {
            let name = if options.bucket { "bucket" } else { "batch-tokens" };
            return Err(DataError::setting(name, "data that are texts", data.description()));
        }
        if options.batch_tokens.is_some() && options.drop_last {
            return Err(DataError::setting(
                "drop-last",
                "`batch-size`",
                "`batch-tokens`, which has no last, smaller batch",
            ));
        }
        if ids.is_empty() {
            return Err(DataError::NoExamples { place: format!("the part of {} to load", data.description()) });
        }
        data.check_ids(&ids)?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let takes_work = match data.inputs() {
            Inputs::Encoded(_) => true,
            Inputs::Texts(texts) => texts.are_on_disk() || options.text_augment.is_some(),
            Inputs::Images(_) | Inputs::Features(_) | Inputs::Table(_) => false,
        };
        let workers = options.workers.unwrap_or(if takes_work { cores } else { 1 });
        let partition = Partition {
            examples: options.batch_size,
            tokens: options.batch_tokens,
            bucket: options.bucket,
            drop_last: options.drop_last,
        };
        if options.draws == Some(0) {
            return Err(DataError::setting("draws", "at least 1", 0));
        }
        let (seed, draws, tolerance) = (options.seed, options.draws, options.tolerance);
        let (shuffle, sampling) = (options.shuffle, options.sampling.clone());
        if sampling.as_ref().is_some_and(|weights| weights.len() != data.total()) {
            let expected = format!("{} weights, one per example", data.total());
            return Err(DataError::setting("sampling", expected, sampling.map_or(0, |weights| weights.len())));
        }
        let prefetch = options.prefetch.max(1);
        let (preparer, unusable) = Preparer::new(data, &ids, options)?;
        let without: HashSet<u64> = unusable.iter().map(|bad| bad.id).collect();
        let ids: Vec<u64> =
            if without.is_empty() { ids } else { ids.into_iter().filter(|id| !without.contains(id)).collect() };
        if ids.is_empty() {
            let origin = preparer.data().description().to_owned();
            return Err(match unusable.len() > tolerance {
                true => DataError::BadExamples { total: unusable.len(), origin, tolerance, bad: unusable },
                false => DataError::NoExamples { place: format!("{origin}, of examples that can be used,") },
            });
        }
        let order = match sampling {
            _ if !shuffle => Order::AsGiven,
            None => Order::Shuffled(seed),
            Some(weights) => Order::Drawn { seed, weights, count: draws.unwrap_or(ids.len()) },
        };
        let plans = EpochPlans::new(ids, order, partition);
        let shared = Shared { preparer, plans, workers, prefetch, tolerance, skipped: Mutex::default() };
        shared.note_skipped(unusable)?;
        Ok(Loader { shared: Arc::new(shared) })
    }

    /// The data set that the examples are taken from.
    pub fn data(&self) -> &Dataset {
        self.shared.preparer.data()
    }

    /// The same, to be kept.
    pub fn shared_data(&self) -> Arc<Dataset> {
        self.shared.preparer.shared_data()
    }

    /// How many different augmentations an example has: 1 where it is never changed at random, `None` where it is another in each
    /// epoch.
    pub fn augmentations(&self) -> Option<u64> {
        self.shared.preparer.augmentations()
    }

    /// The keys of examples as they are prepared in `epoch`, see [`keep`].
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn keys(&self, ids: &[u64], epoch: u64) -> Result<Vec<ContentHash>, DataError> {
        self.shared.preparer.keys(ids, epoch)
    }

    /// Number of examples in an epoch, those of a dropped last batch included; where examples are drawn, each time counts.
    pub fn len(&self) -> usize {
        self.shared.plans.len()
    }

    /// Whether there are no examples; never, as [`Loader::new`] refuses it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Examples of a batch at most.
    pub fn batch_size(&self) -> usize {
        self.largest_batch().examples
    }

    /// The most examples and the most tokens that a batch can have, though hardly one has both; of tokens sometimes
    /// [an estimate](Self::estimates_tokens).
    pub fn largest_batch(&self) -> BatchSize {
        let partition = self.shared.plans.partition();
        let examples = partition.examples.min(self.len());
        let Some(lengths) = self.shared.preparer.sorted_lengths() else {
            return BatchSize { examples, tokens: 0 };
        };
        let longest = lengths.last().copied().unwrap_or(0);
        let tokens = lengths.iter().rev().take(examples).sum::<usize>();
        let Some(most) = partition.tokens else { return BatchSize { examples, tokens } };
        let mut sum = 0;
        let shortest = lengths.iter().take_while(|&&length| {
            sum += length;
            sum <= most
        });
        BatchSize { examples: shortest.count().clamp(1, examples), tokens: tokens.min(most.max(longest)) }
    }

    /// Examples and tokens of a batch in the mean, rounded up.
    pub fn mean_batch(&self) -> BatchSize {
        let batches = self.batches_per_epoch().max(1);
        let tokens = self.token_statistics().map_or(0, |statistics| statistics.tokens.div_ceil(batches));
        BatchSize { examples: self.len().div_ceil(batches), tokens }
    }

    /// How long the examples are, in tokens; `None` where they are no texts. Sometimes [an estimate](Self::estimates_tokens).
    pub fn token_statistics(&self) -> Option<TokenStatistics> {
        self.shared.preparer.token_statistics()
    }

    /// Whether texts are changed at random before they are cut into tokens.
    pub fn changes_texts(&self) -> bool {
        self.shared.preparer.changes_texts()
    }

    /// Whether all that is said of tokens before the first batch is an estimate: texts are changed at random, or there are so many of
    /// them that only a sample was cut into tokens.
    pub fn estimates_tokens(&self) -> bool {
        self.shared.preparer.estimates_tokens()
    }

    /// The text of an example, or the two of a pair, as changed in `epoch`; of words with a space between. `None` where inputs are no
    /// texts.
    pub fn text_of(&self, id: u64, epoch: u64) -> Option<(String, Option<String>)> {
        self.shared.preparer.text(id, epoch)
    }

    /// For each token of an example the word that begins with it, −1 for others; nothing where texts are not given as words, or are
    /// [changed](Self::changes_texts).
    ///
    /// # Panics
    /// An id that is not among the loader's.
    pub fn words_of_tokens(&self, id: u64) -> &[i32] {
        self.shared.preparer.words(id)
    }

    /// Bytes that the tokens of all examples take in memory.
    pub fn token_bytes(&self) -> usize {
        self.shared.preparer.token_bytes()
    }

    /// Batches that there are at a time: prepared ahead, and at work.
    pub fn batches_ahead(&self) -> usize {
        self.shared.prefetch.max(self.shared.workers) + 1
    }

    /// Bytes of the inputs of all batches that there are at a time: prepared ahead, at work and to be used again. 0 where
    /// their shape is not known before they are decoded.
    pub fn prepared_bytes(&self) -> usize {
        let batches = self.batches_ahead();
        let values: usize = self.input_shape().map_or(0, |shape| shape.iter().product());
        let BatchSize { examples, tokens } = self.largest_batch();
        // Of each token its index, type and position.
        4 * (values * examples + 3 * tokens) * batches
    }

    /// Number of batches in an epoch; of the first one, where tokens limit a batch, as it depends on the order.
    pub fn batches_per_epoch(&self) -> usize {
        self.shared.batches_per_epoch()
    }

    /// Shape of one prepared input, where it is known before the first batch (not for image files that keep their
    /// stored size, and none are known to share, nor for texts).
    pub fn input_shape(&self) -> Option<&[usize]> {
        self.shared.preparer.input_shape()
    }

    /// The ids of all examples, each once; where they are drawn, an epoch need not have each.
    pub fn ids(&self) -> &[u64] {
        self.shared.plans.ids()
    }

    /// The ids of an epoch in their order.
    pub fn order(&self, epoch: u64) -> Vec<u64> {
        self.shared.plan(epoch).ids.clone()
    }

    /// From stored inputs and labels to what the network takes.
    pub fn preprocessing(&self) -> &Preprocessing {
        self.shared.preparer.preprocessing()
    }

    /// These examples as one batch, changed as in `epoch`, in this order and by this thread; of those that are mixed, with one another.
    ///
    /// # Errors
    /// An id not in the data; more examples that cannot be read than tolerated.
    pub fn batch_of(&self, ids: &[u64], epoch: u64) -> Result<Batch, DataError> {
        self.shared.preparer.data().check_ids(ids)?;
        let (cursor, mut worker) = (Cursor { epoch, position: 0 }, Worker::default());
        let prepared = self.shared.preparer.prepare(ids, cursor, cursor, None, &mut worker, Buffers::default())?;
        self.shared.note_skipped(prepared.skipped)?;
        Ok(prepared.batch)
    }

    /// The batches of one epoch.
    pub fn epoch(&self, epoch: u64) -> Batches {
        self.batches(Cursor { epoch, position: 0 }, epoch + 1)
    }

    /// The batches from a place on, up to the beginning of epoch `end`. Threads run on across epochs, so that no epoch
    /// begins with a wait. A stream begun at [`Batch::next`] of some batch goes on exactly as the one that gave that
    /// batch.
    pub fn batches(&self, from: Cursor, end: u64) -> Batches {
        Batches::start(self.shared.clone(), from, end, None)
    }

    /// The same, without inputs where `keeper` has values in their place.
    pub fn batches_with(&self, from: Cursor, end: u64, keeper: Option<Arc<dyn Keeper>>) -> Batches {
        Batches::start(self.shared.clone(), from, end, keeper)
    }

    /// The batches of one epoch, without inputs where `keeper` has values in their place.
    pub fn epoch_with(&self, epoch: u64, keeper: Option<Arc<dyn Keeper>>) -> Batches {
        self.batches_with(Cursor { epoch, position: 0 }, epoch + 1, keeper)
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
    fn plan(&self, epoch: u64) -> Arc<EpochPlan> {
        self.plans.of(epoch, |id| self.preparer.tokens(id))
    }

    fn batches_per_epoch(&self) -> usize {
        let Partition { examples, tokens, drop_last, .. } = *self.plans.partition();
        match tokens {
            Some(_) => self.plan(0).len(),
            None if drop_last => self.plans.len() / examples,
            None => self.plans.len().div_ceil(examples),
        }
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
            total: self.plans.len(),
            tolerance: self.tolerance,
            bad: skipped.values().cloned().collect(),
        })
    }
}

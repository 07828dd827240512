//! What the frozen part of a stage keeps: how much it will be, and what is there already.

use super::stages::Programs;
use super::{Job, Trainer};
use crate::error::TrainError;
use crate::features::segment::RELEASE_BYTES;
use crate::features::{FeatureStore, Part, StoreCounts};
use crate::steps::FrozenPart;
use retune_data::Loader;
use retune_models::Mode;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;

/// What will be kept of a network's frozen part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct FeaturePlan {
    /// Where.
    pub folder: PathBuf,
    /// Examples of all parts of the data, each of its augmentations counted.
    pub examples: u64,
    /// How many of them are kept already.
    pub present: u64,
    /// Bytes of all of them; of texts, by their mean length.
    pub bytes: u64,
    /// Bytes that can still be kept.
    pub available_bytes: u64,
    /// Whether examples to train on are among them; otherwise those to validate and to test alone.
    pub in_training: bool,
}

/// Different examples of a loader, each of its augmentations counted.
fn examples(loader: &Loader) -> u64 {
    loader.augmentations().unwrap_or(1) * loader.ids().len() as u64
}

/// How many of them are kept.
fn present(loader: &Loader, part: &Part) -> u64 {
    /// Examples whose keys are made together.
    const CHUNK: usize = 1 << 14;
    let Some(augmentations) = loader.augmentations().filter(|_| !part.is_empty()) else { return 0 };
    let has = |ids: &[u64], epoch: u64| match loader.keys(ids, epoch) {
        Ok(keys) => keys.iter().filter(|key| part.has(key)).count() as u64,
        // One cannot be read: the others may be there.
        Err(_) => {
            let has = |id: &&u64| loader.keys(&[**id], epoch).is_ok_and(|keys| keys.iter().all(|key| part.has(key)));
            ids.iter().filter(has).count() as u64
        }
    };
    (0..augmentations).map(|epoch| loader.ids().chunks(CHUNK).map(|ids| has(ids, epoch)).sum::<u64>()).sum()
}

fn mean_tokens(loader: &Loader) -> usize {
    loader.token_statistics().map_or(0, |tokens| tokens.mean.ceil() as usize)
}

impl Programs {
    /// Bytes in memory of kept values: of batches prepared ahead and at work, of pages of the files, and what is known of each
    /// example.
    pub(super) fn feature_bytes(&self, job: &Job) -> usize {
        /// A key, a place, and what a table needs beside them.
        const ENTRY_BYTES: u64 = 128;
        let largest = job.train.largest_batch();
        // Tokens are spread over examples; what is kept of a batch follows from the sum.
        let example = self.program.kept_bytes(largest.tokens.div_ceil(largest.examples.max(1))).unwrap_or(0);
        let batches = example * largest.examples * (job.train.batches_ahead() + 3);
        let trained = self.program.kept_bytes(mean_tokens(&job.train)).map(|bytes| (examples(&job.train), bytes));
        let evaluated = [&job.validation, &job.test].into_iter().flatten();
        let evaluated =
            evaluated.filter_map(|loader| Some((examples(loader), self.evaluator.kept_bytes(mean_tokens(loader))?)));
        let (mut count, mut bytes) = (0, 0);
        for (examples, example_bytes) in trained.into_iter().chain(evaluated) {
            count += examples;
            bytes += examples * example_bytes as u64;
        }
        batches + (bytes.min(RELEASE_BYTES) + count * ENTRY_BYTES) as usize
    }
}

impl Trainer {
    /// What will be kept of the frozen part in the stage at hand; `None` where nothing is.
    pub fn feature_plan(&mut self) -> Option<FeaturePlan> {
        self.feature_plan_of(self.stage)
    }

    /// The same in the stage of this number, if it is not over.
    pub fn feature_plan_of(&mut self, stage: usize) -> Option<FeaturePlan> {
        let store = self.store.clone()?;
        let programs = match stage.checked_sub(self.stage)? {
            0 => &mut self.programs,
            later => self.ahead.get_mut(later - 1)?,
        };
        let (job, weights) = (&self.job, &self.weights);
        let trained = programs.program.part(weights);
        let mut plan = FeaturePlan {
            folder: store.settings().folder.clone(),
            examples: 0,
            present: 0,
            bytes: 0,
            available_bytes: store.available_bytes(),
            in_training: trained.is_some(),
        };
        let mut add = |loader: &Loader, part: &Arc<Part>, example_bytes: Option<usize>| {
            plan.present += present(loader, part);
            plan.examples += examples(loader);
            plan.bytes += examples(loader) * example_bytes.unwrap_or(0) as u64;
        };
        if let Some(part) = trained {
            add(&job.train, &part, programs.program.kept_bytes(mean_tokens(&job.train)));
        }
        if let Some(part) = programs.evaluator.part(weights) {
            for loader in [&job.validation, &job.test].into_iter().flatten() {
                add(loader, &part, programs.evaluator.kept_bytes(mean_tokens(loader)));
            }
        }
        (plan.examples > 0).then_some(plan)
    }

    /// What the weights as they are give before those for which `is_learned` is true act; `None` where that is not a row of values for
    /// each example. Values that training keeps are taken from there.
    ///
    /// # Errors
    /// A network of several outputs, or no folder to keep values in.
    pub fn frozen_part(&mut self, is_learned: &[bool]) -> Result<Option<FrozenPart>, TrainError> {
        // A network is built of a model that has its values.
        self.exchange_values();
        let network = self.job.model.build(Mode::Inference, self.job.input_shapes.as_deref());
        self.exchange_values();
        let network = network?;
        let keeps = self.programs.program.kept_bytes(0).is_some();
        FrozenPart::new(&self.job.cpu, network, is_learned, self.store.as_ref().filter(|_| keeps))
    }

    /// Gives the model the values of its weights, or takes them back.
    fn exchange_values(&mut self) {
        for (weight, value) in self.job.model.weights.iter_mut().zip(&mut self.weights) {
            std::mem::swap(&mut weight.value, value);
        }
    }

    /// How many examples went through the frozen part, and of how many its values were read; `None` where none are kept.
    pub fn feature_counts(&self) -> Option<StoreCounts> {
        self.store.as_ref().map(FeatureStore::counts).filter(|counts| *counts != StoreCounts::default())
    }
}

//! What the frozen part of a network gives for examples, to look at by itself.

use super::prefix::Prefix;
use super::program::{simplified, single_output};
use crate::error::TrainError;
use crate::features::{CacheSettings, FeatureStore};
use retune_cpu::Cpu;
use retune_data::Loader;
use retune_models::Network;
use retune_tensor::Tensor;
use tempfile::TempDir;

/// The part of a network that depends on no learned weight, ready to be computed.
#[derive(Debug)]
pub struct FrozenPart {
    prefix: Prefix,
    inputs: Vec<String>,
    /// Where values are kept for as long as the part is there, if nobody keeps them for longer.
    _folder: Option<TempDir>,
}

impl FrozenPart {
    /// The part of a network of one output on which no weight acts for which `is_learned` is true; `None` where there is no such
    /// part, or where it gives other than a row of a fixed number of values for each example. Values are read from `store`, if there is
    /// one, and kept there.
    ///
    /// # Errors
    /// A network of several outputs, or no folder to keep values in.
    pub fn new(
        cpu: &Cpu,
        network: Network,
        is_learned: &[bool],
        store: Option<&FeatureStore>,
    ) -> Result<Option<FrozenPart>, TrainError> {
        let output = single_output(&network)?;
        let Network { graph, inputs, .. } = network;
        let inputs: Vec<String> = inputs.into_iter().map(|input| input.name).collect();
        let (graph, wanted) = simplified(graph, vec![output.node])?;
        let cut = |store: &FeatureStore| Prefix::cut(cpu, &graph, &wanted, &inputs, |id| is_learned[id.0], store);
        let mut folder = None;
        let mut parts = store.map(&cut).transpose()?.flatten();
        if parts.is_none() {
            let place = std::env::temp_dir();
            let temporary = tempfile::tempdir().map_err(TrainError::write(&place))?;
            let settings = CacheSettings { always: true, ..CacheSettings::in_folder(temporary.path()) };
            parts = cut(&FeatureStore::open(settings).map_err(TrainError::write(&place))?)?;
            folder = Some(temporary);
        }
        let prefix = parts.map(|parts| parts.prefix).filter(|prefix| prefix.width().is_some());
        Ok(prefix.map(|prefix| FrozenPart { prefix, inputs, _folder: folder }))
    }

    /// Values for each example.
    pub fn width(&self) -> usize {
        self.prefix.width().unwrap_or(0)
    }

    /// The values of every example of an epoch of `loader`, in its order, `[examples, width]`, and their ids. `each` is told how many
    /// examples are done.
    ///
    /// # Errors
    /// Inputs that do not fit, or an unreadable example.
    pub fn rows(
        &mut self,
        weights: &[Tensor],
        loader: &Loader,
        mut each: impl FnMut(usize),
    ) -> Result<(Vec<f32>, Vec<u64>), TrainError> {
        let (mut rows, mut ids) = (Vec::new(), Vec::new());
        let keeper = self.prefix.keeper(weights);
        for batch in loader.epoch_with(0, Some(keeper)) {
            let batch = batch?;
            for values in self.prefix.rows(weights, &self.inputs, &batch)? {
                rows.extend_from_slice(&values);
            }
            ids.extend_from_slice(&batch.example_ids);
            each(ids.len());
        }
        Ok((rows, ids))
    }
}

//! What of a network is frozen is computed once per example and kept.
//!
//! The frozen part of a graph ([`cut_frozen_prefix`]) gives an example the same values in every epoch. They are written to a file that
//! has no name and lives as long as the run, so that a stale value cannot be met; later epochs and evaluations read them. The
//! values are the very bits that the part computes, which do not depend on the rest of a batch: a run with and one without the
//! cache end the same.

use crate::error::TrainError;
use retune_cpu::{Cpu, Session, StepRandom};
use retune_data::{Batch, BatchInputs, BatchSize, Dataset};
use retune_graph::passes::cut_frozen_prefix;
use retune_graph::{Dim, Graph, NodeId, Symbol, WeightId};
use retune_tensor::Tensor;
use std::collections::HashMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Kept values of the examples of a run, shared by training and evaluation.
#[derive(Debug, Clone)]
pub struct FeatureStore(Arc<Mutex<Store>>);

#[derive(Debug)]
struct Store {
    file: File,
    end: u64,
    limit_bytes: u64,
    /// Offset and number of values by owner and example.
    records: HashMap<(u64, u64), (u64, usize)>,
}

impl FeatureStore {
    /// A store in a nameless file in `folder` that takes up to `limit_bytes`; what does not fit is computed anew each time.
    ///
    /// # Errors
    /// If the file cannot be made.
    pub fn create(folder: &Path, limit_bytes: u64) -> io::Result<FeatureStore> {
        let file = tempfile::tempfile_in(folder)?;
        Ok(FeatureStore(Arc::new(Mutex::new(Store { file, end: 0, limit_bytes, records: HashMap::new() }))))
    }

    /// Bytes that are kept.
    pub fn size_bytes(&self) -> u64 {
        self.lock().end
    }

    /// Examples that are kept, of every part of a network counted by itself.
    pub fn len(&self) -> usize {
        self.lock().records.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Store> {
        // A store is whole between any two operations on it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// The values of these examples one after the other; `None` if one is missing.
    fn read(&mut self, owner: u64, ids: &[u64]) -> io::Result<Option<Vec<Vec<f32>>>> {
        let records: Option<Vec<(u64, usize)>> =
            ids.iter().map(|&id| self.records.get(&(owner, id)).copied()).collect();
        let Some(records) = records else { return Ok(None) };
        let mut bytes = Vec::new();
        let mut values = Vec::with_capacity(ids.len());
        for (offset, len) in records {
            bytes.resize(4 * len, 0);
            self.file.seek(SeekFrom::Start(offset))?;
            self.file.read_exact(&mut bytes)?;
            let numbers = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            values.push(numbers.collect());
        }
        Ok(Some(values))
    }

    fn write(&mut self, owner: u64, id: u64, values: &[f32]) -> io::Result<()> {
        let size = 4 * values.len() as u64;
        if self.records.contains_key(&(owner, id)) || self.end + size > self.limit_bytes {
            return Ok(());
        }
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(&bytes)?;
        self.records.insert((owner, id), (self.end, values.len()));
        self.end += size;
        Ok(())
    }
}

/// The frozen part of a network, whose values are kept.
#[derive(Debug)]
pub(super) struct Prefix {
    session: Session,
    features: Vec<Feature>,
    /// Tells the values of this part from those of others.
    signature: u64,
    store: FeatureStore,
}

/// One of the values that the rest of the network reads.
#[derive(Debug)]
struct Feature {
    name: String,
    /// Sizes of a row.
    row: Vec<usize>,
    rows: Rows,
}

/// How many rows of a value belong to an example.
#[derive(Debug, Clone, Copy)]
enum Rows {
    Fixed(usize),
    Tokens,
}

/// A network cut in two: the rest with the nodes wanted of it, and the frozen part.
pub(super) struct Parts {
    pub(super) rest: Graph,
    pub(super) wanted: Vec<NodeId>,
    pub(super) prefix: Prefix,
}

impl Prefix {
    /// Cuts the frozen part off; `None` where there is none.
    pub(super) fn cut(
        cpu: &Cpu,
        graph: &Graph,
        wanted: &[NodeId],
        is_learned: impl Fn(WeightId) -> bool,
        store: &FeatureStore,
    ) -> Result<Option<Parts>, TrainError> {
        let Some(cut) = cut_frozen_prefix(graph, wanted, is_learned)? else { return Ok(None) };
        let mut features = Vec::new();
        for (name, shape) in cut.names.iter().zip(cut.shapes()) {
            let row: Option<Vec<usize>> = shape.dims()[1..].iter().map(|dim| dim.fixed()).collect();
            let rows = match shape.dims()[0] {
                Dim::Scaled(rows, Symbol::Batch) => Rows::Fixed(rows),
                Dim::Scaled(1, Symbol::Tokens) => Rows::Tokens,
                Dim::Scaled(..) | Dim::Fixed(_) => return Ok(None),
            };
            let Some(row) = row else { return Ok(None) };
            features.push(Feature { name: name.clone(), row, rows });
        }
        let mut hasher = DefaultHasher::new();
        (cut.prefix.to_string(), &cut.features).hash(&mut hasher);
        let prefix = Prefix {
            session: Session::new(cpu, cut.prefix, cut.features),
            features,
            signature: hasher.finish(),
            store: store.clone(),
        };
        Ok(Some(Parts { rest: cut.rest, wanted: cut.outputs, prefix }))
    }

    /// Bytes that are kept for an example; with tokens, of a sequence of `tokens`.
    pub(super) fn example_bytes(&self, tokens: usize) -> usize {
        4 * self.features.iter().map(|feature| feature.len(feature.rows.count(tokens))).sum::<usize>()
    }

    /// Memory of computing a batch of this size.
    pub(super) fn arena_bytes(&mut self, size: BatchSize) -> Result<usize, TrainError> {
        Ok(self.session.plan(super::program::bindings(size))?.arena_bytes())
    }

    /// The frozen values of a batch of `data`: kept ones, or computed and kept.
    pub(super) fn features(
        &mut self,
        weights: &[Tensor],
        inputs: &[(&str, &Tensor)],
        batch: &Batch,
        data: &Dataset,
    ) -> Result<Vec<(String, Tensor)>, TrainError> {
        let mut hasher = DefaultHasher::new();
        // A data set lives as long as the run, so its place in memory tells it from others.
        (self.signature, std::ptr::from_ref(data).addr()).hash(&mut hasher);
        let owner = hasher.finish();
        let ids = &batch.example_ids;
        let failed = |error: io::Error| TrainError::Features { error };
        let lengths = lengths(&batch.inputs, ids.len());
        if let Some(examples) = self.store.lock().read(owner, ids).map_err(failed)? {
            return Ok(self.joined(&examples, &lengths));
        }
        let outputs = self.session.run(weights, inputs, &StepRandom::NONE)?;
        let computed: Vec<&[f32]> = (0..self.features.len()).map(|index| outputs.f32(index)).collect();
        let mut starts = vec![0; self.features.len()];
        let mut store = self.store.lock();
        let mut record = Vec::new();
        for (&id, &tokens) in ids.iter().zip(&lengths) {
            record.clear();
            for ((feature, values), start) in self.features.iter().zip(&computed).zip(&mut starts) {
                let len = feature.len(feature.rows.count(tokens));
                record.extend_from_slice(&values[*start..*start + len]);
                *start += len;
            }
            store.write(owner, id, &record).map_err(failed)?;
        }
        let tensor = |(index, feature): (usize, &Feature)| (feature.name.clone(), outputs.tensor(index));
        Ok(self.features.iter().enumerate().map(tensor).collect())
    }

    /// Records of examples as the values of a batch.
    fn joined(&self, examples: &[Vec<f32>], lengths: &[usize]) -> Vec<(String, Tensor)> {
        let mut starts = vec![0; examples.len()];
        let mut tensors = Vec::new();
        for feature in &self.features {
            let (mut values, mut rows) = (Vec::new(), 0);
            for ((example, &tokens), start) in examples.iter().zip(lengths).zip(&mut starts) {
                let count = feature.rows.count(tokens);
                values.extend_from_slice(&example[*start..*start + feature.len(count)]);
                *start += feature.len(count);
                rows += count;
            }
            let shape: Vec<usize> = std::iter::once(rows).chain(feature.row.iter().copied()).collect();
            let tensor = Tensor::new(shape, values).expect("rows of the feature's size were joined");
            tensors.push((feature.name.clone(), tensor));
        }
        tensors
    }
}

impl Feature {
    /// Values of so many rows.
    fn len(&self, rows: usize) -> usize {
        rows * self.row.iter().product::<usize>()
    }
}

impl Rows {
    fn count(self, tokens: usize) -> usize {
        match self {
            Rows::Fixed(rows) => rows,
            Rows::Tokens => tokens,
        }
    }
}

/// Tokens of each example; 0 where there are none.
fn lengths(inputs: &BatchInputs, examples: usize) -> Vec<usize> {
    let lengths = match inputs {
        BatchInputs::Tokens(tokens) => tokens.get("lengths"),
        _ => None,
    };
    match lengths.map(Tensor::values) {
        Some(retune_tensor::Values::I32(lengths)) => {
            // An example may have several sequences.
            let of_example = lengths.chunks((lengths.len() / examples.max(1)).max(1));
            of_example.map(|lengths| lengths.iter().map(|&length| length as usize).sum()).collect()
        }
        _ => vec![0; examples],
    }
}

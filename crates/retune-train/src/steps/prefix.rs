//! The frozen part of a network, computed once per example.
//!
//! The part ([`cut_frozen_prefix`]) gives an example the same values in every epoch. They are kept ([`crate::features`]) and read
//! again in later epochs, evaluations and runs. The values are the very bits that the part computes, which do not depend on the rest
//! of a batch: a run with and one without kept values end the same.

use super::program::{bindings, input_tensors};
use crate::error::TrainError;
use crate::features::key::part_key;
use crate::features::{FeatureStore, Part};
use retune_cpu::{Cpu, Plan, Session, StepRandom};
use retune_data::{Batch, BatchInputs, BatchSize, ContentHash, Keeper};
use retune_graph::passes::cut_frozen_prefix;
use retune_graph::{Dim, Graph, NodeId, Op, Symbol, WeightId};
use retune_tensor::Tensor;
use std::sync::Arc;

/// Operations that a kept byte must save where only worthwhile values are kept: as long as it takes to read and check it.
const WORTHWHILE_FLOPS: u64 = 100;

/// Tokens of the sequence that the worth of a part is judged by.
const USUAL_TOKENS: usize = 32;

/// The frozen part of a network, whose values are kept.
#[derive(Debug)]
pub(super) struct Prefix {
    session: Session,
    cpu: Cpu,
    features: Vec<Feature>,
    /// Whether the rest of the network reads no input of its own but tokens.
    replaces_inputs: bool,
    store: FeatureStore,
    part: Option<Arc<Part>>,
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

/// The values of one part, for a loader.
#[derive(Debug)]
struct PartKeeper {
    part: Arc<Part>,
    replaces_inputs: bool,
}

impl Keeper for PartKeeper {
    fn kept(&self, key: &ContentHash) -> Option<Vec<f32>> {
        self.part.read(key)
    }

    fn replaces_inputs(&self) -> bool {
        self.replaces_inputs
    }
}

impl Prefix {
    /// Cuts the frozen part off; `None` where there is none, or none that is worth being kept. `names` are those of the network's
    /// inputs.
    pub(super) fn cut(
        cpu: &Cpu,
        graph: &Graph,
        wanted: &[NodeId],
        names: &[String],
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
        let mut inputs = cut.rest.nodes().iter().filter_map(|node| match &node.op {
            Op::Input(name) => Some(name),
            _ => None,
        });
        let replaces_inputs = !inputs.any(|name| names.contains(name));
        let mut prefix = Prefix {
            session: Session::new(cpu, cut.prefix, cut.features),
            cpu: cpu.clone(),
            features,
            replaces_inputs,
            store: store.clone(),
            part: None,
        };
        if !store.settings().always && !prefix.is_worthwhile()? {
            return Ok(None);
        }
        Ok(Some(Parts { rest: cut.rest, wanted: cut.outputs, prefix }))
    }

    fn is_worthwhile(&mut self) -> Result<bool, TrainError> {
        let bytes = self.example_bytes(USUAL_TOKENS) as u64;
        let plan = self.session.plan(bindings(BatchSize { examples: 1, tokens: USUAL_TOKENS }))?;
        Ok(plan.flops() >= WORTHWHILE_FLOPS * bytes)
    }

    /// Bytes that are kept for an example; with tokens, of a sequence of `tokens`.
    pub(super) fn example_bytes(&self, tokens: usize) -> usize {
        self.store.settings().precision.value_bytes() * self.example_values(tokens)
    }

    /// Values of an example, where all examples have as many.
    pub(super) fn width(&self) -> Option<usize> {
        let of_feature = |feature: &Feature| match feature.rows {
            Rows::Fixed(rows) => Some(feature.len(rows)),
            Rows::Tokens => None,
        };
        self.features.iter().map(of_feature).sum()
    }

    fn example_values(&self, tokens: usize) -> usize {
        self.features.iter().map(|feature| feature.len(feature.rows.count(tokens))).sum()
    }

    /// Memory and work of computing a batch of this size.
    pub(super) fn plan(&mut self, size: BatchSize) -> Result<&Plan, TrainError> {
        Ok(self.session.plan(bindings(size))?)
    }

    /// Where the values are kept. The frozen weights are taken to be the same at every call.
    pub(super) fn part(&mut self, weights: &[Tensor]) -> Arc<Part> {
        let Prefix { session, cpu, store, part, .. } = self;
        let open = || {
            let precision = store.settings().precision;
            store.part(part_key(session.graph(), session.outputs(), weights, cpu, precision))
        };
        part.get_or_insert_with(open).clone()
    }

    /// The same for a loader, which then leaves out what is not needed.
    pub(super) fn keeper(&mut self, weights: &[Tensor]) -> Arc<dyn Keeper> {
        Arc::new(PartKeeper { part: self.part(weights), replaces_inputs: self.replaces_inputs })
    }

    /// The frozen values of a batch: kept ones, and those computed here, which are then kept. `names` are those of the network's
    /// inputs.
    pub(super) fn features(
        &mut self,
        weights: &[Tensor],
        names: &[String],
        batch: &Batch,
    ) -> Result<Vec<(String, Tensor)>, TrainError> {
        let lengths = lengths(&batch.inputs, batch.len());
        let values = self.rows(weights, names, batch)?;
        self.joined(&values, &lengths)
    }

    /// The same, the values of each example one after the other.
    pub(super) fn rows(
        &mut self,
        weights: &[Tensor],
        names: &[String],
        batch: &Batch,
    ) -> Result<Vec<Vec<f32>>, TrainError> {
        let lengths = lengths(&batch.inputs, batch.len());
        let mut values: Vec<Option<Vec<f32>>> = match &batch.kept {
            Some(kept) => kept.values.clone(),
            None => vec![None; batch.len()],
        };
        let missing: Vec<usize> = (0..values.len()).filter(|&place| values[place].is_none()).collect();
        if !missing.is_empty() {
            let is_partial = batch.kept.as_ref().is_some_and(|kept| kept.partial);
            let selected;
            let inputs = if is_partial || missing.len() == values.len() {
                &batch.inputs
            } else {
                selected = batch.inputs.select(&missing);
                &selected
            };
            let missing_lengths: Vec<usize> = missing.iter().map(|&place| lengths[place]).collect();
            let computed = self.compute(weights, names, inputs, &missing_lengths)?;
            for (place, computed) in missing.iter().copied().zip(computed) {
                if let Some(kept) = &batch.kept {
                    self.part(weights).keep(&kept.keys[place], &computed);
                }
                values[place] = Some(computed);
            }
        }
        self.store.count(values.len() - missing.len(), missing.len());
        Ok(values.into_iter().flatten().collect())
    }

    /// What the frozen part gives for each example, its features one after the other.
    fn compute(
        &mut self,
        weights: &[Tensor],
        names: &[String],
        inputs: &BatchInputs,
        lengths: &[usize],
    ) -> Result<Vec<Vec<f32>>, TrainError> {
        let inputs = input_tensors(names, inputs)?;
        let outputs = self.session.run(weights, &inputs, &StepRandom::NONE)?;
        let computed: Vec<&[f32]> = (0..self.features.len()).map(|index| outputs.f32(index)).collect();
        let mut starts = vec![0; self.features.len()];
        let mut examples = Vec::with_capacity(lengths.len());
        for &tokens in lengths {
            let mut example = Vec::new();
            for ((feature, values), start) in self.features.iter().zip(&computed).zip(&mut starts) {
                let len = feature.len(feature.rows.count(tokens));
                example.extend_from_slice(&values[*start..*start + len]);
                *start += len;
            }
            if !self.store.settings().precision.round(&mut example) {
                return Err(TrainError::unfit(
                    ("a value of the frozen layers is too large for 16 bits", "冻结层的某个值超出 16 位的范围"),
                    "set `cache-precision = \"f32\"` in `[train]`",
                ));
            }
            examples.push(example);
        }
        Ok(examples)
    }

    /// Values of examples as those of a batch.
    fn joined(&self, examples: &[Vec<f32>], lengths: &[usize]) -> Result<Vec<(String, Tensor)>, TrainError> {
        for (example, &tokens) in examples.iter().zip(lengths) {
            if example.len() != self.example_values(tokens) {
                return Err(TrainError::Mismatch {
                    what: "kept values of an example",
                    expected: self.example_values(tokens).to_string(),
                    found: example.len().to_string(),
                });
            }
        }
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
        Ok(tensors)
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
    let lengths = inputs.tokens().map(|tokens| tokens.lengths.values());
    match lengths {
        Some(retune_tensor::Values::I32(lengths)) => {
            // An example may have several sequences.
            let of_example = lengths.chunks((lengths.len() / examples.max(1)).max(1));
            of_example.map(|lengths| lengths.iter().map(|&length| length as usize).sum()).collect()
        }
        _ => vec![0; examples],
    }
}

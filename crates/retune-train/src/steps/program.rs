//! The training graph: forward, loss, and only the gradients that a trainable weight needs.

use super::prefix::Prefix;
use crate::error::TrainError;
use crate::features::{FeatureStore, Part};
use crate::losses::{Ending, Loss, Output};
use crate::said;
use retune_cpu::{Cpu, Outputs, Plan, Session, StepRandom};
use retune_data::{Batch, BatchInputs, BatchSize, Keeper, Targets, TokenInputs};
use retune_graph::ops::Unary;
use retune_graph::ops::reduce::Reduction;
use retune_graph::passes::{fold_scale, fuse_activations, recompute_normalization};
use retune_graph::{Bindings, DType, Graph, GraphError, NodeId, Op, Role, Shape, WeightId, gradients};
use retune_models::{FinalActivation, Network, Regularizer};
use retune_tensor::Tensor;
use std::sync::Arc;

/// Names of the graph's inputs beside those of the network.
pub(super) const TARGETS: &str = "targets";
const EXAMPLE_WEIGHTS: &str = "example weights";
const PENALTY_WEIGHT: &str = "penalty weight";

/// A network with its loss as one graph whose outputs are losses, gradients and new statistics.
///
/// The gradients are those of `Σᵢ wᵢ · lossᵢ + n · penalty` over the n items of a batch: its examples, or, where tokens have
/// targets, those that have one. They are sums, not means, so that those of several batches add up; whoever applies them divides by
/// the number of items. (Of tokens that is PyTorch's mean with `ignore_index`, with weights all 1.)
#[derive(Debug)]
pub struct TrainingProgram {
    session: Session,
    loss: Loss,
    inputs: Vec<String>,
    trainable: Vec<WeightId>,
    statistics: Vec<WeightId>,
    has_penalty: bool,
    prefix: Option<Prefix>,
}

impl TrainingProgram {
    /// Builds the program of a network built for training. `regularizers` are penalties on weights (Keras's `l1`, `l2`), of which
    /// those on trainable weights count.
    ///
    /// # Errors
    /// A network of several outputs, no trainable weight, or one that the loss does not depend on; an operation without
    /// gradient.
    pub fn new(
        cpu: &Cpu,
        network: Network,
        loss: Loss,
        regularizers: &[(WeightId, Regularizer)],
    ) -> Result<TrainingProgram, TrainError> {
        TrainingProgram::with_store(cpu, network, loss, regularizers, None)
    }

    /// The same; what the frozen part of the network gives is kept in `store`, if there is one. Frozen weights must then stay as they
    /// are at the first step.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn with_store(
        cpu: &Cpu,
        network: Network,
        loss: Loss,
        regularizers: &[(WeightId, Regularizer)],
        store: Option<&FeatureStore>,
    ) -> Result<TrainingProgram, TrainError> {
        let output = single_output(&network)?;
        let Network { mut graph, inputs, updates, .. } = network;
        let inputs: Vec<String> = inputs.into_iter().map(|input| input.name).collect();
        let targets = loss.targets(&mut graph, output.node, TARGETS);
        let per_example = loss.per_example(&mut graph, output, targets)?;
        let penalty = penalty(&mut graph, regularizers)?;

        let mut wanted = vec![per_example, output.node];
        wanted.extend(updates.iter().map(|&(_, node)| node));
        wanted.extend(penalty);
        let (graph, wanted) = simplified(graph, wanted)?;
        let (mut graph, mut wanted, prefix) = match store {
            Some(store) => {
                let is_learned = |id: WeightId| graph.weight_info(id).role != Role::Frozen;
                match Prefix::cut(cpu, &graph, &wanted, &inputs, is_learned, store)? {
                    Some(parts) => (parts.rest, parts.wanted, Some(parts.prefix)),
                    None => (graph, wanted, None),
                }
            }
            None => (graph, wanted, None),
        };
        let (per_example, penalty) = (wanted[0], penalty.and_then(|_| wanted.pop()));

        let shape = graph.shape(per_example).clone();
        let example_weights = graph.input(EXAMPLE_WEIGHTS, shape, DType::F32);
        let mut seeds = vec![(per_example, example_weights)];
        if let Some(penalty) = penalty {
            seeds.push((penalty, graph.input(PENALTY_WEIGHT, Shape::scalar(), DType::F32)));
        }
        let (trainable, nodes) = trainable_weights(&graph)?;
        let forward = graph.nodes().len();
        let found = gradients(&mut graph, &seeds, &nodes)?;
        let mut outputs = vec![wanted[0], wanted[1]];
        for (id, gradient) in trainable.iter().zip(found) {
            outputs.push(gradient.ok_or_else(|| unused(&graph, *id))?);
        }
        outputs.extend(&wanted[2..]);
        outputs.extend(penalty);
        let recomputed = recompute_normalization(&graph, &outputs, forward)?;
        let outputs = outputs.into_iter().map(|node| recomputed.id(node)).collect();
        Ok(TrainingProgram {
            session: Session::new(cpu, recomputed.graph, outputs),
            loss,
            inputs,
            trainable,
            statistics: updates.into_iter().map(|(id, _)| id).collect(),
            has_penalty: penalty.is_some(),
            prefix,
        })
    }

    /// The trainable weights, in the order of the gradients.
    pub fn trainable(&self) -> &[WeightId] {
        &self.trainable
    }

    /// The graph.
    pub fn graph(&self) -> &Graph {
        self.session.graph()
    }

    /// What of the graph a step computes.
    pub fn outputs(&self) -> &[NodeId] {
        self.session.outputs()
    }

    /// Memory and work of one batch of this size.
    ///
    /// # Errors
    /// If the memory cannot be had.
    pub fn plan(&mut self, size: BatchSize) -> Result<&Plan, TrainError> {
        Ok(self.session.plan(bindings(size))?)
    }

    /// Bytes that are kept of what is frozen for an example (with tokens: of so many); `None` where nothing is.
    pub fn kept_bytes(&self, tokens: usize) -> Option<usize> {
        self.prefix.as_ref().map(|prefix| prefix.example_bytes(tokens))
    }

    /// Memory and work of computing what is frozen, for a batch of this size; `None` where nothing is kept.
    ///
    /// # Errors
    /// If the memory cannot be had.
    pub fn prefix_plan(&mut self, size: BatchSize) -> Result<Option<&Plan>, TrainError> {
        self.prefix.as_mut().map(|prefix| prefix.plan(size)).transpose()
    }

    /// The values kept of what is frozen, for a loader whose batches this program is given; `None` where nothing is kept.
    pub fn keeper(&mut self, weights: &[Tensor]) -> Option<Arc<dyn Keeper>> {
        self.prefix.as_mut().map(|prefix| prefix.keeper(weights))
    }

    /// The same, to look into.
    pub fn part(&mut self, weights: &[Tensor]) -> Option<Arc<Part>> {
        self.prefix.as_mut().map(|prefix| prefix.part(weights))
    }

    /// Forward and backward on one batch.
    ///
    /// # Errors
    /// Inputs or targets of another shape than the graph's, a class index that has no output.
    pub fn run(&mut self, weights: &[Tensor], batch: &Batch, seed: u64) -> Result<BatchOutputs<'_>, TrainError> {
        let examples = batch.len();
        let targets = targets_of(batch)?;
        let items = items(batch);
        let example_weights = weights_of(batch);
        let count = example_weights.len();
        let example_weights = Tensor::new([count], example_weights).expect("a vector has as many values as its length");
        let penalty_weight = Tensor::full([], items as f32);
        let features = match &mut self.prefix {
            Some(prefix) => prefix.features(weights, &self.inputs, batch)?,
            None => Vec::new(),
        };
        let mut inputs = named_inputs(&self.inputs, batch)?;
        inputs.extend(features.iter().map(|(name, tensor)| (name.as_str(), tensor)));
        inputs.push((TARGETS, &targets));
        inputs.push((EXAMPLE_WEIGHTS, &example_weights));
        inputs.push((PENALTY_WEIGHT, &penalty_weight));
        let random = StepRandom { seed, epoch: batch.cursor.epoch, example_ids: &batch.example_ids };
        let outputs = self.session.run(weights, &inputs, &random)?;
        let mut result = BatchOutputs {
            outputs,
            trainable: self.trainable.len(),
            statistics: &self.statistics,
            examples,
            items,
            loss_sum: 0.0,
            right: 0.0,
        };
        let weighted = result.outputs.f32(0).iter().zip(example_weights.as_f32().unwrap_or(&[]));
        result.loss_sum = weighted.map(|(&loss, &weight)| f64::from(loss) * f64::from(weight)).sum();
        if self.has_penalty {
            let penalty = result.outputs.f32(2 + self.trainable.len() + self.statistics.len());
            result.loss_sum += items as f64 * f64::from(penalty[0]);
        }
        result.right = right_answers(&self.loss, result.outputs.f32(1), &batch.targets);
        Ok(result)
    }
}

/// What a batch gave: losses, gradients, new statistics.
#[derive(Debug)]
pub struct BatchOutputs<'a> {
    outputs: Outputs<'a>,
    trainable: usize,
    statistics: &'a [WeightId],
    /// Number of examples.
    pub examples: usize,
    /// Number of losses that the mean is taken of: examples, or tokens that have a target.
    pub items: usize,
    /// `Σ wᵢ · lossᵢ`, penalties included.
    pub loss_sum: f64,
    /// Number of right answers, where the loss is one of classes.
    pub right: f64,
}

impl BatchOutputs<'_> {
    /// The sum over the examples of the gradient of trainable weight number `index`.
    pub fn gradient(&self, index: usize) -> &[f32] {
        self.outputs.f32(2 + index)
    }

    /// The gradients of all trainable weights.
    pub fn gradients(&self) -> Vec<&[f32]> {
        (0..self.trainable).map(|index| self.gradient(index)).collect()
    }

    /// Each statistic with its value after this batch.
    pub fn statistics(&self) -> impl Iterator<Item = (WeightId, &[f32])> {
        let start = 2 + self.trainable;
        self.statistics.iter().enumerate().map(move |(index, &id)| (id, self.outputs.f32(start + index)))
    }

    /// Loss of each example, or each token, without its weight.
    pub fn losses(&self) -> &[f32] {
        self.outputs.f32(0)
    }
}

/// The one output of a network, as losses see it.
pub(super) fn single_output(network: &Network) -> Result<Output, TrainError> {
    let [output] = network.outputs.as_slice() else {
        let names: Vec<&str> = network.outputs.iter().map(|output| output.name.as_str()).collect();
        return Err(TrainError::unfit(
            said!(
                "the network has {count} outputs: {names}",
                "网络有 {count} 个输出：{names}",
                count = names.len(),
                names = names.join(", ")
            ),
            "training takes networks of one output; cut the model off at one of them",
        ));
    };
    let ending = match output.final_activation {
        FinalActivation::Softmax => Ending::Softmax,
        FinalActivation::Sigmoid => Ending::Sigmoid,
        FinalActivation::None => Ending::Other,
    };
    Ok(Output { node: output.node, ending, logits: output.logits })
}

/// Folds frozen batch normalization and fuses activations.
pub(super) fn simplified(graph: Graph, wanted: Vec<NodeId>) -> Result<(Graph, Vec<NodeId>), GraphError> {
    let folded = fold_scale(&graph, &wanted)?;
    let wanted: Vec<NodeId> = wanted.into_iter().map(|node| folded.id(node)).collect();
    let fused = fuse_activations(&folded.graph, &wanted)?;
    let wanted = wanted.into_iter().map(|node| fused.id(node)).collect();
    Ok((fused.graph, wanted))
}

/// `Σ l1 · Σ|w| + l2 · Σw²` over trainable weights with a penalty.
fn penalty(graph: &mut Graph, regularizers: &[(WeightId, Regularizer)]) -> Result<Option<NodeId>, GraphError> {
    let mut total: Option<NodeId> = None;
    for (id, regularizer) in
        regularizers.iter().filter(|(id, _)| graph.weight_info(*id).role.is_trainable()).cloned().collect::<Vec<_>>()
    {
        let Some(weight) = weight_node(graph, id) else { continue };
        for (factor, function) in [(regularizer.l1, Unary::Abs), (regularizer.l2, Unary::Square)] {
            if factor == 0.0 {
                continue;
            }
            let values = graph.unary(function, weight)?;
            let axes: Vec<usize> = (0..graph.shape(weight).rank()).collect();
            let sum = graph.reduce_away(Reduction::Sum, values, &axes)?;
            let term = graph.affine(sum, factor, 0.0)?;
            total = Some(match total {
                Some(total) => graph.add(total, term)?,
                None => term,
            });
        }
    }
    Ok(total)
}

fn weight_node(graph: &Graph, id: WeightId) -> Option<NodeId> {
    graph.ids().find(|&node| matches!(graph.node(node).op, Op::Weight(weight) if weight == id))
}

/// The trainable weights of the table, each with its node.
fn trainable_weights(graph: &Graph) -> Result<(Vec<WeightId>, Vec<NodeId>), TrainError> {
    let trainable = graph.weights().iter().enumerate().filter(|(_, info)| matches!(info.role, Role::Trainable { .. }));
    let ids: Vec<WeightId> = trainable.map(|(index, _)| WeightId(index)).collect();
    if ids.is_empty() {
        let problem = ("no weight is trainable", "没有可训练的权重");
        return Err(TrainError::unfit(problem, "unfreeze some layers, or add a new head"));
    }
    let node = |&id: &WeightId| weight_node(graph, id).ok_or_else(|| unused(graph, id));
    let nodes = ids.iter().map(node).collect::<Result<_, _>>()?;
    Ok((ids, nodes))
}

fn unused(graph: &Graph, id: WeightId) -> TrainError {
    TrainError::unfit(
        said!(
            "the loss does not depend on the trainable weight `{weight}`",
            "损失与可训练的权重 `{weight}` 无关",
            weight = graph.weight_info(id).name
        ),
        "freeze its layer",
    )
}

/// The batch's inputs under the network's names; none where the batch has those of some examples alone.
pub(super) fn named_inputs<'a>(
    names: &'a [String],
    batch: &'a Batch,
) -> Result<Vec<(&'a str, &'a Tensor)>, TrainError> {
    let is_partial = batch.kept.as_ref().is_some_and(|kept| kept.partial);
    if is_partial { Ok(Vec::new()) } else { input_tensors(names, &batch.inputs) }
}

/// Inputs under the network's names.
pub(super) fn input_tensors<'a>(
    names: &'a [String],
    inputs: &'a BatchInputs,
) -> Result<Vec<(&'a str, &'a Tensor)>, TrainError> {
    let mismatch = |found: String| TrainError::Mismatch {
        what: "inputs of an example",
        expected: format!("{} as the network has: {}", names.len(), names.join(", ")),
        found,
    };
    match inputs {
        BatchInputs::Tokens(tokens) => {
            let input = |name: &'a String| Some((name.as_str(), tokens.get(name)?));
            names.iter().map(input).collect::<Option<_>>().ok_or_else(|| mismatch(TokenInputs::NAMES.join(", ")))
        }
        inputs if names.len() == inputs.dense().len() => {
            Ok(names.iter().map(String::as_str).zip(inputs.dense()).collect())
        }
        inputs => Err(mismatch(inputs.dense().len().to_string())),
    }
}

/// What the symbols of a graph stand for in a batch of this size.
pub(super) fn bindings(size: BatchSize) -> Bindings {
    Bindings { batch: size.examples, tokens: size.tokens }
}

/// The batch's targets as a tensor.
pub(super) fn targets_of(batch: &Batch) -> Result<Tensor, TrainError> {
    match &batch.targets {
        Targets::ClassIndex(indices) => {
            Ok(Tensor::new([indices.len()], indices.clone()).expect("a vector has as many values as its length"))
        }
        // Those without a target have no weight.
        Targets::TokenClasses(classes) => {
            let classes: Vec<i32> = classes.iter().map(|&class| class.max(0)).collect();
            Ok(Tensor::new([classes.len()], classes).expect("a vector has as many values as its length"))
        }
        Targets::Dense(tensor) => Ok(tensor.clone()),
        _ => Err(TrainError::unfit(("the data has no labels", "数据没有标签"), "give a source with labels")),
    }
}

/// Number of losses of a batch that its mean is taken of.
fn items(batch: &Batch) -> usize {
    match &batch.targets {
        Targets::TokenClasses(classes) => classes.iter().filter(|&&class| class >= 0).count(),
        _ => batch.len(),
    }
}

/// The weight of each loss of a batch; that of tokens without a target is 0.
fn weights_of(batch: &Batch) -> Vec<f32> {
    match (&batch.sample_weights, &batch.targets) {
        (Some(weights), _) => weights.clone(),
        (None, Targets::TokenClasses(classes)) => {
            classes.iter().map(|&class| f32::from(u8::from(class >= 0))).collect()
        }
        (None, _) => vec![1.0; batch.len()],
    }
}

/// How many examples have their largest output where their target has it; of a single output, on the right side of the middle.
fn right_answers(loss: &Loss, outputs: &[f32], targets: &Targets) -> f64 {
    use crate::metrics::scored::argmax;
    let threshold = if loss.from_logits() == Some(true) { 0.0 } else { 0.5 };
    let right = match targets {
        Targets::ClassIndex(classes) | Targets::TokenClasses(classes) if !classes.is_empty() => {
            let rows = outputs.chunks_exact(outputs.len() / classes.len());
            rows.zip(classes).filter(|(row, class)| argmax(row) as i32 == **class).count()
        }
        Targets::Dense(tensor) if loss.from_logits().is_some() => {
            let width = tensor.shape()[1..].iter().product::<usize>().max(1);
            let rows = outputs.chunks_exact(width).zip(tensor.as_f32().unwrap_or(&[]).chunks_exact(width));
            let right = |(row, target): &(&[f32], &[f32])| match loss {
                Loss::BinaryCrossEntropy { .. } => row.iter().zip(*target).all(|(y, t)| (*y > threshold) == (*t > 0.5)),
                _ => argmax(row) == argmax(target),
            };
            rows.filter(right).count()
        }
        _ => 0,
    };
    right as f64
}

//! Predictions of a network on a part of the data, and their losses.

use super::prefix::Prefix;
use super::program::{TARGETS, bindings, named_inputs, simplified, single_output, targets_of};
use crate::error::TrainError;
use crate::features::{FeatureStore, Part};
use crate::language::Said;
use crate::losses::{Ending, Loss, TargetForm};
use crate::metrics::{LabelledWords, Scored, TagSet};
use retune_cpu::{Cpu, Plan, Session, StepRandom};
use retune_data::{Batch, BatchSize, Loader, Targets};
use retune_models::Network;
use retune_tensor::Tensor;
use std::sync::Arc;

/// A network built for inference, with its loss if there are labels to compare with.
#[derive(Debug)]
pub struct Evaluator {
    session: Session,
    loss: Option<Loss>,
    inputs: Vec<String>,
    ending: Ending,
    prefix: Option<Prefix>,
}

impl Evaluator {
    /// An evaluator that knows predictions and losses.
    ///
    /// # Errors
    /// A network of several outputs, or one that the loss does not fit.
    pub fn new(cpu: &Cpu, network: Network, loss: Loss) -> Result<Evaluator, TrainError> {
        Evaluator::build(cpu, network, Some(loss), None)
    }

    /// The same; what depends on no weight for which `is_learned` is true is kept in `store`. Those weights must then stay as they are
    /// at the first evaluation.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn with_store(
        cpu: &Cpu,
        network: Network,
        loss: Loss,
        is_learned: &[bool],
        store: &FeatureStore,
    ) -> Result<Evaluator, TrainError> {
        Evaluator::build(cpu, network, Some(loss), Some((is_learned, store)))
    }

    /// An evaluator that only predicts.
    ///
    /// # Errors
    /// A network of several outputs.
    pub fn without_loss(cpu: &Cpu, network: Network) -> Result<Evaluator, TrainError> {
        Evaluator::build(cpu, network, None, None)
    }

    fn build(
        cpu: &Cpu,
        network: Network,
        loss: Option<Loss>,
        kept: Option<(&[bool], &FeatureStore)>,
    ) -> Result<Evaluator, TrainError> {
        let output = single_output(&network)?;
        let Network { mut graph, inputs, .. } = network;
        let inputs: Vec<String> = inputs.into_iter().map(|input| input.name).collect();
        let mut wanted = vec![output.node];
        if let Some(loss) = loss {
            let targets = loss.targets(&mut graph, output.node, TARGETS);
            wanted.push(loss.per_example(&mut graph, output, targets)?);
        }
        let (graph, wanted) = simplified(graph, wanted)?;
        let cut = match kept {
            Some((is_learned, store)) => Prefix::cut(cpu, &graph, &wanted, &inputs, |id| is_learned[id.0], store)?,
            None => None,
        };
        let (graph, wanted, prefix) = match cut {
            Some(parts) => (parts.rest, parts.wanted, Some(parts.prefix)),
            None => (graph, wanted, None),
        };
        Ok(Evaluator { session: Session::new(cpu, graph, wanted), loss, inputs, ending: output.ending, prefix })
    }

    /// Memory and work of one batch of this size.
    ///
    /// # Errors
    /// If the memory cannot be had.
    pub fn plan(&mut self, size: BatchSize) -> Result<&Plan, TrainError> {
        Ok(self.session.plan(bindings(size))?)
    }

    /// Memory and work of computing what is frozen, for a batch of this size; `None` where nothing is kept.
    ///
    /// # Errors
    /// If the memory cannot be had.
    pub fn prefix_plan(&mut self, size: BatchSize) -> Result<Option<&Plan>, TrainError> {
        self.prefix.as_mut().map(|prefix| prefix.plan(size)).transpose()
    }

    /// Bytes that are kept of what is frozen for an example (with tokens: of so many); `None` where nothing is.
    pub fn kept_bytes(&self, tokens: usize) -> Option<usize> {
        self.prefix.as_ref().map(|prefix| prefix.example_bytes(tokens))
    }

    /// The values kept of what is frozen; `None` where nothing is kept.
    pub fn part(&mut self, weights: &[Tensor]) -> Option<Arc<Part>> {
        self.prefix.as_mut().map(|prefix| prefix.part(weights))
    }

    /// Predictions, targets and losses of every example of an epoch of `loader`; `each` is told how many examples are done.
    ///
    /// Scores are probabilities where the loss has classes, also where the network gives logits.
    ///
    /// # Errors
    /// Inputs or labels that do not fit, or an unreadable example.
    pub fn evaluate(
        &mut self,
        weights: &[Tensor],
        loader: &Loader,
        mut each: impl FnMut(usize),
    ) -> Result<Scored, TrainError> {
        let Some(loss) = self.loss else {
            return Err(TrainError::unfit(("the loss is not known", "不知道该用哪种损失"), "name it"));
        };
        // Not those of the frozen part, whose weights do not change.
        self.session.forget_constants();
        let mut all = Collected::default();
        let keeper = self.prefix.as_mut().map(|prefix| prefix.keeper(weights));
        for batch in loader.epoch_with(0, keeper) {
            let batch = batch?;
            let targets = targets_of(&batch)?;
            let features = match &mut self.prefix {
                Some(prefix) => prefix.features(weights, &self.inputs, &batch)?,
                None => Vec::new(),
            };
            let mut inputs = named_inputs(&self.inputs, &batch)?;
            inputs.extend(features.iter().map(|(name, tensor)| (name.as_str(), tensor)));
            inputs.push((TARGETS, &targets));
            let outputs = self.session.run(weights, &inputs, &random(&batch))?;
            all.width = outputs.shape(0)[1..].iter().product();
            all.rank = outputs.shape(0).len();
            all.add(&batch, loader, outputs.f32(0), outputs.f32(1));
            each(all.ids.len());
        }
        all.scored(loss, loader)
    }

    /// The raw outputs of every example of an epoch of `loader`, in its order: `[examples, …]`, or `[tokens, …]` of a network that
    /// gives an output for each token.
    ///
    /// # Errors
    /// Inputs that do not fit, outputs that change their size, or an unreadable example.
    pub fn predict(
        &mut self,
        weights: &[Tensor],
        loader: &Loader,
        mut each: impl FnMut(usize),
    ) -> Result<Tensor, TrainError> {
        self.session.forget_constants();
        let (mut values, mut shape) = (Vec::new(), Vec::new());
        let (mut examples, mut rows) = (0, 0);
        for batch in loader.epoch(0) {
            let batch = batch?;
            let inputs = named_inputs(&self.inputs, &batch)?;
            // A network with a loss wants targets as well; none of its nodes is needed for predictions.
            let outputs = self.session.run(weights, &inputs, &random(&batch))?;
            values.extend_from_slice(outputs.f32(0));
            shape = outputs.shape(0).to_vec();
            rows += shape.first().copied().unwrap_or(1);
            examples += batch.len();
            each(examples);
        }
        if let Some(first) = shape.first_mut() {
            *first = rows;
        }
        Tensor::new(shape, values)
            .map_err(|error| TrainError::unfit(Said::looked_up(error.to_string()), "give inputs of one size"))
    }

    /// The last function of the network.
    pub fn ending(&self) -> Ending {
        self.ending
    }
}

fn random(batch: &Batch) -> StepRandom<'_> {
    StepRandom { seed: 0, epoch: 0, example_ids: &batch.example_ids }
}

/// Predictions and targets as they come.
#[derive(Default)]
struct Collected {
    scores: Vec<f32>,
    losses: Vec<f32>,
    width: usize,
    rank: usize,
    classes: Vec<u32>,
    dense: Vec<f32>,
    ids: Vec<u64>,
    /// Where the labelled words of each example end, and their places.
    words: Option<LabelledWords>,
}

impl Collected {
    fn add(&mut self, batch: &Batch, loader: &Loader, scores: &[f32], losses: &[f32]) {
        self.ids.extend_from_slice(&batch.example_ids);
        if let Targets::TokenClasses(classes) = &batch.targets {
            return self.add_words(batch, loader, classes, scores, losses);
        }
        self.scores.extend_from_slice(scores);
        self.losses.extend_from_slice(losses);
        match &batch.targets {
            Targets::ClassIndex(classes) => self.classes.extend(classes.iter().map(|&class| class as u32)),
            Targets::Dense(tensor) => self.dense.extend_from_slice(tensor.as_f32().unwrap_or(&[])),
            _ => (),
        }
    }

    /// The tokens that have a target; the loss of an example is the mean of theirs.
    fn add_words(&mut self, batch: &Batch, loader: &Loader, classes: &[i32], scores: &[f32], losses: &[f32]) {
        let all = self.words.get_or_insert_with(|| LabelledWords { ends: Vec::new(), places: Vec::new(), tags: None });
        let mut token = 0;
        for &id in &batch.example_ids {
            let (mut sum, before) = (0.0, all.places.len());
            for &word in loader.words_of_tokens(id) {
                if let Ok(class) = u32::try_from(classes[token]) {
                    self.classes.push(class);
                    all.places.push(word as u32);
                    self.scores.extend_from_slice(&scores[token * self.width..(token + 1) * self.width]);
                    sum += f64::from(losses[token]);
                }
                token += 1;
            }
            all.ends.push(all.places.len());
            self.losses.push((sum / (all.places.len() - before).max(1) as f64) as f32);
        }
    }

    fn scored(mut self, loss: Loss, loader: &Loader) -> Result<Scored, TrainError> {
        if loss.from_logits() == Some(true) {
            let rows = self.scores.chunks_exact_mut(self.width.max(1));
            match loss {
                Loss::BinaryCrossEntropy { .. } => rows.flatten().for_each(|x| *x = sigmoid(*x)),
                _ => rows.for_each(softmax),
            }
        }
        let width = self.width;
        if let Some(words) = self.words {
            let tags = loader.data().class_names().and_then(TagSet::new).map(Arc::new);
            let scored = Scored::of_words(self.scores, width, self.classes, LabelledWords { tags, ..words })?;
            return Ok(scored.with_losses(self.losses).with_ids(self.ids));
        }
        let scored = match loss.target_form() {
            // Outputs such as one class per pixel have a loss, but no class per example.
            TargetForm::ClassIndex | TargetForm::ClassProbabilities if self.rank != 2 => {
                Scored::unknown(self.ids.len())
            }
            TargetForm::ClassIndex => Scored::classes(self.scores, width, self.classes)?,
            TargetForm::ClassProbabilities => {
                let most_likely = |row: &[f32]| crate::metrics::scored::argmax(row) as u32;
                Scored::classes(self.scores, width, self.dense.chunks_exact(width).map(most_likely).collect())?
            }
            TargetForm::Binary if width == 1 => {
                Scored::classes(self.scores, 1, self.dense.iter().map(|&value| u32::from(value > 0.5)).collect())?
            }
            TargetForm::Binary => Scored::labels(self.scores, width, self.dense)?,
            TargetForm::Values => Scored::values(self.scores, width, self.dense)?,
        };
        Ok(scored.with_losses(self.losses).with_ids(self.ids))
    }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// Softmax of one row, in place.
pub fn softmax(row: &mut [f32]) {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    row.iter_mut().for_each(|x| *x = (*x - largest).exp());
    let sum: f32 = row.iter().sum();
    row.iter_mut().for_each(|x| *x /= sum);
}

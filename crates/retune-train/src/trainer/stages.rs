//! Stages of a run: the same loop, in which other weights are trained from some epoch on.
//!
//! A run of one stage is the usual one. LP-FT (Kumar et al., *Fine-tuning can distort pretrained features*, 2022) has two, the
//! head and everything; gradual unfreezing (Howard and Ruder, *ULMFiT*, 2018) one more for each group of layers.
//!
//! Each stage is a training of its own: its learning rate begins anew, and so do the optimizer's state, the number of steps that
//! Adam corrects its moments by, and what lowers the rate on plateaus. Early stopping watches the last stage alone. Weights that
//! a stage trains are trained by all that follow; whatever no stage so far has trained can be computed once per example.

use super::Job;
use crate::error::TrainError;
use crate::features::FeatureStore;
use crate::losses::Loss;
use crate::optimizers::OptimizerState;
use crate::said;
use crate::schedules::Schedule;
use crate::steps::{Evaluator, TrainingProgram};
use retune_cpu::Cpu;
use retune_graph::WeightId;
use retune_models::{Mode, Model};
use std::collections::VecDeque;

/// A part of a run in which the same weights are trained.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// What it trains, in words: `head`, `all weights`.
    pub name: String,
    /// Its first epoch, from 0. It lasts until the next stage begins, or to the end of the run.
    pub first_epoch: u64,
    /// For each weight of the model whether the stage trains it, moving statistics among them; `None` for all. What the model
    /// itself freezes stays frozen.
    pub trained: Option<Vec<bool>>,
    /// The learning rate at the stage's own steps, counted from 0.
    pub schedule: Schedule,
}

impl Stage {
    /// The one stage of a run that trains whatever the model does not freeze.
    pub fn whole(schedule: Schedule) -> Stage {
        Stage { name: "all weights".to_owned(), first_epoch: 0, trained: None, schedule }
    }

    /// Whether it trains weight number `index`, if the model does not freeze it.
    fn trains(&self, index: usize) -> bool {
        self.trained.as_ref().is_none_or(|trained| trained.get(index).copied().unwrap_or(false))
    }
}

/// The stage that an epoch belongs to.
pub(super) fn stage_of(stages: &[Stage], epoch: u64) -> usize {
    stages.iter().rposition(|stage| stage.first_epoch <= epoch).unwrap_or(0)
}

/// Stages begin one after the other, and none freezes what one before it trained.
pub(super) fn check(stages: &[Stage], model: &Model) -> Result<(), TrainError> {
    let begins = stages.first().is_some_and(|first| first.first_epoch == 0);
    if !begins || !stages.is_sorted_by(|a, b| a.first_epoch < b.first_epoch) {
        return Err(TrainError::unfit(
            ("the stages do not follow one another from the first epoch on", "各阶段没有从第一轮起依次相接"),
            "order them",
        ));
    }
    for pair in stages.windows(2) {
        let lost = (0..model.weights.len()).find(|&index| pair[0].trains(index) && !pair[1].trains(index));
        if let Some(lost) = lost {
            return Err(TrainError::unfit(
                said!(
                    "the stage `{stage}` freezes `{weight}`, which was trained",
                    "阶段 `{stage}` 冻结了训练过的 `{weight}`",
                    stage = pair[1].name,
                    weight = model.weights[lost].name
                ),
                "let each stage train what those before it do",
            ));
        }
    }
    Ok(())
}

/// What a stage runs: the training graph and the one for evaluation, both cut where its frozen part ends.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) program: TrainingProgram,
    pub(super) evaluator: Evaluator,
    /// Dropouts inside of frozen layers that are left out.
    pub(super) dropouts_left_out: usize,
}

impl Programs {
    /// Those of all stages, in order. The model keeps its flags, but for weights that no stage trains: these become frozen.
    pub(super) fn of(job: &mut Job, store: Option<&FeatureStore>) -> Result<VecDeque<Programs>, TrainError> {
        check(&job.stages, &job.model)?;
        let flags: Vec<(bool, bool)> = job.model.weights.iter().map(|w| (w.trainable, w.statistic)).collect();
        let mut all = VecDeque::new();
        for index in 0..job.stages.len() {
            for (weight, (at, (trainable, statistic))) in job.model.weights.iter_mut().zip(flags.iter().enumerate()) {
                let trains = job.stages[index].trains(at);
                (weight.trainable, weight.statistic) = (trains && *trainable, trains && *statistic);
            }
            all.push_back(Programs::new(job, store)?);
        }
        Ok(all)
    }

    fn new(job: &Job, store: Option<&FeatureStore>) -> Result<Programs, TrainError> {
        let Job { cpu, model, loss, .. } = job;
        let build = |mode: Mode| {
            let network = model.build(mode, job.input_shapes.as_deref())?;
            Ok::<_, TrainError>(if job.settings.rounds_products { network.with_rounded_products()? } else { network })
        };
        let weights = model.weights.iter().enumerate();
        let regularizers: Vec<_> =
            weights.filter_map(|(index, weight)| Some((WeightId(index), weight.regularizer?))).collect();
        // Examples that are changed at random are others in each epoch.
        let own = store.filter(|_| job.train.augmentations().is_some());
        let mut network = build(Mode::Training)?;
        let random = network.random_operations();
        if !job.settings.frozen_dropout {
            network = network.without_frozen_dropout()?;
        }
        let dropouts_left_out = random - network.random_operations();
        let program = TrainingProgram::with_store(cpu, network, *loss, &regularizers, own)?;
        let evaluator = evaluator(cpu, model, build(Mode::Inference)?, *loss, store)?;
        Ok(Programs { program, evaluator, dropouts_left_out })
    }

    /// The optimizer before its first step on what this stage trains.
    pub(super) fn optimizer(&self, job: &Job) -> OptimizerState {
        let o = &job.optimizer;
        let infos = self.program.graph().weights();
        OptimizerState::new(o.optimizer, o.weight_decay, o.decay_mode, o.decay_all, &o.groups, infos)
    }
}

fn evaluator(
    cpu: &Cpu,
    model: &Model,
    network: retune_models::Network,
    loss: Loss,
    store: Option<&FeatureStore>,
) -> Result<Evaluator, TrainError> {
    let is_learned: Vec<bool> = model.weights.iter().map(|weight| weight.trainable || weight.statistic).collect();
    match store {
        Some(store) => Evaluator::with_store(cpu, network, loss, &is_learned, store),
        None => Evaluator::new(cpu, network, loss),
    }
}

//! What an optimizer remembers, and the update of all weights of one step.

use super::{DecayMode, Optimizer};
use retune_cpu::Cpu;
use retune_cpu::optimize::Common;
use retune_graph::{Role, WeightId, WeightInfo};
use retune_tensor::Tensor;
use serde::Serialize;

/// Settings of one group of weights. [`Role::Trainable`] names the group by its index.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ParameterGroup {
    /// Factor of the learning rate. Default 1.
    pub learning_rate: f64,
    /// Factor of weight decay. Default 1.
    pub weight_decay: f64,
}

impl Default for ParameterGroup {
    fn default() -> ParameterGroup {
        ParameterGroup { learning_rate: 1.0, weight_decay: 1.0 }
    }
}

/// One weight with all that its update needs.
pub struct WeightUpdate<'a> {
    /// Where loops run.
    pub cpu: &'a Cpu,
    /// Clipping and weight decay.
    pub common: Common,
    /// Learning rate of the weight's group at this step.
    pub learning_rate: f64,
    /// Number of this step, counted from 1.
    pub step: u64,
    /// Gradient of the mean loss.
    pub gradient: &'a [f32],
    /// The weight, changed in place.
    pub weight: &'a mut [f32],
    /// The weight's state, in the order of [`Optimizer::slots`], changed in place.
    pub slots: &'a mut [Vec<f32>],
}

/// One trainable weight: which it is, and how it is treated.
#[derive(Debug, Clone)]
struct Entry {
    weight: WeightId,
    name: String,
    group: ParameterGroup,
    decays: bool,
    slots: Vec<Vec<f32>>,
}

/// An optimizer at work: its settings, the state of each trainable weight, and the number of steps done.
#[derive(Debug, Clone)]
pub struct OptimizerState {
    optimizer: Optimizer,
    weight_decay: f64,
    decay_mode: DecayMode,
    entries: Vec<Entry>,
    steps: u64,
}

impl OptimizerState {
    /// The state before the first step, for every weight whose role is trainable.
    ///
    /// `weight_decay` acts on weights that decay ([`WeightInfo::decays`]: not on biases nor on norms), on all of them with
    /// `decay_all`. Groups beyond `groups` have factors of 1.
    pub fn new(
        optimizer: Optimizer,
        weight_decay: f64,
        decay_mode: DecayMode,
        decay_all: bool,
        groups: &[ParameterGroup],
        weights: &[WeightInfo],
    ) -> OptimizerState {
        let (slots, initial) = (optimizer.slots().len(), optimizer.initial_slot_value());
        let entry = |(index, info): (usize, &WeightInfo)| {
            let Role::Trainable { group } = info.role else { return None };
            let count = info.shape.volume().0;
            Some(Entry {
                weight: WeightId(index),
                name: info.name.clone(),
                group: groups.get(group).copied().unwrap_or_default(),
                decays: info.decays || decay_all,
                slots: vec![vec![initial; count]; slots],
            })
        };
        let entries = weights.iter().enumerate().filter_map(entry).collect();
        OptimizerState { optimizer, weight_decay, decay_mode, entries, steps: 0 }
    }

    /// The optimizer.
    pub fn optimizer(&self) -> &Optimizer {
        &self.optimizer
    }

    /// Steps done.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The trainable weights, in the order in which [`apply`](Self::apply) takes gradients.
    pub fn trainable(&self) -> impl ExactSizeIterator<Item = WeightId> {
        self.entries.iter().map(|entry| entry.weight)
    }

    /// Bytes of the state.
    pub fn size_bytes(&self) -> usize {
        self.entries.iter().flat_map(|entry| &entry.slots).map(|slot| slot.len() * size_of::<f32>()).sum()
    }

    /// One step: changes every trainable weight. `gradient(i)` is that of the i-th of [`trainable`](Self::trainable), and is
    /// multiplied by `gradient_scale`.
    pub fn apply<'a>(
        &mut self,
        cpu: &Cpu,
        learning_rate: f64,
        gradient_scale: f32,
        gradient: impl Fn(usize) -> &'a [f32],
        weights: &mut [Tensor],
    ) {
        self.steps += 1;
        for (index, entry) in self.entries.iter_mut().enumerate() {
            let learning_rate = learning_rate * entry.group.learning_rate;
            let decay = if entry.decays { self.weight_decay * entry.group.weight_decay } else { 0.0 };
            let (keep, l2) = match self.decay_mode {
                DecayMode::Decoupled => (1.0 - learning_rate * decay, 0.0),
                DecayMode::L2 => (1.0, decay),
            };
            self.optimizer.update(WeightUpdate {
                cpu,
                common: Common { scale: gradient_scale, keep: keep as f32, l2: l2 as f32 },
                learning_rate,
                step: self.steps,
                gradient: gradient(index),
                weight: weights[entry.weight.0].as_f32_mut().expect("trained weights are f32"),
                slots: &mut entry.slots,
            });
        }
    }

    /// Every slot with its name, `slot/weight`, for a checkpoint.
    pub fn slots(&self) -> impl Iterator<Item = (String, &[f32])> {
        let names = self.optimizer.slots();
        self.entries.iter().flat_map(move |entry| {
            let named = names.clone().into_iter().zip(&entry.slots);
            named.map(|(slot, values)| (format!("{slot}/{}", entry.name), values.as_slice()))
        })
    }

    /// Takes the state of a checkpoint: the number of steps, and each slot's values by name.
    ///
    /// # Errors
    /// The name of the first slot that `values` does not have in the right size; the state is then half restored.
    pub fn restore(&mut self, steps: u64, values: impl Fn(&str) -> Option<Vec<f32>>) -> Result<(), String> {
        let names = self.optimizer.slots();
        for entry in &mut self.entries {
            for (slot, state) in names.iter().zip(&mut entry.slots) {
                let name = format!("{slot}/{}", entry.name);
                *state = values(&name).filter(|values| values.len() == state.len()).ok_or(name)?;
            }
        }
        self.steps = steps;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimizers::Sgd;
    use retune_graph::Shape;

    fn weights() -> (Vec<WeightInfo>, Vec<Tensor>) {
        let info = |name: &str, role, decays| WeightInfo { name: name.into(), shape: Shape::fixed(&[2]), role, decays };
        let infos = vec![
            info("frozen", Role::Frozen, true),
            info("kernel", Role::Trainable { group: 0 }, true),
            info("bias", Role::Trainable { group: 1 }, false),
        ];
        (infos, vec![Tensor::full([2], 1.0); 3])
    }

    #[test]
    fn frozen_weights_stay_biases_do_not_decay_and_groups_have_their_rates() {
        let (infos, mut values) = weights();
        let groups = [ParameterGroup::default(), ParameterGroup { learning_rate: 0.5, weight_decay: 1.0 }];
        let sgd = Optimizer::Sgd(Sgd::default());
        let mut state = OptimizerState::new(sgd, 0.1, DecayMode::Decoupled, false, &groups, &infos);
        assert_eq!(state.trainable().collect::<Vec<_>>(), [WeightId(1), WeightId(2)]);
        state.apply(&Cpu::new(1), 0.1, 1.0, |_| &[1.0, 2.0], &mut values);
        assert_eq!(values[0].as_f32(), Some(&[1.0, 1.0][..]));
        let expected = [[1.0 - 0.01 - 0.1, 1.0 - 0.01 - 0.2], [1.0 - 0.05, 1.0 - 0.1]];
        for (value, expected) in values[1..].iter().zip(expected) {
            for (found, expected) in value.as_f32().unwrap().iter().zip(expected) {
                assert!((found - expected).abs() < 1e-6, "{values:?}");
            }
        }
    }

    #[test]
    fn a_restored_state_goes_on_with_the_same_bits() {
        let (infos, mut values) = weights();
        let make = || OptimizerState::new(Optimizer::default(), 0.004, DecayMode::Decoupled, false, &[], &infos);
        let (cpu, gradient) = (Cpu::new(1), |_| &[0.3f32, -0.7][..]);
        let mut state = make();
        state.apply(&cpu, 0.01, 1.0, gradient, &mut values);
        let saved: Vec<(String, Vec<f32>)> = state.slots().map(|(name, v)| (name, v.to_vec())).collect();
        assert_eq!(saved[0].0, "m/kernel");
        let find = |name: &str| saved.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        let mut restored = make();
        restored.restore(state.steps(), find).unwrap();
        let mut again = values.clone();
        state.apply(&cpu, 0.01, 1.0, gradient, &mut values);
        restored.apply(&cpu, 0.01, 1.0, gradient, &mut again);
        assert_eq!(values, again);
        assert_eq!(make().restore(1, |_| None), Err("m/kernel".to_owned()));
    }
}

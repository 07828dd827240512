//! Learning rates of single weights, as groups of the optimizer.
//!
//! Layer-wise decay: the rate falls by a factor from each group of layers to the one before it (Howard and Ruder, *ULMFiT*, 2018; Clark et
//! al., *ELECTRA*, 2020), as timm's `param_groups_layer_decay`. LoRA+: the second factor of a low-rank term learns faster than the first
//! (Hayou et al., *LoRA+*, 2024). Both multiply the factors of the recipe's own groups.

use crate::optimizers::ParameterGroup;
use retune_models::{AdapterKind, Model};
use std::collections::HashMap;

/// Puts every weight into a group with its rate; new groups are added behind those that there are.
pub(super) fn scale(model: &mut Model, groups: &mut Vec<ParameterGroup>, layer_decay: f64, up_factor: f64) {
    let mut factors = model.layer_scales(layer_decay);
    for adapter in model.adapters().iter().filter(|adapter| matches!(adapter.kind, AdapterKind::LowRank { .. })) {
        let up = model.weights.iter().position(|weight| weight.name == adapter.weights[1]);
        up.into_iter().for_each(|up| factors[up] *= up_factor);
    }
    let mut known: HashMap<(usize, u64), usize> = HashMap::new();
    for (weight, factor) in model.weights.iter_mut().zip(factors).filter(|(_, factor)| *factor != 1.0) {
        let own = groups.get(weight.group).copied().unwrap_or_default();
        weight.group = *known.entry((weight.group, factor.to_bits())).or_insert_with(|| {
            groups.push(ParameterGroup { learning_rate: own.learning_rate * factor, ..own });
            groups.len() - 1
        });
    }
}

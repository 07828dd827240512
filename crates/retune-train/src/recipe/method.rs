//! The method of a recipe: what is added to a model, and what of it is trained.

use super::keys::{Method, MethodKeys, value};
use crate::error::TrainError;
use retune_models::{Ia3, Lora, Model};

/// Puts the adapters of a method on a model that has its head. `full` and `head` add none.
pub(super) fn add_adapters(model: &mut Model, keys: &MethodKeys, seed: u64) -> Result<(), TrainError> {
    match value(&keys.kind).unwrap_or(Method::Full) {
        Method::Full | Method::Head => {}
        Method::Lora => {
            let rank = value(&keys.rank).unwrap_or(8);
            let own = || model.structure().map_or_else(|| Lora::default().targets, |own| own.lora_targets);
            let lora = Lora {
                rank,
                alpha: value(&keys.alpha).unwrap_or(rank as f32),
                dropout: value(&keys.dropout).unwrap_or(0.0),
                rank_stabilized: value(&keys.rank_stabilized).unwrap_or(false),
                decomposed: value(&keys.decomposed).unwrap_or(false),
                targets: value(&keys.targets).unwrap_or_else(own),
                rank_pattern: value(&keys.rank_pattern).unwrap_or_default().into_iter().collect(),
            };
            model.add_lora(&lora, seed)?;
        }
        Method::Ia3 => {
            let own = model.structure();
            let ia3 =
                own.map(|own| Ia3 { outputs: own.keys_and_values, inputs: own.inner_products }).unwrap_or_default();
            model.add_ia3(&ia3, seed)?;
        }
        Method::Biases => {
            model.train_biases()?;
        }
        Method::Norms => {
            model.train_norms()?;
        }
    }
    Ok(())
}

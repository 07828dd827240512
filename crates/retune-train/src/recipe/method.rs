//! The method of a recipe: what is added to a model, and what of it is trained, from which epoch on.

use super::keys::MethodKeys;
use super::sections::value;
use super::values::{Init, Inside, Method};
use crate::error::TrainError;
use crate::said;
use retune_data::{TextEncoder, TextSettings};
use retune_graph::ops::Activation;
use retune_models::{Bottleneck, Ia3, Lora, LoraInit, Model, Prefix, Prompt, PromptInit};

/// Virtual tokens where the recipe does not say how many.
const VIRTUAL_TOKENS: usize = 20;

/// Puts the adapters of a method on a model that has its head. Methods that train the model's own weights add none.
pub(super) fn add_adapters(model: &mut Model, keys: &MethodKeys, seed: u64) -> Result<(), TrainError> {
    match value(&keys.kind).unwrap_or(Method::Full) {
        Method::Full | Method::Head | Method::LpFt | Method::Gradual => {}
        Method::Lora => {
            let rank = value(&keys.rank).unwrap_or(8);
            let lora = Lora {
                rank,
                alpha: value(&keys.alpha).unwrap_or(rank as f32),
                dropout: value(&keys.dropout).unwrap_or(0.0),
                rank_stabilized: value(&keys.rank_stabilized).unwrap_or(false),
                decomposed: value(&keys.decomposed).unwrap_or(false),
                targets: value(&keys.targets).unwrap_or_else(|| model.lora_targets()),
                rank_pattern: value(&keys.rank_pattern).unwrap_or_default().into_iter().collect(),
                init: match value(&keys.init) {
                    Some(Init::Pissa) => LoraInit::Principal,
                    Some(Init::Zero) | None => LoraInit::Zero,
                },
            };
            model.add_lora(&lora, seed)?;
        }
        Method::Ia3 => {
            let own = model.structure();
            let ia3 =
                own.map(|own| Ia3 { outputs: own.keys_and_values, inputs: own.inner_products }).unwrap_or_default();
            model.add_ia3(&ia3, seed)?;
        }
        Method::Bottleneck => {
            let bottleneck = Bottleneck {
                size: value(&keys.size).unwrap_or(64),
                activation: match value(&keys.activation).unwrap_or(Inside::Gelu) {
                    Inside::Gelu => Activation::Gelu { approximate: false },
                    Inside::Relu => Activation::RELU,
                    Inside::Silu => Activation::Silu,
                    Inside::Tanh => Activation::Tanh,
                },
                targets: value(&keys.targets).unwrap_or_else(|| model.bottleneck_targets()),
            };
            model.add_bottleneck(&bottleneck, seed)?;
        }
        Method::Prompt => {
            let words = value(&keys.prompt_text).map(|text| words(model, &text)).transpose()?;
            let default = words.as_ref().map_or(VIRTUAL_TOKENS, Vec::len);
            let tokens = value(&keys.virtual_tokens).unwrap_or(default);
            model.add_prompt(&Prompt { tokens, init: words.map_or(PromptInit::Random, PromptInit::Words) }, seed)?;
        }
        Method::Prefix => {
            let tokens = value(&keys.virtual_tokens).unwrap_or(VIRTUAL_TOKENS);
            model.add_prefix(&Prefix { tokens }, seed)?;
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

/// The tokens of a text, those that mark its beginning and end included, as in PEFT.
fn words(model: &Model, text: &str) -> Result<Vec<i32>, TrainError> {
    let bytes = model.tokenizer().ok_or_else(|| {
        TrainError::unfit(
            ("`prompt-text` needs the model's tokenizer, and it has none", "`prompt-text` 需要模型的分词器，而它没有"),
            "leave `method.prompt-text` out",
        )
    })?;
    Ok(TextEncoder::new(bytes, TextSettings::default(), None)?.encode(text, None)?.token_ids)
}

/// A stage of a run before its learning rate is known.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outline {
    pub(super) name: String,
    pub(super) first_epoch: u64,
    pub(super) trained: Option<Vec<bool>>,
    /// The learning rate where it is not the recipe's.
    pub(super) learning_rate: Option<f64>,
}

/// The stages of a method in a run of so many epochs. `last_of_base` is the last layer that is not the head's.
pub(super) fn stages(
    model: &Model,
    keys: &MethodKeys,
    last_of_base: Option<&str>,
    epochs: u64,
) -> Result<Vec<Outline>, TrainError> {
    let all = Outline { name: "all weights".to_owned(), first_epoch: 0, trained: None, learning_rate: None };
    match value(&keys.kind).unwrap_or(Method::Full) {
        Method::LpFt => {
            let Some(last) = last_of_base else {
                return Err(TrainError::unfit(
                    ("the model has no head that could be trained first", "模型没有可以先训练的头"),
                    "name `model.head`",
                ));
            };
            let first_epochs = value(&keys.head_epochs).unwrap_or(1);
            if first_epochs >= epochs {
                return Err(TrainError::unfit(
                    said!(
                        "the head alone is trained for {first_epochs} of {epochs} epochs",
                        "单独训练头的轮数为 {first_epochs}，而总共只有 {epochs} 轮"
                    ),
                    "raise `train.epochs`, lower `method.head-epochs`, or use `kind = \"head\"`",
                ));
            }
            let head = Outline {
                name: "head".to_owned(),
                first_epoch: 0,
                trained: Some(model.weights_up_to(last)?.into_iter().map(|is_base| !is_base).collect()),
                learning_rate: value(&keys.head_learning_rate),
            };
            Ok(vec![head, Outline { first_epoch: first_epochs, ..all }])
        }
        Method::Gradual => Ok(gradual(model, value(&keys.unfreeze_every).unwrap_or(1), epochs)),
        _ => Ok(vec![Outline { name: trained_by(keys).to_owned(), ..all }]),
    }
}

/// One more group of layers from the top every so many epochs. Groups that the model freezes are passed over.
fn gradual(model: &Model, every: u64, epochs: u64) -> Vec<Outline> {
    let mut groups = model.layer_groups();
    groups.retain(|group| group.iter().any(|&index| model.weights[index].trainable));
    let mut trained = vec![false; model.weights.len()];
    let mut stages = Vec::new();
    for (index, group) in groups.iter().rev().enumerate() {
        let first_epoch = index as u64 * every;
        if first_epoch >= epochs {
            break;
        }
        group.iter().for_each(|&weight| trained[weight] = true);
        let name = match (index + 1, groups.len()) {
            (taken, all) if taken == all => "all weights".to_owned(),
            (1, _) => "the last group of layers".to_owned(),
            (taken, all) => format!("the last {taken} of {all} groups of layers"),
        };
        stages.push(Outline { name, first_epoch, trained: Some(trained.clone()), learning_rate: None });
    }
    stages
}

/// What a method of one stage trains, in words.
fn trained_by(keys: &MethodKeys) -> &'static str {
    match value(&keys.kind).unwrap_or(Method::Full) {
        Method::Full | Method::LpFt | Method::Gradual => "all weights",
        Method::Head => "head",
        Method::Lora | Method::Ia3 | Method::Bottleneck => "head and adapters",
        Method::Prompt => "head and prompt",
        Method::Prefix => "head and prefix",
        Method::Biases => "head and biases",
        Method::Norms => "head and norms",
    }
}

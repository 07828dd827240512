//! Folders of PEFT: `adapter_config.json` and `adapter_model.safetensors`.
//!
//! Names in the file are `base_model.model.` and the names that the base has in transformers; beside a prompt or a prefix, which
//! is one tensor `prompt_embeddings`, those of the head have `base_model.` alone before them. The head of the task is always
//! there, as one of PEFT's `modules_to_save`. A `config.json` with the task and its labels stands beside it, and what else travels with
//! the weights in `retune.json`: PEFT reads neither. A head that stands on
//! a pooling of sentence-transformers is none of transformers' modules: it is in the file as `classifier`, which retune reads back, while
//! PEFT loads the adapters of the encoder alone.
//!
//! PEFT has no bottlenecks. Their folder has the same files and names, `LAYER.adapter_down.weight` and so on, but its configuration
//! has `adapter_type` in the place of `peft_type`, `size` and `activation`.

use std::collections::BTreeMap;
use std::path::Path;

use retune_formats::safetensors::SafetensorsFile;
use retune_formats::{FormatError, safetensors};
use retune_graph::ops::Activation;
use retune_tensor::Tensor;
use serde_json::{Map, Value, json};

use super::{Adapter, AdapterBase, AdapterKind, Bottleneck, Ia3, Lora, LoraInit, Prefix, Prompt, PromptInit, merge};
use crate::error::{ModelError, Result};
use crate::model::{Architecture, Model};
use crate::report::{LoadReport, Missing, WrongShape};
use crate::torch::TorchModel;
use crate::torch::card;
use crate::torch::config::Config;
use crate::torch::files::RETUNE;
use crate::torch::sentence;
use crate::torch::task::Task;
use crate::weight::Weight;

pub(super) const CONFIG: &str = "adapter_config.json";
pub(super) const WEIGHTS: &str = "adapter_model.safetensors";
const PREFIX: &str = "base_model.model.";
/// What stands before names of the head beside virtual tokens.
const SHORT_PREFIX: &str = "base_model.";
/// The tensor of virtual tokens.
const EMBEDDINGS: &str = "prompt_embeddings";

fn refuse<T>(what: impl Into<String>, hint: &str) -> Result<T> {
    Err(ModelError::Surgery { what: what.into(), hint: hint.to_owned() })
}

impl Model {
    fn torch(&self, what: &'static str) -> Result<&TorchModel> {
        match &self.architecture {
            Architecture::Torch(torch) => Ok(torch),
            Architecture::Keras(_) => Err(ModelError::WrongKind {
                what,
                hint: "save the whole model: a model of Keras is written with its adapters merged",
            }),
        }
    }

    /// The name in PEFT's file of a weight of the model; `None` for frozen weights.
    fn peft_name(&self, torch: &TorchModel, name: &str) -> Option<String> {
        let own = self.adapters.iter().find(|adapter| adapter.weights.iter().any(|weight| weight == name));
        let is_virtual =
            |adapter: &Adapter| matches!(adapter.kind, AdapterKind::Prompt { .. } | AdapterKind::Prefix { .. });
        match own {
            Some(adapter) if is_virtual(adapter) => return Some(EMBEDDINGS.to_owned()),
            None if !torch.family.is_head(name) => return None,
            _ => {}
        }
        let prefix = if self.adapters.iter().any(is_virtual) { SHORT_PREFIX } else { PREFIX };
        Some(format!("{prefix}{}", torch.stored_name(name)))
    }

    /// Writes the adapters and the head as a folder that PEFT loads; bottlenecks, which it does not have, as one like it. `base` is where the base model is to be found: a name on
    /// the Hub or a folder.
    ///
    /// # Errors
    /// If there are no adapters, they differ in more than their ranks, or the operating system refuses.
    pub fn save_adapter(&self, path: impl AsRef<Path>, base: impl Into<AdapterBase>) -> Result<()> {
        let (path, torch) = (path.as_ref(), self.torch("writing adapters alone")?);
        let config = self.peft_config(torch, &base.into())?;
        let tensors: Vec<(String, Tensor)> = self
            .weights
            .iter()
            .filter_map(|weight| {
                let name = self.peft_name(torch, &weight.name)?;
                let value = weight.torch_layout.to_file(&self.beside_untouched_base(weight).ok()?);
                // PEFT keeps factors of inputs and outputs as rows and columns.
                let is_input =
                    self.adapters.iter().any(|a| a.kind == AdapterKind::ScaleInput && a.weights.contains(&weight.name));
                let is_factor = name.ends_with(".ia3_l");
                let value = match is_factor {
                    false => value,
                    true if is_input => Tensor::new([1, value.len()], value.to_f32_vec()).ok()?,
                    true => Tensor::new([value.len(), 1], value.to_f32_vec()).ok()?,
                };
                Some((name, value))
            })
            .collect();
        std::fs::create_dir_all(path).map_err(|error| FormatError::from(error).in_file(path))?;
        let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
        let named = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor));
        safetensors::write(path.join(WEIGHTS), named, &metadata)?;
        let class = torch.class();
        let mut texts = vec![(CONFIG, config), ("config.json", torch.described(&class))];
        if let Some(pooling) = torch.pooled_head() {
            let folder = path.join(sentence::POOLING);
            std::fs::create_dir_all(&folder).map_err(|error| FormatError::from(error).in_file(&folder))?;
            texts.push((sentence::POOLING_CONFIG, sentence::pooling_config(torch, pooling)));
        }
        texts.extend(self.metadata.iter().map(|metadata| (RETUNE, metadata.clone())));
        let texts = texts.into_iter().filter(|(_, value)| !value.is_null());
        // Without a card of its own the folder gets none: the base's is not about the adapters.
        let cards = self.card.iter().flat_map(|_| card::files(torch, self, path));
        for (name, text) in texts.map(|(name, value)| (name, format!("{value:#}\n"))).chain(cards) {
            retune_formats::atomic::write_atomic(&path.join(name), |file| {
                use std::io::Write;
                file.write_all(text.as_bytes())
            })
            .map_err(|error| FormatError::from(error).in_file(path))?;
        }
        Ok(())
    }

    /// The weight as it stands in a file of adapters. A term that began with the principal part of its weight is written as what it
    /// adds to the untouched weight, as PEFT converts it: `s · (down · up − down₀ · up₀)`, a plain term of twice the rank.
    fn beside_untouched_base(&self, weight: &Weight) -> Result<Tensor> {
        let own = self.adapters.iter().find_map(|adapter| {
            let place = adapter.weights.iter().position(|name| *name == weight.name)?;
            Some((place, &adapter.initial.as_ref()?[place], &adapter.kind))
        });
        let Some((place, initial, &AdapterKind::LowRank { rank, .. })) = own else { return Ok(weight.value.clone()) };
        let (now, first) = (merge::values(&weight.value), merge::values(initial));
        let mut shape = weight.value.shape().to_vec();
        let axis = shape.len() - if place == 0 { 1 } else { 2 };
        shape[axis] = 2 * rank;
        let values: Vec<f32> = match place {
            0 => now.chunks_exact(rank).zip(first.chunks_exact(rank)).flat_map(|(a, b)| [a, b].concat()).collect(),
            _ => now.iter().copied().chain(first.iter().map(|x| -x)).collect(),
        };
        Ok(Tensor::new(shape, values)?)
    }

    fn peft_config(&self, torch: &TorchModel, base: &AdapterBase) -> Result<Value> {
        let Some(first) = self.adapters.first() else {
            return refuse("the model has no adapters", "add some before they are saved, or save the model itself");
        };
        let layers = |kept: &dyn Fn(&Adapter) -> bool| -> Vec<&str> {
            self.adapters.iter().filter(|a| kept(a)).map(|a| layer(torch.stored_name(&a.target))).collect()
        };
        let all = layers(&|_| true);
        let others: Vec<&str> = self.weights.iter().map(|weight| layer(torch.stored_name(&weight.name))).collect();
        let is_end_of_another = |name: &str| others.iter().any(|other| !all.contains(other) && ends_with(other, name));
        // PEFT takes a name of a list for that of every layer that ends so, and a text for a regular expression of whole names.
        let targets = match all.iter().any(|name| is_end_of_another(name)) {
            false => json!(all),
            true => json!(all.iter().map(|name| name.replace('.', "\\.")).collect::<Vec<String>>().join("|")),
        };
        let heads: Vec<&str> = {
            let mut heads: Vec<&str> = self
                .weights
                .iter()
                .filter(|_| torch.pooled_head().is_none())
                .filter(|weight| torch.family.is_head(&weight.name) && weight.class != "Adapter")
                .map(|weight| weight.layer.split('.').next().unwrap_or(&weight.layer))
                .collect();
            heads.dedup();
            heads
        };
        let task = match torch.task {
            // PEFT has no kind of task for images.
            _ if torch.family.max_tokens().is_none() => Value::Null,
            _ if torch.pooled_head().is_some() => json!("FEATURE_EXTRACTION"),
            Task::Classification { .. } | Task::MultiLabel { .. } | Task::Regression { .. } => json!("SEQ_CLS"),
            Task::TokenClassification { .. } => json!("TOKEN_CLS"),
            Task::Embedding { .. } | Task::Similarity { .. } => json!("FEATURE_EXTRACTION"),
        };
        let mut config = json!({
            "base_model_name_or_path": base.name,
            "revision": base.revision,
            "inference_mode": true,
            "modules_to_save": if heads.is_empty() { Value::Null } else { json!(heads) },
            "target_modules": targets,
            "task_type": task,
        });
        let keys = config.as_object_mut().expect("an object was written above");
        match first.kind {
            AdapterKind::LowRank { rank, alpha, rank_stabilized, dropout, decomposed } => {
                let mut ranks = Map::new();
                for adapter in &self.adapters {
                    match adapter.kind {
                        AdapterKind::LowRank {
                            rank: other,
                            alpha: a,
                            rank_stabilized: s,
                            dropout: d,
                            decomposed: c,
                        } if (a, s, d, c) == (alpha, rank_stabilized, dropout, decomposed) => {
                            if other != rank {
                                let other = if first.initial.is_some() { 2 * other } else { other };
                                // Names of layers are taken for ends of names here too.
                                let name = layer(torch.stored_name(&adapter.target));
                                ranks.insert(format!("^{name}"), json!(other));
                            }
                        }
                        _ => return refuse("adapters of several kinds", "save the model with its adapters merged"),
                    }
                }
                // Of twice the rank with the same factor before it.
                let (rank, alpha) = match (&first.initial, rank_stabilized) {
                    (None, _) => (rank, alpha),
                    (Some(_), false) => (2 * rank, 2.0 * alpha),
                    (Some(_), true) => (2 * rank, std::f32::consts::SQRT_2 * alpha),
                };
                keys.insert("peft_type".to_owned(), json!("LORA"));
                keys.insert("r".to_owned(), json!(rank));
                keys.insert("lora_alpha".to_owned(), json!(alpha));
                keys.insert("lora_dropout".to_owned(), json!(dropout));
                keys.insert("use_rslora".to_owned(), json!(rank_stabilized));
                keys.insert("use_dora".to_owned(), json!(decomposed));
                keys.insert("rank_pattern".to_owned(), Value::Object(ranks));
                keys.insert("alpha_pattern".to_owned(), json!({}));
                keys.insert("bias".to_owned(), json!("none"));
                keys.insert("fan_in_fan_out".to_owned(), json!(false));
                keys.insert("init_lora_weights".to_owned(), json!(true));
            }
            AdapterKind::ScaleOutput | AdapterKind::ScaleInput => {
                keys.insert("peft_type".to_owned(), json!("IA3"));
                keys.insert("feedforward_modules".to_owned(), json!(layers(&|a| a.kind == AdapterKind::ScaleInput)));
                keys.insert("fan_in_fan_out".to_owned(), json!(false));
                keys.insert("init_ia3_weights".to_owned(), json!(true));
            }
            AdapterKind::Bottleneck { size, activation } => {
                let Some(name) = activation_name(activation) else {
                    let what = format!("bottlenecks with the activation `{}`", activation.name());
                    return refuse(what, "use `gelu`, `relu`, `silu` or `tanh`");
                };
                if self.adapters.iter().any(|adapter| adapter.kind != first.kind) {
                    return refuse("adapters of several kinds", "use one of them");
                }
                keys.insert("adapter_type".to_owned(), json!(BOTTLENECK));
                keys.insert("size".to_owned(), json!(size));
                keys.insert("activation".to_owned(), json!(name));
            }
            AdapterKind::Prompt { tokens } => {
                keys.insert("peft_type".to_owned(), json!("PROMPT_TUNING"));
                keys.insert("prompt_tuning_init".to_owned(), json!("RANDOM"));
                self.describe_virtual(torch, tokens, 1, keys);
            }
            AdapterKind::Prefix { tokens } => {
                keys.insert("peft_type".to_owned(), json!("PREFIX_TUNING"));
                keys.insert("prefix_projection".to_owned(), json!(false));
                let layers = torch.family.text().map_or(1, |text| text.layers_and_heads()[0]);
                self.describe_virtual(torch, tokens, 2 * layers, keys);
            }
        }
        Ok(config)
    }

    /// The keys that prompts and prefixes have in common. A token has `parts` vectors of the width of the base.
    fn describe_virtual(&self, torch: &TorchModel, tokens: usize, parts: usize, keys: &mut Map<String, Value>) {
        let width = self.weights.iter().find(|weight| self.adapters[0].weights.contains(&weight.name));
        let width = width.map_or(0, |weight| weight.value.shape()[1] / parts);
        let [layers, heads] = torch.family.text().map_or([0, 0], |text| text.layers_and_heads());
        for (key, value) in [
            ("num_virtual_tokens", tokens),
            ("token_dim", width),
            ("num_layers", layers),
            ("num_attention_heads", heads),
            ("num_transformer_submodules", 1),
        ] {
            keys.insert(key.to_owned(), json!(value));
        }
        keys.remove("target_modules");
    }

    /// Puts the adapters of a folder of PEFT on this model, with their values and the head's. This model has the task that the
    /// adapters were trained for.
    ///
    /// # Errors
    /// If the folder is damaged, the kind of adapters is not supported, or not every tensor finds its weight.
    pub fn load_adapter(&mut self, path: impl AsRef<Path>) -> Result<LoadReport> {
        let path = path.as_ref();
        let torch = self.torch("loading adapters of PEFT")?;
        let limits = retune_formats::Limits::default();
        let text = limits.read_file(&path.join(CONFIG))?;
        let value: Value = serde_json::from_slice(&text).map_err(|error| ModelError::Description {
            place: CONFIG.to_owned(),
            expected: "JSON".to_owned(),
            found: error.to_string(),
        })?;
        let config = Config::new(&value)?;
        let file = SafetensorsFile::read(path.join(WEIGHTS))?;
        let mut model = self.clone();
        let kind = match config.text_if_any("adapter_type")? {
            Some(kind) => kind,
            None => config.text("peft_type")?,
        };
        match kind.as_str() {
            BOTTLENECK => {
                let (size, activation) = (config.size("size")?, config.activation_or("activation", GELU)?);
                let targets = layers_with(torch, &file, ".adapter_down.weight");
                model.add_bottleneck(&Bottleneck { size, activation, targets }, 0)?;
            }
            "PROMPT_TUNING" => {
                let tokens = config.size("num_virtual_tokens")?;
                model.add_prompt(&Prompt { tokens, init: PromptInit::Random }, 0)?;
            }
            // Whether a network made them does not matter: the file has what it made.
            "PREFIX_TUNING" => {
                model.add_prefix(&Prefix { tokens: config.size("num_virtual_tokens")? }, 0)?;
            }
            "LORA" => {
                model.add_lora(&lora(torch, &config, &file)?, 0)?;
            }
            "IA3" => {
                model.add_ia3(&ia3(torch, &config, &file)?, 0)?;
            }
            other => {
                return refuse(
                    format!("adapters of the kind `{other}`"),
                    "use LoRA, DoRA, (IA)³, prompt or prefix tuning",
                );
            }
        }
        let report = model.assign_adapter(file)?;
        *self = model;
        Ok(report)
    }

    fn assign_adapter(&mut self, file: SafetensorsFile) -> Result<LoadReport> {
        let torch = self.torch("loading adapters of PEFT")?.clone();
        let mut report = LoadReport::default();
        let mut tensors = file.tensors;
        let names: Vec<Option<String>> = self.weights.iter().map(|w| self.peft_name(&torch, &w.name)).collect();
        for (weight, name) in self.weights.iter_mut().zip(names) {
            let Some(name) = name else { continue };
            let expected = weight.torch_layout.shape_in_file(weight.value.shape());
            // The vector of DoRA has `.weight` behind it in files of newer versions, factors an axis of 1.
            let found = tensors.shift_remove(&name).or_else(|| tensors.shift_remove(&format!("{name}.weight")));
            match found {
                Some(tensor)
                    if tensor.len() == weight.value.len() && squeezed(tensor.shape()) == squeezed(&expected) =>
                {
                    let tensor = Tensor::new(expected, tensor.to_f32_vec())?;
                    weight.value = weight.torch_layout.from_file(tensor);
                    report.applied.push(weight.name.clone());
                }
                Some(tensor) => {
                    let found = tensor.shape().to_vec();
                    report.wrong_shape.push(WrongShape { name: weight.name.clone(), expected, found });
                }
                // A head that was not trained with the adapter is the base's own.
                None if torch.family.is_head(&weight.name) => {}
                None => report.missing.push(Missing { name: weight.name.clone(), shape: expected, nearest: None }),
            }
        }
        report.unused = tensors.into_keys().collect();
        if report.is_complete() { Ok(report) } else { Err(ModelError::Weights(Box::new(report))) }
    }
}

/// The number of outputs of the head that a folder has, if it has one.
pub(super) fn outputs(base: &TorchModel, path: &Path) -> Result<Option<usize>> {
    let file = SafetensorsFile::read(path.join(WEIGHTS))?;
    let head = base.family.head();
    let is_output = |name: &str| {
        let name = name.strip_prefix(PREFIX).or_else(|| name.strip_prefix(SHORT_PREFIX)).unwrap_or(name);
        [".weight", ".out_proj.weight"].iter().any(|end| name.strip_suffix(end) == Some(head))
    };
    let output = file.tensors.iter().find(|(name, _)| is_output(name));
    Ok(output.and_then(|(_, tensor)| tensor.shape().first().copied()))
}

/// The kind of adapters that PEFT does not have.
const BOTTLENECK: &str = "bottleneck";
const GELU: Activation = Activation::Gelu { approximate: false };

/// transformers' name of an activation, of those that configurations know.
fn activation_name(activation: Activation) -> Option<&'static str> {
    match activation {
        Activation::Gelu { approximate: false } => Some("gelu"),
        Activation::Gelu { approximate: true } => Some("gelu_new"),
        Activation::Silu => Some("silu"),
        Activation::Tanh => Some("tanh"),
        _ if activation == Activation::RELU => Some("relu"),
        _ => None,
    }
}

/// The layer of a weight: its name without the last part.
fn layer(weight: &str) -> &str {
    weight.rsplit_once(['.', '/']).map_or(weight, |(layer, _)| layer)
}

fn squeezed(shape: &[usize]) -> Vec<usize> {
    shape.iter().copied().filter(|&size| size != 1).collect()
}

/// Whether a layer's name ends with these parts, PEFT's rule.
fn ends_with(layer: &str, parts: &str) -> bool {
    layer.strip_suffix(parts).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The layers that the file has a tensor `part` for: patterns of their whole names in this model.
fn layers_with(torch: &TorchModel, file: &SafetensorsFile, part: &str) -> Vec<String> {
    let names = file.tensors.keys().filter_map(|name| name.strip_prefix(PREFIX)?.strip_suffix(part));
    names.map(|name| format!("^{}", layer(&torch.family.present_name(&format!("{name}.weight"))))).collect()
}

/// Whether a way to begin changes the frozen weights, so that the adapter says nothing without them.
fn changes_base(init: &str) -> bool {
    ["pissa", "olora", "corda", "loftq"].iter().any(|name| init.starts_with(name))
}

fn lora(torch: &TorchModel, config: &Config<'_>, file: &SafetensorsFile) -> Result<Lora> {
    config.require("bias", "none", "train the adapter without biases")?;
    config.require_off("fan_in_fan_out", "use a base whose layers are `nn.Linear`")?;
    if let Some(init) = config.get("init_lora_weights").and_then(Value::as_str).filter(|init| changes_base(init)) {
        return refuse(
            format!("an adapter of a base that `{init}` changed"),
            "let PEFT write it with `path_initial_model_for_weight_conversion`, as a plain adapter of the untouched base",
        );
    }
    let targets = layers_with(torch, file, ".lora_A.weight");
    let rank = config.size("r")?;
    // The file itself says which rank each layer has.
    let rank_of = |target: &String| {
        let name = torch.stored_name(target.trim_start_matches('^'));
        file.tensors.get(&format!("{PREFIX}{name}.lora_A.weight")).map(|a| a.shape()[0])
    };
    let others = targets.iter().filter_map(|target| Some((target.clone(), rank_of(target)?)));
    let rank_pattern: Vec<(String, usize)> = others.filter(|(_, other)| *other != rank).collect();
    if let Some(alphas) = config.get("alpha_pattern").and_then(Value::as_object).filter(|alphas| !alphas.is_empty()) {
        return refuse(format!("`alpha_pattern` of {} layers", alphas.len()), "train with one alpha for all layers");
    }
    let flag = |key: &str| config.get(key).and_then(Value::as_bool).unwrap_or(false);
    Ok(Lora {
        rank,
        alpha: config.number_or("lora_alpha", 8.0)?,
        dropout: config.rate_or("lora_dropout", 0.0)?,
        rank_stabilized: flag("use_rslora"),
        decomposed: flag("use_dora"),
        targets,
        rank_pattern,
        init: LoraInit::Zero,
    })
}

fn ia3(torch: &TorchModel, config: &Config<'_>, file: &SafetensorsFile) -> Result<Ia3> {
    config.require_off("fan_in_fan_out", "use a base whose layers are `nn.Linear`")?;
    let names: Vec<&str> = match config.get("feedforward_modules") {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(name)) => vec![name],
        _ => Vec::new(),
    };
    let is_input = |layer: &String| names.iter().any(|name| ends_with(layer.trim_start_matches('^'), name));
    let (inputs, outputs) = layers_with(torch, file, ".ia3_l").into_iter().partition(is_input);
    Ok(Ia3 { outputs, inputs })
}

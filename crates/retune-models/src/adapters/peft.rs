//! Folders of PEFT: `adapter_config.json` and `adapter_model.safetensors`.
//!
//! Names in the file are `base_model.model.` and the names that the base has in transformers. The head of the task is always
//! there, as one of PEFT's `modules_to_save`.

use std::collections::BTreeMap;
use std::path::Path;

use retune_formats::safetensors::SafetensorsFile;
use retune_formats::{FormatError, safetensors};
use retune_tensor::Tensor;
use serde_json::{Map, Value, json};

use super::{Adapter, AdapterKind, Ia3, Lora, LoraInit, merge};
use crate::error::{ModelError, Result};
use crate::model::{Architecture, Model};
use crate::report::{LoadReport, Missing, WrongShape};
use crate::torch::TorchModel;
use crate::torch::config::Config;
use crate::torch::task::Task;
use crate::weight::Weight;

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";
const PREFIX: &str = "base_model.model.";

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
        let is_own = self.adapters.iter().any(|adapter| adapter.weights.iter().any(|weight| weight == name));
        (is_own || torch.family.is_head(name)).then(|| format!("{PREFIX}{}", torch.stored_name(name)))
    }

    /// Writes the adapters and the head as a folder that PEFT loads. `base` is where the base model is to be found: a name on
    /// the Hub or a folder.
    ///
    /// # Errors
    /// If there are no adapters, their kind is none of PEFT's (bottlenecks), they differ in more than their ranks, or the
    /// operating system refuses.
    pub fn save_adapter(&self, path: impl AsRef<Path>, base: &str) -> Result<()> {
        let (path, torch) = (path.as_ref(), self.torch("writing adapters alone")?);
        let config = self.peft_config(torch, base)?;
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
        let text = format!("{config:#}\n");
        retune_formats::atomic::write_atomic(&path.join(CONFIG), |file| {
            use std::io::Write;
            file.write_all(text.as_bytes())
        })
        .map_err(|error| FormatError::from(error).in_file(path))?;
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

    fn peft_config(&self, torch: &TorchModel, base: &str) -> Result<Value> {
        let Some(first) = self.adapters.first() else {
            return refuse("the model has no adapters", "add some before they are saved, or save the model itself");
        };
        let layers = |kept: &dyn Fn(&Adapter) -> bool| -> Vec<&str> {
            self.adapters.iter().filter(|a| kept(a)).map(|a| layer(torch.stored_name(&a.target))).collect()
        };
        let heads: Vec<&str> = {
            let mut heads: Vec<&str> = self
                .weights
                .iter()
                .filter(|weight| torch.family.is_head(&weight.name) && !weight.name.contains("lora_"))
                .map(|weight| weight.layer.split('.').next().unwrap_or(&weight.layer))
                .collect();
            heads.dedup();
            heads
        };
        let task = match torch.task {
            // PEFT has no kind of task for images.
            _ if torch.family.max_tokens().is_none() => Value::Null,
            Task::Classification { .. } | Task::MultiLabel { .. } | Task::Regression { .. } => json!("SEQ_CLS"),
            Task::TokenClassification { .. } => json!("TOKEN_CLS"),
            Task::Embedding { .. } | Task::Similarity { .. } => json!("FEATURE_EXTRACTION"),
        };
        let mut config = json!({
            "base_model_name_or_path": base,
            "inference_mode": true,
            "modules_to_save": if heads.is_empty() { Value::Null } else { json!(heads) },
            "target_modules": layers(&|_| true),
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
                                ranks.insert(layer(torch.stored_name(&adapter.target)).to_owned(), json!(other));
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
            AdapterKind::Bottleneck { .. } => {
                return refuse(
                    "PEFT has no bottleneck adapters",
                    "save the run's checkpoint, or train with low-rank adapters",
                );
            }
        }
        Ok(config)
    }

    /// Puts the adapters of a folder of PEFT on this model, with their values and the head's. This model has the task that the
    /// adapters were trained for.
    ///
    /// # Errors
    /// If the folder is damaged, the kind of adapters is not supported, or not every tensor finds its weight.
    pub fn load_adapter(&mut self, path: impl AsRef<Path>) -> Result<LoadReport> {
        let path = path.as_ref();
        self.torch("loading adapters of PEFT")?;
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
        match config.text("peft_type")?.as_str() {
            "LORA" => {
                model.add_lora(&lora(&config, &file)?, 0)?;
            }
            "IA3" => {
                model.add_ia3(&ia3(&config, &file)?, 0)?;
            }
            other => return refuse(format!("adapters of the kind `{other}`"), "use LoRA, DoRA or (IA)³"),
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

/// The layer of a weight: its name without the last part.
fn layer(weight: &str) -> &str {
    weight.rsplit_once(['.', '/']).map_or(weight, |(layer, _)| layer)
}

fn squeezed(shape: &[usize]) -> Vec<usize> {
    shape.iter().copied().filter(|&size| size != 1).collect()
}

/// The layers that the file has a tensor `part` for.
fn layers_with(file: &SafetensorsFile, part: &str) -> Vec<String> {
    let names = file.tensors.keys().filter_map(|name| name.strip_prefix(PREFIX)?.strip_suffix(part));
    names.map(str::to_owned).collect()
}

/// Whether a way to begin changes the frozen weights, so that the adapter says nothing without them.
fn changes_base(init: &str) -> bool {
    ["pissa", "olora", "corda", "loftq"].iter().any(|name| init.starts_with(name))
}

fn lora(config: &Config<'_>, file: &SafetensorsFile) -> Result<Lora> {
    config.require("bias", "none", "train the adapter without biases")?;
    config.require_off("fan_in_fan_out", "use a base whose layers are `nn.Linear`")?;
    if let Some(init) = config.get("init_lora_weights").and_then(Value::as_str).filter(|init| changes_base(init)) {
        return refuse(
            format!("an adapter of a base that `{init}` changed"),
            "let PEFT write it with `path_initial_model_for_weight_conversion`, as a plain adapter of the untouched base",
        );
    }
    let targets = layers_with(file, ".lora_A.weight");
    let rank = config.size("r")?;
    // The file itself says which rank each layer has.
    let rank_of = |target: &String| file.tensors.get(&format!("{PREFIX}{target}.lora_A.weight")).map(|a| a.shape()[0]);
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

fn ia3(config: &Config<'_>, file: &SafetensorsFile) -> Result<Ia3> {
    config.require_off("fan_in_fan_out", "use a base whose layers are `nn.Linear`")?;
    let names: Vec<&str> = match config.get("feedforward_modules") {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(name)) => vec![name],
        _ => Vec::new(),
    };
    let is_input = |layer: &String| names.iter().any(|name| layer == name || layer.ends_with(&format!(".{name}")));
    let (inputs, outputs) = layers_with(file, ".ia3_l").into_iter().partition(is_input);
    Ok(Ia3 { outputs, inputs })
}

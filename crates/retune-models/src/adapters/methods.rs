//! The methods: their settings, and the weights that they declare.

use retune_graph::ops::Activation;
use retune_tensor::Tensor;

use super::{ALL_LINEAR, AdapterKind, Declared, names};
use crate::error::{ModelError, Result};
use crate::initializer::Initializer;
use crate::model::Model;
use crate::torch::layout::TorchLayout;

/// Name of the vector of DoRA.
pub(super) const MAGNITUDE: &str = "lora_magnitude_vector";

/// Low-rank adaptation. Hu et al., *LoRA*, 2021; defaults as in PEFT.
#[derive(Debug, Clone, PartialEq)]
pub struct Lora {
    /// Width between the two factors.
    pub rank: usize,
    /// Numerator of the term's factor `alpha / rank`.
    pub alpha: f32,
    /// Share of the input that is dropped in training.
    pub dropout: f32,
    /// Whether the factor is `alpha / √rank` instead. Kalajdzievski, *rsLoRA*, 2023.
    pub rank_stabilized: bool,
    /// Whether length and direction of the weight's columns are trained apart. Liu et al., *DoRA*, 2024.
    pub decomposed: bool,
    /// The layers: the last parts of their names (`query`), their whole names (`^conv1`), patterns (`encoder.layer.1*`), `all-linear` for every product but the
    /// head's, or `all-convolutions` for every convolution that is not in groups.
    pub targets: Vec<String>,
    /// Other ranks for the layers that a pattern names; the first that fits counts.
    pub rank_pattern: Vec<(String, usize)>,
    /// What the factors are at first.
    pub init: LoraInit,
}

/// What the factors of a low-rank term are before training. Whatever they are, the model computes what it did before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LoraInit {
    /// The first is drawn at random, the second 0.
    #[default]
    Zero,
    /// The principal part of the weight, which stays frozen without it. Meng et al., *PiSSA*, 2024.
    Principal,
}

impl Default for Lora {
    fn default() -> Lora {
        Lora {
            rank: 8,
            alpha: 8.0,
            dropout: 0.0,
            rank_stabilized: false,
            decomposed: false,
            targets: vec![ALL_LINEAR.to_owned()],
            rank_pattern: Vec::new(),
            init: LoraInit::Zero,
        }
    }
}

/// Learned factors of keys, values and the inner activations. Liu et al., *(IA)³*, 2022.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ia3 {
    /// The layers whose output is scaled, as [`Lora::targets`]; keys and values in the paper.
    pub outputs: Vec<String>,
    /// The layers whose input is scaled: the second product of each layer in the paper.
    pub inputs: Vec<String>,
}

/// A small network behind each of the layers named. Houlsby et al., *Parameter-efficient transfer learning for NLP*, 2019.
#[derive(Debug, Clone, PartialEq)]
pub struct Bottleneck {
    /// Width inside.
    pub size: usize,
    /// The activation inside.
    pub activation: Activation,
    /// The layers, as [`Lora::targets`], or the roles `attention-outputs` and `feed-forward-outputs`: the products that end attention and
    /// the layer. Houlsby et al. have both, Pfeiffer et al., *MAD-X*, 2020, the second alone.
    pub targets: Vec<String>,
}

/// The weights of a term beside a weight `[in, out]`, or a kernel `[height, width, in, out]`.
pub(super) fn declared(kind: &AdapterKind, target: &Tensor) -> Vec<Declared> {
    let taps = &target.shape()[..target.shape().len().saturating_sub(2)];
    let outputs = target.shape().last().copied().unwrap_or(1);
    let inputs = target.len() / outputs.max(1);
    let channels = inputs / taps.iter().product::<usize>().max(1);
    let layout = if taps.is_empty() { TorchLayout::Linear } else { TorchLayout::Convolution };
    let matrix = |part, shape: [usize; 2], initializer| Declared {
        part,
        shape: shape.to_vec(),
        layout,
        decays: true,
        initializer,
    };
    let vector = |part, size, initializer| Declared {
        part,
        shape: vec![size],
        layout: TorchLayout::Same,
        decays: false,
        initializer,
    };
    // PyTorch's default for `nn.Linear`, which PEFT takes for the first factor: uniform up to 1 / √in.
    let bound = 1.0 / (inputs.max(1) as f32).sqrt();
    let uniform = Initializer::Uniform { low: -bound, high: bound };
    match *kind {
        AdapterKind::LowRank { rank, decomposed, .. } => {
            let mut weights = vec![
                matrix("lora_A.weight", [channels, rank], uniform),
                matrix("lora_B.weight", [rank, outputs], Initializer::ZEROS),
            ];
            weights[0].shape.splice(0..0, taps.iter().copied());
            weights[1].shape.splice(0..0, taps.iter().map(|_| 1));
            weights.extend(decomposed.then(|| vector(MAGNITUDE, outputs, Initializer::ONES)));
            weights
        }
        AdapterKind::ScaleOutput => vec![vector("ia3_l", outputs, Initializer::ONES)],
        AdapterKind::ScaleInput => vec![vector("ia3_l", inputs, Initializer::ONES)],
        AdapterKind::Bottleneck { size, .. } => vec![
            // Nearly the identity at first.
            matrix("adapter_down.weight", [outputs, size], Initializer::Normal { mean: 0.0, stddev: 0.02 }),
            vector("adapter_down.bias", size, Initializer::ZEROS),
            matrix("adapter_up.weight", [size, outputs], Initializer::ZEROS),
            vector("adapter_up.bias", outputs, Initializer::ZEROS),
        ],
        // These are no terms beside a weight.
        AdapterKind::Prompt { .. } | AdapterKind::Prefix { .. } => Vec::new(),
    }
}

fn refuse<T>(what: &str, hint: &str) -> Result<T> {
    Err(ModelError::Surgery { what: what.to_owned(), hint: hint.to_owned() })
}

impl Model {
    /// Puts low-rank terms beside the products and convolutions named and freezes everything but these and the head. Returns the number of
    /// layers that got one. The model computes what it did before, until it is trained.
    ///
    /// # Errors
    /// If a pattern names no product and no convolution, or only such as are in groups; if a rank is 0, or one has an adapter
    /// already.
    pub fn add_lora(&mut self, lora: &Lora, seed: u64) -> Result<usize> {
        if lora.rank == 0 || lora.rank_pattern.iter().any(|(_, rank)| *rank == 0) {
            return refuse("a rank of 0", "use a rank of 1 or more");
        }
        if !(0.0..1.0).contains(&lora.dropout) {
            return refuse("a dropout outside of [0, 1)", "use a share below 1");
        }
        let targets = self.targets(&lora.targets, true)?;
        if let Some(&kernel) =
            targets.iter().find(|&&target| lora.decomposed && self.weights[target].value.shape().len() > 2)
        {
            let what = format!("DoRA on the convolution `{}`", self.weights[kernel].layer);
            return refuse(&what, "leave `decomposed` out, or name products alone");
        }
        if lora.decomposed && lora.init == LoraInit::Principal {
            return refuse("DoRA that begins with the principal part", "choose one of the two");
        }
        for &target in &targets {
            let layer = &self.weights[target].layer;
            let other = lora.rank_pattern.iter().find(|(pattern, _)| names(pattern, layer));
            let kind = AdapterKind::LowRank {
                rank: other.map_or(lora.rank, |(_, rank)| *rank),
                alpha: lora.alpha,
                rank_stabilized: lora.rank_stabilized,
                dropout: lora.dropout,
                decomposed: lora.decomposed,
            };
            self.add_adapter(target, kind, seed)?;
            if lora.init == LoraInit::Principal {
                self.begin_with_principal(target, seed)?;
            }
        }
        self.freeze_base();
        Ok(targets.len())
    }

    /// Puts learned factors on the layers named and freezes everything but these and the head. Returns their number.
    ///
    /// # Errors
    /// As for [`Model::add_lora`], and if no layer is named.
    pub fn add_ia3(&mut self, ia3: &Ia3, seed: u64) -> Result<usize> {
        let (outputs, inputs) = (self.targets(&ia3.outputs, false)?, self.targets(&ia3.inputs, false)?);
        if outputs.is_empty() && inputs.is_empty() {
            return refuse(
                "no layers for (IA)³",
                "name some, or use `lora`: this model's keys and values are not apart",
            );
        }
        for &target in &outputs {
            self.add_adapter(target, AdapterKind::ScaleOutput, seed)?;
        }
        for &target in &inputs {
            self.add_adapter(target, AdapterKind::ScaleInput, seed)?;
        }
        self.freeze_base();
        Ok(outputs.len() + inputs.len())
    }

    /// Puts a small network behind each of the layers named and freezes everything but these and the head. Returns their
    /// number.
    ///
    /// # Errors
    /// As for [`Model::add_lora`].
    pub fn add_bottleneck(&mut self, bottleneck: &Bottleneck, seed: u64) -> Result<usize> {
        if bottleneck.size == 0 {
            return refuse("a bottleneck of size 0", "use a size of 1 or more");
        }
        let targets = self.targets(&bottleneck.targets, false)?;
        for &target in &targets {
            let kind = AdapterKind::Bottleneck { size: bottleneck.size, activation: bottleneck.activation };
            self.add_adapter(target, kind, seed)?;
        }
        self.freeze_base();
        Ok(targets.len())
    }

    /// Freezes everything but biases and the head. Ben Zaken et al., *BitFit*, 2021. Returns how many biases are trained.
    ///
    /// # Errors
    /// If the model has no biases outside of the head.
    pub fn train_biases(&mut self) -> Result<usize> {
        self.train_only("bias", |name| name.ends_with(".bias") || name.ends_with("/bias") || name.ends_with("/beta"))
    }

    /// Freezes everything but the scales and shifts of norms, and the head. Returns how many of them are trained.
    ///
    /// # Errors
    /// If the model has no norms outside of the head.
    pub fn train_norms(&mut self) -> Result<usize> {
        let norms: Vec<String> =
            self.weights.iter().filter(|w| w.class.contains("Norm")).map(|w| w.name.clone()).collect();
        self.train_only("norm", |name| {
            norms.iter().any(|norm| norm == name) || name.ends_with("/gamma") || name.ends_with("/beta")
        })
    }

    fn train_only(&mut self, what: &str, is_kept: impl Fn(&str) -> bool) -> Result<usize> {
        let was_trainable: Vec<bool> = self.weights.iter().map(|weight| weight.trainable).collect();
        self.freeze_base();
        let mut count = 0;
        for (weight, was_trainable) in self.weights.iter_mut().zip(was_trainable) {
            if was_trainable && !weight.trainable && is_kept(&weight.name) {
                weight.trainable = true;
                count += 1;
            }
        }
        if count == 0 {
            refuse(&format!("the model has no {what} to train"), "choose another method")
        } else {
            Ok(count)
        }
    }
}

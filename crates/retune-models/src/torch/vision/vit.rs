//! Vision transformer. Dosovitskiy et al., *An image is worth 16×16 words*, 2020; DeiT, Touvron et al., 2021, has the same
//! graph, and a second token before those of the patches if it is distilled.
//!
//! Patches of the image become tokens, to which learned positions are added; blocks of attention and a product of two, each
//! behind layer normalization and with a residual. The first token's vector goes to the head.

use retune_graph::ops::{Activation, Attention, Sequences};
use retune_graph::{Dim, NodeId, Shape};

use super::Features;
use super::layers::{Conv, MAX_PATCH};
use super::preprocessing::{HALF, Preparation};
use super::recognize::{Found, Hint};
use super::tensors::Tensors;
use crate::error::{ModelError, Result};
use crate::initializer::Initializer;
use crate::torch::builder::{Builder, Spec};
use crate::torch::config::Config;
use crate::torch::layout::TorchLayout;

/// Names of the layers.
#[derive(Debug, Clone, Copy)]
struct Names {
    /// What all but the head's begin with, if there is such a thing.
    base: &'static str,
    class: &'static str,
    /// The layer and name of the first token, of a distilled network's second, and of the positions.
    class_token: [&'static str; 2],
    positions: [&'static str; 2],
    patches: &'static str,
    /// A block; `{}` stands for its number.
    block: &'static str,
    first_norm: &'static str,
    qkv: Projections,
    attention_output: &'static str,
    second_norm: &'static str,
    up: &'static str,
    down: &'static str,
    norm: &'static str,
    head: &'static str,
}

/// How queries, keys and values are stored.
#[derive(Debug, Clone, Copy)]
enum Projections {
    /// A product each.
    Apart([&'static str; 3]),
    /// One product for all: layer, weight, bias.
    Together(&'static str, [&'static str; 2]),
}

const TRANSFORMERS: Names = Names {
    base: "vit",
    class: "ViT",
    class_token: ["vit.embeddings", "cls_token"],
    positions: ["vit.embeddings", "position_embeddings"],
    patches: "vit.embeddings.patch_embeddings.projection",
    block: "vit.encoder.layer.{}",
    first_norm: "layernorm_before",
    qkv: Projections::Apart(["attention.attention.query", "attention.attention.key", "attention.attention.value"]),
    attention_output: "attention.output.dense",
    second_norm: "layernorm_after",
    up: "intermediate.dense",
    down: "output.dense",
    norm: "vit.layernorm",
    head: "classifier",
};

const DEIT: Names = Names {
    base: "deit",
    class: "DeiT",
    class_token: ["deit.embeddings", "cls_token"],
    positions: ["deit.embeddings", "position_embeddings"],
    patches: "deit.embeddings.patch_embeddings.projection",
    block: "deit.encoder.layer.{}",
    norm: "deit.layernorm",
    ..TRANSFORMERS
};

const TIMM: Names = Names {
    base: "",
    class_token: ["", "cls_token"],
    positions: ["", "pos_embed"],
    patches: "patch_embed.proj",
    block: "blocks.{}",
    first_norm: "norm1",
    qkv: Projections::Together("attn.qkv", ["weight", "bias"]),
    attention_output: "attn.proj",
    second_norm: "norm2",
    up: "mlp.fc1",
    down: "mlp.fc2",
    norm: "norm",
    head: "head",
    ..TRANSFORMERS
};

const TORCHVISION: Names = Names {
    base: "",
    class_token: ["", "class_token"],
    positions: ["encoder", "pos_embedding"],
    patches: "conv_proj",
    block: "encoder.layers.encoder_layer_{}",
    first_norm: "ln_1",
    qkv: Projections::Together("self_attention", ["in_proj_weight", "in_proj_bias"]),
    attention_output: "self_attention.out_proj",
    second_norm: "ln_2",
    up: "mlp.0",
    down: "mlp.3",
    norm: "encoder.ln",
    head: "heads.head",
    ..TRANSFORMERS
};

/// The name of the second token of a distilled DeiT.
const DISTILLATION_TOKEN: &str = "distillation_token";

/// Sizes of a vision transformer.
#[derive(Debug, Clone)]
pub(crate) struct Vit {
    names: Names,
    /// Height and width of images.
    pub(crate) image: [usize; 2],
    patch: usize,
    hidden: usize,
    inner: usize,
    layers: usize,
    heads: usize,
    epsilon: f32,
    activation: Activation,
    qkv_bias: bool,
    is_distilled: bool,
    dropout: f32,
    attention_dropout: f32,
    stddev: f32,
}

impl Vit {
    /// The network of a folder of transformers, of `model_type` `vit` or `deit`.
    pub(crate) fn read(kind: &str, config: &Config<'_>) -> Result<Vit> {
        let is_distilled = kind == "deit";
        let hidden = config.size_if_any("hidden_size")?.unwrap_or(768);
        let vit = Vit {
            names: if is_distilled { DEIT } else { TRANSFORMERS },
            image: config.sides("image_size", 224)?,
            patch: config.size_if_any("patch_size")?.unwrap_or(16),
            hidden,
            inner: config.size_if_any("intermediate_size")?.unwrap_or(4 * hidden),
            layers: config.size_if_any("num_hidden_layers")?.unwrap_or(12),
            heads: config.size_if_any("num_attention_heads")?.unwrap_or(12),
            epsilon: config.number_or("layer_norm_eps", 1e-12)?,
            activation: config.activation_or("hidden_act", Activation::Gelu { approximate: false })?,
            qkv_bias: config.flag_or("qkv_bias", true)?,
            is_distilled,
            dropout: config.rate_or("hidden_dropout_prob", 0.0)?,
            attention_dropout: config.rate_or("attention_probs_dropout_prob", 0.0)?,
            stddev: config.number_or("initializer_range", 0.02)?,
        };
        if !hidden.is_multiple_of(vit.heads) {
            return Err(ModelError::Description {
                place: "config.json: hidden_size".to_owned(),
                expected: format!("a multiple of the {} attention heads", vit.heads),
                found: hidden.to_string(),
            });
        }
        Ok(vit)
    }

    /// The network of a file with timm's or torchvision's names.
    pub(crate) fn recognize(tensors: &Tensors, hint: Hint<'_>) -> Option<Found<Vit>> {
        let mut names = [TIMM, TORCHVISION].into_iter().find(|names| tensors.kernel(names.patches).is_some())?;
        let [hidden, 3, patch @ 1..=MAX_PATCH, _] = tensors.kernel(names.patches)? else { return None };
        let [layer, part] = names.positions;
        let positions = if layer.is_empty() { part.to_owned() } else { format!("{layer}.{part}") };
        let [1, tokens, _] = tensors.shape(&positions)? else { return None };
        // A network without the first token, or with more than it, is another one.
        let side = tokens.checked_sub(1)?.isqrt();
        if side * side + 1 != tokens || !tensors.has(names.class_token[1]) {
            return None;
        }
        let layers = tensors.count(names.block.trim_end_matches("{}"));
        let first = names.block.replace("{}", "0");
        if tensors.outputs(&format!("{first}.mlp.linear_1")).is_some() {
            // The files that torchvision published.
            (names.up, names.down) = ("mlp.linear_1", "mlp.linear_2");
        }
        let inner = tensors.outputs(&format!("{first}.{}", names.up))?;
        let qkv_bias = match names.qkv {
            Projections::Together(layer, [_, bias]) => tensors.has(&format!("{first}.{layer}.{bias}")),
            Projections::Apart(_) => true,
        };
        let is_timm = names.patches == TIMM.patches;
        let net = Vit {
            names,
            image: [side * patch; 2],
            patch,
            hidden,
            inner,
            layers,
            heads: published_heads(hidden)?,
            epsilon: 1e-6,
            activation: Activation::Gelu { approximate: false },
            qkv_bias,
            is_distilled: false,
            dropout: 0.0,
            attention_dropout: 0.0,
            stddev: 0.02,
        };
        let usual = Preparation::square(side * patch, if is_timm { 0.9 } else { 0.875 });
        let preparation = match is_timm {
            true if hint.0.contains("deit") => usual.bicubic(),
            true => usual.bicubic().normalized(HALF),
            false => usual,
        };
        let name = format!("ViT of width {hidden} with patches of {patch}×{patch}");
        let why = format!(
            "`{}` and {layers} blocks such as `{first}`; {} heads, the published number for this width",
            names.patches, net.heads
        );
        Some(Found { net, preparation, name, why })
    }

    pub(crate) fn kind(&self) -> &'static str {
        if self.is_distilled { "deit" } else { "vit" }
    }

    pub(crate) fn base(&self) -> &'static str {
        self.names.base
    }

    pub(crate) fn head(&self) -> &'static str {
        self.names.head
    }

    pub(crate) fn unused(&self) -> &'static [&'static str] {
        match self.names.base {
            "vit" => &["vit.pooler", "pooler", "vit.embeddings.mask_token", "embeddings.mask_token"],
            "deit" => &["deit.pooler", "pooler", "deit.embeddings.mask_token", "embeddings.mask_token"],
            _ => &[],
        }
    }

    pub(crate) fn class(&self) -> &'static str {
        self.names.class
    }

    /// Queries and values, or the product that holds them.
    pub(crate) fn lora_targets(&self) -> Vec<String> {
        let last = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
        match self.names.qkv {
            Projections::Apart([query, _, value]) => vec![last(query), last(value)],
            Projections::Together(layer, ["weight", _]) => vec![last(layer)],
            // A product that is no layer of its own cannot be adapted: the products behind attention can.
            Projections::Together(..) => [self.names.up, self.names.down].map(str::to_owned).to_vec(),
        }
    }

    pub(crate) fn groups(&self) -> Vec<Vec<String>> {
        let of = |[layer, part]: [&str; 2]| if layer.is_empty() { part.to_owned() } else { format!("{layer}.{part}") };
        let mut stem = vec![of(self.names.class_token), of(self.names.positions), format!("{}.", self.names.patches)];
        if self.is_distilled {
            stem.push(of([self.names.class_token[0], DISTILLATION_TOKEN]));
        }
        let blocks = (0..self.layers).map(|number| vec![format!("{}.", self.block_name(number))]);
        std::iter::once(stem).chain(blocks).collect()
    }

    fn block_name(&self, number: usize) -> String {
        self.names.block.replace("{}", &number.to_string())
    }

    /// A learned tensor that takes no decay.
    fn learned(&self, b: &mut Builder<'_>, [layer, part]: [&str; 2], shape: &[usize]) -> NodeId {
        b.graph.enter_layer(if layer.is_empty() { part } else { layer });
        let initializer = Initializer::TruncatedNormal { mean: 0.0, stddev: self.stddev };
        b.weight(layer, part, Spec { shape, layout: TorchLayout::Same, decays: false, initializer, class: "Parameter" })
    }

    pub(crate) fn features(&self, b: &mut Builder<'_>, images: NodeId) -> Result<Features> {
        b.stddev = self.stddev;
        b.require_size(images, self.image)?;
        let (names, hidden) = (&self.names, self.hidden);
        let mut parts = vec![self.learned(b, names.class_token, &[1, 1, hidden])];
        if self.is_distilled {
            parts.push(self.learned(b, [names.class_token[0], DISTILLATION_TOKEN], &[1, 1, hidden]));
        }
        let one = Shape::new([Dim::BATCH, 1.into(), hidden.into()]);
        for part in &mut parts {
            *part = b.graph.broadcast_to(*part, &one)?;
        }
        let patches = b.conv(names.patches, images, Conv::patches(hidden, self.patch))?;
        let count = b.size(patches, 1) * b.size(patches, 2);
        parts.push(b.graph.reshape(patches, Shape::new([Dim::BATCH, count.into(), hidden.into()]))?);
        let tokens = count + parts.len() - 1;
        let x = b.graph.concat(&parts, 1)?;
        let positions = self.learned(b, names.positions, &[1, tokens, hidden]);
        let x = b.graph.add(x, positions)?;
        let mut x = b.graph.reshape(x, Shape::new([Dim::BATCH.times(tokens), hidden.into()]))?;
        x = b.dropout(x, Sequences::Even, self.dropout)?;
        for number in 0..self.layers {
            x = self.block(b, x, &self.block_name(number))?;
        }
        let x = b.graph.reshape(x, Shape::new([Dim::BATCH, tokens.into(), hidden.into()]))?;
        let first = b.graph.slice(x, 1, 0, 1)?;
        let first = b.graph.reshape(first, Shape::batch_of(&[hidden]))?;
        Ok(Features { pooled: b.layer_norm(names.norm, first, hidden, self.epsilon)? })
    }

    fn block(&self, b: &mut Builder<'_>, x: NodeId, block: &str) -> Result<NodeId> {
        let name = |layer: &str| format!("{block}.{layer}");
        let (names, hidden) = (&self.names, self.hidden);
        let y = b.layer_norm(&name(names.first_norm), x, hidden, self.epsilon)?;
        let scale = 1.0 / ((hidden / self.heads) as f32).sqrt();
        let dropout = b.random(self.attention_dropout);
        let attention = Attention { dropout, ..Attention::new(self.heads, scale) };
        let y = match names.qkv {
            Projections::Apart(layers) => {
                let bias = self.qkv_bias.then_some("bias");
                let [q, k, v] = layers.map(|layer| b.product(&name(layer), "weight", bias, y, [hidden, hidden]));
                b.graph.attention(attention, [q?, k?, v?], Sequences::Even)?
            }
            Projections::Together(layer, [weight, bias]) => {
                let bias = self.qkv_bias.then_some(bias);
                let qkv = b.product(&name(layer), weight, bias, y, [hidden, 3 * hidden])?;
                b.graph.packed_attention(attention, qkv, Sequences::Even)?
            }
        };
        let y = b.linear(&name(names.attention_output), y, hidden, hidden)?;
        let y = b.dropout(y, Sequences::Even, self.dropout)?;
        let x = b.graph.add(y, x)?;
        let y = b.layer_norm(&name(names.second_norm), x, hidden, self.epsilon)?;
        let y = b.linear(&name(names.up), y, hidden, self.inner)?;
        let y = b.graph.activate(y, self.activation)?;
        let y = b.linear(&name(names.down), y, self.inner, hidden)?;
        let y = b.dropout(y, Sequences::Even, self.dropout)?;
        Ok(b.graph.add(y, x)?)
    }

    pub(crate) fn scores(&self, b: &mut Builder<'_>, pooled: NodeId, outputs: usize) -> Result<NodeId> {
        b.linear(self.head(), pooled, self.hidden, outputs)
    }
}

/// The heads of the published networks, most of which are 64 wide.
fn published_heads(hidden: usize) -> Option<usize> {
    match hidden {
        1280 | 1408 | 1664 => Some(16),
        _ => (hidden > 0 && hidden.is_multiple_of(64)).then_some(hidden / 64),
    }
}

//! Swin transformer. Liu et al., *Swin transformer: hierarchical vision transformer using shifted windows*, 2021.
//!
//! Tokens attend to those of their own window of w×w places, with a learned bias for each distance. In every other block the
//! windows are shifted by half their width, around the edges of the image; a mask keeps apart what only the edges bring
//! together. Between stages four neighbouring tokens become one of twice the width.
//!
//! [`windows`] cuts, shifts and masks windows.

mod windows;

use retune_graph::ops::Activation;
use retune_graph::{NodeId, Shape};

use super::Features;
use super::layers::{Conv, MAX_PATCH};
use super::preprocessing::Preparation;
use super::recognize::{Found, Hint};
use super::tensors::Tensors;
use crate::error::{ModelError, Result};
use crate::torch::builder::Builder;
use crate::torch::config::Config;
use windows::{Grid, batches, biases, rolled, rolled_by};

/// Names of the layers.
#[derive(Debug, Clone, Copy)]
struct Names {
    base: &'static str,
    patches: &'static str,
    patch_norm: &'static str,
    /// A stage; `{}` stands for its number.
    stage: &'static str,
    first_norm: &'static str,
    /// Queries, keys and values: one product, or three.
    qkv: &'static [&'static str],
    /// The layer of the table of biases.
    table: &'static str,
    attention_output: &'static str,
    second_norm: &'static str,
    up: &'static str,
    down: &'static str,
    norm: &'static str,
    head: &'static str,
    /// Whether the merging of tokens is named after the stage behind it.
    merges_first: bool,
}

const TRANSFORMERS: Names = Names {
    base: "swin",
    patches: "swin.embeddings.patch_embeddings.projection",
    patch_norm: "swin.embeddings.norm",
    stage: "swin.encoder.layers.{}",
    first_norm: "layernorm_before",
    qkv: &["attention.self.query", "attention.self.key", "attention.self.value"],
    table: "attention.self",
    attention_output: "attention.output.dense",
    second_norm: "layernorm_after",
    up: "intermediate.dense",
    down: "output.dense",
    norm: "swin.layernorm",
    head: "classifier",
    merges_first: false,
};

const TIMM: Names = Names {
    base: "",
    patches: "patch_embed.proj",
    patch_norm: "patch_embed.norm",
    stage: "layers.{}",
    first_norm: "norm1",
    qkv: &["attn.qkv"],
    table: "attn",
    attention_output: "attn.proj",
    second_norm: "norm2",
    up: "mlp.fc1",
    down: "mlp.fc2",
    norm: "norm",
    head: "head.fc",
    merges_first: true,
};

/// The authors' own files, and those of early timm.
const ORIGINAL: Names = Names { head: "head", merges_first: false, ..TIMM };

/// Blocks of one width.
#[derive(Debug, Clone, Copy)]
struct Stage {
    depth: usize,
    heads: usize,
    window: usize,
}

/// Sizes of a Swin transformer.
#[derive(Debug, Clone)]
pub(crate) struct Swin {
    names: Names,
    /// Height and width of images.
    pub(crate) image: [usize; 2],
    patch: usize,
    /// Width of the first stage.
    width: usize,
    stages: Vec<Stage>,
    /// How much wider the product of two is inside.
    ratio: f32,
    epsilon: f32,
    activation: Activation,
    qkv_bias: bool,
    dropout: f32,
    attention_dropout: f32,
    /// Stochastic depth of the last block; it grows evenly from the first, which has none.
    drop_path: f32,
}

impl Swin {
    /// The network of a folder of transformers.
    pub(crate) fn read(config: &Config<'_>) -> Result<Swin> {
        config
            .require_off("use_absolute_embeddings", "use one of the published models, which have relative positions")?;
        let depths = config.sizes("depths", &[2, 2, 6, 2])?;
        let heads = config.sizes("num_heads", &[3, 6, 12, 24])?;
        let window = config.size_if_any("window_size")?.unwrap_or(7);
        let stages = depths.iter().zip(&heads).map(|(&depth, &heads)| Stage { depth, heads, window }).collect();
        let swin = Swin {
            names: TRANSFORMERS,
            image: config.sides("image_size", 224)?,
            patch: config.size_if_any("patch_size")?.unwrap_or(4),
            width: config.size_if_any("embed_dim")?.unwrap_or(96),
            stages,
            ratio: config.factor_or("mlp_ratio", 4.0)?,
            epsilon: config.number_or("layer_norm_eps", 1e-5)?,
            activation: config.activation_or("hidden_act", Activation::Gelu { approximate: false })?,
            qkv_bias: config.flag_or("qkv_bias", true)?,
            dropout: config.rate_or("hidden_dropout_prob", 0.0)?,
            attention_dropout: config.rate_or("attention_probs_dropout_prob", 0.0)?,
            drop_path: config.rate_or("drop_path_rate", 0.1)?,
        };
        let uneven =
            (0..swin.stages.len()).find(|&stage| !swin.channels(stage).is_multiple_of(swin.stages[stage].heads));
        match uneven {
            None if depths.len() == heads.len() => Ok(swin),
            _ => Err(ModelError::Description {
                place: "config.json: num_heads".to_owned(),
                expected: "for each stage a divisor of its width".to_owned(),
                found: format!("{heads:?}"),
            }),
        }
    }

    /// The network of a file with timm's or the authors' names.
    pub(crate) fn recognize(tensors: &Tensors, hint: Hint<'_>) -> Option<Found<Swin>> {
        if !tensors.has("layers.0.blocks.0.attn.relative_position_bias_table") {
            return None;
        }
        let [width, 3, patch @ 1..=MAX_PATCH, _] = tensors.kernel(TIMM.patches)? else { return None };
        let mut names = if tensors.outputs(ORIGINAL.head).is_some() { ORIGINAL } else { TIMM };
        names.merges_first = tensors.outputs("layers.0.downsample.reduction").is_none();
        let table = |stage: usize| {
            let [rows, heads] = tensors.shape(&format!("layers.{stage}.blocks.0.attn.relative_position_bias_table"))?;
            let window = rows.isqrt().div_ceil(2);
            let depth = tensors.count(&format!("layers.{stage}.blocks."));
            let divides = heads > 0 && (width << stage).is_multiple_of(heads);
            (window > 0 && (2 * window - 1).pow(2) == rows && divides).then_some(Stage { depth, heads, window })
        };
        let stages: Vec<Stage> = (0..tensors.count("layers.").min(16)).map(table).collect::<Option<_>>()?;
        let inner = tensors.outputs("layers.0.blocks.0.mlp.fc1").filter(|_| width > 0)?;
        let window = stages.first()?.window;
        // The published networks see 8 windows along each side of the image.
        let side = hint.image_side().unwrap_or(8 * window * patch);
        let depths: Vec<String> = stages.iter().map(|stage| stage.depth.to_string()).collect();
        let why = format!(
            "`{}`, {} blocks with tables of biases for windows of {window}×{window}; images of {side}×{side}, the \
             published size for these windows",
            names.patches,
            depths.join(", ")
        );
        let net = Swin {
            names,
            image: [side; 2],
            patch,
            width,
            stages,
            ratio: inner as f32 / width as f32,
            epsilon: 1e-5,
            activation: Activation::Gelu { approximate: false },
            qkv_bias: tensors.has("layers.0.blocks.0.attn.qkv.bias"),
            dropout: 0.0,
            attention_dropout: 0.0,
            drop_path: 0.0,
        };
        let crop = if side > 224 { 1.0 } else { 0.9 };
        let preparation = Preparation::square(side, crop).bicubic();
        Some(Found { net, preparation, name: format!("Swin transformer of width {width}"), why })
    }

    pub(crate) fn kind(&self) -> &'static str {
        "swin"
    }

    pub(crate) fn base(&self) -> &'static str {
        self.names.base
    }

    pub(crate) fn head(&self) -> &'static str {
        self.names.head
    }

    pub(crate) fn unused(&self) -> &'static [&'static str] {
        if self.names.base.is_empty() { &[] } else { &["swin.embeddings.mask_token", "embeddings.mask_token"] }
    }

    pub(crate) fn class(&self) -> &'static str {
        "Swin"
    }

    /// Queries and values, or the product that holds them.
    pub(crate) fn lora_targets(&self) -> Vec<String> {
        let last = |name: &&str| name.rsplit('.').next().unwrap_or(name).to_owned();
        match self.names.qkv {
            [query, _, value] => vec![last(query), last(value)],
            all => all.iter().map(last).collect(),
        }
    }

    pub(crate) fn groups(&self) -> Vec<Vec<String>> {
        let mut groups = vec![vec![format!("{}.", self.names.patches), format!("{}.", self.names.patch_norm)]];
        for (stage, Stage { depth, .. }) in self.stages.iter().enumerate() {
            for index in 0..*depth {
                let mut group = vec![format!("{}.", self.block_name(stage, index))];
                if stage > 0 && index == 0 {
                    group.push(format!("{}.", self.merging_name(stage)));
                }
                groups.push(group);
            }
        }
        groups
    }

    fn stage_name(&self, stage: usize) -> String {
        self.names.stage.replace("{}", &stage.to_string())
    }

    fn block_name(&self, stage: usize, index: usize) -> String {
        format!("{}.blocks.{index}", self.stage_name(stage))
    }

    /// The merging of tokens before a stage.
    fn merging_name(&self, stage: usize) -> String {
        let named_after = if self.names.merges_first { stage } else { stage - 1 };
        format!("{}.downsample", self.stage_name(named_after))
    }

    fn channels(&self, stage: usize) -> usize {
        self.width << stage
    }

    pub(crate) fn features(&self, b: &mut Builder<'_>, images: NodeId) -> Result<Features> {
        let x = b.conv(self.names.patches, images, Conv::patches(self.width, self.patch))?;
        let x = b.layer_norm(self.names.patch_norm, x, self.width, self.epsilon)?;
        let mut x = self.drop(b, x)?;
        let total: usize = self.stages.iter().map(|stage| stage.depth).sum();
        let mut number = 0;
        for (place, stage) in self.stages.iter().enumerate() {
            if place > 0 {
                x = self.merge(b, x, place)?;
            }
            for index in 0..stage.depth {
                let drop_path = self.drop_path * number as f32 / total.saturating_sub(1).max(1) as f32;
                x = self.block(b, x, (place, index), drop_path)?;
                number += 1;
            }
        }
        let x = b.layer_norm(self.names.norm, x, self.channels(self.stages.len() - 1), self.epsilon)?;
        Ok(Features { pooled: b.mean_of_places(x)? })
    }

    /// Dropout of single values of images of tokens.
    fn drop(&self, b: &mut Builder<'_>, x: NodeId) -> Result<NodeId> {
        b.drop_values(x, self.dropout)
    }

    /// Each square of 2×2 tokens becomes one, its columns before its rows.
    fn merge(&self, b: &mut Builder<'_>, x: NodeId, stage: usize) -> Result<NodeId> {
        let name = self.merging_name(stage);
        let channels = self.channels(stage - 1);
        let (height, width) = (b.size(x, 1), b.size(x, 2));
        b.graph.enter_layer(&name);
        let x = b.graph.pad(x, &[(0, 0), (0, height % 2), (0, width % 2), (0, 0)])?;
        let (height, width) = (height.div_ceil(2), width.div_ceil(2));
        let pairs = [height, 2, width, 2, channels];
        let x = b.graph.reshape(x, Shape::batch_of(&pairs))?;
        let x = b.graph.transpose(x, &[0, 1, 3, 4, 2, 5])?;
        let x = b.graph.reshape(x, Shape::batch_of(&[height, width, 4 * channels]))?;
        let x = b.layer_norm(&format!("{name}.norm"), x, 4 * channels, self.epsilon)?;
        b.product(&format!("{name}.reduction"), "weight", None, x, [4 * channels, 2 * channels])
    }

    fn block(&self, b: &mut Builder<'_>, x: NodeId, (place, index): (usize, usize), drop_path: f32) -> Result<NodeId> {
        let (stage, block) = (self.stages[place], self.block_name(place, index));
        let name = |layer: &str| format!("{block}.{layer}");
        let channels = self.channels(place);
        let (height, width) = (b.size(x, 1), b.size(x, 2));
        let smallest = height.min(width);
        if smallest < stage.window {
            return Err(ModelError::Inputs {
                layer: block.clone(),
                class: "Swin".to_owned(),
                expected: format!("images that give at least {0}×{0} tokens here", stage.window),
                found: format!("{height}×{width}"),
            });
        }
        // One window alone is not shifted.
        let shift = if index % 2 == 1 && smallest > stage.window { stage.window / 2 } else { 0 };
        let grid = Grid { height, width, channels, window: stage.window, shift };
        let y = b.layer_norm(&name(self.names.first_norm), x, channels, self.epsilon)?;
        let y = self.attention(b, y, &block, grid, stage.heads)?;
        let y = self.drop(b, y)?;
        let y = b.drop_path(y, drop_path)?;
        let x = b.graph.add(y, x)?;
        let y = b.layer_norm(&name(self.names.second_norm), x, channels, self.epsilon)?;
        let inner = (channels as f32 * self.ratio) as usize;
        let y = b.linear(&name(self.names.up), y, channels, inner)?;
        let y = b.graph.activate(y, self.activation)?;
        let y = b.linear(&name(self.names.down), y, inner, channels)?;
        let y = self.drop(b, y)?;
        let y = b.drop_path(y, drop_path)?;
        Ok(b.graph.add(y, x)?)
    }

    /// Attention in windows of `x`, `[Batch, height, width, channels]`.
    fn attention(&self, b: &mut Builder<'_>, x: NodeId, block: &str, grid: Grid, heads: usize) -> Result<NodeId> {
        let Grid { height, width, channels, window, shift } = grid;
        let name = |layer: &str| format!("{block}.{layer}");
        b.graph.enter_layer(&name(self.names.table));
        let [down, across] = grid.windows();
        let (count, tokens) = (down * across, window * window);
        let x = b.graph.pad(x, &[(0, 0), (0, down * window - height), (0, across * window - width), (0, 0)])?;
        let x = rolled(b, x, shift)?;
        let cut = [down, window, across, window, channels];
        let x = b.graph.reshape(x, Shape::batch_of(&cut))?;
        let x = b.graph.transpose(x, &[0, 1, 3, 2, 4, 5])?;
        let x = b.graph.reshape(x, batches(count * tokens, &[channels]))?;
        let bias = self.qkv_bias.then_some("bias");
        let mut parts = match self.names.qkv {
            [together] => {
                let all = b.product(&name(together), "weight", bias, x, [channels, 3 * channels])?;
                (0..3).map(|part| Ok(b.graph.slice(all, 1, part * channels, channels)?)).collect::<Result<Vec<_>>>()?
            }
            apart => {
                let one = |layer: &&str| b.product(&name(layer), "weight", bias, x, [channels; 2]);
                apart.iter().map(one).collect::<Result<Vec<_>>>()?
            }
        };
        b.graph.enter_layer(&name(self.names.table));
        let width_of_head = channels / heads;
        let by_head = [tokens, heads, width_of_head];
        for part in &mut parts {
            let rows = batches(count, &by_head);
            let split = b.graph.reshape(*part, rows)?;
            *part = b.graph.transpose(split, &[0, 2, 1, 3])?;
        }
        let (q, k, v) = (parts[0], parts[1], parts[2]);
        let q = b.graph.affine(q, 1.0 / (width_of_head as f32).sqrt(), 0.0)?;
        let scores = b.graph.matmul(q, k, false, true)?;
        let bias = biases(b, &name(self.names.table), grid, heads)?;
        let by_window = [count, heads, tokens, tokens];
        let scores = b.graph.reshape(scores, Shape::batch_of(&by_window))?;
        let scores = b.graph.add(scores, bias)?;
        let p = b.graph.softmax(scores)?;
        let p = b.drop_values(p, self.attention_dropout)?;
        let flat = [heads, tokens, tokens];
        let p = b.graph.reshape(p, batches(count, &flat))?;
        let y = b.graph.matmul(p, v, false, false)?;
        let y = b.graph.transpose(y, &[0, 2, 1, 3])?;
        let y = b.graph.reshape(y, batches(count * tokens, &[channels]))?;
        let y = b.linear(&name(self.names.attention_output), y, channels, channels)?;
        b.graph.enter_layer(&name(self.names.table));
        let windows = [down, across, window, window, channels];
        let y = b.graph.reshape(y, Shape::batch_of(&windows))?;
        let y = b.graph.transpose(y, &[0, 1, 3, 2, 4, 5])?;
        let y = b.graph.reshape(y, Shape::batch_of(&[down * window, across * window, channels]))?;
        let back = if shift > 0 { [down * window - shift, across * window - shift] } else { [0, 0] };
        let y = rolled_by(b, y, back)?;
        let y = b.graph.slice(y, 1, 0, height)?;
        Ok(b.graph.slice(y, 2, 0, width)?)
    }

    pub(crate) fn scores(&self, b: &mut Builder<'_>, pooled: NodeId, outputs: usize) -> Result<NodeId> {
        b.linear(self.head(), pooled, self.channels(self.stages.len() - 1), outputs)
    }
}

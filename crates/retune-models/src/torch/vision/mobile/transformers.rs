//! MobileNetV2 and EfficientNet as transformers has them: sizes from `config.json`.

use retune_graph::ops::Activation;

use super::names::{BlockNames, Style};
use super::{Block, Kind, Mobile, RELU6};
use crate::error::{ModelError, Result};
use crate::torch::config::Config;
use crate::torch::vision::layers::{Norm, Padding};

/// Widths and strides of the blocks of MobileNetV2, the first of which transformers counts to the stem.
const WIDTHS: [usize; 17] = [16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320];
const STRIDES: [usize; 17] = [1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1];

/// `width` rounded to a multiple of `divisor`, but not down by more than a tenth.
fn rounded(width: f32, divisor: usize, least: usize) -> usize {
    let nearest = ((width + divisor as f32 / 2.0) as usize / divisor * divisor).max(least);
    if (nearest as f32) < 0.9 * width { nearest + divisor } else { nearest }
}

impl Mobile {
    /// The network of a folder of transformers of `model_type` `mobilenet_v2`.
    pub(crate) fn read_mobilenet_v2(config: &Config<'_>) -> Result<Mobile> {
        let unsupported = |what: &str| ModelError::Unsupported {
            layer: "config.json".to_owned(),
            class: "mobilenet_v2".to_owned(),
            what: what.to_owned(),
            hint: "use one of Google's published models for classification".to_owned(),
        };
        if config.size_if_any("output_stride")?.unwrap_or(32) != 32 {
            return Err(unsupported("an `output_stride` other than 32"));
        }
        if !config.flag_or("first_layer_is_expansion", true)? {
            return Err(unsupported("`first_layer_is_expansion` = false"));
        }
        let multiplier = config.factor_or("depth_multiplier", 1.0)?;
        let divisor = config.size_if_any("depth_divisible_by")?.unwrap_or(8);
        let least = config.size_if_any("min_depth")?.unwrap_or(8);
        let ratio = config.factor_or("expand_ratio", 6.0)?;
        let width = |channels: usize| rounded((channels as f32 * multiplier).round(), divisor, least);
        let activation = config.activation_or("hidden_act", RELU6)?;
        let stem = width(32);
        let mut before = stem;
        let mut blocks = Vec::with_capacity(WIDTHS.len());
        for (index, (&channels, &stride)) in WIDTHS.iter().zip(&STRIDES).enumerate() {
            let outputs = width(channels);
            let inner = if index == 0 { stem } else { rounded((before as f32 * ratio).round(), divisor, least) };
            let names = mobilenet_v2_names(index);
            let residual = index > 0 && stride == 1 && before == outputs;
            blocks.push(Block { names, inner, outputs, kernel: 3, stride, residual, activation, squeeze: None });
            before = outputs;
        }
        let is_fine = config.flag_or("finegrained_output", true)? && multiplier < 1.0;
        let last = ["convolution", "normalization"].map(|part| format!("mobilenet_v2.conv_1x1.{part}"));
        let norm = Norm { epsilon: config.number_or("layer_norm_eps", 1e-3)?, momentum: 0.997 };
        Ok(Mobile {
            kind: Kind::MobileNetV2,
            style: Style::TransformersV2,
            stem,
            activation,
            blocks,
            last: (last, if is_fine { 1280 } else { width(1280) }),
            hidden: None,
            padding: if config.flag_or("tf_padding", true)? { Padding::Same } else { Padding::Half },
            norm,
            expand_norm: norm,
            dropout: config.rate_or("classifier_dropout_prob", 0.8)?,
            drop_path: 0.0,
        })
    }

    /// The network of a folder of transformers of `model_type` `efficientnet`.
    pub(crate) fn read_efficientnet(config: &Config<'_>) -> Result<Mobile> {
        config.require("pooling_type", "mean", "use one of Google's published models, which take the mean")?;
        let divisor = config.size_if_any("depth_divisor")?.unwrap_or(8);
        let coefficient = config.factor_or("width_coefficient", 2.0)?;
        let depth = config.factor_or("depth_coefficient", 3.1)?;
        let squeeze = config.factor_or("squeeze_expansion_ratio", 0.25)?;
        let width = |channels: usize| rounded(channels as f32 * coefficient, divisor, divisor);
        let activation = config.activation_or("hidden_act", Activation::Silu)?;
        let inputs = config.sizes("in_channels", &[32, 16, 24, 40, 80, 112, 192])?;
        let outputs = config.sizes("out_channels", &[16, 24, 40, 80, 112, 192, 320])?;
        let kernels = config.sizes("kernel_sizes", &[3, 3, 5, 3, 5, 5, 3])?;
        let strides = config.sizes("strides", &[1, 2, 2, 2, 1, 2, 1])?;
        let ratios = config.sizes("expand_ratios", &[1, 6, 6, 6, 6, 6, 6])?;
        let repeats = config.sizes("num_block_repeats", &[1, 2, 2, 3, 3, 4, 1])?;
        let lists = [&outputs, &kernels, &strides, &ratios, &repeats];
        if lists.iter().any(|list| list.len() != inputs.len()) {
            return Err(ModelError::Description {
                place: "config.json: in_channels".to_owned(),
                expected: "as many entries as the other lists of stages".to_owned(),
                found: inputs.len().to_string(),
            });
        }
        let mut blocks = Vec::new();
        for stage in 0..inputs.len() {
            for index in 0..(depth * repeats[stage] as f32).ceil() as usize {
                let before = width(if index == 0 { inputs[stage] } else { outputs[stage] });
                blocks.push(Block {
                    names: efficientnet_names(blocks.len(), ratios[stage] > 1),
                    inner: before * ratios[stage],
                    outputs: width(outputs[stage]),
                    kernel: kernels[stage],
                    stride: if index == 0 { strides[stage] } else { 1 },
                    residual: index > 0,
                    activation,
                    squeeze: Some(((before as f32 * squeeze) as usize).max(1)),
                });
            }
        }
        let last = ["top_conv", "top_bn"].map(|part| format!("efficientnet.encoder.{part}"));
        let epsilon = config.number_or("batch_norm_eps", 1e-3)?;
        Ok(Mobile {
            kind: Kind::EfficientNet,
            style: Style::TransformersEfficientNet,
            stem: width(32),
            activation,
            blocks,
            last: (last, width(1280)),
            hidden: None,
            padding: Padding::Same,
            norm: Norm { epsilon, momentum: config.number_or("batch_norm_momentum", 0.99)? },
            expand_norm: Norm { epsilon, ..Norm::PYTORCH },
            dropout: config.rate_or("dropout_rate", 0.5)?,
            drop_path: config.rate_or("drop_connect_rate", 0.2)?,
        })
    }
}

fn mobilenet_v2_names(index: usize) -> BlockNames {
    let block = match index {
        0 => "mobilenet_v2.conv_stem".to_owned(),
        index => format!("mobilenet_v2.layer.{}", index - 1),
    };
    let pair = |layer: &str| ["convolution", "normalization"].map(|part| format!("{block}.{layer}.{part}"));
    BlockNames {
        expand: (index > 0).then(|| pair("expand_1x1")),
        depthwise: pair("conv_3x3"),
        squeeze: [String::new(), String::new()],
        project: pair("reduce_1x1"),
        block,
    }
}

fn efficientnet_names(index: usize, widens: bool) -> BlockNames {
    let block = format!("efficientnet.encoder.blocks.{index}");
    let pair = |layer: &str, parts: [&str; 2]| parts.map(|part| format!("{block}.{layer}.{part}"));
    BlockNames {
        expand: widens.then(|| pair("expansion", ["expand_conv", "expand_bn"])),
        depthwise: pair("depthwise_conv", ["depthwise_conv", "depthwise_norm"]),
        squeeze: pair("squeeze_excite", ["reduce", "expand"]),
        project: pair("projection", ["project_conv", "project_bn"]),
        block,
    }
}

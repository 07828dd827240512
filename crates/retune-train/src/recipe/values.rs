//! Values of a recipe's keys that are one of several words, or small tables.

use retune_data::sources::Column;
use serde::{Deserialize, Serialize};

/// A group of layers with its own learning rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Group {
    /// Patterns of layer names; `*` stands for any characters.
    pub layers: Vec<String>,
    /// Factor of the learning rate. Default 1.
    #[serde(default = "one")]
    pub learning_rate: f64,
    /// Factor of weight decay. Default 1.
    #[serde(default = "one")]
    pub weight_decay: f64,
}

fn one() -> f64 {
    1.0
}

/// A new model for data of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelKind {
    /// For tables of numbers and categories.
    Table,
}

/// Which weights are kept of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weights {
    /// Those of the file.
    Pretrained,
    /// None: fresh ones are drawn, to train from scratch.
    None,
}

/// Which weights are trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// All that the model and `[model]` do not freeze.
    Full,
    /// Only the head: the layers of `head`, or the last layer with weights.
    Head,
    /// The head first, then all.
    LpFt,
    /// The head first, then one more group of layers from time to time.
    Gradual,
    /// The head, and terms of small rank beside products with frozen weights.
    Lora,
    /// The head, and factors of keys, values and inner activations.
    Ia3,
    /// The head, and small networks behind products with frozen weights.
    Bottleneck,
    /// The head, and virtual tokens before every text.
    Prompt,
    /// The head, and keys and values before those of every sequence.
    Prefix,
    /// The head and all biases.
    Biases,
    /// The head and the scales and shifts of norms.
    Norms,
}

/// The activation inside of a bottleneck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Inside {
    /// x · Φ(x).
    Gelu,
    /// max(0, x).
    Relu,
    /// x · σ(x).
    Silu,
    /// tanh(x).
    Tanh,
}

/// What the terms of `lora` are at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Init {
    /// Nothing.
    Zero,
    /// The principal part of the weights.
    Pissa,
}

/// How precisely products are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PrecisionKind {
    /// In 32 bits.
    F32,
    /// Factors rounded to bfloat16, where the processor multiplies such numbers faster; sums and weights in 32 bits.
    Bf16,
}

/// Where the threshold of yes and no comes from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected `f1`, `balanced-accuracy`, a number from 0 to 1, or costs such as \
                               `{ false-positive = 1, false-negative = 5 }`"
)]
pub enum ThresholdKey {
    /// This one.
    Given(f64),
    /// What makes a score of the validation part best.
    Goal(ThresholdGoalKey),
    /// What makes the cost of mistakes on the validation part least.
    Cost(ThresholdCosts),
}

/// A score that a threshold is to make best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThresholdGoalKey {
    /// F1 of yes.
    F1,
    /// The mean recall of yes and no.
    BalancedAccuracy,
}

/// What mistakes cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ThresholdCosts {
    /// Cost of a wrong yes.
    pub false_positive: f64,
    /// Cost of a wrong no.
    pub false_negative: f64,
}

/// How often examples are drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected `\"balanced\"`, `{ classes = [1.0, 3.0] }` or `{ column = \"weight\" }`")]
pub enum SamplingKey {
    /// Every class alike.
    Balanced(SamplingName),
    /// By weights of classes.
    Classes(SamplingClasses),
    /// By a column of weights.
    Column(SamplingColumn),
}

/// The word `balanced`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SamplingName {
    /// Every class alike.
    Balanced,
}

/// Weights of classes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SamplingClasses {
    /// One for each class, in their order.
    pub classes: Vec<f32>,
}

/// A column of weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SamplingColumn {
    /// Its name or number.
    pub column: Column,
}

/// Whether values of frozen layers are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CacheUse {
    /// All or none.
    Always(bool),
    /// `"auto"`: where reading them is faster than computing them.
    Auto(Auto),
}

/// The word `auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auto {
    /// As is best.
    Auto,
}

/// What is done where an image's aspect ratio is not the one wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FitKind {
    /// The ratio is not kept.
    Stretch,
    /// The largest box of the wanted ratio is cut from the centre.
    CenterCrop,
    /// Pixels are added on two sides.
    Pad,
}

/// What stands outside of an image that is shifted or turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FillKind {
    /// The image mirrored.
    Reflect,
    /// The edge pixel repeated.
    Nearest,
    /// One value.
    Constant,
}

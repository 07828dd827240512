//! Every layer: its attributes, its weights, its nodes.
//!
//! | file | layers |
//! | --- | --- |
//! | [`input`] | InputLayer |
//! | [`dense`] | Dense |
//! | [`embedding`] | Embedding, Masking |
//! | [`convolution`] | Conv1D, Conv2D |
//! | [`depthwise`] | DepthwiseConv1D/2D, SeparableConv1D/2D |
//! | [`transposed`] | Conv1DTranspose, Conv2DTranspose |
//! | [`pooling`] | MaxPooling, AveragePooling, GlobalMaxPooling, GlobalAveragePooling, 1D and 2D |
//! | [`batch_normalization`] | BatchNormalization |
//! | [`normalization`] | LayerNormalization, RMSNormalization, GroupNormalization, UnitNormalization |
//! | [`activation`] | Activation, ReLU, LeakyReLU, ELU, PReLU, Softmax |
//! | [`noise`] | Dropout, SpatialDropout1D/2D, AlphaDropout, GaussianDropout, GaussianNoise |
//! | [`reshaping`] | Flatten, Reshape, Permute, RepeatVector |
//! | [`borders`] | ZeroPadding, Cropping, 1D and 2D |
//! | [`resizing`] | UpSampling1D/2D, Resizing, CenterCrop |
//! | [`merging`] | Add, Subtract, Multiply, Average, Maximum, Minimum, Concatenate |
//! | [`dot`] | Dot |
//! | [`cells`] | one step of SimpleRNN, LSTM, GRU |
//! | [`recurrent`] | SimpleRNN, LSTM, GRU, RNN over sequences |
//! | [`wrappers`] | Bidirectional, TimeDistributed |
//! | [`multi_head_attention`] | MultiHeadAttention |
//! | [`attention`] | Attention, AdditiveAttention |
//! | [`preprocessing`] | Rescaling, Normalization |
//! | [`augmentation`] | the random image layers |
//! | [`operation`] | operations that Keras records between layers |

pub(crate) mod activation;
pub(crate) mod attention;
pub(crate) mod augmentation;
pub(crate) mod batch_normalization;
pub(crate) mod borders;
pub(crate) mod cells;
pub(crate) mod convolution;
pub(crate) mod dense;
pub(crate) mod depthwise;
pub(crate) mod dot;
pub(crate) mod embedding;
pub(crate) mod input;
pub(crate) mod merging;
pub(crate) mod multi_head_attention;
pub(crate) mod noise;
pub(crate) mod normalization;
pub(crate) mod operation;
pub(crate) mod pooling;
pub(crate) mod preprocessing;
pub(crate) mod recurrent;
pub(crate) mod reshaping;
pub(crate) mod resizing;
pub(crate) mod transposed;
pub(crate) mod wrappers;

use retune_graph::ops::pool::Pooling;
use serde_json::Value as Json;

use super::calls::Arguments;
use super::config::KerasModel;
use super::fields::Fields;
use super::lowering::{Lowering, Value};
use crate::error::Result;

/// What becomes of the mask of a layer's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MaskRule {
    /// The outputs have it too.
    Keep,
    /// The outputs have none.
    Drop,
    /// The layer sets it by itself.
    Own,
}

/// What every layer does: appends its nodes.
pub(crate) trait Lower: std::fmt::Debug {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>>;
}

macro_rules! layers {
    ($($variant:ident($kind:ty)),* $(,)?) => {
        /// One layer with its attributes.
        #[derive(Debug, Clone)]
        pub(crate) enum Layer { $($variant($kind)),* }

        impl Layer {
            fn behaviour(&self) -> &dyn Lower {
                match self { $(Layer::$variant(layer) => layer),* }
            }
        }

        $(impl From<$kind> for Layer {
            fn from(layer: $kind) -> Layer { Layer::$variant(layer) }
        })*
    };
}

layers! {
    Input(input::Input),
    Model(Box<KerasModel>),
    Dense(dense::Dense),
    Embedding(embedding::Embedding),
    Masking(embedding::Masking),
    Convolution(convolution::Convolution),
    Depthwise(depthwise::Depthwise),
    Separable(depthwise::Separable),
    Transposed(transposed::Transposed),
    Pool(pooling::Pool),
    GlobalPool(pooling::GlobalPool),
    BatchNormalization(batch_normalization::BatchNormalization),
    LayerNormalization(normalization::LayerNormalization),
    RmsNormalization(normalization::RmsNormalization),
    GroupNormalization(normalization::GroupNormalization),
    UnitNormalization(normalization::UnitNormalization),
    Activation(activation::Activation),
    PRelu(activation::PRelu),
    Softmax(activation::Softmax),
    Dropout(noise::Dropout),
    AlphaDropout(noise::AlphaDropout),
    GaussianDropout(noise::GaussianDropout),
    GaussianNoise(noise::GaussianNoise),
    Identity(reshaping::Identity),
    Flatten(reshaping::Flatten),
    Reshape(reshaping::Reshape),
    Permute(reshaping::Permute),
    RepeatVector(reshaping::RepeatVector),
    ZeroPadding(borders::ZeroPadding),
    Cropping(borders::Cropping),
    UpSampling(resizing::UpSampling),
    Resizing(resizing::Resizing),
    CenterCrop(resizing::CenterCrop),
    Merge(merging::Merge),
    Concatenate(merging::Concatenate),
    Dot(dot::Dot),
    Recurrent(recurrent::Recurrent),
    Bidirectional(wrappers::Bidirectional),
    TimeDistributed(wrappers::TimeDistributed),
    MultiHeadAttention(multi_head_attention::MultiHeadAttention),
    Attention(attention::Attention),
    Rescaling(preprocessing::Rescaling),
    Normalization(preprocessing::Normalization),
    RandomImage(augmentation::RandomImage),
    Operation(operation::Operation),
}

impl Layer {
    /// Reads the layer of this class; `value` is its whole description.
    pub(crate) fn read(class: &str, module: &str, value: &Json, fields: Fields<'_>) -> Result<Layer> {
        if module.contains(".ops") {
            return operation::Operation::read(class, &fields).map(Layer::from);
        }
        let f = &fields;
        let layer: Layer = match class {
            "Functional" | "Sequential" => {
                return KerasModel::read_at(value, fields.layer, fields.notes()).map(|model| Box::new(model).into());
            }
            "InputLayer" => input::Input::read(f)?.into(),
            "Dense" => dense::Dense::read(f)?.into(),
            "Embedding" => embedding::Embedding::read(f)?.into(),
            "Masking" => embedding::Masking::read(f)?.into(),
            "Conv1D" => convolution::Convolution::read(f, 1)?.into(),
            "Conv2D" => convolution::Convolution::read(f, 2)?.into(),
            "DepthwiseConv1D" => depthwise::Depthwise::read(f, 1)?.into(),
            "DepthwiseConv2D" => depthwise::Depthwise::read(f, 2)?.into(),
            "SeparableConv1D" => depthwise::Separable::read(f, 1)?.into(),
            "SeparableConv2D" => depthwise::Separable::read(f, 2)?.into(),
            "Conv1DTranspose" => transposed::Transposed::read(f, 1)?.into(),
            "Conv2DTranspose" => transposed::Transposed::read(f, 2)?.into(),
            "MaxPooling1D" => pooling::Pool::read(f, Pooling::Max, 1)?.into(),
            "MaxPooling2D" => pooling::Pool::read(f, Pooling::Max, 2)?.into(),
            "AveragePooling1D" => pooling::Pool::read(f, Pooling::Average, 1)?.into(),
            "AveragePooling2D" => pooling::Pool::read(f, Pooling::Average, 2)?.into(),
            "GlobalMaxPooling1D" => pooling::GlobalPool::read(f, Pooling::Max, 1)?.into(),
            "GlobalMaxPooling2D" => pooling::GlobalPool::read(f, Pooling::Max, 2)?.into(),
            "GlobalAveragePooling1D" => pooling::GlobalPool::read(f, Pooling::Average, 1)?.into(),
            "GlobalAveragePooling2D" => pooling::GlobalPool::read(f, Pooling::Average, 2)?.into(),
            "BatchNormalization" => batch_normalization::BatchNormalization::read(f)?.into(),
            "LayerNormalization" => normalization::LayerNormalization::read(f)?.into(),
            "RMSNormalization" => normalization::RmsNormalization::read(f)?.into(),
            "GroupNormalization" => normalization::GroupNormalization::read(f)?.into(),
            "UnitNormalization" => normalization::UnitNormalization::read(f)?.into(),
            "Activation" => activation::Activation::read(f)?.into(),
            "ReLU" => activation::Activation::relu(f)?.into(),
            "LeakyReLU" => activation::Activation::leaky_relu(f)?.into(),
            "ELU" => activation::Activation::elu(f)?.into(),
            "PReLU" => activation::PRelu::read(f)?.into(),
            "Softmax" => activation::Softmax::read(f)?.into(),
            "Dropout" => noise::Dropout::read(f)?.into(),
            "SpatialDropout1D" => noise::Dropout::spatial(f, 1)?.into(),
            "SpatialDropout2D" => noise::Dropout::spatial(f, 2)?.into(),
            "AlphaDropout" => noise::AlphaDropout::read(f)?.into(),
            "GaussianDropout" => noise::GaussianDropout::read(f)?.into(),
            "GaussianNoise" => noise::GaussianNoise::read(f)?.into(),
            "Identity" => reshaping::Identity.into(),
            "ActivityRegularization" => reshaping::Identity::activity_regularization(f)?.into(),
            "Flatten" => reshaping::Flatten::read(f)?.into(),
            "Reshape" => reshaping::Reshape::read(f)?.into(),
            "Permute" => reshaping::Permute::read(f)?.into(),
            "RepeatVector" => reshaping::RepeatVector::read(f)?.into(),
            "ZeroPadding1D" => borders::ZeroPadding::read(f, 1)?.into(),
            "ZeroPadding2D" => borders::ZeroPadding::read(f, 2)?.into(),
            "Cropping1D" => borders::Cropping::read(f, 1)?.into(),
            "Cropping2D" => borders::Cropping::read(f, 2)?.into(),
            "UpSampling1D" => resizing::UpSampling::read(f, 1)?.into(),
            "UpSampling2D" => resizing::UpSampling::read(f, 2)?.into(),
            "Resizing" => resizing::Resizing::read(f)?.into(),
            "CenterCrop" => resizing::CenterCrop::read(f)?.into(),
            "Add" => merging::Merge::Add.into(),
            "Subtract" => merging::Merge::Subtract.into(),
            "Multiply" => merging::Merge::Multiply.into(),
            "Average" => merging::Merge::Average.into(),
            "Maximum" => merging::Merge::Maximum.into(),
            "Minimum" => merging::Merge::Minimum.into(),
            "Concatenate" => merging::Concatenate::read(f)?.into(),
            "Dot" => dot::Dot::read(f)?.into(),
            "SimpleRNN" | "LSTM" | "GRU" => recurrent::Recurrent::read(f)?.into(),
            "RNN" => recurrent::Recurrent::of_cells(f)?.into(),
            "Bidirectional" => wrappers::Bidirectional::read(f)?.into(),
            "TimeDistributed" => wrappers::TimeDistributed::read(f)?.into(),
            "MultiHeadAttention" => multi_head_attention::MultiHeadAttention::read(f)?.into(),
            "Attention" => attention::Attention::read(f)?.into(),
            "AdditiveAttention" => attention::Attention::additive(f)?.into(),
            "Rescaling" => preprocessing::Rescaling::read(f)?.into(),
            "Normalization" => preprocessing::Normalization::read(f)?.into(),
            "RandomFlip" | "RandomRotation" | "RandomZoom" | "RandomTranslation" | "RandomContrast"
            | "RandomBrightness" | "RandomCrop" => augmentation::RandomImage::read(f)?.into(),
            "Lambda" => {
                return Err(fields.unsupported(
                    "a Lambda layer",
                    "it holds Python code, which is never run; replace it by layers of Keras (Rescaling, Reshape, \
                     Activation, …) and save the model again",
                ));
            }
            _ => {
                return Err(fields.unsupported(
                    "this class",
                    "replace the layer by supported ones and save the model again; if it is a layer of Keras itself, \
                     please report it",
                ));
            }
        };
        fields.finish()?;
        Ok(layer)
    }

    /// Appends the layer's nodes.
    pub(crate) fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        self.behaviour().lower(b, arguments)
    }

    /// What becomes of the mask, as Keras's `supports_masking` and `compute_mask` say.
    pub(crate) fn mask_rule(&self) -> MaskRule {
        match self {
            Layer::Dense(_)
            | Layer::Activation(_)
            | Layer::PRelu(_)
            | Layer::Softmax(_)
            | Layer::Dropout(_)
            | Layer::AlphaDropout(_)
            | Layer::GaussianDropout(_)
            | Layer::GaussianNoise(_)
            | Layer::BatchNormalization(_)
            | Layer::LayerNormalization(_)
            | Layer::GroupNormalization(_)
            | Layer::UnitNormalization(_)
            | Layer::Identity(_)
            | Layer::Rescaling(_)
            | Layer::Normalization(_)
            | Layer::TimeDistributed(_)
            | Layer::MultiHeadAttention(_)
            | Layer::Attention(_) => MaskRule::Keep,
            Layer::Input(_)
            | Layer::Model(_)
            | Layer::Embedding(_)
            | Layer::Masking(_)
            | Layer::Merge(_)
            | Layer::Concatenate(_)
            | Layer::Recurrent(_)
            | Layer::Bidirectional(_) => MaskRule::Own,
            Layer::Convolution(_)
            | Layer::Depthwise(_)
            | Layer::Separable(_)
            | Layer::Transposed(_)
            | Layer::Pool(_)
            | Layer::GlobalPool(_)
            | Layer::RmsNormalization(_)
            | Layer::Flatten(_)
            | Layer::Reshape(_)
            | Layer::Permute(_)
            | Layer::RepeatVector(_)
            | Layer::ZeroPadding(_)
            | Layer::Cropping(_)
            | Layer::UpSampling(_)
            | Layer::Resizing(_)
            | Layer::CenterCrop(_)
            | Layer::Dot(_)
            | Layer::RandomImage(_)
            | Layer::Operation(_) => MaskRule::Drop,
        }
    }

    /// Whether the layer, or one inside it, draws random numbers while training.
    pub(crate) fn is_random(&self) -> bool {
        match self {
            Layer::Dropout(_)
            | Layer::AlphaDropout(_)
            | Layer::GaussianDropout(_)
            | Layer::GaussianNoise(_)
            | Layer::RandomImage(_) => true,
            Layer::Recurrent(layer) => layer.is_random(),
            Layer::Bidirectional(layer) => layer.is_random(),
            Layer::TimeDistributed(layer) => layer.inner().is_random(),
            Layer::Model(model) => model.layers.iter().any(|node| node.layer.is_random()),
            _ => false,
        }
    }

    /// Whether the layer, or one inside it, is a batch normalization.
    pub(crate) fn has_batch_normalization(&self) -> bool {
        match self {
            Layer::BatchNormalization(_) => true,
            Layer::TimeDistributed(layer) => layer.inner().has_batch_normalization(),
            Layer::Model(model) => model.layers.iter().any(|node| node.layer.has_batch_normalization()),
            _ => false,
        }
    }
}

impl Lower for Box<KerasModel> {
    fn lower(&self, b: &mut Lowering<'_>, arguments: &Arguments<Value>) -> Result<Vec<Value>> {
        let inputs: Vec<Value> = arguments.tensors().into_iter().copied().collect();
        KerasModel::lower(self, b, &inputs)
    }
}

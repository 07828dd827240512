//! Every operation: attributes, shape rule, gradient rule and cost, one family a file.
//!
//! | file | operations |
//! | --- | --- |
//! | [`activation`] | [`Activate`]: every activation function, and its derivative |
//! | [`elementwise`] | [`Unary`], [`Affine`], [`Binary`] with numpy broadcasting, [`Cast`], [`Detach`] |
//! | [`reduce`] | [`Reduce`] over axes, [`BroadcastTo`] |
//! | [`layout`] | [`Reshape`], [`Transpose`], [`Slice`], [`Pad`], [`Concat`], [`Reverse`] |
//! | [`matmul`] | [`MatMul`], batched |
//! | [`linear`] | [`Linear`]: product with a weight, bias and activation |
//! | [`conv2d`] | [`Conv2d`] and its two gradients |
//! | [`depthwise`] | [`DepthwiseConv2d`] and its two gradients |
//! | [`pool`] | [`Pool2d`] (maximum, average) and its gradient |
//! | [`softmax`] | [`Softmax`], [`LogSoftmax`] over the last axis |
//! | [`cross_entropy`] | [`SoftmaxCrossEntropy`] of logits against class indices or probabilities |
//! | [`attention`] | [`Attention`] of tokens to their own sequence, and its gradients |
//! | [`relative`] | what the distance of two tokens adds to their score there |
//! | [`rotary`] | [`Rotary`] position embedding |
//! | [`sequence`] | sequences of tokens without padding, [`SequencePool`] |
//! | [`prompt`] | [`SequencePrompt`]: the same first rows for every sequence |
//! | [`batch_norm`] | moments over all but the last axis, normalization by them |
//! | [`layer_norm`] | the same over the last axes |
//! | [`gather`] | [`Gather`]: rows of a table (embedding), and the sum of their gradients |
//! | [`random`] | [`Dropout`] and random tensors, keyed by example |
//! | [`resize`] | [`Resize`] of images, nearest and bilinear |
//! | [`image`] | [`ImageAugment`]: random flips, affine maps and colour changes |

pub mod activation;
pub mod attention;
pub mod batch_norm;
pub mod conv2d;
pub mod cross_entropy;
pub mod depthwise;
pub mod elementwise;
pub mod gather;
pub mod image;
pub mod layer_norm;
pub mod layout;
pub mod linear;
pub mod matmul;
pub mod pool;
pub mod prompt;
pub mod random;
pub mod reduce;
pub mod relative;
pub mod resize;
pub mod rotary;
pub mod sequence;
pub mod softmax;

pub use activation::{Activate, ActivateGrad, Activation};
pub use attention::{Attention, AttentionGrad, AttentionGradPrefix, AttentionGradTables, Reach};
pub use batch_norm::{BatchMoments, BatchNorm, BatchNormGradInput, BatchNormGradSums};
pub use conv2d::{Conv2d, Conv2dGradInput, Conv2dGradWeight, ConvGeometry};
pub use cross_entropy::{SoftmaxCrossEntropy, SoftmaxCrossEntropyGrad};
pub use depthwise::{DepthwiseConv2d, DepthwiseConv2dGradInput, DepthwiseConv2dGradWeight};
pub use elementwise::{Affine, Binary, Cast, Detach, Unary};
pub use gather::{Gather, ScatterAdd};
pub use image::ImageAugment;
pub use layer_norm::{LayerNorm, LayerNormGradInput, LayerNormGradSums, RowMoments};
pub use layout::{Concat, Pad, Reshape, Reverse, Slice, Transpose};
pub use linear::Linear;
pub use matmul::{MatMul, Precision};
pub use pool::{Pool2d, Pool2dGrad};
pub use prompt::{SequencePrompt, SequencePromptGrad};
pub use random::{Dropout, Random};
pub use reduce::{BroadcastTo, Reduce};
pub use relative::{Buckets, Relative};
pub use resize::{Resize, ResizeGrad};
pub use rotary::Rotary;
pub use sequence::{SequencePool, SequencePoolGrad, Sequences};
pub use softmax::{LogSoftmax, LogSoftmaxGrad, Softmax, SoftmaxGrad};

use crate::error::{GraphError, Rule};
use crate::grad::Backward;
use crate::shape::{DType, Shape};
use crate::weights::WeightId;

/// An input of an operation as its shape rule sees it.
#[derive(Debug, Clone, Copy)]
pub struct Operand<'a> {
    /// Shape of the input.
    pub shape: &'a Shape,
    /// Type of the input's values.
    pub dtype: DType,
}

/// The sizes of one execution: bound shapes, and the number of examples.
#[derive(Debug, Clone, Copy)]
pub struct Sizes<'a> {
    /// Shape of each input.
    pub inputs: &'a [Vec<usize>],
    /// Shape of the output.
    pub output: &'a [usize],
    /// Number of examples.
    pub batch: usize,
}

/// What every operation with inputs declares.
pub trait Operation: std::fmt::Debug {
    /// The operation's name in errors and printed graphs.
    fn name(&self) -> &'static str;

    /// Shape and type of the output, or the rule that the inputs break.
    fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule>;

    /// Appends the vector-Jacobian product with respect to each needed input.
    fn grad(&self, backward: &mut Backward<'_>) -> Result<(), GraphError>;

    /// Floating-point operations for these sizes; by default one per output value.
    fn flops(&self, Sizes { output, .. }: Sizes<'_>) -> u64 {
        output.iter().product::<usize>() as u64
    }
}

macro_rules! operations {
    ($($name:ident),* $(,)?) => {
        /// One operation of a graph.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Op {
            /// A value given to every run, by name.
            Input(String),
            /// A weight.
            Weight(WeightId),
            /// Every value the same number.
            Fill(f32),
            /// Random numbers of a shape; see [`random`].
            Random(Random),
            $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name),)*
        }

        impl Op {
            /// The operation behind the enum; leaves have none.
            fn operation(&self) -> Option<&dyn Operation> {
                match self {
                    Op::Input(_) | Op::Weight(_) | Op::Fill(_) | Op::Random(_) => None,
                    $(Op::$name(op) => Some(op),)*
                }
            }
        }

        $(impl From<$name> for Op {
            fn from(op: $name) -> Op { Op::$name(op) }
        })*
    };
}

operations! {
    Activate, ActivateGrad, Affine, Attention, AttentionGrad, AttentionGradPrefix, AttentionGradTables, BatchMoments, BatchNorm, BatchNormGradInput, BatchNormGradSums, Binary, BroadcastTo,
    Cast, Concat, Conv2d, Conv2dGradInput, Conv2dGradWeight, DepthwiseConv2d, DepthwiseConv2dGradInput,
    DepthwiseConv2dGradWeight, Detach, Dropout, Gather, ImageAugment, LayerNorm, LayerNormGradInput, LayerNormGradSums, Linear,
    LogSoftmax, LogSoftmaxGrad, MatMul, Pad, Pool2d, Pool2dGrad, Reduce, Reshape, Resize, ResizeGrad, Reverse, Rotary, RowMoments,
    ScatterAdd, SequencePool, SequencePoolGrad, SequencePrompt, SequencePromptGrad, Slice, Softmax, SoftmaxCrossEntropy, SoftmaxCrossEntropyGrad, SoftmaxGrad, Transpose, Unary,
}

impl Op {
    /// The operation's name.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Input(_) => "input",
            Op::Weight(_) => "weight",
            Op::Fill(_) => "fill",
            Op::Random(_) => "random",
            op => op.operation().map_or("", Operation::name),
        }
    }

    /// Whether the result depends on random numbers besides the inputs.
    pub fn is_random(&self) -> bool {
        match self {
            Op::Random(_) | Op::Dropout(_) | Op::ImageAugment(_) => true,
            Op::Attention(op)
            | Op::AttentionGrad(AttentionGrad(op))
            | Op::AttentionGradPrefix(AttentionGradPrefix(op))
            | Op::AttentionGradTables(AttentionGradTables(op)) => op.dropout.is_some(),
            _ => false,
        }
    }

    /// The attributes, for printing.
    pub fn attributes(&self) -> String {
        match self {
            Op::Fill(value) => value.to_string(),
            Op::Random(random) => format!("{random:?}"),
            op => op.operation().map_or(String::new(), |op| format!("{op:?}")),
        }
    }

    pub(crate) fn infer(&self, inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
        self.operation().ok_or_else(|| Rule::from("a leaf has no inputs"))?.infer(inputs)
    }

    pub(crate) fn grad(&self, backward: &mut Backward<'_>) -> Result<(), GraphError> {
        match self.operation() {
            Some(op) => op.grad(backward),
            None => Ok(()),
        }
    }

    /// Floating-point operations for these sizes (a multiply-add counts as two).
    pub fn flops(&self, sizes: Sizes<'_>) -> u64 {
        self.operation().map_or(0, |op| op.flops(sizes))
    }
}

/// The inputs as an array of `N`, or the rule that their number breaks.
pub(crate) fn exactly<'a, 'b, const N: usize>(inputs: &'a [Operand<'b>]) -> Result<&'a [Operand<'b>; N], Rule> {
    inputs.try_into().map_err(|_| format!("it takes {N} inputs, found {}", inputs.len()))
}

/// Breaks `rule` unless `condition` holds.
pub(crate) fn require(condition: bool, rule: impl FnOnce() -> Rule) -> Result<(), Rule> {
    if condition { Ok(()) } else { Err(rule()) }
}

/// Requires `f32` values.
pub(crate) fn require_f32(inputs: &[Operand<'_>]) -> Result<(), Rule> {
    require(inputs.iter().all(|i| i.dtype == DType::F32), || "it takes f32 values".to_owned())
}

/// The shape rule of operations that keep shape and type of their first input, where all inputs have one shape.
pub(crate) fn same_shape(inputs: &[Operand<'_>]) -> Result<(Shape, DType), Rule> {
    let first = inputs.first().ok_or("it takes an input")?;
    require(inputs.iter().all(|i| i.shape == first.shape), || "all inputs must have one shape".to_owned())?;
    require_f32(inputs)?;
    Ok((first.shape.clone(), DType::F32))
}

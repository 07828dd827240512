//! Every operation has a case.

use retune_graph::Op;

macro_rules! variants {
    ($($name:ident)*) => {
        /// The operations that kernels compute. The match has no wildcard, so a new operation must be named here.
        fn variant(op: &Op) -> &'static str {
            match op {
                Op::Input(_) => "Input",
                Op::Weight(_) => "Weight",
                $(Op::$name(_) => stringify!($name),)*
            }
        }

        const VARIANTS: &[&str] = &[$(stringify!($name)),*];
    };
}

variants! {
    Activate ActivateGrad Affine BatchMoments BatchNorm BatchNormGradInput BatchNormGradSums Binary BroadcastTo Cast Concat
    Conv2d Conv2dGradInput Conv2dGradWeight DepthwiseConv2d DepthwiseConv2dGradInput DepthwiseConv2dGradWeight Dropout Fill
    Gather ImageAugment LayerNorm LayerNormGradInput LayerNormGradSums Linear LogSoftmax LogSoftmaxGrad MatMul Pad Pool2d
    Pool2dGrad Random Reduce Reshape Resize ResizeGrad Reverse RowMoments ScatterAdd Slice Softmax SoftmaxCrossEntropy
    SoftmaxCrossEntropyGrad SoftmaxGrad Transpose Unary
}

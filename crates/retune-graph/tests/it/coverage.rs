//! Nothing is left out: every operation and every activation stands in some checked gradient.

use std::collections::BTreeSet;

use retune_graph::ops::Activation;
use retune_graph::{Graph, Op};
use retune_testkit::cases::{activation_settings, all, without_gradient};
use retune_testkit::differentiate;

/// An exhaustive match, so that a new variant does not compile until it is listed, and the list of all names.
macro_rules! variants {
    ($function:ident, $list:ident, $enum:ident: $($name:ident $pattern:tt),* $(,)?) => {
        fn $function(value: &$enum) -> &'static str {
            match value { $($enum::$name $pattern => stringify!($name)),* }
        }

        const $list: &[&str] = &[$(stringify!($name)),*];
    };
}

variants! { op_variant, OP_VARIANTS, Op:
    Input(_), Weight(_), Fill(_), Random(_), Activate(_), ActivateGrad(_), Affine(_), Attention(_), AttentionGrad(_), AttentionGradPrefix(_), AttentionGradTables(_), BatchMoments(_), BatchNorm(_),
    BatchNormGradInput(_), BatchNormGradSums(_), Binary(_), BroadcastTo(_), Cast(_), Concat(_), Conv2d(_),
    Conv2dGradInput(_), Conv2dGradWeight(_), DepthwiseConv2d(_), DepthwiseConv2dGradInput(_),
    DepthwiseConv2dGradWeight(_), Detach(_), Dropout(_), Gather(_), ImageAugment(_), LayerNorm(_), LayerNormGradInput(_),
    LayerNormGradSums(_), Linear(_), LogSoftmax(_), LogSoftmaxGrad(_), MatMul(_), Pad(_), Pool2d(_), Pool2dGrad(_),
    Reduce(_), Reshape(_), Resize(_), ResizeGrad(_), Reverse(_), Rotary(_), RowMoments(_), ScatterAdd(_), SequencePool(_), SequencePoolGrad(_), SequencePrompt(_), SequencePromptGrad(_), Slice(_), Softmax(_),
    SoftmaxCrossEntropy(_), SoftmaxCrossEntropyGrad(_), SoftmaxGrad(_), Transpose(_), Unary(_),
}

variants! { activation_variant, ACTIVATION_VARIANTS, Activation:
    Relu { .. }, Clip { .. }, Elu { .. }, Selu {}, Celu { .. }, Gelu { .. }, Silu {}, Sigmoid {}, Tanh {}, Softplus {},
    Softsign {}, Exponential {}, HardSigmoid { .. }, HardSilu {}, LogSigmoid {}, Mish {}, HardShrink { .. },
    SoftShrink { .. }, TanhShrink {}, Threshold { .. }, SquarePlus { .. }, SparsePlus {}, SparseSigmoid {},
}

/// Operations without a gradient rule to check, with the reason.
const NOT_DIFFERENTIABLE: &[(&str, &str)] = &[
    ("Detach", "it is there to have none; `passes::weight_decomposed_terms_take_no_gradient_through_norms` tests it"),
    ("ImageAugment", "random image layers stand before everything that is trained; the refusal is tested"),
];

/// Names of operations as errors and printed graphs show them, more than one for families of functions.
const NAMES: &[&str] = &[
    "exp",
    "log",
    "sqrt",
    "rsqrt",
    "reciprocal",
    "square",
    "abs",
    "sign",
    "add",
    "sub",
    "mul",
    "div",
    "maximum",
    "minimum",
    "greater_equal",
    "equal",
    "reduce_sum",
    "reduce_mean",
    "reduce_max",
    "max_pool2d",
    "average_pool2d",
];

#[test]
fn every_operation_is_checked() {
    let (mut variants, mut names) = (BTreeSet::new(), BTreeSet::new());
    for case in all() {
        let graph = differentiate(&case.build).unwrap().graph;
        for node in graph.nodes() {
            variants.insert(op_variant(&node.op));
            names.insert(node.op.name());
        }
    }
    for (variant, reason) in NOT_DIFFERENTIABLE {
        assert!(variants.insert(variant), "{variant} has a checked gradient, though {reason}");
    }
    let missing: Vec<_> = OP_VARIANTS.iter().filter(|name| !variants.contains(*name)).collect();
    assert!(missing.is_empty(), "no gradient case has {missing:?}");
    let missing: Vec<_> = NAMES.iter().filter(|name| !names.contains(*name)).collect();
    assert!(missing.is_empty(), "no gradient case has {missing:?}");
}

/// What is not differentiable can still be evaluated, and gives what its shape rule says.
#[test]
fn operations_without_gradient_are_evaluated() {
    let mut changed = 0;
    for case in without_gradient() {
        let mut graph = Graph::new();
        let output = (case.build)(&mut graph).unwrap();
        let point = case.check.point(&graph);
        let results = point.interpret(&graph, &[output]);
        assert!(results[0].values.iter().all(|x| x.is_finite()), "{}", case.name);
        changed += usize::from(results[0].values != point.inputs[0].1.values);
    }
    assert!(changed > 20, "{changed}");
}

#[test]
fn every_activation_is_checked() {
    let seen: BTreeSet<_> =
        activation_settings().iter().map(|(activation, _)| activation_variant(activation)).collect();
    let missing: Vec<_> = ACTIVATION_VARIANTS.iter().filter(|name| !seen.contains(*name)).collect();
    assert!(missing.is_empty(), "no gradient case has {missing:?}");
}

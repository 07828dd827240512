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
    Activate ActivateGrad Affine Attention AttentionGrad AttentionGradPrefix AttentionGradTables BatchMoments BatchNorm BatchNormGradInput BatchNormGradSums Binary BroadcastTo Cast Concat
    Conv2d Conv2dGradInput Conv2dGradWeight DepthwiseConv2d DepthwiseConv2dGradInput DepthwiseConv2dGradWeight Detach Dropout Fill
    Gather ImageAugment LayerNorm LayerNormGradInput LayerNormGradSums Linear LogSoftmax LogSoftmaxGrad MatMul Pad Pool2d
    Pool2dGrad Random Reduce Reshape Resize ResizeGrad Reverse Rotary RowMoments ScatterAdd SequencePool SequencePoolGrad SequencePrompt SequencePromptGrad Slice Softmax SoftmaxCrossEntropy
    SoftmaxCrossEntropyGrad SoftmaxGrad Transpose Unary
}

/// Operations of the cases of this folder.
fn of_families() -> Vec<Op> {
    let families = [
        crate::depthwise::cases(),
        crate::elementwise::cases(),
        crate::gather::cases(),
        crate::images::cases(),
        crate::layout::cases(),
        crate::normalization::cases(),
        crate::pool::cases(),
        crate::random::cases(),
        crate::reduce::cases(),
        crate::sequences::cases(),
        crate::softmax::cases(),
    ];
    families.into_iter().flatten().map(|case| case.op).collect()
}

/// Operations of the graphs of the testkit, gradients included.
fn of_graphs() -> Vec<Op> {
    let graphs = retune_testkit::cases::all();
    let graphs = graphs.iter().map(|case| crate::graphs::outputs(case, true));
    let others = retune_testkit::cases::without_gradient();
    let others = others.iter().map(|case| crate::graphs::outputs(case, false));
    graphs
        .chain(others)
        .flat_map(|(graph, _)| graph.nodes().iter().map(|node| node.op.clone()).collect::<Vec<_>>())
        .collect()
}

#[test]
fn every_operation_has_a_case() {
    // Products have cases in `products`, which checks more kernels than there are operations.
    // The gradient of pooling takes its number of tokens from other inputs of a graph.
    let elsewhere = ["Conv2d", "Conv2dGradInput", "Conv2dGradWeight", "Linear", "MatMul", "SequencePoolGrad"];
    let (families, graphs) = (of_families(), of_graphs());
    for name in VARIANTS {
        let has = |ops: &[Op]| ops.iter().any(|op| variant(op) == *name);
        assert!(has(&families) || elsewhere.contains(name), "no kernel test of `{name}`");
        assert!(has(&graphs), "no graph with `{name}`");
    }
}

#[test]
fn every_activation_has_a_case() {
    let names: std::collections::BTreeSet<&str> = crate::elementwise::ACTIVATIONS.iter().map(|a| a.name()).collect();
    for (activation, _) in retune_testkit::cases::activation_settings() {
        assert!(names.contains(activation.name()), "no kernel test of `{}`", activation.name());
    }
}

//! Passes change how a graph is computed, never what it computes: outputs and gradients stay equal.

use retune_graph::ops::{Activation, Binary, ConvGeometry, Random, Unary};
use retune_graph::passes::{Adaptation, Term, adapt};
use retune_graph::passes::{
    Rewritten, cut_frozen_prefix, dependence, fold_scale, fuse_activations, recompute_normalization,
    without_frozen_dropout,
};
use retune_graph::{DType, Graph, GraphError, NodeId, Op, Role, Shape, WeightId, WeightInfo, gradients};
use retune_testkit::cases::{Built, frozen, input, weight};
use retune_testkit::{Array, StepRandom, assert_close, interpret, samples};

type Pass = fn(&Graph, &[NodeId]) -> Result<Rewritten, GraphError>;

/// Runs `pass` on the graph of `build` and requires equal outputs, and equal gradients for every trainable weight. Gives
/// the operations of the rewritten graph that its output depends on.
fn unchanged(pass: Pass, build: impl Fn(&mut Graph) -> Built) -> Vec<Op> {
    let mut before = Graph::new();
    let output = build(&mut before).unwrap();
    let rewritten = pass(&before, &[output]).unwrap();
    let (new_output, after) = (rewritten.id(output), rewritten.graph);
    let used = after.reachable(&[new_output]);
    let ops = after.ids().filter(|id| used[id.0]).map(|id| after.node(id).op.clone()).collect();

    let (expected, found) = (evaluate(before, output), evaluate(after, new_output));
    assert!(found.len() > 1, "there is a gradient to compare");
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert!(expected.values.iter().any(|&x| x != 0.0));
        assert_close(found, expected, 1e-12, 1e-12);
    }
    ops
}

/// The output, and the gradient of its sum weighted by itself with respect to each trainable weight.
fn evaluate(mut graph: Graph, output: NodeId) -> Vec<Array> {
    let wrt: Vec<NodeId> = graph
        .ids()
        .filter(|&id| matches!(graph.node(id).op, Op::Weight(w) if graph.weight_info(w).role.is_trainable()))
        .collect();
    let found = gradients(&mut graph, &[(output, output)], &wrt).unwrap();
    let outputs: Vec<NodeId> = [output].into_iter().chain(found.into_iter().flatten()).collect();
    let shapes = graph.weights().iter().map(|info| info.shape.bind(&retune_graph::Bindings::batch(0)));
    let weights: Vec<Array> =
        shapes.enumerate().map(|(i, shape)| samples::uniform(i as u32, &shape, 0.5, 1.5)).collect();
    let inputs: Vec<(&str, Array)> = graph
        .nodes()
        .iter()
        .filter_map(|node| match &node.op {
            Op::Input(name) => {
                let shape = node.shape.bind(&retune_graph::Bindings::batch(8));
                Some((name.as_str(), samples::normal(100, &shape)))
            }
            _ => None,
        })
        .collect();
    interpret(&graph, &outputs, &weights, &inputs, &StepRandom::default())
}

/// Batch normalization by moving statistics, as a layer in inference mode builds it: `x · s + t` with
/// `s = gamma / √(variance + ε)` and `t = beta − mean · s`.
fn frozen_batch_norm(g: &mut Graph, x: NodeId, channels: usize) -> Built {
    let [gamma, beta, mean, variance] = [0; 4].map(|_| frozen(g, &[channels]));
    let variance = g.affine(variance, 1.0, 1e-3)?;
    let scale = g.unary(Unary::Rsqrt, variance)?;
    let scale = g.mul(gamma, scale)?;
    let shift = g.mul(mean, scale)?;
    let shift = g.sub(beta, shift)?;
    let scaled = g.mul(x, scale)?;
    g.add(scaled, shift)
}

fn conv(g: &mut Graph, bias: bool) -> Built {
    let (x, w) = (input(g, "x", &[5, 5, 2]), weight(g, &[3, 3, 2, 4]));
    let bias = bias.then(|| weight(g, &[4]));
    g.conv2d(x, w, bias, ConvGeometry::default(), 1)
}

/// Whether some operation still runs over the image.
fn has(ops: &[Op], name: &str) -> bool {
    ops.iter().any(|op| op.name() == name)
}

#[test]
fn frozen_batch_norm_folds_into_a_convolution() {
    for bias in [false, true] {
        let ops = unchanged(fold_scale, |g| {
            let y = conv(g, bias)?;
            frozen_batch_norm(g, y, 4)
        });
        assert!(matches!(ops.last(), Some(Op::Conv2d(_))), "the convolution is the last operation: {ops:?}");
    }
}

#[test]
fn frozen_batch_norm_folds_into_a_linear_product() {
    let ops = unchanged(fold_scale, |g| {
        let (x, w) = (input(g, "x", &[3]), weight(g, &[3, 4]));
        let y = g.linear(x, w, None)?;
        frozen_batch_norm(g, y, 4)
    });
    assert!(matches!(ops.last(), Some(Op::Linear(_))), "{ops:?}");
}

#[test]
fn the_scale_folds_into_a_depthwise_convolution() {
    let ops = unchanged(fold_scale, |g| {
        let (x, w) = (input(g, "x", &[5, 5, 2]), weight(g, &[3, 3, 2, 2]));
        let y = g.depthwise_conv2d(x, w, ConvGeometry::default())?;
        frozen_batch_norm(g, y, 4)
    });
    assert!(matches!(ops[..], [.., Op::DepthwiseConv2d(_), Op::Binary(Binary::Add)]), "{ops:?}");
}

#[test]
fn what_is_used_twice_or_follows_the_data_is_not_folded() {
    let ops = unchanged(fold_scale, |g| {
        let y = conv(g, true)?;
        let normal = frozen_batch_norm(g, y, 4)?;
        g.add(normal, y)
    });
    assert!(!matches!(ops.last(), Some(Op::Conv2d(_))), "{ops:?}");
    assert!(has(&ops, "conv2d"));

    let ops = unchanged(fold_scale, |g| {
        let y = conv(g, true)?;
        let scale = g.input("scale", Shape::fixed(&[4]), DType::F32);
        g.mul(y, scale)
    });
    assert!(matches!(ops.last(), Some(Op::Binary(Binary::Mul))), "{ops:?}");
}

#[test]
fn activations_fuse_where_their_value_gives_the_derivative() {
    let leaky = Activation::Relu { max_value: None, negative_slope: 0.1, threshold: 0.0 };
    for activation in [Activation::RELU, leaky, Activation::Sigmoid, Activation::Tanh, Activation::Elu { alpha: 1.0 }] {
        let ops = unchanged(fuse_activations, |g| {
            let y = conv(g, true)?;
            g.activate(y, activation)
        });
        assert!(matches!(ops.last(), Some(Op::Conv2d(op)) if op.activation == Some(activation)), "{ops:?}");
        let ops = unchanged(fuse_activations, |g| {
            let (x, w) = (input(g, "x", &[3]), weight(g, &[3, 4]));
            let y = g.linear(x, w, None)?;
            g.activate(y, activation)
        });
        assert!(matches!(ops.last(), Some(Op::Linear(op)) if op.activation == Some(activation)), "{ops:?}");
        let ops = unchanged(fuse_activations, |g| {
            let (x, gamma, beta) = (input(g, "x", &[2, 3]), weight(g, &[3]), weight(g, &[3]));
            let (y, _) = g.batch_norm(x, gamma, beta, 1e-3)?;
            g.activate(y, activation)
        });
        assert!(matches!(ops.last(), Some(Op::BatchNorm(op)) if op.activation == Some(activation)), "{ops:?}");
    }
}

#[test]
fn other_activations_stay() {
    for activation in [Activation::Silu, Activation::Gelu { approximate: false }] {
        let ops = unchanged(fuse_activations, |g| {
            let y = conv(g, true)?;
            g.activate(y, activation)
        });
        assert!(matches!(ops.last(), Some(Op::Activate(_))), "{ops:?}");
    }
    // The argument is needed elsewhere.
    let ops = unchanged(fuse_activations, |g| {
        let y = conv(g, true)?;
        let activated = g.activate(y, Activation::RELU)?;
        g.mul(activated, y)
    });
    assert!(has(&ops, "relu"));
    // Only one activation fits into a convolution.
    let ops = unchanged(fuse_activations, |g| {
        let y = conv(g, true)?;
        let y = g.activate(y, Activation::Tanh)?;
        g.activate(y, Activation::Sigmoid)
    });
    assert!(matches!(ops[..], [.., Op::Conv2d(_), Op::Activate(_)]), "{ops:?}");
}

#[test]
fn both_passes_leave_one_operation_of_a_block() {
    let both: Pass = |graph, outputs| {
        let folded = fold_scale(graph, outputs)?;
        let moved: Vec<NodeId> = outputs.iter().map(|&id| folded.id(id)).collect();
        fuse_activations(&folded.graph, &moved)
    };
    // Folding keeps the place of the output: the activation that follows is the last node of either graph.
    let mut before = Graph::new();
    let y = conv(&mut before, true).unwrap();
    let y = frozen_batch_norm(&mut before, y, 4).unwrap();
    let y = before.activate(y, Activation::RELU).unwrap();
    let fused = both(&before, &[y]).unwrap().graph;
    let output = NodeId(fused.nodes().len() - 1);
    assert!(matches!(&fused.node(output).op, Op::Conv2d(op) if op.activation == Some(Activation::RELU)));
    for (found, expected) in evaluate(fused, output).iter().zip(&evaluate(before, y)) {
        assert_close(found, expected, 1e-12, 1e-12);
    }
}

#[test]
fn dependence_follows_inputs_weights_and_randomness() {
    let mut g = Graph::new();
    let (x, constant, learned) = (input(&mut g, "x", &[3]), frozen(&mut g, &[3]), weight(&mut g, &[3]));
    let statistic = WeightInfo { name: "mean".into(), shape: Shape::fixed(&[3]), role: Role::Statistic, decays: false };
    let (_, statistic) = g.weight(statistic);
    let noise = g.random(Shape::batch_of(&[3]), Random::Normal { mean: 0.0, stddev: 1.0, stream: 0 });
    let folded = g.unary(Unary::Sqrt, constant).unwrap();
    let features = g.mul(x, folded).unwrap();
    let dropped = g.dropout(features, 0.5, 1).unwrap();
    let noisy = g.add(features, noise).unwrap();
    let head = g.mul(features, learned).unwrap();
    let centred = g.sub(features, statistic).unwrap();

    let depends = dependence(&g);
    let of = |id: NodeId| depends[id.0];
    assert!(of(folded).is_constant() && of(constant).is_constant());
    assert!(!of(features).is_constant() && of(features).is_frozen() && of(features).input);
    for random in [dropped, noisy] {
        assert!(of(random).random && !of(random).is_frozen() && !of(random).learned);
    }
    for learned in [head, centred] {
        assert!(of(learned).learned && !of(learned).is_frozen() && !of(learned).random);
    }
    assert!(of(learned).learned && !of(learned).input);
}

#[test]
fn sums_of_scalars_are_left_alone() {
    let scalars = |g: &mut Graph| {
        let (a, b) = (weight(g, &[]), weight(g, &[]));
        let product = g.mul(a, b)?;
        g.add(product, b)
    };
    assert!(unchanged(fold_scale, scalars).iter().any(|op| matches!(op, Op::Binary(Binary::Add))));
}

/// A linear layer on tokens with a term, and the trainable weights.
fn adapted(term: impl Fn(&mut dyn FnMut(&[usize]) -> WeightId) -> Term) -> (Graph, NodeId, Vec<NodeId>) {
    let mut g = Graph::new();
    let x = input(&mut g, "x", &[3]);
    let frozen = |shape: &[usize]| WeightInfo {
        name: format!("frozen{shape:?}"),
        shape: Shape::fixed(shape),
        role: Role::Frozen,
        decays: false,
    };
    let (target, w) = g.weight(frozen(&[3, 4]));
    let (_, bias) = g.weight(frozen(&[4]));
    let y = g.linear(x, w, Some(bias)).unwrap();
    let y = g.activate(y, Activation::Tanh).unwrap();
    let term = term(&mut |shape| {
        let role = Role::Trainable { group: 0 };
        let name = format!("term{}", g.weights().len());
        g.weight(WeightInfo { name, shape: Shape::fixed(shape), role, decays: false }).0
    });
    let adapted = adapt(&g, &[y], &[Adaptation { target, term }], None).unwrap();
    let output = adapted.id(y);
    let graph = adapted.graph;
    let trainable = graph.ids().filter(|&id| match graph.node(id).op {
        Op::Weight(weight) => graph.weight_info(weight).role.is_trainable(),
        _ => false,
    });
    let trainable = trainable.collect();
    (graph, output, trainable)
}

#[test]
fn no_gradient_of_the_size_of_an_adapted_weight_is_made() {
    type MakeTerm = fn(&mut dyn FnMut(&[usize]) -> WeightId) -> Term;
    let terms: [MakeTerm; 5] = [
        |w| Term::LowRank { down: w(&[3, 2]), up: w(&[2, 4]), scale: 2.0, dropout: Some((0.1, 7)), magnitude: None },
        |w| Term::LowRank { down: w(&[3, 2]), up: w(&[2, 4]), scale: 2.0, dropout: None, magnitude: Some(w(&[4])) },
        |w| Term::ScaleOutput { factors: w(&[4]) },
        |w| Term::ScaleInput { factors: w(&[3]) },
        |w| Term::Bottleneck {
            down: w(&[4, 2]),
            down_bias: w(&[2]),
            up: w(&[2, 4]),
            up_bias: w(&[4]),
            activation: Activation::RELU,
        },
    ];
    for (index, term) in terms.into_iter().enumerate() {
        let (mut graph, output, trainable) = adapted(term);
        let before = graph.nodes().len();
        let seed = graph.fill(graph.shape(output).clone(), 1.0);
        let found = gradients(&mut graph, &[(output, seed)], &trainable).unwrap();
        assert!(!found.is_empty() && found.iter().all(Option::is_some), "term {index}: a weight without gradient");
        let weight_sized = |id: NodeId| graph.shape(id) == &Shape::fixed(&[3, 4]);
        assert!(!graph.ids().skip(before).any(weight_sized), "term {index}: {graph}");
    }
}

/// The gradient is that of `(x · w + term) · factors` with the factors taken as they are.
#[test]
fn weight_decomposed_terms_take_no_gradient_through_norms() {
    let (mut graph, output, trainable) = adapted(|w| Term::LowRank {
        down: w(&[3, 2]),
        up: w(&[2, 4]),
        scale: 2.0,
        dropout: None,
        magnitude: Some(w(&[4])),
    });
    let seed = graph.fill(graph.shape(output).clone(), 1.0);
    gradients(&mut graph, &[(output, seed)], &trainable).unwrap();
    let detached: Vec<NodeId> = graph.ids().filter(|&id| matches!(graph.node(id).op, Op::Detach(_))).collect();
    let [detached] = detached[..] else { panic!("one norm: {graph}") };
    let norms = graph.node(detached).inputs[0];
    let users = graph.ids().filter(|&id| graph.node(id).inputs.contains(&norms)).count();
    assert_eq!(users, 1, "only `detach` reads the norms: {graph}");
}

/// A frozen layer, a trainable one that also sees the input of the frozen one, and a frozen one behind it.
fn partly_frozen(g: &mut Graph) -> NodeId {
    let x = input(g, "x", &[3]);
    let (w, bias) = (frozen(g, &[3, 4]), frozen(g, &[4]));
    let features = g.linear(x, w, Some(bias)).unwrap();
    let features = g.activate(features, Activation::Tanh).unwrap();
    let (head, skip, last) = (weight(g, &[4, 2]), weight(g, &[3, 2]), frozen(g, &[2, 2]));
    let y = g.linear(features, head, None).unwrap();
    let skipped = g.linear(x, skip, None).unwrap();
    let y = g.add(y, skipped).unwrap();
    g.linear(y, last, None).unwrap()
}

#[test]
fn a_cut_graph_computes_what_the_whole_does() {
    let mut whole = Graph::new();
    let output = partly_frozen(&mut whole);
    let cut = cut_frozen_prefix(&whole, &[output], |id| whole.weight_info(id).role.is_trainable())
        .unwrap()
        .expect("a layer is frozen");
    assert_eq!(cut.shapes(), [Shape::batch_of(&[4])]);
    let products = |graph: &Graph| graph.nodes().iter().filter(|node| matches!(node.op, Op::Linear(_))).count();
    assert_eq!((products(&cut.prefix), products(&cut.rest)), (1, 3), "{}\n{}", cut.prefix, cut.rest);

    let bindings = retune_graph::Bindings::batch(5);
    let shapes = whole.weights().iter().map(|info| info.shape.bind(&bindings));
    let weights: Vec<Array> = shapes.enumerate().map(|(i, shape)| samples::normal(i as u32, &shape)).collect();
    let x = samples::normal(99, &[5, 3]);
    let random = StepRandom::default();
    let expected = interpret(&whole, &[output], &weights, &[("x", x.clone())], &random);
    let features = interpret(&cut.prefix, &cut.features, &weights, &[("x", x.clone())], &random);
    let given = [("x", x), (cut.names[0].as_str(), features[0].clone())];
    let found = interpret(&cut.rest, &cut.outputs, &weights, &given, &random);
    assert_eq!(found[0].values, expected[0].values);
}

#[test]
fn nothing_is_cut_where_all_learns_or_is_random() {
    let mut g = Graph::new();
    let (x, w) = (input(&mut g, "x", &[3]), weight(&mut g, &[3, 4]));
    let y = g.linear(x, w, None).unwrap();
    assert!(cut_frozen_prefix(&g, &[y], |id| g.weight_info(id).role.is_trainable()).unwrap().is_none());
    let mut g = Graph::new();
    let (x, w, head) = (input(&mut g, "x", &[3]), frozen(&mut g, &[3, 4]), weight(&mut g, &[4, 2]));
    let x = g.dropout(x, 0.5, 0).unwrap();
    let y = g.linear(x, w, None).unwrap();
    let y = g.linear(y, head, None).unwrap();
    assert!(cut_frozen_prefix(&g, &[y], |id| g.weight_info(id).role.is_trainable()).unwrap().is_none());
}

/// Dropout of the input, inside of two frozen layers with a residual connection, in front of the head, and behind it.
#[test]
fn dropout_is_left_out_inside_of_what_is_frozen_alone() {
    let rates = |freeze: bool| {
        let mut g = Graph::new();
        let x = input(&mut g, "x", &[4]);
        let x = g.dropout(x, 0.1, 0).unwrap();
        let w = if freeze { frozen(&mut g, &[4, 4]) } else { weight(&mut g, &[4, 4]) };
        let y = g.linear(x, w, None).unwrap();
        let dropped = g.dropout(y, 0.2, 1).unwrap();
        let w = frozen(&mut g, &[4, 4]);
        let z = g.linear(dropped, w, None).unwrap();
        let z = g.dropout(z, 0.3, 2).unwrap();
        let ones = g.fill(Shape::batch_of(&[1]), 1.0);
        let depth = g.dropout(ones, 0.35, 5).unwrap();
        let z = g.mul(z, depth).unwrap();
        let y = g.add(y, z).unwrap();
        let y = g.affine(y, 2.0, 0.0).unwrap();
        let y = g.dropout(y, 0.4, 3).unwrap();
        let head = weight(&mut g, &[4, 2]);
        let y = g.linear(y, head, None).unwrap();
        let y = g.dropout(y, 0.5, 4).unwrap();
        let is_learned = |id| g.weight_info(id).role.is_trainable();
        let still = without_frozen_dropout(&g, &[y], is_learned).unwrap();
        let rate = |node: &retune_graph::Node| match &node.op {
            Op::Dropout(dropout) => Some(dropout.rate),
            _ => None,
        };
        let reached = still.graph.reachable(&[still.id(y)]);
        let nodes = still.graph.nodes().iter().zip(reached).filter(|(_, reached)| *reached);
        nodes.filter_map(|(node, _)| rate(node)).collect::<Vec<f32>>()
    };
    assert_eq!(rates(true), [0.1, 0.4, 0.5]);
    assert_eq!(rates(false), [0.1, 0.2, 0.3, 0.35, 0.4, 0.5]);
}

/// Two normalized convolutions, one behind the other: a gradient reads the first's values, none reads the last's.
#[test]
fn gradients_read_normalized_values_that_are_computed_anew() {
    let mut graph = Graph::new();
    let x = input(&mut graph, "x", &[5, 5, 2]);
    let [depthwise, pointwise] = [[3, 3, 2, 2], [1, 1, 4, 4]].map(|shape| weight(&mut graph, &shape));
    let [gamma, beta] = [0; 2].map(|_| weight(&mut graph, &[4]));
    let mut y = graph.depthwise_conv2d(x, depthwise, ConvGeometry::default()).unwrap();
    y = graph.batch_norm(y, gamma, beta, 1e-3).unwrap().0;
    y = graph.activate(y, Activation::RELU).unwrap();
    y = graph.conv2d(y, pointwise, None, ConvGeometry::default(), 1).unwrap();
    y = graph.batch_norm(y, gamma, beta, 1e-3).unwrap().0;
    let weights = [depthwise, pointwise, gamma, beta];
    let fused = fuse_activations(&graph, &[y]).unwrap();
    let weights = weights.map(|weight| fused.id(weight));
    let y = fused.id(y);
    let mut graph = fused.graph;
    let forward = graph.nodes().len();
    let found = gradients(&mut graph, &[(y, y)], &weights).unwrap();
    let outputs: Vec<NodeId> = [y].into_iter().chain(found.into_iter().flatten()).collect();
    let changed = recompute_normalization(&graph, &outputs, forward).unwrap();
    let new_outputs: Vec<NodeId> = outputs.iter().map(|&output| changed.id(output)).collect();

    let is_normalization = |graph: &Graph, id: NodeId| matches!(graph.node(id).op, Op::BatchNorm(_));
    let normalizations: Vec<NodeId> = changed.graph.ids().filter(|&id| is_normalization(&changed.graph, id)).collect();
    let [first, last, again] = normalizations[..] else { panic!("one is repeated: {}", changed.graph) };
    assert_eq!(last, new_outputs[0]);
    let readers = |node: NodeId| {
        let reads = |id: &NodeId| changed.graph.node(*id).inputs.contains(&node);
        changed.graph.ids().filter(reads).map(|id| changed.graph.node(id).op.name()).collect::<Vec<_>>()
    };
    assert_eq!((readers(first), readers(again)), (vec!["conv2d"], vec!["conv2d_grad_weight"]));

    let bindings = retune_graph::Bindings::batch(3);
    let shapes = graph.weights().iter().map(|info| info.shape.bind(&bindings));
    let values: Vec<Array> = shapes.enumerate().map(|(i, shape)| samples::normal(i as u32, &shape)).collect();
    let given = [("x", samples::normal(99, &[3, 5, 5, 2]))];
    let expected = interpret(&graph, &outputs, &values, &given, &StepRandom::default());
    let found = interpret(&changed.graph, &new_outputs, &values, &given, &StepRandom::default());
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found.values, expected.values);
    }
}

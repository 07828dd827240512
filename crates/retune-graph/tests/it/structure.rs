//! What [`gradients`] makes, and what it leaves out.

use retune_graph::ops::{Activation, ConvGeometry, Linear};
use retune_graph::{DType, Graph, GraphError, NodeId, Op, Shape, gradients};
use retune_testkit::cases::{frozen, input, weight};
use retune_testkit::{Array, StepRandom, assert_close, interpret, samples};

/// How many nodes from `first` on are of this kind.
fn count(graph: &Graph, first: usize, kind: impl Fn(&Op) -> bool) -> usize {
    graph.nodes()[first..].iter().filter(|node| kind(&node.op)).count()
}

/// Appends the gradients with respect to every trainable weight, for a cotangent of ones.
fn train(graph: &mut Graph, output: NodeId) -> Vec<Option<NodeId>> {
    let trainable = |op: &Op, g: &Graph| matches!(op, Op::Weight(id) if g.weight_info(*id).role.is_trainable());
    let wrt: Vec<NodeId> = graph.ids().filter(|&id| trainable(&graph.node(id).op, graph)).collect();
    let shape = graph.shape(output).clone();
    let ones = graph.fill(shape, 1.0);
    gradients(graph, &[(output, ones)], &wrt).unwrap()
}

#[test]
fn frozen_weights_cost_nothing() {
    let mut g = Graph::new();
    let x = input(&mut g, "x", &[6, 6, 1]);
    let kernels = [frozen(&mut g, &[3, 3, 1, 2]), weight(&mut g, &[3, 3, 2, 2]), frozen(&mut g, &[2, 2, 2, 3])];
    let mut y = x;
    for kernel in kernels {
        y = g.conv2d(y, kernel, None, ConvGeometry::default(), 1).unwrap();
        y = g.activate(y, Activation::RELU).unwrap();
    }
    let first = g.nodes().len();
    let found = train(&mut g, y);
    assert!(matches!(found[..], [Some(_)]));
    // The gradient passes the frozen head, makes one weight gradient, and goes no further.
    assert_eq!(count(&g, first, |op| matches!(op, Op::Conv2dGradWeight(_))), 1, "{g}");
    assert_eq!(count(&g, first, |op| matches!(op, Op::Conv2dGradInput(_))), 1, "{g}");
    assert_eq!(count(&g, first, |op| matches!(op, Op::ActivateGrad(_))), 2, "{g}");
    assert_eq!(g.nodes().len() - first, 5, "{g}");
}

#[test]
fn a_frozen_graph_gets_no_gradient_at_all() {
    let mut g = Graph::new();
    let (x, w) = (input(&mut g, "x", &[4]), frozen(&mut g, &[4, 2]));
    let y = g.linear(x, w, None).unwrap();
    let ones = g.fill(Shape::batch_of(&[2]), 1.0);
    let before = g.nodes().len();
    assert_eq!(gradients(&mut g, &[(y, ones)], &[]).unwrap(), []);
    assert_eq!(g.nodes().len(), before);
}

#[test]
fn a_weight_that_nothing_depends_on_has_no_gradient() {
    let mut g = Graph::new();
    let (x, used, unused) = (input(&mut g, "x", &[4]), weight(&mut g, &[4]), weight(&mut g, &[4]));
    let y = g.mul(x, used).unwrap();
    g.mul(x, unused).unwrap();
    let found = train(&mut g, y);
    assert!(matches!(found[..], [Some(_), None]));
}

#[test]
fn several_outputs_add_up() {
    let mut g = Graph::new();
    let w = weight(&mut g, &[3]);
    let (double, square) = (g.affine(w, 2.0, 0.0).unwrap(), g.mul(w, w).unwrap());
    let seeds = [1.0, 10.0].map(|value| g.fill(Shape::fixed(&[3]), value));
    let found = gradients(&mut g, &[(double, seeds[0]), (square, seeds[1])], &[w]).unwrap();
    let values = Array::new(&[3], vec![1.0, 2.0, -1.0]);
    let dw = interpret(&g, &[found[0].unwrap()], &[values], &[], &StepRandom::default());
    assert_close(&dw[0], &Array::new(&[3], vec![22.0, 42.0, -18.0]), 1e-15, 0.0);
}

/// A sequence cut into its steps: the gradient is one concatenation, not a sum of padded pieces.
#[test]
fn tiled_slices_become_one_concatenation() {
    let mut g = Graph::new();
    let (x, w) = (input(&mut g, "x", &[5, 2]), weight(&mut g, &[5, 2]));
    let sequence = g.mul(x, w).unwrap();
    let steps: Vec<NodeId> = (0..5).map(|step| g.slice(sequence, 1, step, 1).unwrap()).collect();
    let squares: Vec<NodeId> = steps.iter().map(|&step| g.mul(step, step).unwrap()).collect();
    let total = squares[1..].iter().fold(squares[0], |total, &square| g.add(total, square).unwrap());
    let first = g.nodes().len();
    let found = train(&mut g, total)[0].unwrap();

    let used = g.reachable(&[found]);
    let used_after =
        |kind: fn(&Op) -> bool| g.ids().filter(|id| id.0 >= first && used[id.0] && kind(&g.node(*id).op)).count();
    assert_eq!(used_after(|op| matches!(op, Op::Concat(_))), 1, "{g}");
    assert_eq!(used_after(|op| matches!(op, Op::Pad(_))), 0, "{g}");
    // Each step's square gives two contributions to its step.
    assert_eq!(used_after(|op| op.name() == "add"), 5, "{g}");
}

#[test]
fn second_derivatives_are_refused_by_layer_and_operation() {
    let mut g = Graph::new();
    g.enter_layer("block/activation");
    let w = weight(&mut g, &[3]);
    let y = g.activate(w, Activation::Tanh).unwrap();
    let dw = train(&mut g, y)[0].unwrap();
    let ones = g.fill(Shape::fixed(&[3]), 1.0);
    let error = gradients(&mut g, &[(dw, ones)], &[w]).unwrap_err();
    let message = error.to_string();
    assert_eq!(
        message,
        "layer `block/activation`: activation_grad has no gradient: second derivatives are not provided"
    );
}

#[test]
fn targets_are_data() {
    let mut g = Graph::new();
    let (x, targets) = (input(&mut g, "x", &[3]), weight(&mut g, &[1, 3]));
    let targets = g.broadcast_to(targets, &Shape::batch_of(&[3])).unwrap();
    let loss = g.softmax_cross_entropy(x, targets, 0.0).unwrap();
    let ones = g.fill(Shape::batch_of(&[]), 1.0);
    let error = gradients(&mut g, &[(loss, ones)], &[targets]).unwrap_err();
    assert!(matches!(error, GraphError::NoGradient { op: "softmax_cross_entropy", .. }), "{error}");
}

/// Normalization has the whole gradient, so a second user of its moments must not lose one silently.
#[test]
fn other_uses_of_moments_are_refused() {
    let mut g = Graph::new();
    let (x, gamma, beta) = (input(&mut g, "x", &[3]), weight(&mut g, &[3]), weight(&mut g, &[3]));
    let scaled = g.mul(x, gamma).unwrap();
    let (y, moments) = g.batch_norm(scaled, gamma, beta, 1e-3).unwrap();
    assert!(matches!(train(&mut g, y)[..], [Some(_), Some(_)]));
    let mean = g.slice(moments, 0, 0, 1).unwrap();
    let ones = g.fill(Shape::fixed(&[1, 3]), 1.0);
    let error = gradients(&mut g, &[(mean, ones)], &[gamma]).unwrap_err();
    assert!(matches!(error, GraphError::NoGradient { op: "batch_moments", .. }), "{error}");

    let y = g.layer_norm(scaled, gamma, beta, 1, 1e-3).unwrap();
    assert!(matches!(train(&mut g, y)[..], [Some(_), Some(_)]));
}

/// A function whose derivative needs its argument cannot be differentiated where the argument is never stored.
#[test]
fn a_fused_activation_that_needs_its_argument_is_refused() {
    let mut g = Graph::new();
    let (x, w) = (input(&mut g, "x", &[4]), weight(&mut g, &[4, 2]));
    let fused = Linear { activation: Some(Activation::Silu), ..Linear::default() };
    let y = g.push(fused.into(), &[x, w]).unwrap();
    let ones = g.fill(Shape::batch_of(&[2]), 1.0);
    let error = gradients(&mut g, &[(y, ones)], &[w]).unwrap_err();
    assert!(matches!(error, GraphError::NoGradient { op: "linear", .. }), "{error}");
}

/// Gradients belong to the layer of the operation that they differentiate.
#[test]
fn gradients_stay_in_their_layer() {
    let mut g = Graph::new();
    g.enter_layer("dense");
    let (x, w) = (g.input("x", Shape::batch_of(&[3]), DType::F32), weight(&mut g, &[3, 2]));
    let y = g.linear(x, w, None).unwrap();
    g.enter_layer("loss");
    let loss = g.mul(y, y).unwrap();
    let found = train(&mut g, loss)[0].unwrap();
    assert_eq!(g.layer_name(g.node(found).layer), "dense");
    // What is appended afterwards belongs to no layer.
    let after = g.add(found, found).unwrap();
    assert_eq!(g.layer_name(g.node(after).layer), "");
    let values = [samples::normal(0, &[3, 2])];
    let x = samples::normal(1, &[4, 3]);
    let dw = interpret(&g, &[found, after], &values, &[("x", x)], &StepRandom::default());
    assert_close(&dw[1], &dw[0].map(|x| 2.0 * x), 1e-15, 0.0);
}

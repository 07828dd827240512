//! A golden case of one layer, against the graph that the layer should be.

use retune_graph::{DType, Dim, Graph, GraphError, NodeId, Role, Shape, Symbol, WeightInfo, gradients};
use retune_testkit::{Array, GoldenCase, StepRandom, interpret};

/// What a layer's graph is built from: its input, and its trainable weights in Keras's order.
pub type Build<'a> = &'a dyn Fn(&mut Graph, NodeId, &[NodeId]) -> Result<NodeId, GraphError>;

/// Requires the output in inference and in training, and the gradients of the input and of every weight, of a layer that
/// computes the same in both.
#[track_caller]
pub fn check(name: &str, build: Build<'_>) {
    let case = GoldenCase::keras(name);
    assert!(case.description.weights.iter().all(|weight| weight.trainable));
    let output = check_training(name, build);
    case.check("output/0", &output);
}

/// Requires the output in training and the gradients of the input and of every trainable weight. Gives the output.
#[track_caller]
pub fn check_training(name: &str, build: Build<'_>) -> Array {
    let case = GoldenCase::keras(name);
    let input = case.array("input/0");
    let trainable: Vec<_> = case.description.weights.iter().filter(|weight| weight.trainable).collect();
    let mut graph = Graph::new();
    let batch_of = |shape: &[usize]| -> Shape {
        let rest = shape[1..].iter().map(|&size| Dim::Fixed(size));
        std::iter::once(Dim::Scaled(1, Symbol::Batch)).chain(rest).collect()
    };
    let x = graph.input("x", batch_of(&input.shape), DType::F32);
    let mut weights: Vec<NodeId> = Vec::new();
    for weight in &trainable {
        let (name, shape) = (weight.key.clone(), Shape::fixed(&weight.shape));
        weights.push(graph.weight(WeightInfo { name, shape, role: Role::Trainable { group: 0 }, decays: true }).1);
    }
    let y = build(&mut graph, x, &weights).unwrap();
    let cotangent_shape = graph.shape(y).clone();
    let dy = graph.input("dy", cotangent_shape, DType::F32);
    // Before the step of gradient descent: `value = after + 0.1 · gradient`.
    let before = |key: &str| {
        case.array(&format!("after/{key}")).zip(&case.array(&format!("grad/{key}")), |after, grad| after + 0.1 * grad)
    };
    let values: Vec<Array> = trainable.iter().map(|weight| before(&weight.key)).collect();

    let wrt: Vec<NodeId> = [x].into_iter().chain(weights).collect();
    let found = gradients(&mut graph, &[(y, dy)], &wrt).unwrap();
    let outputs: Vec<NodeId> = [y].into_iter().chain(found.into_iter().map(Option::unwrap)).collect();
    let inputs = [("x", input), ("dy", case.array("cotangent/0"))];
    let results = interpret(&graph, &outputs, &values, &inputs, &StepRandom::default());
    case.check("train_output/0", &results[0]);
    case.check("grad_input/0", &results[1]);
    for (weight, result) in trainable.iter().zip(&results[2..]) {
        case.check(&format!("grad/{}", weight.key), result);
    }
    results[0].clone()
}

//! Losses, their reduction and their gradients against Keras.

use crate::golden::{Golden, assert_close, text};
use retune_cpu::{Cpu, Session, StepRandom};
use retune_graph::{DType, Dim, Graph, Op, Shape, gradients};
use retune_tensor::Tensor;
use retune_train::losses::{Ending, Loss, Output};
use serde_json::Value;

fn loss_of(case: &Value) -> Option<Loss> {
    let config = &case["config"];
    if config.get("ignore_class").is_some() {
        return None;
    }
    let from_logits = config["from_logits"].as_bool().unwrap_or(false);
    let label_smoothing = config["label_smoothing"].as_f64().unwrap_or(0.0) as f32;
    Some(match text(case, "loss") {
        "SparseCategoricalCrossentropy" => Loss::SparseCategoricalCrossEntropy { from_logits, label_smoothing },
        "CategoricalCrossentropy" => Loss::CategoricalCrossEntropy { from_logits, label_smoothing },
        "BinaryCrossentropy" => Loss::BinaryCrossEntropy { from_logits, label_smoothing },
        "MeanSquaredError" => Loss::MeanSquaredError,
        "MeanAbsoluteError" => Loss::MeanAbsoluteError,
        "Huber" => Loss::Huber { delta: config["delta"].as_f64().unwrap() as f32 },
        other => panic!("{other}"),
    })
}

fn batch_shape(tensor: &Tensor) -> Shape {
    std::iter::once(Dim::BATCH).chain(tensor.shape()[1..].iter().map(|&d| Dim::Fixed(d))).collect()
}

#[test]
fn values_and_gradients_are_keras_s() {
    let golden = Golden::load("losses");
    let mut done = 0;
    for case in golden.cases() {
        let Some(loss) = loss_of(case) else { continue };
        let name = text(case, "case");
        let [prediction, target] = ["prediction", "target"].map(|t| golden.tensor(&format!("{name}/{t}")));
        let mut graph = Graph::new();
        let output = graph.input("prediction", batch_shape(prediction), DType::F32);
        let targets = loss.targets(&mut graph, output, "target");
        let unknown = Output { node: output, ending: Ending::Other, logits: None };
        let per_example = loss.per_example(&mut graph, unknown, targets).unwrap();
        let seed = graph.input("seed", Shape::batch_of(&[]), DType::F32);
        let gradient = gradients(&mut graph, &[(per_example, seed)], &[output]).unwrap()[0].unwrap();
        let mut session = Session::new(&Cpu::new(1), graph, vec![per_example, gradient]);

        let examples = prediction.shape()[0];
        let expected = golden.tensor(&format!("{name}/per_example"));
        // Sequences have a loss per position in the golden; here an example's is their mean.
        let positions = expected.len() / examples;
        let weights = golden.find(&format!("{name}/sample_weight")).map(Tensor::to_f32_vec).unwrap_or_default();
        for (reduction, weights) in [("mean", vec![1.0; examples]), ("weighted_sum_over_batch", weights)] {
            if weights.len() != examples {
                continue;
            }
            let Some(total) = golden.find(&format!("{name}/{reduction}")) else { continue };
            let seed: Vec<f32> = weights.iter().map(|w| w / examples as f32).collect();
            let seed = Tensor::new([examples], seed).unwrap();
            let inputs = [("prediction", prediction), ("target", target), ("seed", &seed)];
            let outputs = session.run(&[], &inputs, &StepRandom::NONE).unwrap();
            let means: Vec<f32> =
                expected.to_f32_vec().chunks(positions).map(|p| p.iter().sum::<f32>() / positions as f32).collect();
            assert_close(&format!("{name} per example"), outputs.f32(0), &means, golden.tolerance());
            let sum: f32 = outputs.f32(0).iter().zip(&weights).map(|(l, w)| l * w).sum();
            assert_close(name, &[sum / examples as f32], &total.to_f32_vec(), golden.tolerance());
            let gradient = golden.f32(&format!("{name}/{reduction}/grad"));
            assert_close(&format!("{name} {reduction} gradient"), outputs.f32(1), gradient, golden.tolerance());
            done += 1;
        }
    }
    assert_eq!(done, 41, "losses and reductions compared");
}

#[test]
fn a_known_softmax_or_sigmoid_is_fused_and_gives_the_same() {
    let cases = [
        (true, Loss::SparseCategoricalCrossEntropy { from_logits: false, label_smoothing: 0.0 }),
        (true, Loss::CategoricalCrossEntropy { from_logits: false, label_smoothing: 0.1 }),
        (false, Loss::BinaryCrossEntropy { from_logits: false, label_smoothing: 0.1 }),
    ];
    for (softmax, loss) in cases {
        let mut graph = Graph::new();
        let logits = graph.input("x", Shape::batch_of(&[3]), DType::F32);
        let output = if softmax {
            graph.softmax(logits).unwrap()
        } else {
            graph.activate(logits, retune_graph::ops::Activation::Sigmoid).unwrap()
        };
        let targets = loss.targets(&mut graph, output, "t");
        let fused = Output::of(&graph, output);
        assert_eq!(fused.logits, Some(logits));
        let fused = loss.per_example(&mut graph, fused, targets).unwrap();
        let from_probabilities = Output { node: output, ending: Ending::Other, logits: None };
        let plain = loss.per_example(&mut graph, from_probabilities, targets).unwrap();
        let reached = graph.reachable(&[fused]);
        assert!(!graph.ids().any(|id| reached[id.0] && matches!(graph.node(id).op, Op::Softmax(_))), "{loss:?}");

        let x = Tensor::new([2, 3], vec![0.5f32, -1.0, 2.0, 0.0, 0.3, -0.7]).unwrap();
        let t = match loss {
            Loss::SparseCategoricalCrossEntropy { .. } => Tensor::new([2], vec![2i32, 0]).unwrap(),
            _ => Tensor::new([2, 3], vec![0f32, 0.0, 1.0, 1.0, 0.0, 0.0]).unwrap(),
        };
        let mut session = Session::new(&Cpu::new(1), graph, vec![fused, plain]);
        let outputs = session.run(&[], &[("x", &x), ("t", &t)], &StepRandom::NONE).unwrap();
        assert_close(loss.name(), outputs.f32(0), outputs.f32(1), (1e-5, 1e-6));
    }
}

//! Softmax, its logarithm, and cross-entropy.

use retune_cpu::{Cpu, CpuError, Session, StepRandom};
use retune_graph::ops::{
    LogSoftmax, LogSoftmaxGrad, Softmax, SoftmaxCrossEntropy, SoftmaxCrossEntropyGrad, SoftmaxGrad,
};
use retune_graph::{DType, Graph, Shape};
use retune_tensor::Tensor;
use retune_testkit::Array;

use crate::case::{Case, Operand, check_all, float, indices, normal, uniform};

const SHAPES: [&[usize]; 8] = [&[1, 1], &[5, 2], &[3, 10], &[33, 100], &[2, 3, 64], &[7, 1000], &[2, 17_000], &[9]];

fn logits(shape: &[usize]) -> Operand {
    float(normal(1, shape).values.map(|x| 5.0 * x))
}

/// Rows of probabilities.
fn probabilities(shape: &[usize]) -> Operand {
    let mut values = uniform(2, shape, 0.01, 1.0).values;
    let columns = values.rows().1;
    for row in values.values.chunks_mut(columns) {
        let sum: f64 = row.iter().sum();
        row.iter_mut().for_each(|x| *x /= sum);
    }
    float(values)
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for shape in SHAPES {
        let (classes, leading) = (shape[shape.len() - 1], &shape[..shape.len() - 1]);
        cases.push(Case::new(Softmax, [logits(shape)]));
        cases.push(Case::new(LogSoftmax, [logits(shape)]));
        cases.push(Case::new(SoftmaxGrad, [probabilities(shape), normal(3, shape)]));
        let logs = float(probabilities(shape).values.map(f64::ln));
        cases.push(Case::new(LogSoftmaxGrad, [logs, normal(3, shape)]).with_tolerance(1e-5, 1e-5));
        for label_smoothing in [0.0, 0.1] {
            for targets in [indices(4, leading, classes), probabilities(shape)] {
                let loss = SoftmaxCrossEntropy { label_smoothing };
                cases.push(Case::new(loss, [logits(shape), targets.clone()]));
                let grad = SoftmaxCrossEntropyGrad { label_smoothing };
                cases.push(Case::new(grad, [logits(shape), targets, normal(5, leading)]));
            }
        }
    }
    cases
}

#[test]
fn agree_with_the_interpreter() {
    check_all(&cases());
}

#[test]
fn large_and_infinite_logits() {
    let row = |values: [f64; 4]| float(Array::new(&[1, 4], values.to_vec()));
    let masked = row([0.0, f64::NEG_INFINITY, 1.0, f64::NEG_INFINITY]);
    let large = row([3e38, -3e38, 0.0, 1e38]);
    let cases = [&masked, &large].map(|x| Case::new(Softmax, [x.clone()]));
    check_all(&cases);
}

#[test]
fn a_class_outside_of_the_table_is_an_error_that_names_the_layer() {
    for (target, with_gradient) in [(3, false), (-1, false), (3, true), (i32::MIN, true)] {
        let mut graph = Graph::new();
        let x = graph.input("x", Shape::batch_of(&[3]), DType::F32);
        let t = graph.input("t", Shape::batch_of(&[]), DType::I32);
        let dy = graph.input("dy", Shape::batch_of(&[]), DType::F32);
        graph.enter_layer("head");
        let output = match with_gradient {
            false => graph.softmax_cross_entropy(x, t, 0.0).unwrap(),
            true => graph.push(SoftmaxCrossEntropyGrad { label_smoothing: 0.0 }.into(), &[x, t, dy]).unwrap(),
        };
        let mut session = Session::new(&Cpu::new(2), graph, vec![output]);
        let (x, t) = (Tensor::zeros([2, 3]), Tensor::new([2], vec![0, target]).unwrap());
        let inputs = [("x", &x), ("t", &t), ("dy", &Tensor::zeros([2]))];
        let error = session.run(&[], &inputs, &StepRandom::NONE).unwrap_err();
        let expected = CpuError::IndexOutOfRange { layer: "head".to_owned(), index: i64::from(target), limit: 3 };
        assert_eq!(error, expected);
    }
}

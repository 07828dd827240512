//! Whole graphs with their gradients: those of the testkit, which together hold every operation.

use retune_cpu::{Cpu, Level, Session, StepRandom};
use retune_graph::{Graph, NodeId};
use retune_tensor::Tensor;
use retune_testkit::cases::{self, Case, FAMILIES};
use retune_testkit::gradient_check::Point;
use retune_testkit::{Array, differentiate};

/// The graph of a case, with what is computed of it: the output, and all gradients if there are any.
pub fn outputs(case: &Case, with_gradients: bool) -> (Graph, Vec<NodeId>) {
    if with_gradients {
        let differentiated = differentiate(&case.build).unwrap();
        let gradients = differentiated.gradients.iter().map(|&(_, gradient)| gradient);
        let outputs = std::iter::once(differentiated.output).chain(gradients).collect();
        (differentiated.graph, outputs)
    } else {
        let mut graph = Graph::new();
        let output = (case.build)(&mut graph).unwrap();
        (graph, vec![output])
    }
}

/// The point with all values rounded to what the engine is given.
fn rounded(mut point: Point) -> Point {
    let round = |array: &mut Array| *array = Array::from(&array.to_f32());
    point.weights.iter_mut().for_each(round);
    point.inputs.iter_mut().for_each(|(_, input)| round(input));
    point
}

fn check(case: &Case, with_gradients: bool, cpus: &[Cpu]) {
    let (graph, outputs) = outputs(case, with_gradients);
    let point = rounded(case.check.point(&graph));
    let expected = point.interpret(&graph, &outputs);
    let weights: Vec<Tensor> = point.weights.iter().map(Array::to_f32).collect();
    let is_integer = |name: &str| {
        graph.nodes().iter().any(|node| {
            matches!(&node.op, retune_graph::Op::Input(input) if input == name)
                && node.dtype == retune_graph::DType::I32
        })
    };
    let inputs: Vec<(&str, Tensor)> = point
        .inputs
        .iter()
        .map(|(name, x)| (name.as_str(), if is_integer(name) { x.to_i32() } else { x.to_f32() }))
        .collect();
    let inputs: Vec<(&str, &Tensor)> = inputs.iter().map(|(name, tensor)| (*name, tensor)).collect();
    let keys = point.random();
    let random = StepRandom { seed: keys.seed, epoch: keys.epoch, example_ids: keys.example_ids };

    let mut first: Option<(Level, Vec<Tensor>)> = None;
    for cpu in cpus {
        let mut session = Session::new(cpu, graph.clone(), outputs.clone());
        let setting = format!("{}, {:?}, {} threads", case.name, cpu.level(), cpu.threads());
        // The second run finds the memory as the first one left it.
        for _ in 0..2 {
            let found = session.run(&weights, &inputs, &random).unwrap_or_else(|error| panic!("{setting}: {error}"));
            let found: Vec<Tensor> = (0..found.len()).map(|index| found.tensor(index)).collect();
            match &first {
                Some((level, first)) if *level == cpu.level() => {
                    let bits = |tensors: &[Tensor]| -> Vec<u32> {
                        tensors.iter().flat_map(|t| t.as_f32().unwrap().iter().map(|x| x.to_bits())).collect()
                    };
                    assert!(bits(first) == bits(&found), "{setting}: other bits than with one thread");
                }
                _ => {
                    for (found, expected) in found.iter().zip(&expected) {
                        let largest = expected.values.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
                        let close =
                            retune_testkit::compare::close(&Array::from(found), expected, 1e-5, 1e-5 * largest + 1e-30);
                        assert_eq!(close, Ok(()), "{setting}\n{graph}");
                    }
                    first = Some((cpu.level(), found));
                }
            }
        }
    }
}

#[test]
fn agree_with_the_interpreter() {
    let cpus: Vec<Cpu> =
        Level::available().flat_map(|level| [1, 2, 3, 8].map(|threads| Cpu::with_level(threads, level))).collect();
    for (family, cases) in FAMILIES {
        let cases = cases();
        assert!(!cases.is_empty(), "{family} has cases");
        cases.iter().for_each(|case| check(case, true, &cpus));
    }
    cases::without_gradient().iter().for_each(|case| check(case, false, &cpus));
}

/// More sizes than plans are kept, forth and back: constants made of frozen weights hold for all of them, also where a
/// constant has the size of the batch.
#[test]
fn many_batch_sizes_share_what_is_constant() {
    use retune_graph::{DType, Graph, Role, Shape, WeightInfo};
    use retune_tensor::Tensor;
    let mut graph = Graph::new();
    let x = graph.input("x", Shape::batch_of(&[2]), DType::F32);
    let info = WeightInfo { name: "w".into(), shape: Shape::fixed(&[2]), role: Role::Frozen, decays: false };
    let (_, w) = graph.weight(info);
    let doubled = graph.affine(w, 2.0, 0.0).unwrap();
    let ones = graph.fill(Shape::batch_of(&[2]), 1.0);
    let halves = graph.affine(ones, 0.5, 0.0).unwrap();
    let product = graph.mul(x, doubled).unwrap();
    let output = graph.add(product, halves).unwrap();
    let mut session = Session::new(&Cpu::new(2), graph, vec![output]);
    let weights = [Tensor::new([2], vec![3.0f32, -1.0]).unwrap()];
    for batch in (1..=100).chain((1..=100).rev()) {
        let x = Tensor::new([batch, 2], vec![1.0f32; 2 * batch]).unwrap();
        let outputs = session.run(&weights, &[("x", &x)], &StepRandom::NONE).unwrap();
        assert_eq!(outputs.f32(0), [6.5, -1.5].repeat(batch), "batch of {batch}");
    }
    let changed = [Tensor::new([2], vec![1.0f32, 1.0]).unwrap()];
    session.forget_constants();
    let x = Tensor::new([1, 2], vec![1.0f32; 2]).unwrap();
    let outputs = session.run(&changed, &[("x", &x)], &StepRandom::NONE).unwrap();
    assert_eq!(outputs.f32(0), [2.5, 2.5]);
}

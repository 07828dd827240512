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

    let mut first: Option<(Level, usize, Vec<Tensor>)> = None;
    // Without slices of the batch, and with as many as there are examples.
    for (cpu, cache) in [usize::MAX, 0].into_iter().flat_map(|cache| cpus.iter().map(move |cpu| (cpu, cache))) {
        if first.as_ref().is_some_and(|(_, of, _)| *of != cache) {
            first = None;
        }
        let mut session = Session::new(cpu, graph.clone(), outputs.clone()).with_cache(cache);
        let setting = format!("{}, {:?}, {} threads, cache of {cache}", case.name, cpu.level(), cpu.threads());
        // The second run finds the memory as the first one left it.
        for _ in 0..2 {
            let found = session.run(&weights, &inputs, &random).unwrap_or_else(|error| panic!("{setting}: {error}"));
            let found: Vec<Tensor> = (0..found.len()).map(|index| found.tensor(index)).collect();
            match &first {
                Some((level, _, first)) if *level == cpu.level() => {
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
                    first = Some((cpu.level(), cache, found));
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

/// Layers of convolution and normalization with a shortcut, and all gradients.
fn residual() -> (Graph, Vec<NodeId>) {
    use retune_graph::ops::reduce::Reduction;
    use retune_graph::ops::{Activation, ConvGeometry};
    use retune_graph::{DType, Role, Shape, WeightInfo};
    let mut graph = Graph::new();
    let mut trained = Vec::new();
    let mut weight = |graph: &mut Graph, name: &str, shape: &[usize]| {
        let info = WeightInfo {
            name: name.to_owned(),
            shape: Shape::fixed(shape),
            role: Role::Trainable { group: 0 },
            decays: false,
        };
        trained.push(graph.weight(info).1);
        *trained.last().unwrap()
    };
    let x = graph.input("x", Shape::batch_of(&[8, 8, 4]), DType::F32);
    let mut y = x;
    for layer in 0..3 {
        let kernel = if layer == 1 { 3 } else { 1 };
        let w = weight(&mut graph, &format!("w{layer}"), &[kernel, kernel, 4, 4]);
        let padding = [(kernel / 2, kernel / 2); 2];
        let geometry = ConvGeometry { strides: [1, 1], dilation: [1, 1], padding };
        let z = graph.conv2d(y, w, None, geometry, 1).unwrap();
        let gamma = weight(&mut graph, &format!("gamma{layer}"), &[4]);
        let beta = weight(&mut graph, &format!("beta{layer}"), &[4]);
        let (z, _) = graph.batch_norm(z, gamma, beta, 1e-3).unwrap();
        let z = graph.activate(z, Activation::Elu { alpha: 1.0 }).unwrap();
        y = if layer == 1 { graph.add(y, z).unwrap() } else { z };
    }
    let mean = graph.reduce(Reduction::Mean, y, &[1, 2, 3]).unwrap();
    let seed = graph.fill(graph.shape(mean).clone(), 1.0);
    let gradients = retune_graph::gradients(&mut graph, &[(mean, seed)], &trained).unwrap();
    let outputs = std::iter::once(mean).chain(gradients.into_iter().flatten()).collect();
    (graph, outputs)
}

/// Slices of the batch change results by rounding alone, whatever their number, and need less memory.
#[test]
fn slices_of_the_batch_make_the_whole() {
    use retune_graph::Bindings;
    let (graph, outputs) = residual();
    let tensor = |stream: u32, shape: Vec<usize>| retune_testkit::samples::normal(stream, &shape).to_f32();
    let fixed = |info: &retune_graph::WeightInfo| info.shape.dims().iter().map(|dim| dim.fixed().unwrap()).collect();
    let weights: Vec<Tensor> =
        graph.weights().iter().zip(1..).map(|(info, stream)| tensor(stream, fixed(info))).collect();
    for batch in [1, 6, 7] {
        let x = tensor(0, vec![batch, 8, 8, 4]);
        let run = |cache: usize, threads: usize| {
            let mut session = Session::new(&Cpu::new(threads), graph.clone(), outputs.clone()).with_cache(cache);
            let found = session.run(&weights, &[("x", &x)], &StepRandom::NONE).unwrap();
            let found: Vec<Tensor> = (0..found.len()).map(|index| found.tensor(index)).collect();
            let bytes = session.plan(Bindings { batch, tokens: 0 }).unwrap().arena_bytes();
            (found, bytes)
        };
        let (whole, most) = run(usize::MAX, 1);
        for cache in [0, 8 << 10] {
            let (found, bytes) = run(cache, 1);
            assert!(bytes <= most, "batch of {batch}: {bytes} bytes in slices, {most} without");
            for (found, whole) in found.iter().zip(&whole) {
                let close = retune_testkit::compare::close(&Array::from(found), &Array::from(whole), 1e-4, 1e-5);
                assert_eq!(close, Ok(()), "batch of {batch}, cache of {cache}");
            }
            let (again, _) = run(cache, 3);
            assert!(found.iter().zip(&again).all(|(a, b)| a.as_f32() == b.as_f32()), "other bits with three threads");
        }
    }
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

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

/// A graph on images of four channels that is being made, and its weights.
#[derive(Default)]
struct Network {
    graph: Graph,
    trained: Vec<NodeId>,
}

impl Network {
    fn weight(&mut self, shape: &[usize]) -> NodeId {
        use retune_graph::{Role, Shape, WeightInfo};
        let info = WeightInfo {
            name: format!("w{}", self.trained.len()),
            shape: Shape::fixed(shape),
            role: Role::Trainable { group: 0 },
            decays: false,
        };
        self.trained.push(self.graph.weight(info).1);
        self.trained[self.trained.len() - 1]
    }

    fn images(&mut self, size: [usize; 3]) -> NodeId {
        self.graph.input("x", retune_graph::Shape::batch_of(&size), retune_graph::DType::F32)
    }

    /// Normalization with an activation, of `channels`.
    fn normalized(&mut self, x: NodeId, channels: usize) -> NodeId {
        let (gamma, beta) = (self.weight(&[channels]), self.weight(&[channels]));
        let (y, _) = self.graph.batch_norm(x, gamma, beta, 1e-3).unwrap();
        self.graph.activate(y, retune_graph::ops::Activation::Elu { alpha: 1.0 }).unwrap()
    }

    fn convolved(&mut self, x: NodeId, kernel: usize, [from, to]: [usize; 2]) -> NodeId {
        let w = self.weight(&[kernel, kernel, from, to]);
        self.graph.conv2d(x, w, None, geometry(1, kernel / 2), 1).unwrap()
    }

    /// The mean of all values, and its gradients.
    fn differentiated(self, y: NodeId) -> (Graph, Vec<NodeId>) {
        use retune_graph::ops::reduce::Reduction;
        let Network { mut graph, trained } = self;
        let squares = graph.mul(y, y).unwrap();
        let mean = graph.reduce(Reduction::Mean, squares, &[1, 2, 3]).unwrap();
        let seed = graph.fill(graph.shape(mean).clone(), 1.0);
        let gradients = retune_graph::gradients(&mut graph, &[(mean, seed)], &trained).unwrap();
        let outputs: Vec<NodeId> = std::iter::once(mean).chain(gradients.into_iter().flatten()).collect();
        let forward = mean.0 + 1;
        let again = retune_graph::passes::recompute_normalization(&graph, &outputs, forward).unwrap();
        let outputs = outputs.iter().map(|&output| again.id(output)).collect();
        (again.graph, outputs)
    }
}

fn geometry(stride: usize, padding: usize) -> retune_graph::ops::ConvGeometry {
    retune_graph::ops::ConvGeometry { strides: [stride; 2], dilation: [1, 1], padding: [(padding, padding); 2] }
}

/// Layers of convolution and normalization with a shortcut.
fn residual() -> (Graph, Vec<NodeId>) {
    let mut network = Network::default();
    let x = network.images([8, 8, 4]);
    let y = network.convolved(x, 1, [4, 4]);
    let y = network.normalized(y, 4);
    let z = network.convolved(y, 3, [4, 4]);
    let z = network.normalized(z, 4);
    let y = network.graph.add(y, z).unwrap();
    let y = network.convolved(y, 1, [4, 4]);
    let y = network.normalized(y, 4);
    network.differentiated(y)
}

/// Layers as MobileNetV2 has them: wide values between two convolutions of pixels, with a depthwise one among them.
fn inverted(size: [usize; 2], stride: usize, kernel: usize) -> (Graph, Vec<NodeId>) {
    let mut network = Network::default();
    let x = network.images([size[0], size[1], 4]);
    let x = network.convolved(x, 1, [4, 4]);
    let y = network.convolved(x, 1, [4, 24]);
    let y = network.normalized(y, 24);
    let w = network.weight(&[kernel, kernel, 24, 1]);
    let y = network.graph.depthwise_conv2d(y, w, geometry(stride, kernel / 2)).unwrap();
    let y = network.normalized(y, 24);
    let y = network.convolved(y, 1, [24, 4]);
    let y = network.normalized(y, 4);
    let y = if stride == 1 { network.graph.add(x, y).unwrap() } else { y };
    network.differentiated(y)
}

/// Slices of the batch and bands of rows change results by rounding alone, whatever their number.
#[test]
fn slices_and_bands_make_the_whole() {
    use retune_graph::Bindings;
    let networks = [
        residual(),
        inverted([9, 7], 1, 3),
        inverted([9, 7], 2, 3),
        inverted([12, 5], 2, 3),
        inverted([7, 7], 1, 5),
        inverted([6, 9], 3, 5),
    ];
    for (number, (graph, outputs)) in networks.into_iter().enumerate() {
        let tensor = |stream: u32, shape: &[usize]| retune_testkit::samples::normal(stream, shape).to_f32();
        let fixed =
            |shape: &retune_graph::Shape| -> Vec<usize> { shape.dims().iter().filter_map(|dim| dim.fixed()).collect() };
        let weights: Vec<Tensor> =
            graph.weights().iter().zip(1..).map(|(info, stream)| tensor(stream, &fixed(&info.shape))).collect();
        let image = graph.nodes().iter().find(|node| matches!(node.op, retune_graph::Op::Input(_))).unwrap();
        for batch in [1, 6, 7] {
            let shape: Vec<usize> = std::iter::once(batch).chain(fixed(&image.shape)).collect();
            let x = tensor(0, &shape);
            let run = |cache: usize, threads: usize| {
                let mut session = Session::new(&Cpu::new(threads), graph.clone(), outputs.clone()).with_cache(cache);
                let found = session.run(&weights, &[("x", &x)], &StepRandom::NONE).unwrap();
                let found: Vec<Tensor> = (0..found.len()).map(|index| found.tensor(index)).collect();
                let bytes = session.plan(Bindings { batch, tokens: 0 }).unwrap().arena_bytes();
                (found, bytes)
            };
            let (whole, most) = run(usize::MAX, 1);
            // Bands of one row, of a few, and of whole images.
            for cache in [0, 8 << 10, 64 << 10, 512 << 10] {
                let (found, bytes) = run(cache, 1);
                // In so small a graph the sums of lanes count.
                assert!(bytes <= 2 * most, "batch of {batch}: {bytes} bytes in slices, {most} without");
                for (found, whole) in found.iter().zip(&whole) {
                    let close = retune_testkit::compare::close(&Array::from(found), &Array::from(whole), 1e-4, 1e-5);
                    assert_eq!(close, Ok(()), "network {number}, batch of {batch}, cache of {cache}");
                }
                let (again, _) = run(cache, 3);
                let is_same = found.iter().zip(&again).all(|(a, b)| a.as_f32() == b.as_f32());
                assert!(is_same, "network {number}, batch of {batch}, cache of {cache}: other bits with three threads");
            }
        }
    }
}

/// Beside images that are larger than the sums of lanes, bands need little more memory: room for each thread, and what a chain reads
/// lives until its end.
#[test]
fn bands_need_little_more_memory() {
    use retune_graph::Bindings;
    for (graph, outputs) in [inverted([56, 56], 1, 3), inverted([56, 56], 2, 3)] {
        let bytes = |cache: usize| {
            let mut session = Session::new(&Cpu::new(2), graph.clone(), outputs.clone()).with_cache(cache);
            session.plan(Bindings { batch: 8, tokens: 0 }).unwrap().arena_bytes()
        };
        let (bands, whole) = (bytes(1 << 20), bytes(usize::MAX));
        assert!(bands <= whole + whole / 8, "{bands} bytes on bands, {whole} without");
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

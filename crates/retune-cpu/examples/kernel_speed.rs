//! Time and memory bandwidth of the streaming kernels, beside a copy of the same size in the same run.
//!
//! `cargo run --release -p retune-cpu --example kernel_speed [THREADS] [NAME]`: kernels whose name
//! contains `NAME`. Bytes are those of all inputs and the output, each
//! moved once; the last column is the bandwidth as a share of the copy's.

use std::time::Instant;

use retune_cpu::{Cpu, Session, StepRandom};
use retune_graph::ops::pool::Pooling;
use retune_graph::ops::reduce::Reduction;
use retune_graph::ops::{
    Activate, ActivateGrad, Activation, Affine, BatchMoments, BatchNorm, BatchNormGradInput, BatchNormGradSums, Binary,
    ConvGeometry, DepthwiseConv2d, DepthwiseConv2dGradInput, DepthwiseConv2dGradWeight, Dropout, LayerNorm,
    LayerNormGradInput, LayerNormGradSums, Pool2d, Pool2dGrad, Reduce, RowMoments, Softmax, SoftmaxGrad, Transpose,
};
use retune_graph::{DType, Dim, Graph, Op, Shape, Symbol};
use retune_tensor::{Key, Purpose, Tensor};

/// Runs of an operation; the fastest counts, as other work on the machine can only slow one down.
const RUNS: usize = 40;

struct Bench {
    cpu: Cpu,
    /// Bytes per second of a copy.
    copy: f64,
    /// What the names of reported kernels contain.
    filter: String,
}

impl Bench {
    fn new(cpu: Cpu, filter: String) -> Bench {
        let mut bench = Bench { cpu, copy: 1.0, filter };
        let copy = Affine { scale: 1.0, offset: 0.0 };
        let (seconds, bytes) = bench.time(&copy.into(), &[&[32, 112, 112, 32]]);
        bench.copy = bytes / seconds;
        bench
    }

    /// Seconds and bytes of one operation on random inputs of these shapes.
    fn time(&self, op: &Op, shapes: &[&[usize]]) -> (f64, f64) {
        let mut graph = Graph::new();
        let names = ["a", "b", "c", "d", "e"];
        let mut tensors = Vec::new();
        let mut nodes = Vec::new();
        for (index, shape) in shapes.iter().enumerate() {
            let mut symbolic = Shape::fixed(shape);
            if index == 0 {
                symbolic = symbolic.with(0, Dim::Scaled(1, Symbol::Batch));
            }
            let keep_fixed = !matches!(op, Op::Dropout(_));
            let shape_of_node = if keep_fixed { Shape::fixed(shape) } else { symbolic };
            nodes.push(graph.input(names[index], shape_of_node, DType::F32));
            let key = Key::new(index as u64).with(Purpose::Test(0));
            let count: usize = shape.iter().product();
            // Positive, so that they can be variances.
            let values: Vec<f32> = (0..count).map(|i| key.uniform(i as u64) + 0.1).collect();
            tensors.push(Tensor::new(*shape, values).expect("as many values as the shape asks for"));
        }
        let output = graph.push(op.clone(), &nodes).expect("the shapes fit");
        let mut session = Session::new(&self.cpu, graph, vec![output]);
        let inputs: Vec<(&str, &Tensor)> = names.into_iter().zip(&tensors).collect();
        let example_ids: Vec<u64> = (0..shapes[0][0] as u64).collect();
        let random = StepRandom { seed: 1, epoch: 0, example_ids: &example_ids };
        let mut output_len = 0;
        let mut times: Vec<f64> = (0..RUNS)
            .map(|_| {
                let start = Instant::now();
                output_len = session.run(&[], &inputs, &random).expect("the inputs fit").f32(0).len();
                start.elapsed().as_secs_f64()
            })
            .collect();
        times.sort_by(f64::total_cmp);
        let bytes = 4 * (tensors.iter().map(Tensor::len).sum::<usize>() + output_len);
        (times[0], bytes as f64)
    }

    fn report(&self, name: &str, op: impl Into<Op>, shapes: &[&[usize]]) {
        if !name.contains(&self.filter) {
            return;
        }
        let (seconds, bytes) = self.time(&op.into(), shapes);
        let bandwidth = bytes / seconds;
        let share = bandwidth / self.copy;
        println!("{name:<28} {:>8.3} ms {:>7.1} GB/s {share:>6.2}  {shapes:?}", 1e3 * seconds, bandwidth / 1e9);
    }
}

fn main() {
    let threads = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(2);
    let bench = Bench::new(Cpu::new(threads), std::env::args().nth(2).unwrap_or_default());
    println!("{threads} threads, {:?}: copies run at {:.1} GB/s", bench.cpu.level(), bench.copy / 1e9);
    let (gelu, image, small) = ([4096, 1536], [32, 112, 112, 32], [32, 32, 32, 64]);
    for activation in [
        Activation::RELU,
        Activation::Gelu { approximate: false },
        Activation::Gelu { approximate: true },
        Activation::Silu,
        Activation::Tanh,
        Activation::Elu { alpha: 1.0 },
    ] {
        bench.report(activation.name(), Activate(activation), &[&gelu]);
        bench.report(&format!("{} gradient", activation.name()), ActivateGrad(activation), &[&gelu, &gelu]);
    }
    bench.report("add", Binary::Add, &[&image, &image]);
    bench.report("add per channel", Binary::Add, &[&image, &[32]]);
    bench.report("multiply by [n, 1, 1, c]", Binary::Mul, &[&image, &[32, 1, 1, 32]]);
    bench.report("dropout", Dropout { rate: 0.3, stream: 0, shared_axes: Vec::new() }, &[&small]);
    let sum = |axes: &[usize]| Reduce { reduction: Reduction::Sum, axes: axes.to_vec() };
    bench.report("sum to channels", sum(&[0, 1, 2]), &[&image]);
    bench.report("sum to 3 channels", sum(&[0, 1, 2]), &[&[32, 224, 224, 3]]);
    bench.report("sum over pixels", sum(&[1, 2]), &[&image]);
    bench.report("sum of rows", sum(&[1]), &[&gelu]);
    bench.report("transpose", Transpose { axes: vec![1, 0] }, &[&gelu]);
    bench.report("transpose heads", Transpose { axes: vec![0, 2, 1, 3] }, &[&[32, 128, 12, 64]]);
    bench.report("softmax", Softmax, &[&[6144, 1024]]);
    bench.report("softmax gradient", SoftmaxGrad, &[&[6144, 1024], &[6144, 1024]]);
    let epsilon = 1e-3;
    for shape in [image, small, [32, 7, 7, 1024]] {
        let (channels, moments) = ([shape[3]], [2, shape[3]]);
        bench.report("batch moments", BatchMoments, &[&shape]);
        let activation = Some(Activation::RELU);
        let inputs: [&[usize]; 6] = [&shape, &moments, &channels, &channels, &shape, &moments];
        bench.report("batch norm", BatchNorm { epsilon, activation }, &inputs[..4]);
        bench.report("batch norm sums", BatchNormGradSums { epsilon, activation }, &inputs[..5]);
        bench.report("batch norm gradient", BatchNormGradInput { epsilon, activation }, &inputs);
    }
    let (axes, rows, row) = (1, [4096, 2], [1536]);
    bench.report("row moments", RowMoments { axes }, &[&gelu]);
    bench.report("layer norm", LayerNorm { axes, epsilon }, &[&gelu, &rows, &row, &row]);
    bench.report("layer norm gradient", LayerNormGradInput { axes, epsilon }, &[&gelu, &rows, &row, &gelu]);
    bench.report("layer norm sums", LayerNormGradSums { axes, epsilon }, &[&gelu, &rows, &gelu]);
    let halves = ConvGeometry { strides: [2, 2], ..ConvGeometry::default() };
    for pooling in [Pooling::Max, Pooling::Average] {
        let pool = Pool2d { pooling, window: [2, 2], geometry: halves };
        let half = [32, 56, 56, 32];
        bench.report(&format!("{pooling:?} pooling"), pool, &[&image]);
        match pooling {
            Pooling::Max => bench.report("its gradient", Pool2dGrad::Max(pool), &[&half, &image, &half]),
            Pooling::Average => bench.report("its gradient", Pool2dGrad::Average(pool, [112, 112]), &[&half]),
        }
    }
    for (shape, kernel, stride) in [(image, 3, 1), ([32, 112, 112, 96], 3, 2), ([32, 14, 14, 672], 5, 1), (small, 3, 1)]
    {
        let before = (kernel - 1) / 2;
        let geometry = ConvGeometry { strides: [stride; 2], padding: [(before, before); 2], ..ConvGeometry::default() };
        let size = shape[1].div_ceil(stride);
        let (output, weights) = ([shape[0], size, size, shape[3]], [kernel, kernel, shape[3], 1]);
        let name = |part: &str| format!("depthwise {kernel}×{kernel}/{stride}{part}");
        bench.report(&name(""), DepthwiseConv2d { geometry }, &[&shape, &weights]);
        let grad_input = DepthwiseConv2dGradInput { geometry, input_size: [shape[1], shape[2]] };
        bench.report(&name(" to input"), grad_input, &[&output, &weights]);
        let grad_weight = DepthwiseConv2dGradWeight { geometry, kernel: [kernel; 2] };
        bench.report(&name(" to weights"), grad_weight, &[&shape, &output]);
    }
}

//! Times of the convolutions of a small CIFAR-10 network, forward and both gradients: `conv_speed [THREADS]`.
//!
//! Prints the fastest of thirty runs, and FLOP/s as if every convolution were done by the direct sum.

use retune_cpu::{Cpu, Session, StepRandom};
use retune_graph::ops::{Conv2dGradInput, Conv2dGradWeight, ConvGeometry};
use retune_graph::{Bindings, DType, Graph, Role, Shape, WeightInfo};
use retune_tensor::{Key, Purpose, Tensor, TensorError};
use std::error::Error;
use std::time::Instant;

const BATCH: usize = 32;

/// Height and width of the image, channels in and out.
const LAYERS: [[usize; 3]; 6] = [[32, 3, 64], [30, 64, 64], [14, 64, 128], [12, 128, 128], [5, 128, 64], [3, 64, 64]];

fn random(stream: u32, shape: &[usize]) -> Result<Tensor, TensorError> {
    let key = Key::new(1).with(Purpose::Test(stream));
    let count: usize = shape.iter().product();
    Tensor::new(shape, (0..count as u64).map(|i| key.uniform(i) - 0.5).collect::<Vec<f32>>())
}

fn main() -> Result<(), Box<dyn Error>> {
    let threads = std::env::args().nth(1).map_or(Ok(1), |argument| argument.parse())?;
    let cpu = Cpu::new(threads);
    for [size, ci, co] in LAYERS {
        let mut graph = Graph::new();
        let x = graph.input("x", Shape::batch_of(&[size, size, ci]), DType::F32);
        let dy = graph.input("dy", Shape::batch_of(&[size - 2, size - 2, co]), DType::F32);
        let (_, w) = graph.weight(WeightInfo {
            name: "w".to_owned(),
            shape: Shape::fixed(&[3, 3, ci, co]),
            role: Role::Trainable { group: 0 },
            decays: true,
        });
        let geometry = ConvGeometry::default();
        let y = graph.conv2d(x, w, None, geometry, 1)?;
        let grad_input = Conv2dGradInput { geometry, groups: 1, input_size: [size, size] };
        let dx = graph.push(grad_input.into(), &[dy, w])?;
        let dw = graph.push(Conv2dGradWeight { geometry, groups: 1, kernel: [3, 3] }.into(), &[x, dy])?;

        let weights = [random(0, &[3, 3, ci, co])?];
        let images = random(1, &[BATCH, size, size, ci])?;
        let gradient = random(2, &[BATCH, size - 2, size - 2, co])?;
        for (name, node) in [("forward", y), ("grad_input", dx), ("grad_weight", dw)] {
            let mut session = Session::new(&cpu, graph.clone(), vec![node]);
            let flops = session.plan(Bindings::batch(BATCH))?.flops() as f64;
            let mut fastest = f64::INFINITY;
            for _ in 0..30 {
                let start = Instant::now();
                session.run(&weights, &[("x", &images), ("dy", &gradient)], &StepRandom::NONE)?;
                fastest = fastest.min(start.elapsed().as_secs_f64());
            }
            let (ms, rate) = (fastest * 1e3, flops / fastest / 1e9);
            println!("{size}×{size} {ci}→{co} {name}: {ms:.2} ms, {rate:.0} GFLOP/s");
        }
    }
    Ok(())
}

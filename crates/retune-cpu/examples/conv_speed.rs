//! Times of the convolutions of a small CIFAR-10 network, forward and both gradients.
use retune_cpu::{Cpu, Session, StepRandom};
use retune_graph::ops::{Conv2dGradInput, Conv2dGradWeight, ConvGeometry};
use retune_graph::*;
use retune_tensor::{Key, Purpose, Tensor};

fn random(shape: &[usize], salt: u32) -> Tensor {
    let key = Key::new(1).with(Purpose::Test(salt));
    let n: usize = shape.iter().product();
    Tensor::new(shape, (0..n as u64).map(|i| key.uniform(i) - 0.5).collect::<Vec<f32>>()).unwrap()
}

fn main() {
    let threads: usize = std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(1);
    let cpu = Cpu::new(threads);
    let batch = 32;
    for (h, ci, co) in [(32, 3, 64), (30, 64, 64), (14, 64, 128), (12, 128, 128), (5, 128, 64), (3, 64, 64)] {
        let mut g = Graph::new();
        let x = g.input("x", Shape::batch_of(&[h, h, ci]), DType::F32);
        let dy = g.input("dy", Shape::batch_of(&[h - 2, h - 2, co]), DType::F32);
        let info = WeightInfo {
            name: "w".into(),
            shape: Shape::fixed(&[3, 3, ci, co]),
            role: Role::Trainable { group: 0 },
            decays: true,
        };
        let (_, w) = g.weight(info);
        let geometry = ConvGeometry::default();
        let y = g.conv2d(x, w, None, geometry, 1).unwrap();
        let dx = g.push(Conv2dGradInput { geometry, groups: 1, input_size: [h, h] }.into(), &[dy, w]).unwrap();
        let dw = g.push(Conv2dGradWeight { geometry, groups: 1, kernel: [3, 3] }.into(), &[x, dy]).unwrap();
        let weights = [random(&[3, 3, ci, co], 0)];
        let (xt, dyt) = (random(&[batch, h, h, ci], 1), random(&[batch, h - 2, h - 2, co], 2));
        for (name, node) in [("forward", y), ("grad_input", dx), ("grad_weight", dw)] {
            let mut s = Session::new(&cpu, g.clone(), vec![node]);
            let flops = s.plan(Bindings::batch(batch)).unwrap().flops() as f64;
            let mut times = Vec::new();
            for _ in 0..30 {
                let t = std::time::Instant::now();
                s.run(&weights, &[("x", &xt), ("dy", &dyt)], &StepRandom::NONE).unwrap();
                times.push(t.elapsed().as_secs_f64());
            }
            times.sort_by(f64::total_cmp);
            let median = times[0];
            println!("{h}x{h} {ci}->{co} {name}: {:.2} ms {:.1} GFLOP/s", median * 1e3, flops / median * 1e-9);
        }
    }
}

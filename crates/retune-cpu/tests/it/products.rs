//! Matrix products, linear layers and convolutions against the reference, at every level and with 1, 2, 3 and 8 threads.

use retune_cpu::{Cpu, Level, Session, StepRandom};
use retune_graph::ops::{
    Activation, Conv2d, Conv2dGradInput, Conv2dGradWeight, ConvGeometry, Linear, MatMul, Op, Precision,
};
use retune_graph::{DType, Graph, NodeId, Role, Shape, WeightInfo};
use retune_testkit::{Array, StepRandom as ReferenceRandom, assert_close, interpret, samples::normal};

/// Runs one operation on inputs of these shapes. `tolerance` is relative to the largest value.
fn check(op: impl Into<Op>, shapes: &[&[usize]], tolerance: f64) {
    check_on(op.into(), shapes, tolerance, |array| array);
}

/// The same on inputs that are changed first.
fn check_on(op: Op, shapes: &[&[usize]], tolerance: f64, change: fn(Array) -> Array) {
    let mut graph = Graph::new();
    let names = ["a", "b", "c"];
    let ids: Vec<NodeId> =
        shapes.iter().zip(names).map(|(shape, name)| graph.input(name, Shape::fixed(shape), DType::F32)).collect();
    let output = graph.push(op.clone(), &ids).unwrap();
    let arrays: Vec<Array> = shapes.iter().enumerate().map(|(i, shape)| change(normal(i as u32, shape))).collect();
    // The reference sees the very values that the kernel sees.
    let tensors: Vec<_> = arrays.iter().map(Array::to_f32).collect();
    let arrays: Vec<Array> = tensors
        .iter()
        .map(|t| Array::new(t.shape(), t.as_f32().unwrap().iter().map(|&v| f64::from(v)).collect()))
        .collect();
    let named: Vec<(&str, Array)> = names.into_iter().zip(arrays).collect();
    let expected = interpret(&graph, &[output], &[], &named, &ReferenceRandom::default()).remove(0);
    let largest = expected.values.iter().fold(0.0f64, |a, v| a.max(v.abs()));

    for level in Level::available() {
        let mut bits: Option<Vec<u32>> = None;
        for threads in [1, 2, 3, 8] {
            let cpu = Cpu::with_level(threads, level);
            let mut session = Session::new(&cpu, graph.clone(), vec![output]);
            let inputs: Vec<_> = names.into_iter().zip(&tensors).collect();
            for _ in 0..2 {
                let outputs = session.run(&[], &inputs, &StepRandom::NONE).unwrap();
                let actual = Array::new(outputs.shape(0), outputs.f32(0).iter().map(|&v| f64::from(v)).collect());
                assert_close(&actual, &expected, 0.0, tolerance * largest);
                let these: Vec<u32> = outputs.f32(0).iter().map(|v| v.to_bits()).collect();
                assert_eq!(*bits.get_or_insert_with(|| these.clone()), these, "{op:?} {level:?} {threads} threads");
            }
        }
    }
}

#[test]
fn matrix_products() {
    for (m, k, n) in [(1, 1, 1), (3, 5, 2), (14, 16, 32), (33, 70, 50), (130, 300, 33), (64, 7, 257)] {
        for (transpose_a, transpose_b) in [(false, false), (true, false), (false, true), (true, true)] {
            let op = MatMul { transpose_a, transpose_b, precision: Precision::F32 };
            let a = if transpose_a { [2, k, m] } else { [2, m, k] };
            let b = if transpose_b { [2, n, k] } else { [2, k, n] };
            check(op, &[&a, &b], 3e-6);
        }
    }
}

#[test]
fn linear_layers() {
    for activation in [None, Some(Activation::RELU)] {
        check(Linear { activation, ..Linear::default() }, &[&[5, 3, 20], &[20, 10], &[10]], 2e-6);
        check(Linear { activation, ..Linear::default() }, &[&[70, 64], &[64, 100]], 2e-6);
    }
}

/// Values that bfloat16 holds exactly.
fn rounded(array: Array) -> Array {
    array.map(|x| f64::from(half::bf16::from_f64(x)))
}

/// Where factors are bfloat16 already, their products are exact in `f32` and only sums are rounded, whether or not the
/// processor multiplies them faster.
#[test]
fn products_of_bfloat16() {
    let precision = Precision::Bf16;
    for (m, k, n) in [(1, 1, 1), (3, 5, 2), (14, 16, 32), (33, 71, 50), (130, 301, 33), (64, 7, 257), (20, 600, 70)] {
        for (transpose_a, transpose_b) in [(false, false), (true, false), (false, true), (true, true)] {
            let op = MatMul { transpose_a, transpose_b, precision };
            let a = if transpose_a { [2, k, m] } else { [2, m, k] };
            let b = if transpose_b { [2, n, k] } else { [2, k, n] };
            check_on(op.into(), &[&a, &b], 3e-6, rounded);
        }
    }
    for activation in [None, Some(Activation::RELU)] {
        check_on(Linear { activation, precision }.into(), &[&[70, 65], &[65, 100], &[100]], 3e-6, rounded);
    }
}

/// Other factors are rounded first, not cut off.
#[test]
fn factors_are_rounded_to_the_nearest_bfloat16() {
    let cpu = Cpu::new(1);
    if !cpu.multiplies_bf16() {
        return;
    }
    let product = |a: Vec<f32>, b: Vec<f32>| {
        let mut graph = Graph::new();
        let shape = Shape::fixed(&[1, a.len()]);
        let (x, y) = (graph.input("a", shape.clone(), DType::F32), graph.input("b", shape, DType::F32));
        let op = MatMul { transpose_a: false, transpose_b: true, precision: Precision::Bf16 };
        let output = graph.push(op.into(), &[x, y]).unwrap();
        let [a, b] = [a, b].map(|values| retune_tensor::Tensor::new([1, values.len()], values).unwrap());
        let mut session = Session::new(&cpu, graph, vec![output]);
        session.run(&[], &[("a", &a), ("b", &b)], &StepRandom::NONE).unwrap().f32(0)[0]
    };
    // 1 + 2⁻⁸ is halfway and goes to the even 1; a little more goes up to 1 + 2⁻⁷.
    assert_eq!(product(vec![1.0 + 1.0 / 256.0], vec![1.0]), 1.0);
    assert_eq!(product(vec![1.0 + 1.0 / 256.0 + 1.0 / 65536.0], vec![1.0]), 1.0 + 1.0 / 128.0);
    assert!(product(vec![f32::NAN, 1.0], vec![1.0, 1.0]).is_nan());
    assert_eq!(product(vec![f32::INFINITY], vec![2.0]), f32::INFINITY);
}

/// Frozen factors are rounded once, before the first step: the same bits as those rounded in every step, for all batch sizes, until
/// told that they changed.
#[test]
fn frozen_factors_of_bfloat16() {
    let (k, n) = (71, 50);
    let info =
        |name: &str| WeightInfo { name: name.into(), shape: Shape::fixed(&[k, n]), role: Role::Frozen, decays: false };
    let linear = || Op::from(Linear { activation: None, precision: Precision::Bf16 });
    let back = || Op::from(MatMul { transpose_a: false, transpose_b: true, precision: Precision::Bf16 });
    let session = |is_frozen: bool| {
        let mut graph = Graph::new();
        let x = graph.input("x", Shape::batch_of(&[k]), DType::F32);
        let w = if is_frozen { graph.weight(info("w")).1 } else { graph.input("w", Shape::fixed(&[k, n]), DType::F32) };
        let y = graph.push(linear(), &[x, w]).unwrap();
        let dx = graph.push(back(), &[y, w]).unwrap();
        Session::new(&Cpu::new(2), graph, vec![y, dx])
    };
    let tensor = |stream, shape: &[usize]| normal(stream, shape).to_f32();
    let (mut frozen, mut given) = (session(true), session(false));
    for w in [tensor(1, &[k, n]), tensor(2, &[k, n])] {
        for batch in [3, 40, 3] {
            let x = tensor(3, &[batch, k]);
            let expected = given.run(&[], &[("x", &x), ("w", &w)], &StepRandom::NONE).unwrap();
            let found = frozen.run(std::slice::from_ref(&w), &[("x", &x)], &StepRandom::NONE).unwrap();
            for output in [0, 1] {
                assert!(found.f32(output) == expected.f32(output), "output {output} of a batch of {batch}");
            }
        }
        frozen.forget_constants();
    }
}

fn geometry(strides: [usize; 2], padding: [(usize, usize); 2], dilation: [usize; 2]) -> ConvGeometry {
    ConvGeometry { strides, padding, dilation }
}

/// Forward and both gradients of one convolution.
fn check_convolution(
    (n, h, w): (usize, usize, usize),
    [kh, kw, ci, co]: [usize; 4],
    groups: usize,
    geometry: ConvGeometry,
    tolerance: f64,
) {
    let oh = geometry.output(0, h, kh).unwrap();
    let ow = geometry.output(1, w, kw).unwrap();
    let (x, kernel, y) = ([n, h, w, ci * groups], [kh, kw, ci, co], [n, oh, ow, co]);
    check(Conv2d { geometry, groups, activation: None }, &[&x, &kernel], tolerance);
    check(Conv2d { geometry, groups, activation: Some(Activation::RELU) }, &[&x, &kernel, &[co]], tolerance);
    check(Conv2dGradInput { geometry, groups, input_size: [h, w] }, &[&y, &kernel], tolerance);
    check(Conv2dGradWeight { geometry, groups, kernel: [kh, kw] }, &[&x, &y], tolerance);
}

#[test]
fn convolutions() {
    let plain = ConvGeometry::default();
    check_convolution((2, 7, 6), [3, 3, 3, 5], 1, plain, 3e-6);
    check_convolution((1, 5, 9), [1, 1, 7, 33], 1, plain, 3e-6);
    check_convolution((3, 8, 8), [3, 3, 4, 6], 1, geometry([2, 2], [(0, 1), (0, 1)], [1, 1]), 3e-6);
    check_convolution((2, 9, 7), [3, 2, 4, 6], 1, geometry([2, 3], [(1, 1), (2, 0)], [1, 1]), 3e-6);
    check_convolution((2, 9, 9), [3, 3, 4, 6], 1, geometry([1, 1], [(2, 2), (2, 2)], [2, 2]), 3e-6);
    check_convolution((2, 6, 6), [3, 3, 3, 8], 4, geometry([1, 1], [(1, 1), (1, 1)], [1, 1]), 3e-6);
    check_convolution((2, 8, 7), [2, 2, 5, 34], 2, geometry([3, 3], [(1, 0), (0, 1)], [1, 1]), 3e-6);
    check_convolution((9, 1, 40), [1, 5, 2, 3], 1, geometry([1, 1], [(0, 0), (4, 0)], [1, 1]), 3e-6);
    check_convolution((2, 1, 50), [1, 40, 2, 3], 1, plain, 3e-6);
    check_convolution((2, 12, 12), [2, 2, 8, 8], 1, geometry([5, 5], [(0, 0), (0, 0)], [1, 1]), 3e-6);
    check_convolution((1, 40, 40), [36, 35, 1, 2], 1, plain, 3e-6);
    // A weight so large that its own values are divided between threads.
    check_convolution((2, 5, 6), [1, 1, 530, 500], 1, plain, 3e-6);
}

/// Large 3×3 convolutions are done by Winograd's algorithm, whose rounding errors are larger.
#[test]
fn winograd_convolutions() {
    check_convolution((3, 8, 9), [3, 3, 32, 48], 1, ConvGeometry::default(), 2e-5);
    check_convolution((2, 13, 10), [3, 3, 48, 32], 1, geometry([1, 1], [(1, 1), (1, 1)], [1, 1]), 2e-5);
    check_convolution((40, 7, 6), [3, 3, 64, 32], 1, geometry([1, 1], [(0, 2), (1, 0)], [1, 1]), 2e-5);
}

//! Attention, dropout and pooling of sequences of tokens.

use retune_cpu::{Cpu, CpuError, Session, StepRandom};
use retune_graph::ops::sequence::Pooling;
use retune_graph::ops::{
    Attention, AttentionGrad, AttentionGradPrefix, AttentionGradTables, Buckets, Dropout, Precision, Reach, Relative,
    Rotary, SequencePool, SequencePrompt, SequencePromptGrad, Sequences,
};
use retune_graph::{DType, Dim, Graph, Shape, Symbol};
use retune_tensor::Tensor;
use retune_testkit::samples;

use crate::case::{Case, check_all, indices, normal};

/// Lengths around the sizes of tiles and bands, a sequence of one token and an empty one.
const LENGTHS: &[usize] = &[5, 1, 33, 0, 14, 70];

/// Heads, and values of each.
const SIZES: [(usize, usize); 4] = [(2, 3), (1, 8), (3, 32), (2, 40)];

/// What a factor loses where it is read as bfloat16, relative to it.
const ROUNDING: f64 = 1.0 / 256.0;

fn attentions(heads: usize, size: usize) -> Vec<Attention> {
    let all = Attention::new(heads, 1.0 / (size as f32).sqrt());
    vec![
        all,
        Attention { dropout: Some((0.3, 5)), ..all },
        Attention { reach: Reach::Causal, dropout: Some((0.1, 6)), ..all },
        Attention { reach: Reach::Window(7), ..all },
    ]
}

/// Attention with relative positions: buckets that distances share, and such that none does.
fn relative_attentions(heads: usize, size: usize) -> Vec<Attention> {
    let all = Attention::new(heads, 1.0 / (size as f32).sqrt());
    let vectors = |buckets, keys, queries| Some(Relative::Vectors { buckets, keys, queries });
    let (few, many) = (Buckets::Centred { span: 8, furthest: Some(40) }, Buckets::Centred { span: 90, furthest: None });
    vec![
        Attention { relative: Some(Relative::Bias(Buckets::Halves { count: 16, furthest: 40 })), ..all },
        Attention { relative: vectors(few, true, false), ..all },
        Attention { relative: vectors(few, false, true), ..all },
        Attention { relative: vectors(many, true, true), dropout: Some((0.3, 5)), ..all },
        Attention { relative: vectors(few, true, true), reach: Reach::Window(20), ..all },
        Attention { relative: vectors(few, true, true), reach: Reach::Causal, ..all },
    ]
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let tokens = LENGTHS.iter().sum();
    for (heads, size) in SIZES {
        for op in attentions(heads, size) {
            let rows =
                |count: u32, tokens| -> Vec<_> { (0..count).map(|i| normal(i, &[tokens, heads * size])).collect() };
            cases.push(Case::new(op, rows(3, tokens)).with_sequences(LENGTHS).with_tolerance(1e-5, 1e-5));
            let gradient = Case::new(AttentionGrad(op), rows(4, tokens));
            cases.push(gradient.with_sequences(LENGTHS).with_tolerance(1e-5, 2e-5));
            cases.push(Case::new(op, rows(3, 3 * 17)).with_batch(3).with_tolerance(1e-5, 1e-5));
            cases.push(Case::new(AttentionGrad(op), rows(4, 3 * 17)).with_batch(3).with_tolerance(1e-5, 2e-5));
            let packed = Attention { packed: true, ..op };
            let qkv = normal(0, &[tokens, 3 * heads * size]);
            cases.push(Case::new(packed, [qkv.clone()]).with_sequences(LENGTHS).with_tolerance(1e-5, 1e-5));
            let gradient = Case::new(AttentionGrad(packed), [qkv, normal(3, &[tokens, heads * size])]);
            cases.push(gradient.with_sequences(LENGTHS).with_tolerance(1e-5, 2e-5));
            let op = Attention { precision: Precision::Bf16, ..op };
            cases.push(Case::new(op, rows(3, tokens)).with_sequences(LENGTHS).with_tolerance(ROUNDING, 4.0 * ROUNDING));
            let gradient = Case::new(AttentionGrad(op), rows(4, tokens)).with_sequences(LENGTHS);
            cases.push(gradient.with_tolerance(ROUNDING, 8.0 * ROUNDING));
        }
    }
    cases.extend(relative_cases());
    cases.extend(virtual_token_cases());
    for (inverse, head_size, width) in [(false, 4, 12), (true, 64, 320)] {
        let op = Rotary { head_size, theta: 10_000.0, inverse };
        let turned = Case::new(op, [normal(1, &[150, width]), indices(2, &[150], 2000)]).with_batch(150);
        // Angles up to 2000 are rounded to 32 bits.
        cases.push(turned.with_tolerance(1e-5, 3e-4));
    }
    for width in [3, 300] {
        for pooling in [Pooling::First, Pooling::Last, Pooling::Mean] {
            cases.push(Case::new(SequencePool(pooling), [normal(1, &[tokens, width])]).with_sequences(LENGTHS));
        }
        let dropout = Dropout { rate: 0.3, stream: 3, shared_axes: Vec::new() };
        cases.push(Case::new(dropout, [normal(1, &[tokens, width])]).with_sequences(LENGTHS));
    }
    cases
}

/// Attention with a prefix that fills no panel, a panel, and more than one; prompts longer than some sequences.
fn virtual_token_cases() -> Vec<Case> {
    let tokens = LENGTHS.iter().sum();
    let mut cases = Vec::new();
    for (heads, size) in SIZES {
        for (prefix, dropout) in [(3, None), (32, Some((0.3, 5))), (50, None)] {
            let op = Attention { dropout, prefix, ..attentions(heads, size)[0] };
            let rows = |from: u32, count: u32| -> Vec<_> {
                (from..from + count).map(|seed| normal(seed, &[tokens, heads * size])).collect()
            };
            let both = [20, 21].map(|seed| normal(seed, &[prefix, heads * size])).to_vec();
            let forward = [rows(0, 3), both.clone()].concat();
            let backward = [rows(0, 3), both, rows(3, 1)].concat();
            cases.push(Case::new(op, forward).with_sequences(LENGTHS).with_tolerance(1e-5, 1e-5));
            let gradient = Case::new(AttentionGrad(op), backward.clone());
            cases.push(gradient.with_sequences(LENGTHS).with_tolerance(1e-5, 2e-5));
            let gradient = Case::new(AttentionGradPrefix(op), backward.clone());
            cases.push(gradient.with_sequences(LENGTHS).with_tolerance(1e-5, 1e-4));
            let op = Attention { precision: Precision::Bf16, ..op };
            let gradient = Case::new(AttentionGradPrefix(op), backward).with_sequences(LENGTHS);
            cases.push(gradient.with_tolerance(ROUNDING, 16.0 * ROUNDING));
        }
    }
    for (rows, width) in [(4, 3), (20, 300)] {
        let x = normal(1, &[tokens, width]);
        cases.push(Case::new(SequencePrompt, [x.clone(), normal(2, &[rows, width])]).with_sequences(LENGTHS));
        cases.push(Case::new(SequencePromptGrad { rows }, [x]).with_sequences(LENGTHS));
    }
    cases
}

fn relative_cases() -> Vec<Case> {
    // The longest spans several bands, and windows that begin behind the first panel of keys.
    let lengths = &[5, 1, 0, 70, 150];
    let tokens: usize = lengths.iter().sum();
    let mut cases = Vec::new();
    for (heads, size) in [(2, 3), (3, 32)] {
        let window = Attention { reach: Reach::Window(20), ..attentions(heads, size)[1] };
        for op in relative_attentions(heads, size).into_iter().chain([window]) {
            let rows = |from: u32, count: u32| {
                (from..from + count).map(|seed| normal(seed, &[tokens, heads * size])).collect::<Vec<_>>()
            };
            let table = |seed| {
                let relative = op.relative.unwrap();
                normal(seed, &[relative.buckets().count(), relative.columns(heads * size, heads)])
            };
            let tables: Vec<_> = (0..op.tables()).map(|index| table(10 + index as u32)).collect();
            let forward = [rows(0, 3), tables.clone()].concat();
            let backward = [rows(0, 3), tables, rows(3, 1)].concat();
            cases.push(Case::new(op, forward).with_sequences(lengths).with_tolerance(1e-5, 2e-5));
            let gradient = Case::new(AttentionGrad(op), backward.clone());
            cases.push(gradient.with_sequences(lengths).with_tolerance(1e-5, 1e-4));
            if op.relative.is_some() {
                let gradient = Case::new(AttentionGradTables(op), backward);
                cases.push(gradient.with_sequences(lengths).with_tolerance(1e-5, 2e-4));
            }
        }
    }
    cases
}

#[test]
fn agree_with_the_interpreter() {
    check_all(&cases());
}

/// A graph of attention and pooling over an input of tokens.
fn encoder() -> Session {
    let mut graph = Graph::new();
    let x = graph.input("x", Shape::new([Dim::Scaled(1, Symbol::Tokens), Dim::Fixed(8)]), DType::F32);
    let lengths = graph.input("lengths", Shape::batch_of(&[]), DType::I32);
    graph.enter_layer("encoder");
    let op = Attention { dropout: Some((0.2, 1)), ..Attention::new(2, 0.5) };
    let y = graph.attention(op, [x; 3], Sequences::Ragged(lengths)).unwrap();
    let y = graph.sequence_dropout(y, Sequences::Ragged(lengths), 0.2, 2).unwrap();
    let y = graph.sequence_pool(y, lengths, Pooling::Mean).unwrap();
    Session::new(&Cpu::new(2), graph, vec![y])
}

/// The rows of all sequences.
fn tensor(sequences: &[Vec<f32>]) -> Tensor {
    let values = sequences.concat();
    Tensor::new([values.len() / 8, 8], values).unwrap()
}

/// What a sequence gives depends neither on its place in the batch nor on what else is there, dropout included.
#[test]
fn a_sequence_does_not_see_the_rest_of_its_batch() {
    let sequences: Vec<Vec<f32>> =
        [5, 1, 40].iter().map(|&n| samples::normal(n as u32, &[n, 8]).to_f32().as_f32().unwrap().to_vec()).collect();
    let run = |order: &[usize]| {
        let rows: Vec<Vec<f32>> = order.iter().map(|&i| sequences[i].clone()).collect();
        let lengths: Vec<i32> = order.iter().map(|&i| (sequences[i].len() / 8) as i32).collect();
        let lengths = Tensor::new([order.len()], lengths).unwrap();
        let ids: Vec<u64> = order.iter().map(|&i| 10 + i as u64).collect();
        let random = StepRandom { seed: 1, epoch: 2, example_ids: &ids };
        let mut session = encoder();
        let outputs = session.run(&[], &[("x", &tensor(&rows)), ("lengths", &lengths)], &random).unwrap();
        outputs.f32(0).chunks(8).map(<[f32]>::to_vec).collect::<Vec<_>>()
    };
    let together = run(&[0, 1, 2]);
    let turned = run(&[2, 0, 1]);
    for (place, &index) in [2, 0, 1].iter().enumerate() {
        assert_eq!(turned[place], together[index], "sequence {index} in another order");
        assert_eq!(run(&[index])[0], together[index], "sequence {index} alone");
    }
}

#[test]
fn lengths_that_are_not_those_of_the_tokens_are_an_error() {
    let x = samples::normal(1, &[6, 8]).to_f32();
    for lengths in [vec![2, 3], vec![7, -1], vec![i32::MAX, i32::MAX]] {
        let given = Tensor::new([2], lengths.clone()).unwrap();
        let random = StepRandom { seed: 1, epoch: 1, example_ids: &[1, 2] };
        let error = encoder().run(&[], &[("x", &x), ("lengths", &given)], &random).unwrap_err();
        assert_eq!(error, CpuError::WrongLengths { layer: "encoder".to_owned(), tokens: 6, lengths });
    }
}

//! One operation on given inputs, and how it is checked.

use retune_cpu::{Cpu, Level, Session, StepRandom};
use retune_graph::ops::Affine;
use retune_graph::{DType, Dim, Graph, Op, Shape, Symbol};
use retune_tensor::Tensor;
use retune_testkit::compare::close;
use retune_testkit::{Array, interpret, samples};

/// Numbers of threads for which results must be the same bits.
const THREADS: [usize; 4] = [1, 2, 3, 8];

const SEED: u64 = 9;
const EPOCH: u64 = 2;

/// An operation on given inputs.
#[derive(Debug, Clone)]
pub struct Case {
    pub op: Op,
    pub inputs: Vec<Operand>,
    /// Number of examples where the first axis is the batch, or a multiple of it.
    pub batch: Option<usize>,
    /// Whether the `f32` inputs with as many rows as the first are rows of tokens, and the last input the lengths of their
    /// sequences.
    pub has_sequences: bool,
    /// Relative and absolute tolerance.
    pub tolerance: (f64, f64),
}

/// An input of a case.
#[derive(Debug, Clone)]
pub struct Operand {
    pub values: Array,
    pub dtype: DType,
}

/// An `f32` input.
pub fn float(values: Array) -> Operand {
    // Exactly what the kernel will see.
    Operand { values: Array::from(&values.to_f32()), dtype: DType::F32 }
}

/// Standard normal `f32` values, different for each `stream`.
pub fn normal(stream: u32, shape: &[usize]) -> Operand {
    float(samples::normal(stream, shape))
}

/// Uniform `f32` values.
pub fn uniform(stream: u32, shape: &[usize], low: f64, high: f64) -> Operand {
    float(samples::uniform(stream, shape, low, high))
}

/// Whole numbers in `0..n` of type `i32`.
pub fn indices(stream: u32, shape: &[usize], n: usize) -> Operand {
    Operand { values: samples::below(stream, shape, n), dtype: DType::I32 }
}

impl Case {
    pub fn new(op: impl Into<Op>, inputs: impl Into<Vec<Operand>>) -> Case {
        Case { op: op.into(), inputs: inputs.into(), batch: None, has_sequences: false, tolerance: (1e-5, 1e-6) }
    }

    /// The first axis of the first input holds `batch` examples.
    pub fn with_batch(self, batch: usize) -> Case {
        Case { batch: Some(batch), ..self }
    }

    /// The inputs are rows of tokens in sequences of these lengths.
    pub fn with_sequences(mut self, lengths: &[usize]) -> Case {
        let values = Array::new(&[lengths.len()], lengths.iter().map(|&length| length as f64).collect());
        self.inputs.push(Operand { values, dtype: DType::I32 });
        Case { batch: Some(lengths.len()), has_sequences: true, ..self }
    }

    pub fn with_tolerance(self, relative: f64, absolute: f64) -> Case {
        Case { tolerance: (relative, absolute), ..self }
    }

    /// The graph of the operation. Input `copied` goes through a copy, so that the operation may overwrite it.
    fn graph(&self, copied: Option<usize>) -> (Graph, retune_graph::NodeId) {
        let mut graph = Graph::new();
        graph.enter_layer("tested");
        let mut nodes = Vec::new();
        for (index, input) in self.inputs.iter().enumerate() {
            let mut shape = Shape::fixed(&input.values.shape);
            if self.has_sequences {
                let is_row = input.values.shape[0] == self.inputs[0].values.shape[0];
                if input.dtype == DType::I32 {
                    shape = shape.with(0, Dim::BATCH);
                } else if is_row {
                    shape = shape.with(0, Dim::Scaled(1, Symbol::Tokens));
                }
            } else if let Some(batch) = self.batch.filter(|_| index == 0 || self.has_rows()) {
                shape = shape.with(0, Dim::Scaled(input.values.shape[0] / batch, Symbol::Batch));
            }
            let mut node = graph.input(NAMES[index], shape, input.dtype);
            if copied == Some(index) {
                node = graph.push(Affine { scale: 1.0, offset: 0.0 }.into(), &[node]).unwrap();
            }
            nodes.push(node);
        }
        let output = match &self.op {
            // Leaves take their shape from the first input, which they do not read.
            Op::Fill(value) => graph.fill(graph.shape(nodes[0]).clone(), *value),
            Op::Random(random) => graph.random(graph.shape(nodes[0]).clone(), *random),
            op => graph.push(op.clone(), &nodes).unwrap(),
        };
        (graph, output)
    }

    /// What the reference interpreter gives.
    fn expected(&self, example_ids: &[u64]) -> Array {
        let named: Vec<(&str, Array)> = NAMES.into_iter().zip(self.inputs.iter().map(|i| i.values.clone())).collect();
        let (graph, output) = self.graph(None);
        let random = retune_testkit::StepRandom { seed: SEED, epoch: EPOCH, example_ids };
        interpret(&graph, &[output], &[], &named, &random).remove(0)
    }

    fn check(&self, cpus: &[Cpu]) {
        let example_ids: Vec<u64> = (0..self.batch.unwrap_or(0) as u64).map(|i| 1000 + 7 * i).collect();
        let expected = self.expected(&example_ids);
        let tensors: Vec<(&str, Tensor)> = NAMES.into_iter().zip(self.inputs.iter().map(Operand::tensor)).collect();
        let inputs: Vec<(&str, &Tensor)> = tensors.iter().map(|(name, tensor)| (*name, tensor)).collect();
        let copies = (0..self.inputs.len()).filter(|&i| self.inputs[i].dtype == DType::F32).map(Some);
        let copies: Vec<Option<usize>> = std::iter::once(None).chain(copies).collect();
        // Bits of the first run of a level; of any level for operations that never fuse a multiplication and an addition.
        let mut first: Option<(Level, Vec<u32>)> = None;
        for cpu in cpus {
            for &copied in &copies {
                let (graph, output) = self.graph(copied);
                let mut session = Session::new(cpu, graph, vec![output]);
                let random = StepRandom { seed: SEED, epoch: EPOCH, example_ids: &example_ids };
                let actual = session.run(&[], &inputs, &random).unwrap().tensor(0);
                let bits: Vec<u32> = actual.as_f32().unwrap().iter().map(|x| x.to_bits()).collect();
                let setting = || {
                    let shapes: Vec<_> = self.inputs.iter().map(|i| &i.values.shape).collect();
                    let (level, threads) = (cpu.level(), cpu.threads());
                    format!("{:?} of {shapes:?}, {level:?}, {threads} threads, input {copied:?} copied", self.op)
                };
                match &first {
                    Some((level, first)) if *level == cpu.level() || !self.fuses() => {
                        let differs = first.iter().zip(&bits).position(|(a, b)| a != b);
                        assert_eq!(differs, None, "{}: a value has other bits than in the first run", setting());
                    }
                    _ => {
                        let (relative, absolute) = self.tolerance;
                        if let Err(report) = close(&Array::from(&actual), &expected, relative, absolute) {
                            panic!("{}: {report}", setting());
                        }
                        first = Some((cpu.level(), bits));
                    }
                }
            }
        }
    }

    /// Whether all inputs have rows of the batch.
    fn has_rows(&self) -> bool {
        matches!(self.op, Op::Attention(_) | Op::AttentionGrad(_) | Op::Rotary(_))
    }

    /// Whether the operation's kernels fuse multiplications and additions where an instruction set can.
    fn fuses(&self) -> bool {
        use Op::*;
        matches!(
            self.op,
            Attention(_)
                | AttentionGrad(_)
                | AttentionGradPrefix(_)
                | AttentionGradTables(_)
                | DepthwiseConv2d(_)
                | DepthwiseConv2dGradInput(_)
                | DepthwiseConv2dGradWeight(_)
        )
    }
}

impl Operand {
    fn tensor(&self) -> Tensor {
        match self.dtype {
            DType::F32 => self.values.to_f32(),
            DType::I32 => self.values.to_i32(),
        }
    }
}

const NAMES: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];

/// Runs all cases at every instruction set, with every number of threads, and with each input run in place where the
/// operation can.
pub fn check_all(cases: &[Case]) {
    assert!(!cases.is_empty());
    let cpus: Vec<Cpu> = Level::available()
        .flat_map(|level| THREADS.into_iter().map(move |threads| Cpu::with_level(threads, level)))
        .collect();
    for case in cases {
        case.check(&cpus);
    }
}

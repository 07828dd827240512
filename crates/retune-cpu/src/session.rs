//! Runs a graph batch after batch.

use std::collections::HashMap;

use retune_graph::ops::Affine;
use retune_graph::{Bindings, DType, Dim, Graph, NodeId, Op, Symbol};
use retune_tensor::{Tensor, Values};

use crate::cpu::Cpu;
use crate::error::CpuError;
use crate::kernels::Operand;
use crate::memory::Memory;
use crate::plan::{Choices, Location, Plan};
use crate::run::{Run, find};

/// What the random operations of one step depend on: a value for an example is a function of these and of the
/// operation alone. See [`retune_graph::ops::random`].
#[derive(Debug, Clone, Copy)]
pub struct StepRandom<'a> {
    /// Seed of the run.
    pub seed: u64,
    /// Number of the epoch.
    pub epoch: u64,
    /// For each example of the batch, its id in the data set.
    pub example_ids: &'a [u64],
}

impl StepRandom<'static> {
    /// For graphs without random operations.
    pub const NONE: StepRandom<'static> = StepRandom { seed: 0, epoch: 0, example_ids: &[] };
}

/// A graph with the outputs wanted of it, ready to run on batches of any size.
///
/// The first batch of each size makes a [`Plan`]; later ones allocate nothing. All plans share one memory; those that were not used
/// for long are forgotten.
#[derive(Debug)]
pub struct Session {
    cpu: Cpu,
    /// The calling thread alone, for what runs on bands.
    alone: Cpu,
    graph: Graph,
    outputs: Vec<NodeId>,
    plans: HashMap<Bindings, Prepared>,
    /// Number of runs, by which plans are told that were not used for long.
    runs: u64,
    arena: Memory,
    /// Values computed from frozen weights alone, at the same places in every plan.
    constants: Memory,
    has_constants: bool,
    operands: Vec<Operand>,
    profile: Option<HashMap<NodeId, u64>>,
    needs_examples: bool,
    cache_bytes: usize,
    /// Whether frozen factors of products of 32 bits are kept as they are used. The first plan decides, as all plans share them.
    packs_f32: Option<bool>,
}

#[derive(Debug)]
struct Prepared {
    plan: Plan,
    last_run: u64,
}

/// Bytes that a slice of the batch may have.
const CACHE_BYTES: usize = 12 << 20;

/// Frozen factors are packed once where that takes no more than this part of the memory of activations.
const PACKED_SHARE: usize = 2;

/// Plans kept. Texts make a new one for nearly every number of tokens.
const MOST_PLANS: usize = 64;

impl Session {
    /// A session that computes `outputs` of `graph`.
    pub fn new(cpu: &Cpu, mut graph: Graph, mut outputs: Vec<NodeId>) -> Session {
        for output in &mut outputs {
            if matches!(graph.node(*output).op, Op::Input(_) | Op::Weight(_)) {
                // An output has memory of its own, so what is passed through is copied.
                let copy = Op::Affine(Affine { scale: 1.0, offset: 0.0 });
                *output = graph.push(copy, &[*output]).expect("a copy takes any f32 tensor");
            }
        }
        let reached = graph.reachable(&outputs);
        let most_inputs = graph.nodes().iter().map(|n| n.inputs.len()).max().unwrap_or(0);
        let needs_examples = graph.nodes().iter().zip(&reached).any(|(node, reached)| *reached && node.op.is_random());
        Session {
            cpu: cpu.clone(),
            alone: cpu.alone(),
            graph,
            outputs,
            plans: HashMap::new(),
            runs: 0,
            arena: Memory::default(),
            constants: Memory::default(),
            has_constants: false,
            operands: Vec::with_capacity(most_inputs),
            profile: None,
            needs_examples,
            cache_bytes: CACHE_BYTES,
            packs_f32: None,
        }
    }

    /// The same, with chains of operations on more than so many bytes cut into slices of the batch that do not exceed them, where a
    /// slice holds at least an example. By default 12 MiB, which the last cache of most processors holds. Bands of rows,
    /// which stay in the cache of one core, have a sixteenth of it.
    pub fn with_cache(self, bytes: usize) -> Session {
        Session { cache_bytes: bytes, plans: HashMap::new(), ..self }
    }

    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The outputs, in the order in which [`Outputs`] gives them.
    pub fn outputs(&self) -> &[NodeId] {
        &self.outputs
    }

    /// The plan for these sizes, made if there is none yet.
    pub fn plan(&mut self, bindings: Bindings) -> Result<&Plan, CpuError> {
        self.prepare(bindings)?;
        Ok(&self.plans[&bindings].plan)
    }

    /// Forgets what was computed from frozen weights. Call it after changing one.
    pub fn forget_constants(&mut self) {
        self.has_constants = false;
    }

    /// From now on, measures how long each operation takes.
    pub fn start_profile(&mut self) {
        self.profile = Some(self.graph.ids().map(|id| (id, 0)).collect());
    }

    /// Nanoseconds spent in each operation since [`Session::start_profile`], longest first.
    pub fn profile(&self) -> Vec<(NodeId, u64)> {
        let mut times: Vec<(NodeId, u64)> =
            self.profile.iter().flatten().map(|(&id, &ns)| (id, ns)).filter(|t| t.1 > 0).collect();
        times.sort_by_key(|&(id, ns)| (std::cmp::Reverse(ns), id));
        times
    }

    /// Runs the graph. `weights` are `f32`, in the order of the graph's table; `inputs` are looked up by name, their first
    /// axis tells the batch size.
    pub fn run(
        &mut self,
        weights: &[Tensor],
        inputs: &[(&str, &Tensor)],
        random: &StepRandom<'_>,
    ) -> Result<Outputs<'_>, CpuError> {
        self.check_weights(weights)?;
        let bindings = self.bind(inputs)?;
        if self.needs_examples && random.example_ids.len() != bindings.batch {
            return Err(CpuError::WrongExampleCount { expected: bindings.batch, found: random.example_ids.len() });
        }
        self.prepare(bindings)?;
        let Session { cpu, alone, graph, plans, arena, constants, operands, profile, .. } = self;
        let plan = &plans.get(&bindings).expect("prepared above").plan;
        let mut run = Run { cpu, alone, graph, plan, weights, inputs, random, arena, operands, profile };
        if !self.has_constants {
            for step in &plan.constant_steps {
                run.step(step, constants, true, 0)?;
            }
            for step in &plan.steps {
                run.pack(step, constants);
            }
            self.has_constants = true;
        }
        for stretch in &plan.stretches {
            if let Some(bands) = &stretch.bands {
                run.bands(stretch, bands, constants)?;
                continue;
            }
            for slice in 0..stretch.slices {
                for step in &plan.steps[stretch.steps.clone()] {
                    run.step(step, constants, false, slice)?;
                }
            }
        }
        Ok(Outputs { plan, arena: &self.arena, constants: &self.constants })
    }

    fn prepare(&mut self, bindings: Bindings) -> Result<(), CpuError> {
        self.runs += 1;
        if let Some(prepared) = self.plans.get_mut(&bindings) {
            prepared.last_run = self.runs;
            return Ok(());
        }
        if self.plans.len() >= MOST_PLANS {
            let oldest = self.plans.iter().min_by_key(|(_, prepared)| prepared.last_run).map(|(bindings, _)| *bindings);
            oldest.and_then(|oldest| self.plans.remove(&oldest));
        }
        let outputs = self.outputs.clone();
        let cache_len = self.cache_bytes / size_of::<f32>();
        let plan = |packs_f32| Plan::new(&self.graph, &outputs, bindings, &self.cpu, Choices { cache_len, packs_f32 });
        let packs_f32 = *self.packs_f32.get_or_insert_with(|| {
            let (packed, plain) = (plan(true), plan(false));
            (packed.constants_len - plain.constants_len) * PACKED_SHARE <= plain.arena_len
        });
        let plan = plan(packs_f32);
        self.arena.reserve(plan.arena_len)?;
        self.constants.reserve(plan.constants_len)?;
        self.plans.insert(bindings, Prepared { plan, last_run: self.runs });
        Ok(())
    }

    fn check_weights(&self, weights: &[Tensor]) -> Result<(), CpuError> {
        let table = self.graph.weights();
        if weights.len() != table.len() {
            return Err(CpuError::WrongWeightCount { expected: table.len(), found: weights.len() });
        }
        for (info, weight) in table.iter().zip(weights) {
            let fits = weight.as_f32().is_some()
                && weight.shape().len() == info.shape.rank()
                && info.shape.dims().iter().zip(weight.shape()).all(|(dim, &size)| dim.fixed() == Some(size));
            if !fits {
                return Err(wrong(&info.name, DType::F32, &info.shape, weight));
            }
        }
        Ok(())
    }

    /// What the symbols stand for, after checking every input against the graph.
    fn bind(&self, inputs: &[(&str, &Tensor)]) -> Result<Bindings, CpuError> {
        let mut bindings = Bindings { batch: 0, tokens: 0 };
        let reached = self.graph.nodes().iter().filter_map(|node| match &node.op {
            Op::Input(name) => Some((name, node)),
            _ => None,
        });
        for (name, node) in reached {
            let Some(tensor) = find(inputs, name) else {
                return Err(CpuError::MissingInput { name: name.clone() });
            };
            let mut fits = tensor.shape().len() == node.shape.rank()
                && matches!((node.dtype, tensor.values()), (DType::F32, Values::F32(_)) | (DType::I32, Values::I32(_)));
            for (dim, &size) in node.shape.dims().iter().zip(tensor.shape()) {
                match *dim {
                    Dim::Fixed(expected) => fits &= size == expected,
                    Dim::Scaled(factor, symbol) => {
                        let slot = match symbol {
                            Symbol::Batch => &mut bindings.batch,
                            Symbol::Tokens => &mut bindings.tokens,
                        };
                        fits &= size % factor == 0 && (*slot == 0 || *slot == size / factor);
                        *slot = size / factor;
                    }
                }
            }
            if !fits {
                return Err(wrong(name, node.dtype, &node.shape, tensor));
            }
        }
        Ok(bindings)
    }
}

fn wrong(name: &str, dtype: DType, shape: &retune_graph::Shape, found: &Tensor) -> CpuError {
    CpuError::WrongTensor {
        name: name.to_owned(),
        expected: format!("{dtype} {shape}"),
        found: format!("{} {:?}", found.dtype(), found.shape()),
    }
}

/// The outputs of a run.
#[derive(Debug)]
pub struct Outputs<'a> {
    plan: &'a Plan,
    arena: &'a Memory,
    constants: &'a Memory,
}

impl Outputs<'_> {
    /// Values of output `index`.
    pub fn f32(&self, index: usize) -> &[f32] {
        let id = self.plan.outputs[index];
        let len = self.plan.shapes[id.0].iter().product();
        match self.plan.locations[id.0] {
            Some(Location::Arena(offset)) => self.arena.slice(offset, len),
            Some(Location::Constant(offset)) => self.constants.slice(offset, len),
            _ => unreachable!("outputs are computed, not passed through"),
        }
    }

    /// Shape of output `index`.
    pub fn shape(&self, index: usize) -> &[usize] {
        &self.plan.shapes[self.plan.outputs[index].0]
    }

    /// Number of outputs.
    pub fn len(&self) -> usize {
        self.plan.outputs.len()
    }

    /// Whether there are no outputs.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A copy of output `index`.
    pub fn tensor(&self, index: usize) -> Tensor {
        Tensor::new(self.shape(index), self.f32(index).to_vec()).expect("outputs have as many values as their shape")
    }
}

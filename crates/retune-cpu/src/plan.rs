//! Plans: everything about a run that is known once the batch size is.
//!
//! Nodes run in the graph's order. What depends on frozen weights alone runs once, before the first step. Buffers are
//! assigned once by lifetime: an operation may overwrite an input that nobody reads later, a reshape shares its input's
//! buffer, and buffers that never live at the same time share memory. Chains of operations on more values than the cache holds run
//! on [slices](crate::slices) of the batch, or on [bands](crate::bands) of rows.

use retune_graph::ops::Sizes;
use retune_graph::passes::dependence;
use retune_graph::{Bindings, Graph, NodeId, Op, WeightId};

use std::ops::Range;

use crate::bands::{Banding, Bands};
use crate::cpu::Cpu;
use crate::kernels;
use crate::slices::{Group, Join, Slicing, join, leads_by_examples};

/// Values per cache line; buffers start at multiples of it.
pub(crate) const LINE: usize = 16;

/// The part of the cache of slices that a band has: 768 KiB of 12 MiB, which a core's second cache holds.
const BANDS_OF_CACHE: usize = 16;

/// Where a node's values are while a plan runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Location {
    /// In the memory that steps share, from this offset.
    Arena(usize),
    /// In the memory of values computed once, from this offset.
    Constant(usize),
    /// A weight of the run.
    Weight(WeightId),
    /// An input of the run, by its place in [`Plan::inputs`].
    Input(usize),
}

/// One operation to run.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub node: NodeId,
    pub scratch: usize,
    pub scratch_len: usize,
    /// Where the packed right factor of a product is in the memory of values computed once, if that factor never changes; and its
    /// length.
    pub packed: Option<(usize, usize)>,
    /// What a slice of the batch is of the step's inputs and output, if it runs on slices.
    pub parts: Option<Box<Parts>>,
}

/// Inputs and output of a step on a slice of the batch.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    pub inputs: Vec<Part>,
    pub output: Part,
    pub join: Join,
}

/// What a slice of the batch is of a buffer.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub shape: Box<[usize]>,
    /// Values from one slice to the next: 0 where each slice has all of it, or where the buffer only holds one slice.
    pub stride: usize,
}

/// Steps that run one after the other on each slice of the batch, or on each band of rows.
#[derive(Debug, Clone)]
pub(crate) struct Stretch {
    pub steps: Range<usize>,
    pub slices: usize,
    pub bands: Option<Bands>,
    /// What bands need in the arena.
    pub scratch: usize,
}

impl Stretch {
    /// Whether its steps take turns.
    fn takes_turns(&self) -> bool {
        self.slices > 1 || self.bands.is_some()
    }
}

/// What a session has chosen for all its plans.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choices {
    /// Chains of operations on more values than this run on slices of the batch.
    pub cache_len: usize,
    /// Whether right factors of products that never change are kept as products of 32 bits use them.
    pub packs_f32: bool,
}

/// The order of operations, their buffers and their cost for one batch size.
#[derive(Debug, Clone)]
pub struct Plan {
    bindings: Bindings,
    pub(crate) shapes: Vec<Box<[usize]>>,
    pub(crate) locations: Vec<Option<Location>>,
    pub(crate) constant_steps: Vec<Step>,
    pub(crate) steps: Vec<Step>,
    /// The steps in stretches, in their order.
    pub(crate) stretches: Vec<Stretch>,
    pub(crate) inputs: Vec<NodeId>,
    /// Where each output's values are when the run ends.
    pub(crate) outputs: Vec<NodeId>,
    pub(crate) arena_len: usize,
    pub(crate) constants_len: usize,
    input_len: usize,
    weight_len: usize,
    flops: u64,
}

impl Plan {
    /// Plans the computation of `outputs`.
    pub(crate) fn new(graph: &Graph, outputs: &[NodeId], bindings: Bindings, cpu: &Cpu, choices: Choices) -> Plan {
        let Choices { cache_len, packs_f32 } = choices;
        let count = graph.nodes().len();
        let shapes: Vec<Box<[usize]>> = graph.nodes().iter().map(|n| n.shape.bind(&bindings).into()).collect();
        let len = |id: usize| shapes[id].iter().product::<usize>();
        let reached = graph.reachable(outputs);
        let depends = dependence(graph);
        // A node is computed once if only frozen weights and constants lead to it, none of them of a size that a batch decides:
        // so all plans of a graph share these values.
        let mut constant: Vec<bool> = Vec::with_capacity(count);
        for (id, node) in graph.nodes().iter().enumerate() {
            let is_fixed = node.shape.dims().iter().all(|dim| dim.fixed().is_some());
            let value = depends[id].is_constant() && is_fixed && node.inputs.iter().all(|input| constant[input.0]);
            constant.push(value);
        }

        let mut plan = Plan {
            bindings,
            locations: vec![None; count],
            constant_steps: Vec::new(),
            steps: Vec::new(),
            stretches: Vec::new(),
            inputs: Vec::new(),
            outputs: outputs.to_vec(),
            arena_len: 0,
            constants_len: 0,
            input_len: 0,
            weight_len: 0,
            flops: 0,
            shapes: Vec::new(),
        };

        // Roots: the node whose buffer a node's values are in. Reshapes share their input's.
        let mut root: Vec<usize> = (0..count).collect();
        let mut order: Vec<Vec<usize>> = vec![Vec::new(), Vec::new()];
        for (id, node) in graph.nodes().iter().enumerate().filter(|(id, _)| reached[*id]) {
            match &node.op {
                Op::Input(_) => {
                    plan.locations[id] = Some(Location::Input(plan.inputs.len()));
                    plan.inputs.push(NodeId(id));
                    plan.input_len += len(id);
                }
                Op::Weight(weight) => {
                    plan.locations[id] = Some(Location::Weight(*weight));
                    plan.weight_len += len(id);
                }
                Op::Reshape(_) if shares_buffer(&plan, &root, outputs, node.inputs[0], NodeId(id)) => {
                    root[id] = root[node.inputs[0].0];
                }
                _ => order[usize::from(!constant[id])].push(id),
            }
        }

        let lens: Vec<usize> = (0..count).map(len).collect();
        let banding = Banding {
            graph,
            shapes: &shapes,
            lens: &lens,
            root: &root,
            readers: &readers(graph, &order[1], &root, outputs),
            batch: bindings.batch,
            band_len: cache_len / BANDS_OF_CACHE,
            alone: &cpu.alone(),
        };
        let slicing = Slicing { graph, lens: &lens, root: &root, batch: bindings.batch, cache_len, banding };
        let groups = [order[0].iter().copied().map(Group::alone).collect(), slicing.groups(&order[1])];
        for (phase, groups) in groups.into_iter().enumerate() {
            let is_step = phase == 1;
            let ids: Vec<usize> = groups.iter().flat_map(|group| group.nodes.iter().copied()).collect();
            let mut stretches = Vec::with_capacity(groups.len());
            // For each step, the stretch that it belongs to.
            let mut stretch_of = Vec::with_capacity(ids.len());
            for (index, Group { nodes, slices, bands }) in groups.into_iter().enumerate() {
                let start = stretch_of.len();
                stretch_of.resize(start + nodes.len(), index);
                stretches.push(Stretch { steps: start..stretch_of.len(), slices, bands, scratch: 0 });
            }
            // Lifetimes of buffers in this phase's steps. What the other phase or the caller reads lives on.
            let position: std::collections::HashMap<usize, usize> = ids.iter().copied().zip(0..).collect();
            let mut last_use = vec![0usize; count];
            for (id, node) in graph.nodes().iter().enumerate().filter(|(id, _)| reached[*id]) {
                let at = if matches!(node.op, Op::Reshape(_)) && !position.contains_key(&id) && root[id] != id {
                    0 // the users of the shared buffer count, not the reshape itself
                } else {
                    position.get(&id).copied().unwrap_or(usize::MAX)
                };
                for input in &node.inputs {
                    let buffer = root[input.0];
                    last_use[buffer] = last_use[buffer].max(at);
                }
            }
            for output in outputs {
                last_use[root[output.0]] = usize::MAX;
            }
            // Slices and bands take turns, so what outlives one is alive as long as its stretch runs.
            let is_local = |at: usize| {
                let stretch = &stretches[stretch_of[at]];
                stretch.takes_turns()
                    && last_use[ids[at]] < stretch.steps.end
                    && join(&graph.nodes()[ids[at]].op) == Some(Join::Examples)
            };
            let life = |at: usize| {
                let last = last_use[ids[at]].max(at);
                if is_local(at) {
                    return (at, last);
                }
                let end = stretch_of.get(last).map_or(last, |&stretch: &usize| stretches[stretch].steps.end - 1);
                (stretches[stretch_of[at]].steps.start, end)
            };

            let mut buffers: Vec<Buffer> = Vec::new();
            let mut buffer_of: Vec<Option<usize>> = vec![None; count];
            let mut scratch_buffers = Vec::new();
            let mut band_buffers = Vec::new();
            for (index, Stretch { steps, bands, .. }) in stretches.iter().enumerate() {
                if let Some(bands) = bands {
                    let len = bands.room(cpu.threads());
                    buffers.push(Buffer { len, start: steps.start, end: steps.end - 1, offset: 0 });
                    band_buffers.push((index, buffers.len() - 1));
                }
            }
            let mut packed = vec![None; ids.len()];
            let mut all_parts = Vec::with_capacity(ids.len());
            for (at, &id) in ids.iter().enumerate() {
                let node = &graph.nodes()[id];
                if is_step {
                    let inputs: Vec<Vec<usize>> = node.inputs.iter().map(|i| shapes[i.0].to_vec()).collect();
                    plan.flops += node.op.flops(Sizes { inputs: &inputs, output: &shapes[id], batch: bindings.batch });
                }
                let (start, end) = life(at);
                let Stretch { slices, ref bands, .. } = stretches[stretch_of[at]];
                if bands.is_some() {
                    if !is_local(at) {
                        buffers.push(Buffer { len: lens[id], start, end, offset: 0 });
                        buffer_of[id] = Some(buffers.len() - 1);
                    }
                    all_parts.push(None);
                    continue;
                }
                let parts = (slices > 1).then(|| {
                    let part = |id: usize, is_local: bool| {
                        let mut shape = shapes[id].clone();
                        let is_sliced = leads_by_examples(&graph.nodes()[id]);
                        if is_sliced {
                            shape[0] /= slices;
                        }
                        Part { shape, stride: if is_sliced && !is_local { lens[id] / slices } else { 0 } }
                    };
                    let local_input = |input: usize| position.get(&root[input]).is_some_and(|&at| is_local(at));
                    Box::new(Parts {
                        inputs: node.inputs.iter().map(|input| part(input.0, local_input(input.0))).collect(),
                        output: part(id, is_local(at)),
                        join: join(&node.op).expect("what cannot run on slices is in no group of several"),
                    })
                });
                let room = if is_local(at) { lens[id] / slices } else { lens[id] };
                let reusable = kernels::in_place(&node.op).iter().find_map(|&index| {
                    let input = root[node.inputs.get(index)?.0];
                    let buffer = buffer_of[input]?;
                    let twice = node.inputs.iter().filter(|i| root[i.0] == input).count() > 1;
                    let is_like = position.get(&input).is_some_and(|&from| is_local(from) == is_local(at));
                    (!twice && is_like && last_use[input] == at && buffers[buffer].len == room).then_some(buffer)
                });
                let buffer = match reusable {
                    Some(buffer) => {
                        buffers[buffer].end = end.max(buffers[buffer].end);
                        buffer
                    }
                    None => {
                        buffers.push(Buffer { len: room, start, end, offset: 0 });
                        buffers.len() - 1
                    }
                };
                buffer_of[id] = Some(buffer);
                let (input_shapes, output_shape): (Vec<&[usize]>, &[usize]) = match &parts {
                    Some(parts) => (parts.inputs.iter().map(|part| &*part.shape).collect(), &parts.output.shape),
                    None => (node.inputs.iter().map(|i| &*shapes[i.0]).collect(), &shapes[id]),
                };
                let mut scratch_len = kernels::scratch_len(&node.op, &input_shapes, output_shape, bindings.batch, cpu);
                if parts.as_ref().is_some_and(|parts| parts.join != Join::Examples) {
                    scratch_len += lens[id].next_multiple_of(LINE);
                }
                if is_step && node.inputs.get(1).is_some_and(|right| constant[right.0]) {
                    let len = kernels::matmul::packed_len(&node.op, &input_shapes, output_shape, cpu, packs_f32);
                    if len > 0 {
                        scratch_len -= len;
                        packed[at] = Some((plan.constants_len, len));
                        plan.constants_len += len.next_multiple_of(LINE);
                    }
                }
                if scratch_len > 0 {
                    buffers.push(Buffer { len: scratch_len, start: at, end: at, offset: 0 });
                    scratch_buffers.push((at, buffers.len() - 1));
                }
                all_parts.push(parts);
            }
            let total = assign_offsets(&mut buffers);
            let step = |((&id, packed), parts)| Step { node: NodeId(id), scratch: 0, scratch_len: 0, packed, parts };
            let mut steps: Vec<Step> = ids.iter().zip(packed).zip(all_parts).map(step).collect();
            for (at, buffer) in scratch_buffers {
                (steps[at].scratch, steps[at].scratch_len) = (buffers[buffer].offset, buffers[buffer].len);
            }
            for (index, buffer) in band_buffers {
                stretches[index].scratch = buffers[buffer].offset;
            }
            for &id in &ids {
                // What only a chain on bands reads has no buffer.
                let Some(buffer) = buffer_of[id] else { continue };
                let offset = buffers[buffer].offset;
                plan.locations[id] = Some(if is_step { Location::Arena(offset) } else { Location::Constant(offset) });
            }
            if is_step {
                (plan.steps, plan.stretches, plan.arena_len) = (steps, stretches, total);
            } else {
                (plan.constant_steps, plan.constants_len) = (steps, total);
            }
        }
        for id in 0..count {
            if reached[id] && root[id] != id {
                plan.locations[id] = plan.locations[root[id]];
            }
        }
        plan.shapes = shapes;
        plan
    }

    /// The batch size (and number of tokens) that the plan is for.
    pub fn bindings(&self) -> Bindings {
        self.bindings
    }

    /// Bytes that a run holds at its peak: activations, gradients and scratch, values computed once, the weights that the
    /// graph reads, and the batch.
    pub fn peak_bytes(&self) -> usize {
        4 * (self.arena_len + self.constants_len + self.input_len + self.weight_len)
    }

    /// Bytes of activations, gradients and scratch.
    pub fn arena_bytes(&self) -> usize {
        4 * self.arena_len
    }

    /// Bytes of values computed once, from frozen weights alone.
    pub fn constant_bytes(&self) -> usize {
        4 * self.constants_len
    }

    /// Floating-point operations of a run, a multiply-add counted as two.
    pub fn flops(&self) -> u64 {
        self.flops
    }

    /// Number of operations of a run.
    pub fn step_count(&self) -> usize {
        self.steps.len()
    }
}

/// Whether reshape `id` can be a view of its input. Outputs need memory of their own where the input is the caller's.
fn shares_buffer(plan: &Plan, root: &[usize], outputs: &[NodeId], input: NodeId, id: NodeId) -> bool {
    let callers = matches!(plan.locations[root[input.0]], Some(Location::Input(_) | Location::Weight(_)));
    !(callers && outputs.contains(&id))
}

/// For each buffer, by its root, the steps that read it; none for those of outputs.
fn readers(graph: &Graph, steps: &[usize], root: &[usize], outputs: &[NodeId]) -> Vec<Option<Vec<usize>>> {
    let mut readers = vec![Some(Vec::new()); root.len()];
    for &id in steps {
        for input in &graph.nodes()[id].inputs {
            readers[root[input.0]].iter_mut().for_each(|readers| readers.push(id));
        }
    }
    for output in outputs {
        readers[root[output.0]] = None;
    }
    readers
}

/// Memory that is needed from step `start` to step `end`, both included.
pub(crate) struct Buffer {
    pub len: usize,
    pub start: usize,
    pub end: usize,
    pub offset: usize,
}

/// Gives buffers offsets so that those alive together do not overlap, largest first, each at the lowest place that is
/// free during its life. Returns the memory needed.
pub(crate) fn assign_offsets(buffers: &mut [Buffer]) -> usize {
    let mut by_size: Vec<usize> = (0..buffers.len()).collect();
    by_size.sort_by_key(|&i| (std::cmp::Reverse(buffers[i].len), i));
    // Placed buffers, by offset.
    let mut placed: Vec<usize> = Vec::new();
    let mut total = 0;
    for &index in &by_size {
        let Buffer { len, start, end, .. } = buffers[index];
        let len = len.next_multiple_of(LINE);
        let mut offset = 0;
        for &other in &placed {
            let other = &buffers[other];
            if other.start > end || other.end < start {
                continue;
            }
            if other.offset >= offset + len {
                break;
            }
            offset = offset.max(other.offset + other.len.next_multiple_of(LINE));
        }
        buffers[index].offset = offset;
        total = total.max(offset + len);
        let place = placed.partition_point(|&other| buffers[other].offset <= offset);
        placed.insert(place, index);
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(len: usize, start: usize, end: usize) -> Buffer {
        Buffer { len, start, end, offset: 0 }
    }

    #[test]
    fn buffers_alive_together_do_not_overlap() {
        let mut buffers =
            vec![buffer(160, 0, 2), buffer(320, 1, 3), buffer(160, 3, 5), buffer(16, 0, 5), buffer(100, 4, 6)];
        let total = assign_offsets(&mut buffers);
        for (i, a) in buffers.iter().enumerate() {
            assert!(a.offset + a.len <= total && a.offset % LINE == 0);
            for b in &buffers[..i] {
                let alive = a.start <= b.end && b.start <= a.end;
                assert!(!alive || a.offset + a.len <= b.offset || b.offset + b.len <= a.offset);
            }
        }
        assert!(total < 160 + 320 + 160 + 16 + 112, "memory is shared: {total}");
    }
}

//! The steps of a stretch on bands of rows: see [`crate::bands`].

use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use retune_graph::Graph;

use super::Run;
use crate::bands::{Bands, Part, Place, View};
use crate::cpu::{Cpu, Parts};
use crate::error::CpuError;
use crate::kernels::store::{copy_past_cache, finish_stores};
use crate::kernels::{self, Call, Operand};
use crate::memory::Memory;
use crate::plan::{Plan, Step, Stretch};
use crate::session::StepRandom;
use crate::slices::join;

impl Run<'_> {
    /// Runs a stretch on bands of rows: each lane's bands one after the other on one thread, then joins the sums of the lanes.
    pub fn bands(&mut self, stretch: &Stretch, bands: &Bands, constants: &mut Memory) -> Result<(), CpuError> {
        let steps = &self.plan.steps[stretch.steps.clone()];
        // Whole buffers: the inputs of each step, then its output. What is local to a band has none.
        self.operands.clear();
        for step in steps {
            for &id in self.graph.node(step.node).inputs.iter().chain([&step.node]) {
                let operand = match self.plan.locations[id.0] {
                    Some(_) => self.operand(id, constants),
                    None => Operand::NONE,
                };
                self.operands.push(operand);
            }
        }
        let room = bands.room(self.cpu.threads());
        // SAFETY: the plan gives each stretch on bands as much of the arena, apart from all that is alive.
        let room = unsafe { std::slice::from_raw_parts_mut(self.arena.at(stretch.scratch), room) };
        let (threads, room) = room.split_at_mut(self.cpu.threads() * bands.thread_len);
        let (lanes, packed) = room.split_at_mut(bands.lanes * bands.lane_len);
        let mut rest = &mut *packed;
        for (step, &len) in steps.iter().zip(&bands.packed).filter(|(_, len)| **len > 0) {
            let packed = rest.split_off_mut(..len).expect("the room is as long as all kernels");
            let node = self.graph.node(step.node);
            let kernel = self.operand(node.inputs[1], constants);
            let shape = &*self.plan.shapes[node.inputs[1].0];
            // SAFETY: a kernel is no result of this stretch.
            let kernel = unsafe { std::slice::from_raw_parts(kernel.data, kernel.len) };
            kernels::conv2d::pack_pointwise_kernel(self.cpu, &node.op, (kernel, shape), packed);
        }
        let (threads, lanes) = (Parts::new(threads), Parts::new(lanes));
        let times = self.profile.as_ref().map(|_| steps.iter().map(|_| AtomicU64::new(0)).collect::<Vec<_>>());
        let lane_run = BandRun {
            alone: self.alone,
            random: self.random,
            graph: self.graph,
            plan: self.plan,
            steps,
            bands,
            buffers: self.operands,
            packed,
            times: times.as_deref(),
        };
        let failure = OnceLock::new();
        self.cpu.run_on_threads(bands.lanes, |thread, lane| {
            // SAFETY: each thread and each lane has its own part.
            let (own, sums) = unsafe {
                let own = threads.slice(thread * bands.thread_len, bands.thread_len);
                (own, lanes.slice(lane * bands.lane_len, bands.lane_len))
            };
            if let Err(error) = lane_run.lane(lane, own, sums) {
                let _ = failure.set(error);
            }
        });
        if let Some(error) = failure.into_inner() {
            return Err(error);
        }
        let lanes = lanes.at(0).cast_const();
        for (at, step) in steps.iter().enumerate() {
            let Some(sum) = bands.cuts[0].steps[at].sum else { continue };
            let join = join(&self.graph.node(step.node).op).expect("only such operations run on bands");
            let whole = self.operand(step.node, constants);
            // SAFETY: the sum's own buffer, which no band has touched, and a lane's sum.
            let whole = unsafe { std::slice::from_raw_parts_mut(whole.data.cast_mut(), whole.len) };
            for lane in 0..bands.lanes {
                // SAFETY: as above.
                let part =
                    unsafe { std::slice::from_raw_parts(lanes.add(lane * bands.lane_len + sum.lane), whole.len()) };
                let own = bands.of_lane(lane);
                match lane {
                    0 => whole.copy_from_slice(part),
                    _ => {
                        let counts = [bands.pixels(0..own.start, at), bands.pixels(own, at)];
                        kernels::join_parts(join, counts, whole, part);
                    }
                }
            }
        }
        if let (Some(profile), Some(times)) = (self.profile.as_mut(), times) {
            for (step, time) in steps.iter().zip(times) {
                *profile.entry(step.node).or_default() += time.into_inner() / self.cpu.threads() as u64;
            }
        }
        Ok(())
    }
}

/// A stretch on bands in progress.
struct BandRun<'a> {
    alone: &'a Cpu,
    random: &'a StepRandom<'a>,
    graph: &'a Graph,
    plan: &'a Plan,
    steps: &'a [Step],
    bands: &'a Bands,
    /// For each step, the buffers of its inputs and of its output.
    buffers: &'a [Operand],
    /// The packed kernels of the steps that have any.
    packed: &'a [f32],
    /// Nanoseconds of each step, where they are measured.
    times: Option<&'a [AtomicU64]>,
}

impl BandRun<'_> {
    /// Number of values of a step's whole output.
    fn len(&self, step: &Step) -> usize {
        self.plan.shapes[step.node.0].iter().product()
    }

    /// Runs the bands of a lane, with memory of the thread and of the lane.
    fn lane(&self, lane: usize, own: &mut [f32], sums: &mut [f32]) -> Result<(), CpuError> {
        let own = Parts::new(own);
        let bands = self.bands.of_lane(lane);
        for index in bands.clone() {
            self.band(index, bands.start..index, &own, sums)?;
        }
        finish_stores();
        Ok(())
    }

    /// Runs the steps on band `index`, and joins its sums to those of the bands of its lane before it.
    fn band(&self, index: usize, before: Range<usize>, own: &Parts<'_>, sums: &mut [f32]) -> Result<(), CpuError> {
        let is_first = before.is_empty();
        let (group, cut) = self.bands.band(index);
        let (mut buffers, mut packed) = (self.buffers, self.packed);
        for (at, (step, on_band)) in self.steps.iter().zip(&cut.steps).enumerate() {
            let start = self.times.map(|_| Instant::now());
            let node = self.graph.node(step.node);
            let (inputs, rest) = buffers.split_at(node.inputs.len());
            let (output, rest) = rest.split_first().expect("every step has an output");
            buffers = rest;
            let mut operands = [Operand::NONE; MOST_INPUTS];
            for ((operand, view), buffer) in operands.iter_mut().zip(&on_band.inputs).zip(inputs) {
                *operand = view.operand(buffer, group, own);
            }
            let (kernel, others) = packed.split_at(self.bands.packed[at]);
            packed = others;
            let mut sum = on_band.sum.map(|sum| (&mut sums[sum.lane..][..self.len(step)], sum.pixels));
            let adds = matches!(on_band.output.place, Place::Lane);
            // The first band of a lane begins its sums.
            let (result, len) = match &mut sum {
                Some((sum, _)) if is_first || adds => (sum.as_mut_ptr(), sum.len()),
                _ => {
                    let output = on_band.output.operand(output, group, own);
                    (output.data.cast_mut(), output.len)
                }
            };
            // SAFETY: local values and scratch have room of their own among the thread's; in buffers, a band writes its own rows
            // alone, and reads rows that are its own or that nobody writes meanwhile.
            let mut call = unsafe {
                Call::new(
                    self.alone,
                    self.random,
                    self.graph.layer_name(node.layer),
                    self.plan.bindings().batch,
                    &operands[..inputs.len()],
                    &on_band.output.shape,
                    (result, len),
                    (own.at(on_band.scratch.start), on_band.scratch.len()),
                )
            };
            call.whole_len = self.len(step);
            call.packed = (!kernel.is_empty()).then_some(kernel);
            call.adds = adds && !is_first;
            kernels::execute(on_band.op.as_ref().unwrap_or(&node.op), call)?;
            if let Some(part) = on_band.stored {
                // SAFETY: the result just computed, and the band's own rows of the buffer.
                let (from, to) = unsafe {
                    let to = part.address(output, group, len).cast_mut();
                    (std::slice::from_raw_parts(result.cast_const(), len), std::slice::from_raw_parts_mut(to, len))
                };
                copy_past_cache(from, to);
            }
            if let (Some((sum, pixels)), false) = (sum, is_first || adds) {
                let join = join(&node.op).expect("only such operations run on bands");
                // SAFETY: the part just computed, among the thread's values.
                let part = unsafe { std::slice::from_raw_parts(result.cast_const(), len) };
                kernels::join_parts(join, [self.bands.pixels(before.clone(), at), pixels], sum, part);
            }
            if let (Some(times), Some(start)) = (self.times, start) {
                times[at].fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

impl View {
    /// The values of a band: in this buffer of all of them, or among the thread's own.
    fn operand(&self, buffer: &Operand, group: usize, own: &Parts<'_>) -> Operand {
        let len = self.shape.iter().product();
        let data = match self.place {
            Place::Buffer(part) => part.address(buffer, group, len),
            Place::Thread(start) => {
                assert!(start + len <= own.len(), "a band lies inside of the thread's values");
                own.at(start).cast_const()
            }
            Place::Lane => unreachable!("sums of lanes are no operands"),
        };
        Operand { shape: &*self.shape, data, len }
    }
}

impl Part {
    /// Where the values of a group are in this buffer.
    fn address(&self, buffer: &Operand, group: usize, len: usize) -> *const f32 {
        let start = self.offset + group * self.stride;
        assert!(start + len <= buffer.len, "a band lies inside of its buffer");
        // SAFETY: inside of the buffer by the assertion.
        unsafe { buffer.data.add(start) }
    }
}

/// Most inputs of an operation that runs on bands.
const MOST_INPUTS: usize = 6;

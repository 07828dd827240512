//! A run in progress: the steps of a plan, on the batch, on slices of it, or on bands of rows.

mod bands;

use std::collections::HashMap;
use std::time::Instant;

use retune_graph::{Graph, NodeId, Op};
use retune_tensor::{Tensor, Values};

use crate::cpu::Cpu;
use crate::error::CpuError;
use crate::kernels::{self, Call, Operand};
use crate::memory::Memory;
use crate::plan::{LINE, Location, Plan, Step};
use crate::session::StepRandom;
use crate::slices::Join;

/// One run in progress.
pub(crate) struct Run<'a> {
    pub cpu: &'a Cpu,
    pub alone: &'a Cpu,
    pub graph: &'a Graph,
    pub plan: &'a Plan,
    pub weights: &'a [Tensor],
    pub inputs: &'a [(&'a str, &'a Tensor)],
    pub random: &'a StepRandom<'a>,
    pub arena: &'a mut Memory,
    pub operands: &'a mut Vec<Operand>,
    pub profile: &'a mut Option<HashMap<NodeId, u64>>,
}

impl Run<'_> {
    /// Where the values of a step's input are.
    fn operand(&mut self, input: NodeId, constants: &mut Memory) -> Operand {
        let shape: &[usize] = &self.plan.shapes[input.0];
        let data = match self.plan.locations[input.0].expect("inputs of steps have a place") {
            Location::Arena(offset) => self.arena.at(offset).cast_const(),
            Location::Constant(offset) => constants.at(offset).cast_const(),
            Location::Weight(id) => self.weights[id.0].as_f32().expect("checked before the run").as_ptr(),
            Location::Input(index) => {
                let Op::Input(name) = &self.graph.node(self.plan.inputs[index]).op else {
                    unreachable!("inputs are inputs")
                };
                let tensor = find(self.inputs, name).expect("checked before the run");
                match tensor.values() {
                    Values::F32(values) => values.as_ptr(),
                    Values::I32(values) => values.as_ptr().cast(),
                    _ => unreachable!("checked before the run"),
                }
            }
        };
        Operand { shape, data, len: shape.iter().product() }
    }

    /// Packs the right factor of a product, if it never changes.
    pub fn pack(&mut self, step: &Step, constants: &mut Memory) {
        let Some((offset, len)) = step.packed else { return };
        let node = self.graph.node(step.node);
        let right = [self.operand(node.inputs[1], constants)];
        let [left, output] = [node.inputs[0], step.node].map(|id| &*self.plan.shapes[id.0]);
        let output_memory = (constants.at(offset), len);
        // SAFETY: the plan gives every packed factor room of its own; the factor is borrowed while `self` lives, or a constant.
        let call = unsafe {
            Call::new(
                self.cpu,
                self.random,
                "",
                self.plan.bindings().batch,
                &right,
                output,
                output_memory,
                (output_memory.0, 0),
            )
        };
        kernels::matmul::pack(&node.op, left, output, call);
    }

    /// Runs a step, on slice `slice` of the batch if it runs on slices.
    pub fn step(
        &mut self,
        step: &Step,
        constants: &mut Memory,
        is_constant: bool,
        slice: usize,
    ) -> Result<(), CpuError> {
        let node = self.graph.node(step.node);
        self.operands.clear();
        for (index, &input) in node.inputs.iter().enumerate() {
            let mut operand = self.operand(input, constants);
            if let Some(parts) = &step.parts {
                let part = &parts.inputs[index];
                // SAFETY: slices divide the buffer, and a buffer of one slice has stride 0.
                operand.data = unsafe { operand.data.add(slice * part.stride) };
                (operand.shape, operand.len) = (&*part.shape, part.shape.iter().product());
            }
            self.operands.push(operand);
        }
        let packed = step.packed.map(|(offset, len)| (constants.at(offset).cast_const(), len));
        let memory = if is_constant { constants } else { &mut *self.arena };
        let offset = match self.plan.locations[step.node.0] {
            Some(Location::Arena(offset) | Location::Constant(offset)) => offset,
            _ => unreachable!("steps write to the arena or to the constants"),
        };
        let (shape, offset) = match &step.parts {
            Some(parts) => (&*parts.output.shape, offset + slice * parts.output.stride),
            None => (&*self.plan.shapes[step.node.0], offset),
        };
        let len: usize = shape.iter().product();
        let (mut output, mut scratch, mut scratch_len) = (memory.at(offset), step.scratch, step.scratch_len);
        // Sums over the batch: those of the first slice are the output, to which those of the others are added.
        let join = step.parts.as_ref().map(|parts| parts.join).filter(|join| *join != Join::Examples);
        let whole = output;
        if join.is_some() {
            let room = len.next_multiple_of(LINE);
            if slice > 0 {
                output = memory.at(scratch);
            }
            (scratch, scratch_len) = (scratch + room, scratch_len - room);
        }
        // SAFETY: the plan gives every buffer room inside of its memory, apart from all others that are alive, except
        // where the kernel said that it can run in place; weights and inputs are borrowed while `self` lives, and shapes
        // belong to the plan.
        let mut call = unsafe {
            Call::new(
                self.cpu,
                self.random,
                self.graph.layer_name(node.layer),
                self.plan.bindings().batch,
                self.operands,
                shape,
                (output, len),
                (memory.at(scratch), scratch_len),
            )
        };
        call.whole_len = self.plan.shapes[step.node.0].iter().product();
        // SAFETY: this room is written before the first step alone.
        call.packed = packed.map(|(data, len)| unsafe { std::slice::from_raw_parts(data, len) });
        let start = self.profile.as_ref().map(|_| Instant::now());
        let result = kernels::execute(&node.op, call);
        if let (Some(join), 1..) = (join, slice) {
            // SAFETY: the output, and room for a slice's values before the scratch; no call uses them any more.
            let (whole, part) = unsafe {
                (std::slice::from_raw_parts_mut(whole, len), std::slice::from_raw_parts(output.cast_const(), len))
            };
            kernels::join_parts(join, [slice, 1], whole, part);
        }
        if let (Some(profile), Some(start)) = (self.profile.as_mut(), start) {
            *profile.entry(step.node).or_default() += start.elapsed().as_nanos() as u64;
        }
        result
    }
}

/// The input of this name.
pub(crate) fn find<'a>(inputs: &[(&str, &'a Tensor)], name: &str) -> Option<&'a Tensor> {
    inputs.iter().find(|(n, _)| *n == name).map(|(_, tensor)| *tensor)
}

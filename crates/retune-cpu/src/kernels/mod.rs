//! Kernels: what each operation computes, one file per family.
//!
//! A kernel sees one [`Call`]: its inputs, its output, scratch memory and the processor. It cuts its work into tasks by
//! sizes alone, never by the number of threads, so that the bits do not depend on it.

use retune_graph::Op;

use crate::cpu::Cpu;
use crate::error::CpuError;
use crate::session::StepRandom;

pub(crate) mod conv2d;
pub(crate) mod gemm;
pub(crate) mod matmul;

/// Tasks of streaming kernels: this many values at a time fit a core's L2 cache several times.
pub(crate) const CHUNK: usize = 1 << 14;

/// An input of a [`Call`]: pointers, so that a session can keep the list of them between steps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operand {
    pub shape: *const [usize],
    pub data: *const f32,
    pub len: usize,
}

// SAFETY: a session only holds operands between steps; it reads through them inside of `Session::run` alone.
unsafe impl Send for Operand {}

/// One operation on concrete buffers.
pub(crate) struct Call<'a> {
    pub cpu: &'a Cpu,
    pub random: &'a StepRandom<'a>,
    pub layer: &'a str,
    /// Number of examples of the batch.
    pub batch: usize,
    inputs: &'a [Operand],
    /// The output's shape.
    pub shape: &'a [usize],
    output: *mut f32,
    len: usize,
    scratch: *mut f32,
    scratch_len: usize,
}

impl<'a> Call<'a> {
    /// A call over buffers.
    ///
    /// # Safety
    /// All pointers are valid for their lengths while the call lives, the output and the scratch overlap nothing else,
    /// except that the output may be the very buffer of one input whose operation is listed in [`in_place`].
    #[allow(clippy::too_many_arguments)]
    pub unsafe fn new(
        cpu: &'a Cpu,
        random: &'a StepRandom<'a>,
        layer: &'a str,
        batch: usize,
        inputs: &'a [Operand],
        shape: &'a [usize],
        (output, len): (*mut f32, usize),
        (scratch, scratch_len): (*mut f32, usize),
    ) -> Call<'a> {
        Call { cpu, random, layer, batch, inputs, shape, output, len, scratch, scratch_len }
    }

    pub fn input_count(&self) -> usize {
        self.inputs.len()
    }

    pub fn input_shape(&self, index: usize) -> &'a [usize] {
        // SAFETY: valid by the promise of `new`.
        unsafe { &*self.inputs[index].shape }
    }

    /// Whether the output is this input's buffer: its values are in [`Call::output`] before the kernel starts.
    pub fn is_in_place(&self, index: usize) -> bool {
        self.len > 0 && std::ptr::eq(self.inputs[index].data, self.output)
    }

    /// Values of an `f32` input.
    ///
    /// # Panics
    /// If the operation runs in place on this input.
    pub fn input(&self, index: usize) -> &'a [f32] {
        assert!(!self.is_in_place(index), "an input that is overwritten is read through the output");
        let input = &self.inputs[index];
        // SAFETY: valid by the promise of `new`, and not the output by the assertion.
        unsafe { std::slice::from_raw_parts(input.data, input.len) }
    }

    /// Values of an input, or `None` if the operation runs in place on it.
    pub fn input_unless_in_place(&self, index: usize) -> Option<&'a [f32]> {
        (!self.is_in_place(index)).then(|| self.input(index))
    }

    /// Values of an `i32` input.
    pub fn ids(&self, index: usize) -> &'a [i32] {
        let values = self.input(index);
        // SAFETY: `i32` inputs are stored bit by bit in the `f32` buffers; both types have one size and alignment.
        unsafe { std::slice::from_raw_parts(values.as_ptr().cast::<i32>(), values.len()) }
    }

    /// The output's values. Calling it again gives the same memory: keep one at a time.
    pub fn output(&mut self) -> &'a mut [f32] {
        // SAFETY: valid and exclusive by the promise of `new`; `input` refuses the aliased one.
        unsafe { std::slice::from_raw_parts_mut(self.output, self.len) }
    }

    /// The scratch memory that [`scratch_len`] asked for, holding anything.
    pub fn scratch(&mut self) -> &'a mut [f32] {
        // SAFETY: valid and exclusive by the promise of `new`.
        unsafe { std::slice::from_raw_parts_mut(self.scratch, self.scratch_len) }
    }
}

/// The inputs whose buffer an operation may overwrite with its output, best first. The planner does so where the input
/// has the output's size and is not used later.
pub(crate) fn in_place(op: &Op) -> &'static [usize] {
    match op {
        Op::Activate(_) | Op::Affine(_) | Op::Unary(_) | Op::Dropout(_) | Op::Softmax(_) | Op::LogSoftmax(_) => &[0],
        Op::Binary(_) => &[0, 1],
        Op::ActivateGrad(_) | Op::SoftmaxGrad(_) | Op::LogSoftmaxGrad(_) => &[1, 0],
        Op::BatchNorm(_) | Op::LayerNorm(_) => &[0],
        Op::BatchNormGradInput(_) | Op::LayerNormGradInput(_) => &[3, 0],
        _ => &[],
    }
}

/// Values of scratch memory that an operation needs for these shapes.
pub(crate) fn scratch_len(op: &Op, inputs: &[&[usize]], output: &[usize], cpu: &Cpu) -> usize {
    match op {
        Op::MatMul(op) => matmul::scratch_len(op, inputs, output),
        Op::Linear(_) => matmul::linear_scratch_len(inputs, output),
        Op::Conv2d(op) => conv2d::forward_scratch_len(op, inputs, output, cpu),
        Op::Conv2dGradInput(op) => conv2d::grad_input_scratch_len(op, inputs, output, cpu),
        Op::Conv2dGradWeight(op) => conv2d::grad_weight_scratch_len(op, inputs, output, cpu),
        _ => 0,
    }
}

/// Runs one operation.
pub(crate) fn execute(op: &Op, call: Call<'_>) -> Result<(), CpuError> {
    match op {
        Op::Input(_) | Op::Weight(_) | Op::Reshape(_) => unreachable!("the planner gives these no step"),
        Op::MatMul(op) => matmul::matmul(op, call),
        Op::Linear(op) => matmul::linear(op, call),
        Op::Conv2d(op) => conv2d::forward(op, call),
        Op::Conv2dGradInput(op) => conv2d::grad_input(op, call),
        Op::Conv2dGradWeight(op) => conv2d::grad_weight(op, call),
        _ => unreachable!(),
    }
    Ok(())
}

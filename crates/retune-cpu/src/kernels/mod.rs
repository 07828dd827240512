//! Kernels: what each operation computes, one file per family.
//!
//! A kernel sees one [`Call`]: its inputs, its output, scratch memory and the processor. It cuts sums into parts by sizes alone, never by
//! the number of threads, so that the bits do not depend on it; where a task computes whole values, their number may.

use retune_graph::Op;

use crate::cpu::Cpu;
use crate::error::CpuError;
use crate::kernels::attention::Pass;
use crate::session::StepRandom;
use crate::slices::Join;

pub(crate) mod activation;
mod attention;
pub(crate) mod batch_norm;
pub(crate) mod bf16;
mod binary;
mod columns;
pub(crate) mod conv2d;
mod cross_entropy;
mod depthwise;
mod elementwise;
mod gather;
pub(crate) mod gemm;
mod image;
mod layer_norm;
mod layout;
pub(crate) mod matmul;
mod pack;
mod pool;
mod random;
mod reduce;
mod resize;
mod rotary;
mod rows;
mod sequence;
mod softmax;
pub(crate) mod store;
mod stream;
mod strided;
pub(crate) mod vector;
mod windows;
pub(crate) mod winograd;

/// Tasks of streaming kernels: this many values at a time fit a core's L2 cache several times.
pub(crate) const CHUNK: usize = 1 << 14;

/// An input of a [`Call`]: pointers, so that a session can keep the list of them between steps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operand {
    pub shape: *const [usize],
    pub data: *const f32,
    pub len: usize,
}

impl Operand {
    /// No values.
    pub const NONE: Operand = Operand { shape: &[], data: std::ptr::null(), len: 0 };
}

// SAFETY: operands are read through inside of `Session::run` alone, which borrows what they point to.
unsafe impl Sync for Operand {}

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
    /// The right factor of a product as [`matmul::pack`] makes it, or the kernel of a convolution, if that was done before.
    pub packed: Option<&'a [f32]>,
    /// Whether the result is added to what the output holds, of an operation that [`can_add`].
    pub adds: bool,
    /// Number of values of the whole output, of which the call may see a part.
    pub whole_len: usize,
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
        Call {
            cpu,
            random,
            layer,
            batch,
            inputs,
            shape,
            output,
            len,
            scratch,
            scratch_len,
            packed: None,
            adds: false,
            whole_len: len,
        }
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
        self.len > 0 && self.inputs[index].len > 0 && std::ptr::eq(self.inputs[index].data, self.output)
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

    /// The error of an index outside of `0..limit`.
    pub fn index_out_of_range(&self, index: i32, limit: usize) -> CpuError {
        CpuError::IndexOutOfRange { layer: self.layer.to_owned(), index: i64::from(index), limit }
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
        Op::BatchNormGradInput(_) => &[4, 0],
        Op::LayerNormGradInput(_) => &[3, 0],
        _ => &[],
    }
}

/// Whether an operation can add its result to what the output holds.
pub(crate) fn can_add(op: &Op) -> bool {
    matches!(op, Op::Conv2dGradWeight(_))
}

/// Values of scratch memory that an operation needs for these shapes.
pub(crate) fn scratch_len(op: &Op, inputs: &[&[usize]], output: &[usize], batch: usize, cpu: &Cpu) -> usize {
    match op {
        Op::Attention(op) => attention::scratch_len(op, inputs, Pass::Forward, cpu, batch),
        Op::AttentionGrad(op) => attention::scratch_len(&op.0, inputs, Pass::Rows, cpu, batch),
        Op::AttentionGradPrefix(op) => attention::scratch_len(&op.0, inputs, Pass::Rows, cpu, batch),
        Op::AttentionGradTables(op) => attention::scratch_len(&op.0, inputs, Pass::Tables, cpu, batch),
        Op::MatMul(op) => matmul::scratch_len(op, inputs, output, cpu),
        Op::Linear(op) => matmul::linear_scratch_len(op, inputs, output, cpu),
        Op::Conv2d(op) => conv2d::forward_scratch_len(op, inputs, output, cpu),
        Op::Conv2dGradInput(op) => conv2d::grad_input_scratch_len(op, inputs, output, cpu),
        Op::Conv2dGradWeight(op) => conv2d::grad_weight_scratch_len(op, inputs, output, cpu),
        Op::Reduce(op) => reduce::scratch_len(op, inputs),
        Op::BatchMoments(_) => batch_norm::sums_scratch_len(inputs[0]),
        Op::BatchNormGradSums(_) => batch_norm::grad_sums_scratch_len(inputs[0]),
        Op::BatchNorm(_) => batch_norm::scratch_len(inputs[0]),
        Op::BatchNormGradInput(_) => batch_norm::grad_input_scratch_len(inputs[0]),
        Op::DepthwiseConv2dGradWeight(_) => depthwise::grad_weight_scratch_len(inputs[1], output),
        Op::LayerNormGradSums(op) => layer_norm::sums_scratch_len(op, inputs[0]),
        Op::Rotary(op) => rotary::scratch_len(op, cpu),
        _ => 0,
    }
}

/// Joins the result of a part of the batch to that of all before it; `counts` are their sizes, before and of the part.
pub(crate) fn join_parts(join: Join, counts: [usize; 2], whole: &mut [f32], part: &[f32]) {
    match join {
        Join::Examples => {}
        Join::Sum => whole.iter_mut().zip(part).for_each(|(whole, part)| *whole += part),
        Join::Moments => batch_norm::merge(counts, whole, part),
    }
}

/// Runs one operation.
pub(crate) fn execute<'a>(op: &'a Op, call: Call<'a>) -> Result<(), CpuError> {
    match op {
        Op::Input(_) | Op::Weight(_) => unreachable!("the planner gives these no step"),
        Op::Activate(op) => activation::activate(op, call),
        Op::ActivateGrad(op) => activation::activate_grad(op, call),
        Op::Affine(op) => elementwise::affine(op, call),
        Op::Attention(op) => attention::attention(op, call)?,
        Op::AttentionGrad(op) => attention::attention_grad(op, call)?,
        Op::AttentionGradPrefix(op) => attention::attention_grad_prefix(op, call)?,
        Op::AttentionGradTables(op) => attention::attention_grad_tables(op, call)?,
        Op::BatchMoments(_) => batch_norm::moments(call),
        Op::BatchNorm(op) => batch_norm::batch_norm(op, call),
        Op::BatchNormGradInput(op) => batch_norm::grad_input(op, call),
        Op::BatchNormGradSums(op) => batch_norm::grad_sums(op, call),
        Op::Binary(op) => binary::binary(op, call),
        Op::BroadcastTo(_) => binary::broadcast_to(call),
        Op::Cast(_) => elementwise::cast(call),
        Op::Concat(op) => layout::concat(op, call),
        Op::DepthwiseConv2d(op) => depthwise::forward(op, call),
        Op::DepthwiseConv2dGradInput(op) => depthwise::grad_input(op, call),
        Op::DepthwiseConv2dGradWeight(op) => depthwise::grad_weight(op, call),
        Op::Dropout(op) => random::dropout(op, call)?,
        Op::Fill(value) => elementwise::fill(*value, call),
        Op::Gather(_) => gather::gather(call)?,
        Op::ImageAugment(op) => image::augment(op, call),
        Op::LayerNorm(op) => layer_norm::layer_norm(op, call),
        Op::LayerNormGradInput(op) => layer_norm::grad_input(op, call),
        Op::LayerNormGradSums(op) => layer_norm::grad_sums(op, call),
        Op::LogSoftmax(_) => softmax::log_softmax(call),
        Op::LogSoftmaxGrad(_) => softmax::log_softmax_grad(call),
        Op::Pad(op) => layout::pad(op, call),
        Op::Pool2d(op) => pool::pool(op, call),
        Op::Pool2dGrad(op) => pool::pool_grad(op, call),
        Op::Random(op) => random::random(op, call),
        Op::Reduce(op) => reduce::reduce(op, call),
        Op::Reshape(_) | Op::Detach(_) => elementwise::copy(call),
        Op::Resize(op) => resize::resize(op, call),
        Op::ResizeGrad(op) => resize::resize_grad(op, call),
        Op::Reverse(op) => layout::reverse(op, call),
        Op::Rotary(op) => rotary::rotary(op, call),
        Op::RowMoments(op) => layer_norm::row_moments(op, call),
        Op::ScatterAdd(_) => gather::scatter_add(call)?,
        Op::SequencePool(op) => sequence::pool(op, call)?,
        Op::SequencePoolGrad(op) => sequence::pool_grad(op, call)?,
        Op::SequencePrompt(_) => sequence::prompt(call)?,
        Op::SequencePromptGrad(_) => sequence::prompt_grad(call)?,
        Op::Slice(op) => layout::slice(op, call),
        Op::Softmax(_) => softmax::softmax(call),
        Op::SoftmaxCrossEntropy(op) => cross_entropy::loss(op, call)?,
        Op::SoftmaxCrossEntropyGrad(op) => cross_entropy::grad(op, call)?,
        Op::SoftmaxGrad(_) => softmax::softmax_grad(call),
        Op::Transpose(op) => layout::transpose(op, call),
        Op::Unary(op) => elementwise::unary(op, call),
        Op::MatMul(op) => matmul::matmul(op, call),
        Op::Linear(op) => matmul::linear(op, call),
        Op::Conv2d(op) => conv2d::forward(op, call),
        Op::Conv2dGradInput(op) => conv2d::grad_input(op, call),
        Op::Conv2dGradWeight(op) => conv2d::grad_weight(op, call),
    }
    Ok(())
}

//! Convolution.
use super::Call;
use crate::cpu::Cpu;
use retune_graph::ops::{Conv2d, Conv2dGradInput, Conv2dGradWeight};
pub(crate) fn forward_scratch_len(_: &Conv2d, _: &[&[usize]], _: &[usize], _: &Cpu) -> usize {
    0
}
pub(crate) fn grad_input_scratch_len(_: &Conv2dGradInput, _: &[&[usize]], _: &[usize], _: &Cpu) -> usize {
    0
}
pub(crate) fn grad_weight_scratch_len(_: &Conv2dGradWeight, _: &[&[usize]], _: &[usize], _: &Cpu) -> usize {
    0
}
pub(crate) fn forward(_: &Conv2d, _: Call<'_>) {
    unimplemented!()
}
pub(crate) fn grad_input(_: &Conv2dGradInput, _: Call<'_>) {
    unimplemented!()
}
pub(crate) fn grad_weight(_: &Conv2dGradWeight, _: Call<'_>) {
    unimplemented!()
}

//! The steps of training, each a function of its own; the [loop](crate::trainer) only calls them.
//!
//! - [`program`][]: [`TrainingProgram`], a network with its loss and the gradients that trainable weights need;
//! - [`accumulate`][]: [`GradientSums`] over several batches, which equal one large batch;
//! - [`clip`]: limiting the length of all gradients together;
//! - `prefix`: what is frozen computed once per example, see [`crate::features`];
//! - [`frozen`]: [`FrozenPart`], what is frozen looked at by itself;
//! - [`update`][]: [`optimizer_step`] and [`update_statistics`];
//! - [`evaluate`][]: [`Evaluator`], predictions and losses of a part of the data, not changing anything.

pub mod accumulate;
pub mod clip;
pub mod evaluate;
pub mod frozen;
mod prefix;
pub mod program;
pub mod update;

pub use accumulate::GradientSums;
pub use clip::{clip_scale, global_norm};
pub use evaluate::Evaluator;
pub use frozen::FrozenPart;
pub use program::{BatchOutputs, TrainingProgram};
pub use update::{StepSummary, optimizer_step, update_statistics};

//! Plans and runs a retune graph on the CPU.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`session`] | [`Session`]: a graph and its outputs, run batch after batch without allocating |
//! | [`plan`] | [`Plan`]: order, buffers assigned by lifetime, bytes and FLOPs, for one batch size |
//! | `slices` | chains of operations that run on a few examples at a time |
//! | [`cpu`] | [`Cpu`]: threads and instruction set |
//! | [`pool`] | the thread pool: numbered tasks, no allocation, results independent of the number of threads |
//! | [`dispatch`] | [`Level`]: AVX-512, AVX2 or the target's baseline, chosen at run time: the crate `retune-simd` |
//! | [`math`] | vectorized exp, tanh, erf, sigmoid, log with stated error bounds |
//! | [`optimize`] | the loops of the optimizers over whole weights |
//! | `kernels` | one file per family of operations |
//!
//! Results are the same bits for any number of threads: work is cut into tasks by sizes alone, each value is computed
//! by one task, and sums run in a fixed order.

mod bands;
pub mod cpu;
pub mod error;
mod kernels;
pub mod math;
mod memory;
pub mod optimize;
pub mod plan;
pub mod pool;
mod run;
pub mod session;
mod slices;

pub use cpu::Cpu;
pub use error::CpuError;
pub use plan::Plan;
pub use retune_simd as dispatch;
pub use retune_simd::{Level, multiversion};
pub use session::{Outputs, Session, StepRandom};

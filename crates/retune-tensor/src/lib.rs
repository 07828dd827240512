//! Named-type tensors and counter-based random numbers, shared by all retune crates.
//!
//! - [`tensor`]: [`Tensor`], a dense row-major array that owns its values, of any [`DType`] met in weights files.
//! - [`rng`]: random numbers that are a pure function of a key and a counter, so that no stream depends on batch
//!   size, threads or whether a run was resumed.

pub mod rng;
pub mod tensor;

pub use half::{bf16, f16};
pub use rng::{Key, Purpose};
pub use tensor::{DType, Tensor, TensorError, Values};

//! The steps of training, each a function of its own.
//!
//! - [`clip`]: limiting the length of all gradients together.

pub mod clip;

pub use clip::clip_scale;

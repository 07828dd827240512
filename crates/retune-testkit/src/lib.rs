//! What retune's tests are checked against. Everything here is plain f64 arithmetic, slow and meant to be obviously right.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`mod@array`] | [`Array`]: a shape and `f64` values |
//! | [`interpreter`] | [`interpret`]: the meaning of every operation of a graph, as loops |
//! | [`cases`] | small graphs that together hold every operation |
//! | [`gradient_check`] | [`GradientCheck`]: gradient rules against finite differences |
//! | [`samples`] | random arrays, the same in every run |
//! | [`compare`] | [`assert_close`], which reports the worst value |
//! | `golden` (feature `golden`) | `GoldenCase`: what Keras computed, from `tests/golden` |

pub mod array;
pub mod cases;
pub mod compare;
#[cfg(feature = "golden")]
pub mod golden;
pub mod gradient_check;
pub mod interpreter;
pub mod samples;

pub use array::Array;
pub use compare::assert_close;
#[cfg(feature = "golden")]
pub use golden::GoldenCase;
pub use gradient_check::{GradientCheck, Point, check_gradients, differentiate};
pub use interpreter::{StepRandom, interpret};

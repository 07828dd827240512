//! Tests of graphs: gradient rules against finite differences, passes, errors, the printed form.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod coverage;
mod errors;
mod gradients;
mod passes;
mod print;
mod structure;

//! Integration tests of the architectures.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod adapters;
mod assets;
mod goldens;
mod harness;
mod methods;
mod pooling;
mod refusals;
mod round_trips;
mod surgery;
mod transformers;
mod virtual_tokens;
mod vision;

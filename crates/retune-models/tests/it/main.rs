//! Integration tests of the architectures.

mod assets;
mod goldens;
mod harness;
mod refusals;
mod round_trips;
mod surgery;

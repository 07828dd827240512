//! Integration tests of the architectures.

mod goldens;
mod harness;

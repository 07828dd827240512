//! The Hub, played by a small server on loopback.
//!
//! - [`server`]: the server, with the mishaps that it is told to have.
//! - [`fetching`]: whole models, broken connections, wrong contents, refusals, offline.

// Helpers of tests may unwrap as tests may.
#![allow(clippy::unwrap_used)]

mod fetching;
mod server;

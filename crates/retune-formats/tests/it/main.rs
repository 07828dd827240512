//! Integration tests of the readers and writers, on files written by their peers and on damaged ones.
//!
//! - [`keras`], [`hdf5`], [`numpy`], [`safetensors`], [`torch`], [`weights`], [`model_directory`], [`pickle`]: what
//!   each reader reads, round trips, refusals.
//! - [`cut`]: Keras files of every origin cut short, and the HDF5 file inside an archive.
//! - [`damage`]: every reader on truncated and altered files.
//! - [`assets`]: the large real files.

// Helpers of tests may unwrap as tests may.
#![allow(clippy::unwrap_used)]

mod assets;
mod cut;
mod damage;
mod hdf5;
mod keras;
mod model_directory;
mod numpy;
mod pickle;
mod safetensors;
mod torch;
mod weights;

use std::path::{Path, PathBuf};

/// The path of the test file `name`.
fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// The bytes of the test file `name`.
fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(data(name)).unwrap()
}

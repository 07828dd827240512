//! Readers and writers of weights files, safe on hostile input.
//!
//! - [`keras`]: Keras models and weights: `.h5`, `.hdf5`, `.keras`, `.weights.h5`.
//! - [`safetensors`]: `.safetensors` files.
//! - [`npy`], [`npz`]: numpy's arrays.
//! - [`pickle`]: Python pickles as data, never executed.
//! - [`hdf5`]: groups, data sets and attributes of HDF5 files.
//! - [`error`]: [`FormatError`], which names the file, the place in it and what is wrong there.
//! - [`limits`]: [`Limits`], what reading one file may cost.
//! - [`atomic`]: files that are either wholly written or not there.
//!
//! Inside: `bytes` (numbers and their bytes), `python_literal` (headers of `.npy`), `zip_archive` (the container of `.keras` and `.npz`).

pub mod atomic;
mod bytes;
pub mod error;
pub mod hdf5;
pub mod keras;
pub mod limits;
pub mod npy;
pub mod npz;
pub mod pickle;
mod python_literal;
pub mod safetensors;
mod zip_archive;

pub use error::{FormatError, Problem};
pub use limits::Limits;

//! Readers and writers of weights files, safe on hostile input.
//!
//! - [`keras`]: Keras models and weights: `.h5`, `.hdf5`, `.keras`, `.weights.h5`.
//! - [`model_directory`]: folders of the Hugging Face Hub's layout.
//! - [`weights`]: named tensors of a file or several, whatever their format.
//! - [`safetensors`]: `.safetensors` files.
//! - [`torch`]: PyTorch's `.pt`, `.pth`, `.bin`, `.th`.
//! - [`npy`], [`npz`]: numpy's arrays.
//! - [`pickle`]: Python pickles as data, never executed.
//! - [`hdf5`]: groups, data sets and attributes of HDF5 files.
//! - [`stored`]: types of values in files, and what they are converted to.
//! - [`error`]: [`FormatError`], which names the file, the place in it and what is wrong there.
//! - [`limits`]: [`Limits`], what reading one file may cost.
//! - [`atomic`]: files that are either wholly written or not there.
//!
//! Inside: `bytes` (numbers and their bytes), `file_bytes` (files mapped into memory), `python_literal` (headers of
//! `.npy`), `zip_archive` (the container of `.keras` and `.npz`).

pub mod atomic;
mod bytes;
pub mod error;
mod file_bytes;
pub mod hdf5;
pub mod keras;
pub mod limits;
pub mod model_directory;
pub mod npy;
pub mod npz;
pub mod pickle;
mod python_literal;
pub mod safetensors;
pub mod stored;
pub mod torch;
pub mod weights;
mod zip_archive;

pub use error::{FormatError, Problem};
pub use limits::Limits;
pub use model_directory::ModelDirectory;
pub use stored::{Conversion, StoredType, TensorInfo};
pub use weights::{Weights, WeightsFormat};

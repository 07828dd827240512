//! Keras files: whole models and weights, of Keras 1, 2 and 3, in and out.
//!
//! - [`mod@file`]: [`KerasFile`], what a file contains, and reading and writing of every [`Layout`].
//! - [`weights`]: [`KerasWeights`], named tensors in the two ways in which Keras names them.
//! - [`legacy`]: `.h5`/`.hdf5` of Keras 1 and 2 (and of Keras 3's `legacy_h5` format).
//! - [`paths`]: the HDF5 tree of Keras 3's `.weights.h5`.
//! - [`archive`]: Keras 3's `.keras` zip archives.

pub mod archive;
pub mod file;
pub mod legacy;
pub mod paths;
pub mod weights;

pub use file::{KerasFile, Layout};
pub use weights::{KerasWeights, LegacyLayer, LegacyWeights, PathWeights};

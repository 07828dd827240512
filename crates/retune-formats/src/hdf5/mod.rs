//! HDF5 files: groups, data sets and attributes, over the `hdf5-pure` crate.
//!
//! - [`read`]: [`Hdf5File`], [`Hdf5Group`], [`Hdf5Dataset`] with limits against hostile files.
//! - [`mod@write`]: [`GroupToWrite`], a tree built in memory and then written at once.
//! - [`dtype`]: HDF5 number types and [`retune_tensor::DType`], in both directions.
//! - `metered`: bounds the work that a file can cause by counting the bytes read from it.
//! - `superblock`: where a file starts, and whether all of it is there.

pub mod dtype;
mod metered;
pub mod read;
mod superblock;
pub mod write;

pub use read::{Attribute, Hdf5Dataset, Hdf5File, Hdf5Group};
pub use write::GroupToWrite;

/// Whether `bytes` start as an HDF5 file does: its signature stands at byte 0, or at 512, 1024, 2048 … after a user
/// block.
pub fn is_hdf5(bytes: &[u8]) -> bool {
    superblock::find(bytes).is_some()
}

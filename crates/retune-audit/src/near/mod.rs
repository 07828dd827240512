//! Near duplicates: nearly the same texts, nearly the same pictures.
//!
//! - [`shingles`]: a text as a set of its short pieces, and the share that two sets have in common;
//! - [`minhash`]: pairs of texts whose sets are probably alike, found without comparing all with all;
//! - [`pictures`]: what is kept of an image, and whether two are the same picture;
//! - [`hamming`]: pairs of images whose perceptual hashes are alike;
//! - [`leaders`]: from pairs to groups, each member checked against the first.

pub mod hamming;
pub mod leaders;
pub mod minhash;
pub mod pictures;
pub mod shingles;

pub use leaders::NearGroup;

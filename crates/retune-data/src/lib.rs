//! Data sets for fine-tuning: sources, checks, splits, preprocessing, augmentation, batches.
//!
//! ```text
//! path ──sources──▶ Dataset ──split──▶ ids ──loader──▶ Batch
//!                                            ├ decode       image files only
//!                                            ├ preprocess   colour, size
//!                                            ├ augment      training only
//!                                            ├ preprocess   scale
//!                                            ├ text         texts to tokens, once for all epochs; changed texts in each
//!                                            └ table        columns to numbers and indices
//! ```
//!
//! - [`sources`]: what a path holds, [`open`]ed as [`Parts`];
//! - [`dataset`], [`labels`]: [`Dataset`], examples of one source with their [`Labels`];
//! - [`mod@column`]: texts and bytes of all examples, in memory or on disk;
//! - [`origins`]: [`Origins`], where in files the examples stand;
//! - [`decode`]: image files to pixels;
//! - [`split`]: which examples train, validate, test;
//! - [`preprocess`]: [`Preprocessing`], from stored to what the network takes; travels with the saved model;
//! - [`augment`]: random changes to training images, numbers and texts;
//! - [`text`]: [`TextEncoder`], from texts to tokens;
//! - [`table`]: [`TableSchema`], from tables of numbers and categories to what a network takes;
//! - [`words`]: [`Words`], the words of texts, for labels of single words;
//! - [`side`]: [`SideColumns`], groups, times and weights of examples;
//! - [`weights`]: weights of classes; [`sampling`]: how often examples are drawn;
//! - [`loader`]: [`Loader`], batches prepared ahead in an order that depends on seed and epoch alone;
//! - [`pictures`]: examples as training sees them, to look at;
//! - [`thumbnail`]: small pictures of examples, for reports;
//! - [`hash`]: content hashes for provenance;
//! - [`error`]: what can be wrong, [`DataError`].

pub mod augment;
pub mod column;
pub mod dataset;
pub mod decode;
pub mod error;
pub mod hash;
pub mod labels;
pub mod loader;
pub mod origins;
pub mod pictures;
pub mod preprocess;
pub mod sampling;
pub mod side;
pub mod sources;
pub mod split;
pub mod table;
pub mod text;
pub mod thumbnail;
pub mod weights;
pub mod words;

pub use augment::Augmentation;
pub use column::{ByteColumn, Storage, TextColumn};
pub use dataset::{Dataset, EncodedImages, ImageSource, Inputs, Texts};
pub use error::{BadExample, DataError};
pub use hash::ContentHash;
pub use labels::{LabelKind, LabelType, Labels};
pub use loader::{Batch, BatchInputs, BatchSize, Batches, Cursor, Keeper, KeptRows, Loader, LoaderOptions, Targets};
pub use origins::Origins;
pub use preprocess::Preprocessing;
pub use sampling::Sampling;
pub use side::SideColumns;
pub use sources::{Parts, SourceKind, SourceOptions, open};
pub use split::{Division, Split, StoredSplit};
pub use table::{TableColumns, TableSchema};
pub use text::{TextEncoder, TextSettings, TokenInputs, TokenStatistics, Truncation};
pub use weights::ClassWeights;
pub use words::Words;

//! What of a network is frozen is computed once per example and kept in files, from one run to the next.
//!
//! ```text
//! example ──Loader──▶ key of the example ─┐
//! frozen part, its weights ──▶ key of the part ─┴▶ FeatureStore ──▶ values, or: prepare the example, compute, keep
//! ```
//!
//! - [`key`]: the hash of all that the values of a frozen part depend on, so that a stale value cannot be met;
//! - [`precision`]: values as 32 or 16 bits;
//! - [`segment`]: a file of values, appended to by one process, checked and mapped by any;
//! - [`part`]: the values of one frozen part, in its segments;
//! - [`budget`]: how many bytes there may be, and what is removed to make room;
//! - [`store`]: [`FeatureStore`], a folder of parts.

pub mod budget;
pub mod key;
pub mod part;
pub mod precision;
pub mod segment;
pub mod store;

pub use part::Part;
pub use precision::FeaturePrecision;
pub use store::{CacheSettings, FeatureStore, StoreCounts};

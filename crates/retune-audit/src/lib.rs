//! Whether data can be trusted: what is wrong with a data set before anything is trained on it, and a cleaned copy of it.
//!
//! ```text
//! paths ──collection──▶ Collection ──facts──▶ Facts ──findings──▶ Report ── text, HTML, JSON
//!                                               └────────clean──▶ a new data set, and a log of every row left out
//! ```
//!
//! | file | what it holds |
//! | --- | --- |
//! | [`collection`] | [`Collection`]: all parts of a data set, their examples numbered through |
//! | [`normalize`](mod@normalize) | texts as they are compared |
//! | [`fingerprint`](mod@fingerprint) | equal contents, found by their hashes |
//! | [`near`] | near duplicates: MinHash for texts, perceptual hashes for images, both verified |
//! | [`facts`] | [`Facts`]: what is measured of every item once |
//! | [`findings`] | what is wrong, one kind of finding a file |
//! | [`probe`] | a small classifier, and labels that it doubts |
//! | [`mod@report`] | [`Report`]: all findings, as text, HTML and JSON |
//! | [`mod@clean`] | what is left out by which rule, and the new data set |
//! | [`error`] | [`AuditError`] |
//! | [`language`] | words for people, in English and Chinese |
//!
//! Everything is the same on every run and with any number of threads; nothing is random.

pub mod clean;
pub mod collection;
pub mod error;
pub mod facts;
pub mod findings;
pub mod fingerprint;
pub mod language;
pub mod near;
pub mod normalize;
pub mod probe;
pub mod report;

pub use clean::{Rule, clean};
pub use collection::{Collection, Sources};
pub use error::AuditError;
pub use facts::Facts;
pub use findings::{Finding, Kind, Severity};
pub use language::{Language, Said};
pub use report::Report;

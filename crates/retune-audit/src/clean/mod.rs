//! Cleaning: what is left out by which rule, and a new data set without it. The original is never changed, and nothing that
//! exists is overwritten.
//!
//! - [`rules`]: [`Rule`], and the rules that apply where none are named;
//! - [`plan`]: [`Plan`], every item that is left out, and why;
//! - [`write`](mod@write): the new data set, of the same form as the old one;
//! - [`log`]: a line of JSON for every item left out.

pub mod log;
pub mod plan;
pub mod rules;
pub mod write;

pub use plan::{Dropped, Plan};
pub use rules::Rule;
pub use write::clean;

//! Cleaning: what is left out by which rule, what is repaired, and a new data set that shows it. The original is never changed, and nothing that
//! exists is overwritten.
//!
//! - [`rules`]: [`Rule`], and the rules that apply where none are named;
//! - [`plan`]: [`Plan`], every item that is left out or repaired, and why;
//! - [`write`](mod@write): the new data set, of the same form as the old one;
//! - [`log`]: a line of JSON for every item left out or repaired.

pub mod log;
pub mod plan;
pub mod rules;
pub mod write;

pub use plan::{Choices, Dropped, Plan, Repaired};
pub use rules::Rule;
pub use write::{check, clean};

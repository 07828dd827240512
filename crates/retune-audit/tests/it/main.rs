//! Checks and cleaning on small data that the tests write themselves.
//!
//! - [`support`]: folders, and what is found in them;
//! - [`texts`], [`images`], [`tables`], [`labels`]: findings;
//! - [`cleaning`]: the new data set and its log;
//! - [`pages`]: the report in its three forms;
//! - [`phrases`]: Chinese for what other crates say.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod cleaning;
mod images;
mod labels;
mod pages;
mod phrases;
mod support;
mod tables;
mod texts;

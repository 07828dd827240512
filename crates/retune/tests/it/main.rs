//! The command line as users meet it: the built binary, in folders of its own.
//!
//! - [`support`]: running the binary, tiny data and recipes;
//! - [`help`], [`hub`], [`models`], [`data_quality`], [`training`], [`resuming`], [`obstacles`], [`measuring`], [`browser`], [`memory`], [`mistakes`], [`texts`], [`tables`], [`splits`], [`demo`]: the
//!   tests.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod browser;
mod data_quality;
mod demo;
mod help;
mod hub;
mod languages;
mod measuring;
#[cfg(target_os = "linux")]
mod memory;
mod mistakes;
mod models;
#[cfg(unix)]
mod obstacles;
mod preview;
mod readers;
mod resuming;
mod similarity;
mod splits;
mod support;
mod tables;
mod texts;
mod training;
mod words;

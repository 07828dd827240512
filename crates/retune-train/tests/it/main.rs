//! Tests of training against goldens and of whole runs.

// A test that cannot go on panics.
#![allow(clippy::unwrap_used)]

mod cards;
mod entities;
mod features;
mod fixture;
mod golden;
mod losses;
mod measuring;
mod methods;
mod metrics;
mod mixing;
mod optimizers;
mod pooling;
mod recipes;
mod runs;
mod schedules;
mod similarity;
mod stages;
mod texts;
mod views;
mod words;

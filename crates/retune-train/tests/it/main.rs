//! Tests of training against goldens and of whole runs.

mod fixture;
mod golden;
mod losses;
mod metrics;
mod optimizers;
mod runs;
mod schedules;

//! Tests of training against goldens and of whole runs.

mod golden;
mod losses;
mod metrics;
mod optimizers;
mod schedules;

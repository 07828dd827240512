//! Fine-tuning: methods, losses, optimizers, schedules, the loop, runs, metrics.

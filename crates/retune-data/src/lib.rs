//! Data sets for fine-tuning: sources, checks, splits, transforms, batches.

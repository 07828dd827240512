//! The graph of a fine-tuning job: operations, shapes, gradients, passes.

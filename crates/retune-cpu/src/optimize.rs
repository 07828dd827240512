//! The loops of the optimizers over whole weights.

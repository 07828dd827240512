//! Vectorized elementary functions with stated error bounds.

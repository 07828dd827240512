//! Changes of a model for fine-tuning: new heads, freezing, parameter groups.

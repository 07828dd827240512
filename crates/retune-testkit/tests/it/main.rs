//! The interpreter against Keras: one graph for each golden case that is a single operation, its output and its gradients.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod activations;
mod convolutions;
mod images;
mod norms;
mod single_layer;

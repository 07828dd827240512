//! Network architectures: from a file's description to a graph, and back.
//!
//! - [`model`]: [`Model`], an architecture with its weights: load, save, build.
//! - [`network`]: [`Network`], the graph of a model for training or inference.
//! - [`weight`]: [`Weight`], a value and what training may do to it.
//! - [`adapters`]: small trainable weights beside frozen ones: LoRA and others.
//! - [`surgery`]: new heads, freezing, parameter groups.
//! - [`initializer`]: fresh values of weights.
//! - [`report`]: [`LoadReport`], what of a file went where.
//! - [`keras`]: the Keras architecture.
//! - [`torch`]: architectures with PyTorch's names of weights: encoders of Hugging Face transformers, networks for images.
//! - [`error`]: [`ModelError`], what can be wrong with a model.

pub mod adapters;
pub mod error;
pub mod initializer;
pub mod keras;
pub mod model;
pub mod network;
pub mod report;
pub mod surgery;
pub mod torch;
pub mod weight;

pub use adapters::{
    Adapter, AdapterBase, AdapterKind, Bottleneck, Ia3, Lora, LoraInit, Prefix, Prompt, PromptInit, adapter_base,
};
pub use error::{ModelError, Result};
pub use initializer::Initializer;
pub use model::{LayerSummary, Model};
pub use network::{FinalActivation, Mode, Network, NetworkInput, NetworkOutput};
pub use report::{LoadReport, Note};
pub use torch::card::FrontMatter;
pub use torch::layout::TorchLayout;
pub use torch::structure::Structure;
pub use torch::task::Task;
pub use weight::{Constraint, Regularizer, Weight};

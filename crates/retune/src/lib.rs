//! Fine-tune pretrained models: fast, accurately and honestly, without Python.
//!
//! This crate gathers the parts; each is a crate of its own:
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`models`] | architectures: load, save, change, build as a graph |
//! | [`data`] | sources, splits, preprocessing, augmentation, batches |
//! | [`train`] | losses, optimizers, schedules, metrics, recipes, runs |
//! | [`graph`] | operations, shapes, gradients |
//! | [`cpu`] | planning and running a graph |
//! | [`formats`] | readers and writers of files |
//! | [`tensor`] | tensors and random numbers |
//! | [`inference`] | a model as a function of tensors |

pub mod inference;

pub use retune_cpu as cpu;
pub use retune_data as data;
pub use retune_formats as formats;
pub use retune_graph as graph;
pub use retune_models as models;
pub use retune_tensor as tensor;
pub use retune_train as train;

pub use cpu::Cpu;
pub use inference::Inference;
pub use models::Model;
pub use tensor::Tensor;

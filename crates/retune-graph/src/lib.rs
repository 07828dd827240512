//! The graph of a fine-tuning job: operations, shapes, gradients, passes. No numbers and no files live here.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`shape`] | [`Dim`], [`Shape`]: sizes known now or bound per batch |
//! | [`graph`] | [`Graph`], [`Node`], and the methods that append checked nodes |
//! | [`weights`] | [`WeightInfo`] and [`Role`]: frozen, trainable in a group, statistic |
//! | [`ops`] | every operation: attributes, shape rule, gradient rule, cost |
//! | [`grad`] | [`gradients`]: reverse-mode differentiation as more nodes, only those that a trainable weight needs |
//! | [`passes`] | graph to graph: folding frozen batch normalization, fusing activations, what depends on what |
//! | [`mod@print`] | the readable form |
//! | [`error`] | what can be wrong with a graph |

pub mod error;
pub mod grad;
pub mod graph;
pub mod ops;
pub mod passes;
pub mod print;
pub mod shape;
pub mod weights;

pub use error::GraphError;
pub use grad::gradients;
pub use graph::{Graph, Node, NodeId};
pub use ops::Op;
pub use shape::{Bindings, DType, Dim, Shape, Symbol};
pub use weights::{Role, WeightId, WeightInfo};

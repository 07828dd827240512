//! Graph-to-graph passes and analyses.
//!
//! | file | what it does |
//! | --- | --- |
//! | [`rewrite`] | rebuilds a graph node by node, the base of every pass |
//! | [`mod@adapt`] | adds adapters: small trainable terms beside products with frozen weights |
//! | [`mod@fold_scale`] | folds a per-channel scale and shift (frozen batch normalization) into the convolution before it |
//! | [`mod@fuse_activations`] | applies an activation inside the operation that makes its argument |
//! | [`mod@cut`] | cuts off what depends on no trainable weight and on no randomness |
//! | [`frozen_dropout`] | leaves dropout out of what is frozen |
//! | [`recompute`] | computes normalized values anew where gradients read them |
//! | [`mod@round_products`] | lets products read their factors as bfloat16 |
//! | [`mod@dependence`] | what each node depends on: inputs, trainable weights, randomness |

pub mod adapt;
pub mod cut;
pub mod dependence;
pub mod fold_scale;
pub mod frozen_dropout;
pub mod fuse_activations;
pub mod recompute;
pub mod rewrite;
pub mod round_products;

pub use adapt::{Adaptation, Term, adapt};
pub use cut::{Cut, cut_frozen_prefix};
pub use dependence::{Dependence, dependence, dependence_on};
pub use fold_scale::fold_scale;
pub use frozen_dropout::without_frozen_dropout;
pub use fuse_activations::fuse_activations;
pub use recompute::recompute_normalization;
pub use rewrite::Rewritten;
pub use round_products::round_products;

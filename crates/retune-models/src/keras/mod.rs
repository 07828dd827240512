//! The Keras architecture: from the description in a Keras file to graphs, and back.
//!
//! The way of a description: [`upgrade`] turns what Keras 1 and 2 wrote into Keras 3's form; [`config`] reads that form
//! strictly into a [`KerasModel`]; [`lowering`] turns the model into a graph; [`description`] writes Keras 3's form again.
//!
//! | file | what it holds |
//! | --- | --- |
//! | [`upgrade`] | descriptions of Keras 1 and 2 → Keras 3, JSON to JSON |
//! | [`fields`] | strict access to the attributes of one layer |
//! | [`values`] | activations, initializers and regularizers as attributes name them |
//! | [`config`] | a description → [`KerasModel`] |
//! | [`calls`] | which layer is called on what: references and arguments |
//! | [`order`] | the order of layers and calls that Keras derives from the connections |
//! | [`lowering`] | a [`KerasModel`] → graph nodes, with masks, randomness and weights |
//! | [`layers`] | every layer: its attributes, its weights, its nodes |
//! | [`description`] | a [`KerasModel`] → Keras 3's description |
//! | [`assign`] | values of a file → weights, and the other way round |
//! | [`legacy_values`] | how Keras 1 and 2 arranged some weights differently |
//! | [`sequential`] | making new Sequential models in Rust |
//! | [`tabular`] | making new models for tables |

pub(crate) mod assign;
pub(crate) mod calls;
pub(crate) mod config;
pub(crate) mod description;
pub(crate) mod fields;
pub(crate) mod layers;
pub(crate) mod legacy_values;
pub(crate) mod lowering;
pub(crate) mod order;
pub mod sequential;
pub mod tabular;
pub(crate) mod upgrade;
pub(crate) mod values;

pub(crate) use config::{KerasModel, Kind, LayerNode};
pub use sequential::{LayerConfig, Sequential};
pub use tabular::TableNetwork;

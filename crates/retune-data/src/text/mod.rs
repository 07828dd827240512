//! Texts as tokens.
//!
//! - [`settings`]: [`TextSettings`], length, [`Truncation`] and prefix;
//! - [`encoder`]: [`TextEncoder`], a `tokenizer.json` at work;
//! - [`sequences`]: [`TokenSequences`], tokens of many examples one after the other, and [`TokenStatistics`];
//! - [`inputs`]: [`TokenInputs`], those of one batch as the network takes them.

pub mod encoder;
pub mod inputs;
pub mod sequences;
pub mod settings;

pub use encoder::TextEncoder;
pub use inputs::TokenInputs;
pub use sequences::{TokenSequences, TokenStatistics};
pub use settings::{TextSettings, Truncation};

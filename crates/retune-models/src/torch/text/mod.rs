//! Encoders of text.
//!
//! - [`encoder`]: BERT and what is built like it: RoBERTa, XLM-R, DistilBERT, ELECTRA, ALBERT.
//! - [`names`]: what each of them calls its layers.

pub(crate) mod encoder;
pub(crate) mod names;

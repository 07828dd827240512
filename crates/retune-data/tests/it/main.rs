//! Whole ways through the crate on small files made by the tests themselves.

#![allow(clippy::unwrap_used)]

mod altered;
mod any_bytes;
mod augment_goldens;
mod augment_loader;
mod columnar;
mod damage;
mod fixtures;
mod images;
mod keep;
mod loader;
mod readers;
mod rewrite;
mod sources;
mod text_batches;
mod text_sources;
mod tokenizers;
mod words;

//! A small classifier on cached features, and what its predictions say about the labels.
//!
//! - [`features`]: [`Features`], rows of numbers, dense or sparse;
//! - [`ngrams`]: features of texts without a model, a hashed bag of words and pairs of words;
//! - [`columns`]: features of the rows of a table;
//! - [`logistic`]: multinomial logistic regression;
//! - [`folds`]: predictions for every example by a probe that has not seen it;
//! - [`confident`]: labels that are likely wrong, by confident learning.

pub mod columns;
pub mod confident;
pub mod features;
pub mod folds;
pub mod logistic;
pub mod ngrams;

pub use confident::Suspect;
pub use features::Features;

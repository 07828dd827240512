//! Tables of numbers and categories as inputs of a network.
//!
//! - [`columns`]: [`TableColumns`], a table as it is stored, as texts;
//! - [`schema`]: [`TableSchema`], what its columns are and their statistics, of the training part alone; travels with the saved model;
//! - [`encoder`]: [`TableEncoder`], from the rows of a table to what the network takes;
//! - [`smote`](mod@smote): rows made for classes that have few.

pub mod columns;
pub mod encoder;
pub mod schema;
pub mod smote;

pub use columns::{TableColumns, TextColumn};
pub use encoder::TableEncoder;
pub use schema::{CategoryColumn, ColumnSchema, LabelColumn, NumberColumn, TableSchema};
pub use smote::{Smote, smote};

//! The report of a run: one HTML file that needs nothing else.
//!
//! | file | what it holds |
//! | --- | --- |
//! | [`content`] | [`RunReport`]: what a report tells, as plain data |
//! | [`chart`] | [`Chart`]: the data of a line chart |
//! | [`contest`] | [`ContestReport`]: the page of a comparison of several models |
//! | `html` | the page: sections in order, each absent where its part of the data is |
//! | `tables` | the larger tables: confusion matrix, classes, counts |
//! | `svg` | line charts |
//! | `reliability` | the reliability diagram |
//! | `markup` | text and attributes made safe for HTML, images as data addresses |
//! | `numbers` | numbers as people read them |
//! | `texts` | every word of the page, by language |
//! | `style.css` | how the page looks: light and dark, wide and narrow, printed |
//!
//! Everything that comes from files (names of classes, places, the recipe) is escaped, and the page forbids itself by a content
//! security policy to run scripts or to load anything.

pub mod chart;
pub mod content;
pub mod contest;
mod html;
mod markup;
mod numbers;
mod reliability;
mod svg;
mod tables;
mod texts;

pub use crate::language::Language;
pub use chart::{Chart, Series};
pub use content::{
    ClassCounts, ClassRow, Confusion, Cost, DataFacts, DataFinding, DataNote, Fact, FindingWeight, InputHash, Mistake,
    Outcome, Part, Reproduction, ResultName, ResultRow, RunReport, Skipped, Subject, Unit, Verdict, Warning,
};
pub use contest::{ContestReport, shown_item};
pub use markup::png_address;

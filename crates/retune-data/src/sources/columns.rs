//! What the columns of a table are taken for: named, or found by their names and first values.
//!
//! - the kind: images, where a column holds some or the names of image files; texts, where a column's values are mostly of several words
//!   or at least 16 bytes and at most one column's are numbers (two where the file keeps names and types); else numbers;
//! - the text: a column of a usual name (`text`, `sentence`, …), else the one whose values are longest in the mean;
//! - the second text of a pair: `sentence2` beside `sentence1`, `text_b` beside `text_a` and the like; in a table of three columns without
//!   names, of which one holds numbers and two hold texts, these two; else none;
//! - the label: a column of a usual name (`label`, `class`, …), else one whose classes the file names, else the last of the others; of JSON,
//!   whose fields have no order, none but the first two.

use super::records::{Cell, Header, Record, SAMPLE, Unit};
use super::{SourceKind, SourceOptions};
use crate::decode::is_image_name;
use crate::error::DataError;
use crate::side::{SideColumn, SideColumns};
use std::path::Path;

/// Names of columns that hold the text, or the first of two.
pub(super) const TEXT_NAMES: &[&str] =
    &["text", "sentence", "text_a", "sentence1", "premise", "question1", "content", "review", "comment"];
/// Names of columns that hold the second text, beside the first one of the same form.
const PAIRS: &[(&str, &str)] =
    &[("text_a", "text_b"), ("sentence1", "sentence2"), ("premise", "hypothesis"), ("question1", "question2")];
/// Names of columns that hold the label.
pub(super) const LABEL_NAMES: &[&str] = &["label", "labels", "class", "target", "y", "score"];
/// Those of them that mean nothing else in a table of numbers.
const PLAIN_LABEL_NAMES: &[&str] = &["label", "class", "target", "y"];
/// Names of columns that hold images or the names of their files.
const IMAGE_NAMES: &[&str] = &[
    "image",
    "file_name",
    "filename",
    "img",
    "image_path",
    "file_path",
    "filepath",
    "path",
    "file",
    "picture",
    "photo",
];

pub(super) fn is_image_column_name(name: &str) -> bool {
    IMAGE_NAMES.contains(&name)
}

/// What the examples of a table are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Inputs {
    Texts {
        first: usize,
        second: Option<usize>,
    },
    Images(usize),
    Numbers(Vec<usize>),
    /// Numbers and categories.
    Table(Vec<usize>),
}

/// The columns that are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) inputs: Inputs,
    pub(super) label: Option<usize>,
    pub(super) side: Vec<(SideColumn, usize)>,
}

impl Columns {
    /// The places of all of them.
    pub(super) fn places(&self) -> Vec<usize> {
        let mut places: Vec<usize> = match &self.inputs {
            Inputs::Texts { first, second } => [*first].into_iter().chain(*second).collect(),
            Inputs::Images(column) => vec![*column],
            Inputs::Numbers(columns) | Inputs::Table(columns) => columns.clone(),
        };
        places.extend(self.label);
        places.extend(self.side.iter().map(|(_, column)| column));
        places
    }

    /// Which column is what, for descriptions.
    pub(super) fn text(&self, header: &Header) -> String {
        let mut text = match &self.inputs {
            Inputs::Texts { first, second } => {
                let mut text = format!("text: {}", header.name(*first));
                text.extend(second.map(|column| format!(", second text: {}", header.name(column))));
                text
            }
            Inputs::Images(column) => format!("image: {}", header.name(*column)),
            Inputs::Numbers(columns) => format!("{} columns of numbers", columns.len()),
            Inputs::Table(columns) => format!("{} columns of numbers and categories", columns.len()),
        };
        text.extend(self.label.map(|column| format!(", label: {}", header.name(column))));
        text.extend(self.side.iter().map(|(side, column)| format!(", {}: {}", side.name(), header.name(*column))));
        text
    }
}

/// The first rows of a table with what is known of its columns.
pub(super) struct Sample<'a> {
    pub(super) path: &'a Path,
    pub(super) header: &'a Header,
    pub(super) rows: &'a [Record],
}

impl Sample<'_> {
    fn width(&self) -> usize {
        self.header.columns.len()
    }

    fn cells(&self, column: usize) -> impl Iterator<Item = &Cell> {
        let rows = self.rows.iter().take(SAMPLE).filter_map(|record| record.cells.as_ref().ok());
        rows.filter_map(move |cells| cells.get(column))
    }

    /// Whether more than half of a column's cells are of a kind.
    fn mostly(&self, column: usize, is: impl Fn(&Cell) -> bool) -> bool {
        let (found, all) =
            self.cells(column).fold((0, 0), |(found, all), cell| (found + usize::from(is(cell)), all + 1));
        2 * found > all
    }

    fn usual(&self, names: &[&str]) -> Option<usize> {
        names.iter().find_map(|name| self.header.position(name))
    }

    /// Characters of a column's texts.
    fn characters(&self, column: usize) -> usize {
        self.cells(column).filter_map(Cell::text).map(|text| text.chars().count()).sum()
    }

    /// The column of images: of a usual name first.
    fn images(&self) -> Option<usize> {
        let holds = |column: &usize| {
            let mut known = self.cells(*column).filter(|cell| **cell != Cell::Missing).peekable();
            known.peek().is_some()
                && known.all(|cell| match cell {
                    Cell::Image { .. } => true,
                    Cell::Text(name) => is_image_name(Path::new(name)),
                    _ => false,
                })
        };
        let usual = IMAGE_NAMES.iter().filter_map(|name| self.header.position(name));
        usual.chain(0..self.width()).find(holds)
    }

    /// What kind of table it is.
    pub(super) fn kind(&self, options: &SourceOptions) -> SourceKind {
        if options.image.is_some() || self.images().is_some() {
            return SourceKind::ImageTable;
        }
        let numbers = (0..self.width()).filter(|&column| self.mostly(column, is_number)).count();
        let is_delimited = self.header.unit == Unit::Line && self.header.noun == "column";
        let has_text = (0..self.width()).any(|column| self.mostly(column, is_text));
        let is_usual = !is_delimited
            && self.usual(TEXT_NAMES).is_some_and(|column| self.mostly(column, |cell| cell.text().is_some()));
        match () {
            _ if is_usual => SourceKind::Text,
            // Files that keep names and types often number their rows, too.
            _ if self.width() > 1 && numbers <= 1 + usize::from(!is_delimited) && has_text => SourceKind::Text,
            _ => SourceKind::Csv,
        }
    }

    /// The columns of a table of this kind.
    pub(super) fn columns(&self, kind: SourceKind, options: &SourceOptions) -> Result<Columns, DataError> {
        let side = SideColumns::wanted(options).map(|(side, column)| Ok((side, self.header.find(self.path, column)?)));
        let side: Vec<(SideColumn, usize)> = side.collect::<Result<_, DataError>>()?;
        let beside: Vec<usize> = side.iter().map(|(_, column)| *column).collect();
        let (inputs, label) = match kind {
            SourceKind::ImageTable => self.image_columns(options, &beside),
            SourceKind::Text => self.text_columns(options, &beside),
            _ => self.number_columns(options, &beside, kind == SourceKind::Table),
        }?;
        Ok(Columns { inputs, label, side })
    }

    fn given(&self, column: &Option<super::Column>) -> Result<Option<usize>, DataError> {
        column.as_ref().map(|column| self.header.find(self.path, column)).transpose()
    }

    /// The label: the one given, of a usual name, with named classes; else the last that is not `taken`.
    fn label(&self, options: &SourceOptions, names: &[&str], taken: &[usize]) -> Result<Option<usize>, DataError> {
        if options.unlabelled {
            return Ok(None);
        }
        if let Some(label) = self.given(&options.label)? {
            return Ok(Some(label));
        }
        let is_free = |column: &usize| !taken.contains(column);
        let usual = names.iter().filter_map(|name| self.header.position(name)).find(is_free);
        let classed = || (0..self.width()).find(|c| is_free(c) && self.header.columns[*c].classes.is_some());
        if let Some(label) = usual.or_else(classed) {
            return Ok(Some(label));
        }
        if self.header.noun == "field" {
            return Err(self.header.unknown(self.path, "label"));
        }
        Ok((0..self.width()).rev().find(is_free))
    }

    fn text_columns(&self, options: &SourceOptions, beside: &[usize]) -> Result<(Inputs, Option<usize>), DataError> {
        let (text, mut second) = (self.given(&options.text)?, self.given(&options.text_pair)?);
        let known = self.given(&options.label)?;
        let label = known.or_else(|| self.usual(LABEL_NAMES).filter(|&column| Some(column) != text));
        let first = match text {
            Some(text) => text,
            None if self.are_pairs(options) => {
                second = Some(1);
                0
            }
            None => {
                let usual = self.usual(TEXT_NAMES).filter(|&column| Some(column) != label);
                let name =
                    usual.and_then(|column| self.header.columns[column].name.as_ref()).map(|n| n.to_ascii_lowercase());
                let pair = PAIRS.iter().find(|(first, _)| name.as_deref() == Some(*first));
                second = second.or_else(|| pair.and_then(|(_, second)| self.header.position(second)));
                let is_free =
                    |column: &usize| Some(*column) != label && Some(*column) != second && !beside.contains(column);
                let longest = || (0..self.width()).rev().filter(is_free).max_by_key(|&column| self.characters(column));
                match usual.or_else(longest).filter(|&column| usual.is_some() || self.characters(column) > 0) {
                    Some(column) => column,
                    None if self.header.noun == "field" => return Err(self.header.unknown(self.path, "text")),
                    None => 0,
                }
            }
        };
        let taken: Vec<usize> = [first].into_iter().chain(second).chain(beside.iter().copied()).collect();
        let label = self.label(options, LABEL_NAMES, &taken)?;
        if label.is_none() && !options.unlabelled {
            return Err(DataError::Malformed {
                path: self.path.to_path_buf(),
                place: "the first row".into(),
                expected: "a column of texts and one of labels".into(),
                found: format!("{} column", self.width()),
                hint: "give the character between columns with `delimiter`, if it is another",
            });
        }
        Ok((Inputs::Texts { first, second }, label))
    }

    /// Whether the columns are two texts and a number, without names.
    fn are_pairs(&self, options: &SourceOptions) -> bool {
        let is_open = options.text_pair.is_none() && options.label.is_none() && !options.unlabelled;
        self.header.columns.iter().all(|info| info.name.is_none())
            && self.width() == 3
            && is_open
            && [0, 1].iter().all(|&column| self.mostly(column, is_text))
            && self.mostly(2, is_number)
    }

    fn image_columns(&self, options: &SourceOptions, beside: &[usize]) -> Result<(Inputs, Option<usize>), DataError> {
        let image = match self.given(&options.image)? {
            Some(column) => column,
            None => self.images().ok_or_else(|| self.header.unknown(self.path, "image"))?,
        };
        let label = self.label(options, LABEL_NAMES, &[&[image], beside].concat())?;
        if label.is_none() && !options.unlabelled {
            return Err(self.header.unknown(self.path, "label"));
        }
        Ok((Inputs::Images(image), label))
    }

    fn number_columns(
        &self,
        options: &SourceOptions,
        beside: &[usize],
        is_mixed: bool,
    ) -> Result<(Inputs, Option<usize>), DataError> {
        let mut dropped = beside.to_vec();
        for column in &options.drop_columns {
            dropped.push(self.header.find(self.path, column)?);
        }
        let label = self.label(options, PLAIN_LABEL_NAMES, &dropped)?;
        let features: Vec<usize> =
            (0..self.width()).filter(|column| !dropped.contains(column) && Some(*column) != label).collect();
        if is_mixed {
            return Ok((Inputs::Table(features), label));
        }
        // A column of text alone is a column of another kind, not a thousand bad rows.
        for &column in &features {
            let known: Vec<&Cell> = self.cells(column).filter(|cell| **cell != Cell::Missing).collect();
            let are_numberless = self.rows.len() > 1 && known.iter().all(|cell| cell.number().is_none());
            if let Some(first) = known.first().filter(|_| are_numberless) {
                let found = match first {
                    Cell::Text(text) => format!("text in every row, such as `{text}`"),
                    other => format!("{} in every row", other.kind()),
                };
                return Err(DataError::Malformed {
                    path: self.path.to_path_buf(),
                    place: self.header.name(column),
                    expected: "numbers".into(),
                    found,
                    hint: "leave the column out with `drop-columns`, or train a model for tables: `kind = \"table\"` in `[model]`",
                });
            }
        }
        Ok((Inputs::Numbers(features), label))
    }
}

/// Whether a value is a text rather than a name or a number.
fn is_text(cell: &Cell) -> bool {
    cell.text().is_some_and(|text| text.len() >= 16 || text.contains(char::is_whitespace))
}

fn is_number(cell: &Cell) -> bool {
    cell.number().is_some()
}

//! Rows of tables, whatever the form of the file: columns by name, cells by type, one row after the other.
//!
//! | file | form |
//! | --- | --- |
//! | `delimited` | `.csv`, `.tsv`: values between commas, tabs, semicolons or whatever is given |
//! | `json`, `scan` | `.jsonl`: an object a line; `.json`: an array of objects, or an object with one such array |
//! | `columnar`, `ipc` | `.parquet`; `.arrow` and `.feather`, as file and as stream |
//! | `lines`, `charset` | lines of text in UTF-8, UTF-16, Latin-1 or GB18030, given or found |
//! | `raw` | rows of lines as the bytes that they are |
//!
//! Files of text may be packed as `.gz`. Nothing is read ahead but the first rows, by which columns are told.

pub(super) mod charset;
pub(super) mod columnar;
mod delimited;
pub(super) mod ipc;
mod json;
pub(super) mod lines;
mod raw;
pub(super) mod scan;

pub use charset::TextEncoding;
pub(super) use lines::Look;
pub(crate) use lines::each_line;
pub use raw::raw_rows;

use crate::error::DataError;
use crate::origins::Origins;
use crate::sources::text::TextFormat;
use crate::sources::{Column, SourceOptions, name_of};
use columnar::Columnar;
use delimited::Delimited;
use json::Json;
use std::path::{Path, PathBuf};

/// Rows by which columns are told.
pub(super) const SAMPLE: usize = 200;

/// What stands in a column of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    /// Nothing: an empty value between delimiters, null, a field that is not there.
    Missing,
    Text(String),
    Integer(i64),
    Number(f64),
    Truth(bool),
    Texts(Vec<String>),
    Numbers(Vec<f64>),
    /// An encoded image, in the row or in a file.
    Image {
        bytes: Option<Vec<u8>>,
        path: Option<String>,
    },
    /// Anything else, by its kind.
    Other(&'static str),
}

impl Cell {
    /// What it is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Cell::Missing => "nothing",
            Cell::Text(_) => "a text",
            Cell::Integer(_) | Cell::Number(_) => "a number",
            Cell::Truth(_) => "a truth value",
            Cell::Texts(_) | Cell::Numbers(_) => "an array",
            Cell::Image { .. } => "an image",
            Cell::Other(kind) => kind,
        }
    }

    /// The number that it is, or that its text is.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Cell::Text(text) => text.parse().ok(),
            Cell::Integer(number) => Some(*number as f64),
            Cell::Number(number) => Some(*number),
            Cell::Truth(truth) => Some(f64::from(u8::from(*truth))),
            _ => None,
        }
    }

    /// Its text, where it is one.
    pub(super) fn text(&self) -> Option<&str> {
        if let Cell::Text(text) = self { Some(text) } else { None }
    }
}

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    /// Its first line, or its number, counted from 1.
    pub(super) start: u64,
    /// A cell for each column, or what is wrong with the row.
    pub(super) cells: Result<Vec<Cell>, String>,
}

/// A column as the file describes it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ColumnInfo {
    /// `None` where the file has no names.
    pub(super) name: Option<String>,
    /// Names of classes, where the file says that the column's numbers stand for them.
    pub(super) classes: Option<Vec<String>>,
}

/// What the rows are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Lines of the file.
    Line,
    /// Elements of a JSON array.
    Element,
    /// Rows, of a file without lines.
    Row,
}

impl Unit {
    pub(super) fn name(self) -> &'static str {
        match self {
            Unit::Line => "line",
            Unit::Element => "element",
            Unit::Row => "row",
        }
    }
}

/// What is known of the columns before the rows are read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Header {
    pub(super) columns: Vec<ColumnInfo>,
    /// What a column is called: `column`, `field`.
    pub(super) noun: &'static str,
    pub(super) unit: Unit,
    /// What the file is, for descriptions.
    pub(super) form: String,
}

impl Header {
    /// A column's name in messages.
    pub(super) fn name(&self, column: usize) -> String {
        match self.columns.get(column).and_then(|info| info.name.as_ref()) {
            Some(name) => format!("{} `{name}`", self.noun),
            None => format!("{} {column}", self.noun),
        }
    }

    /// The place of a column with this name, upper or lower case.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        let is_it = |info: &ColumnInfo| info.name.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(name));
        self.columns.iter().position(is_it)
    }

    /// The place of a column that is asked for.
    pub(super) fn find(&self, path: &Path, column: &Column) -> Result<usize, DataError> {
        let (found, name) = match column {
            Column::Index(index) => (Some(*index).filter(|i| *i < self.columns.len()), index.to_string()),
            Column::Name(name) => (self.columns.iter().position(|info| info.name.as_ref() == Some(name)), name.clone()),
        };
        found.ok_or_else(|| self.unknown(path, name))
    }

    /// An error: there is no such column.
    pub(super) fn unknown(&self, path: &Path, name: impl Into<String>) -> DataError {
        let names: Vec<String> = self.columns.iter().filter_map(|info| info.name.clone()).collect();
        let known = if names.is_empty() {
            vec![format!("{}s 0 to {} without names", self.noun, self.columns.len().saturating_sub(1))]
        } else {
            names
        };
        DataError::UnknownName { path: path.to_path_buf(), what: self.noun, name: name.into(), known }
    }
}

/// The rows of a file, the first of which are known.
pub(super) struct Table {
    pub(super) path: PathBuf,
    pub(super) header: Header,
    /// The first rows.
    pub(super) sample: Vec<Record>,
    rest: Rows,
}

enum Rows {
    Delimited(Box<Delimited>),
    Json(Box<Json>),
    Columnar(Box<Columnar>),
}

impl Table {
    /// Opens a file of the form that is given or that its name tells.
    ///
    /// # Errors
    /// A file that cannot be read, is of another form, or has no rows.
    pub(super) fn open(path: &Path, options: &SourceOptions, look: Look) -> Result<Table, DataError> {
        let table = Table::open_part(path, options, look)?;
        match table.is_empty() {
            true => Err(DataError::NoExamples { place: path.display().to_string() }),
            false => Ok(table),
        }
    }

    /// The same of one of several files, which may have no rows.
    pub(super) fn open_part(path: &Path, options: &SourceOptions, look: Look) -> Result<Table, DataError> {
        let format = options.format.filter(|format| format.is_table());
        let (header, sample, rest) = match format.or_else(|| TextFormat::of_table(&name_of(path))) {
            Some(TextFormat::Parquet) => opened(Columnar::parquet(path)?, Rows::Columnar)?,
            Some(TextFormat::Arrow) => opened(Columnar::arrow(path)?, Rows::Columnar)?,
            Some(TextFormat::Jsonl | TextFormat::Json) => opened(Json::open(path, options, look)?, Rows::Json)?,
            _ => opened(Delimited::open(path, options, look)?, Rows::Delimited)?,
        };
        let table = Table { path: path.to_path_buf(), header, sample, rest };
        match table.sample.first() {
            Some(first) if table.header.columns.is_empty() => Err(DataError::Malformed {
                path: path.to_path_buf(),
                place: format!("{} {}", table.header.unit.name(), first.start),
                expected: table.header.form.clone(),
                found: first.cells.clone().err().unwrap_or_else(|| "no columns".to_owned()),
                hint: "name the form with `format`, if it is another",
            }),
            _ => Ok(table),
        }
    }

    /// Whether there are no rows.
    pub(super) fn is_empty(&self) -> bool {
        self.sample.is_empty()
    }

    /// Where rows stand that begin on these lines.
    pub(super) fn origins(&self, starts: Vec<u64>, end: u64) -> Origins {
        match self.header.unit {
            Unit::Line => Origins::Lines { path: self.path.clone(), starts, end },
            Unit::Element => Origins::Elements { path: self.path.clone() },
            Unit::Row => Origins::Rows { path: self.path.clone() },
        }
    }

    /// Gives every row to `each`, in order, with the cells of `columns` alone; those of other columns are [`Cell::Missing`]. The line
    /// behind the last row.
    ///
    /// # Errors
    /// A file that cannot be read on, and errors of `each`.
    pub(super) fn for_each(
        &mut self,
        columns: &[usize],
        mut each: impl FnMut(Record) -> Result<(), DataError>,
    ) -> Result<u64, DataError> {
        for record in std::mem::take(&mut self.sample) {
            each(record)?;
        }
        let width = self.header.columns.len();
        let wanted: Vec<bool> = (0..width).map(|column| columns.contains(&column)).collect();
        match &mut self.rest {
            Rows::Delimited(rows) => {
                while let Some(record) = rows.next(Some(&wanted))? {
                    each(record)?;
                }
                Ok(rows.end())
            }
            Rows::Json(rows) => {
                while let Some(record) = rows.next()? {
                    each(record)?;
                }
                Ok(rows.end())
            }
            Rows::Columnar(rows) => {
                while let Some(record) = rows.next(Some(&wanted))? {
                    each(record)?;
                }
                Ok(rows.end())
            }
        }
    }
}

/// A table of text as it stands in the file, for those who look at it rather than train on it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TextTable {
    /// Names of the columns; empty where the file has none.
    pub header: Vec<String>,
    /// Number of columns.
    pub width: usize,
    /// The rows, broken ones included.
    pub rows: Vec<TextRow>,
    /// The line behind the last one.
    pub end: u64,
}

/// A row of a table of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextRow {
    /// The line that it begins on, counted from 1.
    pub line: u64,
    /// Its values; as far as they can be told where there is a problem.
    pub cells: Vec<String>,
    /// Why it cannot be used: another number of values than there are columns, broken bytes or quotation marks.
    pub problem: Option<String>,
}

impl TextTable {
    /// Reads a table of values between delimiters, see [`SourceOptions`] for what may be said about it.
    ///
    /// # Errors
    /// A file that cannot be read, or has no rows.
    pub fn read(path: &Path, options: &SourceOptions) -> Result<TextTable, DataError> {
        let table = Delimited::table(path, options)?;
        if table.rows.is_empty() {
            return Err(DataError::NoExamples { place: path.display().to_string() });
        }
        Ok(table)
    }
}

fn opened<T>(
    (rows, header, sample): (T, Header, Vec<Record>),
    kind: impl Fn(Box<T>) -> Rows,
) -> Result<(Header, Vec<Record>, Rows), DataError> {
    Ok((header, sample, kind(Box::new(rows))))
}

//! [`Table`]: rows of a table as they stand in the file, numbers and texts alike.
//!
//! Training reads the same files by [`retune_data::sources`], which wants numbers; what is wrong with a table is told by the
//! cells as they are.

use crate::error::AuditError;
use crate::text_file;
use csv::StringRecord;
use retune_data::BadExample;
use retune_data::origins::record_lines;
use retune_data::sources::Column;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Names of columns that hold the label.
const LABEL_NAMES: &[&str] = &["label", "class", "target", "y"];
/// Most different whole numbers that are taken for classes.
const MOST_CLASSES: usize = 100;
/// Rows that tell the delimiter and whether the first one is a header.
const SAMPLE: usize = 200;

/// Rows of a table.
#[derive(Debug)]
pub struct Table {
    path: PathBuf,
    header: Vec<String>,
    rows: Vec<StringRecord>,
    /// The line that each row begins on.
    lines: Vec<u64>,
    width: usize,
    label: Option<usize>,
    classes: Option<Vec<String>>,
    end: u64,
}

/// How a table is to be read, where the file leaves it open.
#[derive(Debug, Clone, Default)]
pub struct TableOptions {
    /// The column of labels. Default: one of a usual name, else the last.
    pub label: Option<Column>,
    /// Whether the first row names the columns. Default: found.
    pub header: Option<bool>,
}

impl Table {
    /// Reads a table.
    ///
    /// # Errors
    /// A file that cannot be read, has no rows, or lacks the column named.
    pub fn read(path: &Path, options: &TableOptions) -> Result<Table, AuditError> {
        let text = text_file::read(path)?;
        let wrong = |expected: &str, found: String| AuditError::Table {
            path: path.to_path_buf(),
            expected: expected.to_owned(),
            found,
        };
        let delimiter = delimiter(&text);
        let mut reader = csv::ReaderBuilder::new();
        let reader = reader.has_headers(false).flexible(true).trim(csv::Trim::All).delimiter(delimiter);
        let rows: Result<Vec<StringRecord>, _> = reader.from_reader(text.as_bytes()).records().collect();
        let mut rows = rows.map_err(|error| wrong("columns of text", error.to_string()))?;
        let mut lines = record_lines(&text, rows.iter().map(|row| row.position().map_or(0, csv::Position::byte)));
        let has_header = !rows.is_empty() && options.header.unwrap_or_else(|| looks_like_header(&rows));
        let header: Vec<String> =
            if has_header { rows.remove(0).iter().map(str::to_owned).collect() } else { Vec::new() };
        lines.drain(..usize::from(has_header));
        let Some(first) = rows.first() else { return Err(wrong("rows", "none".into())) };
        let width = if has_header { header.len() } else { first.len() };
        let position = |name: &str| header.iter().position(|column| column.eq_ignore_ascii_case(name));
        let label = match &options.label {
            Some(Column::Index(index)) if *index < width => Some(*index),
            Some(Column::Name(name)) if position(name).is_some() => position(name),
            Some(Column::Index(index)) => {
                return Err(wrong(&format!("a column {index}"), format!("columns 0 to {}", width.saturating_sub(1))));
            }
            Some(Column::Name(name)) => return Err(wrong(&format!("a column `{name}`"), header.join(", "))),
            None => LABEL_NAMES.iter().find_map(|name| position(name)).or(width.checked_sub(1)),
        };
        let end = text.split('\n').count() as u64 + 1;
        let mut table = Table { path: path.to_path_buf(), header, rows, lines, width, label, classes: None, end };
        table.classes = table.find_classes();
        Ok(table)
    }

    /// The rows, bad ones included, without the header.
    pub fn rows(&self) -> &[StringRecord] {
        &self.rows
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Name of a column: that of the header, else its number.
    pub fn column_name(&self, column: usize) -> String {
        self.header.get(column).cloned().unwrap_or_else(|| column.to_string())
    }

    /// The column of labels.
    pub fn label_column(&self) -> Option<usize> {
        self.label
    }

    /// What the table is, in words.
    pub fn description(&self) -> String {
        format!("{} ({} rows of {} columns)", self.path.display(), self.rows.len(), self.width)
    }

    /// Whether a row has as many columns as the table, and a label.
    pub fn is_whole(&self, index: usize) -> bool {
        self.problem(index).is_none()
    }

    fn problem(&self, index: usize) -> Option<String> {
        let row = &self.rows[index];
        if row.len() != self.width {
            return Some(format!("expected {} columns, found {}", self.width, row.len()));
        }
        let label = self.label?;
        row[label].is_empty().then(|| format!("column `{}`: the label is missing", self.column_name(label)))
    }

    /// Rows of another width than the table, and those without label.
    pub fn bad_rows(&self) -> Vec<BadExample> {
        let bad = |index: usize| {
            let place = format!("{}, line {}", self.path.display(), self.line(index));
            Some(BadExample { id: index as u64, place, reason: self.problem(index)? })
        };
        (0..self.rows.len()).filter_map(bad).collect()
    }

    /// The line that a row begins on, counted from 1.
    pub fn line(&self, index: usize) -> u64 {
        self.lines[index]
    }

    /// The lines of a row, up to the next one.
    pub fn lines(&self, index: usize) -> std::ops::Range<u64> {
        self.line(index)..if index + 1 < self.rows.len() { self.line(index + 1) } else { self.end }
    }

    /// The cells of a row.
    pub fn cells(&self, index: usize) -> Vec<&str> {
        self.rows[index].iter().collect()
    }

    /// One cell; `None` where the row is shorter.
    pub fn cell(&self, index: usize, column: usize) -> Option<&str> {
        self.rows[index].get(column)
    }

    /// The label of a row.
    pub fn label(&self, index: usize) -> Option<&str> {
        self.cell(index, self.label?)
    }

    /// Names of the classes, where labels are classes: texts, or whole numbers of at most 100 different values on at least twice
    /// as many rows.
    pub fn class_names(&self) -> Option<&[String]> {
        self.classes.as_deref()
    }

    /// The class of a row.
    pub fn class_of(&self, index: usize) -> Option<usize> {
        let label = self.label(index)?;
        self.classes.as_ref()?.binary_search_by(|name| name.as_str().cmp(label)).ok()
    }

    fn find_classes(&self) -> Option<Vec<String>> {
        let labels = || (0..self.rows.len()).filter(|&i| self.is_whole(i)).filter_map(|i| self.label(i));
        let distinct: BTreeSet<&str> = labels().collect();
        let is_numeric = distinct.iter().all(|label| label.parse::<f64>().is_ok());
        let is_whole = distinct.iter().all(|label| label.parse::<i64>().is_ok());
        let are_few = distinct.len() <= MOST_CLASSES && distinct.len() * 2 <= self.rows.len();
        let are_classes = !distinct.is_empty()
            && if is_numeric { is_whole && are_few } else { distinct.len() * 2 <= self.rows.len() };
        are_classes.then(|| distinct.into_iter().map(str::to_owned).collect())
    }
}

/// The one of tab, semicolon and comma that gives the first lines the same number of columns, at least two, most often.
fn delimiter(text: &str) -> u8 {
    let sample: String = text.split_inclusive('\n').take(SAMPLE).collect();
    let agreeing = |delimiter: u8| {
        let mut reader = csv::ReaderBuilder::new();
        let reader = reader.has_headers(false).flexible(true).delimiter(delimiter);
        let widths: Vec<usize> = reader.from_reader(sample.as_bytes()).records().flatten().map(|r| r.len()).collect();
        let first = widths.first().copied().filter(|&width| width > 1);
        widths.iter().filter(|&&width| Some(width) == first).count()
    };
    // The last of equals wins, so that a file of one column has the comma.
    [b'\t', b';', b','].into_iter().max_by_key(|&delimiter| agreeing(delimiter)).unwrap_or(b',')
}

/// Whether some column has text in the first row and mostly numbers below it, or the first row a usual name of a label.
fn looks_like_header(rows: &[StringRecord]) -> bool {
    let is_number = |text: &str| text.parse::<f64>().is_ok();
    let Some((first, rest)) = rows.split_first().filter(|(_, rest)| !rest.is_empty()) else { return false };
    let rest = &rest[..rest.len().min(SAMPLE)];
    let numbers = |column: usize| rest.iter().filter_map(|row| row.get(column)).filter(|text| is_number(text)).count();
    let is_usual = |name: &str| LABEL_NAMES.contains(&name.to_ascii_lowercase().as_str());
    first.iter().any(is_usual)
        || (0..first.len()).any(|column| {
            first.get(column).is_some_and(|text| !is_number(text) && !text.is_empty())
                && numbers(column) * 2 > rest.len()
        })
}

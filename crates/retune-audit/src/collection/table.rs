//! [`Table`]: rows of a table as they stand in the file, numbers and texts alike.
//!
//! Training reads the same files by [`retune_data::sources`], which wants numbers; what is wrong with a table is told by the
//! cells as they are.

use crate::error::AuditError;
use retune_data::sources::{Column, TextRow, TextTable};
use retune_data::{BadExample, SourceOptions};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Names of columns that hold the label.
const LABEL_NAMES: &[&str] = &["label", "class", "target", "y"];
/// Most different whole numbers that are taken for classes.
const MOST_CLASSES: usize = 100;

/// Rows of a table.
#[derive(Debug)]
pub struct Table {
    path: PathBuf,
    header: Vec<String>,
    rows: Vec<TextRow>,
    width: usize,
    label: Option<usize>,
    classes: Option<Vec<String>>,
    end: u64,
}

impl Table {
    /// Reads a table, as training does.
    ///
    /// # Errors
    /// A file that cannot be read, has no rows, or lacks the column named.
    pub fn read(path: &Path, options: &SourceOptions) -> Result<Table, AuditError> {
        let TextTable { header, width, rows, end } = TextTable::read(path, options)?;
        let wrong = |expected: String, found: String| AuditError::Table { path: path.to_path_buf(), expected, found };
        let position = |name: &str| header.iter().position(|column| column.eq_ignore_ascii_case(name));
        let label = match &options.label {
            Some(Column::Index(index)) if *index < width => Some(*index),
            Some(Column::Name(name)) if position(name).is_some() => position(name),
            Some(Column::Index(index)) => {
                return Err(wrong(format!("a column {index}"), format!("columns 0 to {}", width.saturating_sub(1))));
            }
            Some(Column::Name(name)) => return Err(wrong(format!("a column `{name}`"), header.join(", "))),
            None => LABEL_NAMES.iter().find_map(|name| position(name)).or(width.checked_sub(1)),
        };
        let mut table = Table { path: path.to_path_buf(), header, rows, width, label, classes: None, end };
        table.classes = table.find_classes();
        Ok(table)
    }

    /// The rows, bad ones included, without the header.
    pub fn rows(&self) -> &[TextRow] {
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
        if let Some(problem) = &row.problem {
            return Some(problem.clone());
        }
        let label = self.label?;
        row.cells[label].is_empty().then(|| format!("column `{}`: the label is missing", self.column_name(label)))
    }

    /// Broken rows, those of another width than the table, and those without label.
    pub fn bad_rows(&self) -> Vec<BadExample> {
        let bad = |index: usize| {
            let place = format!("{}, line {}", self.path.display(), self.line(index));
            Some(BadExample { id: index as u64, place, reason: self.problem(index)? })
        };
        (0..self.rows.len()).filter_map(bad).collect()
    }

    /// The line that a row begins on, counted from 1.
    pub fn line(&self, index: usize) -> u64 {
        self.rows[index].line
    }

    /// The lines of a row, up to the next one.
    pub fn lines(&self, index: usize) -> std::ops::Range<u64> {
        self.line(index)..if index + 1 < self.rows.len() { self.line(index + 1) } else { self.end }
    }

    /// The cells of a row.
    pub fn cells(&self, index: usize) -> Vec<&str> {
        self.rows[index].cells.iter().map(String::as_str).collect()
    }

    /// One cell; `None` where the row is shorter.
    pub fn cell(&self, index: usize, column: usize) -> Option<&str> {
        self.rows[index].cells.get(column).map(String::as_str)
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

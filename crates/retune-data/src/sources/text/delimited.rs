//! Texts in tables: columns between commas, tabs or semicolons.
//!
//! Which columns hold the texts and the label is named, or found:
//!
//! - the text: a column of a usual name (`text`, `sentence`, …), else the one whose values are longest in the mean;
//! - the second text of a pair: `sentence2` beside `sentence1`, `text_b` beside `text_a`; in a table of three columns without names, of
//!   which one holds numbers and two hold texts, these two; else none;
//! - the label: a column of a usual name (`label`, `score`, …), else the last of the others.
//!
//! A quotation mark at the beginning of a value quotes it in `.csv` files. Between tabs it does so only where the file's every
//! value that begins with one also ends with one on the same line: tab-separated files are often written without quoting.

use super::examples::{RawExample, RawLabel, Rows};
use super::{LABEL_NAMES, PAIRS, TEXT_NAMES};
use crate::error::DataError;
use crate::origins::record_lines;
use crate::side::{SideColumn, SideColumns};
use crate::sources::table::looks_like_header;
use crate::sources::{Column, SourceOptions, name_of};
use csv::StringRecord;
use std::path::Path;

/// Lines that tell delimiter, header and columns.
const SAMPLE: usize = 200;

/// The columns that are read.
struct Columns {
    first: usize,
    second: Option<usize>,
    label: Option<usize>,
    side: Vec<(SideColumn, usize)>,
}

pub(super) fn read(path: &Path, text: &str, options: &SourceOptions) -> Result<Rows, DataError> {
    let delimiter = delimiter(&name_of(path), text);
    let is_quoted = delimiter != b'\t' || quotes_in_pairs(text);
    let mut records: Vec<StringRecord> = Vec::new();
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .delimiter(delimiter)
        .quoting(is_quoted)
        .from_reader(text.as_bytes());
    for record in reader.records() {
        records.push(record.map_err(|e| DataError::Malformed {
            path: path.to_path_buf(),
            place: e.position().map_or("text".into(), |p| format!("line {}", p.line())),
            expected: "columns of text".into(),
            found: e.to_string(),
            hint: "name the form with `format`, if it is another",
        })?);
    }
    let end = text.split('\n').count() as u64 + 1;
    let mut lines = record_lines(text, records.iter().map(|record| record.position().map_or(0, csv::Position::byte)));
    let has_header = !records.is_empty() && options.header.unwrap_or_else(|| is_header(&records, options));
    let header = if has_header { records.remove(0) } else { StringRecord::new() };
    lines.drain(..usize::from(has_header));
    let Some(row) = records.first() else { return Err(DataError::NoExamples { place: path.display().to_string() }) };
    let width = if has_header { header.len() } else { row.len() };
    let table = Table { path, header: &header, records: &records, width };
    let columns = table.columns(options)?;
    let mut rows = Rows::new(table.form(delimiter, &columns), columns.second.is_some());
    for (index, record) in records.iter().enumerate() {
        let next = lines.get(index + 1).copied().unwrap_or(end);
        rows.rows.push((lines[index]..next, table.row(record, &columns)));
    }
    Ok(rows)
}

/// Whether some column's values are texts, of several words or at least 16 bytes, and at most one column's are numbers.
pub(super) fn holds_texts(name: &str, text: &str) -> bool {
    let delimiter = delimiter(name, text);
    let mut reader = csv::ReaderBuilder::new();
    let reader = reader.has_headers(false).flexible(true).trim(csv::Trim::All).delimiter(delimiter);
    let reader = reader.quoting(delimiter != b'\t' || quotes_in_pairs(text));
    let records: Vec<StringRecord> = reader.from_reader(text.as_bytes()).records().flatten().take(SAMPLE).collect();
    let mostly = |column: usize, is: &dyn Fn(&str) -> bool| mostly(&records, column, is);
    let width = records.first().map_or(0, StringRecord::len);
    let numbers = (0..width).filter(|&column| mostly(column, &|field| field.parse::<f64>().is_ok())).count();
    width > 1 && numbers <= 1 && (0..width).any(|column| mostly(column, &is_text))
}

/// Whether more than half of the first values of a column are of a kind.
fn mostly(records: &[StringRecord], column: usize, is: &dyn Fn(&str) -> bool) -> bool {
    let sample = &records[..records.len().min(SAMPLE)];
    2 * sample.iter().filter_map(|record| record.get(column)).filter(|field| is(field)).count() > sample.len()
}

/// Whether a value is a text rather than a name or a number.
fn is_text(field: &str) -> bool {
    field.len() >= 16 || field.contains(char::is_whitespace)
}

/// Tab for `.tsv`, else the one of tab, comma and semicolon that gives the first lines the same number of columns, at least two,
/// most often.
fn delimiter(name: &str, text: &str) -> u8 {
    let name = name.to_ascii_lowercase();
    if name.ends_with(".tsv") || name.ends_with(".tsv.gz") {
        return b'\t';
    }
    let sample: Vec<&str> = text.lines().take(SAMPLE).collect();
    let agreeing = |delimiter: u8| {
        let mut reader = csv::ReaderBuilder::new();
        let reader = reader.has_headers(false).flexible(true).delimiter(delimiter);
        let joined = sample.join("\n");
        let widths: Vec<usize> = reader.from_reader(joined.as_bytes()).records().flatten().map(|r| r.len()).collect();
        let first = widths.first().copied().filter(|&width| width > 1);
        widths.iter().filter(|&&width| Some(width) == first).count()
    };
    // The last of equals wins, so that a file of one column has the comma.
    [b'\t', b';', b','].into_iter().max_by_key(|&delimiter| agreeing(delimiter)).unwrap_or(b',')
}

/// Whether quotation marks between tabs quote.
fn quotes_in_pairs(text: &str) -> bool {
    let quoted = |field: &str| {
        let field = field.trim();
        field
            .starts_with('"')
            .then(|| field.len() > 1 && field.ends_with('"') && field.matches('"').count().is_multiple_of(2))
    };
    let mut found = text.lines().flat_map(|line| line.split('\t')).filter_map(quoted).peekable();
    found.peek().is_some() && found.all(|closed| closed)
}

/// Whether the first row names the columns: it must, where a column is named; it has a usual name; or text above numbers.
fn is_header(records: &[StringRecord], options: &SourceOptions) -> bool {
    let named = [&options.text, &options.text_pair, &options.label, &options.group, &options.time, &options.weight];
    let usual = |field: &str| {
        let field = field.to_ascii_lowercase();
        TEXT_NAMES.contains(&field.as_str()) || LABEL_NAMES.contains(&field.as_str())
    };
    named.into_iter().flatten().any(|column| matches!(column, Column::Name(_)))
        || records[0].iter().any(usual)
        || looks_like_header(records)
}

struct Table<'a> {
    path: &'a Path,
    header: &'a StringRecord,
    records: &'a [StringRecord],
    width: usize,
}

impl Table<'_> {
    fn name(&self, column: usize) -> String {
        match self.header.get(column) {
            Some(name) => format!("column `{name}`"),
            None => format!("column {column}"),
        }
    }

    fn form(&self, delimiter: u8, columns: &Columns) -> String {
        let between = match delimiter {
            b'\t' => "tabs",
            b';' => "semicolons",
            _ => "commas",
        };
        let mut form = format!("between {between}; text: {}", self.name(columns.first));
        for (what, column) in [("second text", columns.second), ("label", columns.label)] {
            form.extend(column.map(|column| format!(", {what}: {}", self.name(column))));
        }
        form
    }

    fn find(&self, column: &Column) -> Result<usize, DataError> {
        let (found, name) = match column {
            Column::Index(index) => (Some(*index).filter(|i| *i < self.width), index.to_string()),
            Column::Name(name) => (self.header.iter().position(|c| c == name), name.clone()),
        };
        found.ok_or_else(|| DataError::UnknownName {
            path: self.path.to_path_buf(),
            what: "column",
            name,
            known: match self.header.len() {
                0 => vec![format!("columns 0 to {} without names", self.width - 1)],
                _ => self.header.iter().map(str::to_owned).collect(),
            },
        })
    }

    fn columns(&self, options: &SourceOptions) -> Result<Columns, DataError> {
        let given = |column: &Option<Column>| column.as_ref().map(|column| self.find(column)).transpose();
        let usual = |names: &[&str]| {
            names.iter().find_map(|name| self.header.iter().position(|column| column.eq_ignore_ascii_case(name)))
        };
        let (text, mut second, label) = (given(&options.text)?, given(&options.text_pair)?, given(&options.label)?);
        let side: Vec<(SideColumn, usize)> = SideColumns::wanted(options)
            .map(|(side, column)| Ok((side, self.find(column)?)))
            .collect::<Result<_, DataError>>()?;
        let is_side = |column: usize| side.iter().any(|(_, other)| *other == column);
        let label = label.or_else(|| usual(LABEL_NAMES).filter(|&column| Some(column) != text));
        let first = match text {
            Some(text) => text,
            None if self.are_pairs(options) => {
                second = Some(1);
                0
            }
            None => {
                let usual = usual(TEXT_NAMES).filter(|&column| Some(column) != label);
                let name = usual.and_then(|column| self.header.get(column)).map(str::to_ascii_lowercase);
                let pair = PAIRS.iter().find(|(first, _)| name.as_deref() == Some(*first));
                second = second.or_else(|| {
                    pair.and_then(|(_, second)| self.header.iter().position(|c| c.eq_ignore_ascii_case(second)))
                });
                let taken = |column: &usize| Some(*column) != label && Some(*column) != second && !is_side(*column);
                let longest = || (0..self.width).rev().filter(taken).max_by_key(|&column| self.characters(column));
                usual.or_else(longest).unwrap_or(0)
            }
        };
        let others = |column: &usize| *column != first && Some(*column) != second && !is_side(*column);
        let label = label.or_else(|| (0..self.width).rev().find(others)).filter(|_| !options.unlabelled);
        if label.is_none() && !options.unlabelled {
            return Err(DataError::Malformed {
                path: self.path.to_path_buf(),
                place: "the first row".into(),
                expected: "a column of texts and one of labels".into(),
                found: format!("{} column", self.width),
                hint: "name the delimiter's kind by the file's name: `.csv` or `.tsv`",
            });
        }
        Ok(Columns { first, second, label, side })
    }

    /// Whether the columns are two texts and a number, without names.
    fn are_pairs(&self, options: &SourceOptions) -> bool {
        let is_open = options.text_pair.is_none() && options.label.is_none() && !options.unlabelled;
        let is_number = |field: &str| field.parse::<f64>().is_ok();
        self.header.is_empty()
            && self.width == 3
            && is_open
            && [0, 1].iter().all(|&column| mostly(self.records, column, &is_text))
            && mostly(self.records, 2, &is_number)
    }

    /// Characters of a column in the first rows.
    fn characters(&self, column: usize) -> usize {
        self.records.iter().take(SAMPLE).filter_map(|row| row.get(column)).map(|text| text.chars().count()).sum()
    }

    fn row(&self, record: &StringRecord, columns: &Columns) -> Result<RawExample, String> {
        if record.len() != self.width {
            return Err(format!("expected {} columns, found {}", self.width, record.len()));
        }
        let field = |column: usize, what: &str| match record.get(column) {
            Some("") | None => Err(format!("{}: the {what} is missing", self.name(column))),
            Some(text) => Ok(text.to_owned()),
        };
        Ok(RawExample {
            first: field(columns.first, "text")?,
            second: columns.second.map(|column| field(column, "second text")).transpose()?,
            label: columns.label.map(|column| field(column, "label")).transpose()?.map(RawLabel::One),
            side: columns
                .side
                .iter()
                .map(|&(side, column)| Ok((side, field(column, side.name())?)))
                .collect::<Result<_, String>>()?,
        })
    }
}

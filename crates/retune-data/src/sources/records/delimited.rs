//! Columns between commas, tabs, semicolons, bars, or the delimiter given.
//!
//! A quotation mark at the beginning of a value quotes it: delimiters and line ends inside belong to the value, and two marks stand for
//! one. Between tabs it does so only where every value of the beginning that begins with one also ends with one on the same line, as
//! tab-separated files are often written without quoting. White space around values is left out, and so are lines without values.
//!
//! A mark that is never closed spoils its own line alone: the lines behind it are read as rows.

use super::lines::{Line, Lines, Look};
use super::{Cell, ColumnInfo, Header, Record, SAMPLE, TextRow, TextTable, Unit};
use crate::error::DataError;
use crate::sources::columns::{LABEL_NAMES, TEXT_NAMES, is_image_column_name};
use crate::sources::{Column, SourceOptions, name_of};
use std::collections::VecDeque;
use std::path::Path;

/// Bytes of the beginning that tell delimiter and quoting.
const SAMPLE_BYTES: usize = 1 << 20;
/// Bytes of the longest row whose quoted value goes over several lines.
const MAX_ROW: usize = 1 << 24;

/// The values of a row with the line that it begins on, or what is wrong with it.
type Fields = (u64, Result<Vec<String>, String>);

/// How columns are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Dialect {
    delimiter: u8,
    is_quoted: bool,
}

impl Dialect {
    fn find(name: &str, lines: &[Line], given: Option<char>) -> Dialect {
        let lines: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        let given = given.and_then(|given| u8::try_from(given).ok());
        let delimiter = given.unwrap_or_else(|| delimiter(name, &lines));
        Dialect { delimiter, is_quoted: delimiter != b'\t' || quotes_in_pairs(&lines) }
    }
}

/// Rows of a file of delimited values.
pub(super) struct Delimited {
    lines: Lines,
    /// Lines that were read ahead.
    held: VecDeque<Line>,
    dialect: Dialect,
    width: usize,
    /// The line behind the last one read.
    end: u64,
}

impl Delimited {
    /// Opens a file: the rows behind the first ones, what the header says, and the first rows.
    pub(super) fn open(
        path: &Path,
        options: &SourceOptions,
        look: Look,
    ) -> Result<(Delimited, Header, Vec<Record>), DataError> {
        let (rows, header, first) = Delimited::begin(path, options, look)?;
        let sample = first.into_iter().map(|(start, fields)| rows.record(start, fields, None)).collect();
        Ok((rows, header, sample))
    }

    /// The whole table as it stands in the file.
    pub(super) fn table(path: &Path, options: &SourceOptions) -> Result<TextTable, DataError> {
        let (mut rows, header, mut all) = Delimited::begin(path, options, Look::Whole)?;
        while let Some(row) = rows.next_fields()? {
            all.push(row);
        }
        let row = |(line, fields): Fields| match fields {
            Ok(cells) => TextRow { line, problem: rows.wrong_width(&cells), cells },
            Err(problem) => TextRow { line, cells: Vec::new(), problem: Some(problem) },
        };
        let names = header.columns.into_iter().filter_map(|info| info.name).collect();
        Ok(TextTable { header: names, width: rows.width, rows: all.into_iter().map(row).collect(), end: rows.end })
    }

    fn begin(path: &Path, options: &SourceOptions, look: Look) -> Result<(Delimited, Header, Vec<Fields>), DataError> {
        let mut lines = Lines::open(path, options.encoding, look)?;
        let (mut held, mut bytes) = (VecDeque::new(), 0);
        while bytes < SAMPLE_BYTES {
            let Some(line) = lines.next()? else { break };
            bytes += line.text.len();
            held.push_back(line);
        }
        let dialect = Dialect::find(&name_of(path), held.make_contiguous(), options.delimiter);
        let encoding = lines.encoding();
        let mut rows = Delimited { lines, held, dialect, width: 0, end: 1 };
        let mut first = Vec::new();
        while first.len() <= SAMPLE {
            match rows.next_fields()? {
                Some(row) => first.push(row),
                None => break,
            }
        }
        let has_header = !first.is_empty() && options.header.unwrap_or_else(|| is_header(&first, options));
        let names: Option<Vec<String>> = match has_header {
            true => Some(first.remove(0).1.map_err(|found| DataError::Malformed {
                path: path.to_path_buf(),
                place: "the first row".to_owned(),
                expected: "the names of columns".to_owned(),
                found,
                hint: "mend it, or say with `header = false` that there are none",
            })?),
            false => None,
        };
        // A row that is wrong in itself does not tell how many columns there are.
        let width =
            names.as_ref().map(Vec::len).or_else(|| first.iter().find_map(|(_, row)| Some(row.as_ref().ok()?.len())));
        rows.width = width.unwrap_or(0);
        let named = |names: Vec<String>| {
            names.into_iter().map(|name| ColumnInfo { name: Some(name), classes: None }).collect::<Vec<_>>()
        };
        let columns = names.map_or_else(|| vec![ColumnInfo::default(); rows.width], named);
        let between = match dialect.delimiter {
            b'\t' => "tabs".to_owned(),
            b';' => "semicolons".to_owned(),
            b',' => "commas".to_owned(),
            b'|' => "bars".to_owned(),
            other => format!("`{}`", char::from(other)),
        };
        let mut form = format!("between {between}");
        if encoding != super::TextEncoding::Utf8 {
            form.push_str(&format!(", {encoding}"));
        }
        Ok((rows, Header { columns, noun: "column", unit: Unit::Line, form }, first))
    }

    /// The next row.
    pub(super) fn next(&mut self, wanted: Option<&[bool]>) -> Result<Option<Record>, DataError> {
        Ok(self.next_fields()?.map(|(start, fields)| self.record(start, fields, wanted)))
    }

    /// The line behind the last one.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    fn record(&self, start: u64, fields: Result<Vec<String>, String>, wanted: Option<&[bool]>) -> Record {
        let cells = fields.and_then(|fields| {
            if let Some(problem) = self.wrong_width(&fields) {
                return Err(problem);
            }
            let cell = |(column, field): (usize, String)| match field {
                _ if wanted.is_some_and(|wanted| !wanted[column]) => Cell::Missing,
                field if field.is_empty() => Cell::Missing,
                field => Cell::Text(field),
            };
            Ok(fields.into_iter().enumerate().map(cell).collect())
        });
        Record { start, cells }
    }

    fn wrong_width(&self, fields: &[String]) -> Option<String> {
        let found = fields.len();
        (found != self.width).then(|| format!("expected {} columns, found {found}", self.width))
    }

    fn next_line(&mut self) -> Result<Option<Line>, DataError> {
        let line = match self.held.pop_front() {
            Some(line) => Some(line),
            None => self.lines.next()?,
        };
        if let Some(line) = &line {
            self.end = self.end.max(line.number + 1);
        }
        Ok(line)
    }

    /// The values of the next row, with the line that it begins on.
    fn next_fields(&mut self) -> Result<Option<Fields>, DataError> {
        let first = loop {
            match self.next_line()? {
                None => return Ok(None),
                Some(line) if line.problem.is_none() && line.text.trim_matches([' ', '\r', '\n']).is_empty() => {}
                Some(line) => break line,
            }
        };
        let start = first.number;
        if let Some(problem) = first.problem {
            return Ok(Some((start, Err(problem))));
        }
        let mut splitter = Splitter::new(self.dialect);
        splitter.feed(&first.text);
        // Lines that a quoted value goes over, in case that it never ends.
        let (mut behind, mut bytes, mut problem) = (Vec::new(), first.text.len(), None);
        while splitter.is_open() {
            let next = if bytes <= MAX_ROW { self.next_line()? } else { None };
            let Some(line) = next else {
                behind.into_iter().rev().for_each(|line| self.held.push_front(line));
                return Ok(Some((start, Err("a quotation mark is never closed".to_owned()))));
            };
            bytes += line.text.len();
            splitter.feed(&line.text);
            problem = problem.or_else(|| line.problem.clone());
            behind.push(line);
        }
        Ok(Some((start, problem.map_or(Ok(splitter.fields), Err))))
    }
}

/// Cuts a row into its values, line by line.
struct Splitter {
    dialect: Dialect,
    fields: Vec<String>,
    value: String,
    is_in_quotes: bool,
}

impl Splitter {
    fn new(dialect: Dialect) -> Splitter {
        Splitter { dialect, fields: Vec::new(), value: String::new(), is_in_quotes: false }
    }

    /// Whether the row goes on in the next line.
    fn is_open(&self) -> bool {
        self.is_in_quotes
    }

    /// Takes a line in, its end included.
    fn feed(&mut self, line: &str) {
        let bytes = line.as_bytes();
        // The row's end without the line's.
        let end = line.trim_end_matches(['\r', '\n']).len();
        let mut at = 0;
        loop {
            if self.is_in_quotes {
                let Some(mark) = bytes[at..].iter().position(|&byte| byte == b'"').map(|mark| at + mark) else {
                    self.value.push_str(&line[at..]);
                    return;
                };
                self.value.push_str(&line[at..mark]);
                at = mark + 1;
                if bytes.get(at) == Some(&b'"') {
                    self.value.push('"');
                    at += 1;
                    continue;
                }
                self.is_in_quotes = false;
            } else if self.value.is_empty() && self.dialect.is_quoted && bytes.get(at) == Some(&b'"') {
                self.is_in_quotes = true;
                at += 1;
                continue;
            }
            // The rest of the value, up to the delimiter.
            let from = at.min(end);
            let found = bytes[from..end].iter().position(|&byte| byte == self.dialect.delimiter);
            let until = found.map_or(end, |found| from + found);
            self.value.push_str(&line[from..until]);
            let value = std::mem::take(&mut self.value);
            self.fields.push(if value.len() == value.trim().len() { value } else { value.trim().to_owned() });
            match found {
                Some(_) => at = until + 1,
                None => return,
            }
        }
    }
}

/// Tab for `.tsv`, else the one of bar, tab, semicolon and comma that gives the first lines the same number of columns, at least two,
/// most often.
fn delimiter(name: &str, lines: &[&str]) -> u8 {
    let name = name.to_ascii_lowercase();
    if name.ends_with(".tsv") || name.ends_with(".tsv.gz") {
        return b'\t';
    }
    let lines = &lines[..lines.len().min(SAMPLE)];
    let agreeing = |delimiter: u8| {
        let (mut widths, mut splitter) = (Vec::new(), None);
        for line in lines {
            let open = splitter.get_or_insert_with(|| Splitter::new(Dialect { delimiter, is_quoted: true }));
            open.feed(line);
            if !open.is_open() {
                widths.push(open.fields.len());
                splitter = None;
            }
        }
        let first = widths.first().copied().filter(|&width| width > 1);
        widths.iter().filter(|&&width| Some(width) == first).count()
    };
    // The last of equals wins, so that a file of one column has the comma.
    [b'|', b'\t', b';', b','].into_iter().max_by_key(|&delimiter| agreeing(delimiter)).unwrap_or(b',')
}

/// Whether quotation marks between tabs quote.
fn quotes_in_pairs(lines: &[&str]) -> bool {
    let quoted = |field: &str| {
        let field = field.trim();
        field
            .starts_with('"')
            .then(|| field.len() > 1 && field.ends_with('"') && field.matches('"').count().is_multiple_of(2))
    };
    let mut found = lines.iter().flat_map(|line| line.split('\t')).filter_map(quoted).peekable();
    found.peek().is_some() && found.all(|closed| closed)
}

/// Whether the first row names the columns: it must, where a column is named; it has a usual name; or text above numbers.
fn is_header(rows: &[Fields], options: &SourceOptions) -> bool {
    let is_named = |column: &Column| matches!(column, Column::Name(_));
    let columns = [&options.text, &options.text_pair, &options.label, &options.image];
    let beside = [&options.group, &options.time, &options.weight];
    if columns.into_iter().chain(beside).flatten().chain(&options.drop_columns).any(is_named) {
        return true;
    }
    let mut rows = rows.iter().map(|(_, row)| row.as_deref().unwrap_or(&[]));
    let first = rows.next().unwrap_or(&[]);
    let is_usual = |field: &String| {
        let field = field.to_ascii_lowercase();
        TEXT_NAMES.contains(&field.as_str()) || LABEL_NAMES.contains(&field.as_str()) || is_image_column_name(&field)
    };
    let is_number = |text: &str| text.parse::<f64>().is_ok();
    let rest: Vec<&[String]> = rows.collect();
    let stands_above_numbers = |(column, field): (usize, &String)| {
        let numbers = rest.iter().filter_map(|row| row.get(column)).filter(|text| is_number(text)).count();
        !is_number(field) && !field.is_empty() && numbers * 2 > rest.len()
    };
    first.iter().any(is_usual) || !rest.is_empty() && first.iter().enumerate().any(stands_above_numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows with the lines they begin on; a row that is wrong as its reason.
    fn rows(name: &str, text: &str, options: &SourceOptions) -> Vec<(u64, Vec<String>)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let options = SourceOptions { header: options.header.or(Some(false)), ..options.clone() };
        let (mut rows, _, sample) = Delimited::open(&path, &options, Look::Whole).unwrap();
        let mut all = sample;
        while let Some(record) = rows.next(None).unwrap() {
            all.push(record);
        }
        let texts = |cells: Result<Vec<Cell>, String>| match cells {
            Ok(cells) => cells.iter().map(|cell| cell.text().unwrap_or("∅").to_owned()).collect(),
            Err(reason) => vec![reason],
        };
        all.into_iter().map(|record| (record.start, texts(record.cells))).collect()
    }

    fn found(name: &str, text: &str) -> Vec<(u64, Vec<String>)> {
        rows(name, text, &SourceOptions::default())
    }

    fn row(line: u64, values: &[&str]) -> (u64, Vec<String>) {
        (line, values.iter().map(|&value| value.to_owned()).collect())
    }

    #[test]
    fn quoted_values_hold_anything() {
        let text = "a,\"b, \"\"c\"\"\"\n\"d\r\ne\",f\r\n\n \"g\",\"\"\n";
        let wanted = [row(1, &["a", "b, \"c\""]), row(2, &["d\r\ne", "f"]), row(5, &["\"g\"", "∅"])];
        assert_eq!(found("t.csv", text), wanted);
        assert_eq!(
            found("t.csv", "a,b\nc,\"d\"e\nf,g"),
            [row(1, &["a", "b"]), row(2, &["c", "de"]), row(3, &["f", "g"])]
        );
    }

    #[test]
    fn a_mark_that_is_never_closed_spoils_its_line_alone() {
        let text = "a,b\nc,\"d\ne,f\ng,h\n";
        let wanted = [
            row(1, &["a", "b"]),
            row(2, &["a quotation mark is never closed"]),
            row(3, &["e", "f"]),
            row(4, &["g", "h"]),
        ];
        assert_eq!(found("t.csv", text), wanted);
        let many: String = "a,b\nc,\"d\n".to_owned() + &"e,f\n".repeat(3 * SAMPLE);
        assert_eq!(found("t.csv", &many).len(), 2 + 3 * SAMPLE);
    }

    #[test]
    fn delimiters_are_found_or_given() {
        for (text, delimiter) in
            [("a b,c\nd e,f\n", ','), ("a,b;c\nd;e\n", ';'), ("a, b\tc\nd\te\n", '\t'), ("a, b|c\nd|e\n", '|')]
        {
            assert_eq!(found("t.csv", text)[0].1.len(), 2, "{delimiter:?}");
        }
        let given = |delimiter| SourceOptions { delimiter: Some(delimiter), ..SourceOptions::default() };
        assert_eq!(rows("t.csv", "a,b:c\n", &given(':')), [row(1, &["a,b", "c"])]);
        assert_eq!(rows("t.tsv", "a;b\n", &given(';')), [row(1, &["a", "b"])]);
    }

    #[test]
    fn rows_of_another_width_are_bad() {
        let wanted =
            [row(1, &["a", "b"]), row(2, &["expected 2 columns, found 3"]), row(3, &["expected 2 columns, found 1"])];
        assert_eq!(found("t.csv", "a,b\nc,d,e\nf\n"), wanted);
    }
}

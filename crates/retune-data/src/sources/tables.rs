//! Tables, whatever the form of their files: texts, pairs of texts, images, numbers or categories in one or more columns, the label in another, and
//! what belongs to examples beside these.
//!
//! - images stand in the table (Parquet), or a column has the names of their files, relative to the table's folder; a folder of images with
//!   a `metadata.csv` (`.jsonl`, `.parquet`), as the Hugging Face Hub has it, is such a table;
//! - columns of numbers must have a finite one in every row. Empty cells, `null` and NaN are missing values, and their rows bad ones; but for
//!   tables that are [numbers and categories](SourceKind::Table), where any value may be missing but the label.

use super::columns::{Columns, Inputs, Sample};
use super::examples::{Example, Examples, Form, Input};
use super::label_texts::RawLabel;
use super::parts::PartFiles;
use super::records::{Cell, Header, Look, Record, Table};
use super::text::word_lists::holds_words;
use super::{Parts, SourceKind, SourceOptions};
use crate::dataset::Dataset;
use crate::error::DataError;
use crate::origins::Origins;
use std::path::{Path, PathBuf};

/// What kind of table a file holds, by its first rows; `None` where it cannot be read.
pub(super) fn kind(path: &Path, options: &SourceOptions) -> Option<SourceKind> {
    let table = Table::open(path, options, Look::Glance).ok()?;
    if holds_words(&table) {
        return Some(SourceKind::Text);
    }
    Some(Sample { path, header: &table.header, rows: &table.sample }.kind(options))
}

/// Opens the tables of all parts.
pub(super) fn open(files: PartFiles, kind: SourceKind, options: &SourceOptions) -> Result<Parts, DataError> {
    let train = read(&files.train, kind, options)?;
    let options = options.like(&train);
    let other = |files: Vec<PathBuf>| match files.is_empty() {
        true => Ok(None),
        false => read(&files, kind, &options).map(Some),
    };
    Ok(Parts { validation: other(files.validation)?, test: other(files.test)?, train })
}

/// Reads one part: one file, or several one after the other that have the same columns. Of several, some may have no rows.
pub(super) fn read(files: &[PathBuf], kind: SourceKind, options: &SourceOptions) -> Result<Dataset, DataError> {
    let mut tables = files.iter().map(|file| Table::open_part(file, options, Look::Whole));
    let has_rows = |table: &Result<Table, DataError>| !table.as_ref().is_ok_and(Table::is_empty);
    let table = tables.find(has_rows).unwrap_or_else(|| {
        Err(DataError::NoExamples {
            place: files.first().map_or("no files".to_owned(), |file| file.display().to_string()),
        })
    })?;
    let path = &table.path.clone();
    let columns = Sample { path, header: &table.header, rows: &table.sample }.columns(kind, options)?;
    let classes = columns.label.and_then(|label| table.header.columns[label].classes.clone());
    let options = match (&classes, &options.class_names) {
        (Some(names), None) => &SourceOptions { class_names: Some(names.clone()), ..options.clone() },
        _ => options,
    };
    let form = form(&table, &columns);
    let place = match files {
        [one] => one.clone(),
        _ => path.parent().unwrap_or(path).to_path_buf(),
    };
    let name = |column: usize| header_name(&table.header, column);
    let mut examples = match &columns.inputs {
        Inputs::Table(inputs) => {
            Examples::of_table(&place, inputs.iter().map(|&column| name(column)), columns.label.map(name), options)
        }
        _ => Examples::new(&place, form, options),
    };
    examples.expect_beside(columns.side.iter().map(|(side, _)| *side));
    let header = table.header.clone();
    let (mut origins, mut opened) = (Vec::new(), Some(table));
    for file in files {
        let mut table = match opened.take_if(|table| table.path == *file) {
            Some(table) => table,
            None => Table::open_part(file, options, Look::Whole)?,
        };
        if !table.is_empty() && table.header.columns != header.columns {
            return Err(DataError::Malformed {
                path: file.clone(),
                place: "the columns".into(),
                expected: format!("those of `{}`", path.display()),
                found: "others".into(),
                hint: "parts of one table have the same columns in the same order",
            });
        }
        if files.len() > 1 || form == Form::ImageBytes {
            examples.continue_with(file);
        }
        let first = examples.len();
        let (is_lined, unit) = (table.header.unit == super::records::Unit::Line, table.header.unit.name());
        let mut starts = Vec::new();
        let end = table.for_each(&columns.places(), |record| {
            if is_lined {
                starts.push(record.start);
            }
            let start = record.start;
            let place = || format!("{}, {unit} {start}", file.display());
            let example = example(&header, &columns, classes.as_deref(), form, options, record);
            examples.push(place, example)
        })?;
        origins.push((first, table.origins(starts, end)));
    }
    let origins = if origins.len() == 1 { origins.remove(0).1 } else { Origins::Several(origins) };
    let noun = match form {
        Form::Texts => "texts",
        Form::Pairs => "pairs of texts",
        Form::ImageFiles | Form::ImageBytes => "images",
        Form::Numbers(_) | Form::Table => "rows",
    };
    let mut described = format!("{}; {}", header.form, columns.text(&header));
    if files.len() > 1 {
        described.push_str(&format!(", in {} files", files.len()));
    }
    examples.finish(noun, &described, origins)
}

/// A column's name in the file, else its number.
fn header_name(header: &Header, column: usize) -> String {
    header.columns[column].name.clone().unwrap_or_else(|| column.to_string())
}

fn form(table: &Table, columns: &Columns) -> Form {
    match &columns.inputs {
        Inputs::Texts { second: None, .. } => Form::Texts,
        Inputs::Texts { second: Some(_), .. } => Form::Pairs,
        Inputs::Numbers(columns) => Form::Numbers(columns.len()),
        Inputs::Table(_) => Form::Table,
        Inputs::Images(column) => {
            let holds_bytes = |record: &Record| {
                let cell = record.cells.as_ref().ok().and_then(|cells| cells.get(*column));
                matches!(cell, Some(Cell::Image { bytes: Some(_), .. }))
            };
            if table.sample.iter().any(holds_bytes) { Form::ImageBytes } else { Form::ImageFiles }
        }
    }
}

/// The example of a row, or what is wrong with it.
fn example(
    header: &Header,
    columns: &Columns,
    classes: Option<&[String]>,
    form: Form,
    options: &SourceOptions,
    record: Record,
) -> Result<Example, String> {
    let mut cells = record.cells?;
    let mut take =
        |column: usize| cells.get_mut(column).map_or(Cell::Missing, |cell| std::mem::replace(cell, Cell::Missing));
    let named = |column: usize| move |reason: String| format!("{}: {reason}", header.name(column));
    let mut text = |column: usize, what: &str| -> Result<String, String> {
        match take(column) {
            Cell::Missing => Err(format!("the {what} is missing")),
            Cell::Text(text) if text.trim().is_empty() => Err(format!("the {what} is empty")),
            Cell::Text(text) if text.trim().len() == text.len() => Ok(text),
            Cell::Text(text) => Ok(text.trim().to_owned()),
            other => Err(format!("expected a text, found {}", other.kind())),
        }
        .map_err(named(column))
    };
    let input = match &columns.inputs {
        Inputs::Texts { first, second: None } => Input::Text(text(*first, "text")?),
        Inputs::Texts { first, second: Some(second) } => {
            Input::Pair(text(*first, "text")?, text(*second, "second text")?)
        }
        Inputs::Images(column) => image(take(*column), form).map_err(named(*column))?,
        Inputs::Numbers(columns) => {
            let mut values = Vec::with_capacity(columns.len());
            for &column in columns {
                values.push(number(take(column)).map_err(named(column))?);
            }
            Input::Numbers(values)
        }
        Inputs::Table(columns) => {
            let mut values = Vec::with_capacity(columns.len());
            for &column in columns {
                values.push(value(take(column)).map_err(named(column))?);
            }
            Input::Values(values)
        }
    };
    let mut beside = Vec::with_capacity(columns.side.len());
    for &(side, column) in &columns.side {
        let text = value(take(column)).map_err(named(column))?;
        if text.trim().is_empty() {
            return Err(named(column)(format!("the {} is missing", side.name())));
        }
        beside.push((side, text.trim().to_owned()));
    }
    let label = match columns.label {
        None => None,
        Some(column) => Some(
            RawLabel::of(take(column), classes, options)
                .map_err(|reason| if reason.starts_with("label: ") { reason } else { named(column)(reason) })?,
        ),
    };
    Ok(Example { input, label, side: beside })
}

/// A cell as text, empty where it is missing.
fn value(cell: Cell) -> Result<String, String> {
    match cell {
        Cell::Missing => Ok(String::new()),
        Cell::Text(text) => Ok(text),
        Cell::Integer(number) => Ok(number.to_string()),
        Cell::Number(number) => Ok(number.to_string()),
        Cell::Truth(truth) => Ok(truth.to_string()),
        other => Err(format!("expected one value, found {}", other.kind())),
    }
}

fn image(cell: Cell, form: Form) -> Result<Input, String> {
    match cell {
        Cell::Missing => Err("the image is missing".to_owned()),
        Cell::Image { bytes: Some(bytes), .. } if form == Form::ImageBytes => Ok(Input::ImageBytes(bytes)),
        Cell::Image { bytes: None, path: Some(path) } | Cell::Text(path) => {
            Ok(Input::ImageFile(PathBuf::from(path.trim().replace('\\', std::path::MAIN_SEPARATOR_STR))))
        }
        Cell::Image { bytes: Some(_), .. } => {
            Err("expected the name of a file as in the first rows, found an image".to_owned())
        }
        other => Err(format!("expected an image or the name of its file, found {}", other.kind())),
    }
}

fn number(cell: Cell) -> Result<f32, String> {
    match &cell {
        Cell::Missing => return Err("expected a number, found nothing".to_owned()),
        Cell::Text(text) if text.parse::<f32>().is_err() => return Err(format!("expected a number, found `{text}`")),
        _ => {}
    }
    match cell.number().map(|number| number as f32) {
        Some(number) if number.is_finite() => Ok(number),
        Some(number) => Err(format!("expected a finite number, found {number}")),
        None => Err(format!("expected a number, found {}", cell.kind())),
    }
}

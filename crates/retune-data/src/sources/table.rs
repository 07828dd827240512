//! Tables of numbers: `.csv` (comma, semicolon or tab, whichever the first line has most of) and `.tsv`, also `.gz`.
//!
//! One column holds the labels, as numbers or text; all others are features and must be finite numbers in every row.

use super::{Column, Parts, SourceOptions, array_inputs, name_of};
use crate::dataset::Dataset;
use crate::error::{BadExample, DataError};
use crate::labels::{LabelType, Labels};
use csv::StringRecord;
use flate2::read::GzDecoder;
use retune_tensor::Tensor;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// Most text that is read, after unpacking.
const MAX_BYTES: u64 = 1 << 34;
/// Longest first line that is looked at for the delimiter.
const MAX_LINE: u64 = 1 << 20;
/// Rows that tell whether the first one is a header.
const SAMPLE_ROWS: usize = 50;
/// Most different whole numbers that are taken for classes.
const MOST_CLASSES: usize = 100;
const LABEL_NAMES: &[&str] = &["label", "class", "target", "y"];

fn reader(path: &Path) -> Result<BufReader<Box<dyn Read>>, DataError> {
    let file = File::open(path).map_err(DataError::io(path))?;
    let zipped = name_of(path).to_ascii_lowercase().ends_with(".gz");
    let plain: Box<dyn Read> = if zipped { Box::new(GzDecoder::new(file).take(MAX_BYTES)) } else { Box::new(file) };
    Ok(BufReader::new(plain))
}

fn delimiter(path: &Path) -> Result<u8, DataError> {
    let mut line = Vec::new();
    reader(path)?.take(MAX_LINE).read_until(b'\n', &mut line).map_err(DataError::io(path))?;
    let count = |d: &u8| line.iter().filter(|b| *b == d).count();
    // The first of equals wins, so that a file of one column has the comma.
    Ok([b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b','))
}

pub(super) fn open(path: &Path, options: &SourceOptions) -> Result<Parts, DataError> {
    let mut records = Vec::new();
    let mut rows = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .delimiter(delimiter(path)?)
        .from_reader(reader(path)?);
    for record in rows.records() {
        let record = record.map_err(|e| DataError::Malformed {
            path: path.to_path_buf(),
            place: e.position().map_or("text".into(), |p| format!("line {}", p.line())),
            expected: "CSV text in UTF-8".into(),
            found: e.to_string(),
            hint: "is it a CSV file?",
        })?;
        records.push(record);
    }
    let has_header = options.header.unwrap_or_else(|| looks_like_header(&records));
    let has_header = has_header && !records.is_empty();
    let header = if has_header { records.remove(0) } else { StringRecord::new() };
    let Some(columns) = records.first().map(|first| if has_header { header.len() } else { first.len() }) else {
        return Err(DataError::NoExamples { place: path.display().to_string() });
    };
    let name = |column: usize| match header.get(column) {
        Some(name) => format!("column `{name}`"),
        None => format!("column {column}"),
    };
    let label = if options.unlabelled { None } else { Some(label_column(path, &header, columns, options)?) };

    let width = columns - usize::from(label.is_some());
    let mut features = Vec::with_capacity(records.len() * width);
    let (mut bad, mut texts) = (Vec::new(), Vec::new());
    for (id, record) in records.iter().enumerate() {
        let start = features.len();
        let read = read_row(record, columns, label, &name, &mut features);
        if let Err(reason) = read {
            let line = record.position().map_or(0, csv::Position::line);
            bad.push(BadExample { id: id as u64, place: format!("{}, line {line}", path.display()), reason });
            // The row keeps its place, so that the ids of those after it do not depend on the tolerance.
            features.truncate(start);
            features.resize(start + width, 0.0);
            texts.push(None);
        } else {
            texts.push(label.and_then(|column| record.get(column)));
        }
    }
    let place = path.display().to_string();
    let count = records.len();
    let inputs = Tensor::new([count, width], features).expect("each row appended as many values as there are columns");
    let (labels, names) = match label {
        None => (Labels::None, None),
        Some(_) => read_labels(&place, &texts, options)?,
    };
    let data = Dataset::new(format!("{place} ({count} rows)"), array_inputs(&place, inputs, options)?, labels)?;
    let data = match names {
        Some(names) if options.class_names.is_none() => data.with_class_names(names)?,
        _ => data,
    };
    Ok(data.excluding(bad, options.tolerance)?.into())
}

/// Whether some column has text in the first row and numbers in all those after it.
fn looks_like_header(records: &[StringRecord]) -> bool {
    let number = |text: &str| text.parse::<f64>().is_ok();
    let Some((first, rest)) = records.split_first().filter(|(_, rest)| !rest.is_empty()) else { return false };
    let rest = &rest[..rest.len().min(SAMPLE_ROWS)];
    (0..first.len()).any(|column| {
        let numbers = rest.iter().filter_map(|row| row.get(column)).filter(|text| number(text)).count();
        first.get(column).is_some_and(|text| !number(text) && !text.is_empty()) && numbers * 2 > rest.len()
    })
}

fn label_column(
    path: &Path,
    header: &StringRecord,
    columns: usize,
    options: &SourceOptions,
) -> Result<usize, DataError> {
    let unknown = |name: String| DataError::UnknownName {
        path: path.to_path_buf(),
        what: "column",
        name,
        known: if header.is_empty() {
            vec![format!("columns 0 to {} without names", columns - 1)]
        } else {
            header.iter().map(str::to_owned).collect()
        },
    };
    match &options.label_column {
        Some(Column::Index(index)) if *index < columns => Ok(*index),
        Some(Column::Index(index)) => Err(unknown(index.to_string())),
        Some(Column::Name(name)) => header.iter().position(|c| c == name).ok_or_else(|| unknown(name.clone())),
        None => {
            let named = |c: &str| LABEL_NAMES.contains(&c.to_ascii_lowercase().as_str());
            Ok(header.iter().position(named).unwrap_or(columns - 1))
        }
    }
}

/// Appends a row's features; the reason in words where the row cannot be used.
fn read_row(
    record: &StringRecord,
    columns: usize,
    label: Option<usize>,
    name: &impl Fn(usize) -> String,
    features: &mut Vec<f32>,
) -> Result<(), String> {
    if record.len() != columns {
        return Err(format!("expected {columns} columns, found {}", record.len()));
    }
    for (column, text) in record.iter().enumerate() {
        if Some(column) == label {
            if text.is_empty() {
                return Err(format!("{}: the label is missing", name(column)));
            }
            continue;
        }
        match text.parse::<f32>() {
            Ok(value) if value.is_finite() => features.push(value),
            Ok(value) => return Err(format!("{}: expected a finite number, found {value}", name(column))),
            Err(_) if text.is_empty() => return Err(format!("{}: expected a number, found nothing", name(column))),
            Err(_) => return Err(format!("{}: expected a number, found `{text}`", name(column))),
        }
    }
    Ok(())
}

type NamedLabels = (Labels, Option<Vec<String>>);

/// Labels from their texts; `None` for rows that cannot be used, whose label is never looked at.
fn read_labels(place: &str, texts: &[Option<&str>], options: &SourceOptions) -> Result<NamedLabels, DataError> {
    let known = || texts.iter().flatten();
    let whole = known().all(|t| t.parse::<i64>().is_ok());
    let numeric = known().all(|t| t.parse::<f64>().is_ok());
    let distinct: BTreeSet<&str> = known().copied().collect();
    let few = distinct.len() <= MOST_CLASSES && distinct.len() * 2 <= texts.len();
    let class = match options.labels {
        Some(LabelType::Class) => true,
        Some(_) => false,
        None => !numeric || (whole && few),
    };
    if !class {
        let mut values = Vec::with_capacity(texts.len());
        for (row, text) in texts.iter().enumerate() {
            let text = text.unwrap_or("0");
            let value = text.parse::<f32>().map_err(|_| {
                DataError::setting(format!("label of {place}, row {row}"), "a number", format!("`{text}`"))
            })?;
            values.push(value);
        }
        let values = Tensor::new([values.len(), 1], values).expect("one value per row");
        return Ok((Labels::from_tensor(place, values, Some(LabelType::Real), None)?, None));
    }
    // Whole numbers that count from 0 are the class numbers themselves; anything else is numbered in order.
    let mut numbers: Vec<i64> = distinct.iter().filter_map(|t| t.parse().ok()).collect();
    numbers.sort_unstable();
    let counted = whole && (options.classes.is_some() || numbers.iter().copied().eq(0..numbers.len() as i64));
    if counted {
        let indices: Vec<i64> = texts.iter().map(|t| t.and_then(|t| t.parse().ok()).unwrap_or(0)).collect();
        let count = indices.len();
        let indices = Tensor::new([count], indices).expect("one value per row");
        return Ok((Labels::from_tensor(place, indices, Some(LabelType::Class), options.classes)?, None));
    }
    let names: Vec<String> = match &options.class_names {
        Some(names) => names.clone(),
        None if whole => numbers.iter().map(i64::to_string).collect(),
        None => distinct.iter().map(|&t| t.to_owned()).collect(),
    };
    let mut indices = Vec::with_capacity(texts.len());
    for text in texts {
        let index = match text {
            None => 0,
            Some(text) => {
                let same = |name: &String| name == text || (whole && name.parse::<i64>().ok() == text.parse().ok());
                names.iter().position(same).ok_or_else(|| DataError::UnknownClass {
                    place: place.to_owned(),
                    class: (*text).to_owned(),
                    known: names.clone(),
                })?
            }
        };
        indices.push(index as i32);
    }
    Ok((Labels::classes(place, indices, names.len())?, Some(names)))
}

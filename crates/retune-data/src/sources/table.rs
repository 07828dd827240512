//! Tables: `.csv` (comma, semicolon or tab, whichever the first line has most of) and `.tsv`, also `.gz`.
//!
//! One column holds the labels, as numbers or text; all others, but for those dropped and those of groups, times and weights, are
//! features. They must be finite numbers in every row, unless the kind is [`Table`](super::SourceKind::Table): then they may be anything,
//! and be missing. A folder of `train.csv`, `test.csv` (also `validation.csv`) is divided so.

use super::label_texts::read_labels;
use super::{Column, Parts, SourceKind, SourceOptions, TEST, TRAIN, VALIDATION, array_inputs, list_folder, name_of};
use crate::dataset::{Dataset, Inputs};
use crate::error::{BadExample, DataError};
use crate::labels::{LabelKind, LabelType, Labels};
use crate::origins::Origins;
use crate::side::{SideColumn, SideColumns};
use crate::table::{TableColumns, TextColumn};
use csv::StringRecord;
use flate2::read::GzDecoder;
use retune_tensor::Tensor;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Most text that is read, after unpacking.
const MAX_BYTES: u64 = 1 << 34;
/// Longest first line that is looked at for the delimiter.
const MAX_LINE: u64 = 1 << 20;
/// Rows that tell whether the first one is a header.
const SAMPLE_ROWS: usize = 50;
const LABEL_NAMES: &[&str] = &["label", "class", "target", "y"];

/// A file's bytes, unpacked where its name ends in `.gz`.
pub(super) fn reader(path: &Path) -> Result<BufReader<Box<dyn Read>>, DataError> {
    let file = File::open(path).map_err(DataError::io(path))?;
    let zipped = name_of(path).to_ascii_lowercase().ends_with(".gz");
    let plain: Box<dyn Read> = if zipped { Box::new(GzDecoder::new(file).take(MAX_BYTES)) } else { Box::new(file) };
    Ok(BufReader::new(plain))
}

fn delimiter(path: &Path) -> Result<u8, DataError> {
    let mut line = Vec::new();
    reader(path)?.take(MAX_LINE).read_until(b'\n', &mut line).map_err(DataError::io(path))?;
    let count = |d: &u8| line.iter().filter(|b| *b == d).count();
    // The last of equals wins, so that a file of one column has the comma.
    Ok([b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b','))
}

pub(super) fn is_table_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    plain.ends_with(".csv") || plain.ends_with(".tsv")
}

pub(super) fn open(path: &Path, options: &SourceOptions) -> Result<Parts, DataError> {
    if !path.is_dir() {
        return Ok(read(path, options)?.into());
    }
    let files: Vec<PathBuf> = list_folder(path)?.into_iter().filter(|f| is_table_name(&name_of(f))).collect();
    let part = |names: &[&str]| {
        files.iter().find(|f| {
            let name = name_of(f).to_ascii_lowercase();
            name.split_once('.').is_some_and(|(stem, _)| names.contains(&stem))
        })
    };
    let train = part(TRAIN).or(files.first().filter(|_| files.len() == 1)).ok_or_else(|| DataError::UnknownKind {
        path: path.to_path_buf(),
        found: "several tables, none named `train.csv`".into(),
    })?;
    let train = read(train, options)?;
    let options = SourceOptions {
        labels: match train.label_kind() {
            LabelKind::Real { .. } => Some(LabelType::Real),
            _ => Some(LabelType::Class),
        },
        class_names: options.class_names.clone().or_else(|| train.class_names().map(<[String]>::to_vec)),
        ..options.with_classes_of(&train)
    };
    let other = |names: &[&str]| {
        let data = part(names).map(|file| read(file, &options)).transpose()?;
        match (data, train.class_names()) {
            (Some(data), Some(names)) => data.with_class_names(names.to_vec()).map(Some),
            (data, _) => Ok(data),
        }
    };
    Ok(Parts { validation: other(VALIDATION)?, test: other(TEST)?, train })
}

/// What a column is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Feature,
    Label,
    Side(SideColumn),
    Dropped,
}

/// The rows of a table, its header apart.
struct Table {
    path: PathBuf,
    header: StringRecord,
    records: Vec<StringRecord>,
    columns: usize,
}

fn read(path: &Path, options: &SourceOptions) -> Result<Dataset, DataError> {
    let table = Table::read(path, options.header)?;
    let roles = table.roles(options)?;
    let label = roles.iter().position(|role| *role == Role::Label);
    let width = roles.iter().filter(|role| **role == Role::Feature).count();
    let count = table.records.len();
    let mut features = Vec::with_capacity(count * width);
    let is_mixed = options.kind == Some(SourceKind::Table);
    let (mut bad, mut texts, mut side) = (Vec::new(), Vec::new(), SideColumns::default());
    for (id, record) in table.records.iter().enumerate() {
        side.push(SideColumns::wanted(options).map(|(wanted, _)| {
            let column = roles.iter().position(|role| *role == Role::Side(wanted));
            (wanted, column.and_then(|column| record.get(column)).unwrap_or_default().to_owned())
        }));
        let row = match is_mixed {
            true => table.check_row(record, &roles),
            false => table.read_row(record, &roles, &mut features),
        };
        if let Err(reason) = row {
            let line = record.position().map_or(0, csv::Position::line);
            bad.push(BadExample { id: id as u64, place: format!("{}, line {line}", path.display()), reason });
            // The row keeps its place, so that the ids of those after it do not depend on the tolerance.
            if !is_mixed {
                features.truncate(id * width);
                features.resize((id + 1) * width, 0.0);
            }
            texts.push(None);
        } else {
            texts.push(label.and_then(|column| record.get(column)));
        }
    }
    let place = path.display().to_string();
    let inputs = match is_mixed {
        true => Inputs::Table(table.columns(&roles)),
        false => {
            let whole = "each row appended as many values as there are features";
            array_inputs(&place, Tensor::new([count, width], features).expect(whole), options)?
        }
    };
    let (labels, names) = match label {
        None => (Labels::None, None),
        Some(_) => read_labels(&place, &texts, options)?,
    };
    let data = Dataset::new(format!("{place} ({count} rows)"), inputs, labels)?.with_side(side);
    let data = match is_mixed {
        true => data.with_origins(table.origins()),
        false => data,
    };
    let data = match names {
        Some(names) if options.class_names.is_none() => data.with_class_names(names)?,
        _ => data,
    };
    data.excluding(bad, options.tolerance)
}

impl Table {
    fn read(path: &Path, header: Option<bool>) -> Result<Table, DataError> {
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
        let has_header = header.unwrap_or_else(|| looks_like_header(&records)) && !records.is_empty();
        let header = if has_header { records.remove(0) } else { StringRecord::new() };
        let Some(first) = records.first() else {
            return Err(DataError::NoExamples { place: path.display().to_string() });
        };
        let columns = if has_header { header.len() } else { first.len() };
        Ok(Table { path: path.to_path_buf(), header, records, columns })
    }

    fn name(&self, column: usize) -> String {
        match self.header.get(column) {
            Some(name) => format!("column `{name}`"),
            None => format!("column {column}"),
        }
    }

    fn find(&self, column: &Column) -> Result<usize, DataError> {
        let (found, name) = match column {
            Column::Index(index) => (Some(*index).filter(|i| *i < self.columns), index.to_string()),
            Column::Name(name) => (self.header.iter().position(|c| c == name), name.clone()),
        };
        found.ok_or_else(|| DataError::UnknownName {
            path: self.path.clone(),
            what: "column",
            name,
            known: if self.header.is_empty() {
                vec![format!("columns 0 to {} without names", self.columns - 1)]
            } else {
                self.header.iter().map(str::to_owned).collect()
            },
        })
    }

    fn roles(&self, options: &SourceOptions) -> Result<Vec<Role>, DataError> {
        let mut roles = vec![Role::Feature; self.columns];
        for column in &options.drop_columns {
            roles[self.find(column)?] = Role::Dropped;
        }
        for (side, column) in SideColumns::wanted(options) {
            roles[self.find(column)?] = Role::Side(side);
        }
        if !options.unlabelled {
            let named = |c: &str| LABEL_NAMES.contains(&c.to_ascii_lowercase().as_str());
            let label = match &options.label {
                Some(column) => self.find(column)?,
                None => self.header.iter().position(named).unwrap_or_else(|| {
                    (0..self.columns).rev().find(|&column| roles[column] == Role::Feature).unwrap_or(self.columns - 1)
                }),
            };
            roles[label] = Role::Label;
        }
        if options.kind == Some(SourceKind::Table) {
            return Ok(roles);
        }
        // A column of text alone is a column of another kind, not a thousand bad rows.
        for (column, _) in roles.iter().enumerate().filter(|(_, role)| **role == Role::Feature) {
            let mut texts = self.records.iter().filter_map(|row| row.get(column)).filter(|text| !text.is_empty());
            let first = texts.clone().next().unwrap_or_default();
            if self.records.len() > 1 && texts.all(|text| text.parse::<f32>().is_err()) {
                return Err(DataError::Malformed {
                    path: self.path.clone(),
                    place: self.name(column),
                    expected: "numbers".into(),
                    found: format!("text in every row, such as `{first}`"),
                    hint: "leave the column out with `drop-columns`, or train a model for tables: `kind = \"table\"` in `[model]`",
                });
            }
        }
        Ok(roles)
    }

    /// The reason in words where a row of numbers and categories cannot be used.
    fn check_row(&self, record: &StringRecord, roles: &[Role]) -> Result<(), String> {
        if record.len() != self.columns {
            return Err(format!("expected {} columns, found {}", self.columns, record.len()));
        }
        let label = roles.iter().position(|role| *role == Role::Label);
        match label.filter(|&column| record.get(column).is_none_or(str::is_empty)) {
            Some(column) => Err(format!("{}: the label is missing", self.name(column))),
            None => Ok(()),
        }
    }

    /// The features as texts.
    fn columns(&self, roles: &[Role]) -> TableColumns {
        let features = (0..self.columns).filter(|&column| roles[column] == Role::Feature);
        let name = |column: usize| self.header.get(column).map_or_else(|| column.to_string(), str::to_owned);
        let column = |column: usize| {
            TextColumn::new(name(column), self.records.iter().map(|record| record.get(column).unwrap_or_default()))
        };
        let label = roles.iter().position(|role| *role == Role::Label).map(name);
        TableColumns::new(features.map(column).collect()).with_label(label)
    }

    /// The lines on which rows begin.
    fn origins(&self) -> Origins {
        let starts: Vec<u64> =
            self.records.iter().map(|record| record.position().map_or(0, csv::Position::line)).collect();
        let end = starts.last().map_or(1, |line| line + 1);
        Origins::Lines { path: self.path.clone(), starts, end }
    }

    /// Appends a row's features; the reason in words where the row cannot be used.
    fn read_row(&self, record: &StringRecord, roles: &[Role], features: &mut Vec<f32>) -> Result<(), String> {
        if record.len() != self.columns {
            return Err(format!("expected {} columns, found {}", self.columns, record.len()));
        }
        for (column, (text, role)) in record.iter().zip(roles).enumerate() {
            let name = || self.name(column);
            match role {
                Role::Dropped | Role::Side(_) => {}
                Role::Label if text.is_empty() => return Err(format!("{}: the label is missing", name())),
                Role::Label => {}
                Role::Feature => match text.parse::<f32>() {
                    Ok(value) if value.is_finite() => features.push(value),
                    Ok(value) => return Err(format!("{}: expected a finite number, found {value}", name())),
                    Err(_) if text.is_empty() => return Err(format!("{}: expected a number, found nothing", name())),
                    Err(_) => return Err(format!("{}: expected a number, found `{text}`", name())),
                },
            }
        }
        Ok(())
    }
}

/// Whether some column has text in the first row and numbers in all those after it.
pub(super) fn looks_like_header(records: &[StringRecord]) -> bool {
    let number = |text: &str| text.parse::<f64>().is_ok();
    let Some((first, rest)) = records.split_first().filter(|(_, rest)| !rest.is_empty()) else { return false };
    let rest = &rest[..rest.len().min(SAMPLE_ROWS)];
    (0..first.len()).any(|column| {
        let numbers = rest.iter().filter_map(|row| row.get(column)).filter(|text| number(text)).count();
        first.get(column).is_some_and(|text| !number(text) && !text.is_empty()) && numbers * 2 > rest.len()
    })
}

//! Rows of texts and labels as found in a file, and the data set that they make.

use super::charset::TextEncoding;
use crate::dataset::{Dataset, Inputs, Texts};
use crate::error::{BadExample, DataError};
use crate::labels::{LabelType, Labels};
use crate::origins::Origins;
use crate::side::{SideColumn, SideColumns};
use crate::sources::SourceOptions;
use crate::sources::label_texts::{NamedLabels, read_labels};
use retune_tensor::Tensor;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A label as it stands in a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum RawLabel {
    /// A name or a number.
    One(String),
    /// Several names.
    Names(Vec<String>),
    /// A vector of numbers.
    Numbers(Vec<f32>),
}

/// An example as it stands in a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RawExample {
    pub(super) first: String,
    pub(super) second: Option<String>,
    pub(super) label: Option<RawLabel>,
    /// What is asked for beside texts and label.
    pub(super) side: Vec<(SideColumn, String)>,
}

/// What an example stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unit {
    /// Lines of one file.
    Line,
    /// An element of a JSON array.
    Element,
    /// A file of its own.
    File(Vec<PathBuf>),
}

impl Unit {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Unit::Line => "line",
            Unit::Element => "element",
            Unit::File(_) => "file",
        }
    }
}

/// All examples of a file.
#[derive(Debug)]
pub(super) struct Rows {
    /// What the file is, for the description.
    pub(super) form: String,
    /// What an example stands in.
    pub(super) unit: Unit,
    /// Whether there are two texts each.
    pub(super) pairs: bool,
    /// The lines (elements, files) of each example, from 1, and the example, or what is wrong with it.
    pub(super) rows: Vec<(Range<u64>, Result<RawExample, String>)>,
}

impl Rows {
    pub(super) fn new(form: impl Into<String>, pairs: bool) -> Rows {
        Rows { form: form.into(), unit: Unit::Line, pairs, rows: Vec::new() }
    }

    /// Makes the rows of some lines bad ones.
    pub(super) fn refuse_lines(&mut self, bad: &BTreeSet<u64>, encoding: TextEncoding) {
        refuse_lines(&mut self.rows, bad, encoding);
    }

    /// The data set, its bad rows set aside.
    pub(super) fn into_dataset(self, path: &Path, options: &SourceOptions) -> Result<Dataset, DataError> {
        let Rows { form, unit, pairs, rows } = self;
        let place = path.display().to_string();
        let count = rows.len();
        if count == 0 {
            return Err(DataError::NoExamples { place });
        }
        let end = rows.last().map_or(1, |(lines, _)| lines.end);
        let mut starts = Vec::with_capacity(count);
        let mut texts = Texts { first: Vec::with_capacity(count), second: pairs.then(Vec::new) };
        let (mut labels, mut bad, mut side) = (Vec::with_capacity(count), Vec::new(), SideColumns::default());
        let nothing = || SideColumns::wanted(options).map(|(side, _)| (side, String::new())).collect();
        for (id, (lines, row)) in rows.into_iter().enumerate() {
            starts.push(lines.start);
            let row = row.and_then(|row| checked(row, options.labels));
            let (first, second, label, beside) = match row {
                Ok(row) => (row.first, row.second, row.label, row.side),
                Err(reason) => {
                    bad.push(BadExample {
                        id: id as u64,
                        place: format!("{place}, {} {}", unit.name(), lines.start),
                        reason,
                    });
                    // The row keeps its place, so that the ids of those after it do not depend on the tolerance.
                    (String::new(), None, None, nothing())
                }
            };
            side.push(beside);
            texts.first.push(first);
            if let Some(seconds) = &mut texts.second {
                seconds.push(second.unwrap_or_default());
            }
            labels.push(label);
        }
        let (labels, names) = labels_of(&place, labels, &bad, options)?;
        let noun = if pairs { "pairs of texts" } else { "texts" };
        let data = Dataset::new(format!("{place} ({count} {noun}, {form})"), Inputs::Texts(texts), labels)?;
        let data = match names {
            Some(names) => data.with_class_names(names)?,
            None => data,
        };
        let origins = match unit {
            Unit::Line => Origins::Lines { path: path.to_path_buf(), starts, end },
            Unit::Element => Origins::Elements { path: path.to_path_buf() },
            Unit::File(files) => Origins::Files(files),
        };
        data.with_side(side).with_origins(origins).excluding(bad, options.tolerance)
    }
}

/// Makes the rows of some lines bad ones.
pub(super) fn refuse_lines<T>(
    rows: &mut [(Range<u64>, Result<T, String>)],
    bad: &BTreeSet<u64>,
    encoding: TextEncoding,
) {
    for (lines, row) in rows.iter_mut().filter(|_| !bad.is_empty()) {
        if bad.range(lines.clone()).next().is_some() {
            *row = Err(format!("expected {encoding}, found bytes that are none"));
        }
    }
}

/// Separators of labels where an example has several in one column.
const SEPARATORS: [char; 3] = ['|', ';', ','];

fn checked(mut row: RawExample, wanted: Option<LabelType>) -> Result<RawExample, String> {
    match (&row.label, wanted) {
        (Some(RawLabel::One(text)), Some(LabelType::Real)) => match text.parse::<f32>() {
            Ok(value) if value.is_finite() => {}
            _ => return Err(format!("label: expected a finite number, found `{text}`")),
        },
        (Some(RawLabel::One(text)), Some(LabelType::MultiHot)) => {
            let names = text.split(SEPARATORS).map(str::trim).filter(|name| !name.is_empty());
            row.label = Some(RawLabel::Names(names.map(str::to_owned).collect()));
        }
        _ => {}
    }
    Ok(row)
}

fn labels_of(
    place: &str,
    labels: Vec<Option<RawLabel>>,
    bad: &[BadExample],
    options: &SourceOptions,
) -> Result<NamedLabels, DataError> {
    let Some(first) = labels.iter().flatten().next() else { return Ok((Labels::None, None)) };
    match first {
        RawLabel::One(_) => {
            let one = |(index, label): (usize, &Option<RawLabel>)| match label {
                Some(RawLabel::One(text)) => Ok(Some(text.clone())),
                None => Ok(None),
                Some(_) => Err(mixed(place, index)),
            };
            let texts = labels.iter().enumerate().map(one).collect::<Result<Vec<_>, _>>()?;
            let texts: Vec<Option<&str>> = texts.iter().map(Option::as_deref).collect();
            read_labels(place, &texts, options)
        }
        RawLabel::Names(_) => named(place, &labels, options),
        RawLabel::Numbers(numbers) => {
            let width = numbers.len();
            let mut values = Vec::with_capacity(labels.len() * width);
            for (index, label) in labels.iter().enumerate() {
                match label {
                    Some(RawLabel::Numbers(numbers)) if numbers.len() == width => values.extend(numbers),
                    None if bad.iter().any(|bad| bad.id == index as u64) => values.extend(vec![0.0; width]),
                    _ => return Err(mixed(place, index)),
                }
            }
            let tensor = Tensor::new([labels.len(), width], values).expect("every row has the first one's width");
            Ok((Labels::from_tensor(place, tensor, options.labels, options.classes)?, None))
        }
    }
}

/// Any number of names per example, as rows of 0 and 1.
fn named(place: &str, labels: &[Option<RawLabel>], options: &SourceOptions) -> Result<NamedLabels, DataError> {
    let mut lists: Vec<&[String]> = Vec::with_capacity(labels.len());
    for (index, label) in labels.iter().enumerate() {
        lists.push(match label {
            Some(RawLabel::Names(names)) => names,
            None => &[],
            Some(_) => return Err(mixed(place, index)),
        });
    }
    let names: Vec<String> = match &options.class_names {
        Some(names) => names.clone(),
        None => lists.concat().into_iter().collect::<BTreeSet<_>>().into_iter().collect(),
    };
    let mut values = vec![0.0f32; labels.len() * names.len()];
    for (row, list) in values.chunks_exact_mut(names.len().max(1)).zip(&lists) {
        for name in *list {
            let class = names.iter().position(|known| known == name).ok_or_else(|| DataError::UnknownClass {
                place: place.to_owned(),
                class: name.clone(),
                known: names.clone(),
            })?;
            row[class] = 1.0;
        }
    }
    let values = Tensor::new([labels.len(), names.len()], values).expect("a row of all classes for each example");
    Ok((Labels::MultiHot(values), Some(names)))
}

fn mixed(place: &str, index: usize) -> DataError {
    let name = format!("label of {place}, example {index}");
    DataError::setting(name, "a label of the same form as that of the first example", "another form")
}

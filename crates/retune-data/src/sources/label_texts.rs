//! Labels as they stand in tables and text files: names, class numbers, values, or lists of them. Kept compactly while the rows are read.
//!
//! A row has no label, and is a bad one, where its cell is empty, null, missing, or −1 of classes that the file names (the Hub's sign for it).

use super::SourceOptions;
use super::records::Cell;
use crate::error::DataError;
use crate::labels::{LabelType, Labels};
use retune_tensor::Tensor;
use std::collections::{BTreeSet, HashMap};

/// Most different whole numbers that are taken for classes.
const MOST_CLASSES: usize = 100;
/// Most different numbers that are kept as they are written; of more, which are values, the numbers alone are kept.
const MOST_WRITTEN: usize = 1 << 16;
/// Separators of labels where an example has several in one column and none is given.
const SEPARATORS: [char; 3] = ['|', ';', ','];
/// The code of a row without label.
const NONE: u32 = u32::MAX;

/// Labels, and the names of the classes where the texts are names.
pub(super) type NamedLabels = (Labels, Option<Vec<String>>);

/// A label as it stands in a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum RawLabel {
    /// A name or a number.
    One(String),
    /// Several names.
    Names(Vec<String>),
    /// A list of numbers.
    Numbers(Vec<f64>),
}

impl RawLabel {
    /// The label that a cell holds; the reason in words where it is none. `classes` are the names that numbers stand for.
    pub(super) fn of(cell: Cell, classes: Option<&[String]>, options: &SourceOptions) -> Result<RawLabel, String> {
        let missing = || "the label is missing".to_owned();
        let class = |number: f64| -> Result<String, String> {
            let index = Some(number as usize).filter(|&index| index as f64 == number);
            match index.and_then(|index| classes?.get(index)) {
                Some(name) => Ok(name.clone()),
                None if number == -1.0 => Err(missing()),
                None => Err(format!(
                    "expected the number of one of {} classes, found {number}",
                    classes.map_or(0, <[String]>::len)
                )),
            }
        };
        let label = match cell {
            Cell::Missing => return Err(missing()),
            Cell::Text(text) if text.trim().is_empty() => return Err(missing()),
            Cell::Text(text) => RawLabel::One(text.trim().to_owned()),
            Cell::Integer(number) if classes.is_some() => RawLabel::One(class(number as f64)?),
            Cell::Integer(number) => RawLabel::One(number.to_string()),
            Cell::Number(number) if number.is_nan() => return Err(missing()),
            Cell::Number(number) => RawLabel::One(number.to_string()),
            Cell::Truth(truth) => RawLabel::One(truth.to_string()),
            Cell::Texts(names) => RawLabel::Names(names),
            Cell::Numbers(numbers) if classes.is_some() => {
                RawLabel::Names(numbers.into_iter().map(class).collect::<Result<_, _>>()?)
            }
            Cell::Numbers(numbers) => RawLabel::Numbers(numbers),
            other => return Err(format!("{} is no label", other.kind())),
        };
        label.checked(options)
    }

    /// The label as the options ask for it.
    pub(super) fn checked(self, options: &SourceOptions) -> Result<RawLabel, String> {
        match (&self, options.labels) {
            (RawLabel::One(text), Some(LabelType::Real)) => match text.parse::<f32>() {
                Ok(value) if value.is_finite() => Ok(self),
                _ => Err(format!("label: expected a finite number, found `{text}`")),
            },
            (RawLabel::One(text), wanted)
                if wanted == Some(LabelType::MultiHot) || options.label_separator.is_some() =>
            {
                let names: Vec<&str> = match options.label_separator {
                    Some(separator) => text.split(separator).collect(),
                    None => text.split(SEPARATORS).collect(),
                };
                let names = names.into_iter().map(str::trim).filter(|name| !name.is_empty());
                Ok(RawLabel::Names(names.map(str::to_owned).collect()))
            }
            _ => Ok(self),
        }
    }
}

/// Labels of many rows.
#[derive(Debug, Default)]
pub(super) struct LabelColumn {
    form: Form,
    /// Rows so far.
    rows: usize,
}

#[derive(Debug, Default)]
enum Form {
    /// No label yet.
    #[default]
    Unknown,
    /// The number of each row's text among all texts.
    Texts { all: Interner, codes: Vec<u32> },
    /// Numbers of which there are many different ones.
    Values(Vec<f32>),
    /// Lists of names: their numbers, and where each row's end.
    Names { all: Interner, codes: Vec<u32>, ends: Vec<usize> },
    /// Lists of numbers, and where each row's end.
    Numbers { values: Vec<f32>, ends: Vec<usize> },
}

/// Different texts, in the order in which they were met.
#[derive(Debug, Default)]
struct Interner {
    numbers: HashMap<String, u32>,
}

impl Interner {
    fn number(&mut self, text: String) -> u32 {
        let next = self.numbers.len() as u32;
        *self.numbers.entry(text).or_insert(next)
    }

    fn texts(&self) -> Vec<&str> {
        let mut texts = vec![""; self.numbers.len()];
        self.numbers.iter().for_each(|(text, &number)| texts[number as usize] = text);
        texts
    }
}

impl LabelColumn {
    /// Adds the label of a row; `None` for one that cannot be used. The place is for messages.
    ///
    /// # Errors
    /// A label of another form than those before it.
    pub(super) fn push(
        &mut self,
        label: Option<RawLabel>,
        place: &str,
        options: &SourceOptions,
    ) -> Result<(), DataError> {
        let row = self.rows;
        self.rows += 1;
        if let Form::Unknown = self.form {
            let before = row;
            self.form = match &label {
                None => return Ok(()),
                Some(RawLabel::One(_)) => Form::Texts { all: Interner::default(), codes: vec![NONE; before] },
                Some(RawLabel::Names(_)) => {
                    Form::Names { all: Interner::default(), codes: vec![], ends: vec![0; before] }
                }
                Some(RawLabel::Numbers(_)) => Form::Numbers { values: vec![], ends: vec![0; before] },
            };
        }
        // An empty list may be one of names or of numbers.
        let label = match (&self.form, label) {
            (Form::Numbers { .. }, Some(RawLabel::Names(names))) if names.is_empty() => Some(RawLabel::Numbers(vec![])),
            (Form::Names { all, codes, ends }, Some(RawLabel::Numbers(numbers)))
                if all.numbers.is_empty() && codes.is_empty() =>
            {
                let ends = ends.clone();
                self.form = Form::Numbers { values: vec![], ends };
                Some(RawLabel::Numbers(numbers))
            }
            (_, label) => label,
        };
        match (&mut self.form, label) {
            (Form::Texts { all, codes }, None) => {
                let _ = all;
                codes.push(NONE);
            }
            (Form::Texts { all, codes }, Some(RawLabel::One(text))) => codes.push(all.number(text)),
            (Form::Values(values), None) => values.push(0.0),
            (Form::Values(values), Some(RawLabel::One(text))) => {
                values.push(text.parse().map_err(|_| not_a_number(place, row, &text))?);
            }
            (Form::Names { codes, ends, .. }, None) => ends.push(codes.len()),
            (Form::Names { all, codes, ends }, Some(RawLabel::Names(names))) => {
                codes.extend(names.into_iter().map(|name| all.number(name)));
                ends.push(codes.len());
            }
            (Form::Numbers { values, ends }, None) => ends.push(values.len()),
            (Form::Numbers { values, ends }, Some(RawLabel::Numbers(numbers))) => {
                values.extend(numbers.into_iter().map(|number| number as f32));
                ends.push(values.len());
            }
            _ => {
                let name = format!("label of {place}, example {row}");
                let expected = "a label of the same form as that of the first example";
                return Err(DataError::setting(name, expected, "another form"));
            }
        }
        self.shrink(options);
        Ok(())
    }

    /// Keeps the numbers alone where there are so many different ones that they cannot be classes.
    fn shrink(&mut self, options: &SourceOptions) {
        let Form::Texts { all, codes } = &self.form else { return };
        if all.numbers.len() <= MOST_WRITTEN || options.labels == Some(LabelType::Class) || options.classes.is_some() {
            return;
        }
        let numbers: Option<Vec<f32>> = all.texts().into_iter().map(|text| text.parse().ok()).collect();
        if let Some(numbers) = numbers {
            self.form =
                Form::Values(codes.iter().map(|&code| numbers.get(code as usize).copied().unwrap_or(0.0)).collect());
        }
    }

    /// The labels of all rows.
    ///
    /// # Errors
    /// Labels that cannot be what the options ask for.
    pub(super) fn finish(self, place: &str, options: &SourceOptions) -> Result<NamedLabels, DataError> {
        match self.form {
            Form::Unknown => Ok((Labels::None, None)),
            Form::Texts { all, codes } => one_each(place, &all.texts(), &codes, options),
            Form::Values(values) => real(place, values),
            Form::Names { all, codes, ends } => several_each(place, &all.texts(), &codes, &ends, options),
            Form::Numbers { values, ends } => vectors(place, values, &ends, options),
        }
    }
}

fn not_a_number(place: &str, row: usize, found: &str) -> DataError {
    DataError::setting(format!("label of {place}, row {row}"), "a number", format!("`{found}`"))
}

fn real(place: &str, values: Vec<f32>) -> Result<NamedLabels, DataError> {
    let values = Tensor::new([values.len(), 1], values).expect("one value per row");
    Ok((Labels::from_tensor(place, values, Some(LabelType::Real), None)?, None))
}

/// Labels by the number of each row's text; [`NONE`] for rows that cannot be used, whose label is never looked at.
fn one_each(place: &str, texts: &[&str], codes: &[u32], options: &SourceOptions) -> Result<NamedLabels, DataError> {
    let whole = texts.iter().all(|t| t.parse::<i64>().is_ok());
    let numeric = texts.iter().all(|t| t.parse::<f64>().is_ok());
    let distinct: BTreeSet<&str> = texts.iter().copied().collect();
    let few = distinct.len() <= MOST_CLASSES && distinct.len() * 2 <= codes.len();
    let class = match options.labels {
        Some(LabelType::Class) => true,
        Some(_) => false,
        None => options.class_names.is_some() || !numeric || (whole && few),
    };
    if !class {
        let numbers: Vec<Option<f32>> = texts.iter().map(|text| text.parse().ok()).collect();
        let value = |(row, &code): (usize, &u32)| match texts.get(code as usize) {
            None => Ok(0.0),
            Some(text) => numbers[code as usize].ok_or_else(|| not_a_number(place, row, text)),
        };
        return real(place, codes.iter().enumerate().map(value).collect::<Result<_, _>>()?);
    }
    // Whole numbers that count from 0 are the class numbers themselves; anything else is numbered in order.
    let mut numbers: Vec<i64> = distinct.iter().filter_map(|t| t.parse().ok()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let are_names = |names: &Vec<String>| distinct.iter().all(|t| names.iter().any(|name| name == t));
    let counted = whole
        && !options.class_names.as_ref().is_some_and(are_names)
        && (options.classes.is_some() || numbers.iter().copied().eq(0..numbers.len() as i64));
    if counted {
        let own: Vec<i64> = texts.iter().map(|text| text.parse().unwrap_or(0)).collect();
        let indices: Vec<i64> = codes.iter().map(|&code| own.get(code as usize).copied().unwrap_or(0)).collect();
        let indices = Tensor::new([codes.len()], indices).expect("one value per row");
        return Ok((Labels::from_tensor(place, indices, Some(LabelType::Class), options.classes)?, None));
    }
    let names: Vec<String> = match &options.class_names {
        Some(names) => names.clone(),
        None if whole => numbers.iter().map(i64::to_string).collect(),
        None => distinct.iter().map(|&t| t.to_owned()).collect(),
    };
    let index = |text: &&str| {
        let same = |name: &String| name == text || (whole && name.parse::<i64>().ok() == text.parse().ok());
        names.iter().position(same).map(|index| index as i32).ok_or_else(|| DataError::UnknownClass {
            place: place.to_owned(),
            class: (*text).to_owned(),
            known: names.clone(),
        })
    };
    let indices = texts.iter().map(index).collect::<Result<Vec<i32>, _>>()?;
    let indices = codes.iter().map(|&code| indices.get(code as usize).copied().unwrap_or(0)).collect();
    Ok((Labels::classes(place, indices, names.len())?, Some(names)))
}

/// Any number of names per example, as rows of 0 and 1.
fn several_each(
    place: &str,
    texts: &[&str],
    codes: &[u32],
    ends: &[usize],
    options: &SourceOptions,
) -> Result<NamedLabels, DataError> {
    let names: Vec<String> = match &options.class_names {
        Some(names) => names.clone(),
        None => {
            let mut names: Vec<String> = texts.iter().map(|&text| text.to_owned()).collect();
            // Numbers in their order, not that of their digits.
            names.sort_by(|a, b| match (a.parse::<i64>(), b.parse::<i64>()) {
                (Ok(a), Ok(b)) => a.cmp(&b),
                _ => a.cmp(b),
            });
            names
        }
    };
    let class = |text: &&str| {
        names.iter().position(|known| known == text).ok_or_else(|| DataError::UnknownClass {
            place: place.to_owned(),
            class: (*text).to_owned(),
            known: names.clone(),
        })
    };
    let classes = texts.iter().map(class).collect::<Result<Vec<usize>, _>>()?;
    let mut values = vec![0.0f32; ends.len() * names.len()];
    let mut start = 0;
    for (row, &end) in values.chunks_exact_mut(names.len().max(1)).zip(ends) {
        codes[start..end].iter().for_each(|&code| row[classes[code as usize]] = 1.0);
        start = end;
    }
    let values = Tensor::new([ends.len(), names.len()], values).expect("a row of all classes for each example");
    Ok((Labels::MultiHot(values), Some(names)))
}

/// Lists of numbers: vectors of one length, else lists of class numbers.
fn vectors(place: &str, values: Vec<f32>, ends: &[usize], options: &SourceOptions) -> Result<NamedLabels, DataError> {
    let starts = || std::iter::once(0).chain(ends.iter().copied());
    // Rows that cannot be used have no values.
    let mut widths = ends.iter().zip(starts()).map(|(end, start)| end - start).filter(|&width| width > 0);
    let width = widths.next().unwrap_or(0);
    let is_vector = widths.all(|other| other == width);
    let are_marks =
        options.labels != Some(LabelType::MultiHot) || values.iter().all(|value| matches!(value, 0.0 | 1.0));
    if is_vector && are_marks {
        let mut all = Vec::with_capacity(ends.len() * width);
        for (&end, start) in ends.iter().zip(starts()) {
            if end > start { all.extend_from_slice(&values[start..end]) } else { all.resize(all.len() + width, 0.0) }
        }
        let tensor = Tensor::new([ends.len(), width], all).expect("every row has the first one's width");
        return Ok((Labels::from_tensor(place, tensor, options.labels, options.classes)?, None));
    }
    let mut all = Interner::default();
    let mut codes = Vec::with_capacity(values.len());
    for value in values {
        if value.fract() != 0.0 || value < 0.0 {
            let expected = "lists of one length, or of class numbers";
            return Err(DataError::setting(format!("labels of {place}"), expected, value));
        }
        codes.push(all.number(value.to_string()));
    }
    several_each(place, &all.texts(), &codes, ends, options)
}

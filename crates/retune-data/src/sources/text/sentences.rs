//! Texts whose words have labels, as found in a file, and the data set that they make.

use super::TextEncoding;
use crate::dataset::{Dataset, Inputs, Texts};
use crate::error::{BadExample, DataError};
use crate::labels::Labels;
use crate::origins::Origins;
use crate::sources::SourceOptions;
use crate::words::Words;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::path::Path;

/// A text as it stands in a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Sentence {
    pub(super) words: Vec<String>,
    /// One per word, or none at all.
    pub(super) labels: Vec<String>,
}

/// All texts of a file.
#[derive(Debug)]
pub(super) struct Sentences {
    /// What the file is, for the description.
    form: String,
    /// What a text stands in.
    unit: &'static str,
    /// Where texts stand; `None` for lines.
    pub(super) origins: Option<Origins>,
    /// The lines (elements) of each text, from 1, and the text, or what is wrong with it.
    pub(super) rows: Vec<(Range<u64>, Result<Sentence, String>)>,
}

impl Sentences {
    pub(super) fn new(form: impl Into<String>, unit: &'static str) -> Sentences {
        Sentences { form: form.into(), unit, origins: None, rows: Vec::new() }
    }

    /// Makes the texts of some lines bad ones.
    pub(super) fn refuse_lines(&mut self, bad: &BTreeSet<u64>, encoding: TextEncoding) {
        for (lines, row) in self.rows.iter_mut().filter(|_| !bad.is_empty()) {
            if bad.range(lines.clone()).next().is_some() {
                *row = Err(format!("expected {encoding}, found bytes that are none"));
            }
        }
        if encoding != TextEncoding::Utf8 {
            self.form.push_str(&format!(", {encoding}"));
        }
    }

    /// The data set, its bad texts set aside.
    pub(super) fn into_dataset(self, path: &Path, options: &SourceOptions) -> Result<Dataset, DataError> {
        let Sentences { form, unit, origins, rows } = self;
        let (place, count) = (path.display().to_string(), rows.len());
        if count == 0 {
            return Err(DataError::NoExamples { place });
        }
        let end = rows.last().map_or(1, |(lines, _)| lines.end);
        let (mut starts, mut bad) = (Vec::with_capacity(count), Vec::new());
        let (mut words, mut texts, mut labels): (_, Vec<String>, _) =
            (Words::default(), Vec::with_capacity(count), Vec::new());
        for (id, (lines, row)) in rows.into_iter().enumerate() {
            starts.push(lines.start);
            let row = row.and_then(checked).unwrap_or_else(|reason| {
                let place = format!("{place}, {unit} {}", lines.start);
                bad.push(BadExample { id: id as u64, place, reason });
                // It keeps its place, so that the ids of those after it do not depend on the tolerance.
                Sentence::default()
            });
            texts.push(words.push(&row.words));
            labels.push(row.labels);
        }
        let inputs = Inputs::Texts(Texts::single(texts));
        let description = format!("{place} ({count} texts of words, {form})");
        let data = if options.unlabelled {
            Dataset::new(description, inputs, Labels::None)?
        } else {
            let (labels, names) = numbered(&place, &labels, options)?;
            let data = Dataset::new(description, inputs, labels)?;
            match names {
                Some(names) => data.with_class_names(names)?,
                None => data,
            }
        };
        let origins = origins.unwrap_or_else(|| Origins::Lines { path: path.to_path_buf(), starts, end });
        data.with_words(words).with_origins(origins).excluding(bad, options.tolerance)
    }
}

fn checked(sentence: Sentence) -> Result<Sentence, String> {
    match sentence.words.iter().position(|word| word.trim().is_empty()) {
        _ if sentence.words.is_empty() => Err("the text has no words".to_owned()),
        Some(place) => Err(format!("word {place} is empty")),
        None => Ok(sentence),
    }
}

/// The labels as classes. They are numbered by the names given, else in the order of the alphabet; numbers are class numbers.
fn numbered(
    place: &str,
    labels: &[Vec<String>],
    options: &SourceOptions,
) -> Result<(Labels, Option<Vec<String>>), DataError> {
    let distinct: BTreeSet<&str> = labels.iter().flatten().map(String::as_str).collect();
    let largest = distinct.iter().map(|label| label.parse::<u16>().ok()).collect::<Option<Vec<_>>>();
    let are_numbers = largest.is_some()
        && !options
            .class_names
            .as_ref()
            .is_some_and(|names| distinct.iter().all(|label| names.iter().any(|n| n == label)));
    let names: Option<Vec<String>> = match (&options.class_names, are_numbers) {
        (Some(names), _) => Some(names.clone()),
        (None, true) => None,
        (None, false) => Some(distinct.iter().map(|&name| name.to_owned()).collect()),
    };
    let highest = largest.iter().flatten().max().map_or(0, |&number| usize::from(number) + 1);
    let classes = names.as_ref().map_or(options.classes.unwrap_or(highest), Vec::len);
    let numbers: HashMap<&str, i32> = match &names {
        Some(names) if !are_numbers => names.iter().map(String::as_str).zip(0..).collect(),
        _ => distinct.iter().filter_map(|label| Some((*label, label.parse().ok()?))).collect(),
    };
    let (mut indices, mut ends) = (Vec::new(), Vec::with_capacity(labels.len()));
    for label in labels.iter().map(|labels| labels.iter()) {
        for label in label {
            let index = numbers.get(label.as_str()).ok_or_else(|| DataError::UnknownClass {
                place: place.to_owned(),
                class: label.clone(),
                known: names.clone().unwrap_or_default(),
            })?;
            indices.push(*index);
        }
        ends.push(indices.len());
    }
    Ok((Labels::of_words(place, indices, ends, classes)?, names))
}

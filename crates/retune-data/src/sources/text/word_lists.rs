//! Tables with a list of words and a list of their labels in each row, as data sets of the Hugging Face Hub have them.

use super::sentences::{Sentence, Sentences};
use crate::dataset::Dataset;
use crate::error::DataError;
use crate::labels::LabelType;
use crate::sources::records::{Cell, Header, Look, Table};
use crate::sources::{Column, SourceOptions};
use std::path::Path;

/// Names of columns that hold words.
const WORD_NAMES: &[&str] = &["tokens", "words"];
/// Names of columns that hold the labels of words.
const LABEL_NAMES: &[&str] = &["ner_tags", "tags", "labels", "ner"];

/// The table, where its rows hold words: by what is asked for, or because the first one has a list of them.
pub(super) fn open(path: &Path, options: &SourceOptions) -> Result<Option<Table>, DataError> {
    match options.labels {
        Some(LabelType::WordClass) => Table::open(path, options, Look::Glance).map(Some),
        Some(_) => Ok(None),
        None => Ok(Some(Table::open(path, options, Look::Glance)?).filter(holds_words)),
    }
}

/// Whether the first row that can be read has a list of words.
pub(in crate::sources) fn holds_words(table: &Table) -> bool {
    let is_words = |name: &&str| {
        let column = table.header.position(name);
        let first = table.sample.iter().find_map(|record| record.cells.as_ref().ok()?.get(column?));
        matches!(first, Some(Cell::Texts(_)))
    };
    WORD_NAMES.iter().any(is_words)
}

pub(super) fn read(path: &Path, options: &SourceOptions) -> Result<Dataset, DataError> {
    let mut table = Table::open(path, options, Look::Whole)?;
    let header = table.header.clone();
    let column = |given: &Option<Column>, usual: &[&str]| match given {
        Some(column) => header.find(path, column),
        None => usual.iter().find_map(|name| header.position(name)).ok_or_else(|| header.unknown(path, usual[0])),
    };
    let words = column(&options.text, WORD_NAMES)?;
    let labels = if options.unlabelled { None } else { Some(column(&options.label, LABEL_NAMES)?) };
    let mut form = format!("{}; words: {}", header.form, header.name(words));
    form.extend(labels.map(|labels| format!(", labels: {}", header.name(labels))));
    let mut sentences = Sentences::new(path, header.unit.name(), options);
    let columns: Vec<usize> = [words].into_iter().chain(labels).collect();
    let end = table.for_each(&columns, |record| {
        let row = record.cells.and_then(|cells| sentence(cells, words, labels, &header));
        sentences.push(record.start, row)
    })?;
    // Names that the file gives to numbers.
    let classes = labels.and_then(|labels| header.columns[labels].classes.clone());
    let options = match (&classes, &options.class_names) {
        (Some(names), None) => &SourceOptions { class_names: Some(names.clone()), ..options.clone() },
        _ => options,
    };
    sentences.into_dataset(&form, |starts| table.origins(starts, end), options)
}

fn sentence(mut cells: Vec<Cell>, words: usize, labels: Option<usize>, header: &Header) -> Result<Sentence, String> {
    let mut take = |column: usize| std::mem::replace(&mut cells[column], Cell::Missing);
    let wrong = |column: usize, cell: &Cell| match cell {
        Cell::Missing => format!("{} is missing", header.name(column)),
        other => format!("{}: expected a list, found {}", header.name(column), other.kind()),
    };
    let words_found = match take(words) {
        Cell::Texts(words) => words,
        other => return Err(wrong(words, &other)),
    };
    let Some(column) = labels else { return Ok(Sentence { words: words_found, labels: Vec::new() }) };
    let classes = header.columns[column].classes.as_deref();
    let labels_found: Vec<String> = match take(column) {
        Cell::Texts(names) => names.into_iter().map(|name| name.trim().to_owned()).collect(),
        Cell::Numbers(numbers) => {
            let name = |number: f64| {
                let index = Some(number as usize).filter(|&index| index as f64 == number);
                let index = index.ok_or_else(|| format!("{}: {number} is no label", header.name(column)))?;
                match classes {
                    None => Ok(index.to_string()),
                    Some(names) => names.get(index).cloned().ok_or_else(|| {
                        format!(
                            "{}: expected the number of one of {} classes, found {number}",
                            header.name(column),
                            names.len()
                        )
                    }),
                }
            };
            numbers.into_iter().map(name).collect::<Result<_, String>>()?
        }
        other => return Err(wrong(column, &other)),
    };
    if let Some(place) = labels_found.iter().position(String::is_empty) {
        return Err(format!("{}, label {place}: expected a name or number, found nothing", header.name(column)));
    }
    if labels_found.len() != words_found.len() {
        return Err(format!(
            "expected a label for each of {} words, found {} labels",
            words_found.len(),
            labels_found.len()
        ));
    }
    Ok(Sentence { words: words_found, labels: labels_found })
}

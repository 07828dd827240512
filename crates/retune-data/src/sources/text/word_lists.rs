//! JSON objects with a list of words and a list of their labels, as data sets of the Hugging Face Hub have them.

use super::TextFormat;
use super::examples::Unit;
use super::json_lines::{is_array, kind, malformed, objects};
use super::lines::numbered;
use super::sentences::{Sentence, Sentences};
use crate::error::DataError;
use crate::labels::LabelType;
use crate::sources::{Column, SourceOptions};
use serde_json::{Map, Value};
use std::path::Path;

/// Names of fields that hold words.
const WORD_NAMES: &[&str] = &["tokens", "words"];
/// Names of fields that hold the labels of words.
const LABEL_NAMES: &[&str] = &["ner_tags", "tags", "labels", "ner"];

/// Whether the objects of a file hold words: by what is asked for, or because the first one has a list of them.
pub(super) fn are_meant(format: TextFormat, text: &str, options: &SourceOptions) -> bool {
    if format != TextFormat::Jsonl {
        return false;
    }
    let first = || -> Option<Value> {
        if is_array(text) {
            return serde_json::from_str::<Vec<Value>>(text).ok()?.into_iter().next();
        }
        serde_json::from_str(numbered(text).next()?.0).ok()
    };
    match options.labels {
        Some(LabelType::WordClass) => true,
        Some(_) => false,
        None => first().is_some_and(|object| WORD_NAMES.iter().any(|name| object[*name].is_array())),
    }
}

pub(super) fn read(path: &Path, text: &str, options: &SourceOptions) -> Result<Sentences, DataError> {
    let objects = objects(path, text)?;
    let first = objects.iter().find_map(|(_, object)| object.as_ref().ok());
    let Some(first) = first else {
        let reason = objects.into_iter().find_map(|(lines, object)| Some((lines.start, object.err()?)));
        return Err(match reason {
            Some((line, found)) => malformed(path, line, found),
            None => DataError::NoExamples { place: path.display().to_string() },
        });
    };
    let field = |given: &Option<Column>, usual: &[&str], what: &'static str| {
        let name = match given {
            Some(Column::Name(name)) => Some(name.clone()).filter(|name| first.contains_key(name)),
            Some(Column::Index(_)) => None,
            None => usual.iter().find(|name| first.contains_key(**name)).map(|name| (*name).to_owned()),
        };
        let asked = match given {
            Some(Column::Name(name)) => name.clone(),
            Some(Column::Index(index)) => index.to_string(),
            None => usual[0].to_owned(),
        };
        let known = || first.keys().cloned().collect();
        name.ok_or_else(|| DataError::UnknownName { path: path.to_path_buf(), what, name: asked, known: known() })
    };
    let words = field(&options.text, WORD_NAMES, "list of words")?;
    let labels = if options.unlabelled { None } else { Some(field(&options.label, LABEL_NAMES, "list of labels")?) };
    let unit = if is_array(text) { Unit::Element } else { Unit::Line };
    let mut form = format!("JSON lines; words: `{words}`");
    form.extend(labels.iter().map(|labels| format!(", labels: `{labels}`")));
    let mut sentences = Sentences::new(form, unit);
    let row = |object: Map<String, Value>| sentence(&object, &words, labels.as_deref());
    sentences.rows = objects.into_iter().map(|(lines, object)| (lines, object.and_then(row))).collect();
    Ok(sentences)
}

fn sentence(object: &Map<String, Value>, words: &str, labels: Option<&str>) -> Result<Sentence, String> {
    let list = |name: &str| match object.get(name) {
        Some(Value::Array(values)) => Ok(values),
        Some(other) => Err(format!("field `{name}`: expected a list, found {}", kind(other))),
        None => Err(format!("field `{name}` is missing")),
    };
    let word = |(place, value): (usize, &Value)| match value.as_str() {
        Some(word) => Ok(word.to_owned()),
        None => Err(format!("field `{words}`, word {place}: expected a text, found {}", kind(value))),
    };
    let words_found = list(words)?.iter().enumerate().map(word).collect::<Result<Vec<_>, _>>()?;
    let Some(labels) = labels else { return Ok(Sentence { words: words_found, labels: Vec::new() }) };
    let label = |(place, value): (usize, &Value)| match value {
        Value::String(name) if !name.trim().is_empty() => Ok(name.trim().to_owned()),
        Value::Number(number) if number.as_u64().is_some() => Ok(number.to_string()),
        other => Err(format!("field `{labels}`, label {place}: expected a name or number, found {}", kind(other))),
    };
    let labels_found = list(labels)?.iter().enumerate().map(label).collect::<Result<Vec<_>, _>>()?;
    if labels_found.len() != words_found.len() {
        return Err(format!(
            "expected a label for each of {} words, found {} labels",
            words_found.len(),
            labels_found.len()
        ));
    }
    Ok(Sentence { words: words_found, labels: labels_found })
}

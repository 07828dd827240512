//! One JSON object a line, also a single array of objects.

use super::examples::{RawExample, RawLabel, Rows, Unit};
use super::lines::numbered;
use super::{LABEL_NAMES, PAIRS, TEXT_NAMES};
use crate::error::DataError;
use crate::side::{SideColumn, SideColumns};
use crate::sources::{Column, SourceOptions};
use serde_json::{Map, Value};
use std::ops::Range;
use std::path::Path;

/// Names of the fields that are read.
struct Fields {
    first: String,
    second: Option<String>,
    label: Option<String>,
    side: Vec<(SideColumn, String)>,
}

pub(super) fn read(path: &Path, text: &str, options: &SourceOptions) -> Result<Rows, DataError> {
    let objects = objects(path, text)?;
    let Some(first) = objects.iter().find_map(|(_, object)| object.as_ref().ok()) else {
        let reason = objects.into_iter().find_map(|(lines, object)| Some((lines.start, object.err()?)));
        return Err(match reason {
            Some((line, found)) => malformed(path, line, found),
            None => DataError::NoExamples { place: path.display().to_string() },
        });
    };
    let fields = Fields::of(path, first, options)?;
    let mut form = format!("JSON lines; text: `{}`", fields.first);
    for (what, name) in [("second text", &fields.second), ("label", &fields.label)] {
        form.extend(name.iter().map(|name| format!(", {what}: `{name}`")));
    }
    let mut rows = Rows::new(form, fields.second.is_some());
    if is_array(text) {
        rows.unit = Unit::Element;
    }
    rows.rows = objects.into_iter().map(|(lines, object)| (lines, object.and_then(|o| fields.row(&o)))).collect();
    Ok(rows)
}

/// Whether a file is one array of objects.
pub(super) fn is_array(text: &str) -> bool {
    text.trim_start().starts_with('[')
}

pub(super) type Object = Result<Map<String, Value>, String>;

pub(super) fn objects(path: &Path, text: &str) -> Result<Vec<(Range<u64>, Object)>, DataError> {
    let object = |value: Value| match value {
        Value::Object(object) => Ok(object),
        other => Err(format!("expected an object, found {}", kind(&other))),
    };
    if is_array(text) {
        let values: Vec<Value> =
            serde_json::from_str(text).map_err(|error| malformed(path, error.line() as u64, error.to_string()))?;
        // Where in the file an element stands is not known; its number says which one it is.
        return Ok(values.into_iter().zip(1..).map(|(value, n)| (n..n + 1, object(value))).collect());
    }
    let parsed = |line: &str| serde_json::from_str(line).map_err(|e| format!("no JSON: {e}")).and_then(object);
    Ok(numbered(text).map(|(line, number)| (number..number + 1, parsed(line))).collect())
}

pub(super) fn malformed(path: &Path, line: u64, found: String) -> DataError {
    DataError::Malformed {
        path: path.to_path_buf(),
        place: format!("line {line}"),
        expected: "JSON, an object a line".into(),
        found,
        hint: "name the form with `format`, if it is another",
    }
}

pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

impl Fields {
    fn of(path: &Path, first: &Map<String, Value>, options: &SourceOptions) -> Result<Fields, DataError> {
        let unknown = |name: &str| DataError::UnknownName {
            path: path.to_path_buf(),
            what: "field",
            name: name.to_owned(),
            known: first.keys().cloned().collect(),
        };
        let field = |column: &Column| match column {
            Column::Name(name) if first.contains_key(name) => Ok(name.clone()),
            Column::Name(name) => Err(unknown(name)),
            Column::Index(index) => Err(unknown(&index.to_string())),
        };
        let given = |column: &Option<Column>| column.as_ref().map(field).transpose();
        let known =
            |names: &[&str]| names.iter().find(|name| first.contains_key(**name)).map(|name| (*name).to_owned());
        let (text, second, label) = (given(&options.text)?, given(&options.text_pair)?, given(&options.label)?);
        let pair = |text: &str| PAIRS.iter().find(|(a, _)| *a == text).and_then(|(_, b)| known(&[b]));
        let (text, pair) = match text {
            Some(text) => (text, None),
            None => {
                let text = known(TEXT_NAMES).ok_or_else(|| unknown("text"))?;
                let pair = pair(&text);
                (text, pair)
            }
        };
        let label = match label {
            _ if options.unlabelled => None,
            Some(label) => Some(label),
            None => Some(known(LABEL_NAMES).ok_or_else(|| unknown("label"))?),
        };
        let side = SideColumns::wanted(options).map(|(side, column)| Ok((side, field(column)?)));
        let side = side.collect::<Result<_, DataError>>()?;
        Ok(Fields { first: text, second: second.or(pair), label, side })
    }

    fn row(&self, object: &Map<String, Value>) -> Result<RawExample, String> {
        let text = |name: &String| match object.get(name) {
            Some(Value::String(text)) if text.trim().is_empty() => Err(format!("field `{name}`: the text is empty")),
            Some(Value::String(text)) => Ok(text.trim().to_owned()),
            Some(other) => Err(format!("field `{name}`: expected a text, found {}", kind(other))),
            None => Err(format!("field `{name}` is missing")),
        };
        let label = |name: &String| match object.get(name) {
            None | Some(Value::Null) => Err(format!("field `{name}`: the label is missing")),
            Some(value) => label(value).ok_or_else(|| format!("field `{name}`: {} is no label", kind(value))),
        };
        let beside = |(side, name): &(SideColumn, String)| match object.get(name) {
            Some(Value::String(text)) if !text.trim().is_empty() => Ok((*side, text.trim().to_owned())),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok((*side, value.to_string())),
            _ => Err(format!("field `{name}`: the {} is missing", side.name())),
        };
        Ok(RawExample {
            first: text(&self.first)?,
            second: self.second.as_ref().map(text).transpose()?,
            label: self.label.as_ref().map(label).transpose()?,
            side: self.side.iter().map(beside).collect::<Result<_, String>>()?,
        })
    }
}

fn label(value: &Value) -> Option<RawLabel> {
    match value {
        Value::String(name) => Some(RawLabel::One(name.trim().to_owned())).filter(|_| !name.trim().is_empty()),
        Value::Number(number) => Some(RawLabel::One(number.to_string())),
        Value::Bool(truth) => Some(RawLabel::One(truth.to_string())),
        Value::Array(values) if values.iter().any(Value::is_number) => {
            let numbers = values.iter().map(|value| value.as_f64().map(|number| number as f32));
            numbers.collect::<Option<_>>().map(RawLabel::Numbers)
        }
        Value::Array(values) => {
            let names = values.iter().map(|value| value.as_str().map(str::to_owned));
            names.collect::<Option<_>>().map(RawLabel::Names)
        }
        _ => None,
    }
}

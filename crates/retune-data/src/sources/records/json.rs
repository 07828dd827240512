//! Objects of JSON: one a line; an array of them; or an object with one such array.
//!
//! Each object is parsed by itself, so that a broken one does not spoil the others, and a file of any size takes the memory of its
//! largest object.

use super::lines::{Lines, Look, Pieces};
use super::scan::{Part, Scan};
use super::{Cell, ColumnInfo, Header, Record, SAMPLE, TextEncoding, Unit};
use crate::error::DataError;
use crate::sources::SourceOptions;
use serde_json::{Map, Value};
use std::path::Path;

/// Bytes of the largest object.
const MAX_OBJECT: usize = 1 << 26;

/// An object with its line or number, or what is wrong with it.
type Found = (u64, Result<Map<String, Value>, String>);

/// Rows of a file of objects.
pub(super) struct Json {
    objects: Objects,
    fields: Vec<String>,
}

/// The objects of a file.
pub(in crate::sources) enum Objects {
    Lines(Lines),
    Elements(Box<Elements>),
}

impl Objects {
    /// Opens a file. It holds an array where it begins with `[`, and an object with an array where its first line alone is no object
    /// but the beginning of one, or holds an array of objects and is the only line.
    pub(in crate::sources) fn open(path: &Path, options: &SourceOptions, look: Look) -> Result<Objects, DataError> {
        let mut lines = Lines::open(path, options.encoding, look)?;
        let (mut first, mut second) = (None, None);
        while second.is_none() {
            let Some(line) = lines.next()? else { break };
            if !line.text.trim().is_empty() {
                if first.is_none() { first = Some(line) } else { second = Some(line) }
            }
        }
        let text = first.as_ref().map_or("", |line| line.text.trim());
        let is_structured = text.starts_with('[')
            || text.starts_with('{')
                && match serde_json::from_str::<Map<String, Value>>(text) {
                    Ok(object) => second.is_none() && object.values().any(is_array_of_objects),
                    Err(error) => error.is_eof() || first.as_ref().is_some_and(|line| line.problem.is_some()),
                };
        let lines = Lines::open(path, options.encoding, look)?;
        Ok(if is_structured { Objects::Elements(Box::new(Elements::new(lines))) } else { Objects::Lines(lines) })
    }

    pub(in crate::sources) fn unit(&self) -> Unit {
        match self {
            Objects::Lines(_) => Unit::Line,
            Objects::Elements(_) => Unit::Element,
        }
    }

    pub(in crate::sources) fn encoding(&self) -> TextEncoding {
        match self {
            Objects::Lines(lines) => lines.encoding(),
            Objects::Elements(elements) => elements.encoding,
        }
    }

    /// The next object.
    pub(in crate::sources) fn next(&mut self) -> Result<Option<Found>, DataError> {
        match self {
            Objects::Lines(lines) => loop {
                let Some(line) = lines.next()? else { return Ok(None) };
                let text = line.text.trim();
                if !text.is_empty() {
                    return Ok(Some((line.number, line.problem.clone().map_or_else(|| parsed(text), Err))));
                }
            },
            Objects::Elements(elements) => elements.next(),
        }
    }
}

fn is_array_of_objects(value: &Value) -> bool {
    value.as_array().is_some_and(|values| values.first().is_some_and(Value::is_object))
}

fn parsed(text: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))? {
        Value::Object(object) => Ok(object),
        other => Err(format!("expected an object, found {}", kind(&other))),
    }
}

/// What a value is, in words.
pub(in crate::sources) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

impl Json {
    /// Opens a file: the rows behind the first ones, what the header says, and the first rows.
    pub(super) fn open(
        path: &Path,
        options: &SourceOptions,
        look: Look,
    ) -> Result<(Json, Header, Vec<Record>), DataError> {
        let mut objects = Objects::open(path, options, look)?;
        let (mut first, mut fields) = (Vec::new(), Vec::new());
        while first.len() < SAMPLE {
            let Some(found) = objects.next()? else { break };
            for name in found.1.iter().flat_map(Map::keys) {
                if !fields.contains(name) {
                    fields.push(name.clone());
                }
            }
            first.push(found);
        }
        let mut form = match objects.unit() {
            Unit::Element => "an array of JSON objects".to_owned(),
            _ => "JSON lines".to_owned(),
        };
        if objects.encoding() != TextEncoding::Utf8 {
            form.push_str(&format!(", {}", objects.encoding()));
        }
        let columns = fields.iter().map(|name| ColumnInfo { name: Some(name.clone()), classes: None }).collect();
        let header = Header { columns, noun: "field", unit: objects.unit(), form };
        let json = Json { objects, fields };
        let sample = first.into_iter().map(|found| json.record(found)).collect();
        Ok((json, header, sample))
    }

    pub(super) fn next(&mut self) -> Result<Option<Record>, DataError> {
        Ok(self.objects.next()?.map(|found| self.record(found)))
    }

    /// The line behind the last one.
    pub(super) fn end(&self) -> u64 {
        match &self.objects {
            Objects::Lines(lines) => lines.number() + 1,
            Objects::Elements(elements) => elements.count + 1,
        }
    }

    fn record(&self, (start, object): Found) -> Record {
        let cells = |mut object: Map<String, Value>| {
            let cell = |name: &String| object.remove(name).map_or(Cell::Missing, cell);
            self.fields.iter().map(cell).collect()
        };
        Record { start, cells: object.map(cells) }
    }
}

fn cell(value: Value) -> Cell {
    match value {
        Value::Null => Cell::Missing,
        Value::Bool(truth) => Cell::Truth(truth),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Cell::Integer(integer),
            (None, Some(number)) => Cell::Number(number),
            (None, None) => Cell::Other("a number that is too large"),
        },
        Value::String(text) => Cell::Text(text),
        Value::Array(values) if values.iter().all(Value::is_string) => {
            Cell::Texts(values.into_iter().filter_map(|value| value.as_str().map(str::to_owned)).collect())
        }
        Value::Array(values) => {
            let number =
                |value: &Value| value.as_f64().or_else(|| value.as_bool().map(|truth| f64::from(u8::from(truth))));
            match values.iter().map(number).collect::<Option<Vec<f64>>>() {
                Some(numbers) => Cell::Numbers(numbers),
                None => Cell::Other("an array of several kinds"),
            }
        }
        Value::Object(object) => match object.get("path").and_then(Value::as_str) {
            Some(path) => Cell::Image { bytes: None, path: Some(path.to_owned()) },
            None => Cell::Other("an object"),
        },
    }
}

/// The elements of an array, cut out of the text one by one.
pub(in crate::sources) struct Elements {
    path: std::path::PathBuf,
    encoding: TextEncoding,
    pieces: Pieces,
    piece: String,
    at: usize,
    /// Whether bytes were met that the encoding does not have.
    is_damaged: bool,
    scan: Scan,
    /// The element at hand, as far as it was read.
    element: Vec<u8>,
    is_too_large: bool,
    /// Whether the file was found to end before the array does.
    is_cut: bool,
    count: u64,
}

impl Elements {
    fn new(lines: Lines) -> Elements {
        Elements {
            path: lines.path().to_path_buf(),
            encoding: lines.encoding(),
            pieces: lines.into_pieces(),
            piece: String::new(),
            at: 0,
            is_damaged: false,
            scan: Scan::default(),
            element: Vec::new(),
            is_too_large: false,
            is_cut: false,
            count: 0,
        }
    }

    fn next(&mut self) -> Result<Option<Found>, DataError> {
        loop {
            while let Some(&byte) = self.piece.as_bytes().get(self.at) {
                self.at += 1;
                match self.scan.step(byte) {
                    Part::Element => self.keep(byte),
                    Part::Comma => return self.found().map(Some),
                    Part::End if !self.element.is_empty() => return self.found().map(Some),
                    Part::End | Part::Around => {}
                }
            }
            let Some((piece, has_errors)) = self.pieces.next()? else {
                return match (self.scan.is_over() || self.is_cut, self.scan.arrays()) {
                    (true, _) => Ok(None),
                    (false, 0) => Err(self.malformed("no such array".to_owned())),
                    (false, _) => {
                        self.is_cut = true;
                        self.count += 1;
                        Ok(Some((self.count, Err("the file ends before the array does".to_owned()))))
                    }
                };
            };
            (self.piece, self.at) = (piece, 0);
            self.is_damaged |= has_errors;
        }
    }

    /// Keeps a byte of the element at hand, white space before it left out.
    fn keep(&mut self, byte: u8) {
        if self.element.len() == MAX_OBJECT {
            self.is_too_large = true;
        } else if !(self.element.is_empty() && byte.is_ascii_whitespace()) {
            self.element.push(byte);
        }
    }

    /// The element that ends here.
    fn found(&mut self) -> Result<Found, DataError> {
        if self.scan.arrays() > 1 {
            return Err(self.malformed("several such arrays".to_owned()));
        }
        self.count += 1;
        let element = std::mem::take(&mut self.element);
        let object = match std::mem::take(&mut self.is_too_large) {
            true => Err(format!("an object of more than {} MiB", MAX_OBJECT >> 20)),
            false => self.parsed(&element),
        };
        Ok((self.count, object))
    }

    fn parsed(&self, element: &[u8]) -> Result<Map<String, Value>, String> {
        let text = String::from_utf8_lossy(element);
        if self.is_damaged && text.contains('\u{FFFD}') {
            return Err(self.pieces.problem());
        }
        parsed(&text)
    }

    fn malformed(&self, found: String) -> DataError {
        DataError::Malformed {
            path: self.path.clone(),
            place: "whole file".into(),
            expected: "an array of JSON objects, or an object with one such array".into(),
            found,
            hint: "write one object a line, or one array",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An object as it is written, with its place, or what is wrong with it.
    type Written = (u64, Result<String, String>);

    fn objects(text: &str) -> Result<Vec<Written>, DataError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let mut objects = Objects::open(file.path(), &SourceOptions::default(), Look::Whole)?;
        let mut found = Vec::new();
        while let Some((start, object)) = objects.next()? {
            found.push((start, object.map(|object| Value::Object(object).to_string())));
        }
        Ok(found)
    }

    fn ok(start: u64, text: &str) -> Written {
        (start, Ok(text.to_owned()))
    }

    #[test]
    fn objects_stand_in_lines_arrays_and_objects_with_an_array() {
        let wanted = [ok(1, r#"{"a":1}"#), ok(2, r#"{"a":"],}{\""}"#)];
        let lines = "{\"a\": 1}\n{\"a\": \"],}{\\\"\"}\n";
        assert_eq!(objects(lines).unwrap(), wanted);
        let array = format!("[{}]", lines.trim().replace('\n', ",\n"));
        assert_eq!(objects(&array).unwrap(), wanted);
        let inside = format!("{{\"version\": [1, [2]], \"data\": {array}, \"by\": {{\"x\": []}}}}");
        assert_eq!(objects(&inside).unwrap(), wanted);
        assert_eq!(objects(&inside.replace(", \"data\"", ",\n\"data\"")).unwrap(), wanted);
        assert_eq!(objects("[]").unwrap(), []);
    }

    #[test]
    fn broken_objects_spoil_themselves_alone() {
        let found = objects("[{\"a\":1}, {\"a\":}, 7, {\"a\":2}").unwrap();
        assert_eq!((&found[0], found.len()), (&ok(1, r#"{"a":1}"#), 4));
        let reasons: Vec<&str> =
            found.iter().filter_map(|(_, object)| object.as_ref().err().map(String::as_str)).collect();
        assert!(reasons[0].starts_with("no JSON"), "{reasons:?}");
        assert_eq!(reasons[1..], ["expected an object, found a number", "the file ends before the array does"]);
        let found = objects("{\"a\": broken}\n{\"a\":1}\n").unwrap();
        assert!(found[0].1.is_err() && found[1] == ok(2, r#"{"a":1}"#), "{found:?}");
    }

    #[test]
    fn files_without_an_array_or_with_several_are_refused() {
        let two = objects(r#"{"a":[{"x":1}],"b":[{"x":2}]}"#).unwrap_err().to_string();
        assert!(two.contains("several such arrays"), "{two}");
        let none = objects("{\"a\":\n[1]}").unwrap_err().to_string();
        assert!(none.contains("no such array"), "{none}");
    }
}

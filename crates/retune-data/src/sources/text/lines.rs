//! Texts of one line each, with or without a label in front, as TREC's and the Stanford sentiment files have it. Empty lines are none.

use crate::dataset::Dataset;
use crate::error::DataError;
use crate::origins::Origins;
use crate::sources::SourceOptions;
use crate::sources::examples::{Example, Examples, Form, Input};
use crate::sources::label_texts::RawLabel;
use crate::sources::records::lines::Lines;
use crate::sources::records::{Look, TextEncoding};
use std::path::Path;

/// Reads a file of `label text` lines, or of a text a line.
pub(super) fn read(path: &Path, is_labelled: bool, options: &SourceOptions) -> Result<Dataset, DataError> {
    let mut lines = Lines::open(path, options.encoding, Look::Whole)?;
    let mut examples = Examples::new(path, Form::Texts, options);
    let (mut starts, mut end) = (Vec::new(), 1);
    while let Some(line) = lines.next()? {
        end = line.number + 1;
        let text = line.text.trim();
        if text.is_empty() && line.problem.is_none() {
            continue;
        }
        starts.push(line.number);
        let example = match line.problem {
            Some(problem) => Err(problem),
            None if is_labelled => labelled(text, options),
            None => Ok(Example { input: Input::Text(text.to_owned()), label: None, side: Vec::new() }),
        };
        examples.push(|| format!("{}, line {}", path.display(), line.number), example)?;
    }
    let mut form = if is_labelled { "a label and a text a line" } else { "a text a line" }.to_owned();
    if lines.encoding() != TextEncoding::Utf8 {
        form.push_str(&format!(", {}", lines.encoding()));
    }
    examples.finish("texts", &form, Origins::Lines { path: path.to_path_buf(), starts, end })
}

fn labelled(line: &str, options: &SourceOptions) -> Result<Example, String> {
    match line.split_once(char::is_whitespace) {
        Some((label, text)) if !text.trim().is_empty() => Ok(Example {
            input: Input::Text(text.trim().to_owned()),
            label: Some(RawLabel::One(label.to_owned()).checked(options)?),
            side: Vec::new(),
        }),
        _ => Err("expected a label and a text with a space between, found one word".to_owned()),
    }
}

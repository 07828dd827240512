//! A word and its label a line, with an empty line behind each text, as the shared tasks of CoNLL have it.
//!
//! Columns stand between tabs, or else between spaces. The word is in the first one and the label in the last, unless others are
//! named by number with `text` and `label`. Left out are lines of `-DOCSTART-`, and comments: lines before the first word of a
//! text that begin with `#` and hold `=`, or begin with `# id`.

use super::sentences::{Sentence, Sentences};
use super::{SAMPLE, TextEncoding};
use crate::dataset::Dataset;
use crate::error::DataError;
use crate::origins::Origins;
use crate::sources::records::Look;
use crate::sources::records::lines::Lines;
use crate::sources::{Column, SourceOptions};
use std::ops::Range;
use std::path::Path;

/// A text with its lines, or what is wrong with it.
type Found = (Range<u64>, Result<Sentence, String>);

/// Reads one part.
pub(super) fn read(path: &Path, options: &SourceOptions) -> Result<Dataset, DataError> {
    let mut texts = Reader::new(Lines::open(path, options.encoding, Look::Whole)?, options)?;
    let mut sentences = Sentences::new(path, "line", options);
    while let Some((lines, row)) = texts.next()? {
        sentences.push(lines.start, row)?;
    }
    let form = match texts.lines.encoding() {
        TextEncoding::Utf8 => "a word a line".to_owned(),
        encoding => format!("a word a line, {encoding}"),
    };
    let end = texts.lines.number() + 1;
    sentences.into_dataset(&form, |starts| Origins::Lines { path: path.to_path_buf(), starts, end }, options)
}

/// The texts of a file, one by one.
struct Reader {
    lines: Lines,
    columns: Columns,
}

impl Reader {
    fn new(lines: Lines, options: &SourceOptions) -> Result<Reader, DataError> {
        let number = |name: &str, column: &Option<Column>| match column {
            None => Ok(None),
            Some(Column::Index(index)) => Ok(Some(*index)),
            Some(Column::Name(column)) => {
                Err(DataError::setting(name, "the number of a column, from 0, as the file has no names", column))
            }
        };
        let columns = Columns {
            word: number("text", &options.text)?.unwrap_or(0),
            label: number("label", &options.label)?,
            is_labelled: !options.unlabelled,
        };
        Ok(Reader { lines, columns })
    }

    /// The next text; `None` behind the last.
    fn next(&mut self) -> Result<Option<Found>, DataError> {
        let (mut range, mut sentence, mut problem) = (None::<Range<u64>>, Sentence::default(), None);
        while let Some(line) = self.lines.next()? {
            let text = line.text.trim_end();
            if text.is_empty() || text.trim_start().starts_with("-DOCSTART-") {
                if range.is_some() {
                    break;
                }
                continue;
            }
            if range.is_none() && is_comment(text) {
                continue;
            }
            range.get_or_insert(line.number..line.number).end = line.number + 1;
            match (line.problem, self.columns.of(text)) {
                (Some(damage), _) => problem = Some(damage),
                (None, Ok((word, label))) => {
                    sentence.words.push(word.to_owned());
                    sentence.labels.extend(label.map(str::to_owned));
                }
                (None, Err(reason)) => problem = problem.or(Some(format!("line {}: {reason}", line.number))),
            }
        }
        Ok(range.map(|range| (range, problem.map_or(Ok(sentence), Err))))
    }
}

/// Whether the first lines are words with labels such as `O` and `B-PER`.
pub(super) fn looks_like(text: &str) -> bool {
    let lines = text.lines().map(str::trim_end).take(SAMPLE);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("-DOCSTART-") && !is_comment(line));
    let (mut count, mut has_spans) = (0, false);
    for line in lines {
        let fields = fields(line);
        let label = fields.last().copied().unwrap_or_default();
        if fields.len() < 2 || !(label == "O" || is_span_label(label)) {
            return false;
        }
        has_spans |= label != "O";
        count += 1;
    }
    count > 1 && has_spans
}

/// Whether a label has the form `B-PER`.
fn is_span_label(label: &str) -> bool {
    label
        .split_once('-')
        .is_some_and(|(prefix, kind)| !kind.is_empty() && prefix.len() == 1 && "BIESLUM".contains(prefix))
}

fn is_comment(line: &str) -> bool {
    line.starts_with("# id") || line.starts_with('#') && line.contains('=')
}

fn fields(line: &str) -> Vec<&str> {
    if line.contains('\t') { line.split('\t').map(str::trim).collect() } else { line.split_whitespace().collect() }
}

/// Places of columns.
struct Columns {
    word: usize,
    /// `None`: the last.
    label: Option<usize>,
    is_labelled: bool,
}

impl Columns {
    fn of<'a>(&self, line: &'a str) -> Result<(&'a str, Option<&'a str>), String> {
        let fields = fields(line);
        let missing = |what: &str, column: usize| {
            format!("expected {what} in column {column}, found {} columns: `{}`", fields.len(), line.trim())
        };
        let word = fields.get(self.word).filter(|word| !word.is_empty()).ok_or_else(|| missing("a word", self.word))?;
        if !self.is_labelled {
            return Ok((word, None));
        }
        if fields.len() < 2 {
            return Err(format!("expected a word and its label, found `{}` alone", line.trim()));
        }
        let column = self.label.unwrap_or(fields.len() - 1);
        let label = fields.get(column).filter(|label| !label.is_empty()).ok_or_else(|| missing("a label", column))?;
        Ok((word, Some(label)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(text: &str, options: &SourceOptions) -> Result<Reader, DataError> {
        Reader::new(Lines::of_bytes(Path::new("a.conll"), text.as_bytes().to_vec(), None), options)
    }

    fn rows(text: &str, options: &SourceOptions) -> Vec<(u64, u64, Result<Sentence, String>)> {
        let mut reader = reader(text, options).unwrap();
        let rows = std::iter::from_fn(|| reader.next().unwrap());
        rows.map(|(lines, row)| (lines.start, lines.end, row)).collect()
    }

    fn sentence(words: &[&str], labels: &[&str]) -> Sentence {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        Sentence { words: owned(words), labels: owned(labels) }
    }

    #[test]
    fn texts_end_at_empty_lines() {
        let text = "-DOCSTART- -X- O O\n\n# id = 7\nEU NNP I-NP B-ORG\nrejects VBZ I-VP O\n\n\nPeter NNP I-NP B-PER\r\n# SYM O O\r\n";
        let found = rows(text, &SourceOptions::default());
        assert_eq!(
            found,
            [
                (4, 6, Ok(sentence(&["EU", "rejects"], &["B-ORG", "O"]))),
                (8, 10, Ok(sentence(&["Peter", "#"], &["B-PER", "O"]))),
            ]
        );
        let options =
            SourceOptions { text: Some(Column::Index(1)), label: Some(Column::Index(2)), ..SourceOptions::default() };
        assert_eq!(rows(text, &options)[0].2, Ok(sentence(&["NNP", "VBZ"], &["I-NP", "I-VP"])));
        let unlabelled = SourceOptions { unlabelled: true, ..SourceOptions::default() };
        assert_eq!(rows("EU\nrejects\n", &unlabelled), [(1, 3, Ok(sentence(&["EU", "rejects"], &[])))]);
    }

    #[test]
    fn a_word_without_a_label_spoils_its_text_alone() {
        let found = rows("EU\tB-ORG\nrejects\n.\t\n\nNew York\tB-LOC", &SourceOptions::default());
        let reason = found[0].2.as_ref().unwrap_err();
        assert_eq!(reason, "line 2: expected a word and its label, found `rejects` alone");
        assert_eq!(found[1].2, Ok(sentence(&["New York"], &["B-LOC"])));
        let named = SourceOptions { label: Some(Column::Name("ner".into())), ..SourceOptions::default() };
        assert!(reader("a O", &named).is_err());
    }

    #[test]
    fn the_form_is_told_from_labels() {
        assert!(looks_like("EU B-ORG\nrejects O\n\nPeter B-PER\n"));
        assert!(!looks_like("good film\nbad plot\n"));
        assert!(!looks_like("1 O\n2 O\n"), "nothing is labelled");
        assert!(!looks_like("EU B-ORG\nrejects\n"));
    }
}

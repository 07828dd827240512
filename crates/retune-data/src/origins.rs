//! [`Origins`]: where the examples of a data set stand in the files that they were read from.

use std::ops::Range;
use std::path::PathBuf;

/// Where each example stands, the unusable ones included; indices are those of the data set's ids.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Origins {
    /// Not known example by example: arrays, archives. Image files are listed in
    /// [`ImageFiles`](crate::ImageFiles).
    #[default]
    Unknown,
    /// Rows of one file of text.
    Lines {
        /// The file.
        path: PathBuf,
        /// The first line of each example, counted from 1.
        starts: Vec<u64>,
        /// The line after the last one of the file.
        end: u64,
    },
    /// Elements of one file that is a JSON array, in order.
    Elements {
        /// The file.
        path: PathBuf,
    },
    /// Rows of one file that has no lines, in order.
    Rows {
        /// The file.
        path: PathBuf,
    },
    /// A file each.
    Files(Vec<PathBuf>),
    /// Several files one after the other: the index of the first example of each, and where in it examples stand.
    Several(Vec<(usize, Origins)>),
    /// Some of the examples of other data.
    Some {
        /// Which of them, ascending.
        indices: Vec<usize>,
        /// Where all of them stand.
        all: Box<Origins>,
    },
}

impl Origins {
    /// The lines of an example, counted from 1: up to the next example, so that empty lines belong to the one before them.
    pub fn lines(&self, index: usize) -> Option<Range<u64>> {
        match self {
            Origins::Lines { starts, end, .. } => {
                Some(*starts.get(index)?..starts.get(index + 1).copied().unwrap_or(*end))
            }
            _ => None,
        }
    }

    /// The file's own origins that an example stands in, and its index there; of a single file these.
    pub fn of(&self, index: usize) -> Option<(&Origins, usize)> {
        let files = match self {
            Origins::Several(files) => files,
            Origins::Some { indices, all } => return all.of(*indices.get(index)?),
            _ => return Some((self, index)),
        };
        let (first, origins) = files.get(files.partition_point(|(first, _)| *first <= index).checked_sub(1)?)?;
        origins.of(index - first)
    }

    /// File and line of an example for messages, such as `reviews.tsv, line 3`.
    pub fn place(&self, index: usize) -> Option<String> {
        match self {
            Origins::Unknown => None,
            Origins::Lines { path, starts, .. } => {
                starts.get(index).map(|line| format!("{}, line {line}", path.display()))
            }
            Origins::Elements { path } => Some(format!("{}, element {}", path.display(), index + 1)),
            Origins::Rows { path } => Some(format!("{}, row {}", path.display(), index + 1)),
            Origins::Files(paths) => paths.get(index).map(|path| path.display().to_string()),
            Origins::Several(_) | Origins::Some { .. } => {
                let (origins, index) = self.of(index)?;
                origins.place(index)
            }
        }
    }
}

/// The lines, counted from 1, on which records begin, from the bytes at which a CSV reader takes them to begin, ascending. Such a reader
/// counts the line ends that it passes over before a record to it.
pub fn record_lines(text: &str, starts: impl IntoIterator<Item = u64>) -> Vec<u64> {
    let bytes = text.as_bytes();
    let (mut at, mut line) = (0, 1);
    let first_of = |start: u64| {
        let start = usize::try_from(start).unwrap_or(bytes.len()).min(bytes.len());
        let passed = bytes[start..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let begin = (start + passed).max(at);
        line += bytes[at..begin].iter().filter(|byte| **byte == b'\n').count() as u64;
        at = begin;
        line
    };
    starts.into_iter().map(first_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_of_any_kind_are_passed_over() {
        let lines = |text: &str| {
            let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
            let starts: Vec<u64> = reader.records().map(|record| record.unwrap().position().unwrap().byte()).collect();
            record_lines(text, starts)
        };
        assert_eq!(lines("a,b\nc,\"d\ne\"\nf,g\n"), [1, 2, 4]);
        assert_eq!(lines("a,b\r\nc,\"d\r\ne\"\r\nf,g"), [1, 2, 4]);
        assert_eq!(lines("\na\n\n\r\n  b\n"), [2, 5]);
    }

    #[test]
    fn lines_reach_to_the_next_example() {
        let origins = Origins::Lines { path: "a.tsv".into(), starts: vec![2, 3, 6], end: 8 };
        assert_eq!((origins.lines(1), origins.lines(2), origins.lines(3)), (Some(3..6), Some(6..8), None));
        assert_eq!(origins.place(2).as_deref(), Some("a.tsv, line 6"));
        assert_eq!(Origins::Elements { path: "a.json".into() }.place(0).as_deref(), Some("a.json, element 1"));
        assert_eq!((Origins::Unknown.place(0), Origins::Files(vec![]).place(0)), (None, None));
    }
}

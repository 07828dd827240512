//! [`Origins`]: where the examples of a data set stand in the files that they were read from.

use std::ops::Range;
use std::path::PathBuf;

/// Where each example stands, the unusable ones included; indices are those of the data set's ids.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Origins {
    /// Not known example by example: arrays, archives. Image files are listed in
    /// [`EncodedImages`](crate::EncodedImages).
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_reach_to_the_next_example() {
        let origins = Origins::Lines { path: "a.tsv".into(), starts: vec![2, 3, 6], end: 8 };
        assert_eq!((origins.lines(1), origins.lines(2), origins.lines(3)), (Some(3..6), Some(6..8), None));
        assert_eq!(origins.place(2).as_deref(), Some("a.tsv, line 6"));
        assert_eq!(Origins::Elements { path: "a.json".into() }.place(0).as_deref(), Some("a.json, element 1"));
        assert_eq!((Origins::Unknown.place(0), Origins::Files(vec![]).place(0)), (None, None));
        let rows = |name: &str| Origins::Rows { path: name.into() };
        let several = Origins::Several(vec![(0, rows("a")), (3, rows("b"))]);
        assert_eq!([2, 3].map(|index| several.place(index).unwrap()), ["a, row 3", "b, row 1"]);
        let some = Origins::Some { indices: vec![1, 4], all: Box::new(several) };
        assert_eq!((some.place(1).as_deref(), some.place(2)), (Some("b, row 2"), None));
    }
}

//! What happened when a file was loaded.

use std::fmt;

/// What of a file went where, and what was noticed on the way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LoadReport {
    /// Names of the model's weights that got their value from the file.
    pub applied: Vec<String>,
    /// Weights of the model that the file has no value for.
    pub missing: Vec<Missing>,
    /// Tensors of the file that belong to no weight of the model.
    pub unused: Vec<String>,
    /// Weights whose tensor in the file has another shape.
    pub wrong_shape: Vec<WrongShape>,
    /// Attributes that do not change the network's function but that the user may want to know of.
    pub notes: Vec<Note>,
}

/// A weight without a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The weight's name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// The most similar name among the file's unused tensors.
    pub nearest: Option<String>,
}

/// A weight whose tensor in the file does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongShape {
    /// The weight's name.
    pub name: String,
    /// The shape that the model needs.
    pub expected: Vec<usize>,
    /// The shape in the file.
    pub found: Vec<usize>,
}

/// A remark about a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Path of the layer.
    pub layer: String,
    /// The remark.
    pub text: String,
}

impl LoadReport {
    /// Whether every weight got a value and every tensor of the file was used.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.unused.is_empty() && self.wrong_shape.is_empty()
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} weights applied", self.applied.len())?;
        for Missing { name, shape, nearest } in &self.missing {
            write!(f, "\n  missing: `{name}` {shape:?}")?;
            if let Some(nearest) = nearest {
                write!(f, " (the file has `{nearest}`)")?;
            }
        }
        for WrongShape { name, expected, found } in &self.wrong_shape {
            write!(f, "\n  wrong shape: `{name}` is {expected:?} in the model and {found:?} in the file")?;
        }
        for name in &self.unused {
            write!(f, "\n  unused: `{name}`")?;
        }
        Ok(())
    }
}

/// The candidate that differs from `name` by the fewest insertions, deletions and replacements of characters, if it has
/// at least half of its characters in common.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let best = candidates.into_iter().take(10_000).min_by_key(|candidate| edit_distance(name, candidate))?;
    (edit_distance(name, best) <= name.len().max(best.len()) / 2).then(|| best.to_owned())
}

/// The fewest insertions, deletions and replacements of characters that lead from `a` to `b`, by their first 200 characters.
pub fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(200).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(200).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_nothing_far_is_offered() {
        assert_eq!(nearest("conv2d_1", ["dense", "conv2d_2", "add"]), Some("conv2d_2".to_owned()));
        assert_eq!(nearest("conv2d_1", ["zz"]), None);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
    }

    #[test]
    fn the_report_names_every_problem() {
        let report = LoadReport {
            applied: vec!["a".into()],
            missing: vec![Missing { name: "b".into(), shape: vec![2], nearest: Some("bb".into()) }],
            unused: vec!["bb".into()],
            wrong_shape: vec![WrongShape { name: "c".into(), expected: vec![3], found: vec![4] }],
            notes: Vec::new(),
        };
        assert!(!report.is_complete());
        assert_eq!(
            report.to_string(),
            "1 weights applied\n  missing: `b` [2] (the file has `bb`)\n  wrong shape: `c` is [3] in the model and [4] in \
             the file\n  unused: `bb`"
        );
    }
}

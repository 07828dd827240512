//! What is wrong with data, one kind a file. Each gives at most one [`Finding`].
//!
//! | file | what it looks for |
//! | --- | --- |
//! | [`overlap`] | examples for training that also stand among those for validation or test |
//! | [`conflicts`] | the same input with different labels |
//! | [`unreadable`] | rows and files that cannot be used |
//! | [`empty`] | texts of which nothing can be seen |
//! | [`exact_duplicates`] | the same input several times |
//! | [`near_duplicates`] | nearly the same input several times |
//! | [`encoding`] | texts damaged by wrong encodings |
//! | [`columns`] | columns of tables that teach nothing, or too much |
//! | [`balance`] | missing, rare and frequent classes |
//! | [`label_errors`] | labels that are likely wrong |
//! | [`lengths`] | texts far longer or shorter than the rest |
//! | [`sizes`] | images far smaller than the rest |
//! | [`outliers`] | examples unlike all others |

pub mod balance;
pub mod columns;
pub mod conflicts;
pub mod empty;
pub mod encoding;
pub mod exact_duplicates;
pub mod label_errors;
pub mod lengths;
pub mod near_duplicates;
pub mod outliers;
pub mod overlap;
pub mod sizes;
pub mod unreadable;

use crate::clean::Rule;
use crate::clean::write::unwritable;
use crate::collection::{Collection, Item, Noun, Place, SplitName};
use crate::facts::Facts;
use crate::language::Said;
use serde::Serialize;

/// Kinds of findings, the most important ones first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// See [`overlap`].
    Overlap,
    /// See [`conflicts`].
    Conflicts,
    /// See [`unreadable`].
    Unreadable,
    /// See [`empty`].
    Empty,
    /// See [`exact_duplicates`].
    ExactDuplicates,
    /// See [`near_duplicates`].
    NearDuplicates,
    /// See [`label_errors`].
    LabelErrors,
    /// See [`encoding`].
    Encoding,
    /// See [`columns`].
    Columns,
    /// See [`balance`].
    Balance,
    /// See [`lengths`].
    Lengths,
    /// See [`sizes`].
    Sizes,
    /// See [`outliers`].
    Outliers,
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Figures would mislead, or training would suffer: to be dealt with.
    Problem,
    /// To be looked at.
    Warning,
    /// Good to know.
    Note,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// What kind of thing.
    pub kind: Kind,
    /// How much it matters.
    pub severity: Severity,
    /// The finding in one sentence.
    pub title: Said,
    /// Why it matters, in a sentence or two.
    pub why: Said,
    /// Number of examples (columns, classes) concerned.
    pub count: usize,
    /// More figures, a sentence each.
    pub details: Vec<Said>,
    /// Some of what was found.
    pub examples: Vec<Example>,
    /// What to do: a command, or words.
    pub remedy: Remedy,
}

/// An example of a finding: places that belong together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Example {
    /// What is to be said of it; may be empty.
    #[serde(skip_serializing_if = "Said::is_empty")]
    pub note: Said,
    /// The places, at most a few of them.
    pub places: Vec<Place>,
    /// The items at these places, for pictures.
    #[serde(skip)]
    pub items: Vec<Item>,
}

/// What to do about a finding.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Remedy {
    /// A rule of `retune clean`.
    Clean(Rule),
    /// `retune clean --repair`.
    Repair,
    /// Another command, such as a setting of `retune fit`.
    Setting(String),
    /// Words.
    Advice(Said),
}

/// Places that one example shows.
const PLACES: usize = 4;

impl Severity {
    /// The word for it.
    pub fn word(self) -> Said {
        match self {
            Severity::Problem => Said::new("problem", "问题"),
            Severity::Warning => Said::new("warning", "警告"),
            Severity::Note => Said::new("note", "提示"),
        }
    }
}

impl Example {
    /// Items that belong together.
    pub fn new(collection: &Collection, items: &[Item], note: Said) -> Example {
        let items: Vec<Item> = items.iter().take(PLACES).copied().collect();
        let places = items.iter().map(|&item| collection.place(item)).collect();
        Example { note, places, items }
    }
}

/// Everything that is found, the most important first; `examples` of each. Labels are judged by features of a model where some are
/// given.
pub fn all(
    collection: &Collection,
    facts: &Facts,
    model: Option<&label_errors::ModelFeatures>,
    examples: usize,
) -> Vec<Finding> {
    let mut findings: Vec<Finding> = [
        overlap::find(collection, facts, examples),
        conflicts::find(collection, facts, examples),
        unreadable::find(collection, facts, examples),
        empty::find(collection, facts, examples),
        exact_duplicates::find(collection, facts, examples),
        near_duplicates::find(collection, facts, examples),
        encoding::find(collection, facts, examples),
        columns::find(collection),
        balance::find(collection, facts),
        lengths::find(collection, facts, examples),
        sizes::find(collection, facts, examples),
        outliers::find(collection, facts, examples),
        label_errors::find(collection, facts, model, examples),
    ]
    .into_iter()
    .flatten()
    .collect();
    findings.sort_by_key(|finding| (finding.severity, finding.kind));
    if collection.parts().iter().any(|part| unwritable(part).is_some()) {
        let cleaned = findings.iter_mut().filter(|f| matches!(f.remedy, Remedy::Clean(_) | Remedy::Repair));
        cleaned.for_each(|finding| {
            finding.remedy = Remedy::Advice(Said::new(
                "Data of this form cannot be cleaned by `retune clean`: leave these out where the data are made.",
                "`retune clean` 无法清理这种形式的数据：请在生成数据处去掉它们。",
            ));
        });
    }
    findings
}

/// `1 text`, `2,345 texts`.
pub(crate) fn counted(n: usize, (one, many): (&str, &str)) -> String {
    format!("{} {}", grouped(n), if n == 1 { one } else { many })
}

/// `969418` as `969,418`.
pub(crate) fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share in percent with one decimal.
pub(crate) fn percent(part: usize, whole: usize) -> String {
    format!("{:.1} %", 100.0 * part as f64 / whole.max(1) as f64)
}

/// What an example of the collection is called.
pub(crate) fn noun(collection: &Collection) -> Noun {
    collection.parts().first().map_or(Noun::EXAMPLE, |part| part.noun())
}

/// Names in Chinese, one after the other.
pub(crate) fn listed(names: &[String]) -> String {
    names.join("、")
}

/// `verb` for one, `verbs` for several.
pub(crate) fn verb<'a>(n: usize, one: &'a str, many: &'a str) -> &'a str {
    if n == 1 { one } else { many }
}

/// Number of examples in the parts of a split.
pub(crate) fn size_of(collection: &Collection, split: SplitName) -> usize {
    collection.parts().iter().filter(|part| part.split == split).map(|part| part.len()).sum()
}

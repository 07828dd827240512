//! Rows and files that cannot be used: broken, cut short, of another encoding, without label, with too few columns.

use super::{Example, Finding, Kind, Remedy, Severity, grouped, noun, percent};
use crate::clean::Rule;
use crate::collection::{Collection, Item};
use crate::facts::Facts;
use crate::language::{Said, phrases};
use retune_data::BadExample;
use std::collections::BTreeMap;

/// Words by which the readers say that there is no text; tests hold them against the readers.
const EMPTY: [&str; 4] = ["the text is missing", "second text is missing", "the text is empty", "holds no text"];

/// Whether a row was set aside because there is nothing in it.
pub(crate) fn is_empty(bad: &BadExample) -> bool {
    EMPTY.iter().any(|words| bad.reason.contains(words))
}

/// Items that cannot be used for another reason than being empty.
pub fn items(facts: &Facts) -> impl Iterator<Item = &(Item, BadExample)> {
    facts.unusable.iter().filter(|(_, bad)| !is_empty(bad))
}

/// The finding.
pub fn find(collection: &Collection, facts: &Facts, examples: usize) -> Option<Finding> {
    let found: Vec<&(Item, BadExample)> = items(facts).collect();
    if found.is_empty() {
        return None;
    }
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    found.iter().for_each(|(_, bad)| *kinds.entry(kind(&bad.reason)).or_default() += 1);
    let mut kinds: Vec<(String, usize)> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    Some(Finding {
        kind: Kind::Unreadable,
        severity: Severity::Problem,
        title: Said::new(
            format!(
                "{} cannot be used ({}).",
                noun(collection).counted(found.len()).english(),
                percent(found.len(), collection.len())
            ),
            format!(
                "{}无法使用（{}）。",
                noun(collection).chinese(found.len()),
                percent(found.len(), collection.len())
            ),
        ),
        why: Said::new(
            "Training refuses such data unless it is told to leave them out (`tolerance` in the recipe's `[data]`).",
            "训练会拒绝这样的数据，除非指明将其略去（配方 `[data]` 中的 `tolerance`）。",
        ),
        count: found.len(),
        details: kinds.iter().take(5).map(|(kind, n)| counted(kind, *n)).collect(),
        examples: found
            .iter()
            .take(examples)
            .map(|(item, bad)| Example::new(collection, &[*item], Said::looked_up(&bad.reason)))
            .collect(),
        remedy: Remedy::Clean(Rule::Unreadable),
    })
}

/// A kind of reason, as the readers say it, and how often it is met.
fn counted(kind: &str, n: usize) -> Said {
    let n = grouped(n);
    Said::new(format!("{n}: {kind}."), format!("{n} 个：{}。", phrases::chinese(kind)))
}

/// A reason without what is particular to one row: names in backticks and digits.
fn kind(reason: &str) -> String {
    let mut out = String::new();
    for (index, part) in reason.split('`').enumerate() {
        if index % 2 == 1 {
            out.push('…');
        } else {
            part.chars().for_each(|c| {
                if !(c.is_ascii_digit() && out.ends_with('#')) {
                    out.push(if c.is_ascii_digit() { '#' } else { c });
                }
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_of_one_kind_are_told_together() {
        assert_eq!(kind("expected 12 columns, found 3"), "expected # columns, found #");
        assert_eq!(kind("`a/b.txt`, line 3: bytes"), "…, line #: bytes");
    }
}

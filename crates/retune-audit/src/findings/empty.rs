//! Texts of which nothing can be seen: none at all, or invisible characters only.

use super::unreadable::is_empty;
use super::{Example, Finding, Kind, Remedy, Severity, counted, noun, percent, verb};
use crate::clean::Rule;
use crate::collection::{Collection, Item};
use crate::facts::Facts;

/// All such items, ascending.
pub fn items(facts: &Facts) -> Vec<Item> {
    let refused = facts.unusable.iter().filter(|(_, bad)| is_empty(bad)).map(|(item, _)| *item);
    let mut items: Vec<Item> = refused.chain(facts.blank.iter().copied()).collect();
    items.sort_unstable();
    items
}

/// The finding.
pub fn find(collection: &Collection, facts: &Facts, examples: usize) -> Option<Finding> {
    let items = items(facts);
    (!items.is_empty()).then(|| Finding {
        kind: Kind::Empty,
        severity: Severity::Problem,
        title: format!(
            "{} {} empty ({}).",
            counted(items.len(), noun(collection)),
            verb(items.len(), "is", "are"),
            percent(items.len(), collection.len())
        ),
        why: "There is nothing to learn from, and whatever is predicted for nothing is chance.".to_owned(),
        count: items.len(),
        details: Vec::new(),
        examples: items.iter().take(examples).map(|&item| Example::new(collection, &[item], "")).collect(),
        remedy: Remedy::Clean(Rule::Empty),
    })
}

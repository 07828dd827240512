//! Texts of which nothing can be seen: none at all, or invisible characters only.

use super::unreadable::is_empty;
use super::{Example, Finding, Kind, Remedy, Severity, noun, percent, verb};
use crate::clean::Rule;
use crate::collection::{Collection, Item};
use crate::facts::Facts;
use crate::language::Said;

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
        title: Said::new(
            format!(
                "{} {} empty ({}).",
                noun(collection).counted(items.len()).english(),
                verb(items.len(), "is", "are"),
                percent(items.len(), collection.len())
            ),
            format!("{}为空（{}）。", noun(collection).chinese(items.len()), percent(items.len(), collection.len())),
        ),
        why: Said::new(
            "There is nothing to learn from, and whatever is predicted for nothing is chance.",
            "其中没有可学的内容，对空输入的任何预测都只是碰运气。",
        ),
        count: items.len(),
        details: Vec::new(),
        examples: items.iter().take(examples).map(|&item| Example::new(collection, &[item], Said::default())).collect(),
        remedy: Remedy::Clean(Rule::Empty),
    })
}

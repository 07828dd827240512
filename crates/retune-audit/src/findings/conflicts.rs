//! The same input with different labels: at most one of them is right.

use super::{Example, Finding, Kind, Remedy, Severity, counted, grouped, noun, percent, verb};
use crate::clean::Rule;
use crate::collection::{Collection, Item};
use crate::facts::Facts;
use crate::language::Said;
use std::collections::BTreeMap;

/// A group of items of the same input whose labels differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    /// The items, ascending.
    pub items: Vec<Item>,
    /// The label that more than half of them have.
    pub majority: Option<String>,
}

/// All groups, texts compared after [normalization](crate::normalize).
pub fn conflicts(collection: &Collection, facts: &Facts) -> Vec<Conflict> {
    let conflict = |group: &Vec<Item>| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        group
            .iter()
            .filter_map(|&item| collection.label(item))
            .for_each(|label| *counts.entry(label).or_default() += 1);
        let majority = counts.iter().find(|(_, n)| **n * 2 > group.len()).map(|(label, _)| label.clone());
        (counts.len() > 1).then(|| Conflict { items: group.clone(), majority })
    };
    facts.same.iter().filter_map(conflict).collect()
}

/// The finding.
pub fn find(collection: &Collection, facts: &Facts, examples: usize) -> Option<Finding> {
    let mut found = conflicts(collection, facts);
    if found.is_empty() {
        return None;
    }
    let count: usize = found.iter().map(|conflict| conflict.items.len()).sum();
    let decided = found.iter().filter(|conflict| conflict.majority.is_some()).count();
    let noun = noun(collection);
    found.sort_by_key(|conflict| (std::cmp::Reverse(conflict.items.len()), conflict.items[0]));
    let share = count as f64 / collection.len() as f64;
    Some(Finding {
        kind: Kind::Conflicts,
        severity: if share >= 0.001 { Severity::Problem } else { Severity::Warning },
        title: Said::new(
            format!(
                "{} {} with different labels: {} ({}).",
                counted(found.len(), ("input", "inputs")),
                verb(found.len(), "stands there", "stand there"),
                noun.counted(count).english(),
                percent(count, collection.len())
            ),
            format!(
                "{} 个输入带有互相矛盾的标签：共 {}（{}）。",
                grouped(found.len()),
                noun.chinese(count),
                percent(count, collection.len())
            ),
        ),
        why: Said::new(
            "At most one of the labels is right: the others teach what is wrong, and no model can get all of them right.",
            "这些标签中至多有一个正确：其余的会教错模型，任何模型都不可能全部答对。",
        ),
        count,
        details: vec![Said::new(
            format!("In {} of {} cases more than half of the labels agree.", grouped(decided), grouped(found.len())),
            format!("{} 组中有 {} 组，过半数的标签一致。", grouped(found.len()), grouped(decided)),
        )],
        examples: found.iter().take(examples).map(|conflict| example(collection, conflict)).collect(),
        remedy: Remedy::Clean(Rule::Conflicts),
    })
}

/// One item of each label first.
fn example(collection: &Collection, conflict: &Conflict) -> Example {
    let mut labels: Vec<Option<String>> = Vec::new();
    let (mut firsts, mut others) = (Vec::new(), Vec::new());
    for &item in &conflict.items {
        let label = collection.label(item);
        if labels.contains(&label) {
            others.push(item);
        } else {
            labels.push(label);
            firsts.push(item);
        }
    }
    firsts.extend(others);
    Example::new(collection, &firsts, Said::new(format!("{} labels", labels.len()), format!("{} 种标签", labels.len())))
}

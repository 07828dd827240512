//! Examples that stand in two splits: figures measured on what was trained on are too good.
//!
//! Texts count as the same after [normalization](crate::normalize), pictures also as verified near duplicates, all else if equal.

use super::{Example, Finding, Kind, Remedy, Severity, grouped, noun, percent, size_of, verb};
use crate::clean::Rule;
use crate::collection::{Collection, Item, SplitName};
use crate::facts::Facts;
use crate::language::{Language, Said};
use std::collections::BTreeMap;

/// Groups of items that are the same input, of which some stand in different splits; items ascending, so training comes first.
pub fn groups(collection: &Collection, facts: &Facts) -> Vec<Vec<Item>> {
    let mut groups: Vec<Vec<Item>> = facts.same.clone();
    if !facts.images.is_empty() {
        // A near group knows only the first of equal images; the others come with it.
        let by_first: BTreeMap<Item, usize> = facts.same.iter().enumerate().map(|(i, g)| (g[0], i)).collect();
        for near in &facts.near {
            let firsts = std::iter::once(near.leader).chain(near.members.iter().map(|member| member.0));
            let mut merged = Vec::new();
            for first in firsts {
                match by_first.get(&first) {
                    Some(&index) => merged.append(&mut groups[index]),
                    None => merged.push(first),
                }
            }
            merged.sort_unstable();
            groups.push(merged);
        }
    }
    let is_across = |group: &Vec<Item>| match (group.first(), group.last()) {
        (Some(&first), Some(&last)) => collection.split(first) != collection.split(last),
        _ => false,
    };
    groups.retain(is_across);
    groups.sort_unstable_by_key(|group| group[0]);
    groups
}

/// What two splits have in common.
struct Shared {
    /// Items of the later split that also stand in the earlier one.
    items: usize,
    /// Different inputs among them.
    inputs: usize,
}

/// The finding.
pub fn find(collection: &Collection, facts: &Facts, examples: usize) -> Option<Finding> {
    let groups = groups(collection, facts);
    if groups.is_empty() {
        return None;
    }
    let mut shared: BTreeMap<(std::cmp::Reverse<SplitName>, SplitName), Shared> = BTreeMap::new();
    for group in &groups {
        let mut counts: BTreeMap<SplitName, usize> = BTreeMap::new();
        group.iter().for_each(|&item| *counts.entry(collection.split(item)).or_default() += 1);
        for (&later, &items) in &counts {
            for &earlier in counts.keys().filter(|&&split| split < later) {
                let pair = shared.entry((std::cmp::Reverse(later), earlier)).or_insert(Shared { items: 0, inputs: 0 });
                pair.items += items;
                pair.inputs += 1;
            }
        }
    }
    let noun = noun(collection);
    let sentence = |((later, earlier), shared): (&(std::cmp::Reverse<SplitName>, SplitName), &Shared)| {
        let (later, total) = (later.0, size_of(collection, later.0));
        let different = match shared.inputs == shared.items {
            true => Said::default(),
            false => {
                let inputs = grouped(shared.inputs);
                Said::new(format!(", {inputs} different ones"), format!("，其中不同的有 {inputs} 个"))
            }
        };
        Said::new(
            format!(
                "{} of the {} of {later} also {} in {earlier} ({}{}).",
                grouped(shared.items),
                noun.counted(total).english(),
                verb(shared.items, "stands", "stand"),
                percent(shared.items, total),
                different.english()
            ),
            format!(
                "{}的 {}中有 {} 个也出现在{}中（{}{}）。",
                later.word().of(Language::Chinese),
                noun.chinese(total),
                grouped(shared.items),
                earlier.word().of(Language::Chinese),
                percent(shared.items, total),
                different.of(Language::Chinese)
            ),
        )
    };
    let mut sentences: Vec<Said> = shared.iter().map(sentence).collect();
    let title = sentences.remove(0);
    let count = shared.values().map(|shared| shared.items).sum();
    let differing = groups.iter().filter(|group| has_several_labels(collection, group)).count();
    if differing > 0 {
        let differing = grouped(differing);
        sentences.push(Said::new(
            format!("In {differing} of these groups the labels differ."),
            format!("其中 {differing} 组的标签不一致。"),
        ));
    }
    Some(Finding {
        kind: Kind::Overlap,
        severity: Severity::Problem,
        title,
        why: Said::new(
            "A model is measured on what it has seen: the figure is too good, and says too little about new data.",
            "模型会在它见过的内容上接受评估：指标偏高，对新数据说明不了什么。",
        ),
        count,
        details: sentences,
        examples: groups
            .iter()
            .take(examples)
            .map(|group| Example::new(collection, &across(collection, group), Said::default()))
            .collect(),
        remedy: Remedy::Clean(Rule::Overlap),
    })
}

fn has_several_labels(collection: &Collection, group: &[Item]) -> bool {
    let first = collection.label(group[0]);
    group.iter().any(|&item| collection.label(item) != first)
}

/// The first item of each split, then the others.
fn across(collection: &Collection, group: &[Item]) -> Vec<Item> {
    let mut firsts: Vec<Item> = group.to_vec();
    firsts.dedup_by_key(|item| collection.split(*item));
    let others = group.iter().filter(|item| !firsts.contains(item)).copied().collect::<Vec<_>>();
    firsts.into_iter().chain(others).collect()
}

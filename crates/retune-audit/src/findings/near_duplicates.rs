//! Nearly the same input several times: texts that differ in case, width or white space, or of which most short pieces are the same;
//! pictures stored again, resized, made brighter.

use super::{Example, Finding, Kind, Remedy, Severity, grouped, noun, percent, verb};
use crate::clean::Rule;
use crate::collection::{Collection, Item};
use crate::facts::Facts;
use crate::language::Said;
use std::collections::HashMap;

/// All items that are nearly the same, without those that are exactly so: each group's first item, the others with their
/// similarity to it; 1 where only normalization tells them apart.
pub fn groups(facts: &Facts) -> Vec<(Item, Vec<(Item, f32)>)> {
    // Of items that are equal as they are, only the first counts here.
    let repeated: std::collections::HashSet<Item> =
        facts.equal.iter().flat_map(|group| group[1..].iter().copied()).collect();
    let mut groups: HashMap<Item, Vec<(Item, f32)>> = HashMap::new();
    let mut same: HashMap<Item, Vec<Item>> = HashMap::new();
    for group in &facts.same {
        let others: Vec<Item> = group[1..].iter().copied().filter(|item| !repeated.contains(item)).collect();
        if !others.is_empty() {
            same.insert(group[0], others);
        }
    }
    for group in &facts.near {
        let members = groups.entry(group.leader).or_default();
        for &(member, similarity) in &group.members {
            members.push((member, similarity));
            members.extend(same.remove(&member).unwrap_or_default().into_iter().map(|item| (item, similarity)));
        }
    }
    for (first, others) in same {
        groups.entry(first).or_default().extend(others.into_iter().map(|item| (item, 1.0)));
    }
    let mut groups: Vec<(Item, Vec<(Item, f32)>)> = groups.into_iter().collect();
    groups.iter_mut().for_each(|(_, members)| members.sort_unstable_by_key(|member| member.0));
    groups.sort_unstable_by_key(|group| group.0);
    groups
}

/// The finding.
pub fn find(collection: &Collection, facts: &Facts, examples: usize) -> Option<Finding> {
    let mut groups = groups(facts);
    let near: usize = groups.iter().map(|(_, members)| members.len()).sum();
    if near == 0 {
        return None;
    }
    let noun = noun(collection);
    let across = |(first, members): &(Item, Vec<(Item, f32)>)| {
        members.iter().filter(|(item, _)| collection.split(*item) != collection.split(*first)).count()
    };
    let across: usize = groups.iter().map(across).sum();
    let mut details = Vec::new();
    if across > 0 {
        details.push(Said::new(
            format!("{} of these pairs {} two splits.", grouped(across), verb(across, "joins", "join")),
            format!("其中 {} 对横跨两个部分（例如训练集和测试集）。", grouped(across)),
        ));
    }
    let differing = groups.iter().flat_map(|(first, members)| members.iter().map(move |member| (*first, member.0)));
    let differing = differing.filter(|&(a, b)| collection.label(a) != collection.label(b)).count();
    if differing > 0 {
        details.push(Said::new(
            format!(
                "{} of them {} another label than the one {} like: see whether a small difference changes the meaning.",
                grouped(differing),
                verb(differing, "has", "have"),
                verb(differing, "it is", "they are")
            ),
            format!("其中 {} 的标签与其近似者不同：请看细微的差别是否改变了含义。", noun.chinese(differing)),
        ));
    }
    groups.sort_by_key(|(first, members)| (std::cmp::Reverse(members.len()), *first));
    let example = |(first, members): &(Item, Vec<(Item, f32)>)| {
        let least = members.iter().map(|member| member.1).fold(1.0, f32::min);
        let items: Vec<Item> = std::iter::once(*first).chain(members.iter().map(|member| member.0)).collect();
        let note = Said::new(
            format!("{} alike, similarity at least {least:.2}", items.len()),
            format!("{} 个近似，相似度至少 {least:.2}", items.len()),
        );
        Example::new(collection, &items, note)
    };
    Some(Finding {
        kind: Kind::NearDuplicates,
        severity: Severity::Warning,
        title: Said::new(
            format!(
                "{} {} nearly the same as an earlier one ({}).",
                noun.counted(near).english(),
                verb(near, "is", "are"),
                percent(near, collection.len())
            ),
            format!("{}与前面的几乎相同（{}）。", noun.chinese(near), percent(near, collection.len())),
        ),
        why: Said::new(
            "Variants of one example teach little that is new, and make validation easier than the world is.",
            "同一样本的变体没有多少新内容，还会让验证比真实情况容易。",
        ),
        count: near,
        details,
        examples: groups.iter().take(examples).map(example).collect(),
        remedy: Remedy::Clean(Rule::NearDuplicates),
    })
}

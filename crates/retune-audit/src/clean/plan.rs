//! [`Plan`]: every item that is left out or repaired, and why.

use super::Rule;
use crate::collection::{Collection, Item, SplitName};
use crate::facts::Facts;
use crate::findings::encoding::{self, Damage};
use crate::findings::label_errors::{self, ModelFeatures};
use crate::findings::{conflicts, empty, exact_duplicates, near_duplicates, overlap, unreadable};

/// What is to be done with a collection.
#[derive(Debug, Clone, Copy, Default)]
pub struct Choices<'a> {
    /// The rules by which items are left out.
    pub drop: &'a [Rule],
    /// Whether texts that were read by a wrong encoding are written as they were meant.
    pub repair: bool,
    /// Whether the test part is changed, too. It is the yardstick, and figures on a changed one cannot be compared with those of others.
    pub with_test: bool,
    /// What labels are judged by; without it the words of texts or the columns of tables.
    pub features: Option<&'a ModelFeatures>,
}

/// An item that is left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Dropped {
    /// Which one.
    pub item: Item,
    /// By which rule.
    pub rule: Rule,
    /// The item that is kept instead, or that it stands against.
    pub kept: Option<Item>,
    /// Why, in words.
    pub reason: String,
}

/// A text that was read by a wrong encoding, and what it was meant to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Repaired {
    /// Which one.
    pub item: Item,
    /// What happened to it.
    pub damage: Damage,
    /// The text as it was meant.
    pub meant: String,
}

/// What is left out of a collection, and what is repaired in it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// The items left out, ascending.
    pub dropped: Vec<Dropped>,
    /// The items repaired, ascending.
    pub repaired: Vec<Repaired>,
}

impl Plan {
    /// Applies the rules chosen, each on what those before it have left. The test part is left as it is unless it is chosen, too.
    pub fn new(collection: &Collection, facts: &Facts, choices: &Choices<'_>) -> Plan {
        let with_test = choices.with_test;
        let mut draft = Draft { collection, with_test, is_dropped: vec![false; collection.len()], dropped: Vec::new() };
        for rule in Rule::ALL.into_iter().filter(|rule| choices.drop.contains(rule)) {
            match rule {
                Rule::Unreadable => {
                    unreadable::items(facts).for_each(|(item, bad)| draft.drop(rule, *item, None, bad.reason.clone()));
                }
                Rule::Empty => {
                    let reason = "nothing can be seen of the text";
                    empty::items(facts).into_iter().for_each(|item| draft.drop(rule, item, None, reason));
                }
                Rule::Overlap => draft.drop_overlap(facts),
                Rule::Conflicts => draft.drop_conflicts(facts),
                Rule::ExactDuplicates => draft.drop_repeated(facts),
                Rule::NearDuplicates => draft.drop_near(facts),
                Rule::LabelErrors => draft.drop_label_errors(facts, choices.features),
            }
        }
        draft.dropped.sort_by_key(|dropped| dropped.item);
        let repaired = if choices.repair { draft.repairs(facts) } else { Vec::new() };
        Plan { dropped: draft.dropped, repaired }
    }

    /// Number of items that a rule leaves out.
    pub fn count(&self, rule: Rule) -> usize {
        self.dropped.iter().filter(|dropped| dropped.rule == rule).count()
    }
}

struct Draft<'a> {
    collection: &'a Collection,
    with_test: bool,
    is_dropped: Vec<bool>,
    dropped: Vec<Dropped>,
}

impl Draft<'_> {
    fn is_kept(&self, item: Item) -> bool {
        !self.is_dropped[item as usize]
    }

    fn is_spared(&self, item: Item) -> bool {
        !self.with_test && self.collection.split(item) == SplitName::Test
    }

    fn drop(&mut self, rule: Rule, item: Item, kept: Option<Item>, reason: impl Into<String>) {
        if self.is_kept(item) && !self.is_spared(item) {
            self.is_dropped[item as usize] = true;
            self.dropped.push(Dropped { item, rule, kept, reason: reason.into() });
        }
    }

    fn drop_overlap(&mut self, facts: &Facts) {
        for group in overlap::groups(self.collection, facts) {
            let Some(&last) = group.iter().rev().find(|&&item| self.is_kept(item)) else { continue };
            let split = self.collection.split(last);
            for &item in group.iter().filter(|&&item| self.collection.split(item) < split) {
                self.drop(Rule::Overlap, item, Some(last), format!("the same stands in {split}"));
            }
        }
    }

    fn drop_conflicts(&mut self, facts: &Facts) {
        for conflict in conflicts::conflicts(self.collection, facts) {
            // What other rules have dropped has no vote.
            let items: Vec<Item> = conflict.items.into_iter().filter(|&item| self.is_kept(item)).collect();
            let labels: Vec<Option<String>> = items.iter().map(|&item| self.collection.label(item)).collect();
            if labels.iter().all(|label| *label == labels[0]) {
                continue;
            }
            let votes = |label: &Option<String>| labels.iter().filter(|other| *other == label).count();
            let majority = labels.iter().find(|label| votes(label) * 2 > items.len()).cloned();
            let kept = majority.as_ref().and_then(|majority| {
                items.iter().zip(&labels).find(|(_, label)| *label == majority).map(|(item, _)| *item)
            });
            for (&item, label) in items.iter().zip(&labels).filter(|(_, label)| Some(*label) != majority.as_ref()) {
                let other = items.iter().zip(&labels).find(|(_, other)| *other != label).map(|(item, _)| *item);
                let reason = match kept {
                    Some(_) => "most of the same input have another label",
                    None => "the same input has other labels, none of them more often",
                };
                self.drop(Rule::Conflicts, item, kept.or(other), reason);
            }
        }
    }

    fn drop_repeated(&mut self, facts: &Facts) {
        for group in exact_duplicates::groups(self.collection, facts) {
            let kept: Vec<Item> = group.into_iter().filter(|&item| self.is_kept(item)).collect();
            for &item in kept.iter().skip(1) {
                self.drop(Rule::ExactDuplicates, item, Some(kept[0]), "repeats an earlier one");
            }
        }
    }

    /// Only what is like an item that is kept, in the same split, goes; each is compared with those kept itself.
    fn drop_near(&mut self, facts: &Facts) {
        for (first, members) in near_duplicates::groups(facts) {
            let items = std::iter::once(first).chain(members.iter().map(|member| member.0));
            let items: Vec<Item> = items.filter(|&item| self.is_kept(item)).collect();
            for split in items.chunk_by(|a, b| self.collection.split(*a) == self.collection.split(*b)) {
                let Some((&kept, others)) = split.split_first() else { continue };
                for &item in others {
                    if let Some(similarity) = facts.near_similarity(self.collection, kept, item) {
                        let reason = format!("nearly the same as an earlier one, similarity {similarity:.2}");
                        self.drop(Rule::NearDuplicates, item, Some(kept), reason);
                    }
                }
            }
        }
    }

    fn drop_label_errors(&mut self, facts: &Facts, features: Option<&ModelFeatures>) {
        let Some(judged) = label_errors::judge(self.collection, facts, features) else { return };
        let classes = self.collection.classes();
        for (item, suspect) in judged.suspects {
            let reason = format!("looks like `{}`, by {}", classes[suspect.suggested], judged.source.english());
            self.drop(Rule::LabelErrors, item, None, reason);
        }
    }

    /// Of what is kept, the texts that can be told to be another.
    fn repairs(&self, facts: &Facts) -> Vec<Repaired> {
        let damaged = encoding::items(self.collection, facts).into_iter();
        damaged
            .filter(|(item, ..)| self.is_kept(*item) && !self.is_spared(*item))
            .filter_map(|(item, damage, meant)| Some(Repaired { item, damage, meant: meant? }))
            .collect()
    }
}

//! Entities in labelled words: precision, recall and F1 of whole entities.
//!
//! An entity is a run of words of one type; it is right where type, first and last word agree. Labels are `O` outside of entities,
//! and else a prefix and a type, as `B-PER`: the prefix says whether an entity begins (`B`), goes on (`I`, `M`), ends (`E`, `L`)
//! or is one word long (`S`, `U`). How labels that do not fit together are read:
//!
//! - by default, as CoNLL's evaluation script does: what goes on without a beginning begins there. So IOB1, IOB2, IOE, IOBES and
//!   BILOU are all understood;
//! - *strictly*, by IOB2, or by IOBES and BILOU where there are labels with `E`, `S`, `L` or `U`: entities that do not begin, go on
//!   and end as these schemes ask are none.
//!
//! Averages over types are *micro* (the default), which sums the counts of all types, *macro* and *weighted* (by true entities); types
//! that no item has and no answer names do not count. Values are those of seqeval 1.2 (`mode="strict"` for strict ones). A
//! resample of the bootstrap draws whole texts.

use super::class_scores::{Average, ClassCounts, ClassScore};
use super::{Prepared, Scored};
use serde::Serialize;
use std::collections::BTreeSet;

/// Precision, recall or F1 of entities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EntityScore {
    /// What is computed of a type; not [`ClassScore::Jaccard`].
    pub score: ClassScore,
    /// How types are taken together; [`Average::Default`] is micro. A class is a type by its number in [`TagSet::types`].
    pub average: Average,
    /// Whether labels are read strictly.
    pub is_strict: bool,
}

/// What a label says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag {
    role: Role,
    /// The type, by its number in [`TagSet::types`]; 0 outside.
    kind: usize,
}

/// Where in an entity a word stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Outside,
    Begin,
    Inside,
    End,
    Single,
}

/// An entity: words from `start` up to before `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entity {
    /// The type, by its number in [`TagSet::types`].
    pub kind: usize,
    /// The first word.
    pub start: usize,
    /// The word after the last one.
    pub end: usize,
}

/// The labels of words as tags of entities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagSet {
    tags: Vec<Tag>,
    types: Vec<String>,
}

impl TagSet {
    /// The tags of these labels; `None` unless all of them are `O` or a prefix with a type, and not all are `O`.
    pub fn new(labels: &[String]) -> Option<TagSet> {
        let split = |label: &String| -> Option<(Role, Option<String>)> {
            if label == "O" {
                return Some((Role::Outside, None));
            }
            let (prefix, kind) = label.split_once('-')?;
            let role = match prefix {
                "B" => Role::Begin,
                "I" | "M" => Role::Inside,
                "E" | "L" => Role::End,
                "S" | "U" => Role::Single,
                _ => return None,
            };
            (!kind.is_empty()).then(|| (role, Some(kind.to_owned())))
        };
        let split: Vec<(Role, Option<String>)> = labels.iter().map(split).collect::<Option<_>>()?;
        let distinct: BTreeSet<&String> = split.iter().filter_map(|(_, kind)| kind.as_ref()).collect();
        let types: Vec<String> = distinct.into_iter().cloned().collect();
        let number = |kind: &Option<String>| {
            kind.as_ref().and_then(|kind| types.iter().position(|known| known == kind)).unwrap_or(0)
        };
        let tags = split.iter().map(|(role, kind)| Tag { role: *role, kind: number(kind) }).collect();
        (!types.is_empty()).then_some(TagSet { tags, types })
    }

    /// Names of the types, in the order of the alphabet.
    pub fn types(&self) -> &[String] {
        &self.types
    }

    /// The entities of a text, by the labels of its words; in the order of their beginnings. Words without a label are outside.
    pub fn entities(&self, labels: &[Option<usize>], is_strict: bool) -> Vec<Entity> {
        const OUTSIDE: Tag = Tag { role: Role::Outside, kind: 0 };
        let tag = |label: &Option<usize>| label.and_then(|label| self.tags.get(label)).copied().unwrap_or(OUTSIDE);
        let tags: Vec<Tag> = labels.iter().map(tag).collect();
        if !is_strict {
            return lenient(&tags);
        }
        let marks_ends = self.tags.iter().any(|tag| matches!(tag.role, Role::End | Role::Single));
        strict(&tags, marks_ends)
    }
}

fn lenient(tags: &[Tag]) -> Vec<Entity> {
    let mut entities = Vec::new();
    let mut open: Option<Entity> = None;
    let mut last: Option<Tag> = None;
    for (place, &tag) in tags.iter().enumerate() {
        let goes_on = last.is_some_and(|last| {
            let may_follow = matches!(last.role, Role::Begin | Role::Inside) && last.kind == tag.kind;
            may_follow && matches!(tag.role, Role::Inside | Role::End)
        });
        if !goes_on {
            entities.extend(open.take());
            if tag.role != Role::Outside {
                open = Some(Entity { kind: tag.kind, start: place, end: place + 1 });
            }
        } else if let Some(entity) = &mut open {
            entity.end = place + 1;
        }
        last = Some(tag);
    }
    entities.extend(open);
    entities
}

fn strict(tags: &[Tag], marks_ends: bool) -> Vec<Entity> {
    let mut entities = Vec::new();
    let mut place = 0;
    while place < tags.len() {
        let Tag { role, kind } = tags[place];
        let start = place;
        place += 1;
        if role == Role::Single {
            entities.push(Entity { kind, start, end: place });
        }
        if role != Role::Begin {
            continue;
        }
        let mut last = role;
        while tags.get(place).is_some_and(|tag| tag.kind == kind && matches!(tag.role, Role::Inside | Role::End)) {
            last = tags[place].role;
            place += 1;
            if last == Role::End {
                break;
            }
        }
        if !marks_ends || last == Role::End {
            entities.push(Entity { kind, start, end: place });
        }
    }
    entities
}

/// How well entities of one type are found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TypeScores {
    /// The type.
    pub name: String,
    /// Share of the entities answered that are right.
    pub precision: f64,
    /// Share of the true entities that are found.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
    /// True entities.
    pub entities: u64,
}

/// The scores of every type, by default reading; `None` where labels of words are not those of entities.
pub fn by_type(scored: &Scored) -> Option<Vec<TypeScores>> {
    let counts = Counts::new(scored, false)?.sum(scored.weights());
    let tags = scored.words()?.tags.as_ref()?;
    let row = |(kind, name): (usize, &String)| TypeScores {
        name: name.clone(),
        precision: counts.of_class(ClassScore::Precision, kind),
        recall: counts.of_class(ClassScore::Recall, kind),
        f1: counts.of_class(ClassScore::F1, kind),
        entities: counts.true_items[kind].round() as u64,
    };
    Some(tags.types().iter().enumerate().map(row).collect())
}

/// The score, ready for any weights of the texts; `None` where labels of words are not those of entities.
pub(super) fn prepared(scored: &Scored, wanted: EntityScore) -> Option<Prepared> {
    let counts = Counts::new(scored, wanted.is_strict)?;
    let EntityScore { score, average, .. } = wanted;
    Some(Prepared::new(move |weights| {
        let all = counts.sum(weights);
        match average {
            Average::Class(kind) => all.of_class(score, kind),
            Average::Default | Average::Micro | Average::Samples => all.score(score, Average::Micro),
            Average::Weighted if all.true_items.iter().all(|&count| count == 0.0) => 0.0,
            Average::Macro | Average::Weighted => present(&all).score(score, average),
        }
    }))
}

/// Only the types that there are, in truth or answer.
fn present(counts: &ClassCounts) -> ClassCounts {
    let is_there = |kind: &usize| counts.true_items[*kind] > 0.0 || counts.answered[*kind] > 0.0;
    let kinds: Vec<usize> = (0..counts.right.len()).filter(is_there).collect();
    let of = |values: &[f64]| kinds.iter().map(|&kind| values[kind]).collect();
    ClassCounts { right: of(&counts.right), answered: of(&counts.answered), true_items: of(&counts.true_items) }
}

/// Entities of each text.
struct Counts {
    types: usize,
    /// `(type, right, answered, true)` of each text that has some of the type.
    of_types: Vec<(usize, [f64; 3])>,
    /// Where those of each text end.
    ends: Vec<usize>,
}

impl Counts {
    fn new(scored: &Scored, is_strict: bool) -> Option<Counts> {
        let words = scored.words()?;
        let tags = words.tags.as_ref()?;
        let types = tags.types().len();
        let (mut of_types, mut ends) = (Vec::new(), Vec::with_capacity(scored.len()));
        for item in 0..scored.len() {
            let (truth, answer) = scored.labels_of_words(item);
            let [truth, answer] = [truth, answer].map(|labels| tags.entities(&labels, is_strict));
            let mut counts = vec![[0.0; 3]; types];
            for entity in &answer {
                counts[entity.kind][0] +=
                    if truth.binary_search_by_key(&entity.start, |e| e.start).is_ok_and(|i| truth[i] == *entity) {
                        1.0
                    } else {
                        0.0
                    };
                counts[entity.kind][1] += 1.0;
            }
            truth.iter().for_each(|entity| counts[entity.kind][2] += 1.0);
            of_types.extend(counts.into_iter().enumerate().filter(|(_, counts)| *counts != [0.0; 3]));
            ends.push(of_types.len());
        }
        Some(Counts { types, of_types, ends })
    }

    fn sum(&self, weights: &[f64]) -> ClassCounts {
        let zeros = || vec![0.0; self.types];
        let mut all = ClassCounts { right: zeros(), answered: zeros(), true_items: zeros() };
        let mut start = 0;
        for (&end, &weight) in self.ends.iter().zip(weights) {
            for &(kind, [right, answered, truth]) in &self.of_types[start..end] {
                all.right[kind] += weight * right;
                all.answered[kind] += weight * answered;
                all.true_items[kind] += weight * truth;
            }
            start = end;
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entities(labels: &[&str], is_strict: bool) -> Vec<(String, usize, usize)> {
        let names: BTreeSet<String> = labels.iter().map(|&label| label.to_owned()).collect();
        let names: Vec<String> = names.into_iter().collect();
        let set = TagSet::new(&names).unwrap();
        let numbers: Vec<Option<usize>> = labels.iter().map(|label| names.iter().position(|n| n == label)).collect();
        let name = |e: Entity| (set.types()[e.kind].clone(), e.start, e.end);
        set.entities(&numbers, is_strict).into_iter().map(name).collect()
    }

    #[test]
    fn labels_that_do_not_fit_are_read_in_two_ways() {
        let labels = ["I-PER", "I-PER", "O", "B-LOC", "I-PER", "B-LOC", "B-LOC", "I-LOC"];
        let found = |spans: &[(&str, usize, usize)]| -> Vec<(String, usize, usize)> {
            spans.iter().map(|&(name, start, end)| (name.to_owned(), start, end)).collect()
        };
        let all = found(&[("PER", 0, 2), ("LOC", 3, 4), ("PER", 4, 5), ("LOC", 5, 6), ("LOC", 6, 8)]);
        assert_eq!(entities(&labels, false), all);
        assert_eq!(entities(&labels, true), found(&[("LOC", 3, 4), ("LOC", 5, 6), ("LOC", 6, 8)]));
        let marked = ["B-A", "M-A", "E-A", "S-A", "B-A", "O", "E-B", "U-C"];
        assert_eq!(entities(&marked, true), found(&[("A", 0, 3), ("A", 3, 4), ("C", 7, 8)]));
        assert_eq!(entities(&marked, false), found(&[("A", 0, 3), ("A", 3, 4), ("A", 4, 5), ("B", 6, 7), ("C", 7, 8)]));
    }

    #[test]
    fn other_labels_are_no_entities() {
        let set = |labels: &[&str]| TagSet::new(&labels.iter().map(|&label| label.to_owned()).collect::<Vec<_>>());
        assert_eq!(set(&["NN", "VB"]), None);
        assert_eq!(set(&["O"]), None);
        assert_eq!(set(&["O", "B-"]), None);
        assert_eq!(set(&["O", "B-a-b", "I-a-b"]).unwrap().types(), ["a-b"]);
    }
}

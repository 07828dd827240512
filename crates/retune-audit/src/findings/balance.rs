//! How often each class occurs: missing, rare and far more frequent classes, and classes that the parts have in different shares.

use super::{Finding, Kind, Remedy, Severity, counted, grouped, percent, verb};
use crate::collection::Collection;
use crate::facts::Facts;

/// A class this many times as frequent as another is worth a finding.
const UNEVEN: usize = 4;
/// Examples of a class below which it can hardly be learned or measured.
const FEW: usize = 10;
/// Half the sum of differences between the shares of two parts, from which on they are told.
const SHIFT: f64 = 0.1;
/// Classes that are named.
const NAMED: usize = 6;

/// The finding.
pub fn find(collection: &Collection, facts: &Facts) -> Option<Finding> {
    let classes = collection.classes();
    if classes.len() < 2 {
        return None;
    }
    let counts: Vec<Vec<usize>> = (0..collection.parts().len())
        .map(|part| {
            let mut counts = vec![0; classes.len()];
            let items = collection.items_of(part).filter(|&item| facts.is_usable(item));
            items.filter_map(|item| collection.class(item)).for_each(|class| counts[class] += 1);
            counts
        })
        .collect();
    let train = &counts[0];
    let total: usize = train.iter().sum();
    let mut order: Vec<usize> = (0..classes.len()).collect();
    order.sort_by_key(|&class| (std::cmp::Reverse(train[class]), class));
    let (most, least) = (order[0], order[order.len() - 1]);
    let named = |list: Vec<usize>| {
        let rest = list.len().saturating_sub(NAMED);
        let names: Vec<String> = list.iter().take(NAMED).map(|&class| format!("`{}`", classes[class])).collect();
        names.join(", ") + &if rest > 0 { format!(" and {rest} more") } else { String::new() }
    };
    let missing: Vec<usize> = (0..classes.len()).filter(|&class| train[class] == 0).collect();
    let rare: Vec<usize> = (0..classes.len()).filter(|&class| (1..FEW).contains(&train[class])).collect();
    let mut details = Vec::new();
    if !missing.is_empty() {
        details
            .push(format!("Without example for training, so that they cannot be learned: {}.", named(missing.clone())));
    }
    if !rare.is_empty() {
        details.push(format!("With fewer than {FEW} examples for training: {}.", named(rare.clone())));
    }
    for (part, counts) in collection.parts().iter().zip(&counts).skip(1) {
        let sum: usize = counts.iter().sum();
        let share = |count: usize, sum: usize| count as f64 / sum.max(1) as f64;
        let shift = 0.5 * train.iter().zip(counts).map(|(&a, &b)| (share(a, total) - share(b, sum)).abs()).sum::<f64>();
        if sum > 0 && shift >= SHIFT {
            let points = (100.0 * shift).round();
            details.push(format!(
                "In {} the classes have other shares than in train: {points} % would have to change class.",
                part.split
            ));
        }
    }
    let is_uneven = train[most] >= UNEVEN * train[least].max(1);
    if !is_uneven && details.is_empty() {
        return None;
    }
    let listed = order.iter().take(NAMED).map(|&c| format!("{} {}", classes[c], percent(train[c], total)));
    details.insert(
        0,
        format!(
            "Shares in train: {}{}.",
            listed.collect::<Vec<_>>().join(", "),
            if classes.len() > NAMED { ", …" } else { "" }
        ),
    );
    Some(Finding {
        kind: Kind::Balance,
        severity: match () {
            _ if !missing.is_empty() => Severity::Problem,
            _ if is_uneven || !rare.is_empty() => Severity::Warning,
            _ => Severity::Note,
        },
        title: match () {
            _ if !missing.is_empty() => {
                let count = counted(missing.len(), ("class", "classes"));
                format!("{count} {} no example for training.", verb(missing.len(), "has", "have"))
            }
            _ if is_uneven => format!(
                "The classes are uneven: `{}` has {} for training, `{}` {}.",
                classes[most],
                counted(train[most], ("example", "examples")),
                classes[least],
                grouped(train[least])
            ),
            _ if !rare.is_empty() => {
                let count = counted(rare.len(), ("class", "classes"));
                format!("{count} {} fewer than {FEW} examples for training.", verb(rare.len(), "has", "have"))
            }
            _ => "The parts have the classes in different shares.".to_owned(),
        },
        why: "Accuracy hides how well rare classes are known: look at precision and recall of each class.".to_owned(),
        count: classes.len(),
        details,
        examples: Vec::new(),
        remedy: Remedy::Setting("retune fit RECIPE --set loss.class-weights=balanced".to_owned()),
    })
}

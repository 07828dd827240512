//! How often each class occurs: missing, rare and far more frequent classes, and classes that the parts have in different shares.

use super::{Finding, Kind, Remedy, Severity, counted, grouped, listed, percent, verb};
use crate::collection::Collection;
use crate::facts::Facts;
use crate::language::{Language, Said};

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
    let named = |list: &[usize]| {
        let names: Vec<String> = list.iter().take(NAMED).map(|&class| format!("`{}`", classes[class])).collect();
        match list.len().saturating_sub(NAMED) {
            0 => (names.join(", "), listed(&names)),
            rest => {
                (format!("{} and {rest} more", names.join(", ")), format!("{}等 {} 个类别", listed(&names), list.len()))
            }
        }
    };
    let missing: Vec<usize> = (0..classes.len()).filter(|&class| train[class] == 0).collect();
    let rare: Vec<usize> = (0..classes.len()).filter(|&class| (1..FEW).contains(&train[class])).collect();
    let mut details = Vec::new();
    if !missing.is_empty() {
        let (english, chinese) = named(&missing);
        details.push(Said::new(
            format!("Without example for training, so that they cannot be learned: {english}."),
            format!("没有训练样本，因而无法学到：{chinese}。"),
        ));
    }
    if !rare.is_empty() {
        let (english, chinese) = named(&rare);
        details.push(Said::new(
            format!("With fewer than {FEW} examples for training: {english}."),
            format!("训练样本少于 {FEW} 个：{chinese}。"),
        ));
    }
    for (part, counts) in collection.parts().iter().zip(&counts).skip(1) {
        let sum: usize = counts.iter().sum();
        let share = |count: usize, sum: usize| count as f64 / sum.max(1) as f64;
        let shift = 0.5 * train.iter().zip(counts).map(|(&a, &b)| (share(a, total) - share(b, sum)).abs()).sum::<f64>();
        if sum > 0 && shift >= SHIFT {
            let points = (100.0 * shift).round();
            details.push(Said::new(
                format!(
                    "In {} the classes have other shares than in train: {points} % would have to change class.",
                    part.split
                ),
                format!(
                    "{}的类别比例与训练集不同：要有 {points}% 的样本换类别才会一致。",
                    part.split.word().of(Language::Chinese)
                ),
            ));
        }
    }
    let is_uneven = train[most] >= UNEVEN * train[least].max(1);
    if !is_uneven && details.is_empty() {
        return None;
    }
    let share = |&class: &usize| format!("`{}` {}", classes[class], percent(train[class], total));
    let mut shares: Vec<String> = order.iter().take(NAMED).map(share).collect();
    if classes.len() > NAMED {
        shares.push("…".to_owned());
    }
    details.insert(
        0,
        Said::new(format!("Shares in train: {}.", shares.join(", ")), format!("训练集中的比例：{}。", listed(&shares))),
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
                Said::new(
                    format!("{count} {} no example for training.", verb(missing.len(), "has", "have")),
                    format!("{} 个类别没有训练样本。", grouped(missing.len())),
                )
            }
            _ if is_uneven => Said::new(
                format!(
                    "The classes are uneven: `{}` has {} for training, `{}` {}.",
                    classes[most],
                    counted(train[most], ("example", "examples")),
                    classes[least],
                    grouped(train[least])
                ),
                format!(
                    "类别不均衡：`{}` 有 {} 个训练样本，`{}` 有 {} 个。",
                    classes[most],
                    grouped(train[most]),
                    classes[least],
                    grouped(train[least])
                ),
            ),
            _ if !rare.is_empty() => {
                let count = counted(rare.len(), ("class", "classes"));
                Said::new(
                    format!("{count} {} fewer than {FEW} examples for training.", verb(rare.len(), "has", "have")),
                    format!("{} 个类别的训练样本少于 {FEW} 个。", grouped(rare.len())),
                )
            }
            _ => Said::new("The parts have the classes in different shares.", "各部分的类别比例不同。"),
        },
        why: Said::new(
            "Accuracy hides how well rare classes are known: look at precision and recall of each class.",
            "准确率会掩盖少数类别的识别效果：请查看每个类别的精确率和召回率。",
        ),
        count: classes.len(),
        details,
        examples: Vec::new(),
        remedy: Remedy::Setting("retune fit RECIPE --set loss.class-weights=balanced".to_owned()),
    })
}

//! Labels that are likely wrong: a probe that has not seen an example is sure of another class (see
//! [`confident`]).
//!
//! Texts and rows of tables have features of their own ([`ngrams`], [`columns`]); for images, and for better ones of texts, the frozen outputs of a model are given.
//! Where the probe is hardly better than always saying the most frequent class, its word counts for nothing, and nothing is found.

use super::{Example, Finding, Kind, Remedy, Severity, noun, percent};
use crate::clean::Rule;
use crate::collection::{Collection, Content, Item};
use crate::facts::Facts;
use crate::language::{Language, Said};
use crate::probe::{Features, Suspect, columns, confident, folds, ngrams};
use std::collections::HashMap;

/// Most examples that are judged; of more, every second, third, … is.
const MOST: usize = 100_000;
/// Examples of each class below which a probe learns nothing.
const LEAST_OF_CLASS: usize = 5;
/// Most classes that words are judged by; of more, the weights of the probe would take too much memory.
const MOST_CLASSES: usize = 100;
/// Share of the mistakes of the most frequent class that a probe must at least avoid.
const LEAST_GAIN: f64 = 0.25;

/// Features of items, one row each, from a frozen model.
#[derive(Debug)]
pub struct ModelFeatures {
    /// The items, ascending.
    pub items: Vec<Item>,
    /// Their features.
    pub features: Features,
    /// What they are, for the report.
    pub source: Said,
}

/// What the probe says.
#[derive(Debug)]
pub struct Judged {
    /// The likely wrong labels, the likeliest first, by item.
    pub suspects: Vec<(Item, Suspect)>,
    /// Examples judged.
    pub examples: usize,
    /// Accuracy of the probe, out of fold.
    pub accuracy: f64,
    /// Accuracy of always saying the most frequent class.
    pub majority: f64,
    /// What the features are.
    pub source: Said,
}

/// Judges the labels of the training part; `None` where they are not classes, or nothing can be said.
pub fn judge(collection: &Collection, facts: &Facts, model: Option<&ModelFeatures>) -> Option<Judged> {
    let classes = collection.classes().len();
    if classes < 2 {
        return None;
    }
    let table = match &collection.parts()[0].content {
        Content::Table(table) => Some(table),
        _ => None,
    };
    let usable = |item: &Item| facts.is_usable(*item) && collection.class(*item).is_some();
    let all: Vec<(usize, Item)> = match model {
        Some(model) => model.items.iter().copied().enumerate().filter(|(_, item)| usable(item)).collect(),
        None if classes <= MOST_CLASSES && (collection.parts()[0].has_texts() || table.is_some()) => {
            collection.items_of(0).filter(usable).enumerate().collect()
        }
        None => return None,
    };
    let step = all.len().div_ceil(MOST).max(1);
    let rows: Vec<(usize, Item)> = all.into_iter().step_by(step).collect();
    let labels: Vec<usize> = rows.iter().filter_map(|(_, item)| collection.class(*item)).collect();
    let mut counts = vec![0usize; classes];
    labels.iter().for_each(|&label| counts[label] += 1);
    if counts.iter().filter(|&&n| n >= LEAST_OF_CLASS).count() < 2 {
        return None;
    }
    let (features, source) = match (model, table) {
        (Some(model), _) => {
            let row = |(row, _): &(usize, Item)| model.features.row(*row).map(|(c, v)| (c as u32, v)).collect();
            (Features::sparse(model.features.width(), rows.iter().map(row)), model.source.clone())
        }
        (None, Some(table)) => {
            let rows: Vec<usize> = rows.iter().map(|(_, item)| collection.at(*item).1).collect();
            (columns::features(table, &rows), Said::new("the columns", "各列"))
        }
        (None, None) => {
            let texts: Vec<String> =
                rows.iter().filter_map(|(_, item)| collection.text(*item).map(|text| text.into_owned())).collect();
            (ngrams::features(&texts), Said::new("words and pairs of words", "单词和相邻词对"))
        }
    };
    let named = |same: &Vec<Item>| same.iter().map(|&item| (item, u64::from(same[0]))).collect::<Vec<_>>();
    let group: HashMap<Item, u64> = facts.same.iter().flat_map(named).collect();
    let groups: Vec<u64> = rows.iter().map(|(_, item)| group.get(item).copied().unwrap_or(u64::from(*item))).collect();
    let probabilities = folds::out_of_fold(&features, &labels, &groups, classes);
    let right = probabilities.chunks_exact(classes).zip(&labels).filter(|(row, label)| argmax(row) == **label).count();
    let accuracy = right as f64 / labels.len() as f64;
    let majority = counts.iter().max().copied().unwrap_or(0) as f64 / labels.len() as f64;
    if 1.0 - accuracy > (1.0 - LEAST_GAIN) * (1.0 - majority) {
        return None;
    }
    let suspects = confident::suspects(&probabilities, &labels, classes);
    let suspects = suspects.into_iter().map(|suspect| (rows[suspect.row].1, suspect)).collect();
    Some(Judged { suspects, examples: labels.len(), accuracy, majority, source })
}

fn argmax(row: &[f32]) -> usize {
    (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b]).then(b.cmp(&a))).unwrap_or(0)
}

/// The finding.
pub fn find(collection: &Collection, facts: &Facts, model: Option<&ModelFeatures>, examples: usize) -> Option<Finding> {
    let judged = judge(collection, facts, model)?;
    if judged.suspects.is_empty() {
        return None;
    }
    let name = |class: usize| &collection.classes()[class];
    let example = |(item, suspect): &(Item, Suspect)| {
        let (suggested, other, own) = (name(suspect.suggested), 100.0 * suspect.other, 100.0 * suspect.own);
        let note = Said::new(
            format!("looks like `{suggested}` ({other:.0} %), its label has {own:.1} %"),
            format!("更像 `{suggested}`（{other:.0} %），现有标签的概率为 {own:.1} %"),
        );
        Example::new(collection, &[*item], note)
    };
    let count = judged.suspects.len();
    let (accuracy, majority) = (100.0 * judged.accuracy, 100.0 * judged.majority);
    Some(Finding {
        kind: Kind::LabelErrors,
        severity: Severity::Warning,
        title: Said::new(
            format!(
                "{} may have the wrong label ({} of {} judged).",
                noun(collection).counted(count).english(),
                percent(count, judged.examples),
                super::grouped(judged.examples)
            ),
            format!(
                "{}的标签可能有误（占所检查的 {} 个样本的 {}）。",
                noun(collection).chinese(count),
                super::grouped(judged.examples),
                percent(count, judged.examples)
            ),
        ),
        why: Said::new(
            "A probe that was fitted to other examples is as sure of another class here as it is elsewhere. It can be wrong: the first \
             ones are worth a look, the last ones are hard examples rather than mistakes. Mending the labels that are wrong is better \
             than leaving all of them out.",
            "用其他样本拟合的线性探针在这里确信是另一个类别，把握与在别处一样大。它也可能出错：排在前面的值得一看，排在后面的多是难例而非错误。\
             改正错误的标签，胜过把它们全部去掉。",
        ),
        count,
        details: vec![Said::new(
            format!(
                "The probe, logistic regression on {}, is right on {accuracy:.1} % of what it has not seen; the most frequent class has \
                 {majority:.1} %.",
                judged.source.english()
            ),
            format!(
                "该探针是基于{}的逻辑回归，在未见过的样本上答对 {accuracy:.1} %；最常见类别占 {majority:.1} %。",
                judged.source.of(Language::Chinese)
            ),
        )],
        examples: judged.suspects.iter().take(examples).map(example).collect(),
        remedy: Remedy::Clean(Rule::LabelErrors),
    })
}

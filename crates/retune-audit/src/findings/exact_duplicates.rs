//! The same input several times in one split: the same text, the same pixels, the same cells.
//!
//! Repetitions across splits are [overlap](super::overlap). White space at the ends of a text does not count, as no model sees it.

use super::{Example, Finding, Kind, Remedy, Severity, grouped, noun, percent, verb};
use crate::clean::Rule;
use crate::collection::{Collection, Item, Part};
use crate::facts::Facts;
use crate::fingerprint::{fingerprint, groups_of_equal};
use crate::language::Said;
use retune_data::Origins;
use retune_data::sources::raw_rows;

/// Groups of equal items within each split: all but the first of each are repetitions.
pub fn groups(collection: &Collection, facts: &Facts) -> Vec<Vec<Item>> {
    within_splits(collection, &facts.equal)
}

/// Cuts groups at the borders of splits.
pub(crate) fn within_splits(collection: &Collection, groups: &[Vec<Item>]) -> Vec<Vec<Item>> {
    let same = |a: &Item, b: &Item| collection.split(*a) == collection.split(*b);
    groups.iter().flat_map(|group| group.chunk_by(same)).filter(|g| g.len() > 1).map(<[Item]>::to_vec).collect()
}

/// The finding.
pub fn find(collection: &Collection, facts: &Facts, examples: usize) -> Option<Finding> {
    let mut groups = groups(collection, facts);
    let repeated: usize = groups.iter().map(|group| group.len() - 1).sum();
    if repeated == 0 {
        return None;
    }
    let noun = noun(collection);
    let mut details = Vec::new();
    let whole = whole_rows(collection);
    if whole > 0 && whole < repeated {
        details.push(Said::new(
            format!(
                "{} of them {} an earlier row to the byte; the others differ in other columns, or in white space at the ends.",
                grouped(whole),
                verb(whole, "repeats", "repeat")
            ),
            format!("其中 {} 行与前面的某一行逐字节相同；其余的在其他列或首尾空白处不同。", grouped(whole)),
        ));
    } else if whole >= repeated {
        details.push(Said::new(
            "All of them repeat an earlier row to the byte, label included.",
            "它们都与前面的某一行逐字节相同，标签也相同。",
        ));
    }
    groups.sort_by_key(|group| (std::cmp::Reverse(group.len()), group[0]));
    let most = grouped(groups[0].len());
    details.push(Said::new(
        format!("The most frequent one stands {most} times."),
        format!("重复最多的一个出现 {most} 次。"),
    ));
    let share = repeated as f64 / collection.len() as f64;
    Some(Finding {
        kind: Kind::ExactDuplicates,
        severity: if share >= 0.01 { Severity::Problem } else { Severity::Warning },
        title: Said::new(
            format!(
                "{} {} an earlier one ({}).",
                noun.counted(repeated).english(),
                verb(repeated, "repeats", "repeat"),
                percent(repeated, collection.len())
            ),
            format!("{}与前面的重复（{}）。", noun.chinese(repeated), percent(repeated, collection.len())),
        ),
        why: Said::new(
            "What is repeated weighs more in training than it should, and where validation is drawn from the same rows, it \
             also stands on both sides.",
            "重复的内容在训练中的比重过大；如果验证集也从这些行中划出，它还会同时出现在两边。",
        ),
        count: repeated,
        details,
        examples: groups
            .iter()
            .take(examples)
            .map(|group| {
                let note = Said::new(format!("{} times", group.len()), format!("出现 {} 次", group.len()));
                Example::new(collection, group, note)
            })
            .collect(),
        remedy: Remedy::Clean(Rule::ExactDuplicates),
    })
}

/// Rows of files of text that repeat an earlier row of the same file to the byte.
fn whole_rows(collection: &Collection) -> usize {
    collection.parts().iter().filter_map(whole_rows_of).sum()
}

fn whole_rows_of(part: &Part) -> Option<usize> {
    let crate::collection::Content::Examples(data) = &part.content else { return None };
    let Origins::Lines { path, .. } = data.origins() else { return None };
    let mut prints = Vec::with_capacity(part.len());
    let of = |index: usize| data.origins().lines(index);
    let read = raw_rows(path, None, part.len(), &of, |index, row| {
        prints.extend(index.map(|index| if part.is_usable(index) { fingerprint(trimmed_end(row)) } else { 0 }));
        Ok(())
    });
    read.ok()?;
    Some(groups_of_equal(&prints).iter().map(|group| group.len() - 1).sum())
}

/// Without the line ends, of which a file's last row may have none.
fn trimmed_end(row: &[u8]) -> &[u8] {
    let end = row.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
    &row[..end]
}

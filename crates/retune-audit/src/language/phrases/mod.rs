//! Chinese for what the crates below say, which know English alone: reasons, what was expected and found, rules, and what to do.
//!
//! A phrase is an English and a Chinese template; each `{}` stands for a value, `{0}` and `{1}` where their order differs. A text is looked up by the template that says most of
//! it, and so are its values, unless they stand in backticks: names and texts of the user stay as they are. A text that no template
//! says stays English. `tests/it/phrases.rs` reads the crates' sources, so that none is forgotten.

use std::cmp::Reverse;

mod data;
mod files;
mod hints;
mod models;
mod networks;

/// Every phrase; each list is in the order of the sources.
const PHRASES: [&[(&str, &str)]; 6] =
    [hints::PHRASES, data::DATA_SETS, data::PHRASES, files::PHRASES, models::PHRASES, networks::PHRASES];

/// How far phrases stand in phrases.
const MAX_DEPTH: usize = 6;

/// The text in Chinese; as it is where no phrase says it.
pub fn chinese(english: &str) -> String {
    let mut lines = english.split('\n').map(|line| looked_up(line, MAX_DEPTH));
    let first = lines.next().unwrap_or_default();
    lines.fold(first, |text, line| text + "\n" + &line)
}

/// The Chinese template with its `{}` replaced by values, each looked up first. Between two Chinese characters no space is left.
pub fn filled(template: &str, values: &[&str]) -> String {
    put_in(template, values, MAX_DEPTH)
}

/// The text with what data sets hold in Chinese, where one stands in backticks: they are called by what they hold, in English.
pub fn with_data_sets(text: &str) -> String {
    let is_data_set = |name: &str| data::DATA_SETS.iter().any(|(english, _)| values(english, name).is_some());
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('`') {
        out += before;
        out.push('`');
        // Names of columns stand in backticks within.
        let end = after.match_indices('`').map(|(end, _)| end).find(|&end| is_data_set(&after[..end]));
        rest = match end {
            Some(end) => {
                out += &chinese(&after[..end]);
                out.push('`');
                &after[end + 1..]
            }
            None => after,
        };
    }
    out + rest
}

fn looked_up(text: &str, depth: usize) -> String {
    if depth == 0 || !text.contains(|c: char| c.is_ascii_alphabetic()) {
        return text.to_owned();
    }
    let all = PHRASES.iter().copied().flatten();
    let fitting = all.filter_map(|(english, chinese)| Some((values(english, text)?, english, chinese)));
    // Of those that say as much, the one whose words come first: `between {}; {}` before `between {}, {}`.
    let said = |values: &[&str], english: &str| {
        (english.len() - 2 * values.len(), Reverse(values.first().map_or(0, |v| v.len())))
    };
    match fitting.max_by_key(|(values, english, _)| said(values, english)) {
        Some((values, _, chinese)) => put_in(chinese, &values, depth - 1),
        None => text.to_owned(),
    }
}

/// What stands at the places of the template; `None` where the text is another.
fn values<'a>(template: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let mut parts = template.split("{}");
    let mut rest = text.strip_prefix(parts.next()?)?;
    let mut values = Vec::new();
    let parts: Vec<&str> = parts.collect();
    for (place, part) in parts.iter().enumerate() {
        let is_last = place + 1 == parts.len();
        let at = match (is_last, part.is_empty()) {
            (true, _) if rest.ends_with(part) => rest.len() - part.len(),
            (false, false) => rest.find(part)?,
            _ => return None,
        };
        if !is_balanced(&rest[..at]) {
            return None;
        }
        values.push(&rest[..at]);
        rest = &rest[at + part.len()..];
    }
    rest.is_empty().then_some(values)
}

/// Whether a value does not begin or end inside of brackets or a name.
fn is_balanced(value: &str) -> bool {
    let count = |mark: char| value.matches(mark).count();
    count('(') == count(')') && count('`').is_multiple_of(2)
}

fn put_in(template: &str, values: &[&str], depth: usize) -> String {
    let (mut out, mut rest, mut next) = (String::new(), template, 0);
    while let Some((before, index, after)) = place(rest) {
        out += before;
        let value = values.get(index.unwrap_or(next)).copied().unwrap_or_default();
        let value = if before.ends_with('`') { value.to_owned() } else { looked_up(value, depth) };
        if value.starts_with(is_wide) && out.ends_with(' ') && out.trim_end().ends_with(is_wide) {
            out.pop();
        }
        let ends_wide = value.ends_with(is_wide) || value.is_empty() && out.ends_with(is_wide);
        out += &value;
        let follows = after.trim_start_matches(' ');
        rest = if ends_wide && follows.starts_with(is_wide) { follows } else { after };
        next += 1;
    }
    out + rest
}

/// The first place of a value in a template, with what stands before and behind it: `{}`, or `{1}` where Chinese has another order.
fn place(template: &str) -> Option<(&str, Option<usize>, &str)> {
    template.match_indices('{').find_map(|(at, _)| {
        let (inside, after) = template[at + 1..].split_once('}')?;
        let index = if inside.is_empty() { None } else { Some(inside.parse().ok()?) };
        Some((&template[..at], index, after))
    })
}

/// Characters of Chinese and its punctuation.
fn is_wide(c: char) -> bool {
    matches!(c, '\u{3000}'..='\u{303f}' | '\u{3400}'..='\u{9fff}' | '\u{ff00}'..='\u{ff60}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_carried_over_and_looked_up() {
        assert_eq!(chinese("did you mean `accuracy`?"), "您是否想用 `accuracy`？");
        assert_eq!(
            chinese("resume it with `retune resume runs/a`, or choose another output folder"),
            "请用 `retune resume runs/a` 继续，或另选输出文件夹"
        );
        assert_eq!(
            chinese("add `task = \"similarity\"` to `[model]`, or leave it out"),
            "请在 `[model]` 中加入 `task = \"similarity\"`，或去掉它"
        );
        assert_eq!(chinese("expected an object, found a text"), "应为对象，实际为文本");
        assert_eq!(chinese("`noise`: expected a number from 0, found -1"), "`noise`：应为不小于 0 的数，实际为 -1");
        assert_eq!(chinese("line 3: the text has no words"), "第 3 行：文本中没有词");
        assert_eq!(
            chinese("hub/data (9 texts, Parquet; text: column `text`, label: column `label`, in 2 files)"),
            "hub/data（9 段文本，Parquet；文本：列 `text`，标签：列 `label`，共 2 个文件）"
        );
        assert_eq!(
            chinese("a.tsv (5 texts, between tabs; text: column 1, label: column 0)"),
            "a.tsv（5 段文本，以制表符分列；文本：第 1 列，标签：第 0 列）"
        );
        assert_eq!(
            chinese("a, b.csv (3 rows, between tabs; 2 columns of numbers, label: column 2)"),
            "a, b.csv（3 行，以制表符分列；2 列数字，标签：第 2 列）"
        );
    }

    #[test]
    fn data_sets_are_said_in_backticks_too() {
        let text = "不接受 `a.csv (3 rows, between commas; 2 columns of numbers, label: column `y`)` 和 `a text (3)`";
        let said = "不接受 `a.csv（3 行，以逗号分列；2 列数字，标签：列 `y`）` 和 `a text (3)`";
        assert_eq!(with_data_sets(text), said);
    }

    #[test]
    fn names_and_what_is_not_known_stay() {
        assert_eq!(
            chinese("column `an object`: expected a number, found `a text`"),
            "列 `an object`：应为数字，实际为 `a text`"
        );
        assert_eq!(chinese("something nobody translated"), "something nobody translated");
    }

    fn places(template: &str) -> usize {
        place(template).map_or(0, |(_, _, after)| 1 + places(after))
    }

    #[test]
    fn both_languages_have_as_many_values_and_no_phrase_stands_twice() {
        let mut all: Vec<&(&str, &str)> = PHRASES.iter().copied().flatten().collect();
        for (english, chinese) in &all {
            assert!(!chinese.is_empty(), "{english}");
            assert_eq!(english.matches("{}").count(), places(chinese), "{english}");
        }
        all.sort_unstable();
        for pair in all.windows(2) {
            assert_ne!(pair[0].0, pair[1].0);
        }
    }
}

//! Texts far longer or shorter than the rest.
//!
//! Lengths are counted in characters. A text is too long beyond the outer fence of Tukey, `q₃ + 3·(q₃ − q₁)`, of the logarithms
//! of lengths, if it is also more than four times as long as the middle one; too short with fewer than two letters or digits.

use super::{Example, Finding, Kind, Remedy, Severity, grouped, noun, verb};
use crate::collection::{Collection, Item};
use crate::facts::Facts;
use crate::language::{Language, Said};
use crate::normalize::is_ideograph;
use rayon::prelude::*;

/// Multiple of the middle length that is never too long.
const FREE: f64 = 4.0;

/// Characters of a text, and whether it has less than two letters or digits; an ideograph says as much as two.
fn measure(text: &str) -> (u32, bool) {
    let weight = |c: char| if is_ideograph(c) { 2 } else { u32::from(c.is_alphanumeric()) };
    // Pictures in a text (emoji) also say something.
    let says = |c: char| weight(c).max(if c as u32 >= 0x1_f000 { 2 } else { 0 });
    let mut signs = text.chars().map(says);
    let is_short = signs.try_fold(0, |sum, n| if sum + n >= 2 { None } else { Some(sum + n) }).is_some();
    (text.chars().count() as u32, is_short)
}

/// The value below which a share of ascending values lies.
pub(crate) fn quantile<T: Copy>(ascending: &[T], share: f64) -> T {
    ascending[((ascending.len() - 1) as f64 * share).round() as usize]
}

/// The finding.
pub fn find(collection: &Collection, facts: &Facts, examples: usize) -> Option<Finding> {
    let items: Vec<Item> = collection.items().filter(|&item| facts.is_usable(item)).collect();
    let measured: Vec<(Item, u32, bool)> = items
        .into_par_iter()
        .filter_map(|item| collection.text(item).map(|text| measure(&text)).map(|(n, short)| (item, n, short)))
        .collect();
    if measured.is_empty() {
        return None;
    }
    let mut lengths: Vec<u32> = measured.iter().map(|m| m.1).collect();
    lengths.par_sort_unstable();
    let at = |share: f64| quantile(&lengths, share);
    let log = |length: u32| f64::from(length.max(1)).ln();
    let fence = (log(at(0.75)) + 3.0 * (log(at(0.75)) - log(at(0.25)))).exp().max(FREE * f64::from(at(0.5)));
    let mut long: Vec<(Item, u32)> = measured.iter().filter(|m| f64::from(m.1) > fence).map(|m| (m.0, m.1)).collect();
    let short: Vec<(Item, u32)> =
        measured.iter().filter(|m| m.2 && facts.blank.binary_search(&m.0).is_err()).map(|m| (m.0, m.1)).collect();
    if long.is_empty() && short.is_empty() {
        return None;
    }
    long.sort_by_key(|(item, length)| (std::cmp::Reverse(*length), *item));
    let noun = noun(collection);
    let mut parts = Vec::new();
    if !long.is_empty() {
        parts.push(Said::new(
            format!(
                "{} {} far longer than the rest (over {} characters)",
                noun.counted(long.len()).english(),
                verb(long.len(), "is", "are"),
                grouped(fence as usize)
            ),
            format!("{}远长于其余（超过 {} 个字符）", noun.chinese(long.len()), grouped(fence as usize)),
        ));
    }
    if !short.is_empty() {
        parts.push(Said::new(
            format!(
                "{} {} fewer than two letters or digits",
                noun.counted(short.len()).english(),
                verb(short.len(), "has", "have")
            ),
            format!("{}不足两个字母或数字", noun.chinese(short.len())),
        ));
    }
    let [middle, most, nearly_all, longest] = [0.5, 0.95, 0.99, 1.0].map(|share| grouped(at(share) as usize));
    let shown = |list: &[(Item, u32)], take: usize| -> Vec<Example> {
        let example = |(item, length): &(Item, u32)| {
            let length = grouped(*length as usize);
            let note = Said::new(format!("{length} characters"), format!("{length} 个字符"));
            Example::new(collection, &[*item], note)
        };
        list.iter().take(take).map(example).collect()
    };
    let mut all = shown(&long, examples.div_ceil(2));
    all.extend(shown(&short, examples - all.len().min(examples)));
    Some(Finding {
        kind: Kind::Lengths,
        severity: Severity::Note,
        title: Said::new(
            format!("{}.", parts.iter().map(Said::english).collect::<Vec<_>>().join("; ")),
            format!("{}。", parts.iter().map(|part| part.of(Language::Chinese)).collect::<Vec<_>>().join("；")),
        ),
        why: Said::new(
            "Long texts are cut off at the model's most tokens, and make batches slow; of the shortest nobody could tell the label.",
            "过长的文本会在模型的最大词元数处截断，并拖慢批次；而最短的文本，谁也说不出它的标签。",
        ),
        count: long.len() + short.len(),
        details: vec![Said::new(
            format!(
                "Half of all have at most {middle} characters, 95 % at most {most}, 99 % at most {nearly_all}, the longest {longest}."
            ),
            format!(
                "半数不超过 {middle} 个字符，95 % 不超过 {most} 个，99 % 不超过 {nearly_all} 个，最长 {longest} 个。"
            ),
        )],
        examples: all,
        remedy: Remedy::Advice(Said::new(
            "Look at them; `retune check --model MODEL --data DATA` says how many a model would cut off.",
            "请查看它们；`retune check --model MODEL --data DATA` 会说明模型将截断多少条。",
        )),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_something_is_not_short() {
        for (text, is_short) in
            [("ok", false), ("a", true), ("...", true), ("好", false), ("😀", false), ("7!", true), ("", true)]
        {
            assert_eq!(measure(text).1, is_short, "{text}");
        }
        assert_eq!(measure("这个宾馆").0, 4);
    }

    #[test]
    fn quantiles_are_values() {
        assert_eq!((quantile(&[1, 2, 3, 9], 0.0), quantile(&[1, 2, 3, 9], 1.0), quantile(&[5], 0.5)), (1, 9, 5));
    }
}

//! Texts that were damaged on their way: characters lost, or read by another encoding than they were written in.
//!
//! - `U+FFFD`, which decoders put in the place of what they cannot read, and the Chinese signs that it becomes when its bytes are
//!   read as GBK;
//! - UTF-8 that was read as Latin-1 (`cafÃ©`), told by reading its bytes as UTF-8 again: only text of that history allows it;
//! - GBK that was read as Latin-1 (`ÕâÊÇ`), told by pairs of bytes that are all of the common characters of GB 2312;
//! - entities of HTML (`&amp;`) and control characters.

use super::{Example, Finding, Kind, Remedy, Severity, grouped, noun, percent, verb};
use crate::collection::{Collection, Item, part::shortened};
use crate::facts::Facts;
use crate::language::{Language, Said};
use encoding_rs::{GB18030, WINDOWS_1252};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// What happened to a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Damage {
    /// Characters are lost.
    Lost,
    /// UTF-8 read as Latin-1.
    Utf8AsLatin1,
    /// GBK read as Latin-1.
    GbkAsLatin1,
    /// Control characters within the text.
    Controls,
    /// Entities of HTML.
    Entities,
}

impl Damage {
    /// What happened, in words.
    pub fn words(self) -> Said {
        match self {
            Damage::Lost => Said::new(
                "with characters that are lost (they stand as `\u{fffd}`, or as what it became)",
                "有字符已经丢失（显示为 `\u{fffd}` 或由它变成的字符）",
            ),
            Damage::Utf8AsLatin1 => {
                Said::new("in UTF-8 that was read as Latin-1", "是 `UTF-8` 文本，却按 `Latin-1` 读取")
            }
            Damage::GbkAsLatin1 => Said::new("in GBK that was read as Latin-1", "是 `GBK` 文本，却按 `Latin-1` 读取"),
            Damage::Controls => Said::new("with control characters", "含有控制字符"),
            Damage::Entities => Said::new("with entities of HTML, such as `&amp;`", "含有 `HTML` 实体，例如 `&amp;`"),
        }
    }
}

/// Marks of a replacement character whose bytes were read as GBK, and of memory never written to.
const LOST: [&str; 3] = ["\u{fffd}", "锟斤拷", "烫烫烫"];
const ENTITIES: [&str; 7] = ["&amp;", "&lt;", "&gt;", "&quot;", "&nbsp;", "&#39;", "<br />"];
/// Least pairs of bytes that tell GBK.
const LEAST_PAIRS: usize = 3;

/// The worst damage of a text, and what it was meant to be, where that can be told.
pub fn damage(text: &str) -> Option<(Damage, Option<String>)> {
    if LOST.iter().any(|mark| text.contains(mark)) {
        return Some((Damage::Lost, None));
    }
    if let Some((damage, meant)) = meant(text) {
        return Some((damage, Some(meant)));
    }
    let is_control = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{1f}' | '\u{85}');
    if text.contains(is_control) {
        return Some((Damage::Controls, None));
    }
    ENTITIES.iter().any(|entity| text.contains(entity)).then_some((Damage::Entities, None))
}

/// What a text was meant to be that was read by a wrong encoding. ASCII stays as it is, so a row of a table keeps its form.
pub(crate) fn meant(text: &str) -> Option<(Damage, String)> {
    let by = |damage, read| from_latin1(text, read).map(|meant| (damage, meant));
    by(Damage::Utf8AsLatin1, utf8).or_else(|| by(Damage::GbkAsLatin1, gbk))
}

/// Reads each run of characters of Latin-1 beyond ASCII by `read`; `None` where no run can be.
fn from_latin1(text: &str, read: fn(&[u8]) -> Option<String>) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    let (mut out, mut run, mut is_found) = (String::new(), String::new(), false);
    let mut flush = |run: &mut String, out: &mut String| {
        if !run.is_empty() {
            let (bytes, _, has_errors) = WINDOWS_1252.encode(run);
            match read(&bytes).filter(|_| !has_errors) {
                Some(meant) => {
                    is_found = true;
                    out.push_str(&meant);
                }
                None => out.push_str(run),
            }
            run.clear();
        }
    };
    for c in text.chars() {
        // Encoding any character that the code page lacks would give an entity.
        let is_latin =
            !c.is_ascii() && (('\u{80}'..='\u{ff}').contains(&c) || !WINDOWS_1252.encode(c.encode_utf8(&mut [0; 4])).2);
        if is_latin {
            run.push(c);
        } else {
            flush(&mut run, &mut out);
            out.push(c);
        }
    }
    flush(&mut run, &mut out);
    is_found.then_some(out)
}

/// Bytes beyond ASCII as UTF-8.
fn utf8(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    // Signs that the code page has itself, such as the no-break space, do not tell by themselves.
    (text.chars().all(|c| !c.is_control())).then(|| text.to_owned())
}

/// Bytes as characters of GB 2312, all of them in the rows of ideographs.
fn gbk(bytes: &[u8]) -> Option<String> {
    let is_common = |pair: &[u8]| (0xb0..=0xf7).contains(&pair[0]) && pair[1] >= 0xa1;
    let pairs = bytes.chunks_exact(2);
    let is_chinese = bytes.len() >= 2 * LEAST_PAIRS && pairs.remainder().is_empty() && { pairs }.all(is_common);
    let text = GB18030.decode_without_bom_handling_and_without_replacement(bytes).filter(|_| is_chinese)?;
    Some(text.into_owned())
}

/// All damaged texts, ascending, each with what happened to it.
pub fn items(collection: &Collection, facts: &Facts) -> Vec<(Item, Damage, Option<String>)> {
    let all: Vec<Item> = collection.items().collect();
    all.into_par_iter()
        .filter(|&item| facts.is_usable(item))
        .filter_map(|item| damage(&collection.text(item)?).map(|(damage, meant)| (item, damage, meant)))
        .collect()
}

/// The finding.
pub fn find(collection: &Collection, facts: &Facts, examples: usize) -> Option<Finding> {
    let mut found = items(collection, facts);
    if found.is_empty() {
        return None;
    }
    let mut kinds: BTreeMap<Damage, usize> = BTreeMap::new();
    found.iter().for_each(|(_, damage, _)| *kinds.entry(*damage).or_default() += 1);
    let is_grave = found.iter().any(|(_, damage, _)| *damage < Damage::Controls);
    found.sort_by_key(|(item, damage, _)| (*damage, *item));
    let example = |(item, damage, meant): &(Item, Damage, Option<String>)| {
        let note = match meant {
            Some(meant) => {
                let meant = shortened(meant);
                Said::new(format!("was meant to be: {meant}"), format!("原意应为：{meant}"))
            }
            None => damage.words(),
        };
        Example::new(collection, &[*item], note)
    };
    let detail = |(damage, n): (&Damage, &usize)| {
        let words = damage.words();
        Said::new(
            format!("{} {}.", grouped(*n), words.english()),
            format!("{}{}。", noun(collection).chinese(*n), words.of(Language::Chinese)),
        )
    };
    Some(Finding {
        kind: Kind::Encoding,
        severity: if is_grave { Severity::Warning } else { Severity::Note },
        title: Said::new(
            format!(
                "{} {} damaged on the way ({}).",
                noun(collection).counted(found.len()).english(),
                verb(found.len(), "was", "were"),
                percent(found.len(), collection.len())
            ),
            format!(
                "{}的编码已损坏（{}）。",
                noun(collection).chinese(found.len()),
                percent(found.len(), collection.len())
            ),
        ),
        why: Said::new(
            "A model learns the damage instead of the words, and meets whole words later.",
            "模型学到的是乱码而不是词语，而日后遇到的却是完好的词语。",
        ),
        count: found.len(),
        details: kinds.iter().map(detail).collect(),
        examples: found.iter().take(examples).map(example).collect(),
        remedy: match found.iter().any(|(_, _, meant)| meant.is_some()) {
            true => Remedy::Repair,
            false => Remedy::Advice(Said::new(
                "Export the texts again with the right encoding; or name the encoding of the file with `--encoding`, if it is only \
                 read wrongly.",
                "请以正确的编码重新导出文本；如果只是读取有误，请用 `--encoding` 指定文件的编码。",
            )),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_wrongly_is_read_back() {
        for original in ["café d'été", "naïve – “quoted”", "这个宾馆比较陈旧了", "Müller und Söhne"]
        {
            // Some bytes of UTF-8 are none of windows-1252; they stand as control codes then, as in Latin-1 itself.
            let wrong: String =
                original.bytes().map(|byte| WINDOWS_1252.decode_without_bom_handling(&[byte]).0.into_owned()).collect();
            assert_eq!(damage(&wrong), Some((Damage::Utf8AsLatin1, Some(original.to_owned()))), "{wrong}");
        }
        let gbk: String = WINDOWS_1252.decode(&GB18030.encode("这是中国的").0).0.into_owned();
        assert_eq!(damage(&gbk), Some((Damage::GbkAsLatin1, Some("这是中国的".to_owned()))));
    }

    #[test]
    fn whole_texts_are_left_alone() {
        for text in [
            "café d'été à Besançon",
            "señor Müller",
            "这个宾馆",
            "plain",
            "10 € – 20 £",
            "“quoted” text…",
            "Ångström Ærø",
            "日本語のテキスト",
        ] {
            assert_eq!(damage(text), None, "{text}");
        }
    }

    #[test]
    fn losses_controls_and_entities_are_told_apart() {
        assert_eq!(damage("a \u{fffd} b"), Some((Damage::Lost, None)));
        assert_eq!(damage("锟斤拷"), Some((Damage::Lost, None)));
        assert_eq!(damage("a\u{7}b"), Some((Damage::Controls, None)));
        assert_eq!(damage("R&amp;B"), Some((Damage::Entities, None)));
        assert_eq!(damage("two\r\nlines\tand tab"), None);
    }
}

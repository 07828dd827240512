//! Words for people, in every language that retune speaks.
//!
//! Each message stands once, with all its languages side by side, so that none can be missing: those that are constant in
//! [`texts!`](crate::texts), where `{names}` in braces stand for values that are filled in; those that are made of what was found as
//! [`Said`], mostly by [`said!`](crate::said). What crates say that know English alone is looked up in [`phrases`]; what comes from files
//! and other libraries (names, places, errors of the system) stays as it is.

pub mod phrases;

use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Simplified Chinese.
    Chinese,
}

/// There is no such language.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no language `{0}`\nhint: it may be `en` or `zh`")]
pub struct UnknownLanguage(pub String);

impl Language {
    /// Its code (BCP 47).
    pub fn code(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Chinese => "zh-Hans",
        }
    }

    /// The language of a locale such as `zh_CN.UTF-8`; English where it is none of those known.
    pub fn of_locale(locale: &str) -> Language {
        if locale.to_ascii_lowercase().starts_with("zh") { Language::Chinese } else { Language::English }
    }

    /// The user's language: that of the first of `LC_ALL`, `LC_MESSAGES` and `LANG` that is set and not empty, as POSIX has it.
    pub fn of_environment() -> Language {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set);
        locale.map_or_else(Language::default, |locale| Language::of_locale(&locale))
    }
}

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(name: &str) -> Result<Language, UnknownLanguage> {
        match name.to_ascii_lowercase().replace('_', "-").as_str() {
            "en" | "english" => Ok(Language::English),
            "zh" | "zh-cn" | "zh-hans" | "chinese" => Ok(Language::Chinese),
            _ => Err(UnknownLanguage(name.to_owned())),
        }
    }
}

/// One message in every language. For programs (JSON) it is the English one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said {
    english: String,
    chinese: String,
}

impl Said {
    /// The message in both languages.
    pub fn new(english: impl Into<String>, chinese: impl Into<String>) -> Said {
        Said { english: english.into(), chinese: chinese.into() }
    }

    /// What is the same in every language: names, commands, and what the user wrote.
    pub fn as_it_is(text: impl Into<String>) -> Said {
        let text = text.into();
        Said { english: text.clone(), chinese: text }
    }

    /// What a function says in each language.
    pub fn in_each(said: impl Fn(Language) -> String) -> Said {
        Said { english: said(Language::English), chinese: said(Language::Chinese) }
    }

    /// What a crate says that knows English alone; its Chinese is that of [`phrases`], and English where they do not know it.
    pub fn looked_up(english: impl Into<String>) -> Said {
        let english = english.into();
        Said { chinese: phrases::chinese(&english), english }
    }

    /// The message in a language.
    pub fn of(&self, language: Language) -> &str {
        match language {
            Language::English => &self.english,
            Language::Chinese => &self.chinese,
        }
    }

    /// The message in English.
    pub fn english(&self) -> &str {
        self.of(Language::English)
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.english.is_empty()
    }
}

/// The English one, as errors of libraries are.
impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.english)
    }
}

/// English and Chinese.
impl From<(&str, &str)> for Said {
    fn from((english, chinese): (&str, &str)) -> Said {
        Said::new(english, chinese)
    }
}

impl Serialize for Said {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.english.serialize(serializer)
    }
}

/// The template with each `{name}` replaced by its value.
pub fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            out.push('{');
            rest = after;
            continue;
        };
        match values.iter().find(|(known, _)| *known == name) {
            Some((_, value)) => out.push_str(value),
            None => out.extend(["{", name, "}"]),
        }
        rest = after;
    }
    out + rest
}

/// Whether both templates have the same names in braces. It is computed by the compiler, for [`texts!`](crate::texts).
#[doc(hidden)]
pub const fn fill_in_the_same(a: &str, b: &str) -> bool {
    names_are_in(a.as_bytes(), b.as_bytes()) && names_are_in(b.as_bytes(), a.as_bytes())
}

const fn names_are_in(from: &[u8], within: &[u8]) -> bool {
    let mut at = 0;
    while at < from.len() {
        if from[at] == b'{' {
            let mut end = at;
            while end < from.len() && from[end] != b'}' {
                end += 1;
            }
            if end < from.len() && !has(within, from, at, end) {
                return false;
            }
            at = end;
        }
        at += 1;
    }
    true
}

/// Whether `within` has the bytes `start` to `end`, both included, of `from`.
const fn has(within: &[u8], from: &[u8], start: usize, end: usize) -> bool {
    let mut at = 0;
    while at + end - start < within.len() {
        let mut same = 0;
        while same <= end - start && within[at + same] == from[start + same] {
            same += 1;
        }
        if same > end - start {
            return true;
        }
        at += 1;
    }
    false
}

/// A struct of messages, each with its English and its Chinese text; `of(language)` gives those of a language. A message that is
/// empty in one, or does not fill in the same values in both, does not compile.
#[macro_export]
macro_rules! texts {
    ($(#[$doc:meta])* $visibility:vis struct $name:ident {
        $($(#[$field_doc:meta])* $field:ident: $english:literal, $chinese:literal;)*
    }) => {
        $(#[$doc])*
        #[derive(Debug)]
        $visibility struct $name {
            $($(#[$field_doc])* $visibility $field: &'static str,)*
        }

        impl $name {
            /// The messages in a language.
            $visibility fn of(language: $crate::language::Language) -> &'static $name {
                static ENGLISH: $name = $name { $($field: $english,)* };
                static CHINESE: $name = $name { $($field: $chinese,)* };
                match language {
                    $crate::language::Language::Chinese => &CHINESE,
                    _ => &ENGLISH,
                }
            }
        }

        $(const _: () = assert!(
            !$english.is_empty() && !$chinese.is_empty() && $crate::language::fill_in_the_same($english, $chinese),
            concat!("`", stringify!($field), "`: both languages need a text with the same values in braces"),
        );)*
    };
}

/// A [`Said`] of two format strings, English and Chinese, and the values that both take, as [`format!`] takes them. A value that one of
/// them leaves out does not compile.
#[macro_export]
macro_rules! said {
    ($english:literal, $chinese:literal $(, $($values:tt)*)?) => {
        $crate::language::Said::new(
            ::std::fmt::format(format_args!($english $(, $($values)*)?)),
            ::std::fmt::format(format_args!($chinese $(, $($values)*)?)),
        )
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_of_locales_and_names() {
        assert_eq!(Language::of_locale("zh_CN.UTF-8"), Language::Chinese);
        assert_eq!([Language::of_locale("C"), Language::of_locale("de_DE")], [Language::English; 2]);
        assert_eq!(("zh".parse(), "EN".parse()), (Ok(Language::Chinese), Ok(Language::English)));
        assert!("tlh".parse::<Language>().unwrap_err().to_string().contains("`en` or `zh`"));
    }

    #[test]
    fn values_are_not_searched_for_names() {
        assert_eq!(fill("{a} and {b}, {c", &[("a", "{b}"), ("b", "2")]), "{b} and 2, {c");
        assert_eq!(fill("{unknown}", &[]), "{unknown}");
    }

    #[test]
    fn templates_fill_in_the_same_values_or_do_not() {
        assert!(fill_in_the_same("{a} of {bc}, {", "{bc} 中的 {a}"));
        assert!(!fill_in_the_same("{a} of {b}", "{a}"));
        assert!(!fill_in_the_same("{a}", "{a} {ab}"));
        assert!(!fill_in_the_same("{ab}", "{a"));
    }

    #[test]
    fn values_stand_in_both_languages() {
        let rows = 3;
        assert_eq!(
            said!("{rows} rows of {place}", "{place} 的 {rows} 行", place = "t.csv"),
            Said::new("3 rows of t.csv", "t.csv 的 3 行")
        );
    }
}

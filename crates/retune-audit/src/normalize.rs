//! Texts as they are compared: what two people would call the same text is the same here.
//!
//! - Unicode's compatibility composition (NFKC): full-width letters, ligatures and composed accents become the usual characters;
//! - lower case;
//! - invisible characters (controls, zero-width ones, soft hyphens, byte order marks) fall away;
//! - white space of any kind and length, line ends included, becomes one space; none at the ends.
//!
//! Punctuation stays: `no!` and `no?` are two texts.

use unicode_normalization::UnicodeNormalization;

/// The text as it is compared.
pub fn normalize(text: &str) -> String {
    if text.is_ascii() {
        return collapse(text.chars().map(|c| c.to_ascii_lowercase()), text.len());
    }
    let lower: String = text.nfkc().flat_map(char::to_lowercase).collect();
    // Lower case can leave accents uncomposed, and some signs compatibility forms.
    collapse(lower.nfkc(), lower.len())
}

/// Without invisible characters, with single spaces.
fn collapse(characters: impl Iterator<Item = char>, capacity: usize) -> String {
    let mut out = String::with_capacity(capacity);
    let mut is_gap = false;
    for c in characters {
        if c.is_whitespace() {
            is_gap = true;
        } else if !is_invisible(c) {
            if is_gap && !out.is_empty() {
                out.push(' ');
            }
            is_gap = false;
            out.push(c);
        }
    }
    out
}

/// Whether a character is neither seen nor takes room.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}')
}

/// Whether a character is one of Chinese or Japanese writing, each of which says about as much as two letters.
pub(crate) fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_same_text_written_differently_is_the_same() {
        for (a, b) in [
            ("Ｆｕｌｌ　ｗｉｄｔｈ！", "full width!"),
            ("cafe\u{301}", "CAFÉ"),
            ("two\r\nlines", "Two lines"),
            ("  a \t b\u{a0}c\n", "a b c"),
            ("zero\u{200b}width\u{feff}", "zerowidth"),
            ("ﬁne", "fine"),
            ("ＡＢＣ１２３", "abc123"),
            ("ﾃｽﾄ", "テスト"),
            ("soft\u{ad}hyphen", "softhyphen"),
            ("①", "1"),
        ] {
            assert_eq!(normalize(a), normalize(b), "{a:?} {b:?}");
        }
    }

    #[test]
    fn different_texts_stay_different() {
        for (a, b) in [("no!", "no?"), ("résumé", "resume"), ("a b", "ab"), ("简体", "簡體"), ("", ".")] {
            assert_ne!(normalize(a), normalize(b));
        }
        assert_eq!(normalize("\u{200b} \r\n\u{feff}"), "");
    }

    proptest! {
        #[test]
        fn normalizing_twice_changes_nothing(text in "\\PC{0,40}") {
            let once = normalize(&text);
            prop_assert_eq!(normalize(&once), once);
        }
    }
}

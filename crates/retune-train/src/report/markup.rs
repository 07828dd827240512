//! Text and attributes made safe for HTML, and images as data addresses.

/// The text with everything that means something in HTML or an attribute replaced, and control characters made visible as U+FFFD.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(character),
            _ if character.is_control() => out.push('\u{FFFD}'),
            _ => out.push(character),
        }
    }
    out
}

/// `<tag class="…">text</tag>` with the text escaped; no class attribute where the class is empty.
pub(super) fn element(tag: &str, class: &str, text: &str) -> String {
    match class {
        "" => format!("<{tag}>{}</{tag}>", escape(text)),
        _ => format!("<{tag} class=\"{class}\">{}</{tag}>", escape(text)),
    }
}

const PNG_PREFIX: &str = "data:image/png;base64,";
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A PNG file as an address that holds it (`data:image/png;base64,…`), for [`Mistake::picture`](super::Mistake::picture).
pub fn png_address(png: &[u8]) -> String {
    let mut out = String::with_capacity(PNG_PREFIX.len() + png.len().div_ceil(3) * 4);
    out.push_str(PNG_PREFIX);
    for chunk in png.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let index = (bits >> (18 - 6 * digit) & 63) as usize;
            out.push(if digit <= chunk.len() { char::from(ALPHABET[index]) } else { '=' });
        }
    }
    out
}

/// Whether the text is an address as [`png_address`] makes it, and so nothing else can hide in it.
pub(super) fn is_png_address(text: &str) -> bool {
    let Some(data) = text.strip_prefix(PNG_PREFIX) else { return false };
    let data = data.trim_end_matches('=');
    !data.is_empty() && data.bytes().all(|byte| ALPHABET.contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_text_stays_markup() {
        assert_eq!(escape("<b a='1'>\"&\u{0}\r"), "&lt;b a=&#39;1&#39;&gt;&quot;&amp;\u{FFFD}\u{FFFD}");
        assert_eq!(escape("猫 é\n"), "猫 é\n");
        assert_eq!(element("td", "", "<"), "<td>&lt;</td>");
    }

    /// RFC 4648, section 10.
    #[test]
    fn base64_is_the_standard_one() {
        for (text, expected) in [("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(png_address(text.as_bytes()), format!("{PNG_PREFIX}{expected}"));
        }
        assert_eq!(png_address(&[0xFB, 0xFF]), format!("{PNG_PREFIX}+/8="));
    }

    #[test]
    fn only_png_addresses_pass() {
        assert!(is_png_address(&png_address(b"\x89PNG")));
        for bad in ["https://example.org/a.png", "data:image/png;base64,\" onload=", "data:image/svg+xml;base64,AA", ""]
        {
            assert!(!is_png_address(bad), "{bad}");
        }
    }
}

//! Bytes to text: the encoding given, or the one found.

use encoding_rs::{Encoding, GB18030, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// How a file's text is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TextEncoding {
    /// UTF-8, with or without a byte order mark.
    #[serde(rename = "utf-8")]
    Utf8,
    /// UTF-16 of either byte order, little-endian where no byte order mark tells.
    #[serde(rename = "utf-16")]
    Utf16,
    /// Western European, as browsers read it: windows-1252, which is ISO 8859-1 with characters for its unused control codes.
    #[serde(rename = "latin-1")]
    Latin1,
    /// Chinese; GBK and GB 2312 are parts of it.
    #[serde(rename = "gb18030", alias = "gbk")]
    Gb18030,
}

impl fmt::Display for TextEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TextEncoding::Utf8 => "utf-8",
            TextEncoding::Utf16 => "utf-16",
            TextEncoding::Latin1 => "latin-1",
            TextEncoding::Gb18030 => "gb18030",
        })
    }
}

/// A file's text.
pub(super) struct Decoded {
    pub(super) text: String,
    pub(super) encoding: TextEncoding,
    /// Lines, from 1, with bytes that the encoding does not have; they stand as `U+FFFD` in the text.
    pub(super) bad_lines: BTreeSet<u64>,
}

/// Decodes a file's bytes.
///
/// Where no encoding is given: what a byte order mark says; UTF-8 where at least 9 of 10 lines with other bytes than ASCII are
/// that; GB18030 where all of it is, and most of its two-byte characters are of GB 2312 (both bytes from A1 up), which accented
/// Western text hardly has; else Latin-1, which any bytes are.
pub(super) fn decode(bytes: Vec<u8>, given: Option<TextEncoding>) -> Decoded {
    if let Some((marked, length)) = Encoding::for_bom(&bytes) {
        let encoding = if marked == UTF_8 { TextEncoding::Utf8 } else { TextEncoding::Utf16 };
        return decode_as(&bytes[length..], encoding, marked);
    }
    if given.is_none_or(|given| given == TextEncoding::Utf8) {
        let bytes = match String::from_utf8(bytes) {
            Ok(text) => return Decoded { text, encoding: TextEncoding::Utf8, bad_lines: BTreeSet::new() },
            Err(error) => error.into_bytes(),
        };
        let encoding = given.unwrap_or_else(|| guess(&bytes));
        return decode_as(&bytes, encoding, by_name(encoding));
    }
    let encoding = given.unwrap_or(TextEncoding::Utf8);
    decode_as(&bytes, encoding, by_name(encoding))
}

fn by_name(encoding: TextEncoding) -> &'static Encoding {
    match encoding {
        TextEncoding::Utf8 => UTF_8,
        TextEncoding::Utf16 => UTF_16LE,
        TextEncoding::Latin1 => WINDOWS_1252,
        TextEncoding::Gb18030 => GB18030,
    }
}

fn decode_as(bytes: &[u8], encoding: TextEncoding, decoder: &'static Encoding) -> Decoded {
    if decoder == UTF_16LE || decoder == UTF_16BE {
        let text = decoder.decode_without_bom_handling(bytes).0.into_owned();
        let bad = text.split('\n').zip(1..).filter(|(line, _)| line.contains('\u{FFFD}')).map(|(_, number)| number);
        return Decoded { bad_lines: bad.collect(), text, encoding };
    }
    // In the others no character has the byte of a line's end within it, so lines can be decoded one by one.
    let (mut text, mut bad_lines) = (String::with_capacity(bytes.len()), BTreeSet::new());
    for (line, number) in bytes.split_inclusive(|&byte| byte == b'\n').zip(1..) {
        let (decoded, has_errors) = decoder.decode_without_bom_handling(line);
        text.push_str(&decoded);
        if has_errors {
            bad_lines.insert(number);
        }
    }
    Decoded { text, encoding, bad_lines }
}

/// The encoding of bytes that are not all UTF-8.
fn guess(bytes: &[u8]) -> TextEncoding {
    let lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_ascii());
    let (valid, all) =
        lines.fold((0, 0), |(valid, all), line| (valid + usize::from(std::str::from_utf8(line).is_ok()), all + 1));
    if valid * 10 >= all * 9 {
        return TextEncoding::Utf8;
    }
    if GB18030.decode_without_bom_handling_and_without_replacement(bytes).is_some() {
        let (mut common, mut pairs, mut at) = (0, 0, 0);
        while at < bytes.len() {
            if bytes[at].is_ascii() {
                at += 1;
                continue;
            }
            pairs += 1;
            common += usize::from(bytes[at] >= 0xA1 && bytes.get(at + 1).is_some_and(|&second| second >= 0xA1));
            at += 2;
        }
        if common * 2 > pairs {
            return TextEncoding::Gb18030;
        }
    }
    TextEncoding::Latin1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(bytes: &[u8]) -> (TextEncoding, String) {
        let decoded = decode(bytes.to_vec(), None);
        assert!(decoded.bad_lines.is_empty());
        (decoded.encoding, decoded.text)
    }

    #[test]
    fn encodings_are_found() {
        let chinese = "这个宾馆比较陈旧了，特价的房间也很一般。\n很快，好吃";
        assert_eq!(found(chinese.as_bytes()), (TextEncoding::Utf8, chinese.to_owned()));
        assert_eq!(found(&[b"\xEF\xBB\xBF", chinese.as_bytes()].concat()), (TextEncoding::Utf8, chinese.to_owned()));
        assert_eq!(found(&GB18030.encode(chinese).0), (TextEncoding::Gb18030, chinese.to_owned()));
        let western = "le café d'été\nça, naïve: déjà vu à Besançon\nplain\nseñor Müller";
        assert_eq!(found(&WINDOWS_1252.encode(western).0), (TextEncoding::Latin1, western.to_owned()));
        let mut utf16 = vec![0xFF, 0xFE];
        utf16.extend(chinese.encode_utf16().flat_map(u16::to_le_bytes));
        assert_eq!(found(&utf16), (TextEncoding::Utf16, chinese.to_owned()));
        assert_eq!(found(b"only ascii"), (TextEncoding::Utf8, "only ascii".to_owned()));
        assert_eq!(found(b""), (TextEncoding::Utf8, String::new()));
    }

    #[test]
    fn a_broken_line_does_not_change_the_encoding_of_the_others() {
        let mut bytes = "这个宾馆\n".repeat(20).into_bytes();
        bytes.extend(b"broken \xE9\n");
        let decoded = decode(bytes, None);
        assert_eq!((decoded.encoding, decoded.bad_lines), (TextEncoding::Utf8, BTreeSet::from([21])));
        assert!(decoded.text.starts_with("这个宾馆\n"));
    }

    #[test]
    fn an_encoding_that_is_given_is_taken() {
        let bytes = WINDOWS_1252.encode("é\nabc").0.into_owned();
        let decoded = decode(bytes.clone(), Some(TextEncoding::Utf8));
        assert_eq!(decoded.bad_lines, BTreeSet::from([1]));
        assert_eq!(decode(bytes, Some(TextEncoding::Latin1)).text, "é\nabc");
        let utf16: Vec<u8> = "é\nabc".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(decode(utf16, Some(TextEncoding::Utf16)).text, "é\nabc");
        let gbk = serde_json::from_str::<TextEncoding>("\"gbk\"").unwrap();
        assert_eq!(gbk, TextEncoding::Gb18030);
    }
}

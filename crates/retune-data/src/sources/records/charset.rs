//! Bytes to text: the encoding given, or the one found.

use encoding_rs::{Encoding, GB18030, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How a file's text is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TextEncoding {
    /// UTF-8, with or without a byte order mark.
    #[serde(rename = "utf-8")]
    Utf8,
    /// UTF-16 of either byte order, little-endian where nothing tells.
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

/// An encoding, and of which byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sources) struct Charset {
    pub(super) encoding: TextEncoding,
    pub(super) decoder: &'static Encoding,
}

impl Charset {
    /// Of UTF-16 the little-endian one.
    pub(super) fn of(encoding: TextEncoding) -> Charset {
        let decoder = match encoding {
            TextEncoding::Utf8 => UTF_8,
            TextEncoding::Utf16 => UTF_16LE,
            TextEncoding::Latin1 => WINDOWS_1252,
            TextEncoding::Gb18030 => GB18030,
        };
        Charset { encoding, decoder }
    }

    /// What a byte order mark at the beginning says, with its length.
    pub(super) fn of_mark(bytes: &[u8]) -> Option<(Charset, usize)> {
        let (decoder, length) = Encoding::for_bom(bytes)?;
        let encoding = if decoder == UTF_8 { TextEncoding::Utf8 } else { TextEncoding::Utf16 };
        Some((Charset { encoding, decoder }, length))
    }

    /// UTF-16 without a mark, where every other byte of the beginning is mostly zero, as it is of Western text.
    pub(super) fn of_zeros(bytes: &[u8]) -> Option<Charset> {
        let zeros = |offset: usize| bytes.iter().skip(offset).step_by(2).filter(|byte| **byte == 0).count();
        let ([even, odd], half) = ([zeros(0), zeros(1)], bytes.len() / 2);
        let decoder = match () {
            _ if half < 4 => return None,
            _ if 4 * odd > 3 * half && 4 * even < half => UTF_16LE,
            _ if 4 * even > 3 * half && 4 * odd < half => UTF_16BE,
            _ => return None,
        };
        Some(Charset { encoding: TextEncoding::Utf16, decoder })
    }

    /// The same, of the byte order that zeros tell where it is UTF-16 without a mark.
    pub(super) fn given(encoding: TextEncoding, beginning: &[u8]) -> Charset {
        Charset::of_zeros(beginning).filter(|_| encoding == TextEncoding::Utf16).unwrap_or(Charset::of(encoding))
    }

    /// The byte of the first character, or `0x80` for one beyond ASCII, and the number of bytes that it takes; those that are no character
    /// are cut one by one, as far as one can tell.
    pub(in crate::sources) fn first(&self, bytes: &[u8]) -> (u8, usize) {
        const BEYOND: u8 = 0x80;
        let ascii = |unit: &[u8], high: usize| {
            if unit[high] == 0 && unit[1 - high].is_ascii() { unit[1 - high] } else { BEYOND }
        };
        match (bytes, self.decoder) {
            ([_, _, ..], decoder) if decoder == UTF_16LE => (ascii(&bytes[..2], 1), 2),
            ([_, _, ..], decoder) if decoder == UTF_16BE => (ascii(&bytes[..2], 0), 2),
            ([0x81..=0xFE, 0x30..=0x39, 0x81..=0xFE, 0x30..=0x39, ..], decoder) if decoder == GB18030 => (BEYOND, 4),
            ([0x81..=0xFE, 0x40..=0x7E | 0x80..=0xFE, ..], decoder) if decoder == GB18030 => (BEYOND, 2),
            ([first, ..], _) => (if first.is_ascii() { *first } else { BEYOND }, 1),
            ([], _) => (BEYOND, 0),
        }
    }

    /// ASCII as this encoding has it.
    pub(in crate::sources) fn encoded(&self, ascii: &str) -> Vec<u8> {
        match self.decoder {
            decoder if decoder == UTF_16LE => ascii.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            decoder if decoder == UTF_16BE => ascii.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            _ => ascii.as_bytes().to_vec(),
        }
    }

    /// The bytes that end a line.
    pub(in crate::sources) fn line_feed(&self) -> &'static [u8] {
        match self.decoder {
            decoder if decoder == UTF_16LE => b"\n\0",
            decoder if decoder == UTF_16BE => b"\0\n",
            _ => b"\n",
        }
    }
}

/// What the words of a file tell of its encoding: UTF-8 where at least 9 of 10 words with other bytes than ASCII are that; GB18030
/// where all of them are, and most of their two-byte characters are of GB 2312 (both bytes from A1 up), which accented Western text
/// hardly has; else Latin-1, which any bytes are.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Words with other bytes than ASCII, and those of them that are UTF-8.
    words: u64,
    utf8: u64,
    /// Words that are no GB18030.
    foreign: u64,
    /// Characters of two bytes, and those of GB 2312.
    pairs: u64,
    common: u64,
}

impl Tally {
    /// Words with other bytes than ASCII that are enough to tell.
    const ENOUGH: u64 = 1_000_000;

    pub(super) fn is_enough(&self) -> bool {
        self.words >= Tally::ENOUGH
    }

    pub(super) fn add(&mut self, line: &[u8]) {
        if line.is_ascii() {
            return;
        }
        // In no encoding is one of these bytes part of a character that has several.
        let words = line.split(|byte| matches!(byte, b' ' | b'\n' | b'"'));
        words.filter(|word| !word.is_ascii()).for_each(|word| self.add_word(word));
    }

    fn add_word(&mut self, word: &[u8]) {
        self.words += 1;
        if std::str::from_utf8(word).is_ok() {
            self.utf8 += 1;
        }
        if GB18030.decode_without_bom_handling_and_without_replacement(word).is_none() {
            self.foreign += 1;
            return;
        }
        let mut at = 0;
        while at < word.len() {
            if word[at].is_ascii() {
                at += 1;
                continue;
            }
            self.pairs += 1;
            self.common += u64::from(word[at] >= 0xA1 && word.get(at + 1).is_some_and(|&second| second >= 0xA1));
            at += 2;
        }
    }

    pub(super) fn encoding(&self) -> TextEncoding {
        match () {
            _ if self.utf8 * 10 >= self.words * 9 => TextEncoding::Utf8,
            _ if self.foreign == 0 && self.common * 2 > self.pairs => TextEncoding::Gb18030,
            _ => TextEncoding::Latin1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_cut_off_by_their_bytes() {
        let cut = |charset: Charset, mut bytes: &[u8]| {
            let mut found = Vec::new();
            while !bytes.is_empty() {
                let (byte, length) = charset.first(bytes);
                found.push((byte, length));
                bytes = &bytes[length..];
            }
            found
        };
        // The second bytes of these characters are those of `\` and `[`.
        let gb = [(0x80, 2), (0x80, 2), (b'"', 1), (0x80, 4)];
        assert_eq!(cut(Charset::of(TextEncoding::Gb18030), b"\x81\\\x81[\"\x81\x30\x81\x30"), gb);
        assert_eq!(cut(Charset::of(TextEncoding::Utf8), "é[".as_bytes()), [(0x80, 1), (0x80, 1), (b'[', 1)]);
        let little = Charset::of(TextEncoding::Utf16);
        let big = Charset { encoding: TextEncoding::Utf16, decoder: UTF_16BE };
        for charset in [little, big] {
            assert_eq!(cut(charset, &charset.encoded("[\n")), [(b'[', 2), (b'\n', 2)]);
        }
        // `孀` is 5B40, `䁛` 405B.
        assert_eq!(cut(little, &[0x40, 0x5B, 0x5B, 0x40, 0]), [(0x80, 2), (0x80, 2), (0, 1)]);
    }
}

//! The opcodes' arguments.

use std::borrow::Cow;

use crate::error::Problem;

/// The bytes of a pickle and the place reached in them.
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Scanner<'a> {
        Scanner { bytes, offset: 0 }
    }

    /// Number of bytes taken.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: u64) -> Result<&'a [u8], Problem> {
        let rest = &self.bytes[self.offset..];
        let truncated = Problem::Truncated { needed: count, available: rest.len() as u64 };
        let taken = usize::try_from(count).ok().and_then(|count| rest.get(..count)).ok_or(truncated)?;
        self.offset += taken.len();
        Ok(taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Problem> {
        Ok(self.array::<1>()?[0])
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Problem> {
        let bytes = self.take(N as u64)?;
        Ok(*bytes.first_chunk().expect("`take` returned as many bytes as asked for"))
    }

    pub(super) fn u32(&mut self) -> Result<u32, Problem> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Problem> {
        self.array().map(u64::from_le_bytes)
    }

    /// Bytes after their length in 1, 4 or 8 bytes.
    pub(super) fn counted(&mut self, length_bytes: u8) -> Result<&'a [u8], Problem> {
        let length = match length_bytes {
            1 => u64::from(self.u8()?),
            4 => u64::from(self.u32()?),
            _ => self.u64()?,
        };
        self.take(length)
    }

    /// A text after its length.
    pub(super) fn counted_text(&mut self, length_bytes: u8) -> Result<&'a str, Problem> {
        utf8(self.counted(length_bytes)?)
    }

    /// The rest of the line, without its end.
    pub(super) fn line(&mut self) -> Result<&'a [u8], Problem> {
        let rest = &self.bytes[self.offset..];
        let end = rest.iter().position(|&byte| byte == b'\n');
        let end = end.ok_or(Problem::Truncated { needed: rest.len() as u64 + 1, available: rest.len() as u64 })?;
        self.offset += end + 1;
        Ok(&rest[..end])
    }

    pub(super) fn text_line(&mut self) -> Result<&'a str, Problem> {
        utf8(self.line()?)
    }

    /// A line that is a number.
    pub(super) fn number_line<N: std::str::FromStr>(&mut self, what: &str) -> Result<N, Problem> {
        let line = self.text_line()?;
        line.trim_end_matches('L').parse().map_err(|_| Problem::mismatch(what, format_args!("`{line}`")))
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, Problem> {
    std::str::from_utf8(bytes).map_err(|_| Problem::mismatch("text in UTF-8", "other bytes"))
}

/// A little-endian two's-complement integer of any length.
pub(super) fn long(bytes: &[u8]) -> Result<i128, Problem> {
    if bytes.len() > 16 {
        let hint = "save large integers as text";
        return Err(Problem::Unsupported { what: format!("an integer of {} bytes", bytes.len()), hint });
    }
    let fill = if bytes.last().is_some_and(|&top| top >= 0x80) { 0xff } else { 0 };
    let mut buffer = [fill; 16];
    buffer[..bytes.len()].copy_from_slice(bytes);
    Ok(i128::from_le_bytes(buffer))
}

/// Protocol 0's byte string: a quoted Python literal with escapes.
pub(super) fn unquote(line: &[u8]) -> Result<Cow<'_, [u8]>, Problem> {
    let malformed = || Problem::mismatch("a quoted string", format_args!("`{}`", line.escape_ascii()));
    let inner = match line {
        [b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"'] => inner,
        _ => return Err(malformed()),
    };
    if !inner.contains(&b'\\') {
        return Ok(Cow::Borrowed(inner));
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner.iter().copied();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next().ok_or_else(malformed)? {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'x' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16)).ok_or_else(malformed);
                (digit()? * 16 + digit()?) as u8
            }
            other @ (b'\\' | b'\'' | b'"') => other,
            _ => return Err(malformed()),
        });
    }
    Ok(Cow::Owned(bytes))
}

/// Protocol 0's text: Latin-1 with the escapes `\uXXXX` and `\UXXXXXXXX`.
pub(super) fn unescape(line: &[u8]) -> Result<String, Problem> {
    let malformed = || Problem::mismatch("a text with `\\u` escapes", format_args!("`{}`", line.escape_ascii()));
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((&byte, after)) = rest.split_first() {
        let digits = match rest {
            [b'\\', b'u', ..] => 4,
            [b'\\', b'U', ..] => 8,
            _ => {
                text.push(char::from(byte));
                rest = after;
                continue;
            }
        };
        let code = rest.get(2..2 + digits).and_then(|code| std::str::from_utf8(code).ok());
        let code = code.and_then(|code| u32::from_str_radix(code, 16).ok()).and_then(char::from_u32);
        text.push(code.ok_or_else(malformed)?);
        rest = &rest[2 + digits..];
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_integers() {
        assert_eq!(long(&[]).unwrap(), 0);
        assert_eq!(long(&[0xff]).unwrap(), -1);
        assert_eq!(long(&[0xff, 0]).unwrap(), 255);
        assert!(long(&[1; 17]).is_err());
    }

    #[test]
    fn escapes() {
        assert_eq!(&*unquote(b"'a\\x00\\n\\'b'").unwrap(), b"a\0\n'b");
        assert!(unquote(b"'a\\").is_err());
        assert!(unquote(b"'").is_err());
        assert_eq!(unescape(b"a\\u00e9\xe9\\U0001f600\\n").unwrap(), "aéé😀\\n");
        assert!(unescape(b"\\ud800").is_err());
        assert!(unescape(b"\\u12").is_err());
    }
}

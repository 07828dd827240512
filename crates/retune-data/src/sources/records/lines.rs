//! Lines of a file, decoded one by one, so that a file of any size takes the memory of its longest line.

use super::charset::{Charset, Tally, TextEncoding};
use crate::error::DataError;
use crate::sources::name_of;
use encoding_rs::{CoderResult, Decoder, UTF_8};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

/// Bytes of the longest line; of a longer one the rest is passed over.
const MAX_LINE: usize = 1 << 26;
/// Bytes read at a time.
const BUFFER: usize = 1 << 18;
/// Bytes of the beginning that tell the encoding where a file is only glanced at.
const GLANCE: u64 = 1 << 20;

/// A line, its end included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sources) struct Line {
    /// Counted from 1.
    pub(in crate::sources) number: u64,
    pub(in crate::sources) text: String,
    /// Why it cannot be used: bytes that the encoding does not have, which stand as `U+FFFD` in the text; too many bytes.
    pub(in crate::sources) problem: Option<String>,
}

/// A file's bytes, unpacked where its name ends in `.gz`.
pub(in crate::sources) fn reader(path: &Path) -> Result<BufReader<Box<dyn Read + Send>>, DataError> {
    let file = File::open(path).map_err(DataError::io(path))?;
    let is_packed = name_of(path).to_ascii_lowercase().ends_with(".gz");
    let plain: Box<dyn Read + Send> = if is_packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    Ok(BufReader::with_capacity(BUFFER, plain))
}

/// How much of a file may be read to find its encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sources) enum Look {
    /// The beginning alone.
    Glance,
    /// As much as it takes.
    Whole,
}

/// The lines of a file or of bytes.
pub(in crate::sources) struct Lines {
    path: PathBuf,
    input: Box<dyn BufRead + Send>,
    charset: Charset,
    number: u64,
    buffer: Vec<u8>,
}

impl Lines {
    /// The lines of a file, in the encoding given or the one found: by its mark, by zeros, or by a first pass over its lines.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(in crate::sources) fn open(path: &Path, given: Option<TextEncoding>, look: Look) -> Result<Lines, DataError> {
        let mut input = reader(path)?;
        let beginning = input.fill_buf().map_err(DataError::io(path))?;
        let charset = match (Charset::of_mark(beginning), given) {
            (Some((charset, length)), _) => {
                input.consume(length);
                charset
            }
            (None, Some(encoding)) => Charset::given(encoding, beginning),
            (None, None) => match Charset::of_zeros(beginning) {
                Some(charset) => charset,
                None => Charset::of(found(path, look)?),
            },
        };
        Ok(Lines::new(path, Box::new(input), charset))
    }

    /// The lines of bytes that are in memory; `path` is for messages.
    pub(in crate::sources) fn of_bytes(path: &Path, bytes: Vec<u8>, given: Option<TextEncoding>) -> Lines {
        let (charset, start) = match (Charset::of_mark(&bytes), given) {
            (Some(marked), _) => marked,
            (None, Some(encoding)) => (Charset::given(encoding, &bytes), 0),
            (None, None) => {
                let mut tally = Tally::default();
                bytes.split(|&byte| byte == b'\n').for_each(|line| tally.add(line));
                (Charset::of_zeros(&bytes).unwrap_or_else(|| Charset::of(tally.encoding())), 0)
            }
        };
        let mut cursor = Cursor::new(bytes);
        cursor.set_position(start as u64);
        Lines::new(path, Box::new(cursor), charset)
    }

    fn new(path: &Path, input: Box<dyn BufRead + Send>, charset: Charset) -> Lines {
        Lines { path: path.to_path_buf(), input, charset, number: 0, buffer: Vec::new() }
    }

    pub(in crate::sources) fn encoding(&self) -> TextEncoding {
        self.charset.encoding
    }

    pub(in crate::sources) fn charset(&self) -> Charset {
        self.charset
    }

    /// The next line; `None` behind the last.
    ///
    /// # Errors
    /// A file that cannot be read on.
    pub(in crate::sources) fn next(&mut self) -> Result<Option<Line>, DataError> {
        self.buffer.clear();
        let is_whole = read_line(&mut self.input, &mut self.buffer, self.charset.line_feed(), MAX_LINE)
            .map_err(DataError::io(&self.path))?;
        if self.buffer.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        let number = self.number;
        if !is_whole {
            let problem = Some(format!("a line of more than {} MiB", MAX_LINE >> 20));
            return Ok(Some(Line { number, text: "\n".to_owned(), problem }));
        }
        let bytes = std::mem::take(&mut self.buffer);
        if self.charset.decoder == UTF_8 {
            return Ok(Some(match String::from_utf8(bytes) {
                Ok(text) => Line { number, text, problem: None },
                Err(error) => {
                    self.buffer = error.into_bytes();
                    let text = String::from_utf8_lossy(&self.buffer).into_owned();
                    Line { number, text, problem: Some(damaged(self.charset.encoding)) }
                }
            }));
        }
        self.buffer = bytes;
        let (text, has_errors) = self.charset.decoder.decode_without_bom_handling(&self.buffer);
        let problem = has_errors.then(|| damaged(self.charset.encoding));
        Ok(Some(Line { number, text: text.into_owned(), problem }))
    }

    /// Lines read so far.
    pub(in crate::sources) fn number(&self) -> u64 {
        self.number
    }

    /// The rest of the file as pieces of text, cut anywhere.
    pub(super) fn into_pieces(self) -> Pieces {
        let decoder = self.charset.decoder.new_decoder_without_bom_handling();
        Pieces { path: self.path, input: self.input, encoding: self.charset.encoding, decoder, is_over: false }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Gives every line of a file, without its end, to `each`, which may say what it found in place of what is expected.
///
/// # Errors
/// A file that cannot be read, and the first line with bytes that are no text, or that `each` refuses, with its place and `hint`.
pub(crate) fn each_line(
    path: &Path,
    expected: &str,
    hint: &'static str,
    mut each: impl FnMut(&str) -> Result<(), String>,
) -> Result<(), DataError> {
    let mut lines = Lines::open(path, None, Look::Whole)?;
    while let Some(Line { number, text, problem }) = lines.next()? {
        let read = problem.map_or_else(|| each(text.trim_end_matches(['\n', '\r'])), Err);
        read.map_err(|found| DataError::Malformed {
            path: path.to_path_buf(),
            place: format!("line {number}"),
            expected: expected.to_owned(),
            found,
            hint,
        })?;
    }
    Ok(())
}

fn damaged(encoding: TextEncoding) -> String {
    format!("expected {encoding}, found bytes that are none")
}

/// The encoding of a file that neither a mark nor zeros tell.
fn found(path: &Path, look: Look) -> Result<TextEncoding, DataError> {
    let mut input = reader(path)?;
    let (mut tally, mut line, mut read) = (Tally::default(), Vec::new(), 0u64);
    let most = if look == Look::Glance { GLANCE } else { u64::MAX };
    while !tally.is_enough() && read < most {
        line.clear();
        // A piece of a longer line tells as much as a line.
        read_piece(&mut input, &mut line).map_err(DataError::io(path))?;
        if line.is_empty() {
            break;
        }
        read += line.len() as u64;
        tally.add(&line);
    }
    Ok(tally.encoding())
}

/// A line, or of a long one a piece that ends with an ASCII byte, as no character does that has several bytes in UTF-8.
fn read_piece(input: &mut impl BufRead, out: &mut Vec<u8>) -> std::io::Result<()> {
    loop {
        let available = input.fill_buf()?;
        let end = available.iter().position(|&byte| byte == b'\n').map(|at| at + 1);
        let cut = end.or_else(|| {
            let long = out.len() + available.len() > GLANCE as usize;
            available.iter().rposition(u8::is_ascii).filter(|_| long).map(|at| at + 1)
        });
        let taken = cut.unwrap_or(available.len());
        out.extend_from_slice(&available[..taken]);
        input.consume(taken);
        if cut.is_some() || taken == 0 || out.len() > 4 * GLANCE as usize {
            return Ok(());
        }
    }
}

/// Appends bytes up to a line's end, which is included; whether the line is whole. Of a line of more than `most` bytes the rest is passed
/// over.
pub(in crate::sources) fn read_line(
    input: &mut dyn BufRead,
    out: &mut Vec<u8>,
    line_feed: &[u8],
    most: usize,
) -> std::io::Result<bool> {
    let (width, last) = (line_feed.len(), line_feed[line_feed.len() - 1]);
    // Bytes of the line so far, those that are not kept included; the last two, to tell a line feed of two bytes.
    let (mut length, mut before, mut is_whole) = (0usize, 0u8, true);
    loop {
        let available = input.fill_buf()?;
        if available.is_empty() {
            return Ok(is_whole);
        }
        let mut taken = available.len();
        let mut is_over = false;
        let mut from = 0;
        while let Some(at) = available[from..].iter().position(|&byte| byte == last).map(|at| from + at) {
            let previous = if at > 0 { available[at - 1] } else { before };
            let is_end = width == 1 || (length + at + 1).is_multiple_of(2) && previous == line_feed[0];
            if is_end {
                (taken, is_over) = (at + 1, true);
                break;
            }
            from = at + 1;
        }
        before = available[taken - 1];
        let room = most.saturating_sub(out.len()).min(taken);
        out.extend_from_slice(&available[..room]);
        is_whole &= room == taken;
        length += taken;
        input.consume(taken);
        if is_over {
            return Ok(is_whole);
        }
    }
}

/// Pieces of a file's text.
pub(super) struct Pieces {
    path: PathBuf,
    input: Box<dyn BufRead + Send>,
    encoding: TextEncoding,
    decoder: Decoder,
    is_over: bool,
}

impl Pieces {
    /// The next piece, and whether it holds bytes that the encoding does not have; `None` behind the last.
    ///
    /// # Errors
    /// A file that cannot be read on.
    pub(super) fn next(&mut self) -> Result<Option<(String, bool)>, DataError> {
        if self.is_over {
            return Ok(None);
        }
        let available = self.input.fill_buf().map_err(DataError::io(&self.path))?;
        self.is_over = available.is_empty();
        let mut text = String::with_capacity(
            self.decoder.max_utf8_buffer_length(available.len()).unwrap_or(3 * available.len() + 16),
        );
        let (result, read, has_errors) = self.decoder.decode_to_string(available, &mut text, self.is_over);
        debug_assert_eq!(result, CoderResult::InputEmpty, "the text has room for all that is decoded");
        self.input.consume(read);
        Ok(Some((text, has_errors)))
    }

    pub(super) fn problem(&self) -> String {
        damaged(self.encoding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use encoding_rs::{GB18030, WINDOWS_1252};

    fn all(bytes: &[u8], given: Option<TextEncoding>) -> (TextEncoding, String, Vec<u64>) {
        let mut found = Vec::new();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        for mut lines in [
            Lines::of_bytes(Path::new("t"), bytes.to_vec(), given),
            Lines::open(file.path(), given, Look::Whole).unwrap(),
        ] {
            let (mut text, mut bad) = (String::new(), Vec::new());
            while let Some(line) = lines.next().unwrap() {
                text.push_str(&line.text);
                bad.extend(line.problem.map(|_| line.number));
            }
            found.push((lines.encoding(), text, bad));
        }
        assert_eq!(found[0], found[1], "in memory and on disk");
        found.remove(0)
    }

    fn utf16(text: &str, is_little: bool) -> Vec<u8> {
        text.encode_utf16().flat_map(|unit| if is_little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
    }

    #[test]
    fn encodings_are_found() {
        let found = |bytes: &[u8]| {
            let (encoding, text, bad) = all(bytes, None);
            assert!(bad.is_empty());
            (encoding, text)
        };
        let chinese = "这个宾馆比较陈旧了，特价的房间也很一般。\n很快，好吃";
        assert_eq!(found(chinese.as_bytes()), (TextEncoding::Utf8, chinese.to_owned()));
        assert_eq!(found(&[b"\xEF\xBB\xBF", chinese.as_bytes()].concat()), (TextEncoding::Utf8, chinese.to_owned()));
        assert_eq!(found(&GB18030.encode(chinese).0), (TextEncoding::Gb18030, chinese.to_owned()));
        let western = "le café d'été\nça, naïve: déjà vu à Besançon\nplain\nseñor Müller";
        assert_eq!(found(&WINDOWS_1252.encode(western).0), (TextEncoding::Latin1, western.to_owned()));
        for (mark, is_little) in [([0xFF, 0xFE], true), ([0xFE, 0xFF], false)] {
            let marked = [mark.as_slice(), &utf16(chinese, is_little)].concat();
            assert_eq!(found(&marked), (TextEncoding::Utf16, chinese.to_owned()));
            assert_eq!(found(&utf16("label,text\n1,good\n", is_little)).0, TextEncoding::Utf16, "by its zeros");
        }
        assert_eq!(found(b"only ascii"), (TextEncoding::Utf8, "only ascii".to_owned()));
        assert_eq!(found(b""), (TextEncoding::Utf8, String::new()));
    }

    #[test]
    fn a_broken_line_does_not_change_the_encoding_of_the_others() {
        let mut bytes = "这个宾馆\n".repeat(20).into_bytes();
        bytes.extend(b"broken \xE9\n");
        let (encoding, text, bad) = all(&bytes, None);
        assert_eq!((encoding, bad), (TextEncoding::Utf8, vec![21]));
        assert!(text.starts_with("这个宾馆\n"));
    }

    #[test]
    fn an_encoding_that_is_given_is_taken() {
        let bytes = WINDOWS_1252.encode("é\nabc").0.into_owned();
        assert_eq!(all(&bytes, Some(TextEncoding::Utf8)).2, [1]);
        assert_eq!(all(&bytes, Some(TextEncoding::Latin1)).1, "é\nabc");
        assert_eq!(all(&utf16("é十\nabc", true), Some(TextEncoding::Utf16)).1, "é十\nabc");
        let gbk = serde_json::from_str::<TextEncoding>("\"gbk\"").unwrap();
        assert_eq!(gbk, TextEncoding::Gb18030);
    }

    #[test]
    fn wide_characters_hold_no_line_feed() {
        // `ਊ` is 0x0A0A, `਀` 0x0A00, `Ċ` 0x010A: their bytes are those of line feeds in one order or the other.
        for is_little in [true, false] {
            let text = "aਊĊ\u{0A00}b\nc\n";
            let mark: &[u8] = if is_little { &[0xFF, 0xFE] } else { &[0xFE, 0xFF] };
            let mut lines = Lines::of_bytes(Path::new("t"), [mark, &utf16(text, is_little)].concat(), None);
            assert_eq!(lines.next().unwrap().unwrap().text, "aਊĊ\u{0A00}b\n");
            assert_eq!(lines.next().unwrap().unwrap().text, "c\n");
            assert!(lines.next().unwrap().is_none());
        }
    }

    #[test]
    fn long_lines_are_passed_over() {
        let mut input = BufReader::with_capacity(4, &b"12345678\nab\n"[..]);
        let mut line = Vec::new();
        assert!(!read_line(&mut input, &mut line, b"\n", 5).unwrap());
        assert_eq!(line, b"12345");
        line.clear();
        assert!(read_line(&mut input, &mut line, b"\n", 5).unwrap());
        assert_eq!(line, b"ab\n");
    }

    #[test]
    fn pieces_are_the_text() {
        let text = "十".repeat(200_000);
        let bytes = GB18030.encode(&text).0.into_owned();
        let mut pieces = Lines::of_bytes(Path::new("t"), bytes, Some(TextEncoding::Gb18030)).into_pieces();
        let mut all = String::new();
        while let Some((piece, has_errors)) = pieces.next().unwrap() {
            assert!(!has_errors);
            all.push_str(&piece);
        }
        assert_eq!(all, text);
    }
}

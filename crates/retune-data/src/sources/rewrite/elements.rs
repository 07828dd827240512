//! JSON arrays of rows, with what stands around them.
//!
//! Characters are told apart by their bytes, whatever the encoding, and nothing is decoded, so that all that stays is the same to the byte.

use super::{Fate, Meant, changed, not_copied};
use crate::error::DataError;
use crate::sources::records::Look;
use crate::sources::records::lines::{Lines, reader};
use crate::sources::records::scan::{Part, Scan};
use crate::sources::text::TextEncoding;
use std::io::{self, BufRead, Write};
use std::path::Path;

/// Bytes of the longest character.
const LONGEST: usize = 4;

pub(super) fn copy(
    source: &Path,
    out: &mut dyn Write,
    encoding: Option<TextEncoding>,
    fates: &mut [Fate],
    meant: Meant<'_>,
) -> Result<(), DataError> {
    let charset = Lines::open(source, encoding, Look::Whole)?.charset();
    let mut input = reader(source)?;
    let mut elements = Elements {
        out,
        fates,
        meant,
        count: 0,
        has_written: false,
        has_begun: false,
        lead: Vec::new(),
        text: Vec::new(),
        tail: Vec::new(),
        comma: charset.encoded(","),
    };
    let (mut scan, mut bytes, mut is_over) = (Scan::default(), Vec::new(), false);
    while !is_over {
        let available = input.fill_buf().map_err(DataError::io(source))?;
        bytes.extend_from_slice(available);
        is_over = available.is_empty();
        let taken = available.len();
        input.consume(taken);
        let (mut at, least) = (0, if is_over { 1 } else { LONGEST });
        while bytes.len() - at >= least {
            let (byte, length) = charset.first(&bytes[at..]);
            elements.take(scan.step(byte), byte, &bytes[at..at + length]).map_err(not_copied(source))?;
            at += length;
        }
        bytes.drain(..at);
    }
    if !scan.is_over() {
        elements.end_early(&charset.encoded(scan.closing())).map_err(not_copied(source))?;
    }
    if elements.count == elements.fates.len() { Ok(()) } else { Err(changed(source)) }
}

/// Writes what is kept of an array, each element with the white space around it.
struct Elements<'a> {
    out: &'a mut dyn Write,
    fates: &'a mut [Fate],
    meant: Meant<'a>,
    /// Elements that have ended.
    count: usize,
    /// Whether one was written.
    has_written: bool,
    /// Whether more than white space was met of the one at hand.
    has_begun: bool,
    /// The white space before it.
    lead: Vec<u8>,
    /// What it is, where its texts are to be repaired.
    text: Vec<u8>,
    /// The white space at the end of one that is left out.
    tail: Vec<u8>,
    comma: Vec<u8>,
}

impl Elements<'_> {
    /// Takes in a character, its byte as [`Scan::step`] has it.
    fn take(&mut self, part: Part, byte: u8, character: &[u8]) -> io::Result<()> {
        match part {
            Part::Around => return self.out.write_all(character),
            Part::Element if byte.is_ascii_whitespace() && !self.has_begun => self.lead.extend_from_slice(character),
            Part::Element => {
                self.begin()?;
                match self.fate() {
                    Fate::Copied => return self.out.write_all(character),
                    Fate::Repaired => self.text.extend_from_slice(character),
                    Fate::Dropped if byte.is_ascii_whitespace() => self.tail.extend_from_slice(character),
                    Fate::Dropped => self.tail.clear(),
                }
            }
            Part::Comma => {
                self.begin()?;
                self.end()?;
            }
            Part::End => {
                if self.has_begun {
                    self.end()?;
                }
                // So that the bracket stands where it stood.
                let space = [std::mem::take(&mut self.lead), std::mem::take(&mut self.tail)].concat();
                self.out.write_all(&space)?;
                return self.out.write_all(character);
            }
        }
        Ok(())
    }

    /// The fate of the element at hand; of one too many whatever does no harm.
    fn fate(&self) -> Fate {
        self.fates.get(self.count).copied().unwrap_or(Fate::Dropped)
    }

    fn begin(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.has_begun, true) {
            return Ok(());
        }
        let lead = std::mem::take(&mut self.lead);
        self.tail.clear();
        if self.fate() == Fate::Dropped {
            return Ok(());
        }
        if std::mem::replace(&mut self.has_written, true) {
            self.out.write_all(&self.comma)?;
        } else if self.count > 0 {
            // Behind the opening bracket stands the white space of the first element.
            return Ok(());
        }
        self.out.write_all(&lead)
    }

    fn end(&mut self) -> io::Result<()> {
        let text = std::mem::take(&mut self.text);
        if let Some(fate @ Fate::Repaired) = self.fates.get_mut(self.count) {
            self.out.write_all(&fate.apply(&text, self.meant).unwrap_or_default())?;
        }
        self.count += 1;
        self.has_begun = false;
        Ok(())
    }

    /// Ends where the file does, though the array does not: within an element, or behind the last one, which counts as another one. Where
    /// that is left out, the array is closed.
    fn end_early(&mut self, closing: &[u8]) -> io::Result<()> {
        let is_dropped = self.fate() == Fate::Dropped;
        self.end()?;
        if is_dropped { self.out.write_all(closing) } else { Ok(()) }
    }
}

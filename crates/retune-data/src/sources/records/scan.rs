//! [`Scan`]: where in a text of JSON the array of objects is, and where each of its elements ends, told character by character.

/// What a character belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sources) enum Part {
    /// What stands before the array and behind it, its opening bracket included.
    Around,
    /// An element, or the white space before and behind it.
    Element,
    /// The comma behind an element.
    Comma,
    /// The closing bracket.
    End,
}

/// The scan. The array is the one at the top, whatever its elements are; else one in the object at the top whose first element is an
/// object.
#[derive(Debug, Default)]
pub(in crate::sources) struct Scan {
    /// Open brackets, outermost first.
    open: Vec<u8>,
    is_in_text: bool,
    is_escaped: bool,
    /// Brackets that are open around an element; `None` outside of the array.
    around: Option<usize>,
    /// Whether the last mark was a `[` that may begin the array.
    may_begin: bool,
    arrays: usize,
    is_over: bool,
}

impl Scan {
    /// Takes in a character: its byte, or any byte beyond ASCII for a character beyond it. White space behind the opening bracket
    /// counts as standing around the array, as that is told by the first character behind it.
    pub(in crate::sources) fn step(&mut self, byte: u8) -> Part {
        if self.is_in_text {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => self.is_in_text = false,
                _ => {}
            }
            return self.here();
        }
        if byte.is_ascii_whitespace() {
            return self.here();
        }
        let depth = self.open.len();
        if std::mem::take(&mut self.may_begin) && (depth == 1 || depth == 2 && byte == b'{') {
            self.around = Some(depth);
            self.arrays += 1;
        }
        match byte {
            b',' if self.around == Some(depth) => return Part::Comma,
            b']' if self.around == Some(depth) => {
                self.open.pop();
                self.around = None;
                self.is_over = depth == 1;
                return Part::End;
            }
            b'"' => self.is_in_text = true,
            b'{' | b'[' => {
                self.open.push(byte);
                self.may_begin = byte == b'[' && self.around.is_none();
            }
            b'}' | b']' => {
                let part = self.here();
                self.open.pop();
                self.is_over |= self.open.is_empty() && self.arrays > 0;
                return part;
            }
            _ => {}
        }
        self.here()
    }

    fn here(&self) -> Part {
        if self.around.is_some_and(|around| self.open.len() >= around) { Part::Element } else { Part::Around }
    }

    /// Arrays of objects found so far.
    pub(in crate::sources) fn arrays(&self) -> usize {
        self.arrays
    }

    /// Whether the array, or the object around it, has ended.
    pub(in crate::sources) fn is_over(&self) -> bool {
        self.is_over
    }

    /// What closes the array and the object around it, where the text ends before they do.
    pub(in crate::sources) fn closing(&self) -> &'static str {
        match self.around {
            Some(1) => "]",
            Some(_) => "]}",
            None if self.open.len() == 1 && !self.is_in_text => "}",
            None => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> String {
        let mut scan = Scan::default();
        let mark = |part| match part {
            Part::Around => '.',
            Part::Element => 'e',
            Part::Comma => ',',
            Part::End => ']',
        };
        text.bytes().map(|byte| mark(scan.step(byte))).collect()
    }

    #[test]
    fn the_array_is_told_from_what_stands_around_it() {
        assert_eq!(parts(r#"[ {"a":[1]} , 7]"#), "..eeeeeeeeee,ee]");
        assert_eq!(parts(r#"{"v":[1],"d":[{"]":1},{}],"x":[]}"#), "..............eeeeeee,ee]........");
        assert_eq!(parts("[] "), ".].");
    }

    #[test]
    fn a_text_that_ends_early_can_be_closed() {
        let closing = |text: &str| {
            let mut scan = Scan::default();
            text.bytes().for_each(|byte| _ = scan.step(byte));
            (scan.closing(), scan.is_over())
        };
        assert_eq!(closing(r#"[{"a": [1"#), ("]", false));
        assert_eq!(closing(r#"{"d": [{}, {"a"#), ("]}", false));
        assert_eq!(closing(r#"{"d": [{}]"#), ("}", false));
        assert_eq!(closing(r#"{"d": [{}]}"#), ("", true));
    }
}

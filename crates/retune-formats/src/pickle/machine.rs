//! The stack machine that reads protocols 0 to 5.

use std::borrow::Cow;
use std::collections::HashMap;

use super::scanner::{self, Scanner};
use super::value::{Instance, Object, Pickle, Ref};
use crate::error::{FormatError, Problem};
use crate::limits::{Budget, Limits};

/// Module and name of a Python class or function. In a list of permitted names, a `*` at the end or the start of either
/// stands for anything.
pub type GlobalName = (&'static str, &'static str);

/// Names that Python itself needs to store byte strings in protocols 0 to 2; always permitted, read as bytes.
const ENCODE: GlobalName = ("_codecs", "encode");
const BYTES: [GlobalName; 2] = [("__builtin__", "bytes"), ("builtins", "bytes")];

/// Reads the pickle that is the whole of `file`.
///
/// `permitted` are the names that may occur besides Python's own for byte strings.
///
/// # Errors
/// If the pickle is damaged, refers to a name that is not permitted, uses what only executing could give a meaning
/// (copy registry extensions, out-of-band buffers), exceeds the limits, or is followed by other bytes.
pub fn parse<'a>(file: &'a [u8], permitted: &[GlobalName], limits: &Limits) -> Result<Pickle<'a>, FormatError> {
    let (pickle, length) = parse_prefix(file, permitted, limits)?;
    if length < file.len() {
        let found = format!("{} bytes more", file.len() - length);
        return Err(Problem::mismatch("the end of the file after the pickle", found).at(format_args!("byte {length}")));
    }
    Ok(pickle)
}

/// Reads the pickle at the start of `bytes` and says how long it is; what follows is not looked at.
///
/// # Errors
/// As for [`parse`].
pub fn parse_prefix<'a>(
    bytes: &'a [u8],
    permitted: &[GlobalName],
    limits: &Limits,
) -> Result<(Pickle<'a>, usize), FormatError> {
    let mut machine = Machine {
        scanner: Scanner::new(bytes),
        permitted,
        budget: Budget::new("the number of pickled objects", limits.max_objects),
        encoded_bytes: Budget::new("the size of encoded byte strings", limits.unpacked_bytes(bytes.len() as u64)),
        objects: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    loop {
        let offset = machine.scanner.offset();
        match machine.step() {
            Ok(None) => {}
            Ok(Some(root)) => return Ok((Pickle { objects: machine.objects, root }, machine.scanner.offset())),
            Err(problem) => return Err(problem.at(format_args!("byte {offset}"))),
        }
    }
}

struct Machine<'a, 'g> {
    scanner: Scanner<'a>,
    permitted: &'g [GlobalName],
    budget: Budget,
    /// One text may be encoded many times over.
    encoded_bytes: Budget,
    objects: Vec<Object<'a>>,
    stack: Vec<Ref>,
    /// Heights of the stack at which a mark was set.
    marks: Vec<usize>,
    memo: HashMap<u64, Ref>,
}

impl<'a> Machine<'a, '_> {
    /// Executes one opcode; the root object when the pickle ends.
    fn step(&mut self) -> Result<Option<Ref>, Problem> {
        let opcode = self.scanner.u8()?;
        match opcode {
            // Framing.
            0x80 => {
                let protocol = self.scanner.u8()?;
                if protocol > 5 {
                    return Err(Problem::mismatch("pickle protocol 0 to 5", protocol));
                }
            }
            0x95 => {
                self.scanner.u64()?;
            }
            b'.' => return self.pop().map(Some),

            // Plain values.
            b'N' => self.push(Object::None)?,
            0x88 => self.push(Object::Bool(true))?,
            0x89 => self.push(Object::Bool(false))?,
            b'I' => {
                let object = match self.scanner.line()? {
                    b"00" => Object::Bool(false),
                    b"01" => Object::Bool(true),
                    line => Object::Int(parse_number(line)?),
                };
                self.push(object)?;
            }
            b'J' => {
                let number = i32::from_le_bytes(self.scanner.array()?);
                self.push(Object::Int(number.into()))?;
            }
            b'K' => {
                let number = self.scanner.u8()?;
                self.push(Object::Int(number.into()))?;
            }
            b'M' => {
                let number = u16::from_le_bytes(self.scanner.array()?);
                self.push(Object::Int(number.into()))?;
            }
            b'L' => {
                let number = self.scanner.number_line("an integer")?;
                self.push(Object::Int(number))?;
            }
            0x8a => {
                let number = scanner::long(self.scanner.counted(1)?)?;
                self.push(Object::Int(number))?;
            }
            0x8b => {
                let number = scanner::long(self.scanner.counted(4)?)?;
                self.push(Object::Int(number))?;
            }
            b'F' => {
                let number = self.scanner.number_line("a floating point number")?;
                self.push(Object::Float(number))?;
            }
            b'G' => {
                let number = f64::from_be_bytes(self.scanner.array()?);
                self.push(Object::Float(number))?;
            }

            // Byte strings, Python 2's strings among them, and texts.
            b'S' => {
                let bytes = scanner::unquote(self.scanner.line()?)?;
                self.push(Object::Bytes(bytes))?;
            }
            b'U' | b'C' => self.push_bytes(1)?,
            b'T' | b'B' => self.push_bytes(4)?,
            0x8e | 0x96 => self.push_bytes(8)?,
            b'V' => {
                let text = scanner::unescape(self.scanner.line()?)?;
                self.push(Object::Text(text.into()))?;
            }
            0x8c => self.push_text(1)?,
            b'X' => self.push_text(4)?,
            0x8d => self.push_text(8)?,

            // Collections.
            b'(' => self.marks.push(self.stack.len()),
            b']' => self.push(Object::List(Vec::new()))?,
            b'}' => self.push(Object::Dict(Vec::new()))?,
            b')' => self.push(Object::Tuple(Vec::new()))?,
            0x8f => self.push(Object::Set(Vec::new()))?,
            b'l' => {
                let items = self.pop_to_mark()?;
                self.push(Object::List(items))?;
            }
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Object::Tuple(items))?;
            }
            0x91 => {
                let items = self.pop_to_mark()?;
                self.push(Object::Set(items))?;
            }
            b'd' => {
                let entries = pairs(self.pop_to_mark()?)?;
                self.push(Object::Dict(entries))?;
            }
            0x85..=0x87 => {
                let items = self.pop_many(usize::from(opcode - 0x84))?;
                self.push(Object::Tuple(items))?;
            }
            b'a' => {
                let item = self.pop()?;
                self.extend(vec![item])?;
            }
            b'e' | 0x90 => {
                let items = self.pop_to_mark()?;
                self.extend(items)?;
            }
            b's' => {
                let entry = self.pop_many(2)?;
                self.set_entries(entry)?;
            }
            b'u' => {
                let entries = self.pop_to_mark()?;
                self.set_entries(entries)?;
            }

            // Stack and memo.
            b'0' => {
                // Python lets `POP` remove a mark as well.
                if self.marks.last() == Some(&self.stack.len()) {
                    self.marks.pop();
                } else {
                    self.pop()?;
                }
            }
            b'1' => {
                self.pop_to_mark()?;
            }
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
                self.budget.spend(1)?;
            }
            b'p' => {
                let key = self.scanner.number_line("a memo number")?;
                self.memoize(key)?;
            }
            b'q' => {
                let key = self.scanner.u8()?;
                self.memoize(key.into())?;
            }
            b'r' => {
                let key = self.scanner.u32()?;
                self.memoize(key.into())?;
            }
            0x94 => self.memoize(self.memo.len() as u64)?,
            b'g' => {
                let key = self.scanner.number_line("a memo number")?;
                self.recall(key)?;
            }
            b'h' => {
                let key = self.scanner.u8()?;
                self.recall(key.into())?;
            }
            b'j' => {
                let key = self.scanner.u32()?;
                self.recall(key.into())?;
            }

            // Names and calls, which stay data.
            b'c' => {
                let (module, name) = (self.scanner.text_line()?, self.scanner.text_line()?);
                self.push_global(module.into(), name.into())?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (module, name) = (self.text(module)?, self.text(name)?);
                self.push_global(module, name)?;
            }
            b'R' | 0x81 => {
                let (arguments, callable) = (self.pop()?, self.pop()?);
                self.call(callable, arguments)?;
            }
            0x92 => {
                let (keywords, arguments, callable) = (self.pop()?, self.pop()?, self.pop()?);
                if !matches!(self.object(keywords), Object::Dict(entries) if entries.is_empty()) {
                    return Err(unsupported("an object made with keyword arguments"));
                }
                self.call(callable, arguments)?;
            }
            b'b' => {
                let state = self.pop()?;
                match self.top_mut()? {
                    Object::Instance(instance) => instance.state = Some(state),
                    _ => return Err(Problem::mismatch("an instance whose state is set", "another object")),
                }
            }
            b'i' => {
                // Would import, and make an instance of an old-style class.
                let (module, name) = (self.scanner.text_line()?, self.scanner.text_line()?);
                return Err(Problem::ForbiddenGlobal { module: module.to_owned(), name: name.to_owned() });
            }
            b'P' => {
                let id = self.scanner.text_line()?;
                let id = self.add(Object::Text(id.into()))?;
                self.push(Object::Persistent(id))?;
            }
            b'Q' => {
                let id = self.pop()?;
                self.push(Object::Persistent(id))?;
            }
            b'o' => return Err(unsupported("an instance of an old-style class")),
            0x82..=0x84 => return Err(unsupported("a copy registry extension")),
            0x97 | 0x98 => return Err(unsupported("an out-of-band buffer")),
            other => return Err(Problem::mismatch("a pickle opcode", format_args!("byte {other:#04x}"))),
        }
        Ok(None)
    }

    fn add(&mut self, object: Object<'a>) -> Result<Ref, Problem> {
        self.budget.spend(1)?;
        let index = u32::try_from(self.objects.len());
        let limit = u64::from(u32::MAX);
        let too_many = |_| Problem::TooLarge { what: "the number of pickled objects", found: limit + 1, limit };
        self.objects.push(object);
        Ok(Ref(index.map_err(too_many)?))
    }

    fn push(&mut self, object: Object<'a>) -> Result<(), Problem> {
        let reference = self.add(object)?;
        self.stack.push(reference);
        Ok(())
    }

    fn push_bytes(&mut self, length_bytes: u8) -> Result<(), Problem> {
        let bytes = self.scanner.counted(length_bytes)?;
        self.push(Object::Bytes(Cow::Borrowed(bytes)))
    }

    fn push_text(&mut self, length_bytes: u8) -> Result<(), Problem> {
        let text = self.scanner.counted_text(length_bytes)?;
        self.push(Object::Text(Cow::Borrowed(text)))
    }

    fn push_global(&mut self, module: Cow<'a, str>, name: Cow<'a, str>) -> Result<(), Problem> {
        let global = (&*module, &*name);
        if self.permitted.iter().any(|&permitted| is_named(permitted, global))
            || BYTES.contains(&global)
            || global == ENCODE
        {
            self.push(Object::Global { module, name })
        } else {
            Err(Problem::ForbiddenGlobal { module: module.into_owned(), name: name.into_owned() })
        }
    }

    fn object(&self, reference: Ref) -> &Object<'a> {
        &self.objects[reference.0 as usize]
    }

    fn text(&self, reference: Ref) -> Result<Cow<'a, str>, Problem> {
        match self.object(reference) {
            Object::Text(text) => Ok(text.clone()),
            _ => Err(Problem::mismatch("a text", "another object")),
        }
    }

    /// Objects below the last mark are out of reach until the mark is gone.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Result<Ref, Problem> {
        self.stack[self.floor()..].last().copied().ok_or_else(stack_empty)
    }

    fn top_mut(&mut self) -> Result<&mut Object<'a>, Problem> {
        let top = self.top()?;
        Ok(&mut self.objects[top.0 as usize])
    }

    fn pop(&mut self) -> Result<Ref, Problem> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_many(&mut self, count: usize) -> Result<Vec<Ref>, Problem> {
        let start = self.stack.len().checked_sub(count).filter(|&start| start >= self.floor());
        Ok(self.stack.split_off(start.ok_or_else(stack_empty)?))
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Ref>, Problem> {
        let mark = self.marks.pop().ok_or_else(|| Problem::missing("the mark on the pickle's stack"))?;
        Ok(self.stack.split_off(mark))
    }

    fn extend(&mut self, new: Vec<Ref>) -> Result<(), Problem> {
        match self.top_mut()? {
            Object::List(items) | Object::Set(items) => items.extend(new),
            Object::Instance(instance) => instance.items.extend(new),
            _ => return Err(Problem::mismatch("a list or set to extend", "another object")),
        }
        Ok(())
    }

    fn set_entries(&mut self, flat: Vec<Ref>) -> Result<(), Problem> {
        let new = pairs(flat)?;
        match self.top_mut()? {
            Object::Dict(entries) => entries.extend(new),
            Object::Instance(instance) => instance.entries.extend(new),
            _ => return Err(Problem::mismatch("a dictionary to extend", "another object")),
        }
        Ok(())
    }

    fn memoize(&mut self, key: u64) -> Result<(), Problem> {
        self.budget.spend(1)?;
        let top = self.top()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: u64) -> Result<(), Problem> {
        self.budget.spend(1)?;
        let missing = || Problem::missing(format_args!("number {key} of the pickle's memo"));
        self.stack.push(*self.memo.get(&key).ok_or_else(missing)?);
        Ok(())
    }

    /// Records the call of `callable`, or makes the byte string that the call stands for.
    fn call(&mut self, callable: Ref, arguments: Ref) -> Result<(), Problem> {
        let Object::Global { module, name } = self.object(callable) else {
            return Err(Problem::mismatch("the name of a class or function to call", "another object"));
        };
        let Object::Tuple(items) = self.object(arguments) else {
            return Err(Problem::mismatch("a tuple of arguments", "another object"));
        };
        let global = (&**module, &**name);
        let object = if global == ENCODE {
            let bytes = self.encode(items)?;
            self.encoded_bytes.spend(bytes.len() as u64)?;
            Object::Bytes(bytes.into())
        } else if BYTES.contains(&global) && items.is_empty() {
            Object::Bytes(Cow::Borrowed(&[]))
        } else {
            let (items, entries) = (Vec::new(), Vec::new());
            Object::Instance(Box::new(Instance { callable, arguments, state: None, items, entries }))
        };
        self.push(object)
    }

    /// The bytes that `_codecs.encode(text, "latin1")` stands for.
    fn encode(&self, arguments: &[Ref]) -> Result<Vec<u8>, Problem> {
        let (&[text, codec] | &[text, codec, ..]) = arguments else {
            return Err(Problem::mismatch("a text and a codec to encode", format_args!("{} values", arguments.len())));
        };
        if !matches!(&*self.text(codec)?, "latin1" | "latin-1") {
            return Err(unsupported("a byte string in another encoding than Latin-1"));
        }
        let bytes: Option<Vec<u8>> = self.text(text)?.chars().map(|c| u8::try_from(c).ok()).collect();
        bytes.ok_or_else(|| Problem::mismatch("a text in Latin-1", "other characters"))
    }
}

/// Whether `global` is `permitted`, or of its pattern.
fn is_named(permitted: GlobalName, global: (&str, &str)) -> bool {
    let fits = |pattern: &str, text: &str| match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), _) => text.ends_with(end),
        (None, Some(start)) => text.starts_with(start),
        (None, None) => text == pattern,
    };
    fits(permitted.0, global.0) && fits(permitted.1, global.1)
}

fn pairs(flat: Vec<Ref>) -> Result<Vec<(Ref, Ref)>, Problem> {
    match flat.as_chunks() {
        (entries, []) => Ok(entries.iter().map(|&[key, value]| (key, value)).collect()),
        _ => Err(Problem::mismatch("keys and values in pairs", format_args!("{} objects", flat.len()))),
    }
}

fn parse_number(line: &[u8]) -> Result<i128, Problem> {
    let number = std::str::from_utf8(line).ok().and_then(|line| line.parse().ok());
    number.ok_or_else(|| Problem::mismatch("an integer", format_args!("`{}`", line.escape_ascii())))
}

fn stack_empty() -> Problem {
    Problem::missing("an object on the pickle's stack")
}

fn unsupported(what: &str) -> Problem {
    let hint = "save the data as plain arrays, `.npz` or `.safetensors`";
    Problem::Unsupported { what: format!("{what} in a pickle"), hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(bytes: &[u8]) -> Result<Pickle<'_>, FormatError> {
        parse(bytes, &[("collections", "OrderedDict")], &Limits::default())
    }

    #[test]
    fn protocol_0_values() {
        let pickle = load(b"(lp0\nI01\naI-5\naL7L\naF1.5\naS'a\\n'\naV\\u00e9\naNa.").unwrap();
        let items: Vec<_> = pickle.root().items().unwrap().collect();
        assert_eq!(items[0].as_bool(), Some(true));
        assert_eq!(items[1].as_i64(), Some(-5));
        assert_eq!(items[2].as_i64(), Some(7));
        assert!(matches!(items[3].object(), Object::Float(x) if *x == 1.5));
        assert_eq!(items[4].as_bytes(), Some(&b"a\n"[..]));
        assert_eq!(items[5].as_text(), Some("é"));
        assert!(matches!(items[6].object(), Object::None));
    }

    #[test]
    fn calls_and_persistent_ids_stay_data() {
        let pickle = load(b"\x80\x02ccollections\nOrderedDict\n)RU\x01aK\x07Qs.").unwrap();
        let root = pickle.root();
        let instance = root.as_instance().unwrap();
        assert_eq!(root.follow(instance.callable).as_global(), Some(("collections", "OrderedDict")));
        let Object::Persistent(id) = root.get("a").unwrap().object() else { panic!("a persistent id") };
        assert_eq!(root.follow(*id).as_i64(), Some(7));
    }

    #[test]
    fn names_not_permitted_are_refused() {
        for bytes in [&b"cos\nsystem\n."[..], b"ios\nsystem\n.", b"\x80\x04\x8c\x02os\x8c\x06system\x93."] {
            let error = load(bytes).unwrap_err();
            assert!(
                matches!(&error.problem, Problem::ForbiddenGlobal { module, name } if module == "os" && name == "system")
            );
        }
    }

    #[test]
    fn patterns_of_names() {
        assert!(is_named(("torch", "*Storage"), ("torch", "FloatStorage")));
        assert!(!is_named(("torch", "*Storage"), ("torch", "load")));
        assert!(!is_named(("torch", "*Storage"), ("os", "FloatStorage")));
        assert!(is_named(("__torch__*", "*"), ("__torch__.net", "Linear")));
        assert!(!is_named(("__torch__*", "*"), ("os", "system")));
    }

    #[test]
    fn a_list_may_contain_itself() {
        let pickle = load(b"]q\x00h\x00a.").unwrap();
        let inner = pickle.root().items().unwrap().next().unwrap();
        assert_eq!(inner.kind(), "list");
        assert_eq!(inner.items().unwrap().len(), 1);
    }

    #[test]
    fn malformed_programs_are_errors() {
        let programs: [&[u8]; 14] = [
            b"",
            b".",
            b"N",
            b"0.",
            b"t.",
            b"(K\x01d.",
            b"K\x01a.",
            b"h\x05.",
            b"K\x01K\x02R.",
            b"NNb.",
            b"\x80\x06N.",
            b"\x97.",
            b"(0N0.",
            b"B\xff\xff\xff\xffab",
        ];
        for program in programs {
            assert!(load(program).is_err(), "{}", program.escape_ascii());
        }
        assert!(load(b"N.N").is_err());
        assert_eq!(parse_prefix(b"N.N", &[], &Limits::default()).unwrap().1, 2);
    }

    #[test]
    fn objects_are_counted() {
        let limits = Limits { max_objects: 10, ..Limits::default() };
        let program = [b"N".repeat(11), b".".to_vec()].concat();
        let error = parse(&program, &[], &limits).unwrap_err();
        assert!(matches!(error.problem, Problem::TooLarge { limit: 10, .. }));
    }
}

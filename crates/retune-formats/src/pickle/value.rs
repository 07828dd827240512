//! The objects of a pickle and the way through them.

use std::borrow::Cow;

/// A pickle's objects. `'a` is the lifetime of the file's bytes, from which long byte strings are borrowed.
///
/// Objects refer to each other by number: a pickle may use one object in many places, and even within itself, so a
/// tree of owned values could be exponentially larger than the file, or endless.
#[derive(Debug)]
pub struct Pickle<'a> {
    pub(super) objects: Vec<Object<'a>>,
    pub(super) root: Ref,
}

/// The number of an object within its [`Pickle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ref(pub(super) u32);

/// A Python object.
#[derive(Debug)]
pub enum Object<'a> {
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An integer; larger ones than fit are refused on reading.
    Int(i128),
    /// A floating point number.
    Float(f64),
    /// A byte string: Python 3's `bytes` and `bytearray`, Python 2's `str`.
    Bytes(Cow<'a, [u8]>),
    /// A text: Python 3's `str`, Python 2's `unicode`.
    Text(Cow<'a, str>),
    /// A list.
    List(Vec<Ref>),
    /// A tuple.
    Tuple(Vec<Ref>),
    /// A set or frozen set.
    Set(Vec<Ref>),
    /// A dictionary's entries in the order in which they were set; a key may occur twice, the later entry counts.
    Dict(Vec<(Ref, Ref)>),
    /// The name of a class or function, on the caller's list of permitted names.
    Global {
        /// Module, for example `collections`.
        module: Cow<'a, str>,
        /// Name in the module, for example `OrderedDict`.
        name: Cow<'a, str>,
    },
    /// What a call would have made.
    Instance(Box<Instance>),
    /// An object kept outside the pickle, for example a PyTorch storage; the value identifies it.
    Persistent(Ref),
}

/// A call that was not made: `callable(*arguments)`, then what was set on the result.
#[derive(Debug)]
pub struct Instance {
    /// What would be called: always an [`Object::Global`].
    pub callable: Ref,
    /// A tuple.
    pub arguments: Ref,
    /// What `__setstate__` would receive.
    pub state: Option<Ref>,
    /// What `append` would receive.
    pub items: Vec<Ref>,
    /// What `__setitem__` would receive.
    pub entries: Vec<(Ref, Ref)>,
}

/// An object of a [`Pickle`], with access to those it refers to.
///
/// A pickle can contain itself: code that walks down must bound its depth.
#[derive(Debug, Clone, Copy)]
pub struct Value<'p> {
    pickle: &'p Pickle<'p>,
    index: Ref,
}

impl<'a> Pickle<'a> {
    /// The object that Python's `load` would return.
    pub fn root<'p>(&'p self) -> Value<'p>
    where
        'a: 'p,
    {
        Value { pickle: self, index: self.root }
    }
}

impl<'p> Value<'p> {
    /// The object itself.
    pub fn object(self) -> &'p Object<'p> {
        // Every `Ref` was made together with the object it numbers, and objects are never removed.
        &self.pickle.objects[self.index.0 as usize]
    }

    /// The object that `reference`, found in an object of the same pickle, refers to.
    pub fn follow(self, reference: Ref) -> Value<'p> {
        Value { pickle: self.pickle, index: reference }
    }

    /// The Python type's name, for messages.
    pub fn kind(self) -> &'static str {
        match self.object() {
            Object::None => "None",
            Object::Bool(_) => "bool",
            Object::Int(_) => "int",
            Object::Float(_) => "float",
            Object::Bytes(_) => "bytes",
            Object::Text(_) => "str",
            Object::List(_) => "list",
            Object::Tuple(_) => "tuple",
            Object::Set(_) => "set",
            Object::Dict(_) => "dict",
            Object::Global { .. } => "class or function",
            Object::Instance(_) => "instance",
            Object::Persistent(_) => "persistent object",
        }
    }

    /// The integer, if it is one that fits.
    pub fn as_i64(self) -> Option<i64> {
        match self.object() {
            Object::Int(number) => i64::try_from(*number).ok(),
            _ => None,
        }
    }

    /// The integer as a size, if it is one that fits.
    pub fn as_usize(self) -> Option<usize> {
        match self.object() {
            Object::Int(number) => usize::try_from(*number).ok(),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    pub fn as_bool(self) -> Option<bool> {
        match self.object() {
            Object::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    /// The byte string, if it is one.
    pub fn as_bytes(self) -> Option<&'p [u8]> {
        match self.object() {
            Object::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The text, or the byte string if it is UTF-8 (as Python 2's `str` mostly is).
    pub fn as_text(self) -> Option<&'p str> {
        match self.object() {
            Object::Text(text) => Some(text),
            Object::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The members of a list, tuple or set.
    pub fn items(self) -> Option<impl ExactSizeIterator<Item = Value<'p>>> {
        match self.object() {
            Object::List(items) | Object::Tuple(items) | Object::Set(items) => {
                Some(items.iter().map(move |&item| self.follow(item)))
            }
            _ => None,
        }
    }

    /// The entries of a dictionary, or those set on an instance (of `OrderedDict`, for one).
    pub fn entries(self) -> Option<impl ExactSizeIterator<Item = (Value<'p>, Value<'p>)>> {
        let entries = match self.object() {
            Object::Dict(entries) => entries,
            Object::Instance(instance) => &instance.entries,
            _ => return None,
        };
        Some(entries.iter().map(move |&(key, value)| (self.follow(key), self.follow(value))))
    }

    /// The value of a dictionary's entry whose key is the text `key`, or those bytes.
    pub fn get(self, key: &str) -> Option<Value<'p>> {
        // The last entry of a key counts, as in Python.
        self.entries()?.filter(|(candidate, _)| candidate.as_text() == Some(key)).map(|(_, value)| value).last()
    }

    /// Module and name, if it is the name of a class or function.
    pub fn as_global(self) -> Option<(&'p str, &'p str)> {
        match self.object() {
            Object::Global { module, name } => Some((module, name)),
            _ => None,
        }
    }

    /// The call, if it is one that was not made.
    pub fn as_instance(self) -> Option<&'p Instance> {
        match self.object() {
            Object::Instance(instance) => Some(instance),
            _ => None,
        }
    }
}

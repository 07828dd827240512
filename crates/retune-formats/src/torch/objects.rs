//! What the pickle of a PyTorch file says: dictionaries of tensors, and plain values beside them.

use indexmap::IndexMap;

use super::names::{self, Elements};
use super::view::View;
use crate::error::{FormatError, Problem};
use crate::limits::{Budget, Limits};
use crate::pickle::{Instance, Object, Pickle, Value};
use crate::stored::TensorInfo;

/// A plain value beside the weights: an epoch, an accuracy, the name of an architecture.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Scalar {
    /// `True` or `False`.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A floating point number.
    Float(f64),
    /// A text.
    Text(String),
}

/// A storage that a pickle refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Storage {
    pub(super) size_bytes: usize,
    /// Size of one element, which the legacy layout counts in.
    pub(super) element_bytes: usize,
}

/// The contents of a pickle, without the values of its tensors.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// By key.
    pub(super) storages: IndexMap<String, Storage>,
    /// Per dictionary that holds tensors, by its path (keys joined by `.`, empty for the outermost): tensors by name.
    pub(super) dictionaries: IndexMap<String, IndexMap<String, View>>,
    /// By path.
    pub(super) scalars: IndexMap<String, Scalar>,
    /// Path and reason of what was passed over.
    pub(super) skipped: Vec<(String, String)>,
}

/// Interprets `pickle`, found in a file of `file_bytes`.
pub(super) fn interpret(pickle: &Pickle<'_>, file_bytes: usize, limits: &Limits) -> Result<Contents, FormatError> {
    let bytes = limits.unpacked_bytes(file_bytes as u64);
    let mut reader = Reader {
        contents: Contents::default(),
        visits: Budget::new("the number of values in the pickle", limits.max_objects),
        name_bytes: Budget::new("the size of all names in bytes", bytes),
        tensor_bytes: Budget::new("the size of all tensors in bytes", bytes),
        max_depth: limits.max_depth,
    };
    reader.visit(pickle.root(), Place::default())?;
    Ok(reader.contents)
}

/// Where a value stands: the path of its dictionary, and its name there.
#[derive(Debug, Clone, Default)]
struct Place {
    dictionary: String,
    name: String,
    depth: usize,
}

impl Place {
    fn path(&self) -> String {
        join(&self.dictionary, &self.name)
    }

    /// The place of the value under `key` of the dictionary that stands here.
    fn entry(&self, key: &str) -> Place {
        Place { dictionary: self.path(), name: key.to_owned(), depth: self.depth + 1 }
    }

    /// The place of the attribute `key` of the module that stands here.
    fn attribute(&self, key: &str) -> Place {
        Place { dictionary: self.dictionary.clone(), name: join(&self.name, key), depth: self.depth + 1 }
    }
}

fn join(outer: &str, inner: &str) -> String {
    match (outer, inner) {
        ("", only) | (only, "") => only.to_owned(),
        _ => format!("{outer}.{inner}"),
    }
}

/// A tensor whose values are of a kind that is not read.
struct Unread(String);

struct Reader {
    contents: Contents,
    visits: Budget,
    /// One key may stand in many paths.
    name_bytes: Budget,
    tensor_bytes: Budget,
    max_depth: usize,
}

impl Reader {
    fn visit(&mut self, value: Value<'_>, place: Place) -> Result<(), FormatError> {
        self.visit_inner(value, &place).map_err(|problem| match problem {
            Failure::Here(problem) => problem.at(place.path()),
            Failure::Inside(error) => error,
        })
    }

    fn visit_inner(&mut self, value: Value<'_>, place: &Place) -> Result<(), Failure> {
        self.visits.spend(1)?;
        self.name_bytes.spend((place.dictionary.len() + place.name.len()) as u64)?;
        if place.depth > self.max_depth {
            let (found, limit) = (place.depth as u64, self.max_depth as u64);
            return Err(Problem::TooLarge { what: "the depth of nested dictionaries", found, limit }.into());
        }
        let scalar = match value.object() {
            Object::None | Object::Global { .. } => return Ok(()),
            Object::Bool(flag) => Scalar::Bool(*flag),
            Object::Int(number) => match i64::try_from(*number) {
                Ok(number) => Scalar::Int(number),
                Err(_) => return self.skip(place, "an integer beyond 64 bits"),
            },
            Object::Float(number) => Scalar::Float(*number),
            Object::Text(_) | Object::Bytes(_) => match value.as_text() {
                Some(text) => {
                    self.name_bytes.spend(text.len() as u64)?;
                    Scalar::Text(text.to_owned())
                }
                None => return self.skip(place, "a byte string"),
            },
            Object::List(_) | Object::Tuple(_) | Object::Set(_) => {
                for (index, item) in value.items().into_iter().flatten().enumerate() {
                    self.visit(item, place.entry(&index.to_string()))?;
                }
                return Ok(());
            }
            Object::Dict(_) => return self.dictionary(value, place, Place::entry),
            Object::Persistent(_) => return self.skip(place, "a storage without a tensor"),
            Object::Instance(instance) => return self.instance(value, instance, place),
        };
        self.contents.scalars.insert(place.path(), scalar);
        Ok(())
    }

    fn skip(&mut self, place: &Place, reason: &str) -> Result<(), Failure> {
        self.contents.skipped.push((place.path(), reason.to_owned()));
        Ok(())
    }

    /// Visits the entries of the dictionary `value`, each at the place that `inner` gives its key.
    fn dictionary(&mut self, value: Value<'_>, place: &Place, inner: fn(&Place, &str) -> Place) -> Result<(), Failure> {
        for (key, item) in value.entries().into_iter().flatten() {
            let number = key.as_i64().map(|number| number.to_string());
            match number.as_deref().or(key.as_text()) {
                Some(key) => self.visit(item, inner(place, key))?,
                None => self.skip(place, &format!("an entry whose key is a {}", key.kind()))?,
            }
        }
        Ok(())
    }

    fn instance(&mut self, value: Value<'_>, instance: &Instance, place: &Place) -> Result<(), Failure> {
        let (module, name) = callee(value, instance)?;
        let state = instance.state.map(|state| value.follow(state));
        if module.starts_with(names::SCRIPT_MODULE) {
            return match state {
                Some(state) => self.dictionary(state, place, Place::attribute),
                None => Ok(()),
            };
        }
        match (module, name) {
            ("torch._utils" | "torch._tensor", _) => {
                let view = self.tensor(value, 0)?;
                match view {
                    Err(Unread(reason)) => self.skip(place, &reason),
                    Ok(view) => {
                        self.tensor_bytes.spend(view.size_bytes().map_or(u64::MAX, |size| size as u64))?;
                        if place.name.is_empty() {
                            return Err(Problem::mismatch("a dictionary of tensors", "a single tensor").into());
                        }
                        let tensors = self.contents.dictionaries.entry(place.dictionary.clone()).or_default();
                        tensors.insert(place.name.clone(), view);
                        Ok(())
                    }
                }
            }
            ("collections", _) => self.dictionary(value, place, Place::entry),
            ("argparse", _) => match state {
                Some(state) => self.dictionary(state, place, Place::entry),
                None => Ok(()),
            },
            ("torch.jit._pickle", _) => match arguments(value, instance)?.first() {
                Some(&list) => {
                    self.visit(list, Place { depth: place.depth + 1, ..place.clone() }).map_err(Failure::from)
                }
                None => Ok(()),
            },
            _ => self.skip(place, &format!("a `{module}.{name}`")),
        }
    }

    /// The tensor that the calls of `value` would rebuild.
    fn tensor(&mut self, value: Value<'_>, depth: usize) -> Result<Result<View, Unread>, Problem> {
        let not_a_tensor = || Problem::mismatch("a tensor", format_args!("a Python {}", value.kind()));
        let instance = value.as_instance().ok_or_else(not_a_tensor)?;
        let (_, function) = callee(value, instance)?;
        let arguments = arguments(value, instance)?;
        if depth > 4 {
            return Err(Problem::mismatch("a tensor", "wrappers within wrappers"));
        }
        if names::REBUILD_PARAMETER.contains(&function) {
            return self.tensor(*arguments.first().ok_or_else(not_a_tensor)?, depth + 1);
        }
        if function == names::REBUILD_FROM_TYPE {
            let &[function, _, inner, ..] = arguments.as_slice() else { return Err(not_a_tensor()) };
            let (_, function) = function.as_global().ok_or_else(not_a_tensor)?;
            let inner: Vec<_> = inner.items().ok_or_else(not_a_tensor)?.collect();
            if names::REBUILD_PARAMETER.contains(&function) {
                return self.tensor(*inner.first().ok_or_else(not_a_tensor)?, depth + 1);
            }
            return self.strided(function, &inner);
        }
        self.strided(function, &arguments)
    }

    /// The tensor of the arguments `storage, offset, sizes, strides, …` of `function`.
    fn strided(&mut self, function: &str, arguments: &[Value<'_>]) -> Result<Result<View, Unread>, Problem> {
        if !names::REBUILD_TENSOR.contains(&function) {
            return Err(Problem::mismatch("a function that rebuilds a tensor", format_args!("`{function}`")));
        }
        let &[storage, start, shape, strides, ..] = arguments else {
            let found = format!("{} arguments", arguments.len());
            return Err(Problem::mismatch("storage, offset, sizes and strides of a tensor", found));
        };
        let (storage, elements, base, len) = self.storage(storage)?;
        let stored = match (elements, arguments.get(6).filter(|_| function == "_rebuild_tensor_v3")) {
            (_, Some(dtype)) => {
                let (_, name) = dtype.as_global().ok_or_else(|| Problem::missing("the type of a tensor"))?;
                names::dtype(name).ok_or_else(|| format!("values of type `{name}`"))
            }
            (Elements::Numbers(stored), None) => Ok(stored),
            (Elements::Bytes | Elements::Other(_), None) => Err("complex or quantized values".to_owned()),
        };
        let stored = match stored {
            Ok(stored) => stored,
            Err(reason) => return Ok(Err(Unread(reason))),
        };
        let len = len * elements.size_bytes() / stored.size_bytes();
        let start = natural(start, "the offset of a tensor")?.checked_add(base);
        let start = start.ok_or_else(|| Problem::mismatch("an offset within the storage", "a larger one"))?;
        let shape = naturals(shape, "the sizes of a tensor")?;
        let strides = naturals(strides, "the strides of a tensor")?;
        View::new(storage, TensorInfo { stored, shape }, start, strides, len).map(Ok)
    }

    /// Number, elements, first element and number of elements up to the end, of the storage that `value` names by
    /// `("storage", class, key, device, elements[, part])`.
    fn storage(&mut self, value: Value<'_>) -> Result<(usize, Elements, usize, usize), Problem> {
        let not_a_storage = || Problem::mismatch("a storage", format_args!("a Python {}", value.kind()));
        let Object::Persistent(id) = value.object() else { return Err(not_a_storage()) };
        let id: Vec<_> = value.follow(*id).items().ok_or_else(not_a_storage)?.collect();
        let &[kind, class, key, _device, len, ref part @ ..] = id.as_slice() else { return Err(not_a_storage()) };
        if kind.as_text() != Some("storage") {
            return Err(not_a_storage());
        }
        let (module, name) = class.as_global().ok_or_else(not_a_storage)?;
        let elements = names::storage_elements(module, name)
            .ok_or_else(|| Problem::mismatch("a storage of a known type", format_args!("`{module}.{name}`")))?;
        let key = key.as_text().ok_or_else(not_a_storage)?;
        let len = natural(len, "the size of a storage")?;
        let element_bytes = elements.size_bytes();
        let too_large = || Problem::TooLarge { what: "the size of a storage", found: len as u64, limit: 1 << 60 };
        let storage = Storage { size_bytes: len.checked_mul(element_bytes).ok_or_else(too_large)?, element_bytes };
        let known = self.contents.storages.get_full(key).map(|(index, _, known)| (index, known.size_bytes));
        let index = match known {
            Some((index, size_bytes)) if size_bytes == storage.size_bytes => index,
            Some((_, size_bytes)) => {
                let expected = format!("{size_bytes} bytes of the storage `{key}`, as elsewhere in the file");
                return Err(Problem::mismatch(expected, format_args!("{} bytes", storage.size_bytes)));
            }
            None => self.contents.storages.insert_full(key.to_owned(), storage).0,
        };
        // Old files name a part of another storage: `(key, first element, elements)`.
        let (base, len) = match part.first().and_then(|part| part.items()) {
            None => (0, len),
            Some(part) => {
                let part: Vec<_> = part.collect();
                let &[_, start, count] = part.as_slice() else { return Err(not_a_storage()) };
                let (start, count) = (natural(start, "the start of a part")?, natural(count, "the size of a part")?);
                let end = start.checked_add(count).filter(|&end| end <= len);
                (start, end.ok_or_else(|| Problem::mismatch("a part within its storage", "a larger one"))?)
            }
        };
        Ok((index, elements, base, len))
    }
}

/// A problem at the place at hand, or an error that names its place already.
enum Failure {
    Here(Problem),
    Inside(FormatError),
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Failure {
        Failure::Here(problem)
    }
}

impl From<FormatError> for Failure {
    fn from(error: FormatError) -> Failure {
        Failure::Inside(error)
    }
}

/// Module and name of what `instance`, the object of `value`, would call.
fn callee<'p>(value: Value<'p>, instance: &Instance) -> Result<(&'p str, &'p str), Problem> {
    let callee = value.follow(instance.callable).as_global();
    callee.ok_or_else(|| Problem::mismatch("the name of a class or function", "another object"))
}

fn arguments<'p>(value: Value<'p>, instance: &Instance) -> Result<Vec<Value<'p>>, Problem> {
    let arguments = value.follow(instance.arguments).items();
    Ok(arguments.ok_or_else(|| Problem::mismatch("a tuple of arguments", "another object"))?.collect())
}

fn natural(value: Value<'_>, what: &str) -> Result<usize, Problem> {
    value.as_usize().ok_or_else(|| match value.object() {
        Object::Int(number) => Problem::mismatch(format_args!("{what}, at least 0"), number),
        _ => Problem::mismatch(what, format_args!("a Python {}", value.kind())),
    })
}

/// The numbers of a tuple, or of a `torch.Size`.
fn naturals(value: Value<'_>, what: &str) -> Result<Vec<usize>, Problem> {
    let inner = match value.as_instance() {
        Some(instance) => arguments(value, instance)?.first().copied(),
        None => Some(value),
    };
    let items = inner.and_then(Value::items);
    let items = items.ok_or_else(|| Problem::mismatch(what, format_args!("a Python {}", value.kind())))?;
    if items.len() > 64 {
        return Err(Problem::TooLarge { what: "the number of axes of a tensor", found: items.len() as u64, limit: 64 });
    }
    items.map(|item| natural(item, what)).collect()
}

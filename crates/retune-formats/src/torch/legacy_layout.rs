//! The row of pickles and storages that PyTorch wrote before version 1.6.

use std::ops::Range;

use indexmap::IndexMap;

use super::names;
use super::objects::{self, Contents, Storage};
use crate::error::{FormatError, Problem};
use crate::limits::Limits;
use crate::pickle::{self, Object, Pickle, Value};

const MAGIC: i128 = 0x1950_a86a_20f9_469c_fc6c;
const PROTOCOL: i64 = 1001;
/// Size of the number of elements before each storage.
const COUNT_BYTES: usize = 8;

/// What the pickles of `file` say, and where each storage is.
pub(super) fn read(file: &[u8], limits: &Limits) -> Result<(Contents, Vec<Range<usize>>), FormatError> {
    let mut pickles = Pickles { file, at: 0, limits };
    let magic = pickles.next("magic number")?;
    if !matches!(magic.root().object(), Object::Int(MAGIC)) {
        let hint = "save it with `torch.save(model.state_dict(), path)`";
        let what = "a pickle that PyTorch did not save".to_owned();
        return Err(Problem::Unsupported { what, hint }.at("magic number"));
    }
    let protocol = pickles.next("protocol")?;
    if protocol.root().as_i64() != Some(PROTOCOL) {
        return Err(Problem::mismatch("protocol 1001 of PyTorch", protocol.root().kind()).at("protocol"));
    }
    // Facts about the system that wrote the file, which change nothing: storages are little-endian on all.
    pickles.next("system")?;
    let object = pickles.next("object")?;
    let contents = objects::interpret(&object, file.len(), limits)?;
    let keys = pickles.next("storage keys")?;
    let places = places(file, pickles.at, keys.root(), &contents.storages).map_err(|p| p.at("storages"))?;
    Ok((contents, places))
}

/// Pickles one after the other.
struct Pickles<'a, 'l> {
    file: &'a [u8],
    at: usize,
    limits: &'l Limits,
}

impl<'a> Pickles<'a, '_> {
    fn next(&mut self, what: &str) -> Result<Pickle<'a>, FormatError> {
        let rest = &self.file[self.at..];
        let (pickle, length) =
            pickle::parse_prefix(rest, names::GLOBALS, self.limits).map_err(|error| error.within(what))?;
        self.at += length;
        Ok(pickle)
    }
}

/// Where the storages are, in the order of `storages`; they stand in the order of `keys` from `at` on.
fn places(
    file: &[u8],
    mut at: usize,
    keys: Value<'_>,
    storages: &IndexMap<String, Storage>,
) -> Result<Vec<Range<usize>>, Problem> {
    let mut places: Vec<Option<Range<usize>>> = vec![None; storages.len()];
    let not_keys = || Problem::mismatch("a list of storage keys", "other values");
    for key in keys.items().ok_or_else(not_keys)? {
        let key = key.as_text().ok_or_else(not_keys)?;
        let (index, _, storage) = storages
            .get_full(key)
            .ok_or_else(|| Problem::mismatch("storages that a tensor uses", format_args!("the storage `{key}`")))?;
        let truncated = |needed: usize| Problem::Truncated { needed: needed as u64, available: file.len() as u64 };
        let start = at + COUNT_BYTES;
        let count = file.get(at..start).and_then(|count| count.first_chunk()).ok_or_else(|| truncated(start))?;
        let expected = (storage.size_bytes / storage.element_bytes) as i64;
        let count = i64::from_le_bytes(*count);
        if count != expected {
            let expected = format!("{expected} elements of the storage `{key}`");
            return Err(Problem::mismatch(expected, count));
        }
        let end = start.checked_add(storage.size_bytes).filter(|&end| end <= file.len());
        let end = end.ok_or_else(|| truncated(start.saturating_add(storage.size_bytes)))?;
        if places[index].replace(start..end).is_some() {
            return Err(Problem::Duplicate { name: key.to_owned() });
        }
        at = end;
    }
    if at < file.len() {
        return Err(Problem::mismatch("the end of the file", format_args!("{} bytes more", file.len() - at)));
    }
    let missing = |index: usize| Problem::missing(format_args!("the storage `{}`", storages.keys()[index]));
    places.into_iter().enumerate().map(|(index, place)| place.ok_or_else(|| missing(index))).collect()
}

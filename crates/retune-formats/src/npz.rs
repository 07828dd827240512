//! numpy's `.npz` files: zip archives of `.npy` files, one per named array.

use std::path::Path;

use indexmap::IndexMap;
use retune_tensor::Tensor;

use crate::atomic::write_atomic;
use crate::error::{FormatError, Problem};
use crate::limits::Limits;
use crate::{npy, zip_archive};

/// Reads all arrays of the file at `path` by name, in the file's order.
///
/// # Errors
/// If the file cannot be read, is not a `.npz` file of arrays of numbers, is damaged, or exceeds the default
/// [`Limits`].
pub fn read(path: impl AsRef<Path>) -> Result<IndexMap<String, Tensor>, FormatError> {
    let path = path.as_ref();
    let limits = Limits::default();
    from_bytes(&limits.read_file(path)?, &limits).map_err(|error| error.in_file(path))
}

/// Reads all arrays of a file whose bytes are at hand.
///
/// # Errors
/// As for [`read`].
pub fn from_bytes(file: &[u8], limits: &Limits) -> Result<IndexMap<String, Tensor>, FormatError> {
    let mut arrays = IndexMap::new();
    for (member, data) in zip_archive::read_members(file, limits)? {
        let Some(name) = member.strip_suffix(".npy") else {
            return Err(Problem::mismatch("a member with the extension `.npy`", format_args!("`{member}`")).into());
        };
        let array = npy::from_bytes(&data, limits).map_err(|error| error.within(name))?;
        arrays.insert(name.to_owned(), array);
    }
    Ok(arrays)
}

/// Writes `arrays` to the file at `path`, in their order and without compression, as `numpy.savez` does.
///
/// # Errors
/// If the operating system refuses, a name could not be a file's, or an array is of bfloat16, which numpy lacks.
pub fn write<'a>(
    path: impl AsRef<Path>,
    arrays: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
) -> Result<(), FormatError> {
    let path = path.as_ref();
    let mut members = IndexMap::new();
    for (name, array) in arrays {
        let bytes = npy::to_bytes(array).map_err(|error| error.within(name).in_file(path))?;
        if members.insert(format!("{name}.npy"), bytes).is_some() {
            return Err(Problem::Duplicate { name: name.to_owned() }.at("").in_file(path));
        }
    }
    write_atomic(path, |writer| {
        let members = members.iter().map(|(name, data)| (name.as_str(), data.as_slice()));
        zip_archive::write_members(members, writer)
    })
    .map_err(|error| error.in_file(path))
}

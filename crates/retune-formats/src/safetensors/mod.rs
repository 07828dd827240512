//! `.safetensors` files: named tensors and a map of texts.
//!
//! - [`SafetensorsReader`]: an open file, mapped, whose tensors are read one at a time.
//! - [`SafetensorsFile`]: all of a file at once.
//! - [`write()`]: writing, without owning the tensors.
//!
//! Layout: 8 bytes little-endian with the header's length, the header, which is a JSON object of `dtype`, `shape` and
//! `data_offsets` per name (and `__metadata__`), and the values, row-major and little-endian, without gaps.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use indexmap::IndexMap;
use retune_tensor::{DType, Tensor};
use serde_json::{Map, Value, json};

use crate::atomic::write_atomic;
use crate::bytes::{self, ByteOrder};
use crate::error::{FormatError, Problem};
use crate::limits::Limits;

mod reader;

pub use reader::SafetensorsReader;

const METADATA: &str = "__metadata__";
/// Length of the field that holds the header's length.
const PREFIX_BYTES: usize = 8;

/// The contents of a `.safetensors` file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SafetensorsFile {
    /// The tensors by name, in the order of their values in the file.
    pub tensors: IndexMap<String, Tensor>,
    /// Texts that describe the file, for example `format` → `pt`.
    pub metadata: BTreeMap<String, String>,
}

impl SafetensorsFile {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// If it cannot be read, is not a `.safetensors` file, is damaged, has values of a type that
    /// [`StoredType`](crate::StoredType) lacks (complex numbers, floats smaller than 8 bits), or exceeds the default
    /// [`Limits`].
    pub fn read(path: impl AsRef<Path>) -> Result<SafetensorsFile, FormatError> {
        let path = path.as_ref();
        let limits = Limits::default();
        let reader = SafetensorsReader::open(path, &limits)?;
        let mut tensors = IndexMap::with_capacity(reader.infos().len());
        for (name, _) in reader.infos() {
            tensors.insert(name.to_owned(), reader.tensor(name)?);
        }
        Ok(SafetensorsFile { tensors, metadata: reader.metadata().clone() })
    }

    /// Reads a file whose bytes are at hand.
    ///
    /// # Errors
    /// As for [`SafetensorsFile::read`].
    pub fn from_bytes(file: &[u8], limits: &Limits) -> Result<SafetensorsFile, FormatError> {
        let (entries, metadata) = reader::parse_header(file, limits)?;
        let mut tensors = IndexMap::with_capacity(entries.len());
        for (name, (info, range)) in entries {
            let tensor = info.stored.decode(ByteOrder::Little, info.shape, &file[range]);
            let tensor = tensor.map_err(|problem| problem.at(&name))?;
            tensors.insert(name, tensor);
        }
        Ok(SafetensorsFile { tensors, metadata })
    }

    /// Writes the file at `path`. The same contents give the same bytes every time.
    ///
    /// # Errors
    /// If the operating system refuses, or a tensor is named `__metadata__`.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), FormatError> {
        let tensors = self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor));
        write(path, tensors, &self.metadata)
    }
}

/// The bytes of a file of tensors, as [`write()`] writes them.
///
/// # Errors
/// If a name occurs twice, or a tensor is named `__metadata__`.
pub fn to_bytes<'a>(
    tensors: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>, FormatError> {
    let mut tensors: Vec<(&str, &Tensor)> = tensors.into_iter().collect();
    tensors.sort_by_key(|(_, tensor)| std::cmp::Reverse(tensor.dtype().size_bytes()));
    let header = header(&tensors, metadata)?;
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    tensors.iter().for_each(|(_, tensor)| file.extend_from_slice(&bytes::encode(tensor)));
    Ok(file)
}

/// Writes tensors to the file at `path` without owning them: see [`SafetensorsFile::write`].
///
/// Values of wide types come first, so that each tensor is aligned to its type; among types of one width the order
/// is kept.
///
/// # Errors
/// If the operating system refuses, a name occurs twice, or a tensor is named `__metadata__`.
pub fn write<'a>(
    path: impl AsRef<Path>,
    tensors: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
    metadata: &BTreeMap<String, String>,
) -> Result<(), FormatError> {
    let path = path.as_ref();
    let mut tensors: Vec<(&str, &Tensor)> = tensors.into_iter().collect();
    tensors.sort_by_key(|(_, tensor)| std::cmp::Reverse(tensor.dtype().size_bytes()));
    let header = header(&tensors, metadata).map_err(|problem| problem.at("").in_file(path))?;
    write_atomic(path, |writer| {
        writer.write_all(&(header.len() as u64).to_le_bytes())?;
        writer.write_all(header.as_bytes())?;
        tensors.iter().try_for_each(|(_, tensor)| writer.write_all(&bytes::encode(tensor)))
    })
    .map_err(|error| Problem::Io(error).at("").in_file(path))
}

/// The header, padded with spaces so that the values start at a multiple of 8.
fn header(tensors: &[(&str, &Tensor)], metadata: &BTreeMap<String, String>) -> Result<String, Problem> {
    let mut entries = Map::new();
    if !metadata.is_empty() {
        entries.insert(METADATA.to_owned(), json!(metadata));
    }
    let mut offset = 0;
    for (name, tensor) in tensors {
        let end = offset + tensor.size_bytes();
        let dtype = to_safetensors(tensor.dtype());
        let entry = json!({ "dtype": dtype, "shape": tensor.shape(), "data_offsets": [offset, end] });
        let taken: Option<Value> = entries.insert((*name).to_owned(), entry);
        if taken.is_some() || *name == METADATA {
            return Err(Problem::Duplicate { name: (*name).to_owned() });
        }
        offset = end;
    }
    let mut text = Value::Object(entries).to_string();
    text.extend(std::iter::repeat_n(' ', text.len().next_multiple_of(8) - text.len()));
    Ok(text)
}

fn to_safetensors(dtype: DType) -> &'static str {
    match dtype {
        DType::F16 => "F16",
        DType::BF16 => "BF16",
        DType::F32 => "F32",
        DType::F64 => "F64",
        DType::I8 => "I8",
        DType::I16 => "I16",
        DType::I32 => "I32",
        DType::I64 => "I64",
        DType::U8 => "U8",
        DType::U16 => "U16",
        DType::U32 => "U32",
        DType::U64 => "U64",
        DType::Bool => "BOOL",
    }
}

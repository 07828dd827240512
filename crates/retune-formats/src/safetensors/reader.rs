//! Tensors of a `.safetensors` file one at a time.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use ::safetensors::{Dtype, SafeTensors};
use indexmap::IndexMap;
use retune_tensor::{DType, Tensor};

use super::PREFIX_BYTES;
use crate::bytes::ByteOrder;
use crate::error::{FormatError, Problem};
use crate::file_bytes::FileBytes;
use crate::limits::{Limits, check};
use crate::stored::{StoredType, TensorInfo};

/// Per tensor its description and the place of its values in the file.
pub(super) type Entries = IndexMap<String, (TensorInfo, Range<usize>)>;

/// An open `.safetensors` file, whose header is checked and whose tensors are read when they are asked for.
///
/// A file that is opened by its path is mapped into memory: besides the tensors that the caller keeps, no more than
/// the one being read takes memory.
#[derive(Debug)]
pub struct SafetensorsReader {
    path: Option<PathBuf>,
    file: FileBytes,
    tensors: Entries,
    metadata: BTreeMap<String, String>,
}

impl SafetensorsReader {
    /// Opens the file at `path`, which must not change while it is open.
    ///
    /// # Errors
    /// If it cannot be read, is not a `.safetensors` file, is damaged, has values of a type that [`StoredType`] lacks
    /// (complex numbers, floats smaller than 8 bits), or exceeds `limits`.
    pub fn open(path: impl AsRef<Path>, limits: &Limits) -> Result<SafetensorsReader, FormatError> {
        let path = path.as_ref();
        let mut reader =
            SafetensorsReader::parse(FileBytes::map(path, limits)?, limits).map_err(|error| error.in_file(path))?;
        reader.path = Some(path.to_path_buf());
        Ok(reader)
    }

    /// Opens a file whose bytes are at hand.
    ///
    /// # Errors
    /// As for [`SafetensorsReader::open`].
    pub fn from_bytes(file: Vec<u8>, limits: &Limits) -> Result<SafetensorsReader, FormatError> {
        SafetensorsReader::parse(FileBytes::Owned(file), limits)
    }

    fn parse(file: FileBytes, limits: &Limits) -> Result<SafetensorsReader, FormatError> {
        let (tensors, metadata) = parse_header(&file, limits)?;
        Ok(SafetensorsReader { path: None, file, tensors, metadata })
    }

    /// The tensors' names and descriptions, in the order of their values in the file.
    pub fn infos(&self) -> impl ExactSizeIterator<Item = (&str, &TensorInfo)> {
        self.tensors.iter().map(|(name, (info, _))| (name.as_str(), info))
    }

    /// What the header says of the tensor `name`.
    pub fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.get(name).map(|(info, _)| info)
    }

    /// Texts that describe the file, for example `format` → `pt`.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// The tensor `name`, its values as the file has them (8-bit floats as float16).
    ///
    /// # Errors
    /// If there is no such tensor, or a boolean is neither 0 nor 1.
    pub fn tensor(&self, name: &str) -> Result<Tensor, FormatError> {
        let read = || -> Result<Tensor, Problem> {
            let (info, range) = self.tensors.get(name).ok_or_else(|| Problem::missing("the tensor"))?;
            let values = &self.file[range.clone()];
            let tensor = info.stored.decode(ByteOrder::Little, info.shape.clone(), values)?;
            self.file.release(values);
            Ok(tensor)
        };
        read().map_err(|problem| {
            let error = problem.at(name);
            match &self.path {
                Some(path) => error.in_file(path),
                None => error,
            }
        })
    }
}

/// Descriptions and places of the tensors, and the texts, of the header of `file`.
pub(super) fn parse_header(file: &[u8], limits: &Limits) -> Result<(Entries, BTreeMap<String, String>), FormatError> {
    let header_bytes = file.first_chunk().map_or(0, |length| u64::from_le_bytes(*length));
    check("the size of a JSON text in bytes", header_bytes, limits.max_json_bytes)?;
    let (header_bytes, header) = SafeTensors::read_metadata(file).map_err(Problem::Safetensors)?;
    let values_start = PREFIX_BYTES + header_bytes;
    let names = header.offset_keys();
    check("the number of tensors", names.len() as u64, limits.max_objects)?;
    let mut tensors = IndexMap::with_capacity(names.len());
    for name in names {
        let entry = || -> Result<(TensorInfo, Range<usize>), Problem> {
            let info = header.info(&name).ok_or_else(|| Problem::missing("the tensor's entry in the header"))?;
            let (start, end) = (values_start + info.data_offsets.0, values_start + info.data_offsets.1);
            // The library has checked that sizes and offsets agree and fit; a defect there must not become a panic.
            if start > end || end > file.len() {
                return Err(Problem::Truncated { needed: end as u64, available: file.len() as u64 });
            }
            Ok((TensorInfo { stored: stored_type(info.dtype)?, shape: info.shape.clone() }, start..end))
        };
        let entry = entry().map_err(|problem| problem.at(&name))?;
        tensors.insert(name, entry);
    }
    let metadata = header.metadata().iter().flatten().map(|(key, text)| (key.clone(), text.clone())).collect();
    Ok((tensors, metadata))
}

fn stored_type(dtype: Dtype) -> Result<StoredType, Problem> {
    Ok(StoredType::Plain(match dtype {
        Dtype::F8_E4M3 => return Ok(StoredType::F8E4M3),
        Dtype::F8_E5M2 => return Ok(StoredType::F8E5M2),
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        Dtype::F32 => DType::F32,
        Dtype::F64 => DType::F64,
        Dtype::I8 => DType::I8,
        Dtype::I16 => DType::I16,
        Dtype::I32 => DType::I32,
        Dtype::I64 => DType::I64,
        Dtype::U8 => DType::U8,
        Dtype::U16 => DType::U16,
        Dtype::U32 => DType::U32,
        Dtype::U64 => DType::U64,
        Dtype::BOOL => DType::Bool,
        other => {
            let hint = "convert the tensors to float32, float16 or bfloat16";
            return Err(Problem::Unsupported { what: format!("the safetensors data type `{other:?}`"), hint });
        }
    }))
}

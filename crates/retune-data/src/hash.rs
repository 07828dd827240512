//! Content hashes, so that a run can say on exactly which data it was made.

use crate::dataset::{Dataset, Inputs};
use crate::error::DataError;
use crate::labels::Labels;
use rayon::prelude::*;
use retune_tensor::{Tensor, Values};
use sha2::{Digest, Sha256};
use std::fmt;

/// SHA-256 of a data set's content; displays as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentHash(pub [u8; 32]);

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentHash({self})")
    }
}

impl ContentHash {
    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> ContentHash {
        ContentHash(Sha256::digest(bytes).into())
    }

    /// The hash of several parts, each with its length before it.
    pub fn of_parts(parts: &[&[u8]]) -> ContentHash {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        ContentHash(hasher.finalize().into())
    }
}

/// The hash of one input as stored: of an image file its bytes; in memory type, shape and values; of texts the texts.
pub(crate) fn hash_example(data: &Dataset, id: u64) -> Result<ContentHash, DataError> {
    match data.inputs() {
        Inputs::Images(t) | Inputs::Features(t) => {
            let mut hasher = Sha256::new();
            let width: usize = t.shape()[1..].iter().product();
            let start = id as usize * width;
            add_values(&mut hasher, t, &t.shape()[1..], start..start + width);
            Ok(ContentHash(hasher.finalize().into()))
        }
        Inputs::Table(table) => {
            let row = table.columns().iter().zip(table.row(id as usize));
            let parts: Vec<&[u8]> = row
                .flat_map(|(column, text)| [column.name().as_bytes(), text.unwrap_or_default().as_bytes()])
                .collect();
            Ok(ContentHash::of_parts(&parts))
        }
        Inputs::Texts(texts) => {
            let (first, second) = texts.get(id as usize).unwrap_or_default();
            let second = second.unwrap_or_default();
            let second: &[&[u8]] = &[second.as_bytes()];
            Ok(ContentHash::of_parts(&[&[first.as_bytes()], &second[..usize::from(texts.second.is_some())]].concat()))
        }
        Inputs::Encoded(images) => match images.read(id as usize) {
            Ok(bytes) => Ok(ContentHash::of(&bytes)),
            Err(reason) => Err(DataError::Unreadable { place: data.place(id), reason }),
        },
    }
}

pub(crate) fn hash_dataset(data: &Dataset) -> Result<ContentHash, DataError> {
    let mut hasher = Sha256::new();
    match data.inputs() {
        Inputs::Images(t) | Inputs::Features(t) => add_tensor(&mut hasher, t),
        Inputs::Table(table) => {
            for column in table.columns() {
                let texts = (0..column.len()).map(|row| column.get(row).unwrap_or_default());
                for text in std::iter::once(column.name()).chain(texts) {
                    hasher.update((text.len() as u64).to_le_bytes());
                    hasher.update(text.as_bytes());
                }
            }
        }
        Inputs::Texts(texts) => {
            for list in std::iter::once(&texts.first).chain(&texts.second) {
                for text in list.iter() {
                    hasher.update((text.len() as u64).to_le_bytes());
                    hasher.update(text.as_bytes());
                }
            }
        }
        Inputs::Encoded(images) => {
            let digest = |index: usize| {
                let hash = match data.example_hash(index as u64) {
                    Err(_) if data.is_excluded(index as u64) => ContentHash::of(&[]),
                    hash => hash?,
                };
                let name = images.name(index).map(|name| name.to_string_lossy().replace('\\', "/"));
                Ok((name.unwrap_or_default(), hash.0))
            };
            let digests: Vec<_> = (0..images.len()).into_par_iter().map(digest).collect::<Result<_, DataError>>()?;
            for (name, digest) in digests {
                hasher.update((name.len() as u64).to_le_bytes());
                hasher.update(name.as_bytes());
                hasher.update(digest);
            }
        }
    }
    match data.labels() {
        Labels::None => hasher.update(b"none"),
        Labels::Classes { indices, classes } => {
            hasher.update((*classes as u64).to_le_bytes());
            indices.iter().for_each(|index| hasher.update(index.to_le_bytes()));
        }
        Labels::OneHot(t) | Labels::MultiHot(t) | Labels::Real(t) => add_tensor(&mut hasher, t),
        Labels::WordClasses { indices, ends, classes } => {
            hasher.update(b"words");
            hasher.update((*classes as u64).to_le_bytes());
            ends.iter().for_each(|end| hasher.update((*end as u64).to_le_bytes()));
            indices.iter().for_each(|index| hasher.update(index.to_le_bytes()));
        }
    }
    if let Some(words) = data.words() {
        hasher.update(words.hash().0);
    }
    for name in data.class_names().unwrap_or(&[]) {
        hasher.update((name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
    }
    Ok(ContentHash(hasher.finalize().into()))
}

/// Adds type, shape and values (in the machine's byte order, little-endian on every machine supported).
fn add_tensor(hasher: &mut Sha256, tensor: &Tensor) {
    add_values(hasher, tensor, tensor.shape(), 0..tensor.len());
}

/// The same of a range of values, which have this shape.
fn add_values(hasher: &mut Sha256, tensor: &Tensor, shape: &[usize], range: std::ops::Range<usize>) {
    hasher.update(tensor.dtype().name().as_bytes());
    hasher.update((shape.len() as u64).to_le_bytes());
    shape.iter().for_each(|&dim| hasher.update((dim as u64).to_le_bytes()));
    macro_rules! add {
        ($($variant:ident)*) => {
            match tensor.values() {
                $(Values::$variant(values) => hasher.update(bytemuck::cast_slice(&values[range])),)*
                Values::Bool(values) => values[range].iter().for_each(|&v| hasher.update([u8::from(v)])),
            }
        };
    }
    add!(F32 F64 F16 BF16 I8 I16 I32 I64 U8 U16 U32 U64);
}

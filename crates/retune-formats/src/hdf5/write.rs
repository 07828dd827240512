//! Writing: a tree of groups built in memory and then written at once.

use std::io::Write;

use hdf5_pure::{AttrValue, FileBuilder};
use indexmap::IndexMap;
use retune_tensor::{DType, Tensor};

use super::dtype;
use super::read::Attribute;
use crate::error::{FormatError, Problem};

/// A group to be written, with all that it contains.
///
/// Tensors are borrowed, so building the tree costs no copy of them.
#[derive(Default)]
pub struct GroupToWrite<'t> {
    attributes: IndexMap<String, Attribute>,
    groups: IndexMap<String, GroupToWrite<'t>>,
    datasets: IndexMap<String, &'t Tensor>,
}

impl<'t> GroupToWrite<'t> {
    /// An empty group.
    pub fn new() -> GroupToWrite<'t> {
        GroupToWrite::default()
    }

    /// Sets the attribute `name`: one text with variable length as h5py writes `str`, texts as an array of fixed
    /// length as h5py writes arrays of `bytes`.
    pub fn set_attribute(&mut self, name: impl Into<String>, value: Attribute) {
        self.attributes.insert(name.into(), value);
    }

    /// The group at `path` (names joined by `/`), made if needed together with those on the way.
    ///
    /// # Errors
    /// If a name on the way is empty, `.` or `..`, or belongs to a data set.
    pub fn group_at(&mut self, path: &str) -> Result<&mut GroupToWrite<'t>, FormatError> {
        path.split('/').try_fold(self, |group, name| {
            if matches!(name, "" | "." | "..") || name.contains('\0') {
                return Err(Problem::UnsafeName { name: path.to_owned() }.into());
            }
            if group.datasets.contains_key(name) {
                return Err(Problem::Duplicate { name: path.to_owned() }.into());
            }
            Ok(group.groups.entry(name.to_owned()).or_default())
        })
    }

    /// Adds the data set at `path` (names joined by `/`), making the groups on the way.
    ///
    /// # Errors
    /// If the name is taken, or a name on the way is as [`GroupToWrite::group_at`] refuses.
    pub fn add_dataset(&mut self, path: &str, tensor: &'t Tensor) -> Result<(), FormatError> {
        let (group, name) = match path.rsplit_once('/') {
            Some((parent, name)) => (self.group_at(parent)?, name),
            None => (self, path),
        };
        if matches!(name, "" | "." | "..") || name.contains('\0') {
            return Err(Problem::UnsafeName { name: path.to_owned() }.into());
        }
        if group.groups.contains_key(name) || group.datasets.insert(name.to_owned(), tensor).is_some() {
            return Err(Problem::Duplicate { name: path.to_owned() }.into());
        }
        Ok(())
    }

    /// Writes an HDF5 file whose root is this group.
    ///
    /// # Errors
    /// If `writer` fails, or an attribute is larger than HDF5 permits (64 KiB, variable-length text excepted).
    pub fn write(self, writer: impl Write) -> Result<(), FormatError> {
        let mut builder = FileBuilder::new();
        for (name, value) in self.attributes {
            builder.set_attr(&name, value.into_hdf5());
        }
        for (name, tensor) in self.datasets {
            fill(builder.create_dataset(&name), tensor);
        }
        for (name, group) in self.groups {
            let mut child = builder.create_group(&name);
            group.fill(&mut child);
            builder.add_group(child.finish());
        }
        builder.finish_to(writer).map_err(|error| match error {
            hdf5_pure::Error::Io(error) => Problem::Io(error).into(),
            error => Problem::Hdf5(error).into(),
        })
    }

    /// The bytes of an HDF5 file whose root is this group.
    ///
    /// # Errors
    /// If an attribute is larger than HDF5 permits.
    pub fn into_bytes(self) -> Result<Vec<u8>, FormatError> {
        let mut bytes = Vec::new();
        self.write(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(self, builder: &mut hdf5_pure::GroupBuilder) {
        for (name, value) in self.attributes {
            builder.set_attr(&name, value.into_hdf5());
        }
        for (name, tensor) in self.datasets {
            fill(builder.create_dataset(&name), tensor);
        }
        for (name, group) in self.groups {
            let mut child = builder.create_group(&name);
            group.fill(&mut child);
            builder.add_group(child.finish());
        }
    }
}

fn fill(builder: &mut hdf5_pure::DatasetBuilder, tensor: &Tensor) {
    let shape: Vec<u64> = tensor.shape().iter().map(|&size| size as u64).collect();
    builder
        .with_raw_data(dtype::to_hdf5(tensor.dtype()), crate::bytes::encode(tensor), tensor.len() as u64)
        .with_shape(&shape);
    if tensor.dtype() == DType::BF16 {
        let (name, value) = dtype::BFLOAT16_ATTRIBUTE;
        builder.set_attr(name, AttrValue::VarLenString(value.to_owned()));
    }
}

impl Attribute {
    fn into_hdf5(self) -> AttrValue {
        match self {
            Attribute::Text(text) => AttrValue::VarLenString(text),
            // h5py's form of an empty list.
            Attribute::Texts(texts) if texts.is_empty() => AttrValue::F64Array(Vec::new()),
            Attribute::Texts(texts) if texts.iter().all(|text| text.is_ascii()) => AttrValue::AsciiStringArray(texts),
            Attribute::Texts(texts) => AttrValue::StringArray(texts),
        }
    }
}

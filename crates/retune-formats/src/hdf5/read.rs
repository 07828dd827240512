//! Reading: files, groups, data sets, attributes, with limits against hostile files.

use std::collections::HashMap;
use std::sync::Mutex;

use hdf5_pure::AttrValue;
use indexmap::IndexMap;
use retune_tensor::Tensor;

use super::metered::MeteredBytes;
use super::{dtype, superblock};
use crate::bytes;
use crate::error::{FormatError, Problem};
use crate::limits::{self, Budget, Limits};

/// An HDF5 file held in memory.
pub struct Hdf5File {
    file: hdf5_pure::File,
    limits: Limits,
    tensor_bytes: Mutex<Budget>,
    objects: Mutex<Budget>,
}

/// A group of an [`Hdf5File`].
pub struct Hdf5Group<'f> {
    file: &'f Hdf5File,
    group: hdf5_pure::Group,
    path: String,
    depth: usize,
}

/// A data set of an [`Hdf5File`].
pub struct Hdf5Dataset<'f> {
    file: &'f Hdf5File,
    dataset: hdf5_pure::Dataset,
    path: String,
}

/// The value of an attribute. Weights files use only text; attributes of numbers are passed over.
#[derive(Debug, Clone, PartialEq)]
pub enum Attribute {
    /// One string, of fixed or variable length.
    Text(String),
    /// A list of strings; h5py writes an empty list as an empty list of floats, which is read as this too.
    Texts(Vec<String>),
}

impl Hdf5File {
    /// Opens a file whose bytes are at hand.
    ///
    /// # Errors
    /// If the bytes are not an HDF5 file, its superblock is damaged, or the file is shorter than its superblock says.
    pub fn from_bytes(bytes: Vec<u8>, limits: &Limits) -> Result<Hdf5File, FormatError> {
        let length = bytes.len();
        let start = superblock::find(&bytes).ok_or_else(|| Problem::mismatch("an HDF5 signature", "other bytes"))?;
        let file = hdf5_pure::File::from_source(MeteredBytes::new(bytes))
            .map_err(|error| superblock::unreadable(error, start, length))?;
        superblock::check_length(&file, start, length)?;
        let unpacked = limits.unpacked_bytes(length as u64);
        Ok(Hdf5File {
            file,
            limits: limits.clone(),
            tensor_bytes: Mutex::new(Budget::new("the size of all tensors in bytes", unpacked)),
            objects: Mutex::new(Budget::new("the number of HDF5 objects", limits.max_objects)),
        })
    }

    /// The group that holds all others.
    pub fn root(&self) -> Hdf5Group<'_> {
        Hdf5Group { file: self, group: self.file.root(), path: String::new(), depth: 0 }
    }
}

/// Takes `amount` from a shared budget. A poisoned lock only means that another thread panicked while it counted.
fn spend(budget: &Mutex<Budget>, amount: u64) -> Result<(), Problem> {
    budget.lock().unwrap_or_else(std::sync::PoisonError::into_inner).spend(amount)
}

impl<'f> Hdf5Group<'f> {
    /// The path from the root without a leading `/`; empty for the root.
    pub fn path(&self) -> &str {
        &self.path
    }

    fn child_path(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}/{name}", self.path) }
    }

    /// Refuses names that are not a plain path downwards.
    fn checked<'n>(&self, name: &'n str) -> Result<&'n str, FormatError> {
        let plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains('\0');
        if name.split('/').all(plain) {
            Ok(name)
        } else {
            Err(Problem::UnsafeName { name: name.to_owned() }.at(&self.path))
        }
    }

    fn wrap_group(&self, name: &str, group: hdf5_pure::Group) -> Result<Hdf5Group<'f>, FormatError> {
        let path = self.child_path(name);
        let depth = self.depth + name.split('/').count();
        spend(&self.file.objects, 1)
            .and_then(|()| limits::check("the depth of HDF5 groups", depth as u64, self.file.limits.max_depth as u64))
            .map_err(|problem| problem.at(&path))?;
        Ok(Hdf5Group { file: self.file, group, path, depth })
    }

    fn wrap_dataset(&self, name: &str, dataset: hdf5_pure::Dataset) -> Result<Hdf5Dataset<'f>, FormatError> {
        let path = self.child_path(name);
        spend(&self.file.objects, 1).map_err(|problem| problem.at(&path))?;
        Ok(Hdf5Dataset { file: self.file, dataset, path })
    }

    /// The group `name`, which may be a path of several names joined by `/`.
    ///
    /// # Errors
    /// If there is none, or the file is damaged there.
    pub fn group(&self, name: &str) -> Result<Hdf5Group<'f>, FormatError> {
        let group = self.group.group(self.checked(name)?);
        let group = group.map_err(|error| self.lookup_failed("the group", name, error))?;
        self.wrap_group(name, group)
    }

    /// The data set `name`, which may be a path of several names joined by `/`.
    ///
    /// # Errors
    /// If there is none, or the file is damaged there.
    pub fn dataset(&self, name: &str) -> Result<Hdf5Dataset<'f>, FormatError> {
        let dataset = self.group.dataset(self.checked(name)?);
        let dataset = dataset.map_err(|error| self.lookup_failed("the data set", name, error))?;
        self.wrap_dataset(name, dataset)
    }

    fn lookup_failed(&self, kind: &str, name: &str, error: hdf5_pure::Error) -> FormatError {
        match error {
            hdf5_pure::Error::Format(hdf5_pure::FormatError::PathNotFound(_)) => {
                Problem::missing(format_args!("{kind} `{name}`")).at(&self.path)
            }
            hdf5_pure::Error::NotAGroup(_) | hdf5_pure::Error::NotADataset(_) => {
                Problem::mismatch(kind, "another kind of object").at(self.child_path(name))
            }
            error => Problem::from(error).at(self.child_path(name)),
        }
    }

    /// The groups directly inside, in the file's order (by name, in files of h5py).
    ///
    /// # Errors
    /// If the file is damaged there, or has more groups or deeper ones than permitted.
    pub fn groups(&self) -> Result<Vec<(String, Hdf5Group<'f>)>, FormatError> {
        let groups = self.group.iter_groups().map_err(|error| Problem::from(error).at(&self.path))?;
        groups
            .map(|(name, group)| {
                let group = self.wrap_group(self.checked(&name)?, group)?;
                Ok((name, group))
            })
            .collect()
    }

    /// The data sets directly inside, in the file's order (by name, in files of h5py).
    ///
    /// # Errors
    /// If the file is damaged there, or has more objects than permitted.
    pub fn datasets(&self) -> Result<Vec<(String, Hdf5Dataset<'f>)>, FormatError> {
        let datasets = self.group.iter_datasets().map_err(|error| Problem::from(error).at(&self.path))?;
        datasets
            .map(|(name, dataset)| {
                let dataset = self.wrap_dataset(self.checked(&name)?, dataset)?;
                Ok((name, dataset))
            })
            .collect()
    }

    /// Every data set in this group and the groups below it, by path from here.
    ///
    /// Finding many data sets one by one by [`Hdf5Group::dataset`] takes time in proportion to the square of their
    /// number, because HDF5 searches a group's names from the start each time; this takes it in proportion.
    ///
    /// # Errors
    /// If the file is damaged, has more objects or deeper groups than permitted, or its groups form a circle.
    pub fn all_datasets(&self) -> Result<IndexMap<String, Hdf5Dataset<'f>>, FormatError> {
        let mut found: IndexMap<_, _> = self.datasets()?.into_iter().collect();
        for (name, group) in self.groups()? {
            for (path, dataset) in group.all_datasets()? {
                found.insert(format!("{name}/{path}"), dataset);
            }
        }
        Ok(found)
    }

    /// All attributes that are text.
    ///
    /// # Errors
    /// If the group's header is damaged, or an attribute of text cannot be read.
    pub fn attributes(&self) -> Result<HashMap<String, Attribute>, FormatError> {
        self.read_attributes().map_err(|problem| problem.at(&self.path))
    }

    fn read_attributes(&self) -> Result<HashMap<String, Attribute>, Problem> {
        let attributes = self.group.attrs()?;
        // The library leaves out what it cannot read; the types tell what there is.
        let types = self.group.attr_datatypes()?;
        let texts = types.iter().filter(|(_, datatype)| dtype::is_text(datatype)).map(|(name, _)| name);
        if let Some(name) = texts.filter(|name| !attributes.contains_key(*name)).min() {
            return Err(Problem::mismatch(format_args!("text in the attribute `{name}`"), "a value that is damaged"));
        }
        Ok(attributes.into_iter().filter_map(|(name, value)| Some((name, Attribute::from_hdf5(value)?))).collect())
    }
}

impl Hdf5Dataset<'_> {
    /// The path from the root without a leading `/`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Reads shape and values.
    ///
    /// # Errors
    /// If the type is not one of numbers, the data is damaged or cut off, or it exceeds the limits.
    pub fn read(&self) -> Result<Tensor, FormatError> {
        self.read_tensor().map_err(|problem| problem.at(&self.path))
    }

    fn read_tensor(&self) -> Result<Tensor, Problem> {
        let (mark, value) = dtype::BFLOAT16_ATTRIBUTE;
        let marked = self.dataset.attrs()?.remove(mark).is_some_and(|attribute| attribute.as_str() == Some(value));
        let (dtype, order) = dtype::from_hdf5(&self.dataset.datatype()?, marked)?;
        let shape = self.dataset.shape()?;
        let value_bytes = dtype.size_bytes() as u64;
        let bytes = product(&shape).saturating_mul(value_bytes);
        spend(&self.file.tensor_bytes, bytes)?;
        if let Some(chunk) = self.dataset.chunk_shape()? {
            check_chunks(&shape, &chunk, value_bytes)?;
        }
        let shape = shape.iter().map(|&size| usize::try_from(size).unwrap_or(usize::MAX)).collect();
        bytes::decode(dtype, order, shape, &self.dataset.read_raw()?)
    }
}

/// Refuses chunks that cost far more than the values they hold: one vast chunk around few values, or a great many tiny
/// ones.
fn check_chunks(shape: &[u64], chunk: &[u64], value_bytes: u64) -> Result<(), Problem> {
    const MAX_CHUNK_BYTES: u64 = 1 << 30;
    const MAX_CHUNKS: u64 = 1 << 20;
    limits::check("the size of an HDF5 chunk in bytes", product(chunk).saturating_mul(value_bytes), MAX_CHUNK_BYTES)?;
    let counts: Vec<u64> = shape.iter().zip(chunk).map(|(&size, &chunk)| size.div_ceil(chunk.max(1))).collect();
    limits::check("the number of HDF5 chunks", product(&counts), MAX_CHUNKS)
}

fn product(sizes: &[u64]) -> u64 {
    sizes.iter().fold(1, |product: u64, &size| product.saturating_mul(size))
}

impl Attribute {
    fn from_hdf5(value: AttrValue) -> Option<Attribute> {
        if let Some(text) = value.as_str() {
            return Some(Attribute::Text(text.to_owned()));
        }
        if let Some(texts) = value.as_strings() {
            return Some(Attribute::Texts(texts.to_vec()));
        }
        value.to_f64s().filter(Vec::is_empty).map(|_| Attribute::Texts(Vec::new()))
    }
}

//! Named tensors of whatever the user has: one file, or several with an index, or the folder that they are in.
//!
//! - [`Weights`]: opens any of them and reads one tensor at a time.
//! - `index`: the index of weights that are cut into several files (`model.safetensors.index.json`).

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use retune_tensor::Tensor;

use crate::error::{FormatError, Problem};
use crate::limits::Limits;
use crate::safetensors::SafetensorsReader;
use crate::stored::{Conversion, TensorInfo, float_to_f32};
use crate::torch::TorchFile;

mod index;

/// File names of the weights in a folder, the preferred first.
pub(crate) const FILE_NAMES: [&str; 4] =
    ["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"];

/// Prefixes that wrappers of PyTorch put before every name: `DataParallel`'s, and that of `torch.compile`.
const WRAPPER_PREFIXES: [&str; 2] = ["module.", "_orig_mod."];

/// The format of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WeightsFormat {
    /// `.safetensors`.
    Safetensors,
    /// PyTorch's own: `.pt`, `.pth`, `.bin`, `.th`.
    Torch,
}

/// Open weights: tensors by name, read when they are asked for.
///
/// Files are mapped into memory and must not change while this lives; besides the tensors that the caller keeps, no
/// more than the one being read takes memory.
#[derive(Debug)]
pub struct Weights {
    files: Vec<(PathBuf, WeightsFile)>,
    entries: IndexMap<String, Entry>,
}

#[derive(Debug)]
enum WeightsFile {
    Safetensors(SafetensorsReader),
    Torch(Box<TorchFile>),
}

/// Where a tensor is: the file's number and the name in it.
#[derive(Debug)]
struct Entry {
    file: usize,
    name: String,
}

impl Weights {
    /// Opens the weights at `path` within the default [`Limits`]: a file of either format (told by its contents), an
    /// index (`….index.json`) with its shards beside it, or a folder with `model.safetensors` or `pytorch_model.bin`,
    /// whole or sharded, in this order of preference.
    ///
    /// # Errors
    /// If there are none, a file cannot be read as [`SafetensorsReader::open`] and [`TorchFile::open`] say, or index
    /// and shards disagree: a shard is missing, a tensor is not in the shard that the index names, or in two shards, or
    /// in none of the index's entries.
    pub fn open(path: impl AsRef<Path>) -> Result<Weights, FormatError> {
        Weights::open_within(path, &Limits::default())
    }

    /// [`Weights::open`] within other limits.
    ///
    /// # Errors
    /// As for [`Weights::open`].
    pub fn open_within(path: impl AsRef<Path>, limits: &Limits) -> Result<Weights, FormatError> {
        let path = path.as_ref();
        if path.is_dir() {
            let file = FILE_NAMES.iter().map(|name| path.join(name)).find(|file| file.exists());
            let missing = || Problem::missing("`model.safetensors` or `pytorch_model.bin`").at("").in_file(path);
            return Weights::open_within(file.ok_or_else(missing)?, limits);
        }
        if path.extension().is_some_and(|extension| extension == "json") {
            return index::open(path, limits);
        }
        let file = WeightsFile::open(path, limits)?;
        let names = file.infos().map(|(name, _)| name.to_owned());
        let entries = names.map(|name| (name.clone(), Entry { file: 0, name })).collect();
        Ok(Weights { files: vec![(path.to_path_buf(), file)], entries })
    }

    /// The format of the files.
    pub fn format(&self) -> WeightsFormat {
        match self.files.first() {
            Some((_, WeightsFile::Torch(_))) => WeightsFormat::Torch,
            _ => WeightsFormat::Safetensors,
        }
    }

    /// The files that the tensors are in.
    pub fn files(&self) -> impl ExactSizeIterator<Item = &Path> {
        self.files.iter().map(|(path, _)| path.as_path())
    }

    /// The tensors' names, in the order of the files.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// What the file says of the tensor `name`.
    pub fn info(&self, name: &str) -> Option<&TensorInfo> {
        let entry = self.entries.get(name)?;
        self.files[entry.file].1.info(&entry.name)
    }

    /// The tensor `name`, its values as the file has them (8-bit floats as float16).
    ///
    /// # Errors
    /// If there is no such tensor, or its values are damaged.
    pub fn tensor(&self, name: &str) -> Result<Tensor, FormatError> {
        let missing = || {
            let error = Problem::missing("the tensor").at(name);
            match self.files.first() {
                Some((path, _)) => error.in_file(path),
                None => error,
            }
        };
        let entry = self.entries.get(name).ok_or_else(missing)?;
        self.files[entry.file].1.tensor(&entry.name)
    }

    /// The tensor `name` with floating point values as float32, and what that changed. Integers and booleans stay what
    /// they are.
    ///
    /// # Errors
    /// As for [`Weights::tensor`].
    pub fn tensor_f32(&self, name: &str) -> Result<(Tensor, Option<Conversion>), FormatError> {
        let tensor = self.tensor(name)?;
        let stored = self.info(name).map_or(tensor.dtype().into(), |info| info.stored);
        Ok(float_to_f32(name, stored, tensor))
    }

    /// Every tensor as [`Weights::tensor_f32`] gives it, and all that was converted.
    ///
    /// # Errors
    /// As for [`Weights::tensor`].
    pub fn read_f32(&self) -> Result<(IndexMap<String, Tensor>, Vec<Conversion>), FormatError> {
        let mut tensors = IndexMap::with_capacity(self.entries.len());
        let mut conversions = Vec::new();
        for name in self.names() {
            let (tensor, conversion) = self.tensor_f32(name)?;
            conversions.extend(conversion);
            tensors.insert(name.to_owned(), tensor);
        }
        Ok((tensors, conversions))
    }

    /// Groups of two or more names whose tensors share their values in the file (tied weights of PyTorch's format;
    /// `.safetensors` files have no such sharing).
    pub fn tied(&self) -> Vec<Vec<&str>> {
        let names = |file: usize, inner: &[&str]| -> Vec<&str> {
            let is_of = |entry: &Entry| entry.file == file && inner.contains(&entry.name.as_str());
            self.entries.iter().filter(|(_, entry)| is_of(entry)).map(|(name, _)| name.as_str()).collect()
        };
        let mut groups = Vec::new();
        for (file, (_, weights)) in self.files.iter().enumerate() {
            if let WeightsFile::Torch(torch) = weights {
                groups.extend(torch.tied().iter().map(|group| names(file, group)));
            }
        }
        groups
    }

    /// The prefix that a wrapper of PyTorch put before every name (`module.`, `_orig_mod.`), if one did. To drop it is
    /// a step of its own: [`Weights::strip_prefix`].
    pub fn wrapper_prefix(&self) -> Option<&'static str> {
        let is_everywhere =
            |prefix: &&str| !self.entries.is_empty() && self.names().all(|name| name.starts_with(*prefix));
        WRAPPER_PREFIXES.into_iter().find(is_everywhere)
    }

    /// Drops `prefix` from the names that start with it, and says how many those were.
    ///
    /// # Errors
    /// If two names would become the same, or one empty; the names are then as before.
    pub fn strip_prefix(&mut self, prefix: &str) -> Result<usize, FormatError> {
        let mut stripped = IndexMap::with_capacity(self.entries.len());
        let mut count = 0;
        for name in self.entries.keys() {
            let short = name.strip_prefix(prefix);
            count += usize::from(short.is_some());
            let short = short.unwrap_or(name);
            if short.is_empty() || stripped.insert(short.to_owned(), ()).is_some() {
                return Err(Problem::Duplicate { name: short.to_owned() }.at(name));
            }
        }
        let entries = std::mem::take(&mut self.entries);
        self.entries = stripped.into_keys().zip(entries.into_values()).collect();
        Ok(count)
    }
}

impl WeightsFile {
    /// Opens a file of the format that its first bytes tell.
    fn open(path: &Path, limits: &Limits) -> Result<WeightsFile, FormatError> {
        let mut start = Vec::new();
        let read = |start: &mut Vec<u8>| {
            std::io::Read::read_to_end(&mut std::io::Read::take(std::fs::File::open(path)?, 512), start)
        };
        read(&mut start).map_err(|error| Problem::Io(error).at("").in_file(path))?;
        let unsupported =
            |what: &str, hint| Err(Problem::Unsupported { what: what.to_owned(), hint }.at("").in_file(path));
        if start.starts_with(b"version https://git-lfs") {
            let hint = "the repository was cloned without its large files: `git lfs pull` fetches them";
            return unsupported("a Git LFS pointer, which stands for the file,", hint);
        }
        if start.starts_with(b"\x89HDF") {
            let hint = "it is a Keras model: read it as one";
            return unsupported("HDF5 in the place of `.safetensors` or PyTorch's files", hint);
        }
        if start.starts_with(b"PK")
            || start.first() == Some(&0x80) && start.get(8) != Some(&b'{')
            || start.get(257..262) == Some(b"ustar")
        {
            return Ok(WeightsFile::Torch(Box::new(TorchFile::open(path, limits)?)));
        }
        Ok(WeightsFile::Safetensors(SafetensorsReader::open(path, limits)?))
    }

    fn infos(&self) -> Box<dyn Iterator<Item = (&str, &TensorInfo)> + '_> {
        match self {
            WeightsFile::Safetensors(file) => Box::new(file.infos()),
            WeightsFile::Torch(file) => Box::new(file.infos()),
        }
    }

    fn info(&self, name: &str) -> Option<&TensorInfo> {
        match self {
            WeightsFile::Safetensors(file) => file.info(name),
            WeightsFile::Torch(file) => file.info(name),
        }
    }

    fn tensor(&self, name: &str) -> Result<Tensor, FormatError> {
        match self {
            WeightsFile::Safetensors(file) => file.tensor(name),
            WeightsFile::Torch(file) => file.tensor(name),
        }
    }
}

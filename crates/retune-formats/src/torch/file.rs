//! An open PyTorch file.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use indexmap::IndexMap;
use retune_tensor::Tensor;

use super::objects::{self, Contents, Scalar};
use super::view::View;
use super::zip_layout::{Data, Members, verify};
use super::{legacy_layout, names};
use crate::bytes::ByteOrder;
use crate::error::{FormatError, Problem};
use crate::file_bytes::FileBytes;
use crate::limits::Limits;
use crate::pickle;
use crate::stored::TensorInfo;

/// Names under which training programs keep the weights, the likeliest first.
const USUAL_DICTIONARIES: [&str; 9] =
    ["state_dict", "model_state_dict", "model_state", "model", "net", "network", "module", "params", "weights"];

/// How a PyTorch file is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// A zip archive (since PyTorch 1.6).
    Zip,
    /// A zip archive with a TorchScript program, which is not looked at.
    Script,
    /// A row of pickles and storages (before PyTorch 1.6).
    Legacy,
}

/// An open PyTorch file, whose pickle is checked and whose tensors are read when they are asked for.
///
/// A file that is opened by its path is mapped into memory: besides the tensors that the caller keeps, no more than
/// the one being read takes memory.
#[derive(Debug)]
pub struct TorchFile {
    path: Option<PathBuf>,
    file: FileBytes,
    layout: Layout,
    order: ByteOrder,
    storages: Vec<StoredBytes>,
    contents: Contents,
    /// The chosen one of `contents.dictionaries`.
    dictionary: usize,
}

/// The bytes of a storage.
#[derive(Debug)]
struct StoredBytes {
    data: Data,
    crc: u32,
    /// Whether the checksum was found right; it is computed once, when the storage is first used.
    is_verified: AtomicBool,
}

impl TorchFile {
    /// Opens the file at `path`, which must not change while it is open.
    ///
    /// Of several dictionaries of tensors the one of a usual name is chosen (`state_dict`, `model_state_dict`, `model`,
    /// …), else the outermost, else the only one, else all of them (without an optimizer's), each name after the path
    /// of its dictionary; see [`TorchFile::choose`].
    ///
    /// # Errors
    /// If it cannot be read, is not a file that PyTorch saved, is damaged, names a Python object that is not on the
    /// list of harmless ones (as a whole pickled model does), has no dictionary of tensors, or exceeds `limits`.
    pub fn open(path: impl AsRef<Path>, limits: &Limits) -> Result<TorchFile, FormatError> {
        let path = path.as_ref();
        let mut file = TorchFile::parse(FileBytes::map(path, limits)?, limits).map_err(|error| error.in_file(path))?;
        file.path = Some(path.to_path_buf());
        Ok(file)
    }

    /// Opens a file whose bytes are at hand.
    ///
    /// # Errors
    /// As for [`TorchFile::open`].
    pub fn from_bytes(file: Vec<u8>, limits: &Limits) -> Result<TorchFile, FormatError> {
        TorchFile::parse(FileBytes::Owned(file), limits)
    }

    fn parse(file: FileBytes, limits: &Limits) -> Result<TorchFile, FormatError> {
        let (layout, order, mut contents, storages) = if file.starts_with(b"PK") {
            let mut members = Members::find(&file, limits)?;
            let layout = if members.is_script() { Layout::Script } else { Layout::Zip };
            let order = members.byte_order(&file)?;
            let pickle = pickle::parse(members.pickle(&file)?, names::GLOBALS, limits);
            let pickle = pickle.map_err(|error| error.within("data.pkl"))?;
            let contents = objects::interpret(&pickle, file.len(), limits)?;
            drop(pickle);
            let storages = archived(&mut members, &file, &contents)?;
            (layout, order, contents, storages)
        } else if file.get(257..262) == Some(b"ustar") {
            let hint = "load it with PyTorch and save it again: `torch.save(torch.load(old), new)`";
            return Err(Problem::Unsupported { what: "the tar layout of PyTorch 0.1".into(), hint }.into());
        } else {
            let (contents, places) = legacy_layout::read(&file, limits)?;
            let stored = |range| StoredBytes { data: Data::At(range), crc: 0, is_verified: AtomicBool::new(true) };
            (Layout::Legacy, ByteOrder::Little, contents, places.into_iter().map(stored).collect())
        };
        let dictionary = usual(&mut contents)?;
        Ok(TorchFile { path: None, file, layout, order, storages, contents, dictionary })
    }

    /// How the file is laid out.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The dictionaries of tensors: path (keys joined by `.`, empty for the outermost) and number of tensors.
    pub fn state_dictionaries(&self) -> impl ExactSizeIterator<Item = (&str, usize)> {
        self.contents.dictionaries.iter().map(|(path, tensors)| (path.as_str(), tensors.len()))
    }

    /// The path of the dictionary that the names below belong to.
    pub fn state_dictionary(&self) -> &str {
        self.contents.dictionaries.get_index(self.dictionary).map_or("", |(path, _)| path)
    }

    /// Chooses the dictionary of tensors at `path`, for example `ema_state_dict`.
    ///
    /// # Errors
    /// If there is none.
    pub fn choose(&mut self, path: &str) -> Result<(), FormatError> {
        let index = self.contents.dictionaries.get_index_of(path);
        let found = || format!("those at {}", listed(&self.contents));
        let problem = || Problem::mismatch(format_args!("a dictionary of tensors at `{path}`"), found());
        self.dictionary = index.ok_or_else(|| self.locate(problem().at("")))?;
        Ok(())
    }

    /// The tensors' names and descriptions, in the order of the dictionary.
    pub fn infos(&self) -> impl ExactSizeIterator<Item = (&str, &TensorInfo)> {
        self.tensors().iter().map(|(name, view)| (name.as_str(), &view.info))
    }

    /// What the file says of the tensor `name`.
    pub fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors().get(name).map(|view| &view.info)
    }

    /// Values beside the weights, by path: an epoch, an accuracy, options of a training program.
    pub fn scalars(&self) -> &IndexMap<String, Scalar> {
        &self.contents.scalars
    }

    /// What was passed over: path, and what stands there (complex tensors, numpy arrays, …).
    pub fn skipped(&self) -> &[(String, String)] {
        &self.contents.skipped
    }

    /// Groups of two or more names whose tensors are the same part of one storage, as tied weights are.
    pub fn tied(&self) -> Vec<Vec<&str>> {
        let mut groups: IndexMap<&View, Vec<&str>> = IndexMap::new();
        for (name, view) in self.tensors() {
            if view.size_bytes() != Some(0) {
                groups.entry(view).or_default().push(name);
            }
        }
        groups.into_values().filter(|names| names.len() > 1).collect()
    }

    /// The tensor `name`, row-major, its values as the file has them (8-bit floats as float16).
    ///
    /// # Errors
    /// If there is no such tensor, its storage does not have the archive's checksum, or a boolean is neither 0 nor 1.
    pub fn tensor(&self, name: &str) -> Result<Tensor, FormatError> {
        let read = || -> Result<Tensor, Problem> {
            let view = self.tensors().get(name).ok_or_else(|| Problem::missing("the tensor"))?;
            let storage = &self.storages[view.storage];
            let bytes = storage.data.get(&self.file);
            if !storage.is_verified.load(Ordering::Relaxed) {
                verify(bytes, storage.crc)?;
                storage.is_verified.store(true, Ordering::Relaxed);
            }
            let tensor = view.read(bytes, self.order)?;
            self.file.release(bytes);
            Ok(tensor)
        };
        read().map_err(|problem| self.locate(problem.at(name)))
    }

    fn tensors(&self) -> &IndexMap<String, View> {
        &self.contents.dictionaries[self.dictionary]
    }

    fn locate(&self, error: FormatError) -> FormatError {
        match &self.path {
            Some(path) => error.in_file(path),
            None => error,
        }
    }
}

/// The bytes of the storages of an archive, in the order of `contents.storages`.
fn archived(members: &mut Members, file: &[u8], contents: &Contents) -> Result<Vec<StoredBytes>, FormatError> {
    let mut storages = Vec::with_capacity(contents.storages.len());
    for (key, storage) in &contents.storages {
        let place = || format!("data/{key}");
        let (data, crc) = members.take_storage(key).ok_or_else(|| Problem::missing("the storage").at(place()))?;
        let found = data.get(file).len();
        if found != storage.size_bytes {
            let expected = format!("{} bytes, as the pickle says", storage.size_bytes);
            return Err(Problem::mismatch(expected, format_args!("{found} bytes")).at(place()));
        }
        storages.push(StoredBytes { data, crc, is_verified: AtomicBool::new(false) });
    }
    Ok(storages)
}

/// The number of the dictionary that the file is most likely about. Where several are of equal standing (an encoder's
/// and a decoder's, say), one that holds them all is added, each name after the path of its dictionary.
fn usual(contents: &mut Contents) -> Result<usize, FormatError> {
    let dictionaries = &mut contents.dictionaries;
    let usual = USUAL_DICTIONARIES.iter().find_map(|path| dictionaries.get_index_of(*path));
    if let Some(index) = usual.or_else(|| dictionaries.get_index_of("")) {
        return Ok(index);
    }
    let is_model = |path: &str| !path.starts_with("optim");
    let models: Vec<usize> = (0..dictionaries.len()).filter(|&index| is_model(&dictionaries.keys()[index])).collect();
    match models.as_slice() {
        [only] => Ok(*only),
        [] => Err(Problem::missing("a dictionary of tensors").into()),
        _ => {
            let mut all = IndexMap::new();
            for (path, tensors) in dictionaries.iter().filter(|(path, _)| is_model(path)) {
                for (name, view) in tensors {
                    let name = format!("{path}.{name}");
                    if all.insert(name.clone(), view.clone()).is_some() {
                        return Err(Problem::Duplicate { name }.into());
                    }
                }
            }
            Ok(dictionaries.insert_full(String::new(), all).0)
        }
    }
}

/// The first paths of dictionaries, for messages.
fn listed(contents: &Contents) -> String {
    let paths: Vec<String> = contents.dictionaries.keys().take(8).map(|path| format!("`{path}`")).collect();
    let more = if contents.dictionaries.len() > paths.len() { ", …" } else { "" };
    paths.join(", ") + more
}

//! A model's folder written as a whole or not at all.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use retune_tensor::Tensor;
use serde_json::Value;

use super::{CONFIG, ModelDirectory, is_below};
use crate::error::{FormatError, Problem};
use crate::safetensors;

const WEIGHTS: &str = "model.safetensors";
const README: &str = "README.md";

/// What to do with a folder that has the name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It is an error.
    Refuse,
    /// The new folder takes its place; whatever else was in the old one is gone.
    Replace,
}

/// A model's folder in the making: gather its files, then [`NewModelDirectory::write`].
#[derive(Debug)]
pub struct NewModelDirectory {
    files: BTreeMap<String, Vec<u8>>,
}

impl NewModelDirectory {
    /// A folder with `config.json` (indented, its keys in their order) and `README.md`.
    pub fn new(config: &Value, readme: &str) -> NewModelDirectory {
        let files = [(CONFIG.to_owned(), pretty(config)), (README.to_owned(), readme.as_bytes().to_vec())];
        NewModelDirectory { files: BTreeMap::from(files) }
    }

    /// Takes the companions of `source` over, byte for byte: tokenizer, preprocessing, modules.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn carry_over(&mut self, source: &ModelDirectory) -> Result<&mut NewModelDirectory, FormatError> {
        for name in source.companions() {
            if let Some(bytes) = source.bytes(name)? {
                self.files.insert((*name).to_owned(), bytes);
            }
        }
        Ok(self)
    }

    /// Adds the file `name` (with `/` between folders), or replaces it.
    ///
    /// # Errors
    /// If the name is absolute or climbs with `..`, or is that of the weights.
    pub fn file(&mut self, name: &str, bytes: Vec<u8>) -> Result<&mut NewModelDirectory, FormatError> {
        if !is_below(name) {
            return Err(Problem::UnsafeName { name: name.to_owned() }.into());
        }
        if name == WEIGHTS {
            return Err(Problem::Duplicate { name: name.to_owned() }.into());
        }
        self.files.insert(name.to_owned(), bytes);
        Ok(self)
    }

    /// Adds the JSON file `name`, indented, or replaces it.
    ///
    /// # Errors
    /// As for [`NewModelDirectory::file`].
    pub fn json(&mut self, name: &str, value: &Value) -> Result<&mut NewModelDirectory, FormatError> {
        self.file(name, pretty(value))
    }

    /// Adds the file `name` of tensors, for a module with weights of its own, or replaces it.
    ///
    /// # Errors
    /// As for [`NewModelDirectory::file`], and if a name of a tensor occurs twice.
    pub fn tensors<'a>(
        &mut self,
        name: &str,
        tensors: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
    ) -> Result<&mut NewModelDirectory, FormatError> {
        self.file(name, safetensors::to_bytes(tensors, &of_torch())?)
    }

    /// Writes the folder at `path` with `tensors` as `model.safetensors` (whose metadata says `format: pt`, which
    /// transformers asks for).
    ///
    /// Everything goes to a folder beside `path` first, is forced to the disk, and only then takes the name; whatever
    /// fails, nothing of it stays and a folder already at `path` is as it was. To replace one takes two renames: the
    /// old folder is moved aside and removed after the new one has its name.
    ///
    /// # Errors
    /// If the operating system refuses, something has the name already and is not to be replaced, or is not a folder.
    pub fn write<'a>(
        &self,
        path: impl AsRef<Path>,
        tensors: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
        existing: Existing,
    ) -> Result<(), FormatError> {
        let path = path.as_ref();
        let locate = |error: io::Error| Problem::Io(error).at("").in_file(path);
        let found = path.symlink_metadata().ok();
        match (&found, existing) {
            (Some(_), Existing::Refuse) => {
                let hint = "choose another folder, or allow replacing this one";
                let what = "writing into a folder that is there already".to_owned();
                return Err(Problem::Unsupported { what, hint }.at("").in_file(path));
            }
            (Some(found), Existing::Replace) if !found.is_dir() => {
                return Err(Problem::mismatch("a folder to replace", "a file or link").at("").in_file(path));
            }
            _ => {}
        }
        let temporary = TemporaryFolder::beside(path, "tmp").map_err(locate)?;
        fs::create_dir(&temporary.path).map_err(locate)?;
        for (name, bytes) in &self.files {
            write_file(&temporary.path.join(name), bytes).map_err(locate)?;
        }
        safetensors::write(temporary.path.join(WEIGHTS), tensors, &of_torch())?;
        sync_folders(&temporary.path).map_err(locate)?;
        if found.is_some() {
            let old = TemporaryFolder::beside(path, "old").map_err(locate)?;
            fs::rename(path, &old.path).map_err(locate)?;
            if let Err(error) = fs::rename(&temporary.path, path) {
                // The old folder gets its name back; if even that fails, it is not to be removed.
                match fs::rename(&old.path, path) {
                    Ok(()) => {}
                    Err(_) => std::mem::forget(old),
                }
                return Err(locate(error));
            }
        } else {
            fs::rename(&temporary.path, path).map_err(locate)?;
        }
        sync_folder(parent(path)).map_err(locate)
    }
}

/// The metadata that transformers asks for.
fn of_torch() -> BTreeMap<String, String> {
    BTreeMap::from([("format".to_owned(), "pt".to_owned())])
}

fn pretty(value: &Value) -> Vec<u8> {
    // As transformers writes it: two spaces, and a line's end at the end.
    format!("{value:#}\n").into_bytes()
}

fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(parent(path))?;
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes the names in `folder` and in the folders below durable.
fn sync_folders(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    sync_folder(folder)
}

/// Makes the names in `folder` durable, where folders can be opened.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// The name of a folder that is removed when this is dropped, if it is there.
struct TemporaryFolder {
    path: PathBuf,
}

impl TemporaryFolder {
    fn beside(path: &Path, purpose: &str) -> io::Result<TemporaryFolder> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let name =
            path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no folder"))?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}-{}.{purpose}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed)));
        Ok(TemporaryFolder { path: path.with_file_name(hidden) })
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // After its rename nothing of that name is left to remove.
        let _ = fs::remove_dir_all(&self.path);
    }
}

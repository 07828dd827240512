//! [`ByteColumn`] and [`TextColumn`]: one value of bytes, or one text, for each example, in memory or in a file of their own.
//!
//! Values stand one after the other. Where they are on disk, only the places at which they end are in memory (8 bytes each), and each value
//! is read as it is asked for; the operating system keeps what is read often. The file has no name, so that nothing of it is left
//! behind, whatever becomes of the program.

use crate::error::DataError;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where texts and encoded images of a data set are kept while it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Storage {
    /// In memory up to [`MEMORY_BYTES`], beyond it on disk.
    #[default]
    Auto,
    /// In memory, however many there are.
    Memory,
    /// On disk, however few there are.
    Disk,
}

/// Bytes of a column that are kept in memory by [`Storage::Auto`].
pub const MEMORY_BYTES: usize = 1 << 29;

/// Bytes that are put together before they are written.
const WRITE_BYTES: usize = 1 << 20;

/// Values of bytes, one for each example.
#[derive(Debug, Clone, Default)]
pub struct ByteColumn {
    /// Where each value ends.
    ends: Vec<u64>,
    bytes: Bytes,
}

#[derive(Debug, Clone)]
enum Bytes {
    Memory(Vec<u8>),
    Disk(Arc<Spool>),
}

impl Default for Bytes {
    fn default() -> Bytes {
        Bytes::Memory(Vec::new())
    }
}

impl ByteColumn {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Whether the values are on disk.
    pub fn is_on_disk(&self) -> bool {
        matches!(self.bytes, Bytes::Disk(_))
    }

    /// One value.
    ///
    /// # Errors
    /// A disk that does not give back what was written.
    ///
    /// # Panics
    /// An index that no value has.
    pub fn get(&self, index: usize) -> io::Result<Cow<'_, [u8]>> {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        let range = start..self.ends[index];
        match &self.bytes {
            Bytes::Memory(bytes) => Ok(Cow::Borrowed(&bytes[range.start as usize..range.end as usize])),
            Bytes::Disk(spool) => {
                let mut value = vec![0; (range.end - range.start) as usize];
                spool.read(&mut value, range.start)?;
                Ok(Cow::Owned(value))
            }
        }
    }

    /// Some of the values, in memory.
    ///
    /// # Errors
    /// A disk that does not give back what was written.
    pub(crate) fn some(&self, indices: &[usize]) -> Result<ByteColumn, DataError> {
        let mut column = ByteColumnBuilder::new(Storage::Memory, None);
        for &index in indices {
            let folder = default_folder();
            column.push(&self.get(index).map_err(|source| DataError::Spool { folder, source })?)?;
        }
        column.finish()
    }

    /// Bytes that the column takes in memory.
    pub fn size_bytes(&self) -> usize {
        let bytes = if let Bytes::Memory(bytes) = &self.bytes { bytes.len() } else { 0 };
        bytes + size_of_val(self.ends.as_slice())
    }

    /// Bytes of all values.
    pub fn total_bytes(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }
}

/// A file without a name.
#[derive(Debug)]
struct Spool {
    #[cfg(unix)]
    file: File,
    #[cfg(not(unix))]
    file: std::sync::Mutex<File>,
}

impl Spool {
    fn new(file: File) -> Spool {
        #[cfg(not(unix))]
        let file = std::sync::Mutex::new(file);
        Spool { file }
    }

    #[cfg(unix)]
    fn read(&self, value: &mut [u8], start: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, value, start)
    }

    #[cfg(not(unix))]
    fn read(&self, value: &mut [u8], start: u64) -> io::Result<()> {
        use std::io::{Read, Seek, SeekFrom};
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(value)
    }
}

/// Puts the values of a [`ByteColumn`] one after the other.
#[derive(Debug)]
pub struct ByteColumnBuilder {
    ends: Vec<u64>,
    memory: Vec<u8>,
    file: Option<BufWriter<File>>,
    storage: Storage,
    folder: PathBuf,
}

impl ByteColumnBuilder {
    /// A column without values. `folder` is where a file is made if one is needed; default: the user's cache.
    pub fn new(storage: Storage, folder: Option<&Path>) -> ByteColumnBuilder {
        let folder = folder.map_or_else(default_folder, Path::to_path_buf);
        ByteColumnBuilder { ends: Vec::new(), memory: Vec::new(), file: None, storage, folder }
    }

    /// Number of values so far.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no values yet.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Adds a value.
    ///
    /// # Errors
    /// A file that cannot be made or written.
    pub fn push(&mut self, value: &[u8]) -> Result<(), DataError> {
        let end = self.ends.last().copied().unwrap_or(0) + value.len() as u64;
        let fits = match self.storage {
            Storage::Auto => end <= MEMORY_BYTES as u64,
            Storage::Memory => true,
            Storage::Disk => false,
        };
        if self.file.is_none() && fits {
            self.memory.extend_from_slice(value);
        } else {
            self.write(value).map_err(|source| DataError::Spool { folder: self.folder.clone(), source })?;
        }
        self.ends.push(end);
        Ok(())
    }

    fn write(&mut self, value: &[u8]) -> io::Result<()> {
        if self.file.is_none() {
            std::fs::create_dir_all(&self.folder)?;
            let mut file = BufWriter::with_capacity(WRITE_BYTES, tempfile::tempfile_in(&self.folder)?);
            file.write_all(&std::mem::take(&mut self.memory))?;
            self.file = Some(file);
        }
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(value))
    }

    /// The column.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn finish(mut self) -> Result<ByteColumn, DataError> {
        self.ends.shrink_to_fit();
        let bytes = match self.file {
            None => Bytes::Memory(std::mem::take(&mut self.memory)),
            Some(file) => {
                let file = file
                    .into_inner()
                    .map_err(|error| DataError::Spool { folder: self.folder.clone(), source: error.into_error() })?;
                Bytes::Disk(Arc::new(Spool::new(file)))
            }
        };
        Ok(ByteColumn { ends: self.ends, bytes })
    }
}

/// The user's folder for caches, as the system's conventions have it; `None` where nothing tells.
pub fn user_cache() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if cfg!(windows) {
        folder("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        Some(folder("HOME")?.join("Library/Caches"))
    } else {
        folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")))
    }
}

/// Not the system's folder of temporary files, which is often in memory.
fn default_folder() -> PathBuf {
    user_cache().map_or_else(std::env::temp_dir, |cache| cache.join("retune").join("spool"))
}

/// Texts, one for each example.
#[derive(Debug, Clone, Default)]
pub struct TextColumn(ByteColumn);

impl TextColumn {
    /// Number of texts.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no texts.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the texts are on disk.
    pub fn is_on_disk(&self) -> bool {
        self.0.is_on_disk()
    }

    /// One text; `None` for one that does not exist.
    ///
    /// # Panics
    /// Where the disk does not give back what was written: there is no example without its text.
    pub fn get(&self, index: usize) -> Option<Cow<'_, str>> {
        if index >= self.len() {
            return None;
        }
        let text = match self.0.get(index) {
            Ok(Cow::Borrowed(bytes)) => String::from_utf8_lossy(bytes),
            // Bytes of texts alone were written, so nothing is replaced.
            Ok(Cow::Owned(bytes)) => match String::from_utf8(bytes) {
                Ok(text) => Cow::Owned(text),
                Err(error) => Cow::Owned(String::from_utf8_lossy(error.as_bytes()).into_owned()),
            },
            Err(error) => panic!("the file that texts were put into cannot be read: {error}"),
        };
        Some(text)
    }

    /// All texts in their order.
    pub fn iter(&self) -> impl Iterator<Item = Cow<'_, str>> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// Bytes that the column takes in memory.
    pub fn size_bytes(&self) -> usize {
        self.0.size_bytes()
    }

    /// Bytes of all texts.
    pub fn total_bytes(&self) -> u64 {
        self.0.total_bytes()
    }
}

impl PartialEq for TextColumn {
    /// Whether the texts are the same, wherever they are.
    fn eq(&self, other: &TextColumn) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for TextColumn {}

impl<T: AsRef<str>> FromIterator<T> for TextColumn {
    fn from_iter<I: IntoIterator<Item = T>>(texts: I) -> TextColumn {
        let mut column = ByteColumn::default();
        let mut all = Vec::new();
        for text in texts {
            all.extend_from_slice(text.as_ref().as_bytes());
            column.ends.push(all.len() as u64);
        }
        column.bytes = Bytes::Memory(all);
        TextColumn(column)
    }
}

impl<T: AsRef<str>> From<Vec<T>> for TextColumn {
    fn from(texts: Vec<T>) -> TextColumn {
        texts.into_iter().collect()
    }
}

/// Puts the texts of a [`TextColumn`] one after the other.
#[derive(Debug)]
pub struct TextColumnBuilder(ByteColumnBuilder);

impl TextColumnBuilder {
    /// A column without texts, see [`ByteColumnBuilder::new`].
    pub fn new(storage: Storage, folder: Option<&Path>) -> TextColumnBuilder {
        TextColumnBuilder(ByteColumnBuilder::new(storage, folder))
    }

    /// Adds a text.
    ///
    /// # Errors
    /// A file that cannot be made or written.
    pub fn push(&mut self, text: &str) -> Result<(), DataError> {
        self.0.push(text.as_bytes())
    }

    /// The column.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn finish(self) -> Result<TextColumn, DataError> {
        Ok(TextColumn(self.0.finish()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(storage: Storage, folder: &Path) -> TextColumn {
        let mut builder = TextColumnBuilder::new(storage, Some(folder));
        ["one", "", "zwölf 十二", "four"].into_iter().for_each(|text| builder.push(text).unwrap());
        builder.finish().unwrap()
    }

    #[test]
    fn texts_are_the_same_wherever_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let [memory, disk] = [Storage::Auto, Storage::Disk].map(|storage| column(storage, folder.path()));
        assert_eq!((memory.is_on_disk(), disk.is_on_disk()), (false, true));
        assert_eq!(memory, disk);
        assert_eq!(disk.iter().collect::<Vec<_>>(), ["one", "", "zwölf 十二", "four"]);
        assert_eq!((disk.get(2).as_deref(), disk.get(4)), (Some("zwölf 十二"), None));
        assert_ne!(memory, TextColumn::from(vec!["one"]));
        assert!(disk.size_bytes() < memory.size_bytes());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the file has no name");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = ByteColumnBuilder::new(Storage::Disk, Some(&file)).push(b"x").unwrap_err().to_string();
        assert!(error.contains("file") && error.contains("hint: "), "{error}");
    }
}

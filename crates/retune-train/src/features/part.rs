//! The kept values of one frozen part.

use super::budget::touch;
use super::precision::FeaturePrecision;
use super::segment::{Appender, EXTENSION, Location, Segment};
use super::store::Shared;
use crate::said;
use retune_data::ContentHash;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// Values by the key of their example, in one or several files.
#[derive(Debug)]
pub struct Part {
    key: ContentHash,
    shared: Arc<Shared>,
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    index: HashMap<[u8; 32], (Arc<Segment>, Location)>,
    writer: Writer,
}

/// Who appends new values.
#[derive(Debug, Default)]
enum Writer {
    /// Nobody yet.
    #[default]
    None,
    /// The file at work.
    Open(Appender, Arc<Segment>),
    /// Nobody any more: a file could not be written.
    Failed,
}

impl Part {
    /// Looks for the files of the part with this key.
    pub(super) fn open(key: ContentHash, shared: Arc<Shared>) -> Part {
        let mut index = HashMap::new();
        for path in files(shared.folder(), &key) {
            // A file that cannot be read, or is none of this part, is as good as none.
            let Ok(Some(scanned)) = Segment::scan(&path, &key) else { continue };
            touch(&path);
            let segment = Arc::new(scanned.segment);
            index.extend(scanned.records.into_iter().map(|(key, location)| (key.0, (segment.clone(), location))));
        }
        Part { key, shared, state: RwLock::new(State { index, writer: Writer::None }) }
    }

    /// How values are stored.
    pub fn precision(&self) -> FeaturePrecision {
        self.shared.precision()
    }

    /// Number of examples of which values are kept.
    pub fn len(&self) -> usize {
        self.state.read().unwrap_or_else(PoisonError::into_inner).index.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether values of the example with this key are kept, as far as is known without reading them.
    pub fn has(&self, key: &ContentHash) -> bool {
        self.state.read().unwrap_or_else(PoisonError::into_inner).index.contains_key(&key.0)
    }

    /// The values of the example with this key. A file whose values do not fit their checksum is removed, and what it held is
    /// computed again.
    pub fn read(&self, key: &ContentHash) -> Option<Vec<f32>> {
        let found = self.state.read().unwrap_or_else(PoisonError::into_inner).index.get(&key.0).cloned();
        let (segment, location) = found?;
        let values = segment.read(location, |bytes| self.precision().decode(bytes));
        if values.is_none() {
            self.give_up(&segment);
        }
        values
    }

    /// Keeps the values of an example, if there is room and they are not kept already.
    pub fn keep(&self, key: &ContentHash, values: &[f32]) {
        if self.has(key) {
            return;
        }
        let bytes = self.precision().encode(values);
        if !self.shared.take(Appender::record_bytes(bytes.len())) {
            return;
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if let Writer::None = state.writer {
            state.writer = match self.begin() {
                Ok((appender, segment)) => Writer::Open(appender, segment),
                Err(error) => self.failed(&error),
            };
        }
        let Writer::Open(appender, segment) = &mut state.writer else { return };
        match appender.append(key, &bytes) {
            Ok(location) => {
                let segment = segment.clone();
                state.index.insert(key.0, (segment, location));
            }
            Err(error) => state.writer = self.failed(&error),
        }
    }

    fn failed(&self, error: &io::Error) -> Writer {
        let folder = self.shared.folder().display();
        self.shared.note(said!("nothing more is kept in `{folder}`: {error}", "不再向 `{folder}` 保存：{error}"));
        Writer::Failed
    }

    /// A file to append to: one that is there, whole, and not at work elsewhere; else a new one.
    fn begin(&self) -> io::Result<(Appender, Arc<Segment>)> {
        let folder = self.shared.folder();
        for path in files(folder, &self.key) {
            let Ok(Some(scanned)) = Segment::scan(&path, &self.key) else { continue };
            if scanned.is_whole
                && let Some(appender) = Appender::resume(&path, scanned.whole_bytes)?
            {
                return Ok((appender, Arc::new(scanned.segment)));
            }
        }
        for number in 0.. {
            let path = folder.join(format!("{}-{number}.{EXTENSION}", self.key));
            match Appender::create(&path, &self.key) {
                Ok(appender) => {
                    let scanned = Segment::scan(&path, &self.key)?.ok_or(io::ErrorKind::InvalidData)?;
                    return Ok((appender, Arc::new(scanned.segment)));
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => (),
                Err(error) => return Err(error),
            }
        }
        unreachable!("some number is free")
    }

    /// Removes a damaged file and forgets what it held.
    fn give_up(&self, damaged: &Arc<Segment>) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let before = state.index.len();
        state.index.retain(|_, (segment, _)| segment.path() != damaged.path());
        if state.index.len() == before {
            return;
        }
        if matches!(&state.writer, Writer::Open(_, segment) if segment.path() == damaged.path()) {
            state.writer = Writer::None;
        }
        // Where it cannot be removed, its values are met again and checked again.
        let _ = std::fs::remove_file(damaged.path());
        let path = damaged.path().display();
        self.shared
            .note(said!("`{path}` is damaged; what it held is computed again", "`{path}` 已损坏，其内容将重新计算"));
    }
}

/// The files of a part, in the order of their names.
fn files(folder: &Path, key: &ContentHash) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths: Vec<PathBuf> = paths.filter(|path| is_of(path, key)).collect();
    paths.sort();
    paths
}

/// Whether a path is that of a file of this part.
fn is_of(path: &Path, key: &ContentHash) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with(&key.to_string()) && name.ends_with(EXTENSION)
}

//! A folder of kept values, shared by the parts of a run, by runs, and by processes.

use super::budget::Budget;
use super::part::Part;
use super::precision::FeaturePrecision;
use crate::language::Said;
use retune_data::ContentHash;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Where values of frozen layers are kept, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheSettings {
    /// The folder. It is made if it is not there.
    pub folder: PathBuf,
    /// The most bytes of all files in it, those of other runs included. Default 8 GiB.
    pub limit_bytes: u64,
    /// How values are stored. Default as computed.
    pub precision: FeaturePrecision,
    /// Whether values are kept also where reading them takes about as long as computing them. Default no.
    pub always: bool,
}

impl CacheSettings {
    /// Defaults, in this folder.
    pub fn in_folder(folder: impl Into<PathBuf>) -> CacheSettings {
        CacheSettings {
            folder: folder.into(),
            limit_bytes: 8 << 30,
            precision: FeaturePrecision::default(),
            always: false,
        }
    }
}

/// What happened to examples that went through frozen parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StoreCounts {
    /// Examples whose values were read.
    pub read: u64,
    /// Examples whose values were computed.
    pub computed: u64,
}

/// Kept values of examples, by the frozen part of a network that gives them.
#[derive(Debug, Clone)]
pub struct FeatureStore {
    shared: Arc<Shared>,
    parts: Arc<Mutex<HashMap<[u8; 32], Arc<Part>>>>,
}

/// What all parts of a store have in common.
#[derive(Debug)]
pub(super) struct Shared {
    settings: CacheSettings,
    budget: Mutex<Budget>,
    /// Keys of the parts in use, whose files are not removed to make room.
    in_use: Mutex<Vec<String>>,
    notes: Mutex<Vec<Said>>,
    read: AtomicU64,
    computed: AtomicU64,
}

impl FeatureStore {
    /// A store in the folder of `settings`.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub fn open(settings: CacheSettings) -> io::Result<FeatureStore> {
        create_folder(&settings.folder)?;
        let budget = Mutex::new(Budget::new(&settings.folder, settings.limit_bytes));
        let shared = Shared {
            settings,
            budget,
            in_use: Mutex::default(),
            notes: Mutex::default(),
            read: AtomicU64::new(0),
            computed: AtomicU64::new(0),
        };
        Ok(FeatureStore { shared: Arc::new(shared), parts: Arc::default() })
    }

    /// Its settings.
    pub fn settings(&self) -> &CacheSettings {
        &self.shared.settings
    }

    /// The values of the frozen part with this key.
    pub fn part(&self, key: ContentHash) -> Arc<Part> {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let open = || {
            self.shared.in_use.lock().unwrap_or_else(PoisonError::into_inner).push(key.to_string());
            Arc::new(Part::open(key, self.shared.clone()))
        };
        parts.entry(key.0).or_insert_with(open).clone()
    }

    /// Examples that are kept, of every part in use counted by itself.
    pub fn len(&self) -> usize {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).values().map(|part| part.len()).sum()
    }

    /// Whether nothing is kept of the parts in use.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Examples read and computed so far.
    pub fn counts(&self) -> StoreCounts {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        StoreCounts { read: load(&self.shared.read), computed: load(&self.shared.computed) }
    }

    /// Counts the examples of a batch.
    pub(crate) fn count(&self, read: usize, computed: usize) {
        self.shared.read.fetch_add(read as u64, Ordering::Relaxed);
        self.shared.computed.fetch_add(computed as u64, Ordering::Relaxed);
    }

    /// Bytes that can still be kept, files of other frozen parts removed if they must be.
    pub fn available_bytes(&self) -> u64 {
        self.shared.budget.lock().unwrap_or_else(PoisonError::into_inner).available_bytes(|path| self.shared.uses(path))
    }

    /// What the user should know, since it was last asked for.
    pub fn take_notes(&self) -> Vec<Said> {
        std::mem::take(&mut *self.shared.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Shared {
    pub(super) fn folder(&self) -> &Path {
        &self.settings.folder
    }

    pub(super) fn precision(&self) -> FeaturePrecision {
        self.settings.precision
    }

    /// Takes room for so many bytes; `false` where there is none.
    pub(super) fn take(&self, bytes: u64) -> bool {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner).take(bytes, |path| self.uses(path))
    }

    /// Whether a file is one of a part in use.
    fn uses(&self, path: &Path) -> bool {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|key| name.starts_with(key))
    }

    pub(super) fn note(&self, text: Said) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }
}

/// Makes a folder that this user alone reads: values of layers tell about the data.
fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

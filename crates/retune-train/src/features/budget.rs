//! How many bytes the files of a cache may take, and what is removed to make room.

use super::segment::EXTENSION;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Bytes of the disk that are left free.
pub const RESERVE_BYTES: u64 = 1 << 30;

/// Bytes after which the folder is looked at again: other processes write and remove too.
const LOOK_BYTES: u64 = 64 << 20;

/// The bytes of a folder.
#[derive(Debug)]
pub struct Budget {
    folder: PathBuf,
    limit_bytes: u64,
    /// Bytes of all files when the folder was last looked at, and written here since.
    used_bytes: u64,
    written_bytes: u64,
    /// Bytes that the disk had free then beside those left free.
    free_bytes: u64,
    is_exhausted: bool,
}

/// A file of the folder.
struct Entry {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

impl Budget {
    /// Of a folder that may hold `limit_bytes`.
    pub fn new(folder: &Path, limit_bytes: u64) -> Budget {
        let mut budget = Budget {
            folder: folder.to_owned(),
            limit_bytes,
            used_bytes: 0,
            written_bytes: 0,
            free_bytes: 0,
            is_exhausted: false,
        };
        budget.look();
        budget
    }

    /// Takes room for so many bytes; `false` where there is none. Files for which `is_needed` is false are removed if they must be,
    /// those first that were not used for the longest time.
    pub fn take(&mut self, bytes: u64, is_needed: impl Fn(&Path) -> bool) -> bool {
        if self.is_exhausted {
            return false;
        }
        if self.written_bytes + bytes > self.room() || self.written_bytes > LOOK_BYTES {
            let entries = self.look();
            let lacking = bytes.saturating_sub(self.room());
            if lacking > 0 {
                self.remove(entries, lacking, is_needed);
                self.look();
            }
            self.is_exhausted = bytes > self.room();
        }
        if !self.is_exhausted {
            self.written_bytes += bytes;
        }
        !self.is_exhausted
    }

    /// Bytes that could be written since the folder was last looked at, if nothing is removed.
    fn room(&self) -> u64 {
        self.limit_bytes.saturating_sub(self.used_bytes).min(self.free_bytes)
    }

    /// Bytes that can be written now, other files removed if they must be.
    pub fn available_bytes(&mut self, is_needed: impl Fn(&Path) -> bool) -> u64 {
        let entries = self.look();
        let removable: u64 = entries.iter().filter(|entry| !is_needed(&entry.path)).map(|entry| entry.bytes).sum();
        let kept = self.used_bytes.saturating_sub(removable);
        self.limit_bytes.saturating_sub(kept).min(self.free_bytes.saturating_add(removable))
    }

    fn look(&mut self) -> Vec<Entry> {
        let entries = entries(&self.folder).unwrap_or_default();
        self.used_bytes = entries.iter().map(|entry| entry.bytes).sum();
        self.free_bytes = free_bytes(&self.folder).map_or(u64::MAX, |free| free.saturating_sub(RESERVE_BYTES));
        self.written_bytes = 0;
        entries
    }

    fn remove(&self, mut entries: Vec<Entry>, lacking: u64, is_needed: impl Fn(&Path) -> bool) {
        entries.sort_by_key(|entry| entry.used);
        let mut freed = 0;
        for entry in entries.into_iter().filter(|entry| !is_needed(&entry.path)) {
            if freed >= lacking {
                break;
            }
            // A file that a process appends to is left alone. One that is read elsewhere is not missed there: it is open.
            let is_free = File::open(&entry.path).is_ok_and(|file| file.try_lock().is_ok());
            if is_free && std::fs::remove_file(&entry.path).is_ok() {
                freed += entry.bytes;
            }
        }
    }
}

fn entries(folder: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        // A file may be removed by another process at any time.
        let Ok(metadata) = path.metadata() else { continue };
        if path.extension().is_some_and(|extension| extension == EXTENSION) && metadata.is_file() {
            let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            entries.push(Entry { path, bytes: metadata.len(), used });
        }
    }
    Ok(entries)
}

/// Notes that a file is used now.
pub fn touch(path: &Path) {
    // Only the order of removal depends on it.
    let _ = OpenOptions::new().append(true).open(path).and_then(|file| file.set_modified(SystemTime::now()));
}

/// Bytes that the disk of a folder has free for this user; `None` where the system does not tell.
fn free_bytes(folder: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let disk = rustix::fs::statvfs(folder).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_unused_files_are_removed_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).with_extension(EXTENSION);
        for (name, age) in [("old", 30), ("mine", 40), ("new", 10), ("newest", 0)] {
            std::fs::write(path(name), [0; 100]).unwrap();
            let file = OpenOptions::new().append(true).open(path(name)).unwrap();
            file.set_modified(SystemTime::now() - std::time::Duration::from_secs(age)).unwrap();
        }
        std::fs::write(folder.path().join("other.txt"), [0; 1000]).unwrap();
        let mine = path("mine");
        let is_needed = |path: &Path| path == mine;
        let mut budget = Budget::new(folder.path(), 500);
        assert_eq!(budget.available_bytes(is_needed), 400);
        assert!(budget.take(100, is_needed), "there is room");
        std::fs::write(path("written"), [0; 100]).unwrap();
        assert!(budget.take(100, is_needed));
        assert!(!path("old").exists() && path("new").exists() && mine.exists());
        touch(&path("new"));
        let busy = File::open(path("newest")).unwrap();
        busy.lock().unwrap();
        assert!(!budget.take(350, is_needed), "one file is needed, another one locked");
        assert!(path("newest").exists() && mine.exists() && !path("new").exists());
        assert!(!budget.take(1, is_needed), "it is not tried again");
    }
}

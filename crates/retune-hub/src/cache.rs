//! The cache's layout, which the Hub's Python tools share.
//!
//! Per repository a folder `models--org--name` with `refs/<revision>` (a text file with a commit),
//! `snapshots/<commit>/<file>` (links) and `blobs/<etag>` (what the links point to). A file that is being fetched is
//! `blobs/<etag>.incomplete`, guarded by a lock on `.locks/models--org--name/<etag>.lock`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::address::{HubAddress, is_plain_name};
use crate::error::HubError;

/// The part of the cache that belongs to one repository.
#[derive(Debug)]
pub(crate) struct RepositoryCache {
    root: PathBuf,
    locks: PathBuf,
}

impl RepositoryCache {
    pub(crate) fn new(cache: &Path, address: &HubAddress) -> RepositoryCache {
        let name = format!("models--{}", address.repository().replace('/', "--"));
        RepositoryCache { root: cache.join(&name), locks: cache.join(".locks").join(name) }
    }

    /// The commit that `revision` was when it was last asked for; a commit is itself.
    pub(crate) fn commit(&self, revision: &str) -> Option<String> {
        if is_commit(revision) && self.snapshot(revision).is_dir() {
            return Some(revision.to_owned());
        }
        let commit = fs::read_to_string(self.root.join("refs").join(revision)).ok()?.trim().to_owned();
        is_plain_name(&commit).then_some(commit)
    }

    /// Remembers that `revision` is `commit`.
    pub(crate) fn set_commit(&self, revision: &str, commit: &str) -> Result<(), HubError> {
        if revision == commit {
            return Ok(());
        }
        let path = self.root.join("refs").join(revision);
        create_parent(&path)?;
        // A short file: another program reads either the old commit or the new one.
        let temporary = path.with_file_name(format!(".{}.tmp", std::process::id()));
        fs::write(&temporary, commit).and_then(|()| fs::rename(&temporary, &path)).map_err(HubError::io(&path))
    }

    /// The folder of the files of a commit.
    pub(crate) fn snapshot(&self, commit: &str) -> PathBuf {
        self.root.join("snapshots").join(commit)
    }

    pub(crate) fn blob(&self, etag: &str) -> PathBuf {
        self.root.join("blobs").join(etag)
    }

    pub(crate) fn incomplete(&self, etag: &str) -> PathBuf {
        self.root.join("blobs").join(format!("{etag}.incomplete"))
    }

    /// Waits until no other program fetches the blob `etag`; the lock is held until the file is dropped.
    pub(crate) fn lock(&self, etag: &str) -> Result<File, HubError> {
        let path = self.locks.join(format!("{etag}.lock"));
        create_parent(&path)?;
        let open = || -> io::Result<File> {
            let file = File::options().create(true).truncate(false).write(true).open(&path)?;
            file.lock()?;
            Ok(file)
        };
        open().map_err(HubError::io(&path))
    }

    /// Makes the blob `etag` the file `name` of a commit.
    pub(crate) fn link(&self, commit: &str, name: &str, etag: &str) -> Result<(), HubError> {
        let path = self.snapshot(commit).join(name);
        if path.exists() {
            return Ok(());
        }
        create_parent(&path)?;
        // A link to a blob that is gone.
        if path.symlink_metadata().is_ok() {
            fs::remove_file(&path).map_err(HubError::io(&path))?;
        }
        let up = "../".repeat(2 + name.matches('/').count());
        let target = format!("{up}blobs/{etag}");
        let linked = symlink(Path::new(&target), &path);
        match linked {
            Ok(()) => Ok(()),
            // Another program was faster.
            Err(_) if path.exists() => Ok(()),
            // A system without links: the file stands there twice, as the Python tools do it.
            Err(_) => fs::copy(self.blob(etag), &path).map(drop).map_err(HubError::io(&path)),
        }
    }
}

pub(crate) fn create_parent(path: &Path) -> Result<(), HubError> {
    match path.parent() {
        Some(parent) => fs::create_dir_all(parent).map_err(HubError::io(parent)),
        None => Ok(()),
    }
}

/// Whether `text` is a full commit and no branch or tag.
pub(crate) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target, link)
}

#[cfg(not(any(unix, windows)))]
fn symlink(_target: &Path, _link: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

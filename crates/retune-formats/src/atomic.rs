//! Files that are either wholly written or not there.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Writes the file at `path` through `write`, so that a reader (or a crash, or a full disk) never meets half of it.
///
/// The bytes go to a temporary file in the same folder, are forced to the disk, and only then take the name `path`,
/// replacing a file of that name and keeping its permissions. Whatever fails, the temporary file is removed and a file
/// already at `path` is left as it was.
///
/// # Errors
/// The first error of the operating system or of `write`.
pub fn write_atomic<E: From<io::Error>>(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<(), E>,
) -> Result<(), E> {
    let temporary = Temporary::beside(path)?;
    let mut writer = BufWriter::new(temporary.create()?);
    write(&mut writer)?;
    let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
    if let Ok(existing) = fs::metadata(path) {
        file.set_permissions(existing.permissions())?;
    }
    file.sync_all()?;
    drop(file);
    fs::rename(&temporary.path, path)?;
    sync_folder(path)?;
    Ok(())
}

/// [`write_atomic`] of bytes at hand.
///
/// # Errors
/// The first error of the operating system.
pub fn write_bytes_atomic(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_atomic(path, |writer| writer.write_all(bytes))
}

/// The name of a temporary file; removes the file when dropped, if it is still there.
struct Temporary {
    path: PathBuf,
}

impl Temporary {
    fn beside(path: &Path) -> io::Result<Temporary> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let name =
            path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
        let mut temporary = std::ffi::OsString::from(".");
        temporary.push(name);
        temporary.push(format!(".{}-{}.tmp", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed)));
        Ok(Temporary { path: path.with_file_name(temporary) })
    }

    fn create(&self) -> io::Result<File> {
        File::create_new(&self.path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After the rename nothing is left to remove.
        let _ = fs::remove_file(&self.path);
    }
}

/// Makes the rename itself durable, where folders can be opened.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn replaces_the_file_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights");
        write_bytes_atomic(&path, b"old").unwrap();
        write_bytes_atomic(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["weights"]);
    }

    #[test]
    fn a_failure_keeps_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights");
        write_bytes_atomic(&path, b"old").unwrap();
        let failed = write_atomic(&path, |writer| {
            writer.write_all(b"half of it")?;
            Err(io::Error::other("no space"))
        });
        assert_eq!(failed.unwrap_err().to_string(), "no space");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["weights"]);
    }

    #[test]
    fn a_path_without_a_name_is_refused() {
        assert!(write_bytes_atomic(Path::new("/"), b"").is_err());
    }
}

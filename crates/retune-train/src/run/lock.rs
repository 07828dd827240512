//! One process at a time works in the folder of a run.

use crate::error::TrainError;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

/// The lock of a folder. The system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code)] File);

impl Lock {
    /// Takes the lock.
    ///
    /// # Errors
    /// Another process has it, or the lock file cannot be made.
    pub fn take(root: &Path) -> Result<Lock, TrainError> {
        let path = root.join(".lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(TrainError::write(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock(file)),
            Err(TryLockError::WouldBlock) => Err(TrainError::Locked { path: root.to_owned() }),
            Err(TryLockError::Error(source)) => Err(TrainError::Write { path, source }),
        }
    }
}

/// Whether a process works in the folder at this moment.
pub fn is_taken(root: &Path) -> bool {
    let Ok(file) = File::open(root.join(".lock")) else { return false };
    // Shared, so that those who look do not keep each other out; let go of at once.
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

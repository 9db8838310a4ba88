//! Advisory locks on files.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

/// Whether it could be locked for this process alone.
pub(super) fn try_exclusive(file: &File) -> io::Result<bool> {
    attempt(file, FlockOperation::NonBlockingLockExclusive)
}

/// Whether it could be locked together with others.
pub(super) fn try_shared(file: &File) -> io::Result<bool> {
    attempt(file, FlockOperation::NonBlockingLockShared)
}

/// Gives the lock back, whoever else has the same opened file.
pub(super) fn unlock(file: &File) {
    if let Err(error) = rustix::fs::flock(file, FlockOperation::Unlock) {
        tracing::error!(%error, "a lock cannot be given back");
    }
}

fn attempt(file: &File, operation: FlockOperation) -> io::Result<bool> {
    match rustix::fs::flock(file, operation) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// A file that exists while it is locked, and is removed by whoever unlocks it.
#[derive(Debug)]
pub struct FileLock {
    path: PathBuf,
    file: File,
}

/// How often a lock that another agent has is tried.
const AGAIN: Duration = Duration::from_millis(100);

impl FileLock {
    /// Waits until nobody else has it.
    ///
    /// # Errors
    ///
    /// The file cannot be made or locked.
    pub async fn acquire(path: &Path) -> io::Result<Self> {
        loop {
            if let Some(lock) = Self::attempt(path)? {
                return Ok(lock);
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    fn attempt(path: &Path) -> io::Result<Option<Self>> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        if !try_exclusive(&file)? {
            return Ok(None);
        }
        // Whoever had it may have removed the name between the two lines above.
        let same = match fs::metadata(path) {
            Ok(named) => named.ino() == file.metadata()?.ino(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        Ok(same.then(|| Self { path: path.to_owned(), file }))
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Still locked: nobody else can have it under this name.
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(path = %self.path.display(), %error, file = ?self.file, "a lock's file stays");
        }
    }
}

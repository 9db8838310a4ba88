//! Modules on disk.
//!
//! Below the folder of the store (`--cache-dir`):
//!
//! | path | holds |
//! |---|---|
//! | `<sha256 of the name>/<checksum>.wasm` | what Envoy is told of, where Istio's agent has it: a hard link to a blob |
//! | `.meshloom/blobs/<sha256>` | each module once, by its own SHA-256 |
//! | `.meshloom/journal` | what the names of files do not say: tags, versions, use, signatures |
//! | `.meshloom/lock` | locked while anything of this is changed |
//! | `.meshloom/tmp/`, `.meshloom/flights/` | downloads that go on, and locks of their sources |
//!
//! The name is the URL for HTTP, and registry and repository for OCI; the checksum is the module's SHA-256 for HTTP, and
//! the manifest's for OCI.
//!
//! A file gets its name by `rename` or `link` once its bytes are on disk, so whatever has a name is whole, and the agent
//! may be killed at any step. The journal is written last; what it lacks is read back from the names of files, and all
//! that is lost with it is which tag meant what. Each file is hashed once after a start, before Envoy is told of it.
//!
//! Files are readable by everybody (0644, folders 0755), because Envoy may run under another user; pull secrets are never
//! written, of their identity only a keyed hash (the key is 0600).
//!
//! Several agents of one user may share a folder: changes are made under an advisory lock (`flock`), and whoever uses a
//! module holds a shared lock on its blob, which ends with the process, however that ends. Nothing that is locked so is
//! evicted by anybody.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::{Held, Reason, Sha256, Unavailable};

pub mod bundle;
mod evict;
mod fault;
mod files;
mod folder;
mod journal;
mod lock;
mod open;
mod options;
mod put;
mod state;

pub use evict::Collected;
pub use fault::{Faults, Step};
pub use files::{Checked, Files};
pub use folder::Source;
pub use lock::FileLock;
pub use options::StoreOptions;
pub use state::{Listed, Resolution};

use journal::Record;
use open::Writer;

/// A folder of modules that this agent writes.
pub struct Store {
    files: Files,
    /// Held while anything on disk is changed, by whoever of this process does it.
    writer: Mutex<Writer>,
    bytes: u64,
    expiry: Duration,
    faults: Faults,
    /// By which credentials are hashed.
    salt: [u8; 32],
    /// The identity of those who need none.
    anybody: Sha256,
    temporary: PathBuf,
}

impl Store {
    /// The part that only reads.
    #[must_use]
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// Where downloads have to be written so that they can be put into the store: the same file system, and a folder that
    /// is swept when its agent is gone.
    #[must_use]
    pub fn download_folder(&self) -> PathBuf {
        self.temporary.clone()
    }

    /// The module of a source, hashed if it was not since the start; its file is linked again if that has gone. What
    /// turns out to be damaged is forgotten. Blocks on the disk.
    ///
    /// # Errors
    ///
    /// [`Reason::Disk`]
    pub fn checked(&self, source: &Source) -> Result<Option<Held>, Unavailable> {
        let held = self.verified(source)?;
        if let Some(held) = &held {
            self.files.state().touch(&held.sha256);
        }
        Ok(held)
    }

    /// The same, which does not count as being asked for.
    ///
    /// # Errors
    ///
    /// [`Reason::Disk`]
    pub fn verified(&self, source: &Source) -> Result<Option<Held>, Unavailable> {
        match self.files.checked(source)? {
            Checked::Held(held) => Ok(Some(held)),
            Checked::Absent => Ok(None),
            Checked::Damaged(sha256) => {
                tracing::warn!(%sha256, folder = %self.files.folder().root().display(), "a stored module was changed on disk");
                self.forget(sha256)?;
                Ok(None)
            }
            Checked::Unlinked(sha256) => {
                self.link(source, sha256)?;
                match self.files.checked(source)? {
                    Checked::Held(held) => Ok(Some(held)),
                    _ => Ok(None),
                }
            }
        }
    }

    /// A URL was found to mean that source, for that resource at that version.
    pub fn resolved(&self, url: &str, shown: String, source: Source, resource: &str, version: &str) {
        let mut state = self.files.state();
        let url = Sha256::of(url.as_bytes());
        if state
            .resolution(&url)
            .is_some_and(|known| known.source() == source && known.version(resource) == Some(version))
        {
            return;
        }
        let (resource, version) = (resource.to_owned(), version.to_owned());
        let used = state.tick();
        state.note(Record::Url {
            url,
            shown,
            name: source.name,
            checksum: source.checksum,
            resource,
            version,
            used,
        });
    }

    /// Whoever has these credentials may have the module of that source: the registry said so.
    pub fn granted(&self, source: Source, to: &Sha256) {
        let mut state = self.files.state();
        if !state.is_granted(&source, to) {
            state.note(Record::Granted { name: source.name, checksum: source.checksum, to: *to });
        }
    }

    /// Signatures by these keys (their fingerprints) were found right for that source's checksum.
    pub fn signed(&self, source: Source, by: &[Sha256]) {
        let mut state = self.files.state();
        let known = state.signers(&source);
        for key in by.iter().filter(|key| !known.contains(key)) {
            state.note(Record::Signed { name: source.name, checksum: source.checksum, by: *key });
        }
    }

    /// A hash of credentials that means nothing outside of this store.
    #[must_use]
    pub fn identity(&self, secret: &str) -> Sha256 {
        if secret.is_empty() { self.anybody } else { identity(&self.salt, secret) }
    }

    /// The identity of those who need no credentials.
    #[must_use]
    pub fn anybody(&self) -> Sha256 {
        self.anybody
    }

    /// Takes over what other agents have written since.
    ///
    /// # Errors
    ///
    /// [`Reason::Disk`]
    pub fn refresh(&self) -> Result<(), Unavailable> {
        let mut writer = self.writer();
        let _lock = self.locked(&writer)?;
        self.catch_up(&mut writer)
    }

    /// Writes down what is not yet: use, what URLs mean, and versions of resources. What is not flushed is lost with the
    /// process, at the price of asking the source once more.
    ///
    /// # Errors
    ///
    /// [`Reason::Disk`]
    pub fn flush(&self) -> Result<(), Unavailable> {
        if !self.files.state().has_pending() {
            return Ok(());
        }
        let mut writer = self.writer();
        let _lock = self.locked(&writer)?;
        self.catch_up(&mut writer)?;
        self.write(&mut writer, &[])
    }

    /// Holds the lock of a source while it is downloaded, so that agents of one store do not do it twice. Waits.
    ///
    /// # Errors
    ///
    /// [`Reason::Disk`]
    pub async fn flight(&self, key: &Sha256) -> Result<FileLock, Unavailable> {
        let path = self.files.folder().flight(key);
        FileLock::acquire(&path).await.map_err(|error| disk(&path, "cannot lock", &error))
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self, step: Step) -> io::Result<()> {
        (self.faults)(step)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Err(error) = self.flush() {
            tracing::warn!(%error, "the journal of the store is not up to date");
        }
    }
}

/// The disk refused.
fn disk(path: &Path, doing: &str, error: &io::Error) -> Unavailable {
    Unavailable::new(Reason::Disk, format!("{doing} {}: {error}", path.display()))
}

fn identity(salt: &[u8], secret: &str) -> Sha256 {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, salt);
    Sha256::of(ring::hmac::sign(&key, secret.as_bytes()).as_ref())
}

/// Microseconds since 1970.
fn micros(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// A store that nothing fails in.
fn faultless() -> Faults {
    Arc::new(|_| Ok(()))
}

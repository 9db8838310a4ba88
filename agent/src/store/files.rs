//! The part of a store that only reads.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::folder::{Folder, Source};
use super::state::{Listed, Resolution, Stat, State};
use super::{disk, journal, lock};
use crate::{Held, Pin, Sha256, Unavailable};

/// The modules of a folder, which may be another agent's.
pub struct Files {
    folder: Folder,
    state: Mutex<State>,
}

/// A blob that is in use. Its lock ends with it, or with the process.
#[derive(Debug)]
pub(super) struct PinFile {
    file: File,
    stat: Stat,
}

impl Drop for PinFile {
    fn drop(&mut self) {
        // Closing it is not enough while a process that is just being started has the file as well: until it has become
        // another program, it holds the lock too.
        lock::unlock(&self.file);
    }
}

/// What became of looking at a module's file.
#[derive(Debug)]
pub enum Checked {
    /// It is there and whole.
    Held(Held),
    /// It is not there.
    Absent,
    /// The module is there and whole, but has no file of that source.
    Unlinked(Sha256),
    /// It is not what it was.
    Damaged(Sha256),
}

impl Files {
    pub(super) fn new(folder: Folder) -> Self {
        Self { folder, state: Mutex::default() }
    }

    /// Another agent's folder, to be looked into only.
    #[must_use]
    pub fn of_another(root: &Path) -> Self {
        Self::new(Folder::new(root))
    }

    pub(super) fn folder(&self) -> &Folder {
        &self.folder
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads again what another agent may have changed.
    ///
    /// # Errors
    ///
    /// [`crate::Reason::Disk`]. That there is nothing yet is no error.
    pub fn reload(&self) -> Result<(), Unavailable> {
        let path = self.folder.journal();
        let reading = match File::open(&path) {
            Ok(file) => journal::read(file).map_err(|error| disk(&path, "cannot read", &error))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => journal::Reading::default(),
            Err(error) => return Err(disk(&path, "cannot open", &error)),
        };
        self.state().reset(&reading.records);
        Ok(())
    }

    /// The module of a source that was hashed before and is untouched since: two system calls, no hashing.
    #[must_use]
    pub fn at_hand(&self, source: &Source) -> Option<Held> {
        let held = self.look(source)?;
        self.state().touch(&held.sha256);
        Some(held)
    }

    /// The same, which does not count as being asked for.
    fn look(&self, source: &Source) -> Option<Held> {
        let mut state = self.state();
        let sha256 = state.module_of(source)?;
        let verified = *state.verified.get(&sha256)?;
        let pin = self.pin(&mut state, &sha256).ok()??;
        // Only now: whoever evicts needs the lock that the pin has.
        let path = self.folder.path(source);
        let found = Stat::of(&fs::symlink_metadata(&path).ok()?);
        if found != verified || pin.stat != verified {
            return None;
        }
        let size = state.module(&sha256)?.size;
        Some(Held { path, sha256, checksum: source.checksum, size, pin: Pin::new(pin) })
    }

    /// The same, hashed if it must be. Does not count as being asked for. Blocks on the disk.
    ///
    /// # Errors
    ///
    /// [`crate::Reason::Disk`]
    pub fn checked(&self, source: &Source) -> Result<Checked, Unavailable> {
        if let Some(held) = self.look(source) {
            return Ok(Checked::Held(held));
        }
        let (sha256, pin, verified) = {
            let mut state = self.state();
            let Some(sha256) = state.module_of(source) else { return Ok(Checked::Absent) };
            let blob = self.folder.blob(&sha256);
            let found = fs::symlink_metadata(&blob).ok().map(|found| Stat::of(&found));
            if found != state.verified.get(&sha256).copied() {
                // What is open may be another file than what has the name now.
                state.verified.remove(&sha256);
                state.pins.remove(&sha256);
            }
            let pin = self.pin_soon(&mut state, &sha256);
            let pin = pin.map_err(|error| disk(&blob, "cannot open", &error))?;
            (sha256, pin, state.verified.get(&sha256).copied())
        };
        let Some(pin) = pin else { return Ok(Checked::Damaged(sha256)) };
        let blob = self.folder.blob(&sha256);
        let now = pin.file.metadata().map_err(|error| disk(&blob, "cannot look at", &error))?;
        if verified != Some(Stat::of(&now)) {
            let found = hash(&pin.file).map_err(|error| disk(&blob, "cannot read", &error))?;
            let after = pin.file.metadata().map_err(|error| disk(&blob, "cannot look at", &error))?;
            if found != sha256 || Stat::of(&now) != Stat::of(&after) {
                return Ok(Checked::Damaged(sha256));
            }
            let mut state = self.state();
            state.verified.insert(sha256, Stat::of(&now));
            // Opened when the file looked otherwise: not to be had again.
            if pin.stat != Stat::of(&now) {
                state.pins.remove(&sha256);
            }
        }
        Ok(self.look(source).map_or(Checked::Unlinked(sha256), Checked::Held))
    }

    /// As [`pin`](Self::pin); waits for whoever looks whether it can be evicted.
    fn pin_soon(&self, state: &mut State, sha256: &Sha256) -> io::Result<Option<Arc<PinFile>>> {
        for _ in 0..100 {
            match self.pin(state, sha256) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    std::thread::sleep(std::time::Duration::from_millis(2));
                }
                other => return other,
            }
        }
        Ok(None)
    }

    /// Keeps the module from being evicted by any agent. None, if it is not there; `WouldBlock`, if it may just be
    /// evicted.
    pub(super) fn pin(&self, state: &mut State, sha256: &Sha256) -> io::Result<Option<Arc<PinFile>>> {
        let verified = state.verified.get(sha256);
        if let Some(pin) = state.pins.get(sha256).and_then(std::sync::Weak::upgrade)
            && verified.is_none_or(|verified| pin.stat == *verified)
        {
            return Ok(Some(pin));
        }
        let file = match File::open(self.folder.blob(sha256)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if !lock::try_shared(&file)? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let metadata = file.metadata()?;
        if std::os::unix::fs::MetadataExt::nlink(&metadata) == 0 {
            return Ok(None);
        }
        let pin = Arc::new(PinFile { file, stat: Stat::of(&metadata) });
        state.pins.retain(|_, pin| pin.strong_count() > 0);
        state.pins.insert(*sha256, Arc::downgrade(&pin));
        Ok(Some(pin))
    }

    /// Whether the module of that source is known, whole or not.
    #[must_use]
    pub fn knows(&self, source: &Source) -> bool {
        self.state().module_of(source).is_some()
    }

    /// All sources, those of the modules first that were asked for last.
    #[must_use]
    pub fn sources(&self) -> Vec<Source> {
        let state = self.state();
        let mut modules: Vec<_> = state.modules().map(|(sha256, module)| (module.used, sha256)).collect();
        modules.sort_unstable_by(|one, other| other.cmp(one));
        modules.iter().flat_map(|(_, sha256)| state.sources_of(sha256)).collect()
    }

    /// What a URL was last found to mean.
    #[must_use]
    pub fn resolution(&self, url: &str) -> Option<Resolution> {
        self.state().resolution(&Sha256::of(url.as_bytes())).cloned()
    }

    /// What a URL means, and whether it is that for this version of the resource.
    #[must_use]
    pub fn meaning(&self, url: &str, resource: &str, version: &str) -> Option<(Source, bool)> {
        let state = self.state();
        let known = state.resolution(&Sha256::of(url.as_bytes()))?;
        Some((known.source(), known.version(resource) == Some(version)))
    }

    /// Whether these credentials were seen to open that source.
    #[must_use]
    pub fn is_granted(&self, source: &Source, to: &Sha256) -> bool {
        self.state().is_granted(source, to)
    }

    /// The fingerprints of keys whose signatures were found right for that source.
    #[must_use]
    pub fn signers(&self, source: &Source) -> Vec<Sha256> {
        self.state().signers(source)
    }

    /// How many modules there are, and their bytes.
    #[must_use]
    pub fn holds(&self) -> (u64, u64) {
        let state = self.state();
        (u64::try_from(state.count()).unwrap_or(u64::MAX), state.bytes())
    }

    /// All modules, those first that were asked for last.
    #[must_use]
    pub fn list(&self) -> Vec<Listed> {
        let state = self.state();
        let mut all: Vec<Listed> = state
            .modules()
            .map(|(sha256, module)| {
                let sources: Vec<Source> = state.sources_of(&sha256).collect();
                let checksums: BTreeSet<Sha256> = sources.iter().map(|source| source.checksum).collect();
                Listed {
                    sha256,
                    size: module.size,
                    used: module.used,
                    pinned: self.is_pinned(&sha256),
                    paths: sources.iter().map(|source| self.folder.path(source)).collect(),
                    urls: state.urls_of(&sha256),
                    checksums: checksums.into_iter().collect(),
                }
            })
            .collect();
        all.sort_by_key(|listed| (std::cmp::Reverse(listed.used), listed.sha256));
        all
    }

    /// Whether any agent uses the module. In doubt, yes.
    fn is_pinned(&self, sha256: &Sha256) -> bool {
        let Ok(file) = File::open(self.folder.blob(sha256)) else { return false };
        !lock::try_exclusive(&file).unwrap_or(false)
    }
}

/// The SHA-256 of a file, read piece by piece.
fn hash(file: &File) -> io::Result<Sha256> {
    use sha2::Digest as _;
    let mut hasher = sha2::Sha256::new();
    let mut piece = vec![0; 64 * 1024];
    let mut at = 0;
    loop {
        match std::os::unix::fs::FileExt::read_at(file, &mut piece, at)? {
            0 => return Ok(Sha256::from_hasher(hasher)),
            read => {
                hasher.update(piece.get(..read).unwrap_or_default());
                at = at.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_that_is_gone_locks_nothing_even_if_a_process_being_started_has_its_file() {
        let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        let file = File::open(&path).unwrap();
        assert!(lock::try_shared(&file).unwrap());
        // What fork gives to a child until it is another program.
        let inherited = file.try_clone().unwrap();
        let pin = PinFile { stat: Stat::of(&file.metadata().unwrap()), file };
        let mine = File::open(&path).unwrap();
        assert!(!lock::try_exclusive(&mine).unwrap());
        drop(pin);
        assert!(lock::try_exclusive(&mine).unwrap());
        drop(inherited);
    }
}

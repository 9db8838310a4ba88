//! How a store is opened, what it takes over from others, and how it writes its journal.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rand::RngCore as _;
use tempfile::{NamedTempFile, TempDir};

use super::folder::{Folder, make, remove, sync};
use super::journal::{self, Record};
use super::{Faults, Files, Step, Store, StoreOptions, disk, faultless, lock, micros};
use crate::{Reason, Sha256, Unavailable};

/// What is needed to change anything.
pub(super) struct Writer {
    lock: Arc<File>,
    journal: File,
    /// So much of the journal is known.
    known: u64,
    /// Whether the last line of that is complete.
    ended: bool,
    /// The journal is written anew when it is longer.
    compact_at: u64,
    pub(super) temporary: TempDir,
    /// Locked as long as this agent lives.
    _temporary_lock: File,
}

/// The store's lock, held. Another agent's changes wait.
pub(super) struct Locked(Arc<File>);

impl Drop for Locked {
    fn drop(&mut self) {
        lock::unlock(&self.0);
    }
}

/// How long another agent may take for one change.
const PATIENCE: Duration = Duration::from_secs(30);

/// The journal is not written anew before it has so many bytes.
const SHORT: u64 = 1 << 20;

impl Store {
    /// Opens the folder, and makes it if there is none. Whatever an agent that was killed has left is put right.
    ///
    /// # Errors
    ///
    /// [`Reason::Disk`]
    pub fn open(options: &StoreOptions) -> Result<Self, Unavailable> {
        Self::open_with(options, faultless())
    }

    /// The same, with steps at which the disk refuses.
    ///
    /// # Errors
    ///
    /// [`Reason::Disk`]
    pub fn open_with(options: &StoreOptions, faults: Faults) -> Result<Self, Unavailable> {
        let folder = Folder::new(&options.folder);
        let failed = |doing: &'static str| {
            let root = options.folder.clone();
            move |error: io::Error| disk(&root, doing, &error)
        };
        for path in [folder.root(), &folder.own(), &folder.blobs(), &folder.temporary(), &folder.flights()] {
            make(path).map_err(|error| disk(path, "cannot make the folder", &error))?;
        }
        let lock = open(&folder.lock()).map_err(failed("cannot make a lock in"))?;
        let lock = Arc::new(lock);
        let locked = acquire(&lock, &folder.lock())?;
        sweep(&folder);
        let temporary = tempfile::Builder::new()
            .prefix("agent-")
            .tempdir_in(folder.temporary())
            .map_err(failed("cannot make a folder in"))?;
        let temporary_lock = File::open(temporary.path()).map_err(failed("cannot open a folder in"))?;
        lock::try_exclusive(&temporary_lock).map_err(failed("cannot lock a folder in"))?;
        let salt = salt(&folder, temporary.path()).map_err(failed("cannot make a key in"))?;
        let journal = open(&folder.journal()).map_err(failed("cannot open the journal of"))?;
        let writer = Writer {
            lock,
            journal,
            known: 0,
            ended: true,
            compact_at: SHORT,
            temporary,
            _temporary_lock: temporary_lock,
        };
        let store = Self {
            salt,
            anybody: super::identity(&salt, ""),
            temporary: writer.temporary.path().to_owned(),
            files: Files::new(folder),
            writer: Mutex::new(writer),
            bytes: options.bytes,
            expiry: options.expiry,
            faults,
        };
        let mut writer = store.writer();
        let damaged = store.read_on(&mut writer)?;
        if damaged > 0 {
            tracing::warn!(
                lines = damaged,
                folder = %options.folder.display(),
                "the journal of the store is damaged: what it lacks is read from the names of files"
            );
        }
        store.scan().map_err(failed("cannot look through"))?;
        if damaged > 0 || writer.known > SHORT {
            store.compact(&mut writer)?;
        } else {
            store.write(&mut writer, &[])?;
        }
        drop(writer);
        drop(locked);
        Ok(store)
    }

    pub(super) fn locked(&self, writer: &Writer) -> Result<Locked, Unavailable> {
        acquire(&writer.lock, &self.files.folder().lock())
    }

    /// Adds what files say and the journal does not.
    pub(super) fn scan(&self) -> io::Result<()> {
        let folder = self.files.folder();
        let mut state = self.files.state();
        let mut blobs = HashMap::new();
        for sha256 in folder.all_blobs()? {
            let Ok(metadata) = fs::metadata(folder.blob(&sha256)) else { continue };
            blobs.insert((metadata.dev(), metadata.ino()), sha256);
            if state.module(&sha256).is_none() {
                let used = metadata.modified().map_or(0, micros);
                state.note(Record::Module { sha256, size: metadata.len(), used });
            }
        }
        for source in folder.sources()? {
            let Ok(metadata) = fs::symlink_metadata(folder.path(&source)) else { continue };
            let Some(sha256) = blobs.get(&(metadata.dev(), metadata.ino())) else { continue };
            if state.module_of(&source).is_none() {
                state.note(Record::Source { name: source.name, checksum: source.checksum, sha256: *sha256 });
            }
        }
        let gone: Vec<Sha256> = state
            .modules()
            .map(|(sha256, _)| sha256)
            .filter(|sha256| !folder.blob(sha256).exists())
            .collect();
        for sha256 in gone {
            let linked = state
                .sources_of(&sha256)
                .any(|source| fs::hard_link(folder.path(&source), folder.blob(&sha256)).is_ok());
            if !linked {
                state.note(Record::Forget { sha256 });
            }
        }
        Ok(())
    }

    /// Takes over what other agents have written. The store must be locked.
    pub(super) fn catch_up(&self, writer: &mut Writer) -> Result<(), Unavailable> {
        let path = self.files.folder().journal();
        let failed = |error: io::Error| disk(&path, "cannot read", &error);
        let mine = writer.journal.metadata().map_err(failed)?;
        match fs::metadata(&path) {
            Ok(named) if named.ino() == mine.ino() && named.len() >= writer.known => {
                self.read_on(writer).map(drop)
            }
            // Another agent wrote it anew.
            Ok(_) => {
                writer.journal = open(&path).map_err(failed)?;
                let reading = journal::read(&mut writer.journal).map_err(failed)?;
                writer.known = writer.journal.metadata().map_err(failed)?.len();
                writer.ended = reading.ended;
                self.files.state().reset(&reading.records);
                // What only links say would be forgotten otherwise.
                self.scan().map_err(failed)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.compact(writer),
            Err(error) => Err(failed(error)),
        }
    }

    /// Reads what is new in the journal: how many lines say nothing.
    fn read_on(&self, writer: &mut Writer) -> Result<usize, Unavailable> {
        let path = self.files.folder().journal();
        let failed = |error: io::Error| disk(&path, "cannot read", &error);
        let length = writer.journal.metadata().map_err(failed)?.len();
        if length == writer.known {
            return Ok(0);
        }
        writer.journal.seek(SeekFrom::Start(writer.known)).map_err(failed)?;
        let reading = journal::read(&mut writer.journal).map_err(failed)?;
        let mut state = self.files.state();
        reading.records.iter().for_each(|record| state.apply(record));
        writer.known = length;
        writer.ended = reading.ended;
        Ok(reading.damaged)
    }

    /// Appends what is pending and these. The store must be locked, and caught up with.
    pub(super) fn write(&self, writer: &mut Writer, records: &[Record]) -> Result<(), Unavailable> {
        let pending = {
            let mut state = self.files.state();
            records.iter().for_each(|record| state.apply(record));
            let mut pending = state.take_pending();
            pending.extend_from_slice(records);
            pending
        };
        if pending.is_empty() {
            return Ok(());
        }
        match self.append(writer, &pending) {
            Ok(()) if writer.known > writer.compact_at => self.compact(writer),
            Ok(()) => Ok(()),
            Err(error) => {
                self.files.state().put_back(pending);
                // What is torn would spoil the next line.
                if writer.journal.set_len(writer.known).is_err() {
                    writer.ended = false;
                }
                Err(disk(&self.files.folder().journal(), "cannot write", &error))
            }
        }
    }

    fn append(&self, writer: &mut Writer, records: &[Record]) -> io::Result<()> {
        let mut lines = journal::lines(records)?;
        if !writer.ended {
            lines.insert(0, b'\n');
        }
        writer.journal.seek(SeekFrom::End(0))?;
        let (begin, end) = lines.split_at(lines.len() / 2);
        writer.journal.write_all(begin)?;
        self.step(Step::JournalTorn)?;
        writer.journal.write_all(end)?;
        self.step(Step::JournalWritten)?;
        writer.journal.sync_data()?;
        self.step(Step::JournalSynced)?;
        writer.known = writer.journal.metadata()?.len();
        writer.ended = true;
        Ok(())
    }

    /// Writes the journal anew, as short as it can be. The store must be locked, and caught up with.
    pub(super) fn compact(&self, writer: &mut Writer) -> Result<(), Unavailable> {
        let (records, pending) = {
            let mut state = self.files.state();
            (state.snapshot(), state.take_pending())
        };
        match self.rewrite(writer, &records) {
            Ok(()) => Ok(()),
            Err(error) => {
                self.files.state().put_back(pending);
                Err(disk(&self.files.folder().journal(), "cannot write", &error))
            }
        }
    }

    fn rewrite(&self, writer: &mut Writer, records: &[Record]) -> io::Result<()> {
        let mut file = NamedTempFile::new_in(writer.temporary.path())?;
        file.write_all(&journal::lines(records)?)?;
        file.as_file().set_permissions(Permissions::from_mode(0o644))?;
        file.as_file().sync_all()?;
        self.step(Step::Compacted)?;
        let path = self.files.folder().journal();
        file.persist(&path).map_err(|error| error.error)?;
        self.step(Step::CompactedNamed)?;
        sync(&self.files.folder().own())?;
        writer.journal = open(&path)?;
        writer.known = writer.journal.metadata()?.len();
        writer.ended = true;
        writer.compact_at = writer.known.saturating_mul(4).max(SHORT);
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
    // Whatever the umask: others may look.
    if file.metadata()?.mode() & 0o777 != 0o644 {
        file.set_permissions(Permissions::from_mode(0o644))?;
    }
    Ok(file)
}

fn acquire(file: &Arc<File>, path: &Path) -> Result<Locked, Unavailable> {
    let began = Instant::now();
    loop {
        match lock::try_exclusive(file) {
            Ok(true) => return Ok(Locked(file.clone())),
            Ok(false) if began.elapsed() > PATIENCE => {
                let message = format!("{} has been locked by another agent for {PATIENCE:?}", path.display());
                return Err(Unavailable::new(Reason::Disk, message));
            }
            Ok(false) => std::thread::sleep(Duration::from_millis(2)),
            Err(error) => return Err(disk(path, "cannot lock", &error)),
        }
    }
}

/// Removes what dead agents were downloading. The store must be locked.
pub(super) fn sweep(folder: &Folder) {
    let Ok(entries) = fs::read_dir(folder.temporary()) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let dead = File::open(&path).is_ok_and(|file| lock::try_exclusive(&file).unwrap_or(false));
        if dead && let Err(error) = fs::remove_dir_all(&path).or_else(|_| remove(&path)) {
            tracing::warn!(path = %path.display(), %error, "what a dead agent was downloading cannot be removed");
        }
    }
}

/// The key by which credentials are hashed, made if there is none.
fn salt(folder: &Folder, temporary: &Path) -> io::Result<[u8; 32]> {
    let path = folder.salt();
    let mut salt = [0; 32];
    if let Ok(mut file) = File::open(&path)
        && file.read_exact(&mut salt).is_ok()
    {
        return Ok(salt);
    }
    rand::rng().fill_bytes(&mut salt);
    let mut file = NamedTempFile::new_in(temporary)?;
    file.as_file().set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(&salt)?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    sync(&folder.own())?;
    Ok(salt)
}

//! Records on disk: a file for each name, in a folder that is the agent's own.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use super::{MAX_RECORDS, MAX_RESOURCE, Memory, Record, RecordedModule};
use crate::trust::PublicKey;
use crate::{PullPolicy, Sha256, Wanted};

/// A record in base64, and what is around it.
const MAX_FILE: u64 = 2 * MAX_RESOURCE as u64;
const EXTENSION: &str = "last-good";

/// Records on disk. Writing goes on in a thread of its own, and ends with the last when this is dropped.
pub struct Folder {
    path: PathBuf,
    queue: Arc<Queue>,
    writer: Option<JoinHandle<()>>,
}

/// What is to be written, by name: only the newest of each.
#[derive(Default)]
struct Queue {
    state: Mutex<Pending>,
    changed: Condvar,
}

#[derive(Default)]
struct Pending {
    /// Nothing, for what is to be forgotten.
    records: BTreeMap<String, Option<Record>>,
    busy: bool,
    closed: bool,
}

/// A record as it is written, after a line with the SHA-256 of all that follows.
#[derive(Serialize, Deserialize)]
struct Stored {
    name: String,
    resource: String,
    module: Option<StoredModule>,
}

#[derive(Serialize, Deserialize)]
struct StoredModule {
    url: String,
    checksum: String,
    resource_version: String,
    timeout_milliseconds: u64,
    /// The verification key: its DER in base64. Those who wrote records before there were any have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verification_key: Option<String>,
    sha256: String,
    path: PathBuf,
}

impl Folder {
    /// Records in that folder, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// The folder can neither be made nor be used.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        fs::create_dir_all(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o700))?;
        let queue = Arc::new(Queue::default());
        let writer = std::thread::Builder::new().name("last-good".into()).spawn({
            let (path, queue) = (path.clone(), Arc::clone(&queue));
            move || queue.write_to(&path)
        })?;
        Ok(Self { path, queue, writer: Some(writer) })
    }

    /// Waits until all that was to be written is on disk.
    pub fn flush(&self) {
        let mut state = self.queue.state();
        while state.busy || !state.records.is_empty() {
            state = self.queue.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn queue(&self, name: &str, record: Option<Record>) {
        self.queue.state().records.insert(name.to_owned(), record);
        self.queue.changed.notify_all();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.queue.state().closed = true;
        self.queue.changed.notify_all();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

impl Memory for Folder {
    fn load(&self) -> Vec<(String, Record)> {
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) => {
                tracing::warn!(folder = %self.path.display(), %error, "last-good resources cannot be read");
                return Vec::new();
            }
        };
        let mut records = Vec::new();
        for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
            if path.extension().is_none_or(|extension| extension != EXTENSION) || records.len() >= MAX_RECORDS
            {
                continue;
            }
            match read(&path) {
                Ok(record) => records.push(record),
                Err(error) => {
                    tracing::warn!(file = %path.display(), %error, "a last-good resource is ignored");
                }
            }
        }
        records
    }

    fn keep(&self, name: &str, record: &Record) {
        self.queue(name, Some(record.clone()));
    }

    fn forget(&self, name: &str) {
        self.queue(name, None);
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, Pending> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next to be written; nothing once all is written and nothing more will come.
    fn next(&self) -> Option<(String, Option<Record>)> {
        let mut state = self.state();
        state.busy = false;
        self.changed.notify_all();
        loop {
            if let Some(next) = state.records.pop_first() {
                state.busy = true;
                return Some(next);
            }
            if state.closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn write_to(&self, folder: &Path) {
        while let Some((name, record)) = self.next() {
            let path = folder.join(file_name(&name));
            let written = match &record {
                Some(record) => write(folder, &path, &name, record),
                None => match fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                    _ => Ok(()),
                },
            };
            if let Err(error) = written {
                tracing::warn!(resource = ?name, %error, "a last-good resource is not remembered");
            }
        }
    }
}

fn file_name(name: &str) -> String {
    format!("{}.{EXTENSION}", Sha256::of(name.as_bytes()))
}

fn write(folder: &Path, path: &Path, name: &str, record: &Record) -> io::Result<()> {
    let stored = Stored {
        name: name.to_owned(),
        resource: BASE64.encode(&record.resource),
        module: record.module.as_ref().map(|module| StoredModule {
            url: module.wanted.url.clone(),
            checksum: module.wanted.checksum.map(|checksum| checksum.to_string()).unwrap_or_default(),
            resource_version: module.wanted.resource_version.clone(),
            timeout_milliseconds: u64::try_from(module.wanted.timeout.as_millis()).unwrap_or(u64::MAX),
            verification_key: module.wanted.verification_key.as_ref().map(|key| BASE64.encode(key.der())),
            sha256: module.sha256.to_string(),
            path: module.path.clone(),
        }),
    };
    let text = serde_json::to_string(&stored).map_err(io::Error::other)?;
    // Temporary files are made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    writeln!(file, "{}", Sha256::of(text.as_bytes()))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(folder)?.sync_all()
}

fn read(path: &Path) -> Result<(String, Record), anyhow::Error> {
    let mut text = String::new();
    let read = File::open(path)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
    anyhow::ensure!(read as u64 <= MAX_FILE, "it is longer than {MAX_FILE} bytes");
    let (checksum, text) = text.split_once('\n').unwrap_or_default();
    anyhow::ensure!(
        checksum == Sha256::of(text.as_bytes()).to_string(),
        "its checksum is not that of its content"
    );
    let stored: Stored = serde_json::from_str(text)?;
    anyhow::ensure!(path.file_name() == Some(file_name(&stored.name).as_ref()), "it is for another name");
    let module = match stored.module {
        None => None,
        Some(module) => Some(RecordedModule {
            wanted: Wanted {
                checksum: Some(module.checksum.parse()?),
                resource_version: module.resource_version,
                policy: PullPolicy::IfNotPresent,
                verification_key: module.verification_key.map(key).transpose()?,
                ..Wanted::new(module.url, &stored.name, Duration::from_millis(module.timeout_milliseconds))
            },
            sha256: module.sha256.parse()?,
            path: module.path,
        }),
    };
    Ok((stored.name, Record { resource: BASE64.decode(stored.resource)?.into(), module }))
}

/// A record whose key cannot be read is as good as none: without its key it would ask for less.
fn key(der: String) -> Result<PublicKey, anyhow::Error> {
    PublicKey::from_der(&BASE64.decode(der)?).map_err(anyhow::Error::msg)
}

#[cfg(test)]
mod tests {
    use super::super::LastGood;
    use super::*;

    fn record(what: &str) -> Record {
        let sha256 = Sha256::of(what.as_bytes());
        Record {
            resource: bytes::Bytes::copy_from_slice(what.as_bytes()),
            module: Some(RecordedModule {
                wanted: Wanted {
                    checksum: Some(sha256),
                    resource_version: "1".into(),
                    policy: PullPolicy::IfNotPresent,
                    ..Wanted::new("https://example.com/a.wasm", "a", Duration::from_secs(30))
                },
                sha256,
                path: PathBuf::from("/modules/a.wasm"),
            }),
        }
    }

    fn only_file(folder: &Path) -> PathBuf {
        let files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        files[0].clone()
    }

    #[test]
    fn what_was_accepted_is_known_to_the_next_agent() {
        let folder = tempfile::tempdir().unwrap();
        let memory = LastGood::remembered_by(Folder::open(folder.path()).unwrap());
        memory.accepted("a", record("one"));
        memory.accepted("a", record("two"));
        memory.accepted("gone", record("three"));
        memory.forget("gone");
        drop(memory);
        let file = only_file(folder.path());
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        let memory = LastGood::remembered_by(Folder::open(folder.path()).unwrap());
        assert_eq!(memory.get("a"), Some(record("two")));
        assert_eq!(memory.get("gone"), None);
    }

    #[test]
    fn the_verification_key_of_a_module_is_remembered_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let key = PublicKey::from_pem(include_str!("../../../tests/store/fixtures/cosign.pub")).unwrap();
        let mut keyed = record("one");
        keyed.module.as_mut().unwrap().wanted.verification_key = Some(key);
        let memory = LastGood::remembered_by(Folder::open(folder.path()).unwrap());
        memory.accepted("a", keyed.clone());
        drop(memory);
        let memory = LastGood::remembered_by(Folder::open(folder.path()).unwrap());
        assert_eq!(memory.get("a"), Some(keyed));
    }

    #[test]
    fn a_file_that_was_changed_cut_off_or_renamed_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Folder::open(folder.path()).unwrap();
        let first = open();
        first.keep("a", &record("one"));
        first.flush();
        let file = only_file(folder.path());
        let whole = fs::read(&file).unwrap();
        for (what, content) in [
            ("changed", [&whole[..whole.len() - 2], b"]}"].concat()),
            ("cut off", whole[..100].to_vec()),
            ("empty", Vec::new()),
            ("no text", vec![0xff; 100]),
        ] {
            fs::write(&file, content).unwrap();
            assert_eq!(open().load(), [], "{what}");
        }
        fs::write(&file, &whole).unwrap();
        assert_eq!(open().load(), [("a".to_owned(), record("one"))]);
        fs::rename(&file, folder.path().join(file_name("b"))).unwrap();
        assert_eq!(open().load(), []);
    }

    #[test]
    fn what_is_accepted_again_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let memory = LastGood::remembered_by(Folder::open(folder.path()).unwrap());
        memory.accepted("a", record("one"));
        drop(memory);
        let file = only_file(folder.path());
        let memory = LastGood::remembered_by(Folder::open(folder.path()).unwrap());
        fs::remove_file(&file).unwrap();
        memory.accepted("a", record("one"));
        drop(memory);
        assert!(!file.exists());
    }

    #[test]
    fn no_more_is_remembered_than_may_be() {
        let memory = LastGood::default();
        for name in 0..=MAX_RECORDS {
            memory.accepted(&name.to_string(), record("one"));
        }
        assert_eq!(memory.get("0"), None);
        assert!(memory.get("1").is_some() && memory.get(&MAX_RECORDS.to_string()).is_some());
        memory.accepted("1", Record { resource: vec![0; MAX_RESOURCE + 1].into(), module: None });
        assert_eq!(memory.get("1"), None);
    }
}

//! What Envoy last accepted under each name: what goes on serving if what comes next cannot be fetched.

mod folder;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;

use crate::{Held, Library, PullPolicy, Sha256, Wanted};

pub use folder::Folder;

/// More names than any Envoy has filters.
const MAX_RECORDS: usize = 4096;
/// The largest resource that is remembered, in bytes.
const MAX_RESOURCE: usize = 1 << 20;

/// A resource that Envoy accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The resource as it was sent, an `Any`.
    pub resource: Bytes,
    /// Its module, if it had a remote one.
    pub module: Option<RecordedModule>,
}

/// The module of a resource that Envoy accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedModule {
    /// The module as it is found again: pinned to what it was, and without a secret.
    pub wanted: Wanted,
    /// The SHA-256 of the module.
    pub sha256: Sha256,
    /// The file that the resource names.
    pub path: PathBuf,
}

/// Where records outlive the agent. May take its time behind the caller's back, but must not make it wait.
pub trait Memory: Send + Sync + 'static {
    /// All that is remembered, for the start.
    fn load(&self) -> Vec<(String, Record)>;
    /// Remembers what was accepted under that name, in place of what was before.
    fn keep(&self, name: &str, record: &Record);
    /// Forgets what was accepted under that name.
    fn forget(&self, name: &str);
}

/// What Envoy last accepted under each name, for all streams together: it survives each of them.
#[derive(Default)]
pub struct LastGood {
    state: Mutex<State>,
    memory: Option<Box<dyn Memory>>,
}

#[derive(Default)]
struct State {
    /// With the number of the write that made it.
    records: HashMap<String, (u64, Record)>,
    writes: u64,
    /// Files that Envoy may still have from a stream that is over.
    lingering: Vec<(Instant, Vec<Held>)>,
}

impl Record {
    /// A resource that needed no module.
    pub(super) fn plain(resource: &[u8]) -> Self {
        // A copy: the resource may be a part of a message that is large.
        Self { resource: Bytes::copy_from_slice(resource), module: None }
    }

    /// A resource with its module.
    pub(super) fn of(resource: Bytes, wanted: &Wanted, held: &Held) -> Self {
        let wanted = Wanted {
            checksum: Some(held.checksum),
            policy: PullPolicy::IfNotPresent,
            pull_secret: None,
            ..wanted.clone()
        };
        let module = RecordedModule { wanted, sha256: held.sha256, path: held.path.clone() };
        Self { resource, module: Some(module) }
    }

    /// The module's file, if it still is there under the path that the resource names. `Ok(None)` if none is needed.
    pub(super) fn found(&self, library: &dyn Library) -> Result<Option<Held>, NotThere> {
        let Some(module) = &self.module else { return Ok(None) };
        match library.at_hand(&module.wanted) {
            Some(held) if held.sha256 == module.sha256 && held.path == module.path => Ok(Some(held)),
            _ => Err(NotThere),
        }
    }
}

/// The file that a record names is gone.
#[derive(Debug)]
pub(super) struct NotThere;

impl LastGood {
    /// What is remembered, from there on.
    #[must_use]
    pub fn remembered_by(memory: impl Memory) -> Self {
        let records = memory.load().into_iter().take(MAX_RECORDS).map(|(name, record)| (name, (0, record)));
        let state = State { records: records.collect(), ..State::default() };
        Self { state: Mutex::new(state), memory: Some(Box::new(memory)) }
    }

    /// What was last accepted under that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Record> {
        self.state().records.get(name).map(|(_, record)| record.clone())
    }

    /// The modules of all that is remembered.
    #[must_use]
    pub fn modules(&self) -> Vec<Wanted> {
        let state = self.state();
        let modules = state.records.values().filter_map(|(_, record)| record.module.as_ref());
        modules.map(|module| module.wanted.clone()).collect()
    }

    /// Envoy accepted that.
    pub fn accepted(&self, name: &str, record: Record) {
        if record.resource.len() > MAX_RESOURCE {
            return self.forget(name);
        }
        let mut state = self.state();
        if state.records.get(name).is_some_and(|(_, before)| *before == record) {
            return;
        }
        if state.records.len() >= MAX_RECORDS
            && !state.records.contains_key(name)
            && let Some(oldest) = state.oldest()
        {
            state.records.remove(&oldest);
            self.tell(|memory| memory.forget(&oldest));
        }
        self.tell(|memory| memory.keep(name, &record));
        state.writes += 1;
        let write = state.writes;
        state.records.insert(name.to_owned(), (write, record));
    }

    /// The control plane took the resource away.
    pub fn forget(&self, name: &str) {
        if self.state().records.remove(name).is_some() {
            self.tell(|memory| memory.forget(name));
        }
    }

    /// Keeps files until then: Envoy may come back for them on another stream.
    pub(super) fn linger(&self, until: Instant, held: Vec<Held>) {
        if !held.is_empty() {
            self.state().lingering.push((until, held));
        }
    }

    /// Lets files go whose time is over.
    pub(super) fn release(&self, now: Instant) {
        self.state().lingering.retain(|(until, _)| *until > now);
    }

    fn tell(&self, what: impl FnOnce(&dyn Memory)) {
        if let Some(memory) = &self.memory {
            what(memory.as_ref());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn oldest(&self) -> Option<String> {
        self.records.iter().min_by_key(|(_, (write, _))| *write).map(|(name, _)| name.clone())
    }
}

//! What is known of the modules on disk.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Weak;
use std::time::SystemTime;

use super::files::PinFile;
use super::folder::Source;
use super::journal::Record;
use super::micros;
use crate::Sha256;

/// URLs that are remembered; beyond, the one that was not asked for longest is forgotten.
const MOST_URLS: usize = 16_384;

/// Resources whose versions are remembered of one URL; beyond, all of them are asked for again.
const MOST_VERSIONS: usize = 4_096;

/// Credentials, and keys, that are remembered of one source.
const MOST_GRANTS: usize = 1_024;

/// Microseconds between two notes in the journal that a module is in use.
const USE_NOTED_AFTER: u64 = 60_000_000;

#[derive(Default)]
pub(super) struct State {
    modules: HashMap<Sha256, Module>,
    sources: BTreeMap<Source, Sha256>,
    /// Credentials that open a source. It may be one that only another store has.
    granted: HashMap<Source, BTreeSet<Sha256>>,
    /// Keys that have signed what a source has.
    signed: HashMap<Source, BTreeSet<Sha256>>,
    urls: HashMap<Sha256, Resolution>,
    /// Records that the journal does not have.
    pending: Vec<Record>,
    /// Blobs that were hashed by this process, as they were then.
    pub(super) verified: HashMap<Sha256, Stat>,
    pub(super) pins: HashMap<Sha256, Weak<PinFile>>,
    last_tick: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Module {
    pub(super) size: u64,
    /// Microseconds since 1970.
    pub(super) used: u64,
    /// The same, as the journal has it.
    noted: u64,
}

/// What a URL was last found to mean.
#[derive(Clone, Debug)]
pub struct Resolution {
    source: Source,
    shown: String,
    versions: HashMap<String, String>,
    used: u64,
}

impl Resolution {
    /// What the URL means.
    #[must_use]
    pub fn source(&self) -> Source {
        self.source
    }

    /// The version of the resource when it was last given that.
    #[must_use]
    pub fn version(&self, resource: &str) -> Option<&str> {
        self.versions.get(resource).map(String::as_str)
    }
}

/// A module of a store, for whoever looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Of the module.
    pub sha256: Sha256,
    /// Bytes.
    pub size: u64,
    /// When it was last asked for, in microseconds since 1970.
    pub used: u64,
    /// Whether some agent uses it now.
    pub pinned: bool,
    /// The files that Envoy may have been told of.
    pub paths: Vec<PathBuf>,
    /// The URLs that mean it, without user, password and query.
    pub urls: Vec<String>,
    /// What its sources are pinned by.
    pub checksums: Vec<Sha256>,
}

/// By which a file is known to be the same and untouched. (Not by `ctime`, which each hard link changes.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Stat {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }

    pub(super) fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

impl State {
    /// Adds what a record says, of whichever agent.
    pub(super) fn apply(&mut self, record: &Record) {
        match record {
            Record::Module { sha256, size, used } => {
                let module = self.modules.entry(*sha256).or_insert(Module { size: *size, used: 0, noted: 0 });
                module.size = *size;
                module.used = module.used.max(*used);
                module.noted = module.noted.max(*used);
            }
            Record::Source { name, checksum, sha256 } => {
                self.sources.insert(Source { name: *name, checksum: *checksum }, *sha256);
            }
            Record::Granted { name, checksum, to } => {
                add(&mut self.granted, Source { name: *name, checksum: *checksum }, *to);
            }
            Record::Signed { name, checksum, by } => {
                add(&mut self.signed, Source { name: *name, checksum: *checksum }, *by);
            }
            Record::Url { url, shown, name, checksum, resource, version, used } => {
                self.mean(*url, shown, Source { name: *name, checksum: *checksum }, resource, version, *used);
            }
            Record::Used { sha256, used } => {
                if let Some(module) = self.modules.get_mut(sha256) {
                    module.used = module.used.max(*used);
                    module.noted = module.noted.max(*used);
                }
            }
            Record::Forget { sha256 } => self.forget(sha256),
        }
    }

    /// Adds what a record says, and remembers to write it down.
    pub(super) fn note(&mut self, record: Record) {
        self.apply(&record);
        self.pending.push(record);
    }

    fn mean(&mut self, url: Sha256, shown: &str, source: Source, resource: &str, version: &str, used: u64) {
        let known = self.urls.entry(url).or_insert_with(|| Resolution {
            source,
            shown: shown.to_owned(),
            versions: HashMap::new(),
            used,
        });
        known.source = source;
        known.used = known.used.max(used);
        if known.versions.len() >= MOST_VERSIONS && !known.versions.contains_key(resource) {
            known.versions.clear();
        }
        known.versions.insert(resource.to_owned(), version.to_owned());
        if self.urls.len() > MOST_URLS {
            let oldest = self.urls.iter().min_by_key(|(_, known)| known.used).map(|(url, _)| *url);
            oldest.and_then(|oldest| self.urls.remove(&oldest));
        }
    }

    fn forget(&mut self, sha256: &Sha256) {
        self.modules.remove(sha256);
        self.verified.remove(sha256);
        let gone: Vec<Source> = self.sources_of(sha256).collect();
        for source in gone {
            self.sources.remove(&source);
            self.granted.remove(&source);
            self.signed.remove(&source);
        }
        let sources = &self.sources;
        // By whichever tag it was found: none of them may go on to mean what is not there.
        self.urls.retain(|_, known| sources.contains_key(&known.source));
    }

    /// Now, later than whatever was before.
    pub(super) fn tick(&mut self) -> u64 {
        self.last_tick = micros(SystemTime::now()).max(self.last_tick + 1);
        self.last_tick
    }

    /// The module was asked for.
    pub(super) fn touch(&mut self, sha256: &Sha256) {
        let used = self.tick();
        let Some(module) = self.modules.get_mut(sha256) else { return };
        module.used = used;
        if used.saturating_sub(module.noted) > USE_NOTED_AFTER {
            module.noted = used;
            self.pending.push(Record::Used { sha256: *sha256, used });
        }
    }

    pub(super) fn module_of(&self, source: &Source) -> Option<Sha256> {
        self.sources.get(source).copied()
    }

    pub(super) fn module(&self, sha256: &Sha256) -> Option<Module> {
        self.modules.get(sha256).copied()
    }

    pub(super) fn modules(&self) -> impl Iterator<Item = (Sha256, Module)> {
        self.modules.iter().map(|(sha256, module)| (*sha256, *module))
    }

    pub(super) fn sources_of(&self, sha256: &Sha256) -> impl Iterator<Item = Source> {
        self.sources.iter().filter(move |(_, of)| *of == sha256).map(|(source, _)| *source)
    }

    pub(super) fn resolution(&self, url: &Sha256) -> Option<&Resolution> {
        self.urls.get(url)
    }

    pub(super) fn urls_of(&self, sha256: &Sha256) -> Vec<String> {
        let means = |known: &&Resolution| self.module_of(&known.source) == Some(*sha256);
        let urls: BTreeSet<String> =
            self.urls.values().filter(means).map(|known| known.shown.clone()).collect();
        urls.into_iter().collect()
    }

    pub(super) fn is_granted(&self, source: &Source, to: &Sha256) -> bool {
        self.granted.get(source).is_some_and(|granted| granted.contains(to))
    }

    pub(super) fn signers(&self, source: &Source) -> Vec<Sha256> {
        self.signed.get(source).map(|signed| signed.iter().copied().collect()).unwrap_or_default()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.modules.values().fold(0, |sum, module| sum.saturating_add(module.size))
    }

    pub(super) fn count(&self) -> usize {
        self.modules.len()
    }

    pub(super) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    pub(super) fn take_pending(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.pending)
    }

    /// They could not be written.
    pub(super) fn put_back(&mut self, mut records: Vec<Record>) {
        records.append(&mut self.pending);
        self.pending = records;
    }

    /// Begins anew, from a journal that was written anew. What only this process knows stays.
    pub(super) fn reset(&mut self, records: &[Record]) {
        self.modules.clear();
        self.sources.clear();
        self.urls.clear();
        self.granted.clear();
        self.signed.clear();
        records.iter().for_each(|record| self.apply(record));
        let pending = self.take_pending();
        pending.iter().for_each(|record| self.apply(record));
        self.pending = pending;
        let modules = &self.modules;
        self.verified.retain(|sha256, _| modules.contains_key(sha256));
    }

    /// All that has to be written to know the same again.
    pub(super) fn snapshot(&self) -> Vec<Record> {
        let modules = self.modules.iter().map(|(sha256, module)| Record::Module {
            sha256: *sha256,
            size: module.size,
            used: module.used,
        });
        let sources = self.sources.iter().map(|(Source { name, checksum }, sha256)| Record::Source {
            name: *name,
            checksum: *checksum,
            sha256: *sha256,
        });
        let granted = self.granted.iter().flat_map(|(Source { name, checksum }, granted)| {
            granted.iter().map(|to| Record::Granted { name: *name, checksum: *checksum, to: *to })
        });
        let signed = self.signed.iter().flat_map(|(Source { name, checksum }, signed)| {
            signed.iter().map(|by| Record::Signed { name: *name, checksum: *checksum, by: *by })
        });
        let urls = self.urls.iter().flat_map(|(url, known)| {
            known.versions.iter().map(|(resource, version)| Record::Url {
                url: *url,
                shown: known.shown.clone(),
                name: known.source.name,
                checksum: known.source.checksum,
                resource: resource.clone(),
                version: version.clone(),
                used: known.used,
            })
        });
        modules.chain(sources).chain(granted).chain(signed).chain(urls).collect()
    }
}

/// Beyond the limits, all are asked for again.
fn add(to: &mut HashMap<Source, BTreeSet<Sha256>>, source: Source, what: Sha256) {
    if to.len() >= MOST_URLS && !to.contains_key(&source) {
        to.clear();
    }
    let known = to.entry(source).or_default();
    if known.len() >= MOST_GRANTS {
        known.clear();
    }
    known.insert(what);
}

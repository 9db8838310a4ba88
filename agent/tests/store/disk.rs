//! The store on its own: room, faults, damage.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use meshloom_agent::store::{Faults, Source, Step, Store, StoreOptions};
use meshloom_agent::{Held, Reason, Sha256, Unavailable};

use crate::registry::{module, written};

fn source(name: &str) -> Source {
    Source { name: Sha256::of(b"name"), checksum: Sha256::of(name.as_bytes()) }
}

fn open(folder: &Path) -> Store {
    Store::open(&StoreOptions::at(folder)).unwrap()
}

fn put(store: &Store, name: &str) -> Result<Held, Unavailable> {
    store.put(written(&store.download_folder(), &module(name)), &[source(name)])
}

fn knows(store: &Store, name: &str) -> bool {
    store.checked(&source(name)).unwrap().is_some()
}

#[test]
fn a_module_of_many_sources_is_there_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let first = put(&store, "a").unwrap();
    let other = Source { name: Sha256::of(b"other name"), checksum: Sha256::of(b"other") };
    let second = store.put(written(&store.download_folder(), &module("a")), &[other]).unwrap();
    assert_ne!(first.path, second.path);
    let inode = |held: &Held| fs::metadata(&held.path).unwrap().ino();
    assert_eq!(inode(&first), inode(&second));
    assert_eq!(store.files().holds(), (1, module("a").len() as u64));
    assert_eq!(store.files().list()[0].paths.len(), 2);
    assert!(store.files().list()[0].pinned);
}

#[test]
fn everybody_may_read_modules_and_nobody_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let held = put(&open(folder.path()), "a").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&held.path), 0o644);
    assert_eq!(mode(held.path.parent().unwrap()), 0o755);
    assert_eq!(mode(&folder.path().join(".meshloom/salt")), 0o600);
}

#[test]
fn what_was_not_used_longest_makes_room() {
    let folder = tempfile::tempdir().unwrap();
    let size = module("a").len() as u64;
    let store = Store::open(&StoreOptions { bytes: 2 * size, ..StoreOptions::at(folder.path()) }).unwrap();
    put(&store, "a").unwrap();
    put(&store, "b").unwrap();
    assert!(store.files().at_hand(&source("a")).is_some());
    put(&store, "c").unwrap();
    assert_eq!(["a", "b", "c"].map(|name| knows(&store, name)), [true, false, true]);
}

#[test]
fn what_is_used_stays_above_the_bound_until_it_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreOptions { bytes: 1, ..StoreOptions::at(folder.path()) }).unwrap();
    let [a, b] = ["a", "b"].map(|name| put(&store, name).unwrap());
    assert_eq!(store.files().holds().0, 2);
    drop(a);
    let c = put(&store, "c").unwrap();
    assert!(b.path.exists() && c.path.exists());
    assert!(!knows(&store, "a"));
    drop((b, c));
    assert_eq!(store.gc(SystemTime::now()).unwrap().modules, 2);
    assert_eq!(store.files().holds(), (0, 0));
}

#[test]
fn use_is_remembered_by_the_next_agent() {
    let folder = tempfile::tempdir().unwrap();
    let size = module("a").len() as u64;
    {
        let store = open(folder.path());
        put(&store, "a").unwrap();
        put(&store, "b").unwrap();
    }
    let store = Store::open(&StoreOptions { bytes: 2 * size, ..StoreOptions::at(folder.path()) }).unwrap();
    put(&store, "c").unwrap();
    assert_eq!(["a", "b", "c"].map(|name| knows(&store, name)), [false, true, true]);
}

#[test]
fn a_disk_that_is_full_at_any_step_is_told_and_nothing_is_left_half_done() {
    for step in Step::ALL {
        let folder = tempfile::tempdir().unwrap();
        let full = Arc::new(AtomicBool::new(false));
        let faults: Faults = {
            let full = full.clone();
            Arc::new(move |at| match at == step && full.load(Ordering::SeqCst) {
                true => Err(io::ErrorKind::StorageFull.into()),
                false => Ok(()),
            })
        };
        let store = Store::open_with(&StoreOptions::at(folder.path()), faults).unwrap();
        put(&store, "old").unwrap();
        full.store(true, Ordering::SeqCst);
        if let Err(error) = put(&store, "new") {
            assert_eq!(error.reason, Reason::Disk, "{step:?}");
            assert!(error.message.contains(folder.path().to_str().unwrap()), "{error}");
            assert!(error.message.contains("no storage space"), "{error}");
        }
        // Trouble with one module is said in the log, and the others go on.
        let _ = store.gc(SystemTime::now());
        assert_eq!(fs::read_dir(store.download_folder()).unwrap().count(), 0, "{step:?}");
        full.store(false, Ordering::SeqCst);
        for name in ["old", "new"] {
            put(&store, name).unwrap();
            assert!(knows(&store, name), "{step:?}");
        }
        drop(store);
        let store = open(folder.path());
        assert_eq!(["old", "new"].map(|name| knows(&store, name)), [true, true], "{step:?}");
    }
}

#[test]
fn a_message_of_a_full_disk_has_the_path_and_the_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let faults: Faults = Arc::new(|at| match at {
        Step::Downloaded => Err(io::ErrorKind::StorageFull.into()),
        _ => Ok(()),
    });
    let store = Store::open_with(&StoreOptions::at(folder.path()), faults).unwrap();
    let error = put(&store, "a").unwrap_err();
    let size = module("a").len();
    assert!(error.message.contains(&format!("a module of {size} bytes")), "{error}");
    assert!(error.message.contains(".wasm"), "{error}");
}

#[test]
fn a_journal_that_is_lost_or_damaged_is_read_back_from_the_files() {
    type Harm = fn(&Path);
    let harms: [(&str, Harm); 5] = [
        ("removed", |path| fs::remove_file(path).unwrap()),
        ("emptied", |path| fs::write(path, b"").unwrap()),
        ("another thing", |path| fs::write(path, b"{\"modules\": []}\n\xff\xfe\0").unwrap()),
        ("cut", |path| {
            let length = fs::metadata(path).unwrap().len();
            fs::File::options().write(true).open(path).unwrap().set_len(length / 2).unwrap();
        }),
        ("changed", |path| {
            let mut bytes = fs::read(path).unwrap();
            bytes.iter_mut().step_by(50).for_each(|byte| *byte ^= 1);
            fs::write(path, bytes).unwrap();
        }),
    ];
    for (what, harm) in harms {
        let folder = tempfile::tempdir().unwrap();
        {
            let store = open(folder.path());
            put(&store, "a").unwrap();
            put(&store, "b").unwrap();
        }
        harm(&folder.path().join(".meshloom/journal"));
        for _ in 0..2 {
            let store = open(folder.path());
            assert_eq!(["a", "b"].map(|name| knows(&store, name)), [true, true], "{what}");
            assert_eq!(store.files().holds().0, 2, "{what}");
        }
    }
}

#[test]
fn a_journal_that_goes_while_the_agent_runs_is_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    put(&store, "a").unwrap();
    fs::remove_file(folder.path().join(".meshloom/journal")).unwrap();
    put(&store, "b").unwrap();
    drop(store);
    let text = fs::read_to_string(folder.path().join(".meshloom/journal")).unwrap();
    assert_eq!(text.matches("\"module\"").count(), 2, "{text}");
}

#[test]
fn a_blob_that_was_changed_between_two_agents_is_not_served() {
    let folder = tempfile::tempdir().unwrap();
    let path = put(&open(folder.path()), "a").unwrap().path;
    let mut bytes = fs::read(&path).unwrap();
    bytes[20] ^= 1;
    fs::write(&path, bytes).unwrap();
    let store = open(folder.path());
    assert!(!knows(&store, "a"));
    assert!(!path.exists());
    assert_eq!(store.files().holds(), (0, 0));
}

#[test]
fn files_that_an_earlier_agent_has_left_go_when_they_are_old() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(Sha256::of(b"x").to_string()).join(format!("{}.wasm", Sha256::of(b"y")));
    fs::create_dir(path.parent().unwrap()).unwrap();
    fs::write(&path, b"left").unwrap();
    fs::write(folder.path().join("README"), b"not ours").unwrap();
    let store = open(folder.path());
    assert_eq!(store.gc(SystemTime::now()).unwrap().orphans, 0);
    let later = SystemTime::now() + Duration::from_secs(48 * 3600);
    assert_eq!(store.gc(later).unwrap().orphans, 1);
    assert!(!path.parent().unwrap().exists());
    assert!(folder.path().join("README").exists());
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = Store::open(&StoreOptions::at(file.join("below"))).err().unwrap();
    assert_eq!(error.reason, Reason::Disk);
    assert!(error.message.contains(file.to_str().unwrap()), "{error}");
}

#[test]
fn versions_survive_the_agent_once_they_are_flushed_and_the_journal_stays_short() {
    let folder = tempfile::tempdir().unwrap();
    {
        let store = open(folder.path());
        put(&store, "a").unwrap();
        for number in 0..20_000 {
            let version = number.to_string();
            store.resolved(
                "http://example.com/a",
                "http://example.com/a".to_owned(),
                source("a"),
                "r",
                &version,
            );
            if number % 1_000 == 0 {
                store.flush().unwrap();
            }
        }
    }
    let length = fs::metadata(folder.path().join(".meshloom/journal")).unwrap().len();
    assert!(length < 2 << 20, "{length} bytes");
    let store = open(folder.path());
    let known = store.files().resolution("http://example.com/a").unwrap();
    assert_eq!((known.source(), known.version("r")), (source("a"), Some("19999")));
}

//! The agent is killed, and what is on disk is opened by the next one.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use meshloom_agent::Sha256;
use meshloom_agent::store::{Faults, Source, Step, Store, StoreOptions};
use rand::Rng as _;

use crate::registry::{module, written};

const FOLDER: &str = "MESHLOOM_TEST_FOLDER";
const STEP: &str = "MESHLOOM_TEST_STEP";

fn source(name: &str) -> Source {
    Source { name: Sha256::of(b"name"), checksum: Sha256::of(name.as_bytes()) }
}

fn put(store: &Store, name: &str) -> Result<(), String> {
    let downloaded = written(&store.download_folder(), &module(name));
    store.put(downloaded, &[source(name)]).map(drop).map_err(|error| error.to_string())
}

fn child(test: &str, folder: &Path, step: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("crash::{test}"), "--ignored", "--nocapture"])
        .envs([(FOLDER, folder.to_str().unwrap()), (STEP, step)])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Whatever is known is whole, whatever is not can be put, and nothing of the dead is left.
fn is_sound(folder: &Path, names: &[String], after: &str) {
    let store = Store::open(&StoreOptions::at(folder)).unwrap_or_else(|error| panic!("{after}: {error}"));
    let mut known = 0;
    for name in names {
        if let Some(held) = store.checked(&source(name)).unwrap_or_else(|error| panic!("{after}: {error}")) {
            known += 1;
            assert_eq!(std::fs::read(&held.path).unwrap(), module(name), "{after}");
        }
        put(&store, name).unwrap_or_else(|error| panic!("{after}: {error}"));
        let held = store.files().at_hand(&source(name)).unwrap();
        assert_eq!(std::fs::read(&held.path).unwrap(), module(name), "{after}");
    }
    assert_eq!(store.files().holds().0, names.len() as u64, "{after}: {known} were known");
    let temporary = std::fs::read_dir(folder.join(".meshloom/tmp")).unwrap().count();
    assert_eq!(temporary, 1, "{after}: other folders than the agent's own");
    drop(store);
    let again = Store::open(&StoreOptions::at(folder)).unwrap();
    for name in names {
        assert!(again.checked(&source(name)).unwrap().is_some(), "{after}: the next agent lacks {name}");
    }
}

#[test]
#[ignore = "run by the tests below, in a process of its own"]
fn child_that_is_killed_at_a_step() {
    let folder = std::env::var(FOLDER).unwrap();
    let at = std::env::var(STEP).unwrap();
    let options = StoreOptions::at(folder);
    drop(Store::open(&options).unwrap());
    let faults: Faults = Arc::new(move |step: Step| {
        if format!("{step:?}") == at {
            let me = rustix::process::getpid();
            rustix::process::kill_process(me, rustix::process::Signal::KILL)?;
        }
        Ok(())
    });
    let store = Store::open_with(&options, faults).unwrap();
    put(&store, "new").unwrap();
    store.gc(SystemTime::now() + Duration::from_secs(48 * 3600)).unwrap();
}

#[test]
fn a_store_whose_agent_is_killed_at_any_step_opens_and_serves() {
    for step in Step::ALL {
        let folder = tempfile::tempdir().unwrap();
        put(&Store::open(&StoreOptions::at(folder.path())).unwrap(), "old").unwrap();
        let at = format!("{step:?}");
        let ended = child("child_that_is_killed_at_a_step", folder.path(), &at).wait().unwrap();
        let signal = std::os::unix::process::ExitStatusExt::signal(&ended);
        assert_eq!(signal, Some(9), "{at} was not reached");
        is_sound(folder.path(), &["old".to_owned(), "new".to_owned()], &format!("killed at {at}"));
    }
}

#[test]
#[ignore = "run by the test below, in a process of its own"]
fn child_that_writes_until_it_is_killed() {
    let options = StoreOptions {
        bytes: 3 * module("0").len() as u64,
        ..StoreOptions::at(std::env::var(FOLDER).unwrap())
    };
    let store = Store::open(&options).unwrap();
    for number in 0_u64.. {
        put(&store, &(number % 6).to_string()).unwrap();
        store.checked(&source(&(number % 5).to_string())).unwrap();
        if number % 7 == 0 {
            store.gc(SystemTime::now()).unwrap();
        }
    }
}

#[test]
fn a_store_whose_agents_are_killed_at_any_time_opens_and_serves() {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..6).map(|number| number.to_string()).collect();
    for round in 0..12 {
        let mut children = [(); 2].map(|()| child("child_that_writes_until_it_is_killed", folder.path(), ""));
        std::thread::sleep(Duration::from_millis(rand::rng().random_range(20..150)));
        for child in &mut children {
            child.kill().unwrap();
            let ended = child.wait().unwrap();
            let signal = std::os::unix::process::ExitStatusExt::signal(&ended);
            assert_eq!(signal, Some(9), "round {round}: the agent ended by itself");
        }
        is_sound(folder.path(), &names, &format!("round {round}"));
    }
}

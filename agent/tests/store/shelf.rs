//! Many who want modules at once, other credentials, other agents, no network.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use meshloom_agent::library::{Parts, Shelf};
use meshloom_agent::store::{Files, Store, StoreOptions};
use meshloom_agent::trust::{Policy, Trust, TrustOptions};
use meshloom_agent::{Library as _, PullPolicy, Reason, Secret, Wanted};

use crate::registry::{Registry, module, parts, pinned, policy, shelf, version, wanted};

const TAG: &str = "oci://registry.test/module:v1";

// Istio's defect 5.
#[tokio::test]
async fn a_hundred_who_want_the_same_make_one_download() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    registry.push(TAG, &module("a"));
    let shelf = shelf(folder.path(), &registry);
    let all =
        (0..100).map(|number| shelf.obtain(Wanted { resource: format!("resource-{number}"), ..wanted(TAG) }));
    let held: Vec<_> = join_all(all).await.into_iter().map(Result::unwrap).collect();
    assert!(held.iter().all(|one| one.is(&held[0])));
    assert_eq!(registry.visits(), (1, 1));
    // Each resource has its own version.
    let asked = Wanted { resource: "resource-7".to_owned(), ..policy(&wanted(TAG), PullPolicy::Always) };
    assert!(shelf.at_hand(&asked).is_some());
    assert!(shelf.at_hand(&version(&asked, "2")).is_none());
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_does_not_end_the_download_and_the_last_one_does() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    registry.push(TAG, &module("a"));
    let permits = registry.permits.forget_permits(1_000);
    assert_eq!(permits, 1_000);
    let shelf = shelf(folder.path(), &registry);
    let waiters: Vec<_> = (0..3).map(|_| tokio::spawn(shelf.obtain(wanted(TAG)))).collect();
    while registry.visits().1 == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let [first, second, third] = waiters.try_into().unwrap();
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    registry.permits.add_permits(1);
    assert!(second.await.unwrap().is_ok());
    assert!(third.await.unwrap().is_ok());
    assert_eq!(registry.given_up.load(Ordering::SeqCst), 0);

    registry.push("oci://registry.test/other:v1", &module("b"));
    let last = tokio::spawn(shelf.obtain(wanted("oci://registry.test/other:v1")));
    while registry.visits().1 == 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    last.abort();
    assert!(last.await.unwrap_err().is_cancelled());
    assert_eq!(registry.given_up.load(Ordering::SeqCst), 1);
    assert_eq!(std::fs::read_dir(shelf.store().download_folder()).unwrap().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn each_waits_as_long_as_it_may() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    registry.push(TAG, &module("a"));
    registry.permits.forget_permits(1_000);
    let shelf = shelf(folder.path(), &registry);
    let short = shelf.obtain(Wanted { timeout: Duration::from_secs(1), ..wanted(TAG) });
    let long = tokio::spawn(shelf.obtain(Wanted { timeout: Duration::from_secs(60), ..wanted(TAG) }));
    assert_eq!(short.await.unwrap_err().reason, Reason::TimedOut);
    registry.permits.add_permits(1);
    assert!(long.await.unwrap().is_ok());
    assert_eq!(registry.visits(), (1, 1));
}

#[tokio::test]
async fn a_failure_is_told_to_all_who_wait_and_not_remembered() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    registry.push(TAG, &module("a"));
    registry.fail(Reason::Throttled);
    let shelf = shelf(folder.path(), &registry);
    let told = join_all((0..5).map(|_| shelf.obtain(wanted(TAG)))).await;
    assert!(told.iter().all(|told| told.as_ref().unwrap_err().reason == Reason::Throttled));
    registry.recover();
    assert!(shelf.obtain(wanted(TAG)).await.is_ok());
}

fn with_secret(wanted: &Wanted, secret: &str) -> Wanted {
    Wanted { pull_secret: Some(Secret::new(secret.to_owned())), ..wanted.clone() }
}

#[tokio::test]
async fn a_private_module_is_given_to_another_secret_only_if_the_registry_lets_it() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    let digest = registry.push(TAG, &module("a"));
    registry.change(TAG, |image| image.secrets = vec!["alice".to_owned(), "carol".to_owned()]);
    let shelf = shelf(folder.path(), &registry);
    shelf.obtain(with_secret(&wanted(TAG), "alice")).await.unwrap();
    assert!(shelf.at_hand(&with_secret(&wanted(TAG), "alice")).is_some());
    for other in [with_secret(&wanted(TAG), "bob"), wanted(TAG)] {
        assert!(shelf.at_hand(&other).is_none());
        assert_eq!(shelf.obtain(other).await.unwrap_err().reason, Reason::Denied);
    }
    shelf.obtain(with_secret(&wanted(TAG), "carol")).await.unwrap();
    assert!(shelf.at_hand(&with_secret(&wanted(TAG), "carol")).is_some());
    assert_eq!(registry.visits(), (4, 1));
    assert!(shelf.at_hand(&pinned(&with_secret(&wanted(TAG), "bob"), digest)).is_some());
}

#[tokio::test]
async fn secrets_are_nowhere_on_disk() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    let url = "http://user:hunter2@example.com/a?token=hunter2";
    registry.push(TAG, &module("a"));
    registry.serve(url, &module("b"));
    let shelf = shelf(folder.path(), &registry);
    shelf.obtain(with_secret(&wanted(TAG), "hunter2")).await.unwrap();
    shelf.obtain(wanted(url)).await.unwrap();
    shelf.store().flush().unwrap();
    let journal = std::fs::read_to_string(folder.path().join(".meshloom/journal")).unwrap();
    assert!(journal.contains("http://example.com/a"));
    assert!(!journal.contains("hunter2"));
}

#[tokio::test]
async fn without_network_there_is_what_the_disk_has_and_nothing_is_dialled() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    registry.push(TAG, &module("a"));
    shelf(folder.path(), &registry).obtain(wanted(TAG)).await.unwrap();
    let shelf = Shelf::new(Parts { offline: true, ..parts(folder.path(), &registry) });
    assert!(shelf.obtain(version(&wanted(TAG), "2")).await.is_ok());
    for other in ["oci://registry.test/other:v1", "http://example.com/a"] {
        let error = shelf.obtain(wanted(other)).await.unwrap_err();
        assert_eq!(error.reason, Reason::Offline);
        assert!(error.message.contains(other), "{error}");
    }
    assert_eq!(registry.visits(), (1, 1));
}

#[tokio::test]
async fn an_agent_that_is_killed_right_after_a_download_finds_the_module_without_its_source() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    registry.push(TAG, &module("a"));
    let killed = shelf(folder.path(), &registry);
    killed.obtain(wanted(TAG)).await.unwrap();
    // Whoever is killed drops nothing.
    std::mem::forget(killed);
    let shelf = Shelf::new(Parts { offline: true, ..parts(folder.path(), &registry) });
    assert!(shelf.obtain(wanted(TAG)).await.is_ok());
    assert_eq!(registry.visits(), (1, 1));
}

#[tokio::test]
async fn two_agents_of_one_folder_make_one_download_and_respect_each_others_pins() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    registry.push(TAG, &module("a"));
    let (one, other) = (shelf(folder.path(), &registry), shelf(folder.path(), &registry));
    let (first, second) = tokio::join!(one.obtain(wanted(TAG)), other.obtain(wanted(TAG)));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert!(first.is(&second));
    assert_eq!(registry.visits().1, 1);
    drop(first);
    let later = std::time::SystemTime::now() + Duration::from_secs(48 * 3600);
    assert_eq!(one.store().gc(later).unwrap().modules, 0);
    assert!(second.path.exists());
    drop(second);
    assert_eq!(one.store().gc(later).unwrap().modules, 1);
    // The other one does not go on to believe in it.
    assert!(other.at_hand(&wanted(TAG)).is_none());
    assert!(other.obtain(wanted(TAG)).await.is_ok());
    assert_eq!(registry.visits().1, 2);
}

#[tokio::test]
async fn a_shared_store_is_looked_into_before_the_network_and_never_written() {
    let (its, mine, registry) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Registry::new());
    let digest = registry.push(TAG, &module("a"));
    let theirs = shelf(its.path(), &registry).obtain(wanted(TAG)).await.unwrap();
    let before = listing(its.path());
    let shared = Files::of_another(its.path());
    shared.reload().unwrap();
    let shelf = Shelf::new(Parts { shared: Some(shared), ..parts(mine.path(), &registry) });
    let held = shelf.obtain(pinned(&wanted(TAG), digest)).await.unwrap();
    assert_eq!(held.path, theirs.path);
    assert_eq!(registry.visits(), (1, 1));
    // A tag has to be looked up once, since it is not known who may have it; the module is there.
    let held = shelf.obtain(wanted(TAG)).await.unwrap();
    assert_eq!(held.path, theirs.path);
    assert_eq!(registry.visits(), (2, 1));
    assert!(shelf.at_hand(&wanted(TAG)).is_some());
    assert_eq!(listing(its.path()), before);
}

fn listing(folder: &std::path::Path) -> Vec<(std::path::PathBuf, u64)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                found.push((entry.path(), entry.metadata().unwrap().len()));
            }
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn what_was_stored_under_a_warning_is_not_served_once_checks_are_enforced() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    let flawed = wat::parse_str("(module)").unwrap();
    registry.push(TAG, &flawed);
    let trust = Trust::new(&TrustOptions { check: Policy::Warn, ..TrustOptions::default() }).unwrap();
    let lenient = Shelf::new(Parts { trust, ..parts(folder.path(), &registry) });
    lenient.obtain(wanted(TAG)).await.unwrap();
    assert!(lenient.at_hand(&wanted(TAG)).is_some());
    drop(lenient);
    let strict = shelf(folder.path(), &registry);
    strict.warm().await;
    assert!(strict.at_hand(&wanted(TAG)).is_none());
    assert_eq!(strict.obtain(wanted(TAG)).await.unwrap_err().reason, Reason::NotAModule);
    registry.push(TAG, &module("a"));
    assert!(strict.obtain(wanted(TAG)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_house_is_kept_as_time_goes_by() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    registry.push(TAG, &module("a"));
    let mut options = StoreOptions::at(folder.path());
    options.expiry = Duration::ZERO;
    let store = Store::open(&options).unwrap();
    let shelf = Shelf::new(Parts { store, ..parts(folder.path(), &registry) });
    let held = shelf.obtain(wanted(TAG)).await.unwrap();
    let keeper = shelf.clone();
    let keeper = tokio::spawn(async move { keeper.keep_house(Duration::from_secs(3600)).await });
    tokio::time::sleep(Duration::from_secs(2)).await;
    let journal = std::fs::read_to_string(folder.path().join(".meshloom/journal")).unwrap();
    assert!(journal.contains(TAG), "what was resolved is written down");
    assert!(held.path.exists());
    let path = held.path.clone();
    drop(held);
    tokio::time::sleep(Duration::from_secs(3601)).await;
    assert!(!path.exists());
    assert_eq!(shelf.store().files().holds(), (0, 0));
    keeper.abort();
}

//! When a source is asked again: Istio's table, its tests, and what it got wrong.

use std::fs;
use std::time::{Duration, SystemTime};

use meshloom_agent::{Library as _, PullPolicy, Reason, Sha256, Wanted};

use crate::registry::{Registry, module, pinned, policy, shelf, version, wanted};

const URL: &str = "http://example.com/module.wasm";
const TAG: &str = "oci://registry.test/module:v1";
const LATEST: &str = "oci://registry.test/module:latest";

#[tokio::test]
async fn a_miss_over_http_is_downloaded_to_the_path_that_istio_has() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    let sum = registry.serve(URL, &module("a"));
    let held = shelf(folder.path(), &registry).obtain(pinned(&wanted(URL), sum)).await.unwrap();
    let name = Sha256::of(URL.as_bytes());
    assert_eq!(held.path, folder.path().join(name.to_string()).join(format!("{sum}.wasm")));
    assert_eq!(fs::read(&held.path).unwrap(), module("a"));
    assert_eq!((held.sha256, held.checksum, held.size), (sum, sum, module("a").len() as u64));
    assert_eq!(registry.visits(), (0, 1));
}

#[tokio::test]
async fn a_hit_makes_no_visit_and_binds_the_url() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    let sum = registry.serve(URL, &module("a"));
    let shelf = shelf(folder.path(), &registry);
    shelf.obtain(pinned(&wanted(URL), sum)).await.unwrap();
    assert!(shelf.at_hand(&pinned(&wanted(URL), sum)).is_some());
    assert!(shelf.at_hand(&wanted(URL)).is_some_and(|held| held.checksum == sum));
    assert_eq!(registry.visits(), (0, 1));
}

#[tokio::test]
async fn a_scheme_that_is_not_supported_is_named() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    let error = shelf(folder.path(), &registry).obtain(wanted("foo://abc")).await.unwrap_err();
    assert_eq!(error.message, "unsupported Wasm module downloading URL scheme: foo");
    assert_eq!(error.reason, Reason::Unusable);
}

#[tokio::test]
async fn a_wrong_checksum_is_refused_and_nothing_is_kept() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    let found = registry.serve(URL, &module("a"));
    let shelf = shelf(folder.path(), &registry);
    let other = Sha256::of(b"other");
    let error = shelf.obtain(pinned(&wanted(URL), other)).await.unwrap_err();
    assert_eq!(error.reason, Reason::ChecksumMismatch);
    assert_eq!(
        error.message,
        format!("module downloaded from {URL} has checksum {found}, which does not match: {other}")
    );
    assert_eq!(shelf.store().files().holds(), (0, 0));
    assert_eq!(fs::read_dir(shelf.store().download_folder()).unwrap().count(), 0);
}

#[tokio::test]
async fn another_url_with_the_same_checksum_is_downloaded_for_itself() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    let sum = registry.serve(URL, &module("a"));
    registry.serve("http://example.com/other", &module("b"));
    let shelf = shelf(folder.path(), &registry);
    shelf.obtain(pinned(&wanted(URL), sum)).await.unwrap();
    let error = shelf.obtain(pinned(&wanted("http://example.com/other"), sum)).await.unwrap_err();
    assert_eq!(error.reason, Reason::ChecksumMismatch);
    assert_eq!(registry.visits(), (0, 2));
    assert!(shelf.at_hand(&pinned(&wanted(URL), sum)).is_some());
}

#[tokio::test]
async fn what_is_no_module_is_refused_though_its_checksum_is_right() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    let sum = registry.serve(URL, b"<html>not found</html>");
    let shelf = shelf(folder.path(), &registry);
    let error = shelf.obtain(pinned(&wanted(URL), sum)).await.unwrap_err();
    assert_eq!(error.reason, Reason::NotAModule);
    assert!(
        error.message.starts_with(&format!("fetched Wasm binary from {URL} is invalid: not valid")),
        "{error}"
    );
    assert_eq!(shelf.store().files().holds(), (0, 0));
}

#[tokio::test]
async fn an_image_is_known_by_its_manifest_whether_that_is_told_or_found() {
    for is_told in [false, true] {
        let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
        let digest = registry.push(TAG, &module("a"));
        let asked = if is_told { pinned(&wanted(TAG), digest) } else { wanted(TAG) };
        let held = shelf(folder.path(), &registry).obtain(asked).await.unwrap();
        let name = Sha256::of(b"oci://registry.test/module");
        assert_eq!(held.path, folder.path().join(name.to_string()).join(format!("{digest}.wasm")));
        assert_eq!((held.checksum, held.sha256), (digest, Sha256::of(&module("a"))));
        assert_eq!(registry.visits(), (1, 1));
    }
}

#[tokio::test]
async fn a_tag_is_served_from_disk_with_and_without_its_digest() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    let digest = registry.push(TAG, &module("a"));
    let shelf = shelf(folder.path(), &registry);
    shelf.obtain(wanted(TAG)).await.unwrap();
    assert!(shelf.at_hand(&pinned(&wanted(TAG), digest)).is_some());
    assert!(shelf.at_hand(&version(&wanted(TAG), "2")).is_some());
    assert_eq!(registry.visits(), (1, 1));
}

#[tokio::test]
async fn a_tag_that_is_not_known_costs_a_manifest_if_the_module_is_there() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    let digest = registry.push(TAG, &module("a"));
    let other = "oci://registry.test/module:v1.0";
    registry.push(other, &module("a"));
    let shelf = shelf(folder.path(), &registry);
    let first = shelf.obtain(wanted(TAG)).await.unwrap();
    let second = shelf.obtain(wanted(other)).await.unwrap();
    assert!(first.is(&second));
    assert_eq!(second.checksum, digest);
    assert_eq!(registry.visits(), (2, 1));
}

#[tokio::test]
async fn a_url_with_a_digest_is_served_without_a_visit_and_binds_nothing() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    let digest = registry.push(TAG, &module("a"));
    let shelf = shelf(folder.path(), &registry);
    shelf.obtain(wanted(TAG)).await.unwrap();
    let url = format!("oci://registry.test/module@sha256:{digest}");
    assert!(shelf.at_hand(&wanted(&url)).is_some());
    assert!(shelf.store().files().resolution(&url).is_none());
    assert_eq!(registry.visits(), (1, 1));
}

#[tokio::test]
async fn who_pulls_always_pulls_for_another_version_and_not_for_the_same() {
    for (url, pull) in [(TAG, PullPolicy::Always), (LATEST, PullPolicy::Unspecified)] {
        let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
        registry.push(url, &module("a"));
        let shelf = shelf(folder.path(), &registry);
        let asked = policy(&wanted(url), pull);
        shelf.obtain(asked.clone()).await.unwrap();
        assert!(shelf.at_hand(&asked).is_some());
        assert!(shelf.at_hand(&version(&asked, "2")).is_none());
        shelf.obtain(version(&asked, "2")).await.unwrap();
        assert_eq!(registry.visits(), (2, 1));
        registry.push(url, &module("b"));
        let held = shelf.obtain(version(&asked, "3")).await.unwrap();
        assert_eq!(held.sha256, Sha256::of(&module("b")));
        assert_eq!(registry.visits(), (3, 2));
    }
}

#[tokio::test]
async fn what_is_pinned_or_wanted_if_not_present_is_not_pulled_again() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    let digest = registry.push(LATEST, &module("a"));
    let shelf = shelf(folder.path(), &registry);
    shelf.obtain(wanted(LATEST)).await.unwrap();
    registry.push(LATEST, &module("b"));
    for pull in [PullPolicy::Always, PullPolicy::Unspecified] {
        let asked = pinned(&policy(&version(&wanted(LATEST), "2"), pull), digest);
        assert!(shelf.at_hand(&asked).is_some(), "{pull:?}");
    }
    assert!(shelf.at_hand(&policy(&version(&wanted(LATEST), "3"), PullPolicy::IfNotPresent)).is_some());
    assert_eq!(registry.visits(), (1, 1));
}

#[tokio::test]
async fn a_version_counts_as_seen_even_where_the_policy_ignores_it() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    registry.serve(URL, &module("a"));
    let shelf = shelf(folder.path(), &registry);
    let asked = |pull, to| policy(&version(&wanted(URL), to), pull);
    shelf.obtain(asked(PullPolicy::Unspecified, "1")).await.unwrap();
    assert!(shelf.at_hand(&asked(PullPolicy::Unspecified, "2")).is_some());
    assert!(shelf.at_hand(&asked(PullPolicy::IfNotPresent, "3")).is_some());
    assert!(shelf.at_hand(&asked(PullPolicy::Always, "3")).is_some());
    assert_eq!(registry.visits().1, 1);
    shelf.obtain(asked(PullPolicy::Always, "4")).await.unwrap();
    assert_eq!(registry.visits().1, 2);
    registry.serve("http://example.com/other", &module("c"));
    shelf.obtain(policy(&wanted("http://example.com/other"), PullPolicy::Always)).await.unwrap();
    assert_eq!(registry.visits().1, 3);
}

#[tokio::test]
async fn what_was_not_asked_for_since_the_expiry_goes_with_the_urls_that_meant_it() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    registry.push(TAG, &module("a"));
    let shelf = shelf(folder.path(), &registry);
    let path = shelf.obtain(wanted(TAG)).await.unwrap().path;
    let day = Duration::from_secs(24 * 3600);
    assert_eq!(shelf.store().gc(SystemTime::now() + day / 2).unwrap().modules, 0);
    assert_eq!(shelf.store().gc(SystemTime::now() + day * 2).unwrap().modules, 1);
    assert!(!path.exists());
    assert!(shelf.store().files().resolution(TAG).is_none());
    assert_eq!(shelf.store().files().holds(), (0, 0));
}

#[tokio::test]
async fn no_time_at_all_makes_no_visit() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    registry.push(TAG, &module("a"));
    let asked = Wanted { timeout: Duration::ZERO, ..wanted(TAG) };
    let error = shelf(folder.path(), &registry).obtain(asked).await.unwrap_err();
    assert_eq!(error.reason, Reason::TimedOut);
    assert!(error.message.starts_with("could not fetch Wasm OCI image: could not fetch manifest"), "{error}");
    assert_eq!(registry.visits(), (0, 0));
}

#[tokio::test]
async fn an_image_with_the_wrong_digest_is_refused_by_its_manifest() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    registry.push(TAG, &module("a"));
    let asked = pinned(&wanted(TAG), Sha256::of(b"other"));
    let error = shelf(folder.path(), &registry).obtain(asked).await.unwrap_err();
    assert_eq!(error.reason, Reason::ChecksumMismatch);
    assert_eq!(registry.visits(), (1, 0));
}

// Istio's defect 1.
#[tokio::test]
async fn a_pull_that_fails_does_not_make_the_old_module_the_wanted_one() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    registry.push(TAG, &module("a"));
    let shelf = shelf(folder.path(), &registry);
    let asked = policy(&wanted(TAG), PullPolicy::Always);
    shelf.obtain(asked.clone()).await.unwrap();
    registry.push(TAG, &module("b"));
    registry.fail(Reason::Unreachable);
    let next = version(&asked, "2");
    for _ in 0..2 {
        assert!(shelf.at_hand(&next).is_none());
        assert_eq!(shelf.obtain(next.clone()).await.unwrap_err().reason, Reason::Unreachable);
    }
    registry.recover();
    assert_eq!(shelf.obtain(next).await.unwrap().sha256, Sha256::of(&module("b")));
}

// Istio's defect 2.
#[tokio::test]
async fn a_second_tag_of_one_manifest_may_move_after_its_module_is_evicted() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    let second = "oci://registry.test/module:v2";
    registry.push(TAG, &module("a"));
    registry.push(second, &module("a"));
    let shelf = shelf(folder.path(), &registry);
    for url in [TAG, second] {
        shelf.obtain(policy(&wanted(url), PullPolicy::IfNotPresent)).await.unwrap();
    }
    shelf.store().gc(SystemTime::now() + Duration::from_secs(48 * 3600)).unwrap();
    registry.push(second, &module("b"));
    let held = shelf.obtain(policy(&wanted(second), PullPolicy::IfNotPresent)).await.unwrap();
    assert_eq!(held.sha256, Sha256::of(&module("b")));
}

#[tokio::test]
async fn what_expires_takes_the_meaning_of_its_own_urls_along_and_of_no_others() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    registry.push(TAG, &module("a"));
    let sum = registry.serve(URL, &module("b"));
    let shelf_of = || shelf(folder.path(), &registry);
    {
        let shelf = shelf_of();
        shelf.obtain(wanted(TAG)).await.unwrap();
        let used = shelf.obtain(wanted(URL)).await.unwrap();
        let later = SystemTime::now() + Duration::from_secs(48 * 3600);
        assert_eq!(shelf.store().gc(later).unwrap().modules, 1);
        assert!(shelf.at_hand(&wanted(TAG)).is_none());
        assert!(shelf.at_hand(&wanted(URL)).is_some_and(|held| held.is(&used)));
        shelf.store().flush().unwrap();
    }
    // Neither does the next agent find more, or less.
    registry.fail(Reason::Unreachable);
    assert_eq!(shelf_of().obtain(wanted(URL)).await.unwrap().checksum, sum);
    assert_eq!(shelf_of().obtain(wanted(TAG)).await.unwrap_err().reason, Reason::Unreachable);
    assert_eq!(registry.visits().1, 2);
}

// Istio's defect 3.
#[tokio::test]
async fn a_file_that_somebody_deleted_or_changed_is_never_told_to_envoy() {
    type Harm = fn(&std::path::Path);
    let harms: [Harm; 4] = [
        |path| fs::remove_file(path).unwrap(),
        |path| fs::File::options().write(true).open(path).unwrap().set_len(3).unwrap(),
        |path| fs::write(path, b"something else").unwrap(),
        |path| fs::remove_dir_all(path.parent().unwrap()).unwrap(),
    ];
    for (number, harm) in harms.into_iter().enumerate() {
        let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
        registry.push(TAG, &module("a"));
        let shelf = shelf(folder.path(), &registry);
        // Pinned or not makes no difference.
        let held = shelf.obtain(wanted(TAG)).await.unwrap();
        harm(&held.path);
        assert!(shelf.at_hand(&wanted(TAG)).is_none(), "harm {number}");
        let again = shelf.obtain(wanted(TAG)).await.unwrap();
        assert_eq!(fs::read(&again.path).unwrap(), module("a"), "harm {number}");
        assert!(shelf.at_hand(&wanted(TAG)).is_some(), "harm {number}");
    }
}

// Istio's defect 4.
#[tokio::test]
async fn a_new_agent_serves_from_disk_what_an_earlier_one_has_left_while_the_registry_is_down() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    registry.push(TAG, &module("a"));
    let path = shelf(folder.path(), &registry).obtain(wanted(TAG)).await.unwrap().path;
    registry.fail(Reason::Unreachable);
    let shelf = shelf(folder.path(), &registry);
    let held = shelf.obtain(version(&wanted(TAG), "2")).await.unwrap();
    assert_eq!(held.path, path);
    assert_eq!(registry.visits(), (1, 1));
    let always = policy(&version(&wanted(TAG), "3"), PullPolicy::Always);
    assert_eq!(shelf.obtain(always).await.unwrap_err().reason, Reason::Unreachable);
}

#[tokio::test]
async fn a_new_agent_that_has_warmed_up_has_all_at_hand_and_it_does_not_count_as_use() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    registry.push(TAG, &module("a"));
    shelf(folder.path(), &registry).obtain(wanted(TAG)).await.unwrap();
    let shelf = shelf(folder.path(), &registry);
    let used = |shelf: &meshloom_agent::library::Shelf| shelf.store().files().list()[0].used;
    let before = used(&shelf);
    assert!(shelf.at_hand(&wanted(TAG)).is_none());
    shelf.warm().await;
    assert_eq!(used(&shelf), before);
    assert!(shelf.at_hand(&wanted(TAG)).is_some());
    assert!(used(&shelf) > before);
}

#[tokio::test]
async fn a_module_that_is_recalled_is_at_hand_before_all_others_are_hashed_and_no_source_is_asked() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    registry.push(TAG, &module("a"));
    shelf(folder.path(), &registry).obtain(wanted(TAG)).await.unwrap();
    let shelf = shelf(folder.path(), &registry);
    registry.fail(Reason::Unreachable);
    let visits = registry.visits();
    shelf.recall(wanted(TAG)).await;
    shelf.recall(wanted(LATEST)).await;
    assert!(shelf.at_hand(&wanted(TAG)).is_some());
    assert!(shelf.at_hand(&wanted(LATEST)).is_none());
    assert_eq!(registry.visits(), visits);
}

// Istio's defect 7.
#[tokio::test]
async fn an_index_can_be_pinned_by_its_own_digest_and_by_its_childs() {
    let index = Sha256::of(b"index");
    let child = Sha256::of(b"child");
    for pin in [index, child] {
        let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
        let url = format!("oci://registry.test/module@sha256:{pin}");
        for url in [url.as_str(), TAG] {
            registry.push(url, &module("a"));
            registry.change(url, |image| (image.digest, image.also) = (Some(index), vec![child]));
        }
        let shelf = shelf(folder.path(), &registry);
        assert_eq!(shelf.obtain(wanted(&url)).await.unwrap().checksum, pin);
        for checksum in [index, child] {
            shelf.obtain(pinned(&wanted(TAG), checksum)).await.unwrap();
        }
        assert_eq!(registry.visits().1, 1);
    }
}

// Istio's defect 8.
#[tokio::test]
async fn a_module_that_a_stream_uses_is_never_removed() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
    registry.push(TAG, &module("a"));
    let shelf = shelf(folder.path(), &registry);
    let held = shelf.obtain(wanted(TAG)).await.unwrap();
    let kept = held.pin.clone();
    let path = held.path.clone();
    drop(held);
    let later = SystemTime::now() + Duration::from_secs(48 * 3600);
    assert_eq!(shelf.store().gc(later).unwrap().modules, 0);
    assert!(path.exists());
    drop(kept);
    assert_eq!(shelf.store().gc(later).unwrap().modules, 1);
    assert!(!path.exists());
}

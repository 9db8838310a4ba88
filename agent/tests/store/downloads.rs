//! A shelf with the network behind it: how long it waits, what it asks for again, and what is left when it is gone.

use std::future::Future as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Waker};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use meshloom_agent::fetch::{Downloaded, FetchOptions, Fetcher, Network, Progress, Resolved, Stage};
use meshloom_agent::library::{Parts, Shelf};
use meshloom_agent::trust::{Signature, Trust, TrustOptions};
use meshloom_agent::{Effort, Library as _, Reason, Sha256, Unavailable, Wanted};
use tokio::time::{Instant, sleep};

use crate::image::{ISTIO, Repository, url};
use crate::registry::{Registry, module, parts, wanted, written};
use crate::server::{Body, Reply, Server};
use crate::signer::Signer;

fn network(options: FetchOptions) -> Arc<Network> {
    let options =
        FetchOptions { backoff: Duration::from_millis(1), docker_config: Some("/nowhere".into()), ..options };
    Arc::new(Network::with_registries(options, Default::default()).unwrap())
}

fn shelf(folder: &Path, fetcher: Arc<dyn Fetcher>) -> Shelf {
    Shelf::new(Parts { fetcher, ..parts(folder, &Registry::new()) })
}

/// The same that takes so long to answer, then waits, and then comes so slowly.
struct Slow {
    asking: Duration,
    waiting: Duration,
    receiving: Duration,
    /// How long it may take to come.
    longest: Duration,
}

impl Fetcher for Slow {
    fn resolve<'a>(&'a self, _: &'a Wanted) -> BoxFuture<'a, Result<Resolved, Unavailable>> {
        async { Ok(Resolved::default()) }.boxed()
    }

    fn download<'a>(
        &'a self,
        _: &'a Wanted,
        _: &'a Resolved,
        folder: &'a Path,
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<Downloaded, Unavailable>> {
        async move {
            sleep(self.asking).await;
            progress.reached(Stage::Waiting);
            sleep(self.waiting).await;
            progress.reached(Stage::Receiving(Instant::now() + self.longest));
            sleep(self.receiving).await;
            Ok(written(folder, &module("slow")))
        }
        .boxed()
    }

    fn signatures<'a>(
        &'a self,
        _: &'a Wanted,
        _: &'a Resolved,
    ) -> BoxFuture<'a, Result<Vec<Signature>, Unavailable>> {
        async { Ok(Vec::new()) }.boxed()
    }
}

/// Why there is no module within the five seconds of its resource, if there is none; and after how many seconds.
async fn outcome(asking: u64, waiting: u64, receiving: u64, longest: u64) -> (Option<Reason>, u64) {
    let [asking, waiting, receiving, longest] =
        [asking, waiting, receiving, longest].map(Duration::from_secs);
    let folder = tempfile::tempdir().unwrap();
    let shelf = shelf(folder.path(), Arc::new(Slow { asking, waiting, receiving, longest }));
    let begun = Instant::now();
    let done = shelf.obtain(Wanted { timeout: Duration::from_secs(5), ..wanted("http://slow.test/a") }).await;
    (done.err().map(|error| error.reason), begun.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn a_module_that_comes_slowly_is_awaited_and_a_source_that_does_not_answer_is_not() {
    assert_eq!(outcome(4, 0, 300, 600).await, (None, 304));
    assert_eq!(outcome(4, 1000, 300, 600).await, (None, 1304), "a turn is not timed");
    assert_eq!(outcome(6, 0, 1, 600).await, (Some(Reason::TimedOut), 5));
    assert_eq!(outcome(1, 0, 700, 600).await, (Some(Reason::TimedOut), 601));
}

#[tokio::test]
async fn a_module_that_takes_longer_than_its_resource_allows_comes_all_the_same_and_once() {
    let bytes = module("dripping");
    let each = Duration::from_secs(2) / u32::try_from(bytes.len()).unwrap();
    let dripping = bytes.clone();
    let server = Server::plain(move |_| Reply::new(200, Body::Drips(dripping.clone(), each))).await;
    let folder = tempfile::tempdir().unwrap();
    let shelf = shelf(folder.path(), network(FetchOptions::default()));
    let wanted = Wanted { timeout: Duration::from_millis(500), ..wanted(&server.url("/")) };
    let held = shelf.obtain(wanted).await.unwrap();
    assert_eq!((held.sha256, server.count()), (Sha256::of(&bytes), 1));
}

#[tokio::test]
async fn an_image_that_is_of_no_use_is_not_downloaded_again_until_it_is_another() {
    let repository = Repository::new();
    let text = wat::parse_str("(module)").unwrap();
    repository.image("v1", &[(ISTIO, &text)]);
    let server = repository.serve().await;
    let blobs = || server.asked().iter().filter(|asked| asked.path().contains("/blobs/")).count();
    let folder = tempfile::tempdir().unwrap();
    let shelf = shelf(folder.path(), network(FetchOptions::default()));
    let wanted = wanted(&url(&server, ":v1"));
    for _ in 0..3 {
        assert_eq!(shelf.obtain(wanted.clone()).await.unwrap_err().reason, Reason::NotAModule);
    }
    assert_eq!(blobs(), 1);
    repository.image("v1", &[(ISTIO, &module("better"))]);
    assert!(shelf.obtain(wanted).await.is_ok());
    assert_eq!(blobs(), 2);
}

#[tokio::test]
async fn a_layer_that_is_not_what_its_manifest_says_is_not_downloaded_again_at_once() {
    let repository = Repository::new();
    repository.image("v1", &[(ISTIO, &module("a"))]);
    let digest = Sha256::of(&module("a"));
    repository.put(&format!("blobs/sha256:{digest}"), "application/octet-stream", &module("b"));
    let server = repository.serve().await;
    let folder = tempfile::tempdir().unwrap();
    let shelf = shelf(folder.path(), network(FetchOptions::default()));
    for _ in 0..3 {
        let refused = shelf.obtain(wanted(&url(&server, ":v1"))).await.unwrap_err();
        assert_eq!(refused.reason, Reason::ChecksumMismatch, "{refused}");
    }
    let blobs = server.asked().iter().filter(|asked| asked.path().contains("/blobs/")).count();
    assert_eq!(blobs, 1);
}

#[tokio::test]
async fn an_attempt_after_the_first_makes_each_request_once() {
    let server = Server::plain(|_| Reply::status(503)).await;
    let folder = tempfile::tempdir().unwrap();
    let shelf = shelf(folder.path(), network(FetchOptions::default()));
    for (effort, requests) in [(Effort::Full, 5), (Effort::Brisk, 1), (Effort::Once, 1)] {
        let before = server.count();
        let failed = shelf.obtain(Wanted { effort, ..wanted(&server.url("/")) }).await.unwrap_err();
        assert_eq!((failed.reason, server.count() - before), (Reason::Unreachable, requests), "{effort:?}");
    }
}

#[tokio::test]
async fn rules_on_signatures_that_change_count_without_a_restart() {
    const TAG: &str = "oci://registry.test/team/filter:v1";
    let (folder, registry, signer) = (tempfile::tempdir().unwrap(), Registry::new(), Signer::new());
    let digest = registry.push(TAG, &module("a"));
    let (rules, key) = (folder.path().join("rules.yaml"), folder.path().join("team.pub"));
    std::fs::write(&key, Signer::new().pem).unwrap();
    std::fs::write(&rules, "rules: [{match: other.test/*, policy: enforce, keys: [{file: team.pub}]}]")
        .unwrap();
    let trust = Trust::new(&TrustOptions { signatures: Some(rules.clone()), ..TrustOptions::default() });
    let modules = folder.path().join("modules");
    let shelf = Shelf::new(Parts { trust: trust.unwrap(), ..parts(&modules, &registry) });
    assert!(shelf.obtain(wanted(TAG)).await.is_ok());

    std::fs::write(&rules, "rules: [{match: registry.test/*, keys: [{file: team.pub}]}]").unwrap();
    let refused = shelf.obtain(wanted(TAG)).await.unwrap_err();
    assert_eq!(refused.reason, Reason::Unsigned, "{refused}");
    assert!(shelf.at_hand(&wanted(TAG)).is_none(), "not from the store either");
    registry.change(TAG, |image| {
        image.signatures = vec![signer.sign_image(&digest, "registry.test/team/filter")];
    });
    assert_eq!(shelf.obtain(wanted(TAG)).await.unwrap_err().reason, Reason::Unsigned, "by another key");
    std::fs::write(&key, &signer.pem).unwrap();
    assert!(shelf.obtain(wanted(TAG)).await.is_ok());
    // What is wrong changes nothing.
    std::fs::write(&rules, "rules: []\nrule: 1").unwrap();
    assert!(shelf.obtain(wanted(TAG)).await.is_ok());
    assert_eq!(registry.downloaded.load(Ordering::SeqCst), 1, "the module is there all the time");
}

/// What this process has open and runs.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

const ALONE: &str = "MESHLOOM_TEST_ALONE";

/// Looks in a process of its own, where nothing else runs.
#[test]
fn a_shelf_and_its_network_leave_nothing_behind() {
    const NAME: &str = "downloads::a_shelf_and_its_network_leave_nothing_behind";
    if std::env::var_os(ALONE).is_none() {
        let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
        let output = alone.args(["--exact", NAME, "--nocapture"]).env(ALONE, "1").output().unwrap();
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let round = async || {
            let bytes = module("a");
            let good = Server::plain(move |_| Reply::ok(bytes.clone())).await;
            let stalls = Server::plain(|_| Reply::new(200, Body::Stalls(module("a")))).await;
            let folder = tempfile::tempdir().unwrap();
            let shelf = shelf(folder.path(), network(FetchOptions::default()));
            for number in 0..5 {
                shelf.obtain(wanted(&good.url(&format!("/{number}")))).await.unwrap();
                // Given up while it comes.
                let download = shelf.obtain(wanted(&stalls.url(&format!("/{number}"))));
                assert!(tokio::time::timeout(Duration::from_millis(100), download).await.is_err());
            }
            // Begun and never looked at again.
            let mut forgotten = shelf.obtain(wanted(&stalls.url("/forgotten")));
            let mut context = Context::from_waker(Waker::noop());
            assert!(std::pin::Pin::new(&mut forgotten).poll(&mut context).is_pending());
        };
        let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
        let settled = async |what: &dyn Fn() -> usize, most: usize| {
            for _ in 0..1_000 {
                if what() <= most {
                    return true;
                }
                sleep(Duration::from_millis(10)).await;
            }
            false
        };
        // What the first of all leaves, such as the threads that wait for work, stays.
        round().await;
        let none = settled(&tasks, 0).await;
        assert!(none, "{} tasks", tasks());
        let before = descriptors();
        for _ in 0..3 {
            round().await;
        }
        assert!(settled(&tasks, 0).await, "{} tasks", tasks());
        assert!(settled(&descriptors, before).await, "{} open, {before} before", descriptors());
    });
}

//! Places among the downloads: who has one, and who is not held up by others.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use meshloom_agent::fetch::{FetchOptions, Fetcher as _, Network, Progress, Stage};
use meshloom_agent::{Reason, Wanted};
use tokio::task::JoinSet;

use super::image::*;
use super::pulling::*;
use super::server::{Body, Reply, Server};

/// What a download of that came to, while so many others of those go on.
async fn beside(others: Vec<Wanted>, good: Wanted, network: Network) -> Vec<u8> {
    let network: &'static Network = Box::leak(Box::new(network));
    let mut going_on = JoinSet::new();
    for other in others {
        going_on.spawn(async move { pull(network, &other).await.map(|_| ()) });
    }
    // All of them have been let in where they can be, before the good one comes.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let module = module(network, &good).await;
    assert!(going_on.try_join_next().is_none(), "one of the others has ended, so nothing is shown");
    module
}

#[tokio::test]
async fn eight_sources_that_do_not_answer_do_not_hold_up_one_that_does() {
    let silent = Server::plain(|_| Reply::new(200, Body::Silence)).await;
    let good = Server::plain(|_| Reply::ok(MODULE)).await;
    let others = (0..8).map(|number| wanted(silent.url(&format!("/{number}")))).collect();
    assert_eq!(beside(others, wanted(good.url("/")), network(options())).await, MODULE);
}

#[tokio::test]
async fn eight_registries_whose_layers_do_not_come_do_not_hold_up_a_good_one() {
    let repository = Repository::new();
    let repository =
        repository.twisted(|asked| asked.path().contains("/blobs/").then(|| Reply::new(200, Body::Silence)));
    repository.image("v1", &[(ISTIO, MODULE)]);
    let good = Repository::new();
    good.image("v1", &[(ISTIO, MODULE)]);
    let (silent, good) = (repository.serve().await, good.serve().await);
    let others = (0..8).map(|_| wanted(url(&silent, ":v1"))).collect();
    assert_eq!(beside(others, wanted(url(&good, ":v1")), network(options())).await, MODULE);
    assert!(silent.count() >= 16, "all of them have asked for the layer");
}

#[tokio::test]
async fn eight_downloads_that_hardly_move_lose_their_places_to_one_that_does() {
    let slow = Server::plain(|_| Reply::new(200, Body::Drips(MODULE.to_vec(), Duration::from_secs(5)))).await;
    let good = Server::plain(|_| Reply::ok(MODULE)).await;
    let others = (0..8).map(|number| wanted(slow.url(&format!("/{number}")))).collect();
    assert_eq!(beside(others, wanted(good.url("/")), network(options())).await, MODULE);
}

#[tokio::test]
async fn who_waits_for_a_place_at_one_registry_takes_none_from_another() {
    let slow = Server::plain(|_| Reply::new(200, Body::Stalls(MODULE.to_vec()))).await;
    let good = Server::plain(|_| Reply::ok(MODULE)).await;
    let yaml = format!("registries: [{{prefix: '{}', concurrentDownloads: 1}}]", slow.host());
    let others = (0..8).map(|number| wanted(slow.url(&format!("/{number}")))).collect();
    assert_eq!(beside(others, wanted(good.url("/")), network_with(options(), &yaml)).await, MODULE);
}

/// The stages that a download has gone through.
#[derive(Default)]
struct Stages(Mutex<Vec<&'static str>>);

impl Progress for Stages {
    fn received(&self, _: u64, _: Option<u64>) {}

    fn reached(&self, stage: Stage) {
        self.0.lock().unwrap().push(match stage {
            Stage::Asking => "asking",
            Stage::Waiting => "waiting",
            Stage::Receiving(_) => "receiving",
            Stage::Landed => "landed",
        });
    }
}

#[tokio::test]
async fn a_download_tells_how_far_it_is_once_its_source_has_answered() {
    let (there, gone) =
        (Server::plain(|_| Reply::ok(MODULE)).await, Server::plain(|_| Reply::status(404)).await);
    let (network, folder) = (network(options()), Folder::new());
    let of = async |server: &Server| {
        let stages = Stages::default();
        let wanted = wanted(server.url("/"));
        let done = network.download(&wanted, &Default::default(), folder.path(), &stages).await;
        (done.map(|_| ()).map_err(|error| error.reason), stages.0.into_inner().unwrap())
    };
    assert_eq!(of(&there).await, (Ok(()), vec!["waiting", "receiving"]));
    assert_eq!(of(&gone).await, (Err(Reason::NotFound), vec![]));
}

/// How many are received at a time, and how many have been at most.
#[derive(Default)]
struct Received {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Progress for Received {
    fn received(&self, _: u64, _: Option<u64>) {}

    fn reached(&self, stage: Stage) {
        if let Stage::Receiving(_) = stage {
            let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
        }
    }
}

#[tokio::test]
async fn only_so_many_modules_are_received_at_a_time() {
    let server =
        Server::plain(|_| Reply::new(200, Body::Drips(MODULE.to_vec(), Duration::from_millis(2)))).await;
    let network = network(FetchOptions { concurrent_downloads: 2, ..options() });
    let (wanted, folder, received) = (wanted(server.url("/")), Folder::new(), Received::default());
    let resolved = Default::default();
    let downloads = (0..12).map(|_| async {
        network.download(&wanted, &resolved, folder.path(), &received).await.unwrap();
        received.now.fetch_sub(1, Ordering::SeqCst);
    });
    futures_util::future::join_all(downloads).await;
    assert_eq!((received.most.into_inner(), server.count()), (2, 12));
}

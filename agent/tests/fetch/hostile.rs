//! Servers that are slow, that lie, and that send too much.

use std::io::Read as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use meshloom_agent::Reason;
use meshloom_agent::fetch::{FetchOptions, Fetcher as _, Progress};

use super::pulling::*;
use super::server::{Body, Reply, Server};

#[tokio::test]
async fn a_body_that_ends_early_is_fetched_again_and_never_taken() {
    let server = Server::plain(|_| Reply::new(200, Body::Claiming(MODULE.len() + 5, MODULE.to_vec()))).await;
    let cut = refusal(&network(options()), &wanted(server.url("/"))).await;
    assert!(cut.message.starts_with("wasm module download failed after 5 attempts"), "{cut}");
    assert_eq!((cut.reason, server.count()), (Reason::Unreachable, 5));
}

#[tokio::test]
async fn of_a_body_that_is_longer_than_told_only_what_was_told_is_read() {
    let server = Server::plain(|_| Reply::new(200, Body::Claiming(12, MODULE.to_vec()))).await;
    assert_eq!(module(&network(options()), &wanted(server.url("/"))).await, MODULE[..12]);
}

#[tokio::test]
async fn a_download_that_stands_still_is_given_up() {
    let server = Server::plain(|_| Reply::new(200, Body::Stalls(MODULE.to_vec()))).await;
    let options = FetchOptions { idle_timeout: Duration::from_millis(700), attempts: 2, ..options() };
    let still = refusal(&network(options), &wanted(server.url("/"))).await;
    assert_eq!((still.reason, server.count()), (Reason::TimedOut, 2), "{still}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up_and_asked_again() {
    let server = Server::plain(|_| Reply::new(200, Body::Silence)).await;
    let options = FetchOptions { request_timeout: Duration::from_millis(700), attempts: 3, ..options() };
    let silent = refusal(&network(options), &wanted(server.url("/"))).await;
    assert_eq!((silent.reason, server.count()), (Reason::TimedOut, 3), "{silent}");
}

#[tokio::test]
async fn a_slow_download_ends_with_the_resources_time_unless_it_may_take_longer() {
    let server =
        Server::plain(|_| Reply::new(200, Body::Drips(MODULE.to_vec(), Duration::from_millis(250)))).await;
    let mut wanted = wanted(server.url("/"));
    wanted.timeout = Duration::from_secs(3);
    let short = FetchOptions { download_timeout: Duration::ZERO, ..options() };
    let slow = refusal(&network(short), &wanted).await;
    assert_eq!(slow.reason, Reason::TimedOut, "{slow}");
    assert!(slow.message.ends_with("context deadline exceeded"), "{slow}");
    assert_eq!(module(&network(options()), &wanted).await, MODULE);
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_it_comes_or_when_it_is_too_large() {
    let options = || FetchOptions { max_binary_size: 1000, max_archive_size: 2000, ..options() };
    let of = async |reply: fn() -> Reply| {
        let server = Server::plain(move |_| reply()).await;
        let refused = refusal(&network(options()), &wanted(server.url("/"))).await;
        assert_eq!((refused.reason, server.count()), (Reason::TooLarge, 1), "{refused}");
        refused.message
    };
    let told = of(|| Reply::new(200, Body::Zeros(MODULE.to_vec(), 1000))).await;
    assert!(told.contains("larger than 1000 bytes (ISTIO_WASM_MAX_BINARY_SIZE_BYTES"), "{told}");
    let untold = of(|| Reply::new(200, Body::Unmeasured([MODULE, &[0; 1000]].concat()))).await;
    assert!(untold.contains("larger than 1000 bytes"), "{untold}");
    let unpacked = of(|| Reply::ok(gz(&[MODULE, &[0; 1000]].concat()))).await;
    assert!(unpacked.contains("larger than 1000 bytes"), "{unpacked}");
    let archive =
        of(|| Reply::new(200, Body::Unmeasured(tar(&[("a", &[0; 9000]), ("plugin.wasm", MODULE)])))).await;
    assert!(
        archive.contains("the archive is larger than 2000 bytes (MESHLOOM_WASM_MAX_ARCHIVE_SIZE"),
        "{archive}"
    );
    // One byte less fits.
    let server = Server::plain(|_| Reply::ok([MODULE, &[0; 983]].concat())).await;
    assert_eq!(module(&network(options()), &wanted(server.url("/"))).await.len(), 1000);
}

#[tokio::test]
async fn a_decompression_bomb_goes_off_nowhere() {
    let bomb = gz(&vec![0; 40 << 20]);
    let twice = gz(&bomb);
    let in_tar = gz(&tar(&[("a", &vec![0; 40 << 20]), ("plugin.wasm", MODULE)]));
    for bomb in [gz(&[MODULE, &vec![0; 40 << 20]].concat()), gz(&tar(&[("a.gz", &bomb)])), twice, in_tar] {
        let server = Server::plain(move |_| Reply::ok(bomb.clone())).await;
        let refused = refusal(&network(options()), &wanted(server.url("/"))).await;
        assert!(matches!(refused.reason, Reason::TooLarge | Reason::NotAModule), "{refused}");
    }
}

#[tokio::test]
async fn headers_and_errors_of_any_size_do_not_fill_the_memory() {
    let server = Server::plain(|_| Reply::new(200, Body::HugeHeader(8 << 20))).await;
    let options = || FetchOptions { attempts: 1, ..options() };
    let huge = refusal(&network(options()), &wanted(server.url("/"))).await;
    assert_eq!(huge.reason, Reason::Unreachable, "{huge}");
    let server = Server::plain(|_| Reply::new(500, Body::Zeros(Vec::new(), 1 << 40))).await;
    let endless = refusal(&network(options()), &wanted(server.url("/"))).await;
    assert!(endless.message.ends_with("status code 500"), "{endless}");
}

#[tokio::test]
async fn a_download_that_nobody_waits_for_leaves_nothing() {
    let server = Server::plain(|_| Reply::new(200, Body::Stalls([MODULE, &[0; 100_000]].concat()))).await;
    let (network, wanted, folder) = (network(options()), wanted(server.url("/")), Folder::new());
    let resolved = Default::default();
    {
        let mut download = network.download(&wanted, &resolved, folder.path(), &());
        while folder.files() == 0 {
            let waited = tokio::time::timeout(Duration::from_millis(10), &mut download).await;
            assert!(waited.is_err(), "it ended by itself");
        }
    }
    assert_eq!(folder.files(), 0);
}

#[tokio::test]
async fn a_packed_download_has_no_name_until_it_is_unpacked() {
    let packed = gz(&(0..100_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>());
    let size = packed.len() as u64;
    let server = Server::plain(move |_| Reply::new(200, Body::Stalls(packed.clone()))).await;
    let (network, wanted, folder) = (network(options()), wanted(server.url("/")), Folder::new());
    let (resolved, received) = (Default::default(), Received::default());
    let mut download = network.download(&wanted, &resolved, folder.path(), &received);
    while received.0.load(Ordering::Relaxed) < size {
        let waited = tokio::time::timeout(Duration::from_millis(10), &mut download).await;
        assert!(waited.is_err(), "it ended by itself");
    }
    assert_eq!(folder.files(), 0);
}

/// How many bytes have come.
#[derive(Default)]
struct Received(AtomicU64);

impl Progress for Received {
    fn received(&self, bytes: u64, _: Option<u64>) {
        self.0.store(bytes, Ordering::Relaxed);
    }
}

/// Bytes of memory that this process has by itself.
fn memory() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: Vec<u64> = statm.split(' ').take(3).map(|field| field.parse().unwrap()).collect();
    // Resident, without what is shared with the disk's cache.
    (pages[1] - pages[2]) * 4096
}

/// The most memory there was while something came.
#[derive(Default)]
struct Highest(AtomicU64);

impl Progress for Highest {
    fn received(&self, _: u64, _: Option<u64>) {
        self.0.fetch_max(memory(), Ordering::Relaxed);
    }
}

const ALONE: &str = "MESHLOOM_TEST_ALONE";

/// Measures in a process of its own, where nothing else runs.
#[tokio::test]
async fn a_large_module_takes_no_more_memory_than_a_small_one() {
    const NAME: &str = "hostile::a_large_module_takes_no_more_memory_than_a_small_one";
    const SIZE: u64 = 150 << 20;
    const GROWTH: u64 = 12 << 20;
    if std::env::var_os(ALONE).is_none() {
        let mut alone = tokio::process::Command::new(std::env::current_exe().unwrap());
        let output = alone.args(["--exact", NAME, "--nocapture"]).env(ALONE, "1").output().await.unwrap();
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let of =
        |zeros: u64| Server::plain(move |_| Reply::new(200, Body::Zeros(b"\0asm\x01\0\0\0".to_vec(), zeros)));
    let (small, large) = (of(1 << 20).await, of(SIZE).await);
    let packed = {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::copy(&mut std::io::repeat(7).take(SIZE / 2), &mut packed).unwrap();
        gz(&tar(&[("a", &packed.finish().unwrap()), ("plugin.wasm", MODULE)]))
    };
    let packed = Server::plain(move |_| Reply::ok(packed.clone())).await;
    let options = FetchOptions { max_binary_size: 1 << 30, max_unpacked_size: 1 << 40, ..options() };
    let (network, folder, highest) = (network(options), Folder::new(), Highest::default());
    let pull = async |server: &Server| {
        let mut wanted = wanted(server.url("/"));
        wanted.timeout = Duration::from_secs(600);
        network.download(&wanted, &Default::default(), folder.path(), &highest).await.unwrap().size
    };
    pull(&small).await;
    let before = highest.0.load(Ordering::Relaxed);
    assert_eq!(pull(&large).await, SIZE + 8);
    pull(&packed).await;
    let grown = highest.0.load(Ordering::Relaxed).max(memory()) - before;
    println!("{grown} bytes more");
    assert!(grown < GROWTH, "{grown} bytes more");
}

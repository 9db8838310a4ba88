//! Plain downloads: attempts, boxes, redirects, proxies.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use meshloom_agent::fetch::{FetchOptions, Fetcher as _, Progress};
use meshloom_agent::{Reason, Sha256};

use super::pulling::*;
use super::server::{Body, Reply, Server};

/// Answers with those statuses in turn, and then with the module.
async fn after(statuses: &'static [u16]) -> Server {
    let next = AtomicUsize::new(0);
    Server::plain(move |_| match statuses.get(next.fetch_add(1, Ordering::SeqCst)) {
        Some(status) => Reply::status(*status),
        None => Reply::ok(MODULE),
    })
    .await
}

#[tokio::test]
async fn a_module_comes_with_one_request() {
    let server = after(&[]).await;
    let (resolved, module) = pull(&network(options()), &wanted(server.url("/a.wasm?x=y"))).await.unwrap();
    assert_eq!(module, MODULE);
    assert_eq!((resolved.checksum, resolved.manifest), (None, None));
    assert_eq!(server.asked()[0].target, "/a.wasm?x=y");
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn a_server_in_trouble_is_asked_again() {
    let server = after(&[500, 500, 500]).await;
    assert_eq!(module(&network(options()), &wanted(server.url("/"))).await, MODULE);
    assert_eq!(server.count(), 4);
    let server = after(&[408, 425, 429, 503]).await;
    assert_eq!(module(&network(options()), &wanted(server.url("/"))).await, MODULE);
    assert_eq!(server.count(), 5);
}

#[tokio::test]
async fn after_five_attempts_the_last_error_is_told() {
    let server = after(&[500; 9]).await;
    let refusal = refusal(&network(options()), &wanted(server.url("/"))).await;
    let expected = "wasm module download failed after 5 attempts, last error: \
                    wasm module download request failed: status code 500";
    assert_eq!((refusal.message.as_str(), refusal.reason), (expected, Reason::Unreachable));
    assert_eq!(server.count(), 5);
}

#[tokio::test]
async fn no_attempts_are_one_attempt() {
    let server = after(&[500; 9]).await;
    let network = network(FetchOptions { attempts: 0, ..options() });
    let refusal = refusal(&network, &wanted(server.url("/"))).await;
    assert!(refusal.message.contains("failed after 1 attempts, last error: wasm"), "{refusal}");
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn without_time_nothing_is_asked() {
    let server = after(&[]).await;
    let mut wanted = wanted(server.url("/"));
    wanted.timeout = Duration::ZERO;
    let refusal = refusal(&network(options()), &wanted).await;
    assert!(
        refusal.message.starts_with("wasm module download failed after 1 attempts, last error: Get "),
        "{refusal}"
    );
    assert!(refusal.message.ends_with("context deadline exceeded"), "{refusal}");
    assert_eq!(refusal.reason, Reason::TimedOut);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_host_that_is_nowhere_is_tried_five_times() {
    let refusal = refusal(&network(options()), &wanted("https://-invalid-url")).await;
    let expected = "wasm module download failed after 5 attempts, last error: Get \"https://-invalid-url\"";
    assert!(refusal.message.starts_with(expected), "{refusal}");
}

#[tokio::test]
async fn what_will_not_change_is_asked_once() {
    for (status, reason) in [
        (404, Reason::NotFound),
        (410, Reason::NotFound),
        (401, Reason::Denied),
        (403, Reason::Denied),
        (501, Reason::Unreachable),
        (505, Reason::Unreachable),
        (511, Reason::Unreachable),
        (204, Reason::Unreachable),
    ] {
        let server = Server::plain(move |_| Reply::status(status)).await;
        let refusal = refusal(&network(options()), &wanted(server.url("/"))).await;
        assert_eq!((refusal.reason, server.count()), (reason, 1), "{status}: {refusal}");
    }
}

#[tokio::test]
async fn patience_that_is_asked_for_is_passed_on_when_there_is_no_time_for_it() {
    let server = Server::plain(|_| Reply::status(429).with("retry-after", "3600")).await;
    let refusal = refusal(&network(options()), &wanted(server.url("/"))).await;
    assert_eq!((refusal.reason, refusal.retry_after), (Reason::Throttled, Some(Duration::from_secs(3600))));
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn another_scheme_is_refused_in_istios_words() {
    let refusal = refusal(&network(options()), &wanted("foo://abc")).await;
    assert_eq!(refusal.message, "unsupported Wasm module downloading URL scheme: foo");
    assert_eq!(refusal.reason, Reason::Unusable);
}

#[tokio::test]
async fn what_is_packed_is_unpacked() {
    for packed in [
        MODULE.to_vec(),
        tar(&[("anything", MODULE)]),
        gz(MODULE),
        gz(&tar(&[("plugin.wasm", MODULE)])),
        zst(&tar(&[("plugin.wasm", MODULE)])),
    ] {
        for encoding in [None, Some("gzip"), Some("identity")] {
            let packed = packed.clone();
            let server = Server::plain(move |_| {
                let reply = Reply::ok(packed.clone());
                match encoding {
                    Some(encoding) => reply.with("content-encoding", encoding),
                    None => reply,
                }
            })
            .await;
            assert_eq!(module(&network(options()), &wanted(server.url("/"))).await, MODULE);
        }
    }
    let server = Server::plain(|_| Reply::ok(MODULE).with("content-encoding", "br")).await;
    let refusal = refusal(&network(options()), &wanted(server.url("/"))).await;
    assert!(refusal.message.contains(r#"content-encoding "br""#), "{refusal}");
}

#[tokio::test]
async fn the_checksum_is_of_the_unpacked_module() {
    let server = Server::plain(|_| Reply::ok(gz(MODULE))).await;
    let mut wanted = wanted(server.url("/"));
    wanted.checksum = Some(Sha256::of(MODULE));
    assert_eq!(module(&network(options()), &wanted).await, MODULE);
    wanted.checksum = Some(Sha256::of(b"other"));
    let refusal = refusal(&network(options()), &wanted).await;
    let (found, expected) = (Sha256::of(MODULE), Sha256::of(b"other"));
    let words = format!(
        "module downloaded from {} has checksum {found}, which does not match: {expected}",
        server.url("")
    );
    assert_eq!((refusal.message, refusal.reason), (words, Reason::ChecksumMismatch));
}

#[tokio::test]
async fn a_page_is_no_module_and_is_called_a_page() {
    let server = Server::plain(|_| Reply::ok("<!doctype html><title>Sign in</title>")).await;
    let refusal = refusal(&network(options()), &wanted(server.url("/"))).await;
    assert!(refusal.message.starts_with("fetched Wasm binary from http://127.0.0.1:"), "{refusal}");
    assert!(refusal.message.contains("is invalid: an HTML page"), "{refusal}");
    assert_eq!((refusal.reason, server.count()), (Reason::NotAModule, 1));
}

#[tokio::test]
async fn redirects_are_followed_to_an_end() {
    let server = Server::plain(|asked| match asked.path() {
        "/a" => Reply::redirect("b?x=y"),
        "/b" => Reply::new(307, Body::Whole(b"elsewhere".to_vec())).with("location", "/c"),
        "/c" => Reply::ok(gz(&tar(&[("plugin.wasm", MODULE)]))),
        _ => Reply::redirect("/again"),
    })
    .await;
    assert_eq!(module(&network(options()), &wanted(server.url("/a"))).await, MODULE);
    assert_eq!(
        server.asked().iter().map(|asked| asked.target.clone()).collect::<Vec<_>>(),
        ["/a", "/b?x=y", "/c"]
    );
    let refusal = refusal(&network(options()), &wanted(server.url("/loop"))).await;
    assert!(refusal.message.contains("stopped after 10 redirects"), "{refusal}");
    assert_eq!(server.count(), 3 + 11);
}

#[tokio::test]
async fn secrets_of_a_url_are_sent_to_its_host_and_shown_to_nobody() {
    let other = Server::plain(|_| Reply::status(404)).await;
    let to = other.url("/module?signature=hunter2");
    let server = Server::plain(move |_| Reply::redirect(to.clone())).await;
    let url = server.url("/a?token=hunter2").replace("http://", "http://user:hunter2@");
    let refusal = refusal(&network(options()), &wanted(url)).await;
    assert!(!refusal.message.contains("hunter2"), "{refusal}");
    assert!(server.asked()[0].header("authorization").unwrap().starts_with("Basic "));
    assert_eq!(other.asked()[0].header("authorization"), None);
}

#[derive(Default)]
struct Heard(std::sync::Mutex<Vec<(u64, Option<u64>)>>);

impl Progress for Heard {
    fn received(&self, bytes: u64, of: Option<u64>) {
        self.0.lock().unwrap().push((bytes, of));
    }
}

#[tokio::test]
async fn whoever_waits_is_told_how_much_has_come() {
    let server = Server::plain(|_| Reply::new(200, Body::Zeros(MODULE.to_vec(), 1_000_000))).await;
    let (heard, folder, wanted) = (Heard::default(), Folder::new(), wanted(server.url("/")));
    let network = network(options());
    network.download(&wanted, &Default::default(), folder.path(), &heard).await.unwrap();
    let heard = heard.0.into_inner().unwrap();
    let total = MODULE.len() as u64 + 1_000_000;
    assert_eq!(heard.last(), Some(&(total, Some(total))));
    assert!(heard.is_sorted() && heard.len() > 1);
}

#[tokio::test]
async fn a_proxy_is_asked_for_what_it_is_to_fetch() {
    let proxy = Server::plain(|asked| match asked.target.as_str() {
        "http://modules.test/a.wasm" => Reply::ok(MODULE),
        _ => Reply::status(404),
    })
    .await;
    let with_password = format!("http://user:word@{}", proxy.host());
    let network = network(FetchOptions { http_proxy: Some(with_password), ..options() });
    assert_eq!(module(&network, &wanted("http://modules.test/a.wasm")).await, MODULE);
    let asked = proxy.asked();
    assert_eq!(asked[0].header("proxy-authorization"), Some("Basic dXNlcjp3b3Jk"));
    assert_eq!(asked[0].header("authorization"), None);
}

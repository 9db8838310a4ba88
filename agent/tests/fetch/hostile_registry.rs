//! Registries, and the token servers that they send to, that are slow, that lie, and that send too much.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use meshloom_agent::Reason;
use meshloom_agent::fetch::{FetchOptions, Fetcher as _};

use super::image::*;
use super::pulling::*;
use super::server::{Asked, Body, Reply, Server};

const TAR_GZ: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// A registry whose image is as it should be, and that answers what is asked for under such a path otherwise.
async fn answering(part: &'static str, reply: impl Fn() -> Reply + Send + Sync + 'static) -> Server {
    let repository = Repository::new().twisted(move |asked| asked.path().contains(part).then(&reply));
    repository.image("v1", &[(ISTIO, MODULE)]);
    repository.serve().await
}

fn hurried() -> FetchOptions {
    FetchOptions {
        request_timeout: Duration::from_millis(700),
        idle_timeout: Duration::from_millis(700),
        attempts: 2,
        ..options()
    }
}

#[tokio::test]
async fn a_manifest_or_a_layer_that_does_not_come_is_given_up_and_asked_for_again() {
    for (part, asked) in [("/manifests/", 2), ("/blobs/", 3)] {
        let silent = answering(part, || Reply::new(200, Body::Silence)).await;
        let refused = refusal(&network(hurried()), &wanted(url(&silent, ":v1"))).await;
        assert_eq!((refused.reason, silent.count()), (Reason::TimedOut, asked), "{part}: {refused}");
    }
}

#[tokio::test]
async fn a_layer_that_stands_still_is_given_up() {
    let stalled = answering("/blobs/", || Reply::new(200, Body::Stalls(MODULE.to_vec()))).await;
    let refused = refusal(&network(hurried()), &wanted(url(&stalled, ":v1"))).await;
    assert!(matches!(refused.reason, Reason::TimedOut | Reason::ChecksumMismatch), "{refused}");
    let stalled = answering("/blobs/", || Reply::new(200, Body::Stalls(MODULE[..9].to_vec()))).await;
    let refused = refusal(&network(hurried()), &wanted(url(&stalled, ":v1"))).await;
    assert!(matches!(refused.reason, Reason::TimedOut | Reason::ChecksumMismatch), "{refused}");
}

#[tokio::test]
async fn a_manifest_that_drips_has_the_resources_time_and_no_more() {
    let manifest = vec![b' '; 1000];
    let slow = answering("/manifests/", move || {
        Reply::new(200, Body::Drips(manifest.clone(), Duration::from_millis(100)))
    })
    .await;
    let mut wanted = wanted(url(&slow, ":v1"));
    wanted.timeout = Duration::from_secs(2);
    let refused = refusal(&network(options()), &wanted).await;
    assert_eq!(refused.reason, Reason::TimedOut, "{refused}");
    assert!(refused.message.contains("context deadline exceeded"), "{refused}");
}

#[tokio::test]
async fn a_layer_that_drips_may_take_as_long_as_downloads_may() {
    let slow =
        answering("/blobs/", || Reply::new(200, Body::Drips(MODULE.to_vec(), Duration::from_millis(150))))
            .await;
    let mut wanted = wanted(url(&slow, ":v1"));
    wanted.timeout = Duration::from_secs(1);
    let short = FetchOptions { download_timeout: Duration::from_secs(1), ..options() };
    let refused = refusal(&network(short), &wanted).await;
    assert_eq!(refused.reason, Reason::TimedOut, "{refused}");
    assert_eq!(module(&network(options()), &wanted).await, MODULE);
}

#[tokio::test]
async fn a_layer_that_goes_on_for_ever_is_given_up_where_its_manifest_ends() {
    for reply in [
        || Reply::new(200, Body::Zeros(MODULE.to_vec(), 1 << 40)),
        || Reply::new(200, Body::Unmeasured([MODULE, &[0; 1 << 20]].concat())),
        || Reply::new(200, Body::Unmeasured([b"text", &[b' '; 1 << 20][..]].concat())),
    ] {
        let endless = answering("/blobs/", reply).await;
        let refused = refusal(&network(options()), &wanted(url(&endless, ":v1"))).await;
        assert_eq!((refused.reason, endless.count()), (Reason::ChecksumMismatch, 2), "{refused}");
        assert!(refused.message.contains("is longer than the 17 bytes of its manifest"), "{refused}");
    }
}

#[tokio::test]
async fn something_else_in_a_layers_place_is_no_module_of_that_image() {
    // As a portal says it that wants a password first.
    let portal = answering("/blobs/", || Reply::ok("<html>sign on</html>")).await;
    let refused = refusal(&network(options()), &wanted(url(&portal, ":v1"))).await;
    assert_eq!(refused.reason, Reason::ChecksumMismatch, "{refused}");
    // What the image has, on the other hand, it will have the next time too.
    let repository = Repository::new();
    repository.image("v1", &[(ISTIO, b"<html>no module</html>")]);
    let server = repository.serve().await;
    let refused = refusal(&network(options()), &wanted(url(&server, ":v1"))).await;
    assert_eq!(refused.reason, Reason::NotAModule, "{refused}");
}

#[tokio::test]
async fn a_layer_that_its_manifest_says_is_too_large_is_not_asked_for() {
    let repository = Repository::new();
    let mut manifest = image(&repository, OCI_MANIFEST, &[(ISTIO, MODULE)]);
    manifest["layers"][0]["size"] = (1_u64 << 40).into();
    repository.manifest("v1", &manifest);
    let server = repository.serve().await;
    let refused = refusal(&network(options()), &wanted(url(&server, ":v1"))).await;
    assert_eq!((refused.reason, server.count()), (Reason::TooLarge, 1), "{refused}");
}

#[tokio::test]
async fn what_unpacks_to_too_much_goes_off_nowhere() {
    let bomb = gz(&vec![0; 40 << 20]);
    for (layer, reasons) in [
        (gz(&[MODULE, &vec![0; 40 << 20]].concat()), [Reason::TooLarge; 2]),
        (gz(&bomb), [Reason::TooLarge, Reason::NotAModule]),
        (gz(&tar(&[("a.gz", &bomb)])), [Reason::TooLarge, Reason::NotAModule]),
        (gz(&tar(&[("a", &vec![0; 40 << 20]), ("plugin.wasm", MODULE)])), [Reason::TooLarge; 2]),
    ] {
        let repository = Repository::new();
        repository.image("v1", &[(TAR_GZ, &layer)]);
        let server = repository.serve().await;
        let refused = refusal(&network(options()), &wanted(url(&server, ":v1"))).await;
        assert!(reasons.contains(&refused.reason), "{refused}");
        assert_eq!(server.count(), 2, "asked once");
    }
}

#[tokio::test]
async fn errors_and_headers_of_any_size_do_not_fill_the_memory() {
    for part in ["/manifests/", "/blobs/"] {
        let options = || FetchOptions { attempts: 1, ..options() };
        let endless = answering(part, || Reply::new(500, Body::Zeros(b"{".to_vec(), 1 << 40))).await;
        let refused = refusal(&network(options()), &wanted(url(&endless, ":v1"))).await;
        assert_eq!(refused.reason, Reason::Unreachable, "{refused}");
        assert!(refused.message.len() < 3000, "{} bytes", refused.message.len());
        let huge = answering(part, || Reply::new(200, Body::HugeHeader(8 << 20))).await;
        let refused = refusal(&network(options()), &wanted(url(&huge, ":v1"))).await;
        assert_eq!(refused.reason, Reason::Unreachable, "{refused}");
    }
}

#[tokio::test]
async fn a_signature_that_is_endless_or_does_not_come_is_given_up() {
    let signed = |reply: fn() -> Reply| async move {
        let digest = Arc::new(std::sync::OnceLock::new());
        let payload = digest.clone();
        let repository = Repository::new().twisted(move |asked| {
            let blob: Option<&String> = payload.get();
            blob.is_some_and(|blob| asked.path().ends_with(blob)).then(reply)
        });
        let image_digest = repository.image("v1", &[(ISTIO, MODULE)]);
        let kind = "application/vnd.dev.cosign.simplesigning.v1+json";
        let mut manifest = image(&repository, OCI_MANIFEST, &[(kind, b"payload")]);
        manifest["layers"][0]["annotations"] =
            serde_json::json!({"dev.cosignproject.cosign/signature": "c2lnbmVk"});
        repository.manifest(&format!("sha256-{image_digest}.sig"), &manifest);
        digest.set(format!("sha256:{}", meshloom_agent::Sha256::of(b"payload"))).unwrap();
        let server = repository.serve().await;
        let network = network(FetchOptions { attempts: 1, ..hurried() });
        let wanted = wanted(url(&server, ":v1"));
        let resolved = network.resolve(&wanted).await.unwrap();
        network.signatures(&wanted, &resolved).await.unwrap_err()
    };
    let endless = signed(|| Reply::new(200, Body::Zeros(Vec::new(), 1 << 40))).await;
    assert_eq!(endless.reason, Reason::TooLarge, "{endless}");
    let silent = signed(|| Reply::new(200, Body::Silence)).await;
    assert_eq!(silent.reason, Reason::TimedOut, "{silent}");
}

/// A registry that sends its clients for tokens to `/token` of its own host, which answers that.
async fn with_tokens(reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Server {
    let host = Arc::new(std::sync::OnceLock::<String>::new());
    let realm = host.clone();
    let repository = Repository::new().twisted(move |asked| {
        if asked.path() == "/token" {
            return Some(reply(asked));
        }
        (asked.header("authorization") != Some("Bearer right")).then(|| {
            let challenge = format!("Bearer realm=\"http://{}/token\",service=\"s\"", realm.get().unwrap());
            Reply::status(401).with("www-authenticate", challenge)
        })
    });
    repository.image("v1", &[(ISTIO, MODULE)]);
    let server = repository.serve().await;
    host.set(server.host()).unwrap();
    server
}

/// Why there is no module from a registry with such a token server.
async fn without_token(
    reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
) -> (meshloom_agent::Unavailable, Vec<Asked>) {
    let server = with_tokens(reply).await;
    let mut wanted = wanted(url(&server, ":v1"));
    wanted.pull_secret = secret(&server.host(), r#""username": "a", "password": "hunter2""#);
    let refused = refusal(&network(hurried()), &wanted).await;
    assert!(!refused.message.contains("hunter2"), "{refused}");
    (refused, server.asked())
}

#[tokio::test]
async fn a_token_server_that_lies_gives_no_token_and_learns_no_more() {
    for body in [
        "",
        "right",
        "[]",
        "{}",
        r#"{"token": ""}"#,
        r#"{"token": 7}"#,
        r#"{"token": "right\r\nx: y"}"#,
        r#"{"access_token": null}"#,
    ] {
        let (refused, _) = without_token(move |_| Reply::ok(body)).await;
        assert_eq!(refused.reason, Reason::Denied, "{body:?}: {refused}");
    }
    // A token that opens nothing is not shown for ever.
    let given = Arc::new(AtomicUsize::new(0));
    let count = given.clone();
    let (refused, _) = without_token(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Reply::ok(r#"{"token": "wrong", "expires_in": 1}"#)
    })
    .await;
    assert_eq!(refused.reason, Reason::Denied, "{refused}");
    assert!(given.load(Ordering::SeqCst) <= 4, "{} tokens", given.load(Ordering::SeqCst));
}

#[tokio::test]
async fn a_token_server_that_stalls_drips_or_never_ends_is_given_up() {
    for (reply, reason) in [
        ((|_| Reply::new(200, Body::Silence)) as fn(&Asked) -> Reply, Reason::TimedOut),
        (|_| Reply::new(200, Body::Stalls(br#"{"token": ""#.to_vec())), Reason::TimedOut),
        (|_| Reply::new(200, Body::Zeros(br#"{"token": ""#.to_vec(), 1 << 40)), Reason::TooLarge),
        (|_| Reply::new(200, Body::HugeHeader(8 << 20)), Reason::Unreachable),
        (|_| Reply::new(500, Body::Zeros(Vec::new(), 1 << 40)), Reason::Unreachable),
    ] {
        let (refused, _) = without_token(reply).await;
        assert_eq!(refused.reason, reason, "{refused}");
    }
    let server = with_tokens(|_| {
        Reply::new(200, Body::Drips(br#"{"token": "right"}"#.to_vec(), Duration::from_millis(300)))
    })
    .await;
    let mut wanted = wanted(url(&server, ":v1"));
    wanted.timeout = Duration::from_secs(2);
    let refused = refusal(&network(options()), &wanted).await;
    assert_eq!(refused.reason, Reason::TimedOut, "{refused}");
}

#[tokio::test]
async fn a_token_server_that_sends_elsewhere_does_not_get_there_with_what_is_known() {
    for place in [
        "http://169.254.169.254/latest/meta-data",
        "http://[fd00:ec2::254]/",
        "http://metadata.google.internal/",
        "http://0xa9fea9fe/",
    ] {
        let (refused, _) = without_token(move |_| Reply::redirect(place)).await;
        assert_eq!(refused.reason, Reason::Blocked, "{place}: {refused}");
    }
    for place in ["file:///etc/passwd", "gopher://registry.test/", "ftp://registry.test/"] {
        let (refused, _) = without_token(move |_| Reply::redirect(place)).await;
        assert!(refused.message.contains("redirected to the scheme"), "{place}: {refused}");
    }
    let (refused, asked) = without_token(|asked| Reply::redirect(asked.target.clone())).await;
    assert!(refused.message.contains("stopped after 10 redirects"), "{refused}");
    assert!(asked.len() < 40, "{} requests", asked.len());

    // Another host gets the request, and not the password.
    let elsewhere = Server::plain(|_| Reply::ok(r#"{"token": "right"}"#)).await;
    let to = elsewhere.url("/token");
    let server = with_tokens(move |_| Reply::redirect(to.clone())).await;
    let mut wanted = wanted(url(&server, ":v1"));
    wanted.pull_secret = secret(&server.host(), r#""username": "a", "password": "hunter2""#);
    assert_eq!(module(&network(options()), &wanted).await, MODULE);
    assert!(elsewhere.asked().iter().all(|asked| asked.header("authorization").is_none()));
}

#[tokio::test]
async fn a_registry_in_the_internet_leads_into_no_private_network_by_way_of_its_own_token_server() {
    for place in ["http://10.0.0.1/token", "http://127.0.0.1:1/token", "http://[::1]/", "http://localhost/"] {
        let repository = Repository::new().twisted(move |asked| match asked.path() {
            "/token" => Some(Reply::redirect(place)),
            _ => Some(
                Reply::status(401)
                    .with("www-authenticate", "Bearer realm=\"http://registry.test/token\",service=\"s\""),
            ),
        });
        let proxy = Server::plain(move |asked| {
            let target = asked.target.replace("http://registry.test", "");
            repository.reply(&Asked { target, ..asked.clone() })
        })
        .await;
        let network = network_with(
            FetchOptions { http_proxy: Some(proxy.url("")), ..options() },
            "registries: [{prefix: registry.test, plainHttp: true}]",
        );
        let refused = refusal(&network, &wanted("oci://registry.test/team/module:v1")).await;
        assert_eq!(refused.reason, Reason::Blocked, "{place}: {refused}");
        assert!(proxy.asked().iter().all(|asked| asked.target.starts_with("http://registry.test/")));
    }
}

//! Where the fetchers are sent and do not go.

use meshloom_agent::Reason;
use meshloom_agent::fetch::FetchOptions;

use super::pulling::*;
use super::server::{Reply, Server};

#[tokio::test]
async fn a_redirect_to_a_blocked_network_is_not_followed() {
    let target = Server::start("127.0.0.2:0", None, |_| Reply::ok(MODULE)).await;
    let to = target.url("/");
    let server = Server::plain(move |_| Reply::redirect(to.clone())).await;
    let wanted = wanted(server.url("/"));
    assert_eq!(module(&network(options()), &wanted).await, MODULE);
    let asked = target.connections();
    let blocking =
        FetchOptions { blocked: vec!["127.0.0.2/32".to_owned(), "nonsense".to_owned()], ..options() };
    let blocked = refusal(&network(blocking), &wanted).await;
    assert_eq!(blocked.reason, Reason::Blocked, "{blocked}");
    assert_eq!(target.connections(), asked);
}

#[tokio::test]
async fn neither_a_url_nor_a_redirect_leads_to_a_metadata_service() {
    for target in [
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:169.254.169.254]/",
        "http://0xa9fea9fe/",
        "http://metadata.google.internal./",
        "http://100.100.100.200/",
        "http://[fd00:ec2::254]/",
        "http://0.0.0.0/",
    ] {
        let server = Server::plain(move |_| Reply::redirect(target)).await;
        for url in [target.to_owned(), server.url("/")] {
            let blocked = refusal(&network(options()), &wanted(url)).await;
            assert_eq!(blocked.reason, Reason::Blocked, "{target}: {blocked}");
        }
        assert_eq!(server.count(), 1, "a blocked address is no reason to ask again");
    }
}

#[tokio::test]
async fn a_name_is_judged_by_what_it_resolves_to() {
    let server = Server::plain(|_| Reply::ok(MODULE)).await;
    let url = format!("http://localhost:{}/", server.address().port());
    assert_eq!(module(&network(options()), &wanted(url.clone())).await, MODULE);
    let blocking =
        FetchOptions { blocked: vec!["127.0.0.0/8".to_owned(), "::1/128".to_owned()], ..options() };
    let blocked = refusal(&network(blocking), &wanted(url)).await;
    assert!(blocked.message.contains("localhost is at "), "{blocked}");
    assert_eq!(blocked.reason, Reason::Blocked);
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn a_redirect_leads_to_no_other_scheme() {
    for target in ["file:///etc/passwd", "gopher://example.com/", "oci://example.com/a"] {
        let server = Server::plain(move |_| Reply::redirect(target)).await;
        let refused = refusal(&network(options()), &wanted(server.url("/"))).await;
        assert!(refused.message.contains("to the scheme"), "{refused}");
    }
}

#[tokio::test]
async fn a_proxy_is_not_asked_for_what_is_blocked_here() {
    let proxy = Server::plain(|_| Reply::ok(MODULE)).await;
    let network = network_with(
        FetchOptions {
            http_proxy: Some(proxy.url("")),
            blocked: vec!["127.0.0.0/8".to_owned(), "::1/128".to_owned()],
            ..options()
        },
        &format!("registries: [{{prefix: localhost, proxy: '{}'}}]", proxy.url("")),
    );
    for url in ["http://169.254.169.254/", "http://metadata.google.internal/", "http://localhost/"] {
        let blocked = refusal(&network, &wanted(url)).await;
        assert_eq!(blocked.reason, Reason::Blocked, "{url}: {blocked}");
    }
    assert_eq!(proxy.connections(), 0);
    // What does not resolve here is the proxy's own affair.
    assert_eq!(module(&network, &wanted("http://modules.test/")).await, MODULE);
}

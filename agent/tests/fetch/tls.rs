//! Whom the fetchers trust.

use meshloom_agent::Reason;
use meshloom_agent::fetch::FetchOptions;

use super::pulling::*;
use super::server::{Authority, Body, Reply, Server};

async fn server(authority: &Authority) -> Server {
    Server::tls(authority, |_| Reply::ok(MODULE)).await
}

fn insecure(hosts: &[&str]) -> FetchOptions {
    FetchOptions { insecure: hosts.iter().map(|host| (*host).to_owned()).collect(), ..options() }
}

#[tokio::test]
async fn a_certificate_of_nobody_we_know_is_refused_unless_the_host_is_insecure() {
    let server = server(&Authority::new()).await;
    let wanted = wanted(server.url("/"));
    let refused = refusal(&network(options()), &wanted).await;
    assert!(refused.message.ends_with("x509: certificate signed by unknown authority"), "{refused}");
    assert_eq!(refused.reason, Reason::Unreachable);
    // The same certificate would come again.
    assert_eq!((server.connections(), server.count()), (1, 0));

    assert_eq!(module(&network(insecure(&[&server.host()])), &wanted).await, MODULE);
    assert_eq!(module(&network(insecure(&["*"])), &wanted).await, MODULE);
    // Istio compares with the port.
    refusal(&network(insecure(&["127.0.0.1"])), &wanted).await;
}

#[tokio::test]
async fn the_registry_configuration_may_name_an_authority_or_none() {
    let authority = Authority::new();
    let server = server(&authority).await;
    let wanted = wanted(server.url("/"));
    let yaml = format!("registries: [{{prefix: '{}', ca: {}}}]", server.host(), authority.file("ca.pem"));
    assert_eq!(module(&network_with(options(), &yaml), &wanted).await, MODULE);
    let yaml = format!("registries: [{{prefix: '{}', skipVerify: true}}]", server.host());
    assert_eq!(module(&network_with(options(), &yaml), &wanted).await, MODULE);
    let other =
        format!("registries: [{{prefix: '{}', ca: {}}}]", server.host(), Authority::new().file("ca.pem"));
    // Read before the folder of that authority was gone.
    let refused = std::panic::catch_unwind(|| network_with(options(), &other));
    assert!(refused.is_err(), "a file that is not there any more was read");
    let stranger = Authority::new();
    let other = format!("registries: [{{prefix: '{}', ca: {}}}]", server.host(), stranger.file("ca.pem"));
    refusal(&network_with(options(), &other), &wanted).await;
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_gets_the_hosts_own() {
    let authority = Authority::new();
    let server = Server::start("127.0.0.1:0", Some(authority.server(true)), |_| Reply::ok(MODULE)).await;
    let wanted = wanted(server.url("/"));
    let trusted = format!("prefix: '{}', ca: {}", server.host(), authority.file("ca.pem"));
    let known = format!(
        "registries: [{{{trusted}, clientCertificate: {}, clientKey: {}}}]",
        authority.file("client.pem"),
        authority.file("client.key")
    );
    assert_eq!(module(&network_with(options(), &known), &wanted).await, MODULE);
    refusal(&network_with(options(), &format!("registries: [{{{trusted}}}]")), &wanted).await;
}

#[tokio::test]
async fn a_redirect_out_of_tls_is_followed_only_to_a_host_that_is_listed() {
    let authority = Authority::new();
    let plain = Server::plain(|_| Reply::ok(MODULE)).await;
    let to = plain.url("/");
    let server = Server::tls(&authority, move |_| Reply::redirect(to.clone())).await;
    let wanted = wanted(server.url("/"));
    let refused = refusal(&network(insecure(&[&server.host()])), &wanted).await;
    assert!(refused.message.contains("redirected from https to http at 127.0.0.1:"), "{refused}");
    assert_eq!(plain.connections(), 0);
    assert_eq!(module(&network(insecure(&[&server.host(), &plain.host()])), &wanted).await, MODULE);
    let yaml = format!("registries: [{{prefix: '{}', plainHttp: true}}]", plain.host());
    assert_eq!(module(&network_with(insecure(&[&server.host()]), &yaml), &wanted).await, MODULE);
}

#[tokio::test]
async fn through_a_proxy_the_server_is_still_the_one_that_is_verified() {
    let authority = Authority::new();
    let server = server(&authority).await;
    let to = server.address();
    let proxy = Server::plain(move |asked| {
        assert_eq!((asked.method.as_str(), asked.target.as_str()), ("CONNECT", "registry.test:443"));
        Reply::new(200, Body::Tunnel(to))
    })
    .await;
    let options = || FetchOptions { https_proxy: Some(proxy.url("")), ..options() };
    let yaml = format!("registries: [{{prefix: registry.test, ca: {}}}]", authority.file("ca.pem"));
    assert_eq!(module(&network_with(options(), &yaml), &wanted("https://registry.test/a")).await, MODULE);
    assert_eq!((proxy.count(), server.count()), (1, 1));
    let refused = refusal(&network(options()), &wanted("https://registry.test/a")).await;
    assert!(refused.message.ends_with("x509: certificate signed by unknown authority"), "{refused}");
}

#[tokio::test]
async fn an_entry_of_the_registry_configuration_may_have_a_proxy_of_its_own() {
    let proxy = Server::plain(|_| Reply::ok(MODULE)).await;
    let yaml = format!("registries: [{{prefix: modules.test, proxy: '{}'}}]", proxy.url(""));
    assert_eq!(module(&network_with(options(), &yaml), &wanted("http://modules.test/a")).await, MODULE);
    let direct = Server::plain(|_| Reply::ok(MODULE)).await;
    let yaml = format!("registries: [{{prefix: '{}', proxy: '{}'}}]", direct.host(), proxy.url(""));
    assert_eq!(module(&network_with(options(), &yaml), &wanted(direct.url("/"))).await, MODULE);
    assert_eq!((proxy.count(), direct.count()), (2, 0));
}

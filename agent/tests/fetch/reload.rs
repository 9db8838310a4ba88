//! Files that are renewed while the agent runs.

use std::path::Path;

use meshloom_agent::fetch::{FetchOptions, Network};

use super::image::*;
use super::pulling::*;
use super::server::{Authority, Reply, Server};

/// A network whose registry configuration is that file.
fn network_of(file: &Path) -> Network {
    Network::new(FetchOptions { registries: Some(file.to_owned()), ..options() }).unwrap()
}

#[tokio::test]
async fn a_renewed_authority_is_trusted_and_the_old_one_is_not_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (file, ca) = (folder.path().join("registries.yaml"), folder.path().join("ca.pem"));
    let (old, new) = (Authority::new(), Authority::new());
    let repository = Repository::new();
    repository.image("v1", &[(ISTIO, MODULE)]);
    let (before, after) = (repository.serve_tls(&old).await, repository.serve_tls(&new).await);
    std::fs::copy(old.file("ca.pem"), &ca).unwrap();
    let entry = |server: &Server| format!("{{prefix: '{}', ca: {}}}", server.host(), ca.display());
    std::fs::write(&file, format!("registries: [{}, {}]", entry(&before), entry(&after))).unwrap();
    let network = network_of(&file);
    assert_eq!(module(&network, &wanted(url(&before, ":v1"))).await, MODULE);
    refusal(&network, &wanted(url(&after, ":v1"))).await;

    std::fs::copy(new.file("ca.pem"), &ca).unwrap();
    assert_eq!(module(&network, &wanted(url(&after, ":v1"))).await, MODULE);
    let stranger = refusal(&network, &wanted(url(&before, ":v1"))).await;
    assert!(stranger.message.contains("invalid peer certificate"), "{stranger}");
}

#[tokio::test]
async fn a_client_certificate_that_comes_later_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("registries.yaml");
    let (authority, other) = (Authority::new(), Authority::new());
    let server = Server::start("127.0.0.1:0", Some(authority.server(true)), |_| Reply::ok(MODULE)).await;
    let (certificate, key) = (folder.path().join("client.pem"), folder.path().join("client.key"));
    let copy = |from: &Authority| {
        std::fs::copy(from.file("client.pem"), &certificate).unwrap();
        std::fs::copy(from.file("client.key"), &key).unwrap();
    };
    copy(&other);
    let yaml = format!(
        "registries: [{{prefix: '{}', ca: {}, clientCertificate: {}, clientKey: {}}}]",
        server.host(),
        authority.file("ca.pem"),
        certificate.display(),
        key.display()
    );
    std::fs::write(&file, yaml).unwrap();
    let network = network_of(&file);
    refusal(&network, &wanted(server.url("/"))).await;
    copy(&authority);
    assert_eq!(module(&network, &wanted(server.url("/"))).await, MODULE);
}

#[tokio::test]
async fn a_changed_configuration_counts_and_one_that_is_wrong_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("registries.yaml");
    let repository = Repository::new();
    repository.image("v1", &[(ISTIO, MODULE)]);
    let (first, second) = (repository.serve().await, repository.serve().await);
    let write = |text: String| std::fs::write(&file, text).unwrap();
    let led = |to: &Server| format!("registries: [{{prefix: registry.test, location: '{}'}}]", to.host());
    write(led(&first));
    let network = network_of(&file);
    let wanted = wanted("oci://registry.test/team/module:v1");
    let asked = async || {
        let before = (first.count(), second.count());
        assert_eq!(module(&network, &wanted).await, MODULE);
        (first.count() - before.0, second.count() - before.1)
    };
    assert_eq!(asked().await, (2, 0));
    write(led(&second));
    assert_eq!(asked().await, (0, 2));
    write("registries: [{prefix: registry.test, lokation: nowhere.test}]".to_owned());
    assert_eq!(asked().await, (0, 2), "as before");
    write(led(&first));
    assert_eq!(asked().await, (2, 0));
}

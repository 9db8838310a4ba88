//! Pulls from a real registry on this machine: in clear and by TLS, with passwords and with tokens.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of this is a test: clippy knows only the functions marked so"
)]

#[path = "registry/distribution.rs"]
mod distribution;
#[path = "support/pulling.rs"]
mod pulling;
#[path = "support/server.rs"]
mod server;
#[path = "registry/tokens.rs"]
mod tokens;

use distribution::{Access, Registry};
use meshloom_agent::fetch::Fetcher as _;
use meshloom_agent::{Reason, Sha256};
use pulling::*;
use serde_json::{Value, json};
use server::{Authority, Reply, Server};
use tokens::Issuer;

const ISTIO: &str = "application/vnd.module.wasm.content.layer.v1+wasm";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// The manifest of an image whose layers are pushed.
async fn image(registry: &Registry, layers: &[(&str, &[u8])]) -> Value {
    let config = registry.blob(b"{}").await;
    let mut listed = Vec::new();
    for (kind, content) in layers {
        let digest = registry.blob(content).await;
        listed.push(json!({"mediaType": kind, "digest": format!("sha256:{digest}"), "size": content.len()}));
    }
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": format!("sha256:{config}"), "size": 2},
        "layers": listed,
    })
}

#[tokio::test]
async fn every_layout_comes_out_of_a_registry_byte_for_byte() {
    let Some(registry) = Registry::start(Access::Free, None).await else { return };
    let network = network(options());
    let in_tar = tar(&[("./plugin.wasm", MODULE)]);
    let mut digests = Vec::new();
    for (tag, layers) in [
        ("artifact", &[(ISTIO, MODULE), ("text/markdown", b"# module")][..]),
        ("wasm", &[("application/wasm", MODULE)]),
        ("gzip", &[("application/vnd.oci.image.layer.v1.tar+gzip", &gz(&in_tar))]),
        ("zstd", &[("application/vnd.oci.image.layer.v1.tar+zstd", &zst(&in_tar))]),
    ] {
        let digest = registry.manifest(tag, &image(&registry, layers).await).await;
        let (resolved, module) = pull(&network, &wanted(registry.url(&format!(":{tag}")))).await.unwrap();
        assert_eq!((module.as_slice(), resolved.checksum), (MODULE, Some(digest)), "{tag}");
        digests.push(digest);
    }
    let entry = |digest: Sha256, size: usize| json!({"mediaType": MANIFEST, "digest": format!("sha256:{digest}"), "size": size, "platform": {"os": "wasip1", "architecture": "wasm"}});
    let child = image(&registry, &[(ISTIO, MODULE), ("text/markdown", b"# module")]).await.to_string();
    let index =
        json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry(digests[0], child.len())]});
    let index = registry.manifest("index", &index).await;
    let (resolved, module) =
        pull(&network, &wanted(registry.url(&format!("@sha256:{index}")))).await.unwrap();
    assert_eq!(
        (module.as_slice(), resolved.checksum, resolved.also),
        (MODULE, Some(index), vec![digests[0]])
    );
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let Some(registry) = Registry::start(Access::Free, None).await else { return };
    let refused = refusal(&network(options()), &wanted(registry.url(":v1"))).await;
    assert_eq!(refused.reason, Reason::NotFound, "{refused}");
    assert!(
        refused.message.contains("\"MANIFEST_UNKNOWN\"") || refused.message.contains("\"NAME_UNKNOWN\""),
        "{refused}"
    );
}

#[tokio::test]
async fn a_registry_with_tls_and_passwords_gives_a_module_to_who_knows_both() {
    let authority = Authority::new();
    let Some(registry) = Registry::start(Access::Password, Some(&authority)).await else { return };
    registry.manifest("v1", &image(&registry, &[(ISTIO, MODULE)]).await).await;
    let trusting =
        format!("registries: [{{prefix: '{}', ca: {}}}]", registry.host(), authority.file("ca.pem"));
    let mut wanted = wanted(registry.url(":v1"));
    wanted.pull_secret = secret(registry.host(), r#""username": "a", "password": "word""#);
    assert_eq!(module(&network_with(options(), &trusting), &wanted).await, MODULE);
    let stranger = refusal(&network(options()), &wanted).await;
    assert!(stranger.message.ends_with("x509: certificate signed by unknown authority"), "{stranger}");

    for (secret, words) in [
        (
            secret(registry.host(), r#""username": "a", "password": "hunter2""#),
            "to the credentials from the pull secret",
        ),
        (secret("other.test", r#""username": "a", "password": "word""#), "none for it in the pull secret"),
    ] {
        wanted.pull_secret = secret;
        let denied = refusal(&network_with(options(), &trusting), &wanted).await;
        assert!(denied.message.contains(words) && !denied.message.contains("hunter2"), "{denied}");
        assert_eq!(denied.reason, Reason::Denied);
    }
}

#[tokio::test]
async fn a_registry_with_tls_and_tokens_gives_a_module_to_who_gets_one() {
    let (authority, issuer) = (Authority::new(), Issuer::new());
    let signing = issuer.clone();
    let tokens = Server::tls(&authority, move |asked| match asked.header("authorization") {
        Some("Basic YTp3b3Jk") => {
            Reply::ok(json!({"token": signing.token(&["pull"]), "expires_in": 300}).to_string())
        }
        _ => Reply::status(401),
    })
    .await;
    let access = Access::Tokens { realm: tokens.url("/token"), issuer: &issuer };
    let Some(registry) = Registry::start(access, Some(&authority)).await else { return };
    registry.manifest("v1", &image(&registry, &[(ISTIO, MODULE)]).await).await;
    let ca = authority.file("ca.pem");
    let yaml = format!(
        "registries: [{{prefix: '{}', ca: {ca}, tokenServers: ['{}']}}, {{prefix: '{}', ca: {ca}}}]",
        registry.host(),
        tokens.host(),
        tokens.host()
    );
    let network = network_with(options(), &yaml);
    let mut wanted = wanted(registry.url(":v1"));
    wanted.pull_secret = secret(registry.host(), r#""auth": "YTp3b3Jk""#);
    assert_eq!(module(&network, &wanted).await, MODULE);
    assert!(tokens.asked()[0].target.ends_with("&scope=repository%3Ateam%2Fmodule%3Apull"));
    wanted.pull_secret = None;
    assert_eq!(refusal(&network, &wanted).await.reason, Reason::Denied);
}

#[tokio::test]
async fn a_registry_that_comes_back_is_used_again() {
    let Some(mut registry) = Registry::start(Access::Free, None).await else { return };
    registry.manifest("v1", &image(&registry, &[(ISTIO, MODULE)]).await).await;
    let (network, wanted) = (network(options()), wanted(registry.url(":v1")));
    assert_eq!(module(&network, &wanted).await, MODULE);
    registry.kill();
    let gone = refusal(&network, &wanted).await;
    assert_eq!(gone.reason, Reason::Unreachable, "{gone}");
    registry.again().await;
    assert_eq!(module(&network, &wanted).await, MODULE);
}

#[tokio::test]
async fn signatures_of_cosign_are_found_in_a_registry() {
    let Some(registry) = Registry::start(Access::Free, None).await else { return };
    let digest = registry.manifest("v1", &image(&registry, &[(ISTIO, MODULE)]).await).await;
    let (network, wanted) = (network(options()), wanted(registry.url(":v1")));
    let resolved = network.resolve(&wanted).await.unwrap();
    assert_eq!(network.signatures(&wanted, &resolved).await.unwrap(), []);
    let kind = "application/vnd.dev.cosign.simplesigning.v1+json";
    let mut manifest = image(&registry, &[(kind, b"payload")]).await;
    manifest["layers"][0]["annotations"] = json!({"dev.cosignproject.cosign/signature": "c2lnbmVk"});
    registry.manifest(&format!("sha256-{digest}.sig"), &manifest).await;
    let signatures = network.signatures(&wanted, &resolved).await.unwrap();
    assert_eq!((signatures.len(), &signatures[0].payload[..]), (1, &b"payload"[..]));
}

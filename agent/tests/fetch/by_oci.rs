//! OCI registries.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use meshloom_agent::fetch::{Fetcher as _, Resolved};
use meshloom_agent::{Reason, Sha256};
use serde_json::json;

use super::image::*;
use super::pulling::*;
use super::server::{Body, Reply, Server};

const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

#[tokio::test]
async fn a_module_is_taken_out_of_every_kind_of_image() {
    let in_tar = tar(&[("plugin.wasm", MODULE)]);
    let relative = tar(&[("./plugin.wasm", MODULE)]);
    for (kind, layers) in [
        (DOCKER_MANIFEST, &[("application/vnd.docker.image.rootfs.diff.tar.gzip", gz(&in_tar))][..]),
        (OCI_MANIFEST, &[("application/vnd.oci.image.layer.v1.tar+gzip", gz(&relative))]),
        (
            OCI_MANIFEST,
            &[
                ("application/vnd.oci.image.layer.v1.tar+gzip", gz(&tar(&[("plugin.wasm", b"\0asm other")]))),
                ("application/vnd.oci.image.layer.v1.tar+gzip", gz(&in_tar)),
            ],
        ),
        (OCI_MANIFEST, &[("application/vnd.oci.image.layer.v1.tar+zstd", zst(&in_tar))]),
        (OCI_MANIFEST, &[("application/vnd.oci.image.layer.v1.tar", in_tar.clone())]),
        (OCI_MANIFEST, &[("application/vnd.oci.image.layer.v1.tar", MODULE.to_vec())]),
        (
            OCI_MANIFEST,
            &[(ISTIO, MODULE.to_vec()), ("application/vnd.module.wasm.config.v1+json", b"{}".to_vec())],
        ),
        (
            OCI_MANIFEST,
            &[
                ("text/yaml", b"a: b".to_vec()),
                ("text/markdown", b"#".to_vec()),
                ("application/wasm", MODULE.to_vec()),
            ],
        ),
        (OCI_MANIFEST, &[("application/vnd.wasm.content.layer.v1+wasm", MODULE.to_vec())]),
    ] {
        let repository = Repository::new();
        let layers: Vec<(&str, &[u8])> =
            layers.iter().map(|(kind, content)| (*kind, content.as_slice())).collect();
        let digest = repository.manifest("v1", &image(&repository, kind, &layers));
        let server = repository.serve().await;
        let (resolved, module) = pull(&network(options()), &wanted(url(&server, ":v1"))).await.unwrap();
        assert_eq!(module, MODULE);
        assert_eq!((resolved.checksum, resolved.also), (Some(digest), Vec::new()));
        assert_eq!(resolved.manifest.map(|bytes| Sha256::of(&bytes)), Some(digest));
        assert_eq!(server.count(), 2, "the manifest and the layer");
    }
}

#[tokio::test]
async fn an_image_without_a_module_is_refused_with_its_layers() {
    let repository = Repository::new();
    repository.image("v1", &[("text/plain", b"text")]);
    let server = repository.serve().await;
    let refused = refusal(&network(options()), &wanted(url(&server, ":v1"))).await;
    let expected = "could not fetch Wasm binary: the given image is in invalid format as an OCI image: \
                    no layer is a Wasm module or an archive; layer 0 is \"text/plain\" of 4 bytes";
    assert_eq!((refused.message.as_str(), refused.reason), (expected, Reason::NotAModule));

    repository
        .image("v2", &[("application/vnd.oci.image.layer.v1.tar+gzip", &gz(&tar(&[("README", b"text")])))]);
    let refused = refusal(&network(options()), &wanted(url(&server, ":v2"))).await;
    assert!(
        refused.message.contains("a tar archive without a module: it has \"README\" (file)"),
        "{refused}"
    );
    assert_eq!(refused.reason, Reason::NotAModule);
}

/// A repository with an index of two platforms under `v1`: its digest, and that of its child for Wasm.
fn indexed() -> (Repository, Sha256, Sha256) {
    let repository = Repository::new();
    let wasm = repository.image("wasm", &[(ISTIO, MODULE)]);
    let other = repository.image("other", &[(ISTIO, b"\0asm other")]);
    let entry = |digest: Sha256, os: &str, arch: &str| json!({"mediaType": OCI_MANIFEST, "digest": format!("sha256:{digest}"), "size": 1, "platform": {"os": os, "architecture": arch}});
    let index = repository.manifest(
        "v1",
        &json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [entry(other, "linux", "amd64"), entry(wasm, "wasip1", "wasm")],
        }),
    );
    (repository, index, wasm)
}

#[tokio::test]
async fn an_index_may_be_pinned_by_its_own_digest_or_by_its_childs() {
    let (repository, index, child) = indexed();
    let server = repository.serve().await;
    let network = network(options());
    for (reference, pin) in [
        (":v1".to_owned(), None),
        (":v1".to_owned(), Some(index)),
        (":v1".to_owned(), Some(child)),
        (format!("@sha256:{index}"), None),
        (format!(":v9@sha256:{index}"), Some(child)),
    ] {
        let mut wanted = wanted(url(&server, &reference));
        wanted.checksum = pin;
        let (resolved, module) = pull(&network, &wanted).await.unwrap_or_else(|e| panic!("{reference}: {e}"));
        assert_eq!(module, MODULE);
        assert_eq!((resolved.checksum, resolved.also), (Some(index), vec![child]));
    }
    let (resolved, _) = pull(&network, &wanted(url(&server, &format!("@sha256:{child}")))).await.unwrap();
    assert_eq!((resolved.checksum, resolved.also), (Some(child), Vec::new()));

    let mut other = wanted(url(&server, ":v1"));
    other.checksum = Some(Sha256::of(b"other"));
    let refused = refusal(&network, &other).await;
    let words = format!("has checksum {index}, which does not match: {}", Sha256::of(b"other"));
    assert!(refused.message.contains(&words), "{refused}");
    assert_eq!(refused.reason, Reason::ChecksumMismatch);
}

#[tokio::test]
async fn indexes_are_not_followed_for_ever() {
    let repository = Repository::new();
    let mut child = repository.image("v0", &[(ISTIO, MODULE)]);
    for _ in 0..4 {
        let entry = json!({"mediaType": "application/vnd.oci.image.index.v1+json", "digest": format!("sha256:{child}"), "size": 1});
        child = repository.manifest("v1", &json!({"schemaVersion": 2, "manifests": [entry]}));
    }
    let server = repository.serve().await;
    let refused = refusal(&network(options()), &wanted(url(&server, ":v1"))).await;
    assert!(refused.message.ends_with("more than 3 indexes within one another"), "{refused}");
}

#[tokio::test]
async fn a_manifest_that_is_not_what_its_digest_says_is_refused() {
    let repository = Repository::new();
    let digest = repository.image("v1", &[(ISTIO, MODULE)]);
    repository.put(&format!("manifests/sha256:{digest}"), OCI_MANIFEST, b"{\"schemaVersion\": 2}");
    let server = repository.serve().await;
    let refused = refusal(&network(options()), &wanted(url(&server, &format!("@sha256:{digest}")))).await;
    assert_eq!(refused.reason, Reason::ChecksumMismatch, "{refused}");
    assert!(
        refused.message.contains(&format!("the manifest sha256:{digest} has the digest sha256:")),
        "{refused}"
    );
}

#[tokio::test]
async fn a_layer_that_is_not_what_its_manifest_says_is_refused() {
    let mut longer = MODULE.to_vec();
    longer.extend_from_slice(b"more");
    let mut other = MODULE.to_vec();
    other[10] ^= 1;
    let short = &MODULE[..12];
    for (content, words, asked) in [
        (&longer[..], "is longer than the 17 bytes of its manifest", 2),
        (&other, "has the digest sha256:", 2),
        // Perhaps it was cut on the way.
        (short, "ends after 12 of the 17 bytes of its manifest", 6),
    ] {
        let repository = Repository::new();
        repository.image("v1", &[(ISTIO, MODULE)]);
        let digest = Sha256::of(MODULE);
        repository.put(&format!("blobs/sha256:{digest}"), "application/octet-stream", content);
        let server = repository.serve().await;
        let refused = refusal(&network(options()), &wanted(url(&server, ":v1"))).await;
        assert!(refused.message.contains(words), "{refused}");
        assert_eq!((refused.reason, server.count()), (Reason::ChecksumMismatch, asked), "{refused}");
    }
}

#[tokio::test]
async fn a_manifest_that_was_changed_after_it_was_resolved_is_refused() {
    let repository = Repository::new();
    repository.image("v1", &[(ISTIO, MODULE)]);
    let server = repository.serve().await;
    let (network, wanted, folder) = (network(options()), wanted(url(&server, ":v1")), Folder::new());
    let mut resolved = network.resolve(&wanted).await.unwrap();
    resolved.manifest = Some("{}".into());
    let refused = network.download(&wanted, &resolved, folder.path(), &()).await.unwrap_err();
    assert_eq!(refused.reason, Reason::ChecksumMismatch, "{refused}");
}

#[tokio::test]
async fn without_time_no_registry_is_asked() {
    let server = Repository::new().serve().await;
    let mut wanted = wanted(url(&server, ":v1"));
    wanted.timeout = Duration::ZERO;
    let refused = refusal(&network(options()), &wanted).await;
    let expected = format!(
        "could not fetch Wasm OCI image: could not fetch manifest: Get \"https://{}/v2/",
        server.host()
    );
    assert!(refused.message.starts_with(&expected), "{refused}");
    assert_eq!((refused.reason, server.connections()), (Reason::TimedOut, 0));
}

#[tokio::test]
async fn a_tag_that_is_not_there_is_not_found() {
    let server = Repository::new().serve().await;
    let refused = refusal(&network(options()), &wanted(url(&server, ":v1"))).await;
    assert_eq!((refused.reason, server.count()), (Reason::NotFound, 1));
    assert!(refused.message.ends_with("404 Not Found: \"MANIFEST_UNKNOWN\""), "{refused}");
}

#[tokio::test]
async fn a_registry_in_trouble_is_asked_again() {
    let repository = Repository::new();
    let asked = AtomicUsize::new(0);
    let repository = repository.twisted(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Some(Reply::status(503)),
        1 => Some(Reply::status(429).with("retry-after", "0")),
        _ => None,
    });
    repository.image("v1", &[(ISTIO, MODULE)]);
    let server = repository.serve().await;
    assert_eq!(module(&network(options()), &wanted(url(&server, ":v1"))).await, MODULE);
    assert_eq!(server.count(), 4);
}

#[tokio::test]
async fn a_manifest_larger_than_registries_take_is_refused() {
    let repository = Repository::new();
    repository.put("manifests/told", OCI_MANIFEST, &vec![b' '; (4 << 20) + 1]);
    let untold = |asked: &super::server::Asked| {
        asked
            .path()
            .ends_with("/untold")
            .then(|| Reply::new(200, Body::Unmeasured(vec![b' '; (4 << 20) + 1])))
    };
    let server = repository.twisted(untold).serve().await;
    for tag in [":told", ":untold"] {
        let refused = refusal(&network(options()), &wanted(url(&server, tag))).await;
        assert!(refused.message.ends_with("the manifest has more than 4194304 bytes"), "{refused}");
        assert_eq!(refused.reason, Reason::TooLarge);
    }
}

#[tokio::test]
async fn mirrors_are_asked_in_order_before_the_registry() {
    let repository = Repository::new();
    repository.image("v1", &[(ISTIO, MODULE)]);
    let empty = Repository::new().serve().await;
    let broken = Server::plain(|_| Reply::status(503)).await;
    let mirror = repository.serve().await;
    let origin = repository.serve().await;
    let prefix = format!("prefix: '{}/team'", origin.host());
    let list = |mirrors: &[&Server]| {
        let mirrors: Vec<String> = mirrors.iter().map(|mirror| format!("'{}/team'", mirror.host())).collect();
        format!("[{}]", mirrors.join(", "))
    };
    let wanted = wanted(url(&origin, ":v1"));
    let yaml = format!("registries: [{{{prefix}, mirrors: {}}}]", list(&[&broken, &empty, &mirror]));
    assert_eq!(module(&network_with(options(), &yaml), &wanted).await, MODULE);
    let counts = [&broken, &empty, &mirror, &origin].map(Server::count);
    assert_eq!(counts, [2, 2, 2, 0], "each once for the manifest and once for the layer");

    let yaml = format!("registries: [{{{prefix}, mirrors: {}}}]", list(&[&broken]));
    assert_eq!(module(&network_with(options(), &yaml), &wanted).await, MODULE);
    assert_eq!(origin.count(), 2);

    let yaml =
        format!("registries: [{{{prefix}, mirrors: {}, mirrorsOnly: true}}]", list(&[&empty, &broken]));
    let refused = refusal(&network_with(options(), &yaml), &wanted).await;
    assert!(
        refused.message.contains("503") && refused.message.contains("; before, a mirror failed: "),
        "{refused}"
    );
    assert!(refused.message.contains("(after 5 attempts)"), "{refused}");
    assert_eq!(origin.count(), 2);

    let moved = format!("registries: [{{prefix: old.test, location: '{}'}}]", origin.host());
    let old = super::pulling::wanted("oci://old.test/team/module:v1");
    assert_eq!(module(&network_with(options(), &moved), &old).await, MODULE);
}

#[tokio::test]
async fn a_mirror_that_does_not_answer_leaves_time_for_the_registry() {
    let repository = Repository::new();
    repository.image("v1", &[(ISTIO, MODULE)]);
    let silent = Server::plain(|_| Reply::new(200, Body::Silence)).await;
    let origin = repository.serve().await;
    let yaml = format!("registries: [{{prefix: '{}', mirrors: ['{}']}}]", origin.host(), silent.host());
    let mut wanted = wanted(url(&origin, ":v1"));
    wanted.timeout = Duration::from_secs(4);
    assert_eq!(module(&network_with(options(), &yaml), &wanted).await, MODULE);
    assert_eq!((silent.count(), origin.count()), (2, 2));
}

#[tokio::test]
async fn a_mirror_without_signatures_does_not_make_an_image_unsigned() {
    let repository = Repository::new();
    let digest = repository.image("v1", &[(ISTIO, MODULE)]);
    let mirror = repository.serve().await;
    let signed = Repository::new();
    signed.image("v1", &[(ISTIO, MODULE)]);
    let kind = "application/vnd.dev.cosign.simplesigning.v1+json";
    let mut manifest = image(&signed, OCI_MANIFEST, &[(kind, b"payload")]);
    manifest["layers"][0]["annotations"] = json!({"dev.cosignproject.cosign/signature": "c2lnbmVk"});
    signed.manifest(&format!("sha256-{digest}.sig"), &manifest);
    let origin = signed.serve().await;
    let yaml = format!("registries: [{{prefix: '{}', mirrors: ['{}']}}]", origin.host(), mirror.host());
    let (network, wanted) = (network_with(options(), &yaml), wanted(url(&origin, ":v1")));
    let resolved = network.resolve(&wanted).await.unwrap();
    assert_eq!(origin.count(), 0);
    assert_eq!(network.signatures(&wanted, &resolved).await.unwrap().len(), 1);
}

#[tokio::test]
async fn signatures_are_found_beside_the_image_and_beside_its_index() {
    let (repository, index, child) = indexed();
    let server = repository.serve().await;
    let (network, wanted) = (network(options()), wanted(url(&server, ":v1")));
    let resolved = network.resolve(&wanted).await.unwrap();
    assert_eq!(network.signatures(&wanted, &resolved).await.unwrap(), []);

    for (digest, payload) in [(index, "of the index"), (child, "of the child")] {
        let mut manifest = image(
            &repository,
            OCI_MANIFEST,
            &[("application/vnd.dev.cosign.simplesigning.v1+json", payload.as_bytes()), ("text/plain", b"")],
        );
        manifest["layers"][0]["annotations"] = json!({"dev.cosignproject.cosign/signature": "c2lnbmVk"});
        repository.manifest(&format!("sha256-{digest}.sig"), &manifest);
    }
    let signatures = network.signatures(&wanted, &resolved).await.unwrap();
    let payloads: Vec<&[u8]> = signatures.iter().map(|signature| &signature.payload[..]).collect();
    assert_eq!(payloads, [b"of the index", b"of the child"]);
    assert!(signatures.iter().all(|signature| signature.signature == "c2lnbmVk"));
    assert_eq!(signatures[0].place, format!("{}/team/module:sha256-{index}.sig", server.host()));

    let digest = Sha256::of(b"of the child");
    repository.put(&format!("blobs/sha256:{digest}"), "text/plain", b"of somebody else");
    let refused = network.signatures(&wanted, &resolved).await.unwrap_err();
    assert_eq!(refused.reason, Reason::ChecksumMismatch, "{refused}");
    let http = super::pulling::wanted("http://127.0.0.1:1/a");
    assert_eq!(network.signatures(&http, &Resolved::default()).await.unwrap(), []);
}

#[tokio::test]
async fn a_registry_is_called_by_an_ipv6_address() {
    let repository = Repository::new();
    let digest = repository.image("v1", &[(ISTIO, MODULE)]);
    let serving = repository.clone();
    let server = Server::start("[::1]:0", None, move |asked| serving.reply(asked)).await;
    let network = network(options());
    for reference in [":v1".to_owned(), format!("@sha256:{digest}")] {
        assert_eq!(module(&network, &wanted(url(&server, &reference))).await, MODULE, "{reference}");
    }
    // Another spelling of the same address, with a limit of its own for it.
    let port = server.address().port();
    let yaml = format!("registries: [{{prefix: '[0:0::1]:{port}', plainHttp: true}}]");
    let spelled = wanted(format!("oci://[0::0:1]:{port}/team/module:v1"));
    assert_eq!(module(&network_with(options(), &yaml), &spelled).await, MODULE);
}

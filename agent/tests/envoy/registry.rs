//! A real registry, with TLS and passwords, that is killed and comes back.

use std::time::Duration;

use serde_json::{Value, json};

use crate::distribution::{Access, Registry};
use crate::mesh::{BOTH, Mesh, Plugin};
use crate::modules::{another, shipped};
use crate::server::Authority;

const WASM: &str = "application/vnd.module.wasm.content.layer.v1+wasm";

/// Pushes a module as `make push` does; its digest.
async fn push(registry: &Registry, tag: &str, module: &[u8]) -> String {
    let (config, layer) = (registry.blob(b"{}").await, registry.blob(module).await);
    let blob = |kind: &str, digest: &str, size: usize| -> Value {
        json!({"mediaType": kind, "digest": format!("sha256:{digest}"), "size": size})
    };
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob("application/vnd.oci.empty.v1+json", &config.to_string(), 2),
        "layers": [blob(WASM, &layer.to_string(), module.len())],
    });
    registry.manifest(tag, &manifest).await.to_string()
}

#[test]
fn modules_of_a_private_registry_run_and_heal_when_it_is_killed_and_comes_back() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let authority = Authority::new();
    for protocol in BOTH {
        let Some(mut registry) = runtime.block_on(Registry::start(Access::Password, Some(&authority))) else {
            return;
        };
        let module = shipped("header-mutation");
        let digest = runtime.block_on(push(&registry, "v1", &module));
        let registries = tempfile::NamedTempFile::new().unwrap();
        let trusted =
            format!("registries: [{{prefix: '{}', ca: {}}}]", registry.host(), authority.file("ca.pem"));
        std::fs::write(registries.path(), trusted).unwrap();
        let registries = format!("--registries={}", registries.path().display());
        let mut mesh = Mesh::with_agent(protocol, &[&registries, "--wasm-start-budget=1s"]);
        let credentials =
            json!({"auths": {registry.host(): {"username": "a", "password": "word"}}}).to_string();
        let plugin = |reference: &str| {
            Plugin::new(&registry.url(reference))
                .environment("ISTIO_META_WASM_IMAGE_PULL_SECRET", &credentials)
        };
        let first = plugin(":v1").sha256(&digest);
        let second = plugin(":v2").value("v2").resource_version("2");
        mesh.serve(&first);
        mesh.start_envoy();
        mesh.wait_for(200, Some("v1"));
        assert!(!mesh.agent.log().contains("word\""), "the password is in the log");

        registry.kill();
        mesh.serve(&second);
        mesh.control_plane.wait_for_answers(2);
        assert_eq!(mesh.get(), (200, Some("v1".to_owned())), "the last good one goes on");
        runtime.block_on(async {
            registry.again().await;
            push(&registry, "v2", &another(&module)).await;
        });
        let healed = mesh.wait_for(200, Some("v2"));
        assert!(healed < Duration::from_secs(40), "{healed:?}");
    }
}

//! A real registry, with TLS, passwords, tokens and signatures, that is killed at every step and comes back.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use meshloom_agent::Sha256;
use serde_json::{Value, json};

use crate::distribution::{Access, Registry};
use crate::front::{Front, Moment};
use crate::mesh::{BOTH, FILTER, Mesh, Plugin};
use crate::modules::{another, larger, shipped};
use crate::process::{signal, until};
use crate::server::{Authority, Reply, Server};
use crate::signer::{self, Signer};
use crate::tokens::Issuer;

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

/// That none of these texts is in what the agent shows, logs, or gives Envoy.
fn shows_nothing_of(mesh: &Mesh, secrets: &[&str]) {
    let shown = ["/", "/debug/wasm", "/debug/ecds", "/debug/config", "/metrics", "/stats/prometheus"];
    let mut places: Vec<_> = shown.map(|path| (path, mesh.agent.admin(path))).into();
    places.push(("the log", mesh.agent.log()));
    places.push(("Envoy's configuration", mesh.envoy().admin_get("/config_dump?include_eds")));
    places.push(("Envoy's log", mesh.envoy().log()));
    assert!(places[2].1.contains("ISTIO_META_WASM_IMAGE_PULL_SECRET"), "it is told by name: {}", places[2].1);
    for (place, text) in places {
        for secret in secrets {
            assert!(!text.contains(secret), "{secret:?} is in {place}: {text}");
        }
    }
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
        shows_nothing_of(&mesh, &["\"word", ":word", "word\\", "YTp3b3Jk", "auths"]);

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

#[test]
fn a_registry_killed_between_manifest_and_module_or_within_it_is_used_again_when_it_is_back() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let module = shipped("header-mutation");
    // So much that no buffer on the way takes it all.
    let upgrade = larger(&module, 8_000_000);
    for protocol in BOTH {
        for moment in [
            Moment::Asked("/manifests/v2"),
            Moment::Asked("/blobs/"),
            Moment::Answered("/blobs/", 100),
            Moment::Answered("/blobs/", 4_000_000),
        ] {
            let Some(mut registry) = runtime.block_on(Registry::start(Access::Free, None)) else { return };
            runtime.block_on(async {
                push(&registry, "v1", &module).await;
                push(&registry, "v2", &upgrade).await;
            });
            let front = Front::to(registry.address());
            let insecure = format!("--insecure-registries={}", front.host());
            let mut mesh = Mesh::with_agent(
                protocol,
                &[&insecure, "--wasm-start-budget=1s", "--http-request-max-retries=1"],
            );
            let plugin = |tag: &str| Plugin::new(&format!("oci://{}/team/module:{tag}", front.host()));
            mesh.serve(&plugin("v1"));
            mesh.start_envoy();
            mesh.wait_for(200, Some("v1"));

            let process = registry.process_id();
            front.at(moment, move || signal(process, "KILL"));
            mesh.serve(&plugin("v2").value("v2").resource_version("2"));
            mesh.control_plane.wait_for_answers(2);
            until("the moment", || front.is_done());
            until("a failure", || mesh.agent.admin("/debug/wasm").contains("\"last_error\":{"));
            assert_eq!(mesh.get(), (200, Some("v1".to_owned())), "{moment:?}");
            // Each agent has a folder there, of what is being downloaded.
            let downloads = mesh.folder.path().join("modules/.meshloom/tmp");
            let left = || {
                let folders = std::fs::read_dir(&downloads).unwrap().map(|entry| entry.unwrap().path());
                folders.map(|folder| std::fs::read_dir(folder).unwrap().count()).sum::<usize>()
            };
            until("no half of a module on disk", || left() == 0);

            registry.kill();
            runtime.block_on(registry.again());
            mesh.wait_for(200, Some("v2"));
            assert_eq!(std::fs::read(mesh.module_file()).unwrap(), upgrade, "{moment:?}");
        }
    }
}

#[test]
fn a_registry_with_tokens_gives_envoy_its_modules_though_it_is_killed_when_a_token_is_asked_for() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (authority, issuer) = (Authority::new(), Issuer::new());
    for protocol in BOTH {
        // Who is killed when the next token is asked for.
        let doomed: Arc<Mutex<Option<u32>>> = Arc::default();
        let (signing, victim) = (issuer.clone(), Arc::clone(&doomed));
        let tokens = runtime.block_on(Server::tls(&authority, move |asked| {
            if let Some(process) = victim.lock().unwrap().take() {
                signal(process, "KILL");
            }
            match asked.header("authorization") {
                Some("Basic YTp3b3Jk") => {
                    Reply::ok(json!({"token": signing.token(&["pull"]), "expires_in": 300}).to_string())
                }
                _ => Reply::status(401),
            }
        }));
        let access = Access::Tokens { realm: tokens.url("/token"), issuer: &issuer };
        let Some(mut registry) = runtime.block_on(Registry::start(access, Some(&authority))) else { return };
        let module = shipped("header-mutation");
        runtime.block_on(async {
            push(&registry, "v1", &module).await;
            push(&registry, "v2", &another(&module)).await;
        });
        let registries = tempfile::NamedTempFile::new().unwrap();
        let ca = authority.file("ca.pem");
        let yaml = format!(
            "registries: [{{prefix: '{}', ca: {ca}, tokenServers: ['{}']}}, {{prefix: '{}', ca: {ca}}}]",
            registry.host(),
            tokens.host(),
            tokens.host()
        );
        std::fs::write(registries.path(), yaml).unwrap();
        let registries = format!("--registries={}", registries.path().display());
        let mut mesh = Mesh::with_agent(
            protocol,
            &[&registries, "--wasm-start-budget=1s", "--http-request-max-retries=1"],
        );
        let secret = json!({"auths": {registry.host(): {"auth": "YTp3b3Jk"}}}).to_string();
        let plugin = |tag: &str| {
            Plugin::new(&registry.url(tag)).environment("ISTIO_META_WASM_IMAGE_PULL_SECRET", &secret)
        };
        let (first, second) = (plugin(":v1"), plugin(":v2").value("v2").resource_version("2"));
        mesh.serve(&first);
        mesh.start_envoy();
        mesh.wait_for(200, Some("v1"));
        // Neither the password nor a token, which begins as every JSON Web Token does.
        shows_nothing_of(&mesh, &["YTp3b3Jk", "eyJ", "auths"]);

        *doomed.lock().unwrap() = Some(registry.process_id());
        mesh.serve(&second);
        mesh.control_plane.wait_for_answers(2);
        until("a token that is asked for", || doomed.lock().unwrap().is_none());
        assert_eq!(mesh.get(), (200, Some("v1".to_owned())), "{protocol:?}");
        registry.kill();
        runtime.block_on(registry.again());
        mesh.wait_for(200, Some("v2"));
        shows_nothing_of(&mesh, &["YTp3b3Jk", "eyJ", "auths"]);
    }
}

#[test]
fn a_filter_with_a_verification_key_serves_once_its_image_is_signed_by_it() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (signer, other) = (Signer::new(), Signer::new());
    for protocol in BOTH {
        let Some(registry) = runtime.block_on(Registry::start(Access::Free, None)) else { return };
        let module = shipped("header-mutation");
        let digest: Sha256 = runtime.block_on(push(&registry, "v1", &module)).parse().unwrap();
        let insecure = format!("--insecure-registries={}", registry.host());
        let mut mesh = Mesh::with_agent(protocol, &[&insecure, "--wasm-start-budget=1s"]);
        let sign = |by: &Signer| {
            let signature = by.sign_image(&digest, "registry.test/team/module");
            runtime.block_on(async {
                registry.blob(b"{}").await;
                registry.blob(&signature.payload).await;
                registry.manifest(&signer::tag(&digest), &signer::manifest(&signature)).await;
            });
        };
        sign(&other);
        mesh.serve(
            &Plugin::new(&registry.url(":v1")).environment("ISTIO_META_WASM_VERIFICATION_KEY", &signer.pem),
        );
        mesh.start_envoy();
        assert_eq!(mesh.get(), (403, None), "signed by another: {protocol:?}");
        assert_eq!(mesh.dump(FILTER)["rules_stat_prefix"], "wasm-default-deny");
        until("why", || mesh.agent.admin("/debug/wasm").contains("\"reason\":\"unsigned\""));
        sign(&signer);
        mesh.wait_for(200, Some("v1"));
    }
}

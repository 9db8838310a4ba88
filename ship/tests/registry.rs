//! Pushes to a real registry on this machine and takes the artifacts as Istio's agent would.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of this is a test: clippy knows only the functions marked so"
)]

#[path = "registry/server.rs"]
mod server;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use server::Registry;

/// A tool that `make test` names; `None` when it could not be had, which make tells by an empty name.
fn tool(variable: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).unwrap_or_else(|| {
        panic!("{variable} is not set: run this by `make test`, which has the tools ready")
    });
    if path.is_empty() {
        eprintln!("SKIPPED: no push was tested, because {variable} is empty: there is no such tool here");
        return None;
    }
    Some(PathBuf::from(path))
}

struct Bench {
    oras: PathBuf,
    registry: Registry,
}

impl Bench {
    fn set_up() -> Option<Self> {
        let (oras, registry) = (tool("ORAS")?, tool("REGISTRY_BIN")?);
        Some(Self { oras, registry: Registry::start(&registry) })
    }

    fn ship(&self, arguments: &[&str]) -> Output {
        let mut ship = Command::new(env!("CARGO_BIN_EXE_ship"));
        ship.arg("push").args(arguments).args(["--json", "--oras"]).arg(&self.oras);
        ship.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap()
    }

    /// Pushes every filter and answers what ship printed of each.
    fn push(&self, org: &str, tag: &str) -> Vec<Value> {
        let host = self.registry.host();
        let output = self.ship(&["--registry", &host, "--org", org, "--tag", tag]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let pushed: Value = serde_json::from_slice(&output.stdout).unwrap();
        let pushed = pushed.as_array().unwrap().clone();
        assert!(!pushed.is_empty(), "no filter was pushed");
        pushed
    }

    fn oras(&self, arguments: &[&str]) -> Vec<u8> {
        let output = Command::new(&self.oras).args(arguments).arg("--plain-http").output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }
}

/// Chooses the layer with the module by the rules of Istio's `pkg/wasm/imagefetcher.go`, for manifests that are
/// not Docker's own.
fn layer_that_istio_takes(manifest: &Value) -> Result<&Value, String> {
    let layers = manifest["layers"].as_array().ok_or("no layers")?;
    let last = layers.last().ok_or("number of layers must be greater than zero")?;
    if last["mediaType"] == "application/vnd.oci.image.layer.v1.tar+gzip" {
        return Err("would be read as an archive with a plugin.wasm in it".to_owned());
    }
    match layers.as_slice() {
        [first, _] if first["mediaType"] == "application/vnd.module.wasm.content.layer.v1+wasm" => Ok(first),
        [first, _] => Err(format!("first layer of type {}", first["mediaType"])),
        other => Err(format!("number of layers must be 2 but got {}", other.len())),
    }
}

/// The shipped module: `dist/NAME.wasm`, or `dist/FEATURE/NAME.wasm` of `NAME.FEATURE`.
fn dist(filter: &str) -> Vec<u8> {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist");
    let (folder, name) = match filter.split_once('.') {
        Some((name, feature)) => (dist.join(feature), name),
        None => (dist, filter),
    };
    std::fs::read(folder.join(format!("{name}.wasm"))).unwrap()
}

#[test]
fn istio_finds_in_each_artifact_the_module_byte_for_byte() {
    let Some(bench) = Bench::set_up() else { return };
    for pushed in bench.push("meshloom", "v1") {
        let filter = pushed["filter"].as_str().unwrap();
        let url = pushed["url"].as_str().unwrap();
        let pinned = url.strip_prefix("oci://").unwrap();

        let manifest: Value = serde_json::from_slice(&bench.oras(&["manifest", "fetch", pinned])).unwrap();
        let layer = layer_that_istio_takes(&manifest).unwrap_or_else(|refusal| panic!("{filter}: {refusal}"));
        let (repository, _) = pinned.split_once('@').unwrap();
        let blob = format!("{repository}@{}", layer["digest"].as_str().unwrap());
        let module = bench.oras(&["blob", "fetch", "--output", "-", &blob]);
        assert!(module == dist(filter), "{filter}: the module in the registry is not the one in dist/");
        assert_eq!(layer["digest"], pushed["module_digest"]);

        let annotations = &manifest["annotations"];
        assert_eq!(annotations["org.opencontainers.image.title"], filter);
        assert_eq!(annotations["org.opencontainers.image.licenses"], "Apache-2.0");
        assert!(annotations["org.opencontainers.image.created"].is_string());
    }
}

#[test]
fn a_pull_gives_the_module_and_its_description() {
    let Some(bench) = Bench::set_up() else { return };
    for pushed in bench.push("meshloom", "v1") {
        let filter = pushed["filter"].as_str().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let tagged = pushed["tagged"].as_str().unwrap();
        bench.oras(&["pull", "--output", folder.path().to_str().unwrap(), tagged]);
        let module = std::fs::read(folder.path().join(format!("{filter}.wasm"))).unwrap();
        assert!(module == dist(filter), "{filter}: what was pulled is not the module in dist/");
        let description = std::fs::read(folder.path().join("config.json")).unwrap();
        let description: Value = serde_json::from_slice(&description).unwrap();
        assert_eq!(description["name"], filter);
        assert_eq!(description["abiVersions"], serde_json::json!(["0.2.1"]));
        assert_eq!(description["digest"], pushed["module_digest"]);
    }
}

#[test]
fn the_same_module_has_the_same_digest_whenever_and_wherever_it_is_pushed() {
    let Some(bench) = Bench::set_up() else { return };
    let digests = |pushed: Vec<Value>| -> Vec<Value> {
        pushed.into_iter().map(|artifact| artifact["digest"].clone()).collect()
    };
    let first = digests(bench.push("meshloom", "v1"));
    // So that a time that crept in could not be the same one.
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    assert_eq!(digests(bench.push("meshloom", "v1")), first);
    assert_eq!(digests(bench.push("other/team", "v2")), first);
}

#[test]
fn a_registry_that_is_not_there_is_named() {
    let Some(bench) = Bench::set_up() else { return };
    let output = bench.ship(&["--registry", "127.0.0.1:1", "--org", "meshloom", "--tag", "v1"]);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("error: pushing 127.0.0.1:1/meshloom/"), "{said}");
}

#[test]
fn what_istio_would_refuse_is_refused_here_too() {
    let module = "application/vnd.module.wasm.content.layer.v1+wasm";
    let manifest = |types: &[&str]| {
        let layers: Vec<_> = types.iter().map(|kind| serde_json::json!({"mediaType": kind})).collect();
        serde_json::json!({"layers": layers})
    };
    assert!(layer_that_istio_takes(&manifest(&[module, "application/json"])).is_ok());
    for wrong in [
        &[][..],
        &[module],
        &["application/json", module],
        &[module, "application/json", "application/json"],
        &[module, "application/vnd.oci.image.layer.v1.tar+gzip"],
    ] {
        assert!(layer_that_istio_takes(&manifest(wrong)).is_err(), "{wrong:?}");
    }
}

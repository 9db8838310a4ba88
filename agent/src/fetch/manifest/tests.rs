use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const ISTIO: &str = "application/vnd.module.wasm.content.layer.v1+wasm";

fn digest(index: usize) -> String {
    format!("sha256:{index:064x}")
}

fn image(layers: &[&str]) -> OciImageManifest {
    let layers: Vec<Value> = layers
        .iter()
        .enumerate()
        .map(|(index, layer)| {
            let (media_type, title) = layer.split_once(' ').unwrap_or((layer, ""));
            let mut layer = json!({"mediaType": media_type, "digest": digest(index), "size": index});
            if !title.is_empty() {
                layer["annotations"] = json!({"org.opencontainers.image.title": title});
            }
            layer
        })
        .collect();
    let manifest = json!({
        "schemaVersion": 2,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest(99), "size": 2},
        "layers": layers,
    });
    match Manifest::read(manifest.to_string().as_bytes(), None).unwrap() {
        Manifest::Image(image) => *image,
        Manifest::Index(index) => panic!("{index:?}"),
    }
}

#[test]
fn the_module_is_found_in_every_layout_of_the_field() {
    let yaml = "application/vnd.module.wasm.spec.v1+yaml";
    let oci = "application/vnd.oci.image.layer.v1.tar";
    for (layers, expected) in [
        (&["application/vnd.docker.image.rootfs.diff.tar.gzip"][..], 0),
        (&["application/vnd.docker.image.rootfs.diff.tar"], 0),
        (&["application/vnd.oci.image.layer.v1.tar+gzip"], 0),
        (&["application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.oci.image.layer.v1.tar+gzip"], 1),
        (&["application/vnd.oci.image.layer.v1.tar+zstd"], 0),
        (&[oci], 0),
        (&[ISTIO, "application/vnd.module.wasm.config.v1+json"], 0),
        (&["application/vnd.module.wasm.config.v1+json", ISTIO], 1),
        (&[ISTIO], 0),
        (&[ISTIO, ISTIO], 0),
        (&["application/wasm"], 0),
        (&["application/vnd.wasm.content.layer.v1+wasm"], 0),
        (&[yaml, "text/markdown", "application/vnd.wasm.content.layer.v1+wasm"], 2),
        (&[yaml, "text/markdown", "application/vnd.oci.image.layer.v1.tar+gzip"], 2),
        (&["application/wasm other.wasm", "application/wasm plugin.wasm", "application/wasm a.wasm"], 1),
        (&["application/octet-stream"], 0),
        (&["text/markdown README.md", "application/x module.wasm"], 1),
    ] {
        let found = layer(&image(layers)).unwrap_or_else(|problem| panic!("{layers:?}: {problem}"));
        assert_eq!(
            found,
            Layer { digest: digest(expected).parse().unwrap(), size: expected as u64 },
            "{layers:?}"
        );
    }
}

#[test]
fn what_has_no_module_is_refused_with_the_layers_that_there_are() {
    for (layers, words) in [
        (&[][..], "number of layers must be greater than zero"),
        (
            &["text/plain a.txt"],
            "no layer is a Wasm module or an archive; layer 0 is \"text/plain\" of 0 bytes named \"a.txt\"",
        ),
        (&["application/octet-stream", "application/octet-stream"], "no layer is a Wasm module"),
        (&["application/wasm", "application/wasm", ISTIO], "3 layers are Wasm modules"),
        (&["text/a"; 12], "and 2 more"),
    ] {
        let problem = layer(&image(layers)).unwrap_err();
        assert!(problem.starts_with("the given image is in invalid format as an OCI image: "), "{problem}");
        assert!(problem.contains(words), "{problem}");
    }
}

#[test]
fn a_layer_that_cannot_be_checked_is_refused() {
    let mut manifest = image(&[ISTIO]);
    manifest.layers[0].size = -1;
    assert!(layer(&manifest).is_err());
    let mut manifest = image(&[ISTIO]);
    for wrong in ["sha512:00", "sha256:../../x", "", &"0".repeat(64)] {
        manifest.layers[0].digest = wrong.to_owned();
        assert!(layer(&manifest).unwrap_err().contains("digest"), "{wrong}");
    }
}

fn index(platforms: &[&str]) -> OciImageIndex {
    let manifests: Vec<Value> = platforms
        .iter()
        .enumerate()
        .map(|(index, platform)| {
            let mut entry = json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest(index), "size": 1});
            match platform.split_once('/') {
                Some(("attestation", _)) => entry["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest"}),
                Some((os, arch)) => entry["platform"] = json!({"os": os, "architecture": arch}),
                None => {}
            }
            entry
        })
        .collect();
    let index = json!({"schemaVersion": 2, "manifests": manifests});
    match Manifest::read(index.to_string().as_bytes(), None).unwrap() {
        Manifest::Index(index) => index,
        Manifest::Image(image) => panic!("{image:?}"),
    }
}

#[test]
fn of_an_index_the_child_for_wasm_is_taken_then_linux_amd64_then_the_only_one() {
    for (platforms, expected) in [
        (&["linux/amd64", "wasi/wasm"][..], 1),
        (&["linux/amd64", "wasip1/wasm"], 1),
        (&["linux/amd64", "linux/wasm32"], 1),
        (&["linux/arm64", "linux/amd64"], 1),
        (&["linux/arm64", ""], 1),
        (&["linux/arm64"], 0),
        (&["linux/arm64", "attestation/"], 0),
    ] {
        assert_eq!(child(&index(platforms)).unwrap().digest, digest(expected), "{platforms:?}");
    }
    let problem = child(&index(&["linux/arm64", "windows/arm64"])).unwrap_err();
    assert!(problem.ends_with(r#"it has "linux/arm64", "windows/arm64""#), "{problem}");
    assert!(child(&index(&[])).unwrap_err().ends_with("it has none"));
}

#[test]
fn a_manifest_is_what_it_says_or_what_the_answer_says() {
    let text = json!({"schemaVersion": 2, "manifests": []}).to_string();
    assert!(matches!(Manifest::read(text.as_bytes(), None), Ok(Manifest::Index(_))));
    let docker = "application/vnd.docker.distribution.manifest.list.v2+json; charset=utf-8";
    assert!(matches!(Manifest::read(text.as_bytes(), Some(docker)), Ok(Manifest::Index(_))));
    for (text, words) in [
        (r#"{"schemaVersion": 2, "layers": [], "manifests": []}"#, "both"),
        (r#"{"schemaVersion": 1, "fsLayers": []}"#, "schema 1"),
        (r#"{"schemaVersion": 2, "layers": []}"#, "cannot be read"),
        ("<html>", "cannot be read"),
        ("", "cannot be read"),
    ] {
        let problem = Manifest::read(text.as_bytes(), None).unwrap_err();
        assert!(problem.contains(words), "{problem}");
    }
    assert!(Manifest::read(&vec![b' '; LARGEST + 1], None).unwrap_err().contains("4194304"));
}

proptest! {
    #[test]
    fn no_text_makes_a_manifest_that_panics(text in "\\PC{0,200}", kind in prop::option::of("\\PC{0,40}")) {
        let _ = Manifest::read(text.as_bytes(), kind.as_deref());
    }
}

//! `--verification-key`, against a registry that has signatures.

use meshloom_agent::Sha256;
use serde_json::json;

use crate::files::{Files, Outcome, module, run};
use crate::image::{ISTIO, Repository, url};
use crate::server::Server;
use crate::signer::{self, Signer};

/// A registry with an image, and that image's signature by the signer if there is one.
struct Signed {
    _runtime: tokio::runtime::Runtime,
    url: String,
    digest: Sha256,
    _server: Server,
}

fn serve(by: Option<&Signer>) -> Signed {
    let repository = Repository::new();
    let digest = repository.image("v1", &[(ISTIO, &module())]);
    if let Some(by) = by {
        let signature = by.sign_image(&digest, "registry.test/team/module");
        repository.blob(&signature.payload);
        repository.manifest(&signer::tag(&digest), &signer::manifest(&signature));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = runtime.block_on(repository.serve());
    Signed { _runtime: runtime, url: url(&server, ":v1"), digest, _server: server }
}

/// A command with the key, a store of its own, and a registry that speaks plain HTTP.
fn with_key(command: &[&str], key: &str, last: &str) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.pub");
    std::fs::write(&file, key).unwrap();
    let key = format!("--verification-key={}", file.display());
    let store = format!("--cache-dir={}", folder.path().join("store").display());
    run(&[command, &[&key, &store, "--insecure-registries=*", last]].concat())
}

#[test]
fn pull_verify_and_convert_take_what_the_key_has_signed_and_nothing_else() {
    let (signer, other) = (Signer::new(), Signer::new());
    for (by, told) in
        [(Some(&signer), ""), (Some(&other), "signed by none of the keys"), (None, "is not signed")]
    {
        let signed = serve(by);
        let document = json!({"vm_config": {"code": {"remote": {"http_uri": {"uri": signed.url}}}}});
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), document.to_string()).unwrap();
        for (command, last) in [
            (&["pull"][..], signed.url.as_str()),
            (&["verify"], signed.url.as_str()),
            (&["convert"], file.path().to_str().unwrap()),
        ] {
            let outcome = with_key(command, &signer.pem, last);
            let said = outcome.stdout + &outcome.stderr;
            assert_eq!(outcome.code, i32::from(!told.is_empty()), "{command:?}: {said}");
            assert!(said.contains(told), "{command:?}: {told:?} is not in {said}");
        }
    }
}

#[test]
fn verify_says_by_which_key_an_image_is_signed() {
    let signer = Signer::new();
    let signed = serve(Some(&signer));
    let answer = with_key(&["verify", "--output=json"], &signer.pem, &signed.url).done().json();
    assert_eq!(answer["modules"][0]["signed_by"], json!([signer.key().fingerprint().to_string()]));
    assert_eq!(answer["modules"][0]["digest"], format!("sha256:{}", signed.digest));
}

#[test]
fn the_key_of_a_resource_counts_before_that_of_the_command_line() {
    let (signer, other) = (Signer::new(), Signer::new());
    let signed = serve(Some(&signer));
    let document = json!({"vm_config": {
        "code": {"remote": {"http_uri": {"uri": signed.url}}},
        "environment_variables": {"key_values": {"ISTIO_META_WASM_VERIFICATION_KEY": signer.pem}},
    }});
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), document.to_string()).unwrap();
    let outcome = with_key(&["convert"], &other.pem, file.path().to_str().unwrap()).done();
    assert!(!outcome.stdout.contains("ISTIO_META"), "{}", outcome.stdout);
}

#[test]
fn a_key_is_of_no_use_for_what_cannot_be_signed_and_says_so() {
    let signer = Signer::new();
    let files = Files::serve([("/gate.wasm", module())]);
    let outcome = with_key(&["pull"], &signer.pem, &files.url("/gate.wasm"));
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("only OCI images can be signed"), "{}", outcome.stderr);

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), module()).unwrap();
    let outcome = with_key(&["verify"], &signer.pem, file.path().to_str().unwrap());
    assert_eq!(outcome.code, 1);
    assert!(outcome.stdout.contains("only images of a registry can be signed"), "{}", outcome.stdout);
}

#[test]
fn a_file_that_holds_no_key_is_refused_by_what_it_holds() {
    let outcome = with_key(&["pull"], "ssh-ed25519 AAAA", "oci://registry.test/a:1");
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.contains("verification-key: "), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("no PEM: expected a public key in PEM"), "{}", outcome.stderr);
}

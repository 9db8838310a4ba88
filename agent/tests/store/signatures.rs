//! Images that have to be signed.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use meshloom_agent::library::{Parts, Shelf};
use meshloom_agent::trust::{PublicKey, Rules, Signature, Trust};
use meshloom_agent::{Library as _, Reason, Sha256};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

use crate::registry::{Registry, module, parts, pinned, wanted};

const TAG: &str = "oci://registry.test/team/filter:v1";
const NAME: &str = "registry.test/team/filter";

/// What signs as cosign does.
struct Signer {
    pair: EcdsaKeyPair,
    pem: String,
}

impl Signer {
    fn new() -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref(), &random).unwrap();
        // SubjectPublicKeyInfo of a point on P-256.
        let head = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\0";
        let der = [&head[..], pair.public_key().as_ref()].concat();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der));
        Self { pair, pem }
    }

    fn sign(&self, payload: &str) -> Signature {
        let signature = self.pair.sign(&SystemRandom::new(), payload.as_bytes()).unwrap();
        Signature {
            payload: payload.to_owned().into(),
            signature: STANDARD.encode(signature),
            place: "registry.test/team/filter:sha256-1.sig".to_owned(),
        }
    }

    fn sign_image(&self, digest: &Sha256, reference: &str) -> Signature {
        self.sign(&payload(digest, reference, "cosign container image signature"))
    }

    fn rules(&self, more: &str) -> Rules {
        rules(&[self], more)
    }
}

fn payload(digest: &Sha256, reference: &str, kind: &str) -> String {
    format!(
        r#"{{"critical":{{"identity":{{"docker-reference":"{reference}"}},"image":{{"docker-manifest-digest":"sha256:{digest}"}},"type":"{kind}"}},"optional":null}}"#
    )
}

fn rules(signers: &[&Signer], more: &str) -> Rules {
    let keys: String = signers
        .iter()
        .map(|signer| {
            format!(
                "  - pem: |\n{}\n",
                signer.pem.trim().lines().map(|line| format!("      {line}\n")).collect::<String>()
            )
        })
        .collect();
    let text = format!("rules:\n- match: registry.test/team/*\n{more}  keys:\n{keys}");
    Rules::from_yaml(&text, Path::new(".")).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn shelf(folder: &Path, registry: &Arc<Registry>, rules: Rules) -> Shelf {
    Shelf::new(Parts { trust: Trust::default().with_rules(rules), ..parts(folder, registry) })
}

#[tokio::test]
async fn a_signed_image_is_served_and_asked_for_its_signatures_once() {
    let (folder, registry, signer) = (tempfile::tempdir().unwrap(), Registry::new(), Signer::new());
    let digest = registry.push(TAG, &module("a"));
    registry.change(TAG, |image| image.signatures = vec![signer.sign_image(&digest, NAME)]);
    {
        let shelf = shelf(folder.path(), &registry, signer.rules(""));
        shelf.obtain(wanted(TAG)).await.unwrap();
        assert!(shelf.at_hand(&wanted(TAG)).is_some());
        assert!(shelf.at_hand(&pinned(&wanted(TAG), digest)).is_some());
    }
    // The next agent knows who has signed it.
    registry.fail(Reason::Unreachable);
    assert!(shelf(folder.path(), &registry, signer.rules("")).obtain(wanted(TAG)).await.is_ok());
    assert_eq!(registry.asked_for_signatures.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_does_not_count_as_a_signature_is_told_and_nothing_is_downloaded() {
    let (signer, other) = (Signer::new(), Signer::new());
    let digest_of = |registry: &Registry| registry.push(TAG, &module("a"));
    let wrong = Sha256::of(b"another manifest");
    let kind = "cosign container image signature";
    for (signature, told) in [
        (None, "is not signed"),
        (Some(other.sign_image(&wrong, NAME)), "signed by none of the keys"),
        (Some(signer.sign_image(&wrong, NAME)), "it signs another manifest"),
        (
            Some(signer.sign(&payload(&wrong, NAME, "something else"))),
            "its payload is of type \"something else\"",
        ),
        (Some(signer.sign("{}")), "its payload is none of cosign's"),
        (Some(signer.sign(&" ".repeat(100_000))), "its payload has 100000 bytes"),
        (Some(Signature { signature: "!".to_owned(), ..signer.sign("{}") }), "no base64"),
    ] {
        let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
        digest_of(&registry);
        registry.change(TAG, |image| image.signatures = signature.into_iter().collect());
        let error = shelf(folder.path(), &registry, signer.rules("")).obtain(wanted(TAG)).await.unwrap_err();
        assert_eq!(error.reason, Reason::Unsigned);
        assert!(error.message.contains(told), "{told:?} is not in {error}");
        assert!(error.message.contains("the rule for registry.test/team/* wants the key"), "{error}");
        assert_eq!(registry.visits(), (1, 0), "{kind}");
    }
}

#[tokio::test]
async fn a_signature_for_another_name_counts_unless_the_rule_says_otherwise() {
    for (rule, is_served) in [("", true), ("  sameReference: true\n", false)] {
        let (folder, registry, signer) = (tempfile::tempdir().unwrap(), Registry::new(), Signer::new());
        let digest = registry.push(TAG, &module("a"));
        registry
            .change(TAG, |image| image.signatures = vec![signer.sign_image(&digest, "mirror.test/filter")]);
        let done = shelf(folder.path(), &registry, signer.rules(rule)).obtain(wanted(TAG)).await;
        assert_eq!(done.is_ok(), is_served, "{done:?}");
    }
}

#[tokio::test]
async fn any_key_is_enough_or_all_are_needed() {
    for (require, both, is_served) in [("any", false, true), ("all", false, false), ("all", true, true)] {
        let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
        let (one, two) = (Signer::new(), Signer::new());
        let digest = registry.push(TAG, &module("a"));
        let mut signatures = vec![two.sign_image(&digest, NAME)];
        signatures.extend(both.then(|| one.sign_image(&digest, NAME)));
        registry.change(TAG, |image| image.signatures = signatures);
        let rules = rules(&[&one, &two], &format!("  require: {require}\n"));
        let done = shelf(folder.path(), &registry, rules).obtain(wanted(TAG)).await;
        assert_eq!(done.is_ok(), is_served, "{require}: {done:?}");
    }
}

#[tokio::test]
async fn a_module_that_is_already_there_is_not_served_to_a_rule_that_it_has_not_passed() {
    let (folder, registry, signer) = (tempfile::tempdir().unwrap(), Registry::new(), Signer::new());
    let digest = registry.push(TAG, &module("a"));
    crate::registry::shelf(folder.path(), &registry).obtain(wanted(TAG)).await.unwrap();
    let shelf = shelf(folder.path(), &registry, signer.rules(""));
    for asked in [wanted(TAG), pinned(&wanted(TAG), digest)] {
        assert!(shelf.at_hand(&asked).is_none());
        assert_eq!(shelf.obtain(asked).await.unwrap_err().reason, Reason::Unsigned);
    }
    registry.change(TAG, |image| image.signatures = vec![signer.sign_image(&digest, NAME)]);
    shelf.obtain(wanted(TAG)).await.unwrap();
    assert!(shelf.at_hand(&wanted(TAG)).is_some());
    assert_eq!(registry.visits().1, 1);
}

#[tokio::test]
async fn a_warning_and_an_image_without_a_rule_let_pass() {
    let (folder, registry, signer) = (tempfile::tempdir().unwrap(), Registry::new(), Signer::new());
    registry.push(TAG, &module("a"));
    let shelf = shelf(folder.path(), &registry, signer.rules("  policy: warn\n"));
    assert!(shelf.obtain(wanted(TAG)).await.is_ok());
    assert!(shelf.at_hand(&wanted(TAG)).is_some());
    assert_eq!(registry.asked_for_signatures.load(Ordering::SeqCst), 1);
    registry.push("oci://registry.test/other:v1", &module("b"));
    assert!(shelf.obtain(wanted("oci://registry.test/other:v1")).await.is_ok());
    assert_eq!(registry.asked_for_signatures.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn over_http_only_a_checksum_satisfies_a_rule() {
    let (folder, registry, signer) = (tempfile::tempdir().unwrap(), Registry::new(), Signer::new());
    let url = "https://registry.test/team/filter.wasm";
    let sum = registry.serve(url, &module("a"));
    let shelf = shelf(folder.path(), &registry, signer.rules(""));
    let error = shelf.obtain(wanted(url)).await.unwrap_err();
    assert_eq!(error.reason, Reason::Unsigned);
    assert!(error.message.contains("pin it by sha256"), "{error}");
    assert!(shelf.obtain(pinned(&wanted(url), sum)).await.is_ok());
    // It is there now, and still nobody has said that it is the right one.
    assert!(shelf.at_hand(&wanted(url)).is_none());
}

#[test]
fn what_cosign_itself_has_signed_is_right_with_every_kind_of_key() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/store/fixtures");
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let digest: Sha256 = "fb25dc8b35dd21d527379f20e814e20807e0bec4707cbff3cfa08e2b946dcbef".parse().unwrap();
    let name = "127.0.0.1:15999/team/filter";
    for key in ["cosign", "rsa", "p384", "ed"] {
        let text = format!("rules: [{{match: '{name}', sameReference: true, keys: [{{file: {key}.pub}}]}}]");
        let rules = Rules::from_yaml(&text, &folder).unwrap();
        let rule = rules.rule(name).unwrap();
        let signature = Signature {
            payload: read("payload.json").into(),
            signature: String::from_utf8(read(&format!("{key}.sig"))).unwrap(),
            place: "here".to_owned(),
        };
        let signers = rule.check(std::slice::from_ref(&signature), &digest, name).unwrap();
        let pem = String::from_utf8(read(&format!("{key}.pub"))).unwrap();
        assert_eq!(signers, [PublicKey::from_pem(&pem).unwrap().fingerprint()], "{key}");
        let mut changed = signature.clone();
        changed.payload = [&signature.payload[..], b" "].concat().into();
        assert!(rule.check(&[changed], &digest, name).is_err(), "{key}");
    }
}

#[test]
fn ed25519_counts_without_a_hash_too() {
    let document = ring::signature::Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = ring::signature::Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
    let der = [&b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\0"[..], pair.public_key().as_ref()].concat();
    let key = STANDARD.encode(der);
    let text = format!(
        "rules: [{{match: '*', keys: [{{pem: \"-----BEGIN PUBLIC KEY-----\\n{key}\\n-----END PUBLIC KEY-----\\n\"}}]}}]"
    );
    let rules = Rules::from_yaml(&text, Path::new(".")).unwrap();
    let digest = Sha256::of(b"manifest");
    let payload = payload(&digest, NAME, "cosign container image signature");
    let signature = STANDARD.encode(pair.sign(payload.as_bytes()));
    let signature = Signature { payload: payload.into(), signature, place: "here".to_owned() };
    assert!(rules.rule(NAME).unwrap().check(&[signature], &digest, NAME).is_ok());
}

#[test]
fn keys_that_are_too_weak_or_none_are_refused_by_what_they_are() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/store/fixtures");
    let weak = std::fs::read_to_string(folder.join("rsa-1024.pub")).unwrap();
    assert!(PublicKey::from_pem(&weak).unwrap_err().starts_with("an RSA key of 1024 bits"));
    assert!(PublicKey::from_pem("ssh-ed25519 AAAA").unwrap_err().starts_with("no PEM"));
    let private = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    assert!(PublicKey::from_pem(private).unwrap_err().starts_with("a PEM of \"PRIVATE KEY\""));
}

#[test]
fn all_that_is_wrong_with_rules_is_told_at_once() {
    let text = "rules:\n- match: a*b\n  keys: [{file: missing.pub}]\n- match: registry.test/a\n- match: registry.test/a\n  policy: off\n";
    let told = Rules::from_yaml(text, Path::new("/nonexistent")).unwrap_err();
    for expected in [
        "rules[0].match: \"a*b\"",
        "rules[0].keys[0]: cannot read /nonexistent/missing.pub",
        "rules[1].keys: list at least one",
        "rules[2].match: \"registry.test/a\" is there twice",
    ] {
        assert!(told.contains(expected), "{expected:?} is not in {told}");
    }
    assert!(Rules::from_yaml("rules: []\nrule: 1\n", Path::new(".")).unwrap_err().contains("rule"));
}

#[test]
fn the_longest_pattern_counts() {
    let text = "rules:\n- match: '*'\n  policy: off\n- match: registry.test/team/open\n  policy: off\n- match: registry.test/*\n  keys: [{file: cosign.pub}]\n";
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/store/fixtures");
    let rules = Rules::from_yaml(text, &folder).unwrap();
    assert!(rules.rule("registry.test/team/filter").is_some());
    for open in ["registry.test/team/open", "other.test/a"] {
        assert!(rules.rule(open).is_none(), "{open}");
    }
}

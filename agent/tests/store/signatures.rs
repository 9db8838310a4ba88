//! Images that have to be signed.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use meshloom_agent::library::{Parts, Shelf};
use meshloom_agent::trust::{PublicKey, Rules, Signature, Trust};
use meshloom_agent::{Library as _, Reason, Sha256, Wanted};
use ring::rand::SystemRandom;
use ring::signature::KeyPair as _;

use crate::registry::{Registry, module, parts, pinned, wanted};
use crate::signer::{IMAGE_SIGNATURE, Signer, payload};

const TAG: &str = "oci://registry.test/team/filter:v1";
const NAME: &str = "registry.test/team/filter";

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

fn only(signer: &Signer, more: &str) -> Rules {
    rules(&[signer], more)
}

/// As a resource asks for it that has a verification key.
fn keyed(wanted: &Wanted, signer: &Signer) -> Wanted {
    Wanted { verification_key: Some(signer.key()), ..wanted.clone() }
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
        let shelf = shelf(folder.path(), &registry, only(&signer, ""));
        shelf.obtain(wanted(TAG)).await.unwrap();
        assert!(shelf.at_hand(&wanted(TAG)).is_some());
        assert!(shelf.at_hand(&pinned(&wanted(TAG), digest)).is_some());
    }
    // The next agent knows who has signed it.
    registry.fail(Reason::Unreachable);
    assert!(shelf(folder.path(), &registry, only(&signer, "")).obtain(wanted(TAG)).await.is_ok());
    assert_eq!(registry.asked_for_signatures.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_does_not_count_as_a_signature_is_told_and_nothing_is_downloaded() {
    let (signer, other) = (Signer::new(), Signer::new());
    let digest_of = |registry: &Registry| registry.push(TAG, &module("a"));
    let wrong = Sha256::of(b"another manifest");
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
        let error = shelf(folder.path(), &registry, only(&signer, "")).obtain(wanted(TAG)).await.unwrap_err();
        assert_eq!(error.reason, Reason::Unsigned);
        assert!(error.message.contains(told), "{told:?} is not in {error}");
        assert!(
            error.message.contains("the rule for registry.test/team/* wants a signature by the key"),
            "{error}"
        );
        assert_eq!(registry.visits(), (1, 0), "{told}");
    }
}

#[tokio::test]
async fn a_signature_for_another_name_counts_unless_the_rule_says_otherwise() {
    for (rule, is_served) in [("", true), ("  sameReference: true\n", false)] {
        let (folder, registry, signer) = (tempfile::tempdir().unwrap(), Registry::new(), Signer::new());
        let digest = registry.push(TAG, &module("a"));
        registry
            .change(TAG, |image| image.signatures = vec![signer.sign_image(&digest, "mirror.test/filter")]);
        let done = shelf(folder.path(), &registry, only(&signer, rule)).obtain(wanted(TAG)).await;
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
    let shelf = shelf(folder.path(), &registry, only(&signer, ""));
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
    let shelf = shelf(folder.path(), &registry, only(&signer, "  policy: warn\n"));
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
    let shelf = shelf(folder.path(), &registry, only(&signer, ""));
    let error = shelf.obtain(wanted(url)).await.unwrap_err();
    assert_eq!(error.reason, Reason::Unsigned);
    assert!(error.message.contains("pin it by sha256"), "{error}");
    assert!(shelf.obtain(pinned(&wanted(url), sum)).await.is_ok());
    // It is there now, and still nobody has said that it is the right one.
    assert!(shelf.at_hand(&wanted(url)).is_none());
}

#[tokio::test]
async fn a_resource_with_a_verification_key_is_given_what_that_key_has_signed_and_nothing_else() {
    let (signer, other) = (Signer::new(), Signer::new());
    for (by, told) in [(None, "is not signed"), (Some(&other), "signed by none of the keys")] {
        let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
        let digest = registry.push(TAG, &module("a"));
        let asked = keyed(&wanted(TAG), &signer);
        registry.change(TAG, |image| {
            image.signatures = by.map(|by| by.sign_image(&digest, NAME)).into_iter().collect();
        });
        let shelf = crate::registry::shelf(folder.path(), &registry);
        for asked in [asked.clone(), pinned(&asked, digest)] {
            let error = shelf.obtain(asked).await.unwrap_err();
            assert_eq!(error.reason, Reason::Unsigned);
            let wants = format!("the resource wants a signature by the key {}", signer.key().fingerprint());
            assert!(error.message.contains(told) && error.message.contains(&wants), "{error}");
        }
        assert_eq!(registry.visits().1, 0, "nothing is downloaded");

        registry.change(TAG, |image| image.signatures.push(signer.sign_image(&digest, NAME)));
        shelf.obtain(asked.clone()).await.unwrap();
        assert!(shelf.at_hand(&asked).is_some());
        assert!(shelf.at_hand(&keyed(&wanted(TAG), &other)).is_none(), "the other key has not counted yet");
    }
}

#[tokio::test]
async fn what_another_resource_has_brought_without_a_key_is_not_served_to_one_that_has_one() {
    let (folder, registry, signer) = (tempfile::tempdir().unwrap(), Registry::new(), Signer::new());
    let digest = registry.push(TAG, &module("a"));
    let asked = keyed(&wanted(TAG), &signer);
    let shelf = crate::registry::shelf(folder.path(), &registry);
    shelf.obtain(wanted(TAG)).await.unwrap();
    for asked in [asked.clone(), pinned(&asked, digest)] {
        assert!(shelf.at_hand(&asked).is_none());
        assert_eq!(shelf.obtain(asked).await.unwrap_err().reason, Reason::Unsigned);
    }
    assert!(shelf.at_hand(&wanted(TAG)).is_some(), "whoever wants no signature goes on");
    registry.change(TAG, |image| image.signatures = vec![signer.sign_image(&digest, NAME)]);
    shelf.obtain(asked.clone()).await.unwrap();
    assert!(shelf.at_hand(&asked).is_some());
    assert_eq!(registry.visits().1, 1, "its bytes are there");

    // The next agent knows it without the registry.
    drop(shelf);
    registry.fail(Reason::Unreachable);
    crate::registry::shelf(folder.path(), &registry).obtain(asked).await.unwrap();
}

#[tokio::test]
async fn resources_with_and_without_a_key_do_not_share_a_download_that_goes_on() {
    let (folder, registry, signer) = (tempfile::tempdir().unwrap(), Registry::new(), Signer::new());
    registry.push(TAG, &module("a"));
    let none_is_left = registry.permits.acquire_many(1_000).await.unwrap();
    let shelf = crate::registry::shelf(folder.path(), &registry);
    let without = tokio::spawn(shelf.obtain(wanted(TAG)));
    while registry.visits().0 == 0 {
        tokio::task::yield_now().await;
    }
    let error = shelf.obtain(keyed(&wanted(TAG), &signer)).await.unwrap_err();
    assert_eq!(error.reason, Reason::Unsigned);
    drop(none_is_left);
    without.await.unwrap().unwrap();
}

#[tokio::test]
async fn over_http_a_verification_key_is_refused_even_if_the_module_is_pinned_or_there() {
    let (folder, registry, signer) = (tempfile::tempdir().unwrap(), Registry::new(), Signer::new());
    let url = "https://user:hunter2@registry.test/team/filter.wasm";
    let sum = registry.serve(url, &module("a"));
    let shelf = crate::registry::shelf(folder.path(), &registry);
    for there in [false, true] {
        for asked in [wanted(url), pinned(&wanted(url), sum)] {
            let asked = keyed(&asked, &signer);
            assert!(shelf.at_hand(&asked).is_none());
            let error = shelf.obtain(asked).await.unwrap_err();
            assert_eq!(error.reason, Reason::Unusable, "{there}");
            let told = "https://registry.test/team/filter.wasm has a verification key, and only OCI images can be signed";
            assert!(error.message.starts_with(told), "{error}");
        }
        shelf.obtain(wanted(url)).await.unwrap();
    }
}

#[tokio::test]
async fn a_key_adds_to_the_rules_and_takes_nothing_from_them() {
    let (of_rule, of_resource) = (Signer::new(), Signer::new());
    for rule in ["", "  policy: warn\n", "  policy: off\n"] {
        for signed_by in [[true, false], [false, true], [true, true]] {
            let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::new());
            let digest = registry.push(TAG, &module("a"));
            let signers = [&of_rule, &of_resource].into_iter().zip(signed_by).filter(|(_, signs)| *signs);
            let signatures = signers.map(|(signer, _)| signer.sign_image(&digest, NAME)).collect();
            registry.change(TAG, |image| image.signatures = signatures);
            let shelf = shelf(folder.path(), &registry, only(&of_rule, rule));
            let asked = keyed(&wanted(TAG), &of_resource);
            let is_served = signed_by[1] && (signed_by[0] || !rule.is_empty());
            let done = shelf.obtain(asked.clone()).await;
            assert_eq!(done.is_ok(), is_served, "{rule:?} {signed_by:?}: {done:?}");
            assert_eq!(shelf.at_hand(&asked).is_some(), is_served, "{rule:?} {signed_by:?}");
        }
    }
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
    let payload = payload(&digest, NAME, IMAGE_SIGNATURE);
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
    for none in ["", " \n"] {
        assert!(PublicKey::from_pem(none).unwrap_err().starts_with("empty: expected a public key in PEM"));
    }
    let two = Signer::new().pem + &Signer::new().pem;
    assert!(PublicKey::from_pem(&two).unwrap_err().starts_with("more than one PEM"));
}

#[test]
fn a_key_is_the_same_without_its_pem() {
    let key = Signer::new().key();
    assert_eq!(PublicKey::from_der(key.der()), Ok(key));
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

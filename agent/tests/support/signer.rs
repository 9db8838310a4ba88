//! What signs as cosign does, with a key pair of one test's own.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use meshloom_agent::Sha256;
use meshloom_agent::trust::{PublicKey, Signature};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

/// The type of payloads in a registry.
pub(crate) const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// The type that a payload says it is.
pub(crate) const IMAGE_SIGNATURE: &str = "cosign container image signature";

pub(crate) struct Signer {
    pair: EcdsaKeyPair,
    /// The public key.
    pub(crate) pem: String,
}

impl Signer {
    pub(crate) fn new() -> Self {
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

    pub(crate) fn key(&self) -> PublicKey {
        PublicKey::from_pem(&self.pem).unwrap()
    }

    pub(crate) fn sign(&self, payload: &str) -> Signature {
        let signature = self.pair.sign(&SystemRandom::new(), payload.as_bytes()).unwrap();
        Signature {
            payload: payload.to_owned().into(),
            signature: STANDARD.encode(signature),
            place: "registry.test/team/filter:sha256-1.sig".to_owned(),
        }
    }

    pub(crate) fn sign_image(&self, digest: &Sha256, reference: &str) -> Signature {
        self.sign(&payload(digest, reference, IMAGE_SIGNATURE))
    }
}

/// What is signed.
pub(crate) fn payload(digest: &Sha256, reference: &str, kind: &str) -> String {
    format!(
        r#"{{"critical":{{"identity":{{"docker-reference":"{reference}"}},"image":{{"docker-manifest-digest":"sha256:{digest}"}},"type":"{kind}"}},"optional":null}}"#
    )
}

/// The tag under which a registry has the signatures of a manifest.
pub(crate) fn tag(digest: &Sha256) -> String {
    format!("sha256-{digest}.sig")
}

/// The manifest under that tag, for a payload that is in the registry, and an empty configuration.
pub(crate) fn manifest(signature: &Signature) -> Value {
    let blob = |kind: &str, content: &[u8]| json!({"mediaType": kind, "digest": format!("sha256:{}", Sha256::of(content)), "size": content.len()});
    let mut layer = blob(SIMPLE_SIGNING, &signature.payload);
    layer["annotations"] = json!({"dev.cosignproject.cosign/signature": signature.signature});
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob("application/vnd.oci.image.config.v1+json", b"{}"),
        "layers": [layer],
    })
}

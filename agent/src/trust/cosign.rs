//! Signatures as cosign makes them with a key pair (`cosign sign --key`), checked against public keys.
//!
//! What is signed is the "simple signing" payload, a JSON document that names the digest of the manifest. Transparency
//! logs and certificates are not looked at.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use serde::Deserialize;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::Signature;
use crate::Sha256;

/// Longest payload that is read, in bytes. Cosign's have about 250.
const LONGEST_PAYLOAD: usize = 64 * 1024;

/// A public key. A clone is the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(Arc<Key>);

#[derive(Debug, PartialEq, Eq)]
struct Key {
    kind: Kind,
    /// As ring wants it.
    bytes: Vec<u8>,
    /// The whole of it, a `SubjectPublicKeyInfo`.
    der: Vec<u8>,
    fingerprint: Sha256,
}

const EXPECTED: &str =
    "expected a public key in PEM: ECDSA on P-256 or P-384, Ed25519, or RSA of 2048 bits or more";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    P256,
    P384,
    Ed25519,
    Rsa,
}

impl Kind {
    fn algorithms(self) -> Vec<&'static dyn VerificationAlgorithm> {
        match self {
            Self::P256 => vec![&signature::ECDSA_P256_SHA256_ASN1],
            // Cosign 2.6 hashes by the curve's own; it and others have hashed by SHA-256 whatever the curve.
            Self::P384 => vec![&signature::ECDSA_P384_SHA256_ASN1, &signature::ECDSA_P384_SHA384_ASN1],
            Self::Ed25519 => vec![&signature::ED25519],
            Self::Rsa => vec![&signature::RSA_PKCS1_2048_8192_SHA256],
        }
    }
}

impl PublicKey {
    /// Reads a key in PEM (`-----BEGIN PUBLIC KEY-----`): ECDSA on P-256 or P-384, Ed25519, or RSA of 2048 to 8192 bits.
    ///
    /// # Errors
    ///
    /// What was found, and what would be right.
    pub fn from_pem(text: &str) -> Result<Self, String> {
        let (rest, pem) = x509_parser::pem::parse_x509_pem(text.trim_start().as_bytes()).map_err(|_| {
            format!("{}: {EXPECTED}", if text.trim().is_empty() { "empty" } else { "no PEM" })
        })?;
        if pem.label != "PUBLIC KEY" {
            return Err(format!("a PEM of {:?}: {EXPECTED}", pem.label.chars().take(40).collect::<String>()));
        }
        // The second would go unnoticed, by whoever relies on it.
        if rest.windows(10).any(|window| window == b"-----BEGIN") {
            return Err(format!("more than one PEM: {EXPECTED}, and only one"));
        }
        Self::from_der(&pem.contents)
    }

    /// Reads the same key without its PEM.
    ///
    /// # Errors
    ///
    /// What was found, and what would be right.
    pub fn from_der(der: &[u8]) -> Result<Self, String> {
        let (_, info) = SubjectPublicKeyInfo::from_der(der)
            .map_err(|_| format!("its content is no public key: {EXPECTED}"))?;
        let algorithm = info.algorithm.algorithm.to_id_string();
        let curve = info.algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok());
        let curve = curve.map(|oid| oid.to_id_string());
        let kind = match (algorithm.as_str(), curve.as_deref()) {
            ("1.2.840.10045.2.1", Some("1.2.840.10045.3.1.7")) => Kind::P256,
            ("1.2.840.10045.2.1", Some("1.3.132.0.34")) => Kind::P384,
            ("1.3.101.112", _) => Kind::Ed25519,
            ("1.2.840.113549.1.1.1", _) => Kind::Rsa,
            (algorithm, curve) => {
                let curve = curve.map(|curve| format!(" on the curve {curve}")).unwrap_or_default();
                return Err(format!("a key of algorithm {algorithm}{curve}: {EXPECTED}"));
            }
        };
        let bytes = info.subject_public_key.data.to_vec();
        if kind == Kind::Rsa {
            let bits = info.parsed().map(|key| key.key_size()).unwrap_or_default();
            if bits < 2048 {
                return Err(format!("an RSA key of {bits} bits: {EXPECTED}"));
            }
        }
        Ok(Self(Arc::new(Key { kind, bytes, der: der.to_vec(), fingerprint: Sha256::of(der) })))
    }

    /// The key as DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// The SHA-256 of the key as DER (`openssl pkey -pubin -outform DER | sha256sum`).
    #[must_use]
    pub fn fingerprint(&self) -> Sha256 {
        self.0.fingerprint
    }

    fn has_signed(&self, payload: &[u8], signature: &[u8]) -> bool {
        self.0.kind.algorithms().into_iter().any(|algorithm| {
            UnparsedPublicKey::new(algorithm, &self.0.bytes).verify(payload, signature).is_ok()
        }) || (self.0.kind == Kind::Ed25519 && self.has_signed_hashed(payload, signature))
    }

    /// Ed25519ph (RFC 8032), which cosign 2.6 uses with Ed25519 keys and ring does not have.
    fn has_signed_hashed(&self, payload: &[u8], signature: &[u8]) -> bool {
        use ed25519_dalek::{Digest as _, Sha512, Signature, VerifyingKey};
        let Some(key) =
            self.0.bytes.as_slice().try_into().ok().and_then(|key| VerifyingKey::from_bytes(key).ok())
        else {
            return false;
        };
        let Ok(signature) = Signature::from_slice(signature) else { return false };
        key.verify_prehashed_strict(Sha512::new().chain_update(payload), None, &signature).is_ok()
    }
}

/// The simple signing payload, as far as it is looked at.
#[derive(Deserialize)]
struct Payload {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    #[serde(default)]
    identity: Identity,
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Default, Deserialize)]
struct Identity {
    #[serde(rename = "docker-reference", default)]
    reference: String,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

/// Which of the keys have signed that digest with this signature; else, why it does not count.
///
/// # Errors
///
/// What was found, for people.
pub(super) fn signers<'a>(
    found: &Signature,
    keys: &'a [PublicKey],
    digest: &Sha256,
    reference: Option<&str>,
) -> Result<Vec<&'a PublicKey>, String> {
    if found.payload.len() > LONGEST_PAYLOAD {
        return Err(format!("its payload has {} bytes, more than {LONGEST_PAYLOAD}", found.payload.len()));
    }
    let signature =
        STANDARD.decode(found.signature.trim()).map_err(|_| "the signature is no base64".to_owned())?;
    // Nothing of the payload is believed before it is known who wrote it.
    let signers: Vec<&PublicKey> =
        keys.iter().filter(|key| key.has_signed(&found.payload, &signature)).collect();
    if signers.is_empty() {
        return Err("signed by none of the keys".to_owned());
    }
    let payload: Payload = serde_json::from_slice(&found.payload)
        .map_err(|error| format!("its payload is none of cosign's: {error}"))?;
    let critical = payload.critical;
    if critical.kind != "cosign container image signature" {
        return Err(format!("its payload is of type {:?}", clipped(&critical.kind)));
    }
    if critical.image.digest.parse::<Sha256>().ok() != Some(*digest)
        || !critical.image.digest.starts_with("sha256:")
    {
        return Err(format!("it signs another manifest: {:?}", clipped(&critical.image.digest)));
    }
    match reference {
        Some(expected) if critical.identity.reference != expected => {
            Err(format!("it signs another name: {:?}", clipped(&critical.identity.reference)))
        }
        _ => Ok(signers),
    }
}

fn clipped(text: &str) -> String {
    text.chars().take(100).collect()
}

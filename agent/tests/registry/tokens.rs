//! Tokens that a registry takes: JSON Web Tokens, signed by a key whose certificate it was given.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use rcgen::{CertificateParams, KeyPair};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "issuer.test";
pub(crate) const SERVICE: &str = "registry.test";

/// Who signs tokens.
#[derive(Clone)]
pub(crate) struct Issuer {
    key: Arc<EcdsaKeyPair>,
    certificate: rcgen::Certificate,
}

impl Issuer {
    pub(crate) fn new() -> Self {
        let pair = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec![ISSUER.to_owned()]).unwrap().self_signed(&pair).unwrap();
        let der = pair.serialize_der();
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der, &SystemRandom::new()).unwrap();
        Self { key: Arc::new(key), certificate }
    }

    /// What the registry is given to know the issuer by.
    pub(crate) fn certificate(&self) -> String {
        self.certificate.pem()
    }

    /// A token for `team/module`.
    pub(crate) fn token(&self, actions: &[&str]) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let header =
            json!({"alg": "ES256", "typ": "JWT", "x5c": [BASE64_STANDARD.encode(self.certificate.der())]});
        let claims = json!({
            "iss": ISSUER, "aud": SERVICE, "sub": "a", "jti": "1", "iat": now, "nbf": now - 60, "exp": now + 300,
            "access": [{"type": "repository", "name": "team/module", "actions": actions}],
        });
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

//! Docker's configuration file, of which pull secrets are a kind.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Credential, Found, helper};
use crate::Secret;

/// Docker writes padding, people forget it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What of Docker's configuration concerns credentials.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::fetch) struct DockerConfig {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: String,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Entry {
    username: String,
    password: String,
    auth: String,
    #[serde(rename = "identitytoken")]
    identity_token: String,
    #[serde(rename = "registrytoken")]
    registry_token: String,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<redacted>")
    }
}

impl DockerConfig {
    /// Reads the JSON. A legacy secret (`.dockercfg`) is what now is under `auths`.
    ///
    /// # Errors
    ///
    /// In words, and without what it has in it.
    pub(super) fn parse(json: &[u8]) -> Result<Self, String> {
        // The library's own messages quote what they found.
        let place = |error: serde_json::Error| {
            format!("is no Docker configuration in JSON (line {}, column {})", error.line(), error.column())
        };
        let value: Option<BTreeMap<String, serde::de::IgnoredAny>> =
            serde_json::from_slice(json).map_err(place)?;
        let value = value.ok_or_else(|| "is empty: expected a Docker configuration in JSON".to_owned())?;
        let is_config = ["auths", "credHelpers", "credsStore"].iter().any(|key| value.contains_key(*key));
        if !is_config && !value.is_empty() && value.keys().all(|key| key.contains('.') || key.contains(':')) {
            let auths = serde_json::from_slice(json).map_err(place)?;
            return Ok(Self { auths, ..Self::default() });
        }
        let config: Self = serde_json::from_slice(json).map_err(place)?;
        for (host, entry) in &config.auths {
            entry.credential().map_err(|problem| format!("auths.{host:?}: {problem}"))?;
        }
        Ok(config)
    }

    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let problem = |problem| format!("{}: {problem}", path.display());
        let json =
            Zeroizing::new(crate::fetch::registries::read_file(path, super::LARGEST).map_err(problem)?);
        Self::parse(&json).map_err(problem)
    }

    /// Of a configuration on this machine: its helpers are asked too, as Docker's command line does.
    pub(super) async fn find(&self, host: &str, repository: &str, path: &Path) -> Result<Found, String> {
        let helper = self.cred_helpers.iter().find(|(key, _)| is_host(key, host)).map(|(_, name)| name);
        if let Some(name) = helper {
            return helper::ask(name, host).await;
        }
        let listed = self.listed(host, repository);
        if listed == Credential::Anonymous && !self.creds_store.is_empty() {
            return helper::ask(&self.creds_store, host).await;
        }
        Ok(Found { credential: listed, origin: path.display().to_string() })
    }

    /// What is under the key that fits best: of a repository, of a folder of repositories, of the host.
    pub(super) fn listed(&self, host: &str, repository: &str) -> Credential {
        let whole = format!("{}/{repository}", canonical_host(host));
        let fits = |(key, entry): (&String, &Entry)| {
            let key = canonical(key);
            let fits = crate::fetch::registries::has_prefix(&whole, &key);
            let credential =
                entry.credential().ok().filter(|credential| *credential != Credential::Anonymous);
            credential.filter(|_| fits).map(|credential| (key.len(), credential))
        };
        let best = self.auths.iter().filter_map(fits).max_by_key(|(length, _)| *length);
        best.map_or(Credential::Anonymous, |(_, credential)| credential)
    }
}

impl Entry {
    fn credential(&self) -> Result<Credential, String> {
        if !self.registry_token.is_empty() {
            return Ok(Credential::Registry(Secret::new(self.registry_token.clone())));
        }
        if !self.identity_token.is_empty() {
            return Ok(Credential::Identity(Secret::new(self.identity_token.clone())));
        }
        if !self.auth.is_empty() {
            let decoded = BASE64
                .decode(self.auth.trim())
                .map(Zeroizing::new)
                .map_err(|_| "auth is no base64".to_owned())?;
            let text = str::from_utf8(&decoded).map_err(|_| "auth is no text in UTF-8".to_owned())?;
            let (username, password) = text
                .split_once(':')
                .ok_or_else(|| "auth has no colon between user and password".to_owned())?;
            // Docker itself once ended the password with zeros.
            let password = password.trim_end_matches('\0');
            return Ok(basic(username, password));
        }
        if self.username.is_empty() && self.password.is_empty() {
            return Ok(Credential::Anonymous);
        }
        Ok(basic(&self.username, &self.password))
    }
}

/// A user named `<token>` has an identity token for a password.
pub(super) fn basic(username: &str, password: &str) -> Credential {
    let password = Secret::new(password.to_owned());
    match username {
        "<token>" => Credential::Identity(password),
        _ => Credential::Basic { username: username.to_owned(), password },
    }
}

/// Keys are hosts, URLs, or paths of repositories; Docker Hub's is a URL with a version.
fn canonical(key: &str) -> String {
    let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let (host, path) = key.split_once('/').unwrap_or((key, ""));
    let path = path.trim_matches('/');
    let path = if matches!(path, "v1" | "v2") { "" } else { path };
    let host = canonical_host(host);
    if path.is_empty() { host } else { format!("{host}/{path}") }
}

/// Docker Hub has many names, and port 443 goes without saying.
fn canonical_host(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    match host.strip_suffix(":443").unwrap_or(&host) {
        "index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com" => "docker.io".to_owned(),
        other => other.to_owned(),
    }
}

fn is_host(key: &str, host: &str) -> bool {
    canonical(key) == canonical_host(host)
}

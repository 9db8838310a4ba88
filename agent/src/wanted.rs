//! A module as a resource asks for it.

use std::time::Duration;

use crate::trust::PublicKey;
use crate::{Secret, Sha256};

/// When a tag or a URL is looked up again (`ISTIO_META_WASM_IMAGE_PULL_POLICY`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PullPolicy {
    /// As [`Always`](Self::Always) for OCI references that end in `:latest`, else as
    /// [`IfNotPresent`](Self::IfNotPresent).
    #[default]
    Unspecified,
    /// Never while there is a module for that URL.
    IfNotPresent,
    /// Whenever the resource has changed: its [`resource_version`](Wanted::resource_version) is another.
    Always,
}

/// How much one attempt to obtain a module does before it is given up. There is another attempt after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Effort {
    /// Requests that fail are repeated within the attempt, as the options say.
    #[default]
    Full,
    /// Each request is made once: whoever asks comes back soon.
    Once,
    /// The same, and a connection has to be there within a second: an outage is young, and may be over any moment.
    Brisk,
}

/// A module as a resource asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Where it is: `http`, `https` or `oci`. As the resource has it.
    pub url: String,
    /// What it has to be: the SHA-256 of the module for HTTP, of the image's manifest for OCI.
    pub checksum: Option<Sha256>,
    /// The name of the resource that asks.
    pub resource: String,
    /// The version of what that resource was made from; empty if it is not told.
    pub resource_version: String,
    /// When a tag or a URL is looked up again.
    pub policy: PullPolicy,
    /// A Docker configuration in JSON, to be used instead of what the agent has of its own.
    pub pull_secret: Option<Secret>,
    /// Who has to have signed it, whatever the agent's own rules say (`ISTIO_META_WASM_VERIFICATION_KEY`).
    pub verification_key: Option<PublicKey>,
    /// How long one attempt may take until the module begins to come. (`http_uri.timeout`, 5 s if it is not given.)
    pub timeout: Duration,
    /// How much is done for it at a time.
    pub effort: Effort,
}

impl Wanted {
    /// A module that `resource` asks for, of which nothing else is said.
    pub fn new(url: impl Into<String>, resource: impl Into<String>, timeout: Duration) -> Self {
        Self {
            url: url.into(),
            checksum: None,
            resource: resource.into(),
            resource_version: String::new(),
            policy: PullPolicy::default(),
            pull_secret: None,
            verification_key: None,
            timeout,
            effort: Effort::default(),
        }
    }
}

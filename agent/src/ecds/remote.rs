//! A resource whose module is elsewhere, and what can be made of it.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;

use super::filter::{Filter, Kind};
use crate::trust::PublicKey;
use crate::wire::{Any, Layer, Malformed, fields, merged, put_bytes, text};
use crate::{Effort, Reason, Sha256, Unavailable, Wanted, shown};

use super::environment::Told;

/// How long an attempt may take if the resource does not say.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
/// Envoy's own bound of `http_uri.timeout`, in seconds.
const MAX_TIMEOUT: u64 = u32::MAX as u64;

/// A resource whose code is remote: which module it wants, and everything around the module's path.
#[derive(Clone, Debug)]
pub struct Remote {
    /// The module, unless the resource asks for it in a way that nobody could follow.
    pub wanted: Result<Wanted, Unfetchable>,
    /// What stands in for the module if there is nothing better, as the plugin's failure policy says.
    pub filter: Filter,
    /// Where the filter runs.
    pub kind: Kind,
    /// What is around the code, from within outwards: `VmConfig`, `PluginConfig`, `Wasm`, and the two of `outer`.
    pub(super) inner: [Layer; 4],
    /// What is around the filter, from within outwards: `TypedExtensionConfig`, `Any`.
    pub(super) outer: [Layer; 2],
}

/// Why a resource's module cannot even be asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfetchable {
    /// `remote` without `http_uri`.
    #[error("cannot fetch Wasm module: remote code has no http_uri")]
    NoUri,
    /// The control plane knows of a pull secret and has not got it.
    #[error("cannot fetch Wasm module {0}: missing image pulling secret")]
    NoSecret(String),
    /// A checksum that none can have.
    #[error("cannot fetch Wasm module {url}: sha256: {why}")]
    Checksum {
        /// The module's URL.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// A verification key that is none: what nobody can have signed is not served.
    #[error("cannot fetch Wasm module {url}: ISTIO_META_WASM_VERIFICATION_KEY: {why}")]
    Key {
        /// The module's URL.
        url: String,
        /// What was found, and what would be right.
        why: String,
    },
}

impl Unfetchable {
    /// As the failure of an attempt.
    #[must_use]
    pub fn unavailable(&self) -> Unavailable {
        Unavailable::new(Reason::Unusable, self.to_string())
    }
}

impl Remote {
    /// The resource (an `Any`) with its module in that file.
    #[must_use]
    pub fn with_module(&self, path: &Path) -> Bytes {
        // `AsyncDataSource.local`, `DataSource.filename`. A path that is no text is one that Envoy refuses by name.
        let mut data_source = Vec::new();
        put_bytes(&mut data_source, 1, path.to_string_lossy().as_bytes());
        let mut code = Vec::new();
        put_bytes(&mut code, 1, &data_source);
        wrapped(code, self.inner.iter().chain(&self.outer))
    }

    /// The resource (an `Any`) with that filter instead.
    #[must_use]
    pub fn with_filter(&self, filter: Filter) -> Bytes {
        wrapped(filter.encode(self.kind), &self.outer)
    }
}

fn wrapped<'a>(innermost: Vec<u8>, layers: impl IntoIterator<Item = &'a Layer>) -> Bytes {
    layers.into_iter().fold(innermost, |message, layer| layer.wrap(&message)).into()
}

/// What `RemoteDataSource` asks for.
pub(super) fn wanted(
    remote: &[u8],
    resource: &str,
    told: Told,
) -> Result<Result<Wanted, Unfetchable>, Malformed> {
    let checksum = text(remote, 2, "RemoteDataSource.sha256")?;
    let Some(http_uri) = merged(remote, 1, "RemoteDataSource.http_uri")? else {
        return Ok(Err(Unfetchable::NoUri));
    };
    let url = text(&http_uri, 1, "HttpUri.uri")?.to_owned();
    let timeout = match merged(&http_uri, 3, "HttpUri.timeout")? {
        Some(duration) => duration_of(&duration)?,
        None => DEFAULT_TIMEOUT,
    };
    if told.pull_secret.as_ref().is_some_and(|secret| secret.reveal().is_empty()) {
        return Ok(Err(Unfetchable::NoSecret(shown::text(&url))));
    }
    // Control planes of old said "nil" where they meant none.
    let checksum = match checksum {
        "" | "nil" => None,
        text => match text.parse::<Sha256>() {
            Ok(checksum) => Some(checksum),
            Err(why) => {
                return Ok(Err(Unfetchable::Checksum { url: shown::text(&url), why: why.to_string() }));
            }
        },
    };
    let verification_key = match told.verification_key.as_deref().map(PublicKey::from_pem).transpose() {
        Ok(key) => key,
        Err(why) => return Ok(Err(Unfetchable::Key { url: shown::text(&url), why })),
    };
    Ok(Ok(Wanted {
        url,
        checksum,
        resource: resource.to_owned(),
        resource_version: told.resource_version,
        policy: told.policy,
        pull_secret: told.pull_secret,
        verification_key,
        timeout,
        effort: Effort::Full,
    }))
}

/// `google.protobuf.Duration`. What is no time at all is taken for nothing said: in no time nothing is fetched.
fn duration_of(message: &[u8]) -> Result<Duration, Malformed> {
    let (mut seconds, mut nanos) = (0, 0);
    for field in fields(message) {
        let field = field?;
        match field.number {
            1 => seconds = field.varint("Duration.seconds")? as i64,
            2 => nanos = field.varint("Duration.nanos")? as i64,
            _ => {}
        }
    }
    let seconds = u64::try_from(seconds).unwrap_or(0).min(MAX_TIMEOUT);
    let nanos = u32::try_from(nanos).unwrap_or(0).min(999_999_999);
    let duration = Duration::new(seconds, nanos);
    Ok(if duration.is_zero() { DEFAULT_TIMEOUT } else { duration })
}

/// What the failure policy of a `PluginConfig` says (`failure_policy`, or else the older `fail_open`).
pub(super) fn filter_of(plugin: &[u8]) -> Result<Filter, Malformed> {
    const FAIL_OPEN: u64 = 3;
    let (mut open, mut policy) = (0, 0);
    for field in fields(plugin) {
        let field = field?;
        match field.number {
            5 => open = field.varint("PluginConfig.fail_open")?,
            7 => policy = field.varint("PluginConfig.failure_policy")?,
            _ => {}
        }
    }
    let open = if policy == 0 { open != 0 } else { policy == FAIL_OPEN };
    Ok(if open { Filter::Allow } else { Filter::Deny })
}

/// The layers around a filter's typed config in a resource.
pub(super) fn outer(any: &[u8], extension: &[u8]) -> Result<[Layer; 2], Malformed> {
    Ok([Layer::around(extension, super::convert::TYPED_CONFIG)?, Layer::around(any, Any::VALUE)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_between_nothing_and_what_envoy_allows() {
        let duration = |seconds: i64, nanos: i32| {
            let mut message = Vec::new();
            crate::wire::put_varint(&mut message, 1, seconds as u64);
            crate::wire::put_varint(&mut message, 2, i64::from(nanos) as u64);
            duration_of(&message).unwrap()
        };
        assert_eq!(duration(30, 500_000_000), Duration::from_millis(30_500));
        assert_eq!(duration(0, 0), DEFAULT_TIMEOUT);
        assert_eq!(duration(-1, 0), DEFAULT_TIMEOUT);
        assert_eq!(duration(i64::MAX, i32::MAX), Duration::new(MAX_TIMEOUT, 999_999_999));
    }
}

//! What of a response may be shown.
//!
//! It is built up from fields that are known to hold no secret, not stripped of those that do: of environment variables
//! there are the names, of configurations the sizes, of sources what has no user and no query.

use std::collections::HashMap;

use bytes::Bytes;
use prost::Message;
use serde::Serialize;

use super::{RESOURCES, cut};
use crate::ecds::Protocol;

/// How many names of environment variables are kept.
const NAMES: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Summary {
    pub(super) version: String,
    pub(super) nonce: String,
    pub(super) resources: Vec<Resource>,
    pub(super) more: usize,
}

/// A resource of a response.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Resource {
    /// Its name.
    pub name: String,
    /// The type of the filter in it.
    pub type_url: String,
    /// Its size.
    pub bytes: usize,
    /// Where a Wasm filter has its module from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// The names of a Wasm filter's environment variables.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<String>,
    /// The size of a Wasm filter's configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration_bytes: Option<usize>,
}

/// Where a Wasm filter has its module from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// A file.
    Local(String),
    /// So many bytes in the resource itself.
    InlineBytes(usize),
    /// A source, and the digest that it must have.
    Remote {
        /// Without user and query.
        source: String,
        /// As the resource has it.
        sha256: String,
    },
}

impl Resource {
    /// How many bytes of text it keeps.
    pub(super) fn cost(&self) -> usize {
        let code = match &self.code {
            Some(Code::Local(text)) => text.len(),
            Some(Code::Remote { source, sha256 }) => source.len() + sha256.len(),
            Some(Code::InlineBytes(_)) | None => 0,
        };
        let environment: usize = self.environment.iter().map(|name| size_of::<String>() + name.len()).sum();
        size_of::<Self>() + self.name.len() + self.type_url.len() + code + environment
    }
}

/// What of that message may be shown; nothing if it is no response.
pub(super) fn of(protocol: Protocol, message: &Bytes) -> Option<Summary> {
    let (version, nonce, resources) = match protocol {
        Protocol::Sotw => {
            let read = Sotw::decode(message.clone()).ok()?;
            (read.version, read.nonce, read.resources)
        }
        Protocol::Delta => {
            let read = Delta::decode(message.clone()).ok()?;
            let resources = read.resources.into_iter().map(|one| one.resource.unwrap_or_default());
            (read.version, read.nonce, resources.collect())
        }
    };
    let more = resources.len().saturating_sub(RESOURCES);
    let resources = resources.into_iter().take(RESOURCES).map(resource).collect();
    Some(Summary { version: cut(&version), nonce: cut(&nonce), resources, more })
}

fn resource(any: Any) -> Resource {
    let bytes = any.value.len();
    let Ok(extension) = Extension::decode(any.value) else {
        return Resource { type_url: cut(&any.type_url), bytes, ..Resource::default() };
    };
    let typed = extension.typed_config.unwrap_or_default();
    let known =
        Resource { name: cut(&extension.name), type_url: cut(&typed.type_url), bytes, ..Resource::default() };
    if !typed.type_url.ends_with(".wasm.v3.Wasm") {
        return known;
    }
    let plugin = Wasm::decode(typed.value).ok().and_then(|wasm| wasm.config).unwrap_or_default();
    let machine = plugin.vm_config.unwrap_or_default();
    let variables = machine.environment_variables.unwrap_or_default();
    let mut environment: Vec<_> = variables.key_values.keys().map(|name| cut(name)).collect();
    environment.sort();
    environment.truncate(NAMES);
    Resource {
        code: machine.code.and_then(code),
        environment,
        configuration_bytes: plugin.configuration.map(|any| any.value.len()),
        ..known
    }
}

fn code(code: Source) -> Option<Code> {
    if let Some(remote) = code.remote {
        let uri = remote.http_uri.unwrap_or_default().uri;
        return Some(Code::Remote { source: crate::shown::text(&uri), sha256: cut(&remote.sha256) });
    }
    let local = code.local?;
    Some(match local.filename {
        Some(name) => Code::Local(cut(&name)),
        None => Code::InlineBytes(local.inline_bytes.len() + local.inline_string.len()),
    })
}

// The fields of Envoy's messages that are read here, under the numbers that they have in its API v3.

#[derive(Clone, PartialEq, Message)]
struct Sotw {
    #[prost(string, tag = "1")]
    version: String,
    #[prost(message, repeated, tag = "2")]
    resources: Vec<Any>,
    #[prost(string, tag = "5")]
    nonce: String,
}

#[derive(Clone, PartialEq, Message)]
struct Delta {
    #[prost(string, tag = "1")]
    version: String,
    #[prost(message, repeated, tag = "2")]
    resources: Vec<Enveloped>,
    #[prost(string, tag = "5")]
    nonce: String,
}

#[derive(Clone, PartialEq, Message)]
struct Enveloped {
    #[prost(message, optional, tag = "2")]
    resource: Option<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
}

#[derive(Clone, PartialEq, Message)]
struct Extension {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    typed_config: Option<Any>,
}

/// `envoy.extensions.filters.{http,network}.wasm.v3.Wasm`, which have the same shape.
#[derive(Clone, PartialEq, Message)]
struct Wasm {
    #[prost(message, optional, tag = "1")]
    config: Option<Plugin>,
}

#[derive(Clone, PartialEq, Message)]
struct Plugin {
    #[prost(message, optional, tag = "3")]
    vm_config: Option<Machine>,
    #[prost(message, optional, tag = "4")]
    configuration: Option<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct Machine {
    #[prost(message, optional, tag = "3")]
    code: Option<Source>,
    #[prost(message, optional, tag = "7")]
    environment_variables: Option<Variables>,
}

#[derive(Clone, PartialEq, Message)]
struct Variables {
    #[prost(map = "string, string", tag = "2")]
    key_values: HashMap<String, String>,
}

#[derive(Clone, PartialEq, Message)]
struct Source {
    #[prost(message, optional, tag = "1")]
    local: Option<Local>,
    #[prost(message, optional, tag = "2")]
    remote: Option<Remote>,
}

#[derive(Clone, PartialEq, Message)]
struct Local {
    #[prost(string, optional, tag = "1")]
    filename: Option<String>,
    #[prost(bytes = "bytes", tag = "2")]
    inline_bytes: Bytes,
    #[prost(string, tag = "3")]
    inline_string: String,
}

#[derive(Clone, PartialEq, Message)]
struct Remote {
    #[prost(message, optional, tag = "1")]
    http_uri: Option<Uri>,
    #[prost(string, tag = "2")]
    sha256: String,
}

#[derive(Clone, PartialEq, Message)]
struct Uri {
    #[prost(string, tag = "1")]
    uri: String,
}

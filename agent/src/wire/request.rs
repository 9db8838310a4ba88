//! `DiscoveryRequest` and `DeltaDiscoveryRequest`.

use super::field::{Malformed, fields};
use super::status::RpcStatus;
use super::write::{put_bytes, put_text};
use crate::ecds::Protocol;

/// What a request of either variant says. Fields that only the other variant has are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request<'a> {
    /// The type of the resources.
    pub type_url: &'a str,
    /// The response that this answers; empty if it answers none.
    pub nonce: &'a str,
    /// State of the world: the version that was last accepted.
    pub version: &'a str,
    /// State of the world: all resources that are asked for.
    pub names: Vec<&'a str>,
    /// Incremental: what is asked for from now on.
    pub subscribe: Vec<&'a str>,
    /// Incremental: what is no longer asked for.
    pub unsubscribe: Vec<&'a str>,
    /// Incremental: whether it says what the client has from an earlier stream.
    pub has_initial_versions: bool,
    /// A refusal's `google.rpc.Status`, as it was found.
    pub error: Option<&'a [u8]>,
}

/// Where either variant has its fields.
#[derive(Clone, Copy)]
struct Numbers {
    type_url: u32,
    nonce: u32,
    error: u32,
}

const fn numbers(protocol: Protocol) -> Numbers {
    match protocol {
        Protocol::Sotw => Numbers { type_url: 4, nonce: 5, error: 6 },
        Protocol::Delta => Numbers { type_url: 2, nonce: 6, error: 7 },
    }
}

const VERSION: u32 = 1;
const NAMES: u32 = 3;
const SUBSCRIBE: u32 = 3;
const UNSUBSCRIBE: u32 = 4;
const INITIAL_VERSIONS: u32 = 5;

impl<'a> Request<'a> {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// The message is none.
    pub fn read(protocol: Protocol, message: &'a [u8]) -> Result<Self, Malformed> {
        let mut request = Self::default();
        let at = numbers(protocol);
        for field in fields(message) {
            let field = field?;
            match (protocol, field.number) {
                (_, number) if number == at.type_url => request.type_url = field.text("type_url")?,
                (_, number) if number == at.nonce => request.nonce = field.text("response_nonce")?,
                (_, number) if number == at.error => request.error = Some(field.bytes("error_detail")?),
                (Protocol::Sotw, VERSION) => request.version = field.text("version_info")?,
                (Protocol::Sotw, NAMES) => request.names.push(field.text("resource_names")?),
                (Protocol::Delta, SUBSCRIBE) => {
                    request.subscribe.push(field.text("resource_names_subscribe")?);
                }
                (Protocol::Delta, UNSUBSCRIBE) => {
                    request.unsubscribe.push(field.text("resource_names_unsubscribe")?);
                }
                (Protocol::Delta, INITIAL_VERSIONS) => request.has_initial_versions = true,
                _ => {}
            }
        }
        Ok(request)
    }

    /// The error's message, as far as it can be read.
    #[must_use]
    pub fn error_message(&self) -> &'a str {
        self.error.and_then(|status| RpcStatus::read(status).ok()).unwrap_or_default().message
    }

    /// The request under another nonce; none if that is empty.
    ///
    /// # Errors
    ///
    /// The message is none.
    pub fn with_nonce(protocol: Protocol, message: &[u8], nonce: &str) -> Result<Vec<u8>, Malformed> {
        set(message, numbers(protocol).nonce, nonce)
    }

    /// The request without its error.
    ///
    /// # Errors
    ///
    /// The message is none.
    pub fn without_error(protocol: Protocol, message: &[u8]) -> Result<Vec<u8>, Malformed> {
        super::without(message, &[numbers(protocol).error])
    }

    /// The state-of-the-world request with another version; none if that is empty.
    ///
    /// # Errors
    ///
    /// The message is none.
    pub fn with_version(message: &[u8], version: &str) -> Result<Vec<u8>, Malformed> {
        set(message, VERSION, version)
    }

    /// The incremental request without what the client has from an earlier stream.
    ///
    /// # Errors
    ///
    /// The message is none.
    pub fn without_initial_versions(message: &[u8]) -> Result<Vec<u8>, Malformed> {
        super::without(message, &[INITIAL_VERSIONS])
    }

    /// A request of the agent's own: what is set here, and nothing else.
    #[must_use]
    pub fn encode(&self, protocol: Protocol) -> Vec<u8> {
        let at = numbers(protocol);
        let mut message = Vec::new();
        let lists: &[(u32, &[&str])] = match protocol {
            Protocol::Sotw => {
                put_text(&mut message, VERSION, self.version);
                &[(NAMES, &self.names)]
            }
            Protocol::Delta => &[(SUBSCRIBE, &self.subscribe), (UNSUBSCRIBE, &self.unsubscribe)],
        };
        for (number, names) in lists {
            for name in *names {
                put_bytes(&mut message, *number, name.as_bytes());
            }
        }
        put_text(&mut message, at.type_url, self.type_url);
        put_text(&mut message, at.nonce, self.nonce);
        if let Some(error) = self.error {
            put_bytes(&mut message, at.error, error);
        }
        message
    }
}

fn set(message: &[u8], number: u32, value: &str) -> Result<Vec<u8>, Malformed> {
    if value.is_empty() {
        super::without(message, &[number])
    } else {
        super::replaced(message, number, value.as_bytes())
    }
}

//! `envoy.service.discovery.v3.Resource`: what incremental responses hold, and what state-of-the-world ones may hold.

use std::borrow::Cow;

use super::field::{Malformed, merged, text};

/// A resource with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource<'a> {
    /// The name under which it is subscribed.
    pub name: &'a str,
    /// The version of this resource alone.
    pub version: &'a str,
    /// The `Any`. Nothing in a heartbeat, which only prolongs the time that the resource has to live.
    pub resource: Option<Cow<'a, [u8]>>,
}

impl<'a> Resource<'a> {
    /// The type's name.
    pub const TYPE_NAME: &'static str = "envoy.service.discovery.v3.Resource";
    /// The number of `resource`, for a [`Layer`](super::Layer).
    pub const RESOURCE: u32 = 2;

    /// Reads it.
    ///
    /// # Errors
    ///
    /// `message` is no `Resource`.
    pub fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        Ok(Self {
            name: text(message, 3, "Resource.name")?,
            version: text(message, 1, "Resource.version")?,
            resource: merged(message, Self::RESOURCE, "Resource.resource")?,
        })
    }
}

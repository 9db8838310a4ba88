//! What a resource comes in: nothing in the state-of-the-world variant, a `Resource` in the incremental one. The former
//! may wrap it too, where a time to live is to be told.

use std::borrow::Cow;

use bytes::Bytes;

use super::desk::Protocol;
use crate::wire::{Any, Layer, Malformed, Resource};

/// A resource that is taken out of its envelope.
pub(super) struct Opened<'a> {
    raw: &'a [u8],
    shape: Shape,
    /// The name on the envelope; empty if there is none.
    pub(super) name: &'a str,
    /// The resource, an `Any`. Nothing in a heartbeat.
    pub(super) any: Option<Cow<'a, [u8]>>,
}

#[derive(Clone, Copy)]
enum Shape {
    Bare,
    Resource,
    Wrapped,
}

/// An envelope without what is in it.
#[derive(Clone, Debug)]
pub(super) struct Envelope(Vec<Layer>);

impl<'a> Opened<'a> {
    pub(super) fn read(protocol: Protocol, raw: &'a [u8]) -> Result<Self, Malformed> {
        let (shape, resource) = match protocol {
            Protocol::Delta => (Shape::Resource, Resource::read(raw)?),
            Protocol::Sotw => {
                let any = Any::read(raw)?;
                if any.type_name() != Resource::TYPE_NAME {
                    return Ok(Self { raw, shape: Shape::Bare, name: "", any: Some(Cow::Borrowed(raw)) });
                }
                (Shape::Wrapped, Resource::read(any.value)?)
            }
        };
        Ok(Self { raw, shape, name: resource.name, any: resource.resource })
    }

    /// What is around the resource.
    pub(super) fn envelope(&self) -> Result<Envelope, Malformed> {
        Ok(Envelope(match self.shape {
            Shape::Bare => Vec::new(),
            Shape::Resource => vec![Layer::around(self.raw, Resource::RESOURCE)?],
            Shape::Wrapped => vec![
                Layer::around(Any::read(self.raw)?.value, Resource::RESOURCE)?,
                Layer::around(self.raw, Any::VALUE)?,
            ],
        }))
    }
}

impl Envelope {
    /// The envelope with that resource in it.
    pub(super) fn close(&self, any: Bytes) -> Bytes {
        self.0.iter().fold(any, |message, layer| layer.wrap(&message).into())
    }
}

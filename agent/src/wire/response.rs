//! `DiscoveryResponse` and `DeltaDiscoveryResponse`.

use super::field::{Malformed, fields};
use super::write::{put_bytes, put_text};
use crate::ecds::Protocol;

/// What a response of either variant says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response<'a> {
    /// The type of the resources.
    pub type_url: &'a str,
    /// What the answer to this has to name.
    pub nonce: &'a str,
    /// The version of all of it (`system_version_info` in the incremental variant, where it is for people only).
    pub version: &'a str,
    /// Each an `Any`, or a `Resource` in the incremental variant.
    pub resources: Vec<&'a [u8]>,
    /// Incremental: names of resources that are gone.
    pub removed: Vec<&'a str>,
}

const VERSION: u32 = 1;
const RESOURCES: u32 = 2;
const TYPE_URL: u32 = 4;
const NONCE: u32 = 5;
const REMOVED: u32 = 6;

impl<'a> Response<'a> {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// The message is none.
    pub fn read(protocol: Protocol, message: &'a [u8]) -> Result<Self, Malformed> {
        let mut response = Self::default();
        for field in fields(message) {
            response.add(protocol, field?)?;
        }
        Ok(response)
    }

    /// What can be read of a message that is malformed: all before the first thing that is not as it should be.
    #[must_use]
    pub fn read_partly(protocol: Protocol, message: &'a [u8]) -> Self {
        let mut response = Self::default();
        for field in fields(message).map_while(Result::ok) {
            // A field of the wrong type says nothing; those after it may.
            let _ = response.add(protocol, field);
        }
        response
    }

    fn add(&mut self, protocol: Protocol, field: super::Field<'a>) -> Result<(), Malformed> {
        match field.number {
            VERSION => self.version = field.text("version_info")?,
            RESOURCES => self.resources.push(field.bytes("resources")?),
            TYPE_URL => self.type_url = field.text("type_url")?,
            NONCE => self.nonce = field.text("nonce")?,
            REMOVED if protocol == Protocol::Delta => self.removed.push(field.text("removed_resources")?),
            _ => {}
        }
        Ok(())
    }

    /// The response with these resources instead of its own: the first of its own is replaced by the first, and so on.
    /// Nothing in the place of one leaves it out. All else is as it was.
    ///
    /// # Errors
    ///
    /// The message is none.
    pub fn with_resources<'b>(
        message: &[u8],
        mut replacement: impl FnMut(usize) -> Option<&'b [u8]>,
    ) -> Result<Vec<u8>, Malformed> {
        let mut changed = Vec::with_capacity(message.len());
        let mut index = 0;
        for field in fields(message) {
            let field = field?;
            if field.number == RESOURCES {
                if let Some(resource) = replacement(index) {
                    put_bytes(&mut changed, RESOURCES, resource);
                }
                index += 1;
            } else {
                changed.extend_from_slice(field.raw);
            }
        }
        Ok(changed)
    }

    /// A response of the agent's own: what is set here, and nothing else.
    #[must_use]
    pub fn encode(&self, protocol: Protocol) -> Vec<u8> {
        let mut message =
            Vec::with_capacity(self.resources.iter().map(|one| one.len() + 8).sum::<usize>() + 200);
        put_text(&mut message, VERSION, self.version);
        for resource in &self.resources {
            put_bytes(&mut message, RESOURCES, resource);
        }
        put_text(&mut message, TYPE_URL, self.type_url);
        put_text(&mut message, NONCE, self.nonce);
        if protocol == Protocol::Delta {
            for name in &self.removed {
                put_bytes(&mut message, REMOVED, name.as_bytes());
            }
        }
        message
    }
}

//! `google.protobuf.Any`.

use super::field::{Malformed, fields};
use super::write::{put_bytes, put_text};

/// A message and its type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Any<'a> {
    /// The type, after a host name and a slash.
    pub type_url: &'a str,
    /// The message.
    pub value: &'a [u8],
}

impl<'a> Any<'a> {
    /// The number of `value`, for a [`Layer`](super::Layer).
    pub const VALUE: u32 = 2;

    /// Reads it.
    ///
    /// # Errors
    ///
    /// `message` is no `Any`.
    pub fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut any = Self::default();
        for field in fields(message) {
            let field = field?;
            match field.number {
                1 => any.type_url = field.text("Any.type_url")?,
                Self::VALUE => any.value = field.bytes("Any.value")?,
                _ => {}
            }
        }
        Ok(any)
    }

    /// The type's name: what follows the last slash, which is all that Envoy looks at.
    #[must_use]
    pub fn type_name(&self) -> &'a str {
        self.type_url.rsplit('/').next().unwrap_or_default()
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut message = Vec::with_capacity(self.type_url.len() + self.value.len() + 12);
        put_text(&mut message, 1, self.type_url);
        if !self.value.is_empty() {
            put_bytes(&mut message, Self::VALUE, self.value);
        }
        message
    }
}

//! `google.rpc.Status`, in which refusals are given reasons.

use super::field::{Malformed, fields};
use super::write::{put_text, put_varint};

/// `INTERNAL`, the code of every refusal that the agent sends.
pub const INTERNAL: i32 = 13;

/// Why something is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RpcStatus<'a> {
    /// A gRPC status code.
    pub code: i32,
    /// For people.
    pub message: &'a str,
}

impl<'a> RpcStatus<'a> {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// `message` is no `Status`.
    pub fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut status = Self::default();
        for field in fields(message) {
            let field = field?;
            match field.number {
                1 => status.code = field.varint("Status.code")? as i32,
                2 => status.message = field.text("Status.message")?,
                _ => {}
            }
        }
        Ok(status)
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut message = Vec::with_capacity(self.message.len() + 16);
        if self.code != 0 {
            // Negative numbers are extended to 64 bits.
            put_varint(&mut message, 1, i64::from(self.code) as u64);
        }
        put_text(&mut message, 2, self.message);
        message
    }
}

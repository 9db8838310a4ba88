//! What is around one field of a message.

use super::field::{Malformed, fields};
use super::write::put_bytes;

/// A message with a gap where one field is, so that another value can be put there, more than once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    before: Vec<u8>,
    number: u32,
    after: Vec<u8>,
}

impl Layer {
    /// The message without that field. The gap is where the field is first found, or at the end.
    ///
    /// # Errors
    ///
    /// `message` is none.
    pub fn around(message: &[u8], number: u32) -> Result<Self, Malformed> {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        let mut found = false;
        for field in fields(message) {
            let field = field?;
            if field.number == number {
                found = true;
            } else if found {
                after.extend_from_slice(field.raw);
            } else {
                before.extend_from_slice(field.raw);
            }
        }
        Ok(Self { before, number, after })
    }

    /// The message with that value in the gap.
    #[must_use]
    pub fn wrap(&self, value: &[u8]) -> Vec<u8> {
        // Tag and length take 20 bytes at most.
        let mut message = Vec::with_capacity(self.before.len() + self.after.len() + value.len() + 20);
        message.extend_from_slice(&self.before);
        put_bytes(&mut message, self.number, value);
        message.extend_from_slice(&self.after);
        message
    }
}

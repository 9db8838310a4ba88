//! The rest of a match that is longer than what is held back: where it ends.

use super::value::{Step, Value};

/// A match whose beginning is decided, and whose end has not come.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rest {
    /// A JSON Web Token.
    Jwt,
    /// Credentials after `Bearer`.
    Token68,
    /// A private key: how much of its last line has come.
    Pem {
        /// How many bytes of `-----END ` were the last ones.
        matched: u8,
        /// How many dashes after it; `None` before it is complete.
        dashes: Option<u8>,
    },
    /// The value of an assignment, after that many backslashes.
    Value(Value, u32),
}

/// What became of a rest in the bytes that have come.
pub(crate) enum Passed {
    /// It ends after that many bytes; as many backslashes before that belong to what follows.
    Ends(usize, u32),
    /// All of the bytes belong to it.
    All,
}

const END: &[u8] = b"-----END ";

impl Rest {
    pub(super) fn pem() -> Self {
        Self::Pem { matched: 0, dashes: None }
    }

    /// Takes in one byte of a private key; whether it is the last.
    pub(super) fn ends_with(&mut self, byte: u8) -> bool {
        let Self::Pem { matched, dashes } = self else { return true };
        match dashes {
            Some(count) => {
                *count = if byte == b'-' { *count + 1 } else { 0 };
                *count == 5
            }
            None => {
                if END.get(usize::from(*matched)) == Some(&byte) {
                    *matched += 1;
                } else if byte == b'-' {
                    // After five dashes one more leaves five.
                    *matched = if *matched == 5 { 5 } else { 1 };
                } else {
                    *matched = 0;
                }
                if usize::from(*matched) == END.len() {
                    *dashes = Some(0);
                }
                false
            }
        }
    }

    /// Goes through what comes next of the text.
    pub(crate) fn pass(&mut self, bytes: &[u8]) -> Passed {
        match self {
            Self::Jwt => run(bytes, |byte| is_jwt(byte) || byte == b'.'),
            Self::Token68 => run(bytes, is_token68),
            Self::Pem { .. } => match bytes.iter().position(|byte| self.ends_with(*byte)) {
                Some(place) => Passed::Ends(place + 1, 0),
                None => Passed::All,
            },
            Self::Value(value, run) => {
                for (place, byte) in bytes.iter().enumerate() {
                    if *byte == b'\\' {
                        *run = run.saturating_add(1);
                        continue;
                    }
                    match value.step(*byte, *run) {
                        Step::Within(next) => *value = next,
                        Step::EndsBefore(stay) => return Passed::Ends(place, stay),
                        Step::EndsWith => return Passed::Ends(place + 1, 0),
                    }
                    *run = 0;
                }
                Passed::All
            }
        }
    }
}

fn run(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> Passed {
    bytes.iter().position(|byte| !belongs(*byte)).map_or(Passed::All, |place| Passed::Ends(place, 0))
}

/// The alphabet of base64url (RFC 4648, section 5).
pub(super) fn is_jwt(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// What `token68` is made of (RFC 9110, section 11.2).
pub(super) fn is_token68(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}

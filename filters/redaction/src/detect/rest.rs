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
    /// It ends after that many bytes.
    Ends(usize),
    /// That many belong to it. Of those after them it cannot be told yet.
    Goes(usize),
}

/// The most backslashes that are left to what ends a value; more belong to it.
pub(super) const MOST_BACKSLASHES: u32 = 256;

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
    pub(crate) fn pass(&mut self, bytes: &[u8], end: bool) -> Passed {
        match self {
            Self::Jwt => run(bytes, |byte| is_jwt(byte) || byte == b'.'),
            Self::Token68 => run(bytes, is_token68),
            Self::Pem { .. } => match bytes.iter().position(|byte| self.ends_with(*byte)) {
                Some(place) => Passed::Ends(place + 1),
                None => Passed::Goes(bytes.len()),
            },
            Self::Value(value, run) => {
                for (place, byte) in bytes.iter().enumerate() {
                    if *byte == b'\\' {
                        *run = run.saturating_add(1);
                        continue;
                    }
                    match value.step(*byte, *run) {
                        Step::Within(next) => *value = next,
                        Step::EndsBefore(stay) => return Passed::Ends(place - count(stay)),
                        Step::EndsWith => return Passed::Ends(place + 1),
                    }
                    *run = 0;
                }
                if end {
                    return Passed::Goes(bytes.len());
                }
                // What backslashes belong to, the byte after them tells.
                let waiting = (*run).min(MOST_BACKSLASHES);
                *run -= waiting;
                Passed::Goes(bytes.len() - count(waiting))
            }
        }
    }
}

fn run(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> Passed {
    bytes.iter().position(|byte| !belongs(*byte)).map_or(Passed::Goes(bytes.len()), Passed::Ends)
}

/// A number of backslashes.
pub(super) fn count(run: u32) -> usize {
    usize::try_from(run.min(MOST_BACKSLASHES)).unwrap_or(0)
}

/// The alphabet of base64url (RFC 4648, section 5).
pub(super) fn is_jwt(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// What `token68` is made of (RFC 9110, section 11.2).
pub(super) fn is_token68(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}

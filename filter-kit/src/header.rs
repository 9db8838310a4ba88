//! What bytes a header's name and value may have.
//!
//! Envoy's Wasm host lower-cases a name and copies a value without looking at either (Envoy 1.36 to 1.40,
//! `context.cc`), so a filter that sets headers is the one to check them.

use crate::config::{Node, Text};

/// The longest header name that a filter sets, in bytes.
pub const MAX_NAME: usize = 256;

/// The longest header value that a filter sets, in bytes. Envoy's default limit for all headers of a
/// message together is 60 KiB.
pub const MAX_VALUE: usize = 8192;

/// Whether `name` is a token (RFC 9110, section 5.6.2) in lower case and of a length to be sent.
pub fn is_name(name: &[u8]) -> bool {
    (1..=MAX_NAME).contains(&name.len()) && name.iter().all(|&byte| is_lower_token(byte))
}

/// Whether `value` can stand in a header line (RFC 9110, section 5.5): no control bytes but a tab, and no
/// white space at its ends, which a peer would cut off. Bytes above 0x7f are allowed; they need not be UTF-8.
pub fn is_value(value: &[u8]) -> bool {
    value.len() <= MAX_VALUE && is_line(value)
}

/// The same of a value of any length.
pub fn is_line(value: &[u8]) -> bool {
    value.iter().all(|&byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f))
        && value.trim_ascii().len() == value.len()
}

/// Headers that say where a message ends and how the hop is kept (RFC 9110, sections 7.6.1 and 8.6; RFC 9112,
/// section 6). Envoy owns them: a changed one breaks the message or smuggles another.
pub const FRAMING: [&str; 8] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The same and `host`, which Envoy has as `:authority`, a pseudo-header.
pub const NOT_SETTABLE: [&str; 9] = {
    let [a, b, c, d, e, f, g, h] = FRAMING;
    [a, b, "host", c, d, e, f, g, h]
};

/// What a schema says of a header's name: a token, in any case.
pub const NAME: Text = Text::pattern("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}$");

/// What a schema says of the name of a header that is to be set.
pub const SETTABLE_NAME: Text = NAME.but_not(&NOT_SETTABLE);

/// What a schema says of the value of a header that is to be set.
pub const SETTABLE_VALUE: Text =
    Text::pattern(r"^([^\x00-\x20\x7f]([^\x00-\x08\x0a-\x1f\x7f]*[^\x00-\x20\x7f])?)?$").bytes(0, 8192);

/// Reads the name of a header that is only looked at, in lower case; pseudo-headers have none here.
pub fn name(node: Node<'_>) -> Option<String> {
    node.parsed(NAME, |typed| {
        let name = typed.to_ascii_lowercase();
        if is_name(name.as_bytes()) { Ok(name) } else { Err(EXPECTED_NAME) }
    })
}

const EXPECTED_NAME: &str = "a header name: letters, digits and hyphens, up to 256 of them";

/// Reads the name of a header that a filter is to set, as an operator typed it, and answers it in lower case.
///
/// # Errors
///
/// What a right name would be, to follow "expected".
pub fn settable_name(typed: &str) -> Result<String, &'static str> {
    let name = typed.to_ascii_lowercase();
    if name.starts_with(':') {
        return Err("a header that is no pseudo-header: those route the message");
    }
    if !is_name(name.as_bytes()) {
        return Err(EXPECTED_NAME);
    }
    if NOT_SETTABLE.contains(&name.as_str()) {
        return Err("a header that Envoy does not own: this one frames or routes the message");
    }
    Ok(name)
}

/// Reads the value of a header that a filter is to set, as an operator typed it.
///
/// # Errors
///
/// What a right value would be, to follow "expected".
pub fn settable_value(typed: &str) -> Result<&[u8], &'static str> {
    if is_value(typed.as_bytes()) {
        Ok(typed.as_bytes())
    } else {
        Err("a header value: no control bytes, no space at its ends, at most 8192 bytes")
    }
}

fn is_lower_token(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_lower_case_token() {
        for right in ["x", "x-training", "x_y.z~1"] {
            assert!(is_name(right.as_bytes()), "{right}");
        }
        for wrong in ["", "X", "x y", "x:", ":path", "x\r\n", "é", &"x".repeat(257)] {
            assert!(!is_name(wrong.as_bytes()), "{wrong:?}");
        }
    }

    #[test]
    fn what_routes_or_frames_a_message_is_not_settable() {
        assert_eq!(settable_name("X-Training").as_deref(), Ok("x-training"));
        for wrong in [":path", ":status", "Host", "content-length", "Transfer-Encoding", "x y", ""] {
            assert!(settable_name(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_value_never_ends_a_line() {
        for right in [&b""[..], b"envoy-wasm", b"a\tb", b"caf\xe9"] {
            assert!(is_value(right), "{right:?}");
        }
        for wrong in [&b"a\r\nb"[..], b"a\0", b" a", b"a\t", b"\x7f", &[b'a'; MAX_VALUE + 1]] {
            assert!(!is_value(wrong), "{wrong:?}");
        }
    }
}

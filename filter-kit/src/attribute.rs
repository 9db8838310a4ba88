//! Envoy's attributes: bytes whose type only their name tells.
//!
//! <https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/advanced/attributes>

use crate::reads::Reads;

/// A whole number; `None` if the value is none.
pub fn integer(value: &[u8]) -> Option<i64> {
    value.try_into().ok().map(i64::from_le_bytes)
}

/// True or false; `None` if the value is neither.
pub fn boolean(value: &[u8]) -> Option<bool> {
    match value {
        [0] => Some(false),
        [1] => Some(true),
        _ => None,
    }
}

/// What `read` makes of the first of these attributes that there is: an attribute may have an older name. `None` also
/// if `read` answers that.
pub fn any<T>(reads: &dyn Reads, paths: &[&str], mut read: impl FnMut(&[u8]) -> Option<T>) -> Option<T> {
    paths.iter().find_map(|path| {
        let mut answer = None;
        reads.attribute(path, &mut |value| answer = read(value));
        answer
    })
}

/// How the bytes of an attribute are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// As they are: text, or bytes.
    Text,
    /// By [`integer`].
    Integer,
    /// By [`boolean`].
    Boolean,
}

impl Kind {
    /// Hands `read` the value as an operator types it: a whole number in decimal digits, `true` or `false`, and text as it
    /// is. Answers whether it is of this kind; else it is not read.
    pub fn typed(self, value: &[u8], read: impl FnOnce(&[u8])) -> bool {
        match self {
            Self::Text => read(value),
            Self::Integer => match integer(value) {
                Some(number) => read(number.to_string().as_bytes()),
                None => return false,
            },
            Self::Boolean => match boolean(value) {
                Some(value) => read(if value { b"true" } else { b"false" }),
                None => return false,
            },
        }
        true
    }

    /// What a value of this kind is, if `typed` cannot be one; to follow "expected".
    pub fn refuses(self, typed: &[u8]) -> Option<&'static str> {
        match self {
            Self::Text => None,
            Self::Integer => {
                // As it would be written: neither `+80` nor `080` is equal to what is compared.
                let text = std::str::from_utf8(typed).ok();
                let number = text.and_then(|text| Some((text, text.parse::<i64>().ok()?)));
                let right = number.is_some_and(|(text, number)| number.to_string() == text);
                (!right).then_some("a whole number such as \"8443\", for the attribute is one")
            }
            Self::Boolean => {
                let right = typed == b"true" || typed == b"false";
                (!right).then_some("\"true\" or \"false\", for the attribute is one of them")
            }
        }
    }
}

/// The attributes that are whole numbers: sizes in bytes, durations in nanoseconds (Envoy 1.36 to 1.40).
const INTEGERS: [&str; 15] = [
    "connection\0id",
    "connection_id",
    "destination\0port",
    "listener_direction",
    "request\0duration",
    "request\0size",
    "request\0total_size",
    "response\0backend_latency",
    "response\0code",
    "response\0flags",
    "response\0grpc_status",
    "response\0size",
    "response\0total_size",
    "source\0port",
    "upstream\0port",
];

/// How the attribute at `path`, its parts joined by zero bytes, is to be read.
pub fn kind(path: &str) -> Kind {
    if INTEGERS.contains(&path)
        || path == "xds\0listener_direction"
        || path == "upstream\0request_attempt_count"
    {
        Kind::Integer
    } else if path == "connection\0mtls" {
        Kind::Boolean
    } else {
        Kind::Text
    }
}

/// Reads `a.b` as an operator types an attribute's path, with zero bytes between its parts then, as the ABI has it.
///
/// # Errors
///
/// What a right path would be, to follow "expected".
pub fn path(typed: &str) -> Result<Box<str>, &'static str> {
    let mut path = String::with_capacity(typed.len());
    let mut characters = typed.chars();
    while let Some(character) = characters.next() {
        match character {
            '.' => path.push('\0'),
            '\\' => match characters.next() {
                Some(escaped @ ('.' | '\\')) => path.push(escaped),
                _ => {
                    return Err(
                        "`\\.` for a dot within a part of an attribute's path, and `\\\\` for a backslash",
                    );
                }
            },
            '\0' => return Err("an attribute's path without zero bytes"),
            other => path.push(other),
        }
    }
    if path.split('\0').any(str::is_empty) {
        return Err("an attribute's path, such as `xds.route_name`");
    }
    Ok(path.into())
}

/// Which way traffic goes at the listener that a request came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the workload that Envoy stands beside.
    Inbound,
    /// From the workload.
    Outbound,
}

impl Direction {
    /// The words for it in a configuration.
    pub const WORDS: [(&str, Self); 2] = [("inbound", Self::Inbound), ("outbound", Self::Outbound)];

    /// Where it is asked for: until Envoy 1.32 under the second name.
    pub const ATTRIBUTES: [&str; 2] = ["xds\0listener_direction", "listener_direction"];

    /// Reads the attribute, which has the values of Envoy's `TrafficDirection`. `None` if the listener does not say.
    pub fn from_attribute(value: i64) -> Option<Self> {
        match value {
            1 => Some(Self::Inbound),
            2 => Some(Self::Outbound),
            _ => None,
        }
    }

    /// Asks which way the stream at hand goes; `None` if the listener does not say.
    pub fn ask(reads: &dyn Reads) -> Option<Self> {
        any(reads, &Self::ATTRIBUTES, integer).and_then(Self::from_attribute)
    }

    /// The word that stands in names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// Where the name of the route is asked for: until Envoy 1.32 under the second name.
pub const ROUTE_NAME: [&str; 2] = ["xds\0route_name", "route_name"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_are_envoys() {
        assert_eq!(Direction::from_attribute(1), Some(Direction::Inbound));
        assert_eq!(Direction::from_attribute(2), Some(Direction::Outbound));
        for other in [0, 3, -1, i64::MAX] {
            assert_eq!(Direction::from_attribute(other), None, "{other}");
        }
    }

    #[test]
    fn a_value_is_read_as_it_would_be_typed() {
        let typed = |path: &str, value: &[u8]| {
            let mut text = None;
            let read =
                kind(path).typed(value, |value| text = Some(String::from_utf8(value.to_vec()).unwrap()));
            assert_eq!(read, text.is_some(), "{path}");
            text
        };
        assert_eq!(typed("destination\0port", &8443_i64.to_le_bytes()).as_deref(), Some("8443"));
        assert_eq!(typed("response\0grpc_status", &(-1_i64).to_le_bytes()).as_deref(), Some("-1"));
        assert_eq!(typed("connection\0mtls", &[1]).as_deref(), Some("true"));
        assert_eq!(typed("connection\0mtls", &[0]).as_deref(), Some("false"));
        assert_eq!(typed("xds\0route_name", b"a").as_deref(), Some("a"));
        assert_eq!(typed("destination\0port", b"8443"), None);
        assert_eq!(typed("connection\0mtls", b"true"), None);
    }

    #[test]
    fn a_text_that_no_value_is_typed_as_is_refused() {
        for right in ["0", "8443", "-1"] {
            assert_eq!(Kind::Integer.refuses(right.as_bytes()), None, "{right}");
        }
        for wrong in ["", "http", "080", "+80", "80 ", "9223372036854775808"] {
            assert!(Kind::Integer.refuses(wrong.as_bytes()).is_some(), "{wrong}");
        }
        let of_boolean = ["true", "false", "1", "True"].map(|text| Kind::Boolean.refuses(text.as_bytes()));
        assert_eq!(of_boolean.map(|refused| refused.is_none()), [true, true, false, false]);
        assert_eq!(Kind::Text.refuses(b"\xff"), None);
    }

    #[test]
    fn a_value_of_another_size_is_none() {
        assert_eq!(integer(&7_i64.to_le_bytes()), Some(7));
        assert_eq!((integer(b""), integer(b"1234567"), integer(b"123456789")), (None, None, None));
        assert_eq!(
            [boolean(&[1]), boolean(&[0]), boolean(&[2]), boolean(b"")],
            [Some(true), Some(false), None, None]
        );
    }
}

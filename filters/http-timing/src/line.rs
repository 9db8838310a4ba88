//! The log line: one JSON object that is valid whatever bytes a client sent.

use std::fmt::Write;

use crate::Direction;

/// What is logged of a stream that is over.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Which way it went.
    pub direction: Direction,
    /// Value of `:method`.
    pub method: &'a [u8],
    /// Value of `:path`; its query is not logged.
    pub path: &'a [u8],
    /// Value of `:authority`.
    pub authority: &'a [u8],
    /// Status code; 0 if there was no response.
    pub code: u64,
    /// Duration in milliseconds, if Envoy knew it.
    pub duration_ms: Option<u64>,
}

/// The longest method and authority that are logged, in bytes.
const MAX_OTHER: usize = 255;

impl Line<'_> {
    /// The line as JSON, with at most `max_path` bytes of the path.
    pub fn to_json(&self, max_path: usize) -> String {
        // The query is left out: it is where tokens and personal data stand.
        let path = self.path.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default();
        let mut json = String::with_capacity(160 + path.len().min(max_path));
        json.push_str("{\"direction\":\"");
        json.push_str(self.direction.as_str());
        for (name, value, limit) in [
            ("method", self.method, MAX_OTHER),
            ("path", path, max_path),
            ("authority", self.authority, MAX_OTHER),
        ] {
            json.push_str("\",\"");
            json.push_str(name);
            json.push_str("\":\"");
            push_escaped(&mut json, value.get(..limit).unwrap_or(value));
        }
        let _ = write!(json, "\",\"code\":{}", self.code); // writing to a String cannot fail
        if let Some(duration) = self.duration_ms {
            let _ = write!(json, ",\"duration_ms\":{duration}");
        }
        json.push('}');
        json
    }
}

/// Pushes `bytes` as the inside of a JSON string; what is not UTF-8 becomes U+FFFD.
fn push_escaped(json: &mut String, bytes: &[u8]) {
    for character in String::from_utf8_lossy(bytes).chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            // Controls, and the two that some readers take for line ends.
            control if control.is_control() || matches!(control, '\u{2028}' | '\u{2029}') => {
                let _ = write!(json, "\\u{:04x}", u32::from(control));
            }
            other => json.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line<'a>(path: &'a [u8]) -> Line<'a> {
        Line {
            direction: Direction::Inbound,
            method: b"GET",
            path,
            authority: b"localhost",
            code: 200,
            duration_ms: Some(12),
        }
    }

    #[test]
    fn the_query_is_left_out_and_a_long_path_is_cut() {
        assert_eq!(
            line(b"/a/bcdef?token=1").to_json(4),
            r#"{"direction":"inbound","method":"GET","path":"/a/b","authority":"localhost","code":200,"duration_ms":12}"#
        );
    }

    #[test]
    fn a_duration_that_is_not_known_is_left_out() {
        let json = Line { duration_ms: None, code: 0, ..line(b"/") }.to_json(128);
        assert!(json.ends_with(r#""code":0}"#), "{json}");
    }

    #[test]
    fn any_bytes_make_one_valid_line() {
        let every: Vec<u8> = (0..=255).filter(|byte| !b"?#".contains(byte)).collect();
        let line = Line { method: &every, authority: &every, ..line(&every) };
        for limit in [1, 100, 1000] {
            let json = line.to_json(limit);
            let value: serde_json::Value = serde_json::from_str(&json).unwrap();
            assert_eq!(value["code"], 200, "{json}");
            assert!(json.chars().all(|character| !character.is_control()), "{json}");
        }
    }
}

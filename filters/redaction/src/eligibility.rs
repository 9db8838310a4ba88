//! Which bodies are looked into.

use filter_kit::when::Media;

/// What headers say about the body that follows them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Head<'a> {
    /// Value of `:status`; empty for a request.
    pub status: &'a [u8],
    /// Value of `content-type`, if any.
    pub content_type: Option<&'a [u8]>,
    /// Values of `content-encoding`, joined by commas, if any.
    pub content_encoding: Option<&'a [u8]>,
    /// The request was CONNECT: what follows is another protocol.
    pub tunnel: bool,
    /// No body follows: a response to HEAD, a 204, a 304, or an empty one.
    pub end_of_stream: bool,
}

/// A body that is looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// JSON: strings and numbers are looked into, each by itself.
    Json,
    /// Any other text.
    Text,
    /// Server-sent events: each is a text by itself.
    Events,
}

/// Why a body is left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// There is none, or what follows is another protocol: after a 101, or in answer to CONNECT.
    NoBody,
    /// Its media type is not one that is looked into.
    Type,
}

/// How the bytes of a body are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// As they are.
    Plain,
    /// gzip (RFC 1952).
    Gzip,
    /// zlib (RFC 1950), or what goes by its name without being it: deflate (RFC 1951).
    Deflate,
    /// In a way that is not known here, or in several.
    Other,
}

/// Which media types are looked into.
#[derive(Clone, Debug)]
pub struct Eligible {
    /// In place of those that are looked into by default.
    pub types: Option<Vec<Media>>,
    /// Whether a body without a type is looked into.
    pub unknown: bool,
    /// Whether JSON is followed.
    pub json: bool,
}

impl Eligible {
    /// Decides whether a body is looked into, and as what.
    ///
    /// # Errors
    ///
    /// Why it is not.
    pub fn decide(&self, head: Head<'_>) -> Result<(Body, Coding), Skip> {
        if head.end_of_stream || head.tunnel || head.status.first() == Some(&b'1') {
            return Err(Skip::NoBody);
        }
        // Parts of a body in parts of another: what each is, nobody has said.
        let ranges = |value: &[u8]| essence(value) == b"multipart/byteranges";
        if head.status == b"206" && head.content_type.is_some_and(ranges) {
            return Ok((Body::Text, coding(head.content_encoding.unwrap_or_default())));
        }
        let body = match head.content_type {
            None if self.unknown => Body::Text,
            None => return Err(Skip::Type),
            Some(value) => self.text_type(value).ok_or(Skip::Type)?,
        };
        Ok((body, coding(head.content_encoding.unwrap_or_default())))
    }

    fn text_type(&self, content_type: &[u8]) -> Option<Body> {
        let essence = essence(content_type);
        let (kind, subtype) = essence.split_at(essence.iter().position(|byte| *byte == b'/')?);
        // Frames of a length that is said beforehand: whatever is configured, they stay.
        if subtype.starts_with(b"/grpc") || kind == b"multipart" {
            return None;
        }
        if let Some(types) = &self.types
            && !types.iter().any(|media| media.covers(content_type))
        {
            return None;
        }
        let json = matches!(subtype, b"/json" | b"/x-ndjson" | b"/jsonl" | b"/json-seq")
            || subtype.ends_with(b"+json");
        if json {
            return Some(if self.json { Body::Json } else { Body::Text });
        }
        if subtype == b"/event-stream" {
            return Some(Body::Events);
        }
        let text = kind == b"text"
            || subtype.ends_with(b"+xml")
            || matches!(
                subtype,
                b"/xml"
                    | b"/x-www-form-urlencoded"
                    | b"/javascript"
                    | b"/yaml"
                    | b"/x-yaml"
                    | b"/toml"
                    | b"/graphql"
            );
        (text || self.types.is_some()).then_some(Body::Text)
    }
}

/// A media type without its parameters, in lower case.
fn essence(content_type: &[u8]) -> Vec<u8> {
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().to_ascii_lowercase()
}

fn coding(value: &[u8]) -> Coding {
    let mut codings = value
        .split(|byte| *byte == b',')
        .map(|name| name.trim_ascii().to_ascii_lowercase())
        .filter(|name| !name.is_empty() && name != b"identity");
    match (codings.next().as_deref(), codings.next()) {
        (None, _) => Coding::Plain,
        (Some(b"gzip" | b"x-gzip"), None) => Coding::Gzip,
        (Some(b"deflate"), None) => Coding::Deflate,
        _ => Coding::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: Eligible = Eligible { types: None, unknown: true, json: true };

    fn of_type(content_type: &str) -> Result<Body, Skip> {
        let head = Head { status: b"200", content_type: Some(content_type.as_bytes()), ..Head::default() };
        DEFAULT.decide(head).map(|(body, _)| body)
    }

    #[test]
    fn text_and_json_are_looked_into_and_other_types_are_not() {
        for json in
            ["application/json", "Application/JSON; charset=utf-8", "application/problem+json", "text/json"]
        {
            assert_eq!(of_type(json), Ok(Body::Json), "{json}");
        }
        for text in ["text/plain", "text/html;x", "image/svg+xml", "application/x-www-form-urlencoded"] {
            assert_eq!(of_type(text), Ok(Body::Text), "{text}");
        }
        assert_eq!(of_type("text/event-stream"), Ok(Body::Events));
        for other in [
            "image/png",
            "application/grpc",
            "application/grpc+json",
            "application/octet-stream",
            "multipart/form-data",
            "",
            "json",
        ] {
            assert_eq!(of_type(other), Err(Skip::Type), "{other}");
        }
        assert_eq!(DEFAULT.decide(Head::default()), Ok((Body::Text, Coding::Plain)));
        let strict = Eligible { unknown: false, ..DEFAULT };
        assert_eq!(strict.decide(Head::default()), Err(Skip::Type));
    }

    #[test]
    fn types_that_are_listed_take_the_place_of_the_others() {
        let listed = Eligible { types: Some(vec![Media::parse("application/x-own").unwrap()]), ..DEFAULT };
        let decide =
            |value: &[u8]| listed.decide(Head { content_type: Some(value), ..Head::default() }).is_ok();
        assert!(decide(b"application/x-own; v=1") && !decide(b"text/plain") && !decide(b"application/json"));
    }

    #[test]
    fn codings_are_known_under_every_name() {
        for (value, coding) in [
            ("", Coding::Plain),
            (" Identity ", Coding::Plain),
            ("gzip", Coding::Gzip),
            ("identity, X-GZIP", Coding::Gzip),
            ("deflate", Coding::Deflate),
            ("br", Coding::Other),
            ("gzip, gzip", Coding::Other),
            ("unheard-of", Coding::Other),
        ] {
            let head = Head { content_encoding: Some(value.as_bytes()), ..Head::default() };
            assert_eq!(DEFAULT.decide(head), Ok((Body::Text, coding)), "{value}");
        }
    }

    #[test]
    fn what_has_no_body_keeps_its_headers() {
        let ranges = Head {
            status: b"206",
            content_type: Some(b"multipart/byteranges; boundary=x"),
            ..Head::default()
        };
        assert!(DEFAULT.decide(ranges).is_ok(), "what a part is in is no reason to let it pass");
        for head in [
            Head { end_of_stream: true, ..Head::default() },
            Head { status: b"101", ..Head::default() },
            Head { tunnel: true, ..Head::default() },
        ] {
            assert_eq!(DEFAULT.decide(head), Err(Skip::NoBody));
        }
    }
}

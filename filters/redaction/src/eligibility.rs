//! Which responses have a body to look into.

/// What the response's header says about its body.
#[derive(Clone, Copy, Debug, Default)]
pub struct Head<'a> {
    /// Value of `:status`.
    pub status: &'a [u8],
    /// Value of `content-type`, if any.
    pub content_type: Option<&'a [u8]>,
    /// Value of `content-encoding`, if any.
    pub content_encoding: Option<&'a [u8]>,
    /// The request was CONNECT: what follows is another protocol.
    pub tunnel: bool,
    /// No body follows: a response to HEAD, a 204, a 304, or an empty one.
    pub end_of_stream: bool,
}

/// A body that is looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// JSON: a bare quote is always syntax.
    Json,
    /// Any other text.
    Text,
}

/// Why a response is left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// There is no body, or what follows is another protocol: after a 101, or in answer to CONNECT.
    NoBody,
    /// Its media type holds no text.
    Type,
    /// It is compressed: its bytes are no text.
    Encoding,
}

/// Decides whether a response's body is looked into.
///
/// # Errors
///
/// Why it is not.
pub fn eligible(head: Head<'_>) -> Result<Body, Skip> {
    if head.end_of_stream || head.tunnel || head.status.first() == Some(&b'1') {
        return Err(Skip::NoBody);
    }
    // Without a type it may be anything, secrets included.
    let body = head.content_type.map_or(Some(Body::Text), text_type).ok_or(Skip::Type)?;
    match head.content_encoding.map(<[u8]>::trim_ascii) {
        None | Some(b"") => Ok(body),
        Some(encoding) if encoding.eq_ignore_ascii_case(b"identity") => Ok(body),
        Some(_) => Err(Skip::Encoding),
    }
}

fn text_type(content_type: &[u8]) -> Option<Body> {
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    let essence = essence.trim_ascii().to_ascii_lowercase();
    let (kind, subtype) = essence.split_at(essence.iter().position(|byte| *byte == b'/')?);
    match subtype {
        b"/json" | b"/x-ndjson" | b"/jsonl" => Some(Body::Json),
        _ if subtype.ends_with(b"+json") => Some(Body::Json),
        _ if kind == b"text" || subtype.ends_with(b"+xml") => Some(Body::Text),
        b"/xml"
        | b"/x-www-form-urlencoded"
        | b"/javascript"
        | b"/yaml"
        | b"/x-yaml"
        | b"/toml"
        | b"/graphql" => Some(Body::Text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_type(content_type: &str) -> Result<Body, Skip> {
        eligible(Head { status: b"200", content_type: Some(content_type.as_bytes()), ..Head::default() })
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
        for other in
            ["image/png", "application/grpc", "application/octet-stream", "multipart/form-data", "", "json"]
        {
            assert_eq!(of_type(other), Err(Skip::Type), "{other}");
        }
        assert_eq!(eligible(Head { status: b"200", ..Head::default() }), Ok(Body::Text));
    }

    #[test]
    fn a_compressed_body_is_left_alone_under_every_name() {
        let encoded = |encoding: &str| {
            eligible(Head { status: b"200", content_encoding: Some(encoding.as_bytes()), ..Head::default() })
        };
        for encoding in ["gzip", "GZIP", "br", "deflate, gzip", "identity, gzip", "unheard-of"] {
            assert_eq!(encoded(encoding), Err(Skip::Encoding), "{encoding}");
        }
        for none in ["", " ", "identity", "Identity"] {
            assert_eq!(encoded(none), Ok(Body::Text), "{none}");
        }
    }

    #[test]
    fn what_has_no_body_keeps_its_headers() {
        assert_eq!(
            eligible(Head { status: b"200", end_of_stream: true, ..Head::default() }),
            Err(Skip::NoBody)
        );
        assert_eq!(eligible(Head { status: b"101", ..Head::default() }), Err(Skip::NoBody));
        assert_eq!(eligible(Head { status: b"200", tunnel: true, ..Head::default() }), Err(Skip::NoBody));
    }
}

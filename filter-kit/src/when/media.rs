//! Media types, with and without wildcards.

use crate::config::{Node, Text};

/// A media type, or several: `text/html`, `text/*`, `application/*+json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    kind: Box<str>,
    subtype: Subtype,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Subtype {
    Any,
    Exact(Box<str>),
    /// With its plus sign.
    Suffix(Box<str>),
}

impl Media {
    /// Reads a media type as an operator typed it.
    ///
    /// # Errors
    ///
    /// What a right one would be, to follow "expected".
    pub fn parse(typed: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str =
            "a media type without parameters, such as \"text/html\", \"text/*\" or \"application/*+json\"";
        let typed = typed.to_ascii_lowercase();
        let is_token = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte))
        };
        let (kind, subtype) = typed.split_once('/').ok_or(EXPECTED)?;
        let subtype = match subtype.strip_prefix('*') {
            Some("") => Subtype::Any,
            Some(suffix) if suffix.len() > 1 && suffix.starts_with('+') && is_token(suffix) => {
                Subtype::Suffix(suffix.into())
            }
            None if is_token(subtype) => Subtype::Exact(subtype.into()),
            _ => return Err(EXPECTED),
        };
        if is_token(kind) { Ok(Self { kind: kind.into(), subtype }) } else { Err(EXPECTED) }
    }

    /// Reads one of a configuration.
    pub fn read(node: Node<'_>) -> Option<Self> {
        let like =
            Text::pattern(r"^[A-Za-z0-9!#$&^_.+-]+/(\*|\*\+[A-Za-z0-9!#$&^_.+-]+|[A-Za-z0-9!#$&^_.+-]+)$");
        node.parsed(like, Self::parse)
    }

    /// Whether it covers the value of a `content-type`: without case, and whatever the parameters.
    pub fn covers(&self, content_type: &[u8]) -> bool {
        let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let Some(slash) = essence.iter().position(|byte| *byte == b'/') else { return false };
        let (kind, rest) = essence.split_at_checked(slash).unwrap_or_default();
        let subtype = rest.get(1..).unwrap_or_default();
        kind.eq_ignore_ascii_case(self.kind.as_bytes())
            && match &self.subtype {
                Subtype::Any => !subtype.is_empty(),
                Subtype::Exact(other) => subtype.eq_ignore_ascii_case(other.as_bytes()),
                Subtype::Suffix(suffix) => {
                    let before = subtype.len().saturating_sub(suffix.len());
                    before > 0
                        && subtype
                            .get(before..)
                            .is_some_and(|end| end.eq_ignore_ascii_case(suffix.as_bytes()))
                }
            }
    }
}

/// Whether a content type is gRPC's (gRPC, `PROTOCOL-HTTP2.md`): without case changed and without parameters, as Envoy has
/// it when it gives a reply the form of gRPC (Envoy 1.36 to 1.40, `grpc/common.cc`). That of gRPC-Web is not.
pub fn is_grpc(content_type: &[u8]) -> bool {
    content_type
        .strip_prefix(b"application/grpc")
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'+')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_cover_subtypes_and_their_suffixes() {
        for (typed, yes, no) in [
            (
                "text/html",
                &["text/html", "Text/HTML; charset=utf-8", " text/html ;"][..],
                &["text/htm", "text/", ""][..],
            ),
            ("Text/*", &["text/plain", "text/x"], &["text/", "text", "application/text"]),
            (
                "application/*+json",
                &["application/problem+json", "application/a+JSON;x"],
                &["application/json", "application/+json"],
            ),
        ] {
            let media = Media::parse(typed).unwrap();
            assert!(yes.iter().all(|value| media.covers(value.as_bytes())), "{typed}");
            assert!(!no.iter().any(|value| media.covers(value.as_bytes())), "{typed}");
        }
    }

    #[test]
    fn what_is_no_media_type_is_refused() {
        for wrong in
            ["", "text", "text/", "/html", "*/*", "text/*x", "text/*+", "text/html; q=1", "a/b/c", "a /b"]
        {
            assert!(Media::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_content_type_is_that_of_grpc_or_not() {
        for yes in ["application/grpc", "application/grpc+proto", "application/grpc+"] {
            assert!(is_grpc(yes.as_bytes()), "{yes}");
        }
        for no in [
            "",
            "application/json",
            "application/grpc-web",
            "application/grpcx",
            "text/application/grpc",
            "application/grpc;charset=utf-8",
            "application/grpc ",
            "Application/gRPC",
        ] {
            assert!(!is_grpc(no.as_bytes()), "{no}");
        }
    }
}

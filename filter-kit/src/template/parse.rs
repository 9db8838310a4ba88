//! Reads templates.

use super::{MAX_TEMPLATE, Piece, Source, Template};
use crate::attribute;
use crate::header::is_name;

const SOURCES: &str = "a source that is known: `${header:x}`, `${headers:x}`, `${response_header:x}`, \
     `${response_headers:x}`, `${query:x}`, `${cookie:x}`, `${prop:a.b}`, `${method}`, `${path}`, `${path_no_query}`, \
     `${authority}`, `${host}`, `${status}`, `${uuid}`, `${now_ms}` or `${default:text}`; `$$` for a dollar sign";

impl Template {
    /// Reads a template as an operator typed it.
    ///
    /// # Errors
    ///
    /// What a right one would be, to follow "expected".
    pub fn parse(typed: &str) -> Result<Self, &'static str> {
        if typed.len() > MAX_TEMPLATE {
            return Err("a template of at most 8192 bytes");
        }
        let (mut pieces, mut literal, mut rest) = (Vec::new(), Vec::new(), typed);
        while let Some((before, after)) = rest.split_once('$') {
            literal.extend_from_slice(before.as_bytes());
            if let Some(after) = after.strip_prefix('$') {
                literal.push(b'$');
                rest = after;
                continue;
            }
            let (inside, after) = after
                .strip_prefix('{')
                .ok_or("`$$` for a dollar sign, or a source in braces: `${path}`")?
                .split_once('}')
                .ok_or("a closing brace behind `${`")?;
            rest = after;
            if let Some(text) = inside.strip_prefix("default:") {
                let behind_source = literal.is_empty();
                match pieces.last_mut() {
                    Some(Piece::Source(_, default @ None)) if behind_source => {
                        *default = Some(text.as_bytes().into());
                    }
                    _ => return Err("`${default:text}` right behind the one source that it stands in for"),
                }
                continue;
            }
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal).into()));
            }
            pieces.push(Piece::Source(source(inside)?, None));
        }
        literal.extend_from_slice(rest.as_bytes());
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal.into()));
        }
        Ok(Self { pieces })
    }
}

fn source(inside: &str) -> Result<Source, &'static str> {
    let (kind, argument) = match inside.split_once(':') {
        Some((kind, argument)) => (kind, Some(argument)),
        None => (inside, None),
    };
    Ok(match (kind, argument) {
        ("header", Some(name)) => Source::Header(header(name)?),
        ("headers", Some(name)) => Source::Headers(header(name)?),
        ("response_header", Some(name)) => Source::ResponseHeader(header(name)?),
        ("response_headers", Some(name)) => Source::ResponseHeaders(header(name)?),
        ("query", Some(name)) => Source::Query(parameter(name)?),
        ("cookie", Some(name)) => Source::Cookie(parameter(name)?),
        ("prop", Some(path)) => {
            let path = attribute::path(path)?;
            Source::Attribute(attribute::kind(&path), path)
        }
        ("method", None) => Source::Method,
        ("path", None) => Source::Path,
        ("path_no_query", None) => Source::PathNoQuery,
        ("authority", None) => Source::Authority,
        ("host", None) => Source::Host,
        ("status", None) => Source::Status,
        ("uuid", None) => Source::Uuid,
        ("now_ms", None) => Source::NowMs,
        _ => return Err(SOURCES),
    })
}

fn header(typed: &str) -> Result<Box<str>, &'static str> {
    let name = typed.to_ascii_lowercase();
    if is_name(name.as_bytes()) {
        Ok(name.into())
    } else {
        Err(
            "the name of a header behind the colon; pseudo-headers are `${method}`, `${path}`, `${authority}`",
        )
    }
}

fn parameter(name: &str) -> Result<Box<str>, &'static str> {
    let right = |byte: u8| byte.is_ascii_graphic() && !b"&=;#,\"".contains(&byte);
    if !name.is_empty() && name.bytes().all(right) {
        Ok(name.into())
    } else {
        Err("the name of a query parameter or a cookie behind the colon, its escapes as they are sent")
    }
}

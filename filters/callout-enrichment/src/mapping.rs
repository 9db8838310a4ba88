//! From parts of the answer to headers.

use std::borrow::Cow;

use filter_kit::header;

use crate::answer::Answer;
use crate::json::{self, Kind, Pointer};

/// One value that is made of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// What it is made of.
    pub source: Source,
    /// Where it goes.
    pub target: Target,
    /// What it must be.
    pub shape: Shape,
    /// How long it may be, in bytes.
    pub max_bytes: usize,
    /// What stands in its place if the answer does not have it.
    pub default: Option<Box<[u8]>>,
    /// Whether an answer without it is no answer.
    pub required: bool,
}

/// A part of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Always this value: it says that there was an answer.
    Literal(Box<[u8]>),
    /// The status code.
    Status,
    /// The first value of the response header of this name.
    Header(Box<str>),
    /// The whole body, without white space at its ends.
    Body,
    /// What a JSON pointer finds in the body.
    JsonPointer(Pointer),
}

/// Where a value goes. Names of headers are in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A header of the request. What a client sent under this name is always taken off.
    Request(Box<str>),
    /// A header of the response.
    Response(Box<str>),
    /// Filter state, for the access log: `%FILTER_STATE(wasm.name:PLAIN)%`.
    FilterState(Box<str>),
}

/// What a value must be, and how it is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Text. In JSON a string, or a number or `true` or `false` as they stand.
    Text,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// Any JSON value, without white space between its tokens.
    Json,
    /// A JSON list of texts, with commas between; or one text.
    List,
}

/// The values that an answer has, in the order of the mappings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Enriched {
    /// A value, or nothing, for each mapping.
    pub values: Box<[Option<Box<[u8]>>]>,
    /// How many were there and are not what they must be.
    pub invalid: u64,
}

/// The answer is not what it must be: its body is no JSON although something is looked for in it, or something that is
/// required is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid;

/// What one part of an answer is.
enum Part<'a> {
    Missing,
    Wrong,
    Text(Cow<'a, [u8]>),
}

/// The values of an answer.
///
/// # Errors
///
/// It has none.
pub fn enriched(mappings: &[Mapping], answer: &Answer<'_>) -> Result<Enriched, Invalid> {
    let pointers: Vec<&Pointer> = mappings
        .iter()
        .filter_map(|mapping| match &mapping.source {
            Source::JsonPointer(pointer) => Some(pointer),
            _ => None,
        })
        .collect();
    // No body at all is no mistake: a 204 has none.
    let mut found = if pointers.is_empty() || answer.body.trim_ascii().is_empty() {
        vec![None; pointers.len()]
    } else {
        let text = std::str::from_utf8(answer.body).map_err(|_| Invalid)?;
        json::find(text, &pointers).ok_or(Invalid)?
    }
    .into_iter();
    let mut invalid = 0;
    let values = mappings.iter().map(|mapping| {
        let part = match &mapping.source {
            Source::Literal(value) => Part::Text(value.as_ref().into()),
            Source::Status => {
                answer.header(":status").map_or(Part::Missing, |status| Part::Text(status.into()))
            }
            Source::Header(name) => plain(answer.header(name), mapping.shape),
            Source::Body => {
                plain(Some(answer.body.trim_ascii()).filter(|body| !body.is_empty()), mapping.shape)
            }
            Source::JsonPointer(_) => {
                found.next().flatten().map_or(Part::Missing, |value| shaped(value, mapping.shape))
            }
        };
        let value = match part {
            Part::Text(text) if text.len() <= mapping.max_bytes && header::is_value(&text) => {
                return Ok(Some(text.into()));
            }
            Part::Missing => mapping.default.clone(),
            Part::Wrong | Part::Text(_) => {
                invalid += 1;
                mapping.default.clone()
            }
        };
        if mapping.required && value.is_none() { Err(Invalid) } else { Ok(value) }
    });
    let values = values.collect::<Result<_, _>>()?;
    Ok(Enriched { values, invalid })
}

/// A text that is not JSON, but where it has to be.
fn plain(value: Option<&[u8]>, shape: Shape) -> Part<'_> {
    let Some(value) = value else { return Part::Missing };
    if shape == Shape::Text {
        return Part::Text(value.into());
    }
    let Ok(text) = std::str::from_utf8(value) else { return Part::Wrong };
    match shape {
        Shape::Json | Shape::List if json::find(text, &[]).is_some() => shaped(text, shape),
        Shape::Json => Part::Wrong,
        Shape::Integer if !is_integer(text) => Part::Wrong,
        Shape::Boolean if !matches!(text, "true" | "false") => Part::Wrong,
        _ => Part::Text(value.into()),
    }
}

/// A JSON value.
fn shaped(value: &str, shape: Shape) -> Part<'_> {
    let kind = json::kind(value);
    match (shape, kind) {
        (Shape::Json, _) => Part::Text(json::compact(value).into_bytes().into()),
        (_, Kind::Null) => Part::Missing,
        (Shape::List, Kind::List) => list(value).map_or(Part::Wrong, |list| Part::Text(list.into())),
        (_, Kind::List | Kind::Object) => Part::Wrong,
        (Shape::Text | Shape::List, _) => scalar(value).map_or(Part::Wrong, Part::Text),
        (Shape::Integer, Kind::Number) if is_integer(value) => Part::Text(value.as_bytes().into()),
        (Shape::Boolean, Kind::Bool) => Part::Text(value.as_bytes().into()),
        _ => Part::Wrong,
    }
}

/// A string without its quotes and escapes; a number, `true` or `false` as it stands.
fn scalar(value: &str) -> Option<Cow<'_, [u8]>> {
    match json::kind(value) {
        Kind::String => {
            let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'))?;
            Some(match json::unescape(quoted)? {
                Cow::Borrowed(text) => text.as_bytes().into(),
                Cow::Owned(text) => text.into_bytes().into(),
            })
        }
        Kind::Number | Kind::Bool => Some(value.as_bytes().into()),
        Kind::Null | Kind::List | Kind::Object => None,
    }
}

/// The items of a list with commas between. None of them may be or have what would make it two, or vanish.
fn list(value: &str) -> Option<Vec<u8>> {
    let mut joined = Vec::new();
    for (index, item) in json::items(value)?.into_iter().enumerate() {
        let item = scalar(item)?;
        if item.is_empty() || item.contains(&b',') || item.trim_ascii().len() != item.len() {
            return None;
        }
        if index > 0 {
            joined.push(b',');
        }
        joined.extend_from_slice(&item);
    }
    Some(joined)
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'))
}

#[cfg(test)]
mod tests;

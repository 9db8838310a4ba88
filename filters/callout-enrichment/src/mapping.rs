//! From a part of the answer to a request header.

use std::borrow::Cow;

use serde_json::Value;

/// One header that is made of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// What it is made of.
    pub source: Source,
    /// Its name, in lower case.
    pub to: String,
}

/// A part of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Always this value: it says that there was an answer.
    Literal(Vec<u8>),
    /// The status code.
    Status,
    /// The first value of the response header of this name.
    Header(String),
    /// What a JSON pointer (RFC 6901) finds in the body: a string, a number, or `true` or `false`.
    JsonPointer(String),
}

/// A response, as much of it as was read.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// Its header lines, `:status` among them; none if there was no response.
    pub headers: &'a [(String, Vec<u8>)],
    /// Its body, up to the size that is read.
    pub body: &'a [u8],
    /// The size of the whole body, in bytes.
    pub body_size: u64,
}

impl Answer<'_> {
    pub(crate) fn status(&self) -> Option<u16> {
        std::str::from_utf8(self.header(":status")?).ok()?.parse().ok()
    }

    fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_slice())
    }
}

/// A body that is read as JSON once, and only if something asks for it.
pub(crate) struct Body<'a> {
    bytes: &'a [u8],
    json: std::cell::OnceCell<Option<Value>>,
}

impl<'a> Body<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, json: std::cell::OnceCell::new() }
    }

    fn json(&self) -> Option<&Value> {
        self.json.get_or_init(|| serde_json::from_slice(self.bytes).ok()).as_ref()
    }
}

impl Source {
    /// The value it has in `answer`, if that has it.
    pub(crate) fn value(&self, answer: &Answer<'_>, body: &Body<'_>) -> Option<Vec<u8>> {
        let value: Cow<'_, [u8]> = match self {
            Self::Literal(value) => value.into(),
            Self::Status => answer.header(":status")?.into(),
            Self::Header(name) => answer.header(name)?.into(),
            Self::JsonPointer(pointer) => match body.json()?.pointer(pointer)? {
                Value::String(text) => text.as_bytes().into(),
                Value::Number(number) => number.to_string().into_bytes().into(),
                Value::Bool(value) => value.to_string().into_bytes().into(),
                Value::Null | Value::Array(_) | Value::Object(_) => return None,
            },
        };
        Some(value.into_owned())
    }
}

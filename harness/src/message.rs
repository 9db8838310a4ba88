//! Whole requests and responses.

use bytes::Bytes;

use crate::header::HeaderMap;

/// A request as somebody received it: the upstream, or the cluster of a callout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// With the pseudo headers `:method`, `:path`, `:authority` and `:scheme`.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// The trailers, if there were any.
    pub trailers: Option<HeaderMap>,
}

/// A response: to be sent by an upstream, or as the client received it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// With the pseudo header `:status`.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// The trailers, if there are any.
    pub trailers: Option<HeaderMap>,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Reading that is the same for both.
macro_rules! message {
    ($name:ident) => {
        impl $name {
            /// The first value of a header as text; bytes that are not UTF-8 are replaced.
            #[must_use]
            pub fn header(&self, name: &str) -> Option<String> {
                self.headers.get(name).map(text)
            }

            /// Every value of a header as text.
            #[must_use]
            pub fn header_all(&self, name: &str) -> Vec<String> {
                self.headers.get_all(name).map(text).collect()
            }

            /// The first value of a trailer as text.
            #[must_use]
            pub fn trailer(&self, name: &str) -> Option<String> {
                self.trailers.as_ref().and_then(|trailers| trailers.get(name)).map(text)
            }

            /// The body as text; bytes that are not UTF-8 are replaced.
            #[must_use]
            pub fn text(&self) -> String {
                text(&self.body)
            }
        }
    };
}

message!(Request);
message!(Response);

impl Request {
    /// `:method`
    #[must_use]
    pub fn method(&self) -> String {
        self.header(":method").unwrap_or_default()
    }

    /// `:path`, with the query.
    #[must_use]
    pub fn path(&self) -> String {
        self.header(":path").unwrap_or_default()
    }
}

impl Response {
    /// A response of that status without a body.
    #[must_use]
    pub fn new(status: u32) -> Self {
        let headers = HeaderMap::from([(":status", status.to_string())]);
        Self { headers, ..Self::default() }
    }

    /// 200 with a body.
    #[must_use]
    pub fn ok(body: impl Into<Bytes>) -> Self {
        Self::new(200).with_body(body)
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.add(name, value);
        self
    }

    /// Sets the body, and `content-length` with it.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.headers.replace("content-length", self.body.len().to_string());
        self
    }

    /// Adds a trailer.
    #[must_use]
    pub fn with_trailer(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.trailers.get_or_insert_default().add(name, value);
        self
    }

    /// `:status` as a number; 0 if there is none.
    #[must_use]
    pub fn status(&self) -> u32 {
        self.header(":status").and_then(|status| status.parse().ok()).unwrap_or(0)
    }
}

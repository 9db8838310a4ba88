//! The attributes that come in groups, such as `request`.

use super::Value;

/// The attributes that are made when they are asked for. As a whole none has bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Request,
    Response,
    Connection,
    Upstream,
    Source,
    Destination,
    Xds,
    FilterState,
    UpstreamFilterState,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Found {
    Group(Group),
    Value(Value),
}

impl Group {
    pub(crate) fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"request" => Self::Request,
            b"response" => Self::Response,
            b"connection" => Self::Connection,
            b"upstream" => Self::Upstream,
            b"source" => Self::Source,
            b"destination" => Self::Destination,
            b"xds" => Self::Xds,
            b"filter_state" => Self::FilterState,
            b"upstream_filter_state" => Self::UpstreamFilterState,
            _ => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
            Self::Connection => "connection",
            Self::Upstream => "upstream",
            Self::Source => "source",
            Self::Destination => "destination",
            Self::Xds => "xds",
            Self::FilterState => "filter_state",
            Self::UpstreamFilterState => "upstream_filter_state",
        }
    }
}

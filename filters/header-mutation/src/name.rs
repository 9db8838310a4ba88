//! Names, and which of them an operation may touch.

use filter_kit::config::{Node, Text};
use filter_kit::header::{self, FRAMING, NOT_SETTABLE};

use crate::host::Side;
use crate::value::Kind;

/// A header that an operation changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// Its name in lower case.
    pub(crate) name: Box<[u8]>,
    /// What its value is.
    pub(crate) kind: Kind,
}

/// What an operator allows beyond what is allowed to all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allow {
    /// Pseudo-headers whose values may be changed.
    pub(crate) pseudo: Vec<Pseudo>,
    /// Headers that Envoy trusts.
    pub(crate) internal: bool,
    /// What says how a gRPC call went.
    pub(crate) grpc_trailers: bool,
}

/// A pseudo-header whose value may be changed, if it is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pseudo {
    Path,
    Authority,
    Method,
    Status,
}

impl Pseudo {
    /// The words for it in a configuration.
    pub(crate) const WORDS: [(&str, Self); 4] = [
        (":path", Self::Path),
        (":authority", Self::Authority),
        (":method", Self::Method),
        (":status", Self::Status),
    ];

    fn kind(self) -> Kind {
        match self {
            Self::Path => Kind::Path,
            Self::Authority => Kind::Authority,
            Self::Method => Kind::Method,
            Self::Status => Kind::Status,
        }
    }

    fn is_of(self, side: Side) -> bool {
        side == if self == Self::Status { Side::Response } else { Side::Request }
    }
}

/// What may be touched on one side of an exchange.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guard<'a> {
    /// Which side.
    pub(crate) side: Side,
    /// What is allowed.
    pub(crate) allow: &'a Allow,
}

/// What an operation does with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// It gives the header another value, which a pseudo-header may be given as well.
    Value,
    /// It adds or removes lines.
    Lines,
}

const REQUEST: Text =
    Text::pattern("^(:path|:authority|:method|[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256})$").but_not(&FRAMING);
const RESPONSE: Text = Text::pattern("^(:status|[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256})$").but_not(&NOT_SETTABLE);

impl Guard<'_> {
    /// Reads the name of a header that is to be changed.
    #[inline(never)]
    pub(crate) fn field(self, node: Node<'_>, is_for: Use) -> Option<Field> {
        match (self.side, is_for) {
            (Side::Request, Use::Value) => node.parsed(REQUEST, |typed| self.parse(typed, is_for)),
            (Side::Response, Use::Value) => node.parsed(RESPONSE, |typed| self.parse(typed, is_for)),
            _ => node.parsed(header::SETTABLE_NAME, |typed| self.parse(typed, is_for)),
        }
    }

    /// Reads a name as an operator typed it.
    ///
    /// # Errors
    ///
    /// What a right name would be, to follow "expected".
    #[inline(never)]
    pub(crate) fn parse(self, typed: &str, is_for: Use) -> Result<Field, &'static str> {
        let mut typed = typed.to_ascii_lowercase();
        if typed == "host" && self.side == Side::Request {
            // What Envoy makes of it.
            typed = ":authority".to_owned();
        }
        if let (true, Some((_, pseudo))) = (
            is_for == Use::Value,
            Pseudo::WORDS.iter().find(|(word, pseudo)| *word == typed && pseudo.is_of(self.side)),
        ) {
            if !self.allow.pseudo.contains(pseudo) {
                return Err(
                    "a header that is no pseudo-header, or this one in `allow_pseudo`: it routes the message",
                );
            }
            return Ok(Field { name: typed.into_bytes().into(), kind: pseudo.kind() });
        }
        let name = header::settable_name(&typed)?.into_bytes();
        if !self.allow.internal && is_internal(&name) {
            return Err("a header that Envoy does not trust, or `allow_internal`");
        }
        if self.is_grpc(&name) {
            return Err("a header that does not say how a gRPC call went, or `allow_grpc_trailers`");
        }
        Ok(Field { name: name.into(), kind: Kind::Line })
    }

    fn is_grpc(self, name: &[u8]) -> bool {
        self.side.is_of_response() && !self.allow.grpc_trailers && name.starts_with(b"grpc-")
    }

    /// What an operation that goes by a part of the name passes over.
    pub(crate) fn spares(self) -> Spared {
        Spared {
            internal: !self.allow.internal,
            grpc: self.side.is_of_response() && !self.allow.grpc_trailers,
        }
    }
}

/// Headers that an operation passes over, whatever its pattern takes: those that route or frame the message always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spared {
    internal: bool,
    grpc: bool,
}

impl Spared {
    /// Whether `name` is one of them.
    pub(crate) fn has(self, name: &[u8]) -> bool {
        name.first() == Some(&b':')
            || name == b"host"
            || FRAMING.iter().any(|other| other.as_bytes() == name)
            || (self.internal && is_internal(name))
            || (self.grpc && name.starts_with(b"grpc-"))
    }
}

/// Whether Envoy takes the header for its own word (Envoy's `x-envoy-` headers, and what the client's certificate was).
pub(crate) fn is_internal(name: &[u8]) -> bool {
    name.starts_with(b"x-envoy-") || name == b"x-forwarded-client-cert"
}

/// Reads a name that is only looked at; pseudo-headers have theirs.
#[inline(never)]
pub(crate) fn source(node: Node<'_>, side: Side) -> Option<Box<[u8]>> {
    let like = Text::pattern("^:?[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}$");
    node.parsed(like, |typed| {
        let mut name = typed.to_ascii_lowercase();
        if name == "host" && side == Side::Request {
            name = ":authority".to_owned();
        }
        if header::is_name(name.strip_prefix(':').unwrap_or(&name).as_bytes()) {
            Ok(name.into_bytes().into())
        } else {
            Err("a header name: letters, digits and hyphens, up to 256 of them")
        }
    })
}

/// The headers that a client may not send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// This one.
    Exact(Box<[u8]>),
    /// Those whose name begins so.
    Prefix(Box<[u8]>),
}

impl Pattern {
    /// Reads a name, or the beginning of names with an asterisk behind it.
    pub(crate) fn read(node: Node<'_>, allow: &Allow) -> Option<Self> {
        let guard = Guard { side: Side::Request, allow };
        let like =
            Text::pattern("^[A-Za-z0-9!#$%&'+.^_`|~-]{1,255}\\*?$").examples(&["x-user-*", "x-tenant-id"]);
        node.parsed(like, |typed| {
            let (name, is_prefix) = typed.strip_suffix('*').map_or((typed, false), |name| (name, true));
            if name.contains('*') {
                return Err("a header, or the beginning of headers with one `*` at its end");
            }
            if name.eq_ignore_ascii_case("host") {
                return Err("a header that Envoy does not own: this one frames or routes the message");
            }
            let field = guard.parse(name, Use::Lines)?;
            Ok(if is_prefix { Self::Prefix(field.name) } else { Self::Exact(field.name) })
        })
    }

    /// Whether it takes `name`.
    pub(crate) fn takes(&self, name: &[u8]) -> bool {
        match self {
            Self::Exact(exact) => name == &**exact,
            Self::Prefix(prefix) => name.starts_with(prefix),
        }
    }
}

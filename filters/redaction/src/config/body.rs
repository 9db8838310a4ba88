//! Reads what is done with bodies as wholes.

use filter_kit::config::{Fields, Json, Node};
use filter_kit::mode::Failure;

/// What becomes of what cannot be looked into as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// It is made so that it can be.
    Treat,
    /// It passes, and is counted.
    Skip,
    /// It does not pass.
    Block,
}

/// How much of a body is there before anything of it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyMode {
    /// No more than may belong to a match.
    Stream,
    /// All of it, up to a size.
    Buffer,
}

/// How bodies are held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyPolicy {
    /// How much is there before anything leaves.
    pub mode: BodyMode,
    /// The most that is held back for a match, in bytes.
    pub max_hold: usize,
    /// The largest body that is there as a whole, in bytes.
    pub max_body: usize,
    /// What becomes of a larger one.
    pub on_oversize: Otherwise,
    /// What becomes of one about which nothing can be decided.
    pub fail: Failure,
}

impl BodyPolicy {
    pub(super) fn field(fields: &mut Fields<'_>, fail: Failure) -> Option<Self> {
        fields.or("body", "How bodies are held back", Json::EMPTY_OBJECT, |node| {
            node.object(|fields| {
                let mode = fields.or(
                    "mode",
                    "`stream` holds back what may belong to a match; `buffer` all of a body, so that it can be blocked before anything leaves",
                    "stream",
                    |node| node.one_of(&[("stream", BodyMode::Stream), ("buffer", BodyMode::Buffer)]),
                );
                let hold = fields.or(
                    "max_hold_bytes",
                    "The most that is held back for a match; a longer one is taken for one, and with `\"fail\": \"open\"` let go",
                    "4KiB",
                    |node| node.bytes(1024..=65_536),
                );
                let body = fields.or(
                    "max_body_bytes",
                    "The largest body that `buffer` holds; less than Envoy's buffers, which have 1 MiB unless configured otherwise",
                    "512KiB",
                    |node| node.bytes(1024..=1 << 30),
                );
                let oversize = fields.or(
                    "on_oversize",
                    "What becomes of a larger one: it goes on as in `stream`, passes as it is, or does not pass",
                    "stream",
                    |node| {
                        node.one_of(&[
                            ("stream", Otherwise::Treat),
                            ("skip", Otherwise::Skip),
                            ("block", Otherwise::Block),
                        ])
                    },
                );
                Some(Self {
                    mode: mode?,
                    max_hold: usize::try_from(hold?).ok()?,
                    max_body: usize::try_from(body?).ok()?,
                    on_oversize: oversize?,
                    fail,
                })
            })
        })
    }
}

/// Whether requests ask for plain bodies, and what becomes of others.
pub(super) fn encoding(node: Node<'_>) -> Option<(bool, Otherwise)> {
    node.object(|fields| {
        let identity = fields.or(
            "request_identity",
            "Whether requests ask for responses that are not compressed",
            true,
            |node| node.boolean(),
        );
        let encoded = fields.or(
            "on_encoded",
            "What becomes of compressed bodies: gzip and deflate are inflated, and others do as `fail` says; or all pass; or none",
            "inflate",
            |node| {
                node.one_of(&[("inflate", Otherwise::Treat), ("skip", Otherwise::Skip), ("block", Otherwise::Block)])
            },
        );
        Some((identity?, encoded?))
    })
}

/// How JSON is looked into.
pub(super) struct JsonPolicy {
    pub(super) aware: bool,
    pub(super) names: bool,
    pub(super) zero: bool,
}

pub(super) fn json(node: Node<'_>) -> Option<JsonPolicy> {
    node.object(|fields| {
        let aware = fields.or(
            "mode",
            "`auto` follows JSON where the content-type says so; `off` takes it for text",
            "auto",
            |node| node.one_of(&[("auto", true), ("off", false)]),
        );
        let names =
            fields.or("names", "Whether names of members are looked into as values are", false, |node| {
                node.boolean()
            });
        let zero = fields.or("number_as", "What a number becomes: a string, or `0`", "string", |node| {
            node.one_of(&[("string", false), ("zero", true)])
        });
        Some(JsonPolicy { aware: aware?, names: names?, zero: zero? })
    })
}

/// What becomes of a message that is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnBlock {
    /// The status of the answer to a request.
    pub status: u32,
    /// Whether a response whose headers have left is reset; else its body ends.
    pub reset: bool,
}

impl OnBlock {
    pub(super) fn field(fields: &mut Fields<'_>) -> Option<Self> {
        fields.or("on_block", "What becomes of a message that is blocked", Json::EMPTY_OBJECT, |node| {
            node.object(|fields| {
                let status = fields.or("request_status", "The status that answers a request", 403, |node| {
                    node.integer(400..=599)
                });
                let reset = fields.or(
                    "response",
                    "A response whose headers have left: `truncate` ends its body, `reset` breaks it off so that the client can tell",
                    "truncate",
                    |node| node.one_of(&[("truncate", false), ("reset", true)]),
                );
                Some(Self { status: u32::try_from(status?).ok()?, reset: reset? })
            })
        })
    }
}

/// What becomes of the entity tag of a body that may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnEtag {
    /// It says no more that the body is the same byte for byte.
    Weaken,
    /// It goes.
    Remove,
    /// It stays.
    Keep,
}

impl OnEtag {
    pub(super) fn field(fields: &mut Fields<'_>) -> Option<Self> {
        fields.or(
            "etag",
            "What becomes of the entity tag of a response that is looked into",
            "weaken",
            |node| node.one_of(&[("weaken", Self::Weaken), ("remove", Self::Remove), ("keep", Self::Keep)]),
        )
    }
}
